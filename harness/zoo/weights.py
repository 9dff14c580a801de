"""Random weights for networks that are only to be timed, and the words in a file that say so."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.errors import BadInputError
from harness.zoo.convert import random_samples

Array = npt.NDArray[Any]

# The field "description" in the table Model of TFLite's schema, counted from 0.
_DESCRIPTION = 3
_SAMPLES = 16


def randomise(model: Any, seed: int) -> None:
    """Give a Keras model weights that keep activations spread through all of its layers, with every bias set.

    The model takes batches of any size.

    Kernels are normal with a variance of 2 by the number of inputs of an output (He et al. 2015). Biases are not left
    at 0: the converter drops a bias of zeros, and the kernel would not be the one that a trained network runs.
    Normalisations get the mean and variance that random inputs have there, as training gives them: in deep networks all
    inputs would end in the same output else.
    """
    generator = np.random.default_rng(seed)
    for layer in model.layers:
        for variable in layer.weights:
            shape = tuple(variable.shape)
            variable.assign(_values(generator, type(layer).__name__, variable.name, shape).astype(np.float32))
    normalisations = [layer for layer in model.layers if hasattr(layer, "moving_mean")]
    momenta = [layer.momentum for layer in normalisations]
    for layer in normalisations:
        layer.momentum = 0.0  # what is seen next replaces what was seen before
    samples = random_samples([tuple(model.inputs[0].shape[1:])], _SAMPLES, seed)
    model(np.stack([sample for (sample,) in samples]), training=True)
    for layer, momentum in zip(normalisations, momenta, strict=True):
        layer.momentum = momentum


def _values(generator: np.random.Generator, layer: str, variable: str, shape: tuple[int, ...]) -> Array:
    if variable == "kernel":
        inputs = math.prod(shape[:-2] if layer.startswith("Depthwise") else shape[:-1])
        return generator.normal(0.0, math.sqrt(2.0 / inputs), shape)
    if variable in ("gamma", "moving_variance"):
        return generator.uniform(0.8, 1.2, shape)
    return generator.normal(0.0, 0.1, shape)


def describe(tflite: bytes, description: str) -> bytes:
    """The same file with another description: the new text is appended, and the field points to it.

    Nothing else moves, so that every buffer keeps its alignment.

    Raises:
        BadInputError: a file without the field, which the converter always writes.
    """
    (root,) = struct.unpack_from("<I", tflite, 0)
    (back,) = struct.unpack_from("<i", tflite, root)
    table = root - back
    (table_bytes,) = struct.unpack_from("<H", tflite, table)
    slot = 4 + 2 * _DESCRIPTION
    offset = struct.unpack_from("<H", tflite, table + slot)[0] if slot < table_bytes else 0
    if offset == 0:
        raise BadInputError("the converted file has no description", "convert it with harness.zoo.convert")
    text = description.encode()
    content = bytearray(tflite)
    content += bytes(-len(content) % 4)
    struct.pack_into("<I", content, root + offset, len(content) - (root + offset))
    content += struct.pack("<I", len(text)) + text + b"\0"
    content += bytes(-len(content) % 16)
    return bytes(content)
