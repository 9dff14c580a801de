"""A .tflite file -> a checked ``records.Model``. No TensorFlow, no third-party accessor: see ``flatbuffer``."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path
from typing import Any

from harness import flatbuffer
from harness.errors import BadInputError
from harness.flatbuffer import Blob, Decoded
from harness.model_schema import ACTIVATIONS, ELEMENT_TYPES, FILE_IDENTIFIER, MODEL, PADDINGS, builtin_name
from harness.records import Model, Operator, Tensor


def load(path: Path) -> Model:
    """Read and check a .tflite file.

    Raises:
        BadInputError: the file cannot be read, is damaged, or holds what TFLM of July 2020 cannot run exactly.
    """
    data = _read(path)
    try:
        decoded = flatbuffer.decode(data, MODEL)
    except flatbuffer.MalformedError as error:
        raise BadInputError(f"{path}: {error}", "the file is damaged: copy or convert it again") from None
    subgraph = decoded["subgraphs"][0]
    tensors = tuple(
        _tensor(index, tensor, decoded["buffers"][tensor["buffer"]]) for index, tensor in enumerate(subgraph["tensors"])
    )
    operators = tuple(
        _operator(index, operator, decoded["operator_codes"][operator["opcode_index"]], tensors)
        for index, operator in enumerate(subgraph["operators"])
    )
    return Model(
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        description=decoded["description"] or "",
        tensors=tensors,
        operators=operators,
        inputs=subgraph["inputs"],
        outputs=subgraph["outputs"],
    )


def _read(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise BadInputError(f"{path}: not a file", "give the path of a .tflite file")
        data = path.read_bytes()
    except OSError as error:
        raise BadInputError(f"{path}: {error.strerror}", "give the path of a .tflite file") from None
    if data[4:8] != FILE_IDENTIFIER:
        raise BadInputError(f"{path}: not a .tflite file", "bytes 4 to 7 of a TensorFlow Lite model are TFL3")
    return data


def _tensor(index: int, tensor: Decoded, buffer: Decoded) -> Tensor:
    quantization = tensor["quantization"] or {}
    element = ELEMENT_TYPES[tensor["type"]]
    shape = tensor["shape"] or ()
    size = element.size or 0
    for dimension in shape:
        size *= dimension
    data: Blob | None = buffer["data"]
    return Tensor(
        index=index,
        name=tensor["name"] or "",
        type=element.name,
        shape=shape,
        bytes=size,
        is_constant=data is not None and data.size > 0,
        is_variable=tensor["is_variable"],
        scales=quantization.get("scale") or (),
        zero_points=quantization.get("zero_point") or (),
        quantized_dimension=quantization.get("quantized_dimension", 0),
    )


def _operator(index: int, operator: Decoded, code: Decoded, tensors: tuple[Tensor, ...]) -> Operator:
    op = builtin_name(max(code["deprecated_builtin_code"], code["builtin_code"]))
    return Operator(
        index=index,
        op=op,
        version=code["version"],
        inputs=operator["inputs"],
        outputs=operator["outputs"],
        options=_options(operator["options"].value or {}),
        macs=_macs(op, [tensors[i] for i in operator["inputs"][:2]], tensors[operator["outputs"][0]]),
    )


def _options(options: Decoded) -> dict[str, Any]:
    names = {"padding": PADDINGS, "activation": ACTIVATIONS}
    return {key: names[key][value] if key in names else value for key, value in options.items()}


def _macs(op: str, inputs: list[Tensor], output: Tensor) -> int:
    if op == "CONV_2D":
        return _product(output.shape) * _product(inputs[1].shape[1:])
    if op == "DEPTHWISE_CONV_2D":
        return _product(output.shape) * _product(inputs[1].shape[1:3])
    if op == "FULLY_CONNECTED":
        return _product(output.shape) * inputs[1].shape[-1]
    return 0


def _product(shape: tuple[int, ...]) -> int:
    product = 1
    for dimension in shape:
        product *= dimension
    return product
