"""Random weights for networks that are only to be timed, and the words in a file that say so."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.errors import BadInputError

Array = npt.NDArray[Any]

# The field "description" in the table Model of TFLite's schema, counted from 0.
_DESCRIPTION = 3


def randomise(model: Any, seed: int) -> None:
    """Give a Keras model weights that keep activations spread through all of its layers, with every bias set.

    Kernels are normal with a variance of 2 by the number of inputs of an output (He et al. 2015). Biases and
    normalisations are not left at 0 and 1: the converter drops a bias of zeros, and the kernel would not be the one
    that a trained network runs.
    """
    generator = np.random.default_rng(seed)
    for layer in model.layers:
        for variable in layer.weights:
            shape = tuple(variable.shape)
            variable.assign(_values(generator, type(layer).__name__, variable.name, shape).astype(np.float32))


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
