"""Runs .tflite files on the host with the PyPI package tflite-micro: an implementation that is not the packaged TFLM.

Its int8 results are what TFLM's firmware computes, bit for bit; those of TensorFlow Lite's default kernels are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.errors import BadInputError
from harness.records import Record
from harness.zoo.quiet import quiet, text_of

Array = npt.NDArray[Any]

# The package's own guess, ten times the file, is too little for a small network with large activations.
_ARENA_BYTES = 8 << 20


class Accuracy(Record, frozen=True, kw_only=True):
    """How many of ``images`` were classified correctly."""

    correct: int
    images: int

    @property
    def fraction(self) -> float:
        """Correct share, 0 to 1."""
        return self.correct / self.images


class HostInterpreter:
    """One network, loaded once, run as often as wanted.

    Raises:
        BadInputError: not a .tflite file, an operator that tflite-micro lacks, or more than 8 MiB of activations.
    """

    def __init__(self, model: bytes) -> None:
        from tflite_micro import runtime
        from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

        if len(model) < 8 or not schema.Model.ModelBufferHasIdentifier(model, 0):
            raise BadInputError(f"these {len(model)} bytes are not a .tflite file")
        with quiet() as log:
            try:
                graph = schema.Model.GetRootAs(model).Subgraphs(0)
                self._interpreter = runtime.Interpreter.from_bytes(model, arena_size=_ARENA_BYTES)
            except (RuntimeError, ValueError) as error:
                raise BadInputError(f"tflite-micro cannot load the network: {error}", detail=text_of(log)) from error
        self._outputs = range(graph.OutputsLength())
        self.inputs: tuple[dict[str, Any], ...] = tuple(
            self._interpreter.get_input_details(index) for index in range(graph.InputsLength())
        )
        """Per input: ``shape``, ``dtype`` and ``quantization_parameters``."""

    def run(self, inputs: Sequence[Array]) -> tuple[Array, ...]:
        """One inference: arrays of the network's own shapes and types, in the file's order, in; all outputs out.

        Raises:
            BadInputError: wrong number, shape or type of inputs, or the inference fails.
        """
        if len(inputs) != len(self.inputs):
            raise BadInputError(f"{len(inputs)} inputs given, the network has {len(self.inputs)}")
        with quiet() as log:
            try:
                for index, array in enumerate(inputs):
                    self._interpreter.set_input(array, index)
                self._interpreter.invoke()
            except (RuntimeError, ValueError) as error:
                raise BadInputError(f"tflite-micro cannot run the network: {error}", detail=text_of(log)) from error
        return tuple(np.array(self._interpreter.get_output(index)) for index in self._outputs)

    def quantise(self, values: Array, index: int = 0) -> Array:
        """Real values as input ``index`` takes them: round(value / scale) + zero point, clipped; float stays float."""
        details = self.inputs[index]
        if details["dtype"] is np.float32:
            return values.astype(np.float32)
        parameters, limits = details["quantization_parameters"], np.iinfo(details["dtype"])
        scaled = np.round(values / parameters["scales"][0]) + parameters["zero_points"][0]
        return np.asarray(np.clip(scaled, limits.min, limits.max), details["dtype"])


def accuracy(model: bytes, images: Array, labels: Array) -> Accuracy:
    """Classify real-valued ``images`` (count, ...) with a one-input network; ``labels`` (count,) holds the classes.

    The class is the index of the largest output; the first one where several are equal.
    """
    interpreter = HostInterpreter(model)
    correct = sum(
        int(np.argmax(interpreter.run([interpreter.quantise(image[np.newaxis])])[0])) == int(label)
        for image, label in zip(images, labels, strict=True)
    )
    return Accuracy(correct=correct, images=len(images))
