"""MLPerf Tiny's four networks: how they are recognised, how their inputs come, and how their results are printed."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from harness.errors import BadInputError
from harness.records import Model, Tensor

Floats = npt.NDArray[np.float32]

OTHER = "other"
"""The id of a network that is none of the benchmark's."""

# Shapes of input and output without dimensions of 1, and the types that both may have.
_NETWORKS: dict[str, tuple[tuple[int, ...], tuple[int, ...], tuple[str, ...]]] = {
    "kws01": ((49, 10), (12,), ("int8",)),
    "vww01": ((96, 96, 3), (2,), ("int8",)),
    "ic01": ((32, 32, 3), (10,), ("int8",)),
    "ad01": ((640,), (640,), ("int8", "float32")),
}


class Data(Protocol):
    """What the bytes of the benchmark's buffer mean to a network, and what its outputs mean to the benchmark."""

    size_bytes: int
    """Bytes of the buffer that one inference takes."""

    def inputs(self, data: bytes) -> tuple[bytes, ...]:
        """The network's input tensors, of ``size_bytes`` bytes."""
        ...

    def results(self, data: bytes, outputs: Sequence[bytes]) -> str:
        """The numbers of ``m-results-[...]``, of those bytes and of the output tensors that came of them."""
        ...


def identify(model: Model) -> str:
    """The benchmark's id of a network with the shapes and types of one of its four, else ``OTHER``."""
    if len(model.inputs) == len(model.outputs) == 1:
        taken, given = model.tensors[model.inputs[0]], model.tensors[model.outputs[0]]
        shapes = tuple(tuple(size for size in tensor.shape if size != 1) for tensor in (taken, given))
        for name, (*expected, types) in _NETWORKS.items():
            if shapes == tuple(expected) and taken.type == given.type and taken.type in types:
                return name
    return OTHER


def data(model: Model, model_id: str) -> Data:
    """How a network is fed under this id, which need not be the one that its shapes have.

    Raises:
        BadInputError: the id cannot be printed, or its encoding does not fit the network's tensors.
    """
    if not re.fullmatch(r"[\w.-]{1,32}", model_id, re.ASCII):
        raise BadInputError(f"a model id of {model_id!r}", "up to 32 letters, digits, dots, dashes and underscores")
    if model_id in ("ic01", "vww01"):
        return _Pixels(model, model_id)
    if model_id == "ad01":
        return _Reconstruction(model, model_id)
    return _Raw(model, truncate=model_id == "kws01")


class _Raw:
    """The input tensors' own bytes, one after the other; the results are the outputs' real values."""

    def __init__(self, model: Model, truncate: bool = False) -> None:
        self._taken = [model.tensors[index] for index in model.inputs]
        self._given = [model.tensors[index] for index in model.outputs]
        self._truncate = truncate
        self.size_bytes = sum(tensor.bytes for tensor in self._taken)

    def inputs(self, data: bytes) -> tuple[bytes, ...]:
        parts, start = [], 0
        for tensor in self._taken:
            parts.append(data[start : start + tensor.bytes])
            start += tensor.bytes
        return tuple(parts)

    def results(self, data: bytes, outputs: Sequence[bytes]) -> str:
        values = [v for tensor, raw in zip(self._given, outputs, strict=True) for v in _real(tensor, raw).ravel()]
        return ",".join(_cut(value) if self._truncate else f"{value:.3f}" for value in values)


class _Pixels(_Raw):
    """Unsigned bytes, 128 more than the int8 that the network takes."""

    def __init__(self, model: Model, model_id: str) -> None:
        super().__init__(model)
        _require_one(model, model_id, ("int8",), ("int8", "float32"))

    def inputs(self, data: bytes) -> tuple[bytes, ...]:
        return (bytes(byte ^ 0x80 for byte in data),)


class _Reconstruction:
    """Real values, little-endian float32, quantised as the network's; the result is how far the output is off them."""

    def __init__(self, model: Model, model_id: str) -> None:
        types = ("int8", "float32")
        self._taken, self._given = _require_one(model, model_id, types, types)
        if _elements(self._taken) != _elements(self._given):
            raise BadInputError(
                f"{model_id} compares output and input, but the network has {_elements(self._given)} outputs for "
                f"{_elements(self._taken)} inputs",
                f"leave the id out, and it is {OTHER}",
            )
        self.size_bytes = 4 * _elements(self._taken)

    def inputs(self, data: bytes) -> tuple[bytes, ...]:
        if self._taken.type == "float32":
            return (data,)
        # As the benchmark's reference: in single precision, halves away from zero. NaN converts to 0 on an Arm core.
        with np.errstate(all="ignore"):
            scaled = np.frombuffer(data, "<f4") / np.float32(self._taken.scales[0])
            rounded = np.trunc(scaled + np.copysign(np.float64(0.5), scaled))
        clipped = np.clip(np.nan_to_num(rounded, nan=0.0) + self._taken.zero_points[0], -128, 127)
        return (clipped.astype(np.int8).tobytes(),)

    def results(self, data: bytes, outputs: Sequence[bytes]) -> str:
        with np.errstate(all="ignore"):
            difference = _real(self._given, outputs[0]).ravel() - np.frombuffer(data, "<f4")
            squares = difference * difference
            # Accumulated one by one in single precision, as a loop on the device does; numpy.sum adds pairwise.
            return f"{np.add.accumulate(squares, dtype=np.float32)[-1] / np.float32(squares.size):.3f}"


def _require_one(model: Model, model_id: str, taken: tuple[str, ...], given: tuple[str, ...]) -> tuple[Tensor, Tensor]:
    """The only input and the only output, of one of these types, quantised where int8."""
    hint = f"leave the id out, and it is {OTHER}: the bytes are the input tensor's own"
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise BadInputError(
            f"{model_id} has one input and one output, the network {len(model.inputs)} and {len(model.outputs)}", hint
        )
    tensors = model.tensors[model.inputs[0]], model.tensors[model.outputs[0]]
    for tensor, types, what in zip(tensors, (taken, given), ("input", "output"), strict=True):
        if tensor.type not in types:
            raise BadInputError(f"{model_id} has an {what} of {' or '.join(types)}, the network of {tensor.type}", hint)
        if tensor.type == "int8" and len(tensor.scales) != 1:
            raise BadInputError(f"the network's {what} has {len(tensor.scales)} scales, {model_id} has one", hint)
    return tensors


def _elements(tensor: Tensor) -> int:
    return math.prod(tensor.shape)


def _real(tensor: Tensor, raw: bytes) -> Floats:
    """A tensor's real values in its shape, in single precision as the device computes them."""
    values: npt.NDArray[Any] = np.frombuffer(raw, np.dtype(tensor.type).newbyteorder("<")).reshape(tensor.shape)
    if not tensor.scales or tensor.type == "float32":
        return values.astype(np.float32)
    along = [1] * len(tensor.shape)
    if len(tensor.scales) > 1:
        along[tensor.quantized_dimension] = -1
    zero_points = np.array(tensor.zero_points, np.int64).reshape(along)
    return (values - zero_points).astype(np.float32) * np.array(tensor.scales, np.float32).reshape(along)


def _cut(value: np.float32) -> str:
    """Three decimals, the rest cut off: the reference of kws01 prints its digits one by one."""
    with np.errstate(all="ignore"):
        thousandths = float(value * np.float32(1000))
    return f"{math.trunc(thousandths) / 1000:.3f}" if math.isfinite(thousandths) else f"{value:.3f}"
