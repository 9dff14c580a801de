"""One operator of a model with its tensors, and the questions that the checks of the catalogue ask it.

Every question that is answered with no raises a BadInputError that names the operator and its index.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from harness.errors import BadInputError
from harness.records import Tensor

# RuntimeShape of TFLM of July 2020 holds five dimensions; more stop the firmware.
MAX_RANK = 5
# Axes, paddings and shapes: two numbers for each dimension at most.
MAX_INTEGERS = 2 * MAX_RANK
# Beyond it the kernels' left shift of a 32-bit sum is undefined.
MAX_MULTIPLIER = 2.0**30
# Kernels multiply two scales in single precision; a product of 0 or infinity stops the firmware.
MAX_SCALE = 2.0**60

_FULL_INT8 = "quantise to int8: supported_ops [TFLITE_BUILTINS_INT8] and a representative dataset"
TYPE_HINTS = {
    "uint8": "convert with inference_input_type and inference_output_type tf.int8, or leave them float32",
    "int16": f"int16 activations (int16x8) are not supported: {_FULL_INT8}",
    "float16": "convert without float16 quantisation: supported_types left alone",
    "int4": f"sub-byte weights are not supported: {_FULL_INT8}",
    "int2": f"sub-byte weights are not supported: {_FULL_INT8}",
    "uint4": f"sub-byte weights are not supported: {_FULL_INT8}",
    "string": "do text processing outside of the network",
    "resource": "convert with from_keras_model: it leaves no variables behind",
}
HYBRID = "float32 activations with int8 weights (hybrid) are not supported by TFLM, which has no kernels for them"
HYBRID_HINT = f"{_FULL_INT8}; or convert without optimizations for a float model"


def named(index: int, name: str) -> str:
    """How messages name a tensor: its index, and its name cut to 60 characters."""
    short = name if len(name) <= 60 else name[:57] + "..."
    return f"tensor {index} ({short})" if name else f"tensor {index}"


def label(tensor: Tensor) -> str:
    """How messages name a tensor of the record."""
    return named(tensor.index, tensor.name)


def text(shape: Sequence[int]) -> str:
    """A shape as in "1x49x10x1"."""
    return "x".join(map(str, shape)) or "scalar"


def elements(shape: Sequence[int]) -> int:
    """The number of elements of a shape (1 for a scalar)."""
    product = 1
    for dimension in shape:
        product *= dimension
    return product


class Node:
    """An operator with its tensors; ``inputs`` holds None for an optional input that is absent."""

    def __init__(
        self,
        index: int,
        op: str,
        version: int,
        options: dict[str, Any] | None,
        inputs: tuple[Tensor | None, ...],
        outputs: tuple[Tensor, ...],
        content: Callable[[Tensor], bytes],
    ) -> None:
        self.index = index
        self.op = op
        self.version = version
        self.options = options or {}
        self.inputs = inputs
        self.outputs = outputs
        self._content = content

    @property
    def name(self) -> str:
        return f"operator {self.index} ({self.op})"

    @property
    def output(self) -> Tensor:
        return self.outputs[0]

    def fail(self, message: str, hint: str | None = None) -> NoReturn:
        """Refuse the model because of this operator."""
        raise BadInputError(f"{self.name}: {message}", hint)

    def input(self, position: int) -> Tensor:
        """The input in ``position``, which must be there."""
        tensor = self.inputs[position]
        if tensor is None:
            self.fail(f"input {position} is absent")
        return tensor

    def optional(self, position: int) -> Tensor | None:
        """The input in ``position``, or None where it is absent or was left out."""
        return self.inputs[position] if position < len(self.inputs) else None

    def integers(self, position: int, what: str, count: int | None = None) -> tuple[int, ...]:
        """The values of a constant int32 input, of which there must be ``count`` where that is given."""
        tensor = self.input(position)
        self.type_is(tensor, "int32")
        if not tensor.is_constant:
            self.fail(f"{what} ({label(tensor)}) is computed at run time, this TFLM needs it constant")
        number = elements(tensor.shape)
        if count is not None and number != count:
            self.fail(f"{what} ({label(tensor)}) has {number} elements, expected {count}")
        if number > MAX_INTEGERS:
            self.fail(f"{what} ({label(tensor)}) has {number} elements, at most {MAX_INTEGERS} are possible")
        return struct.unpack(f"<{number}i", self._content(tensor))

    def axis(self, value: int, rank: int) -> int:
        """An axis, counted from the front."""
        if not -rank <= value < rank:
            self.fail(f"axis {value} of a tensor of {rank} dimensions")
        return value % rank

    def type_is(self, tensor: Tensor, *types: str) -> None:
        if tensor.type not in types:
            self.fail(f"{label(tensor)} is {tensor.type}, expected {' or '.join(types)}", TYPE_HINTS.get(tensor.type))

    def shape_is(self, tensor: Tensor, shape: Sequence[int]) -> None:
        if tensor.shape != tuple(shape):
            self.fail(f"{label(tensor)} has shape {text(tensor.shape)}, expected {text(shape)}")

    def rank_is(self, tensor: Tensor, rank: int, hint: str | None = None) -> None:
        if len(tensor.shape) != rank:
            self.fail(f"{label(tensor)} has shape {text(tensor.shape)}, this TFLM needs {rank} dimensions here", hint)

    def scale(self, tensor: Tensor) -> float:
        """The scale of a tensor that must have exactly one."""
        if len(tensor.scales) != 1:
            number = "no scale" if not tensor.scales else f"{len(tensor.scales)} scales (per channel)"
            self.fail(f"{label(tensor)} is {tensor.type} with {number}, expected one")
        scale = tensor.scales[0]
        if not 1.0 / MAX_SCALE <= scale <= MAX_SCALE:
            self.fail(f"{label(tensor)} has a scale of {scale:.3g}, expected {1.0 / MAX_SCALE:.1g} to {MAX_SCALE:.1g}")
        return scale

    def zero_point(self, tensor: Tensor) -> int:
        self.scale(tensor)
        return tensor.zero_points[0]

    def quantization_is(self, tensor: Tensor, scale: float, zero_point: int) -> None:
        if (self.scale(tensor), self.zero_point(tensor)) != (scale, zero_point):
            self.fail(
                f"{label(tensor)} has scale {tensor.scales[0]:.6g} and zero point {tensor.zero_points[0]}, "
                f"this TFLM computes with {scale:.6g} and {zero_point}"
            )

    def multiplier(self, value: float) -> None:
        """Check the ratio of scales that the kernel turns into a multiplier and a shift."""
        if not 0.0 < value < MAX_MULTIPLIER:
            self.fail(f"the scales of its tensors give a multiplier of {value:.3g}")

    def activation_is(self, *allowed: str) -> None:
        activation = self.options.get("fused_activation_function", "NONE")
        if activation not in allowed:
            self.fail(
                f"fused activation {activation} is not supported by this TFLM ({', '.join(allowed)} are)",
                "use a separate activation layer",
            )
