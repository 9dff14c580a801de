"""Writes small .tflite files for the tests, valid or not: nothing here checks what it is given.

The flatbuffers package comes with tflite-micro, a dependency of the project.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import flatbuffers

from harness import flatbuffer
from harness.model_schema import BUILTINS, ELEMENT_TYPES, OPTIONS, PADDINGS

ACTIVATIONS = {"NONE": 0, "RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3, "TANH": 4, "SIGN_BIT": 5}
TYPES = {element.name: number for number, element in ELEMENT_TYPES.items()}
CODES = {"float32": "f", "int8": "b", "int32": "i", "int64": "q", "int16": "h", "bool": "?", "uint8": "B"}


@dataclass
class T:
    """A tensor; ``data`` are the values of a constant, or its bytes."""

    shape: Sequence[int] | None
    type: str = "int8"
    data: Sequence[float] | bytes | None = None
    scales: Sequence[float] | None = None
    zero_points: Sequence[int] | None = None
    dimension: int = 0
    name: str | None = "t"
    variable: bool = False
    buffer: int | None = None
    number: int | None = None
    sparse: bool = False
    external: int = 0
    details: int = 0

    def bytes(self) -> bytes | None:
        if self.data is None or isinstance(self.data, bytes):
            return self.data
        return struct.pack(f"<{len(self.data)}{CODES[self.type]}", *self.data)


@dataclass
class Op:
    """An operator; ``options`` are those that differ from the schema's defaults."""

    name: str
    inputs: Sequence[int]
    outputs: Sequence[int]
    options: dict[str, Any] | None = None
    version: int = 1
    table: str | int | None = None
    old_code: int | None = None
    new_code: int | None = None
    custom_code: str | None = None
    custom_options: bytes | None = None
    opcode_index: int | None = None
    options_2: int = 0


@dataclass
class M:
    """A model of one subgraph, written ``subgraphs`` times."""

    tensors: list[T]
    operators: list[Op]
    inputs: Sequence[int] | None = (0,)
    outputs: Sequence[int] | None = (-1,)
    version: int = 3
    subgraphs: int = 1
    identifier: bytes = b"TFL3"
    description: str = "made by a test"
    metadata: list[tuple[str | None, int]] = field(default_factory=list)
    leave_out: tuple[str, ...] = ()
    buffer_offset: int = 0

    def bytes(self) -> bytes:
        return _Writer(self).write()

    def save(self, folder: Path, name: str = "m.tflite") -> Path:
        path = folder / name
        path.write_bytes(self.bytes())
        return path


def q(shape: Sequence[int], scale: float = 0.5, zero_point: int = 0, **more: Any) -> T:
    """An int8 tensor with one scale."""
    return T(shape, "int8", scales=[scale], zero_points=[zero_point], **more)


def constant(shape: Sequence[int], kind: str = "int8", value: int = 1, **more: Any) -> T:
    """A constant tensor of one value."""
    count = 1
    for size in shape:
        count *= size
    return T(shape, kind, data=[value] * count, **more)


def integers(*values: int, shape: Sequence[int] | None = None) -> T:
    """A constant int32 tensor, a vector by default."""
    return T([len(values)] if shape is None else shape, "int32", data=values)


class _Writer:
    def __init__(self, model: M) -> None:
        self.model = model
        self.builder = flatbuffers.Builder(1024)

    def write(self) -> bytes:
        model, b = self.model, self.builder
        contents: list[bytes | None] = [None]
        numbers = []
        for tensor in model.tensors:
            data = tensor.bytes()
            if data is None:
                numbers.append(0 if tensor.buffer is None else tensor.buffer)
            else:
                contents.append(data)
                numbers.append(len(contents) - 1 if tensor.buffer is None else tensor.buffer)
        buffers = self.tables([self.buffer(data) for data in contents])
        codes = self.tables([self.code(op) for op in model.operators])
        subgraphs = self.tables([self.subgraph(numbers) for _ in range(model.subgraphs)])
        metadata = self.tables([self.named(name, buffer) for name, buffer in model.metadata])
        description = b.CreateString(model.description)
        b.StartObject(8)
        b.PrependUint32Slot(0, model.version, 0)
        for slot, name, offset in (
            (1, "operator_codes", codes),
            (2, "subgraphs", subgraphs),
            (3, "description", description),
            (4, "buffers", buffers),
            (6, "metadata", metadata),
        ):
            if name not in model.leave_out:
                b.PrependUOffsetTRelativeSlot(slot, offset, 0)
        b.Finish(b.EndObject(), model.identifier)
        return bytes(b.Output())

    def tables(self, offsets: list[int]) -> int:
        self.builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self.builder.PrependUOffsetTRelative(offset)
        return self.builder.EndVector()

    def vector(self, code: str, values: Sequence[Any]) -> int:
        size = struct.calcsize(code)
        self.builder.StartVector(size, len(values), size)
        prepend = {"i": "PrependInt32", "f": "PrependFloat32", "q": "PrependInt64", "?": "PrependBool"}[code]
        for value in reversed(values):
            getattr(self.builder, prepend)(value)
        return self.builder.EndVector()

    def blob(self, data: bytes) -> int:
        b = self.builder
        b.StartVector(1, len(data), 16)
        b.head -= len(data)
        b.Bytes[b.Head() : b.Head() + len(data)] = data
        return b.EndVector()

    def buffer(self, data: bytes | None) -> int:
        b = self.builder
        offset = None if data is None else self.blob(data)
        b.StartObject(3)
        if offset is not None:
            b.PrependUOffsetTRelativeSlot(0, offset, 0)
        b.PrependUint64Slot(1, self.model.buffer_offset, 0)
        return b.EndObject()

    def named(self, name: str | None, buffer: int) -> int:
        b = self.builder
        offset = None if name is None else b.CreateString(name)
        b.StartObject(2)
        if offset is not None:
            b.PrependUOffsetTRelativeSlot(0, offset, 0)
        b.PrependUint32Slot(1, buffer, 0)
        return b.EndObject()

    def code(self, op: Op) -> int:
        b = self.builder
        custom = None if op.custom_code is None else b.CreateString(op.custom_code)
        number = BUILTINS.index(op.name)
        b.StartObject(4)
        b.PrependInt8Slot(0, min(number, 127) if op.old_code is None else op.old_code, 0)
        if custom is not None:
            b.PrependUOffsetTRelativeSlot(1, custom, 0)
        b.PrependInt32Slot(2, op.version, 1)
        b.PrependInt32Slot(3, number if op.new_code is None else op.new_code, 0)
        return b.EndObject()

    def subgraph(self, numbers: list[int]) -> int:
        b, model = self.builder, self.model
        tensors = self.tables([self.tensor(t, n) for t, n in zip(model.tensors, numbers, strict=True)])
        operators = self.tables([self.operator(index, op) for index, op in enumerate(model.operators)])
        count = len(model.tensors)
        ends = [
            None if indices is None else self.vector("i", [count - 1 if index == -1 else index for index in indices])
            for indices in (model.inputs, model.outputs)
        ]
        b.StartObject(5)
        for slot, name, offset in ((0, "tensors", tensors), (3, "operators", operators)):
            if name not in model.leave_out:
                b.PrependUOffsetTRelativeSlot(slot, offset, 0)
        for slot, offset in zip((1, 2), ends, strict=True):
            if offset is not None:
                b.PrependUOffsetTRelativeSlot(slot, offset, 0)
        return b.EndObject()

    def empty(self) -> int:
        self.builder.StartObject(0)
        return self.builder.EndObject()

    def tensor(self, tensor: T, buffer: int) -> int:
        b = self.builder
        offsets = {
            0: None if tensor.shape is None else self.vector("i", tensor.shape),
            3: None if tensor.name is None else b.CreateString(tensor.name),
            4: self.quantization(tensor),
            6: self.empty() if tensor.sparse else None,
        }
        b.StartObject(11)
        for slot, offset in offsets.items():
            if offset is not None:
                b.PrependUOffsetTRelativeSlot(slot, offset, 0)
        b.PrependInt8Slot(1, TYPES[tensor.type] if tensor.number is None else tensor.number, 0)
        b.PrependUint32Slot(2, buffer, 0)
        b.PrependBoolSlot(5, tensor.variable, False)
        b.PrependUint32Slot(10, tensor.external, 0)
        return b.EndObject()

    def quantization(self, tensor: T) -> int | None:
        if tensor.scales is None and tensor.zero_points is None:
            return None
        b = self.builder
        scales = None if tensor.scales is None else self.vector("f", tensor.scales)
        zero_points = None if tensor.zero_points is None else self.vector("q", tensor.zero_points)
        details = self.empty() if tensor.details else None
        b.StartObject(7)
        for slot, offset in ((2, scales), (3, zero_points), (5, details)):
            if offset is not None:
                b.PrependUOffsetTRelativeSlot(slot, offset, 0)
        b.PrependUint8Slot(4, tensor.details, 0)
        b.PrependInt32Slot(6, tensor.dimension, 0)
        return b.EndObject()

    def operator(self, index: int, op: Op) -> int:
        b = self.builder
        inputs, outputs = self.vector("i", op.inputs), self.vector("i", op.outputs)
        number, table = self.options(op)
        custom = None if op.custom_options is None else self.blob(op.custom_options)
        options_2 = self.empty() if op.options_2 else None
        b.StartObject(13)
        b.PrependUint32Slot(0, index if op.opcode_index is None else op.opcode_index, 0)
        for slot, offset in ((1, inputs), (2, outputs), (4, table), (5, custom), (12, options_2)):
            if offset is not None:
                b.PrependUOffsetTRelativeSlot(slot, offset, 0)
        b.PrependUint8Slot(3, number, 0)
        b.PrependUint8Slot(11, op.options_2, 0)
        return b.EndObject()

    def options(self, op: Op) -> tuple[int, int | None]:
        """Number and offset of the options table that belongs to the operator's name, or ``op.table``."""
        if op.options is None:
            return 0, None
        if isinstance(op.table, int):
            return op.table, self.empty()
        name = op.table or OPTIONS_OF[op.name]
        number = next(number for number, table in OPTIONS.items() if table.name == name)
        b = self.builder
        fields = {key: (slot, kind) for key, slot, kind, _ in OPTIONS[number].fields}
        values = dict(op.options)
        for key, names in (("padding", PADDINGS), ("fused_activation_function", tuple(ACTIVATIONS))):
            if isinstance(values.get(key), str):
                values[key] = names.index(values[key])
        vectors = {key: self.vector("i", value) for key, value in values.items() if isinstance(value, list)}
        b.StartObject(8)
        for key, value in values.items():
            slot, kind = fields[key]
            if key in vectors:
                b.PrependUOffsetTRelativeSlot(slot, vectors[key], 0)
            else:
                assert isinstance(kind, flatbuffer.Scalar)
                prepend = {"b": "Int8", "i": "Int32", "f": "Float32", "?": "Bool"}[kind.code]
                # None as the default: values equal to the schema's default are written, too.
                getattr(b, f"Prepend{prepend}Slot")(slot, value, None)
        return number, b.EndObject()


OPTIONS_OF = {
    "ADD": "AddOptions",
    "ARG_MAX": "ArgMaxOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "CONCATENATION": "ConcatenationOptions",
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "L2_NORMALIZATION": "L2NormOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "MEAN": "ReducerOptions",
    "MUL": "MulOptions",
    "PACK": "PackOptions",
    "PAD": "PadOptions",
    "RESHAPE": "ReshapeOptions",
    "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighborOptions",
    "SOFTMAX": "SoftmaxOptions",
    "SPLIT": "SplitOptions",
    "STRIDED_SLICE": "StridedSliceOptions",
    "SUB": "SubOptions",
    "SVDF": "SVDFOptions",
    "UNPACK": "UnpackOptions",
}
