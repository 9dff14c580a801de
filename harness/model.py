"""A .tflite file -> a checked ``records.Model``. No TensorFlow, no third-party accessor: see ``flatbuffer``."""

from __future__ import annotations

import hashlib
import math
import stat
from pathlib import Path
from typing import Any

from harness import flatbuffer, model_graph, operators
from harness.errors import BadInputError
from harness.flatbuffer import Blob, Decoded
from harness.model_schema import (
    ACTIVATIONS,
    CUSTOM,
    ELEMENT_TYPES,
    FILE_IDENTIFIER,
    MODEL,
    OPTIONS,
    PADDINGS,
    PLACEHOLDER_FOR_GREATER_CODES,
    SCHEMA_VERSION,
    builtin_name,
)
from harness.operators_node import TYPE_HINTS, Node, elements, named, text
from harness.records import Model, Operator, Record, Tensor

# Larger than any microcontroller's memory; the flatbuffer's own limit is 2 GiB.
MAX_BYTES = 64 * 1024 * 1024
# TFLM counts bytes and elements of a tensor in 32-bit signed numbers.
MAX_TENSOR_BYTES = 2**31 - 1

_DAMAGED = "the file is damaged: copy or convert it again"
_NOT_A_MODEL = "give the path of a .tflite file"
_ZERO_POINTS = {"int8": (-128, 127), "int16": (-(2**15), 2**15 - 1)}
_INT32 = (-(2**31), 2**31 - 1)


class Runtime(Record, frozen=True):
    """The TFLM that is to run a model: its name in messages, and the builtins that it has.

    ``checks``: whether its kernels check their nodes themselves, as those of later releases do; those of July 2020 do
    not, so that each node is checked here.
    """

    name: str
    operators: frozenset[str]
    checks: bool


PACKAGED = Runtime(name="TFLM July 2020", operators=frozenset(operators.CATALOGUE), checks=False)


def load(path: Path, runtime: Runtime = PACKAGED) -> Model:
    """Read and check a .tflite file.

    What passes can be given to TFLM of July 2020, which verifies nothing: everything it reaches lies inside the file,
    aligned; no kernel leaves its tensors; and each operator is one that it and the own kernels compute exactly. Of a
    later release the operators must be there, and the file is checked as much; the nodes it checks itself.

    Raises:
        BadInputError: the file cannot be read, is damaged, or holds what this TFLM cannot run exactly.
    """
    data = _read(path)
    try:
        decoded = flatbuffer.decode(data, MODEL)
        return _model(path, data, decoded, runtime)
    except flatbuffer.MalformedError as error:
        raise BadInputError(f"{path}: {error}", _DAMAGED) from None
    except BadInputError as error:
        raise BadInputError(f"{path}: {error.message}", error.hint) from None


def _read(path: Path) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            what = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise BadInputError(f"{path}: {what}, not a .tflite file", _NOT_A_MODEL)
        if status.st_size > MAX_BYTES:
            size = status.st_size // 1024**2
            raise BadInputError(f"{path}: {size} MiB, models of at most {MAX_BYTES // 1024**2} MiB are read", None)
        data = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadInputError(f"{path}: cannot be read: {reason}", _NOT_A_MODEL) from None
    if not data:
        raise BadInputError(f"{path}: the file is empty", _NOT_A_MODEL)
    if data[4:8] != FILE_IDENTIFIER:
        raise BadInputError(f"{path}: not a .tflite file: bytes 4 to 7 are {data[4:8]!r}, not b'TFL3'", _NOT_A_MODEL)
    return data


def _model(path: Path, data: bytes, decoded: Decoded, runtime: Runtime) -> Model:
    if decoded["version"] != SCHEMA_VERSION:
        raise BadInputError(f"schema version {decoded['version']}, this TFLM reads version {SCHEMA_VERSION}")
    subgraphs = _required(decoded, "subgraphs", "Model")
    if len(subgraphs) != 1:
        raise BadInputError(
            f"{len(subgraphs)} subgraphs, this TFLM runs exactly one",
            "control flow (while, if, recurrent layers that are not unrolled) is not supported",
        )
    subgraph = subgraphs[0]
    buffers = _required(decoded, "buffers", "Model")
    codes = _required(decoded, "operator_codes", "Model")
    _check_metadata(decoded["metadata"] or (), len(buffers))

    stored = _required(subgraph, "operators", "SubGraph")
    names = [_builtin(index, operator, codes) for index, operator in enumerate(stored)]
    _check_supported(names, runtime)
    _check_buffers(buffers, len(data))
    blobs = [_blob(index, tensor, buffers) for index, tensor in enumerate(_required(subgraph, "tensors", "SubGraph"))]
    tensors = tuple(
        _tensor(index, tensor, blob, data, runtime)
        for index, (tensor, blob) in enumerate(zip(subgraph["tensors"], blobs, strict=True))
    )
    inputs = _required(subgraph, "inputs", "SubGraph")
    outputs = _required(subgraph, "outputs", "SubGraph")
    model_graph.check(
        tensors,
        inputs,
        outputs,
        [(n, o["inputs"], o["outputs"]) for n, o in zip(names, stored, strict=True)],
        unread=runtime.checks,
    )

    def content(tensor: Tensor) -> bytes:
        blob = blobs[tensor.index]
        return data[blob.offset : blob.offset + blob.size] if blob else b""

    return Model(
        path=path,
        content=data,
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        description=_printable(decoded["description"]),
        tensors=tensors,
        operators=tuple(
            _operator(index, name, operator, codes[operator["opcode_index"]]["version"], tensors, content, runtime)
            for index, (name, operator) in enumerate(zip(names, stored, strict=True))
        ),
        inputs=inputs,
        outputs=outputs,
    )


def _required(table: Decoded, field: str, where: str) -> Any:
    if table[field] is None:
        raise BadInputError(f"corrupt flatbuffer: {where}.{field} is missing", _DAMAGED)
    return table[field]


def _check_metadata(metadata: tuple[Decoded, ...], buffers: int) -> None:
    """TFLM of today (the second reference) follows metadata without a look."""
    for entry in metadata:
        name = _printable(_required(entry, "name", "Metadata"))
        if entry["buffer"] >= buffers:
            raise BadInputError(f"metadata {name}: buffer {entry['buffer']} of {buffers}", _DAMAGED)
        if name == "OfflineMemoryAllocation":
            raise BadInputError("holds an offline memory plan, which this TFLM ignores", "convert without one")


def _builtin(index: int, operator: Decoded, codes: tuple[Decoded, ...]) -> str:
    """Name of the operator's builtin; refuses what is no builtin."""
    if operator["opcode_index"] >= len(codes):
        raise BadInputError(f"operator {index}: operator code {operator['opcode_index']} of {len(codes)}", _DAMAGED)
    code = codes[operator["opcode_index"]]
    old, new = code["deprecated_builtin_code"], code["builtin_code"]
    name = builtin_name(max(old, new))
    if max(old, new) == CUSTOM:
        custom = _printable(code["custom_code"]) or "without a name"
        hint = "convert with supported_ops TFLITE_BUILTINS alone" if custom.startswith("Flex") else None
        raise BadInputError(f"operator {index}: custom operator {custom} is not supported", hint)
    # TFLM of July 2020 reads the old field alone, today's the larger of both; old converters left the new one 0.
    if new not in (0, old) and not (old == PLACEHOLDER_FOR_GREATER_CODES < new):
        raise BadInputError(f"operator {index}: its builtin code is {old} and {new} at once", _DAMAGED)
    for field in ("inputs", "outputs"):
        _required(operator, field, f"Operator {index} ({name})")
    if operator["custom_options"] is not None or operator["options_2"].type:
        raise BadInputError(f"operator {index} ({name}): options of a custom or newer operator on a builtin", None)
    return name


def _check_supported(names: list[str], runtime: Runtime) -> None:
    """Refuse builtins that the TFLM lacks, naming the first operator of each."""
    missing = {name: index for index, name in reversed(list(enumerate(names))) if name not in runtime.operators}
    if missing:
        named = [f"{index} ({name})" for name, index in sorted(missing.items(), key=lambda item: item[1])]
        more = f" and {len(named) - 5} more" if len(named) > 5 else ""
        which = "operator " + named[0] + " is" if len(named) == 1 else f"operators {', '.join(named[:5])}{more} are"
        first = names[min(missing.values())]
        if runtime is PACKAGED:
            raise BadInputError(f"{which} not supported by TFLM July 2020", operators.unsupported_hint(first))
        raise BadInputError(
            f"{which} not in {runtime.name}",
            f"build the library with the kernel tflite::Register_{first}, or convert the network without it",
        )


def _check_buffers(buffers: tuple[Decoded, ...], size: int) -> None:
    """Constant data must not overlap, or a small file could ask for endless reading."""
    blobs = {buffer["data"] for buffer in buffers if buffer["data"] is not None}
    if sum(blob.size for blob in blobs) > size:
        raise BadInputError("corrupt flatbuffer: its buffers overlap", _DAMAGED)


def _blob(index: int, tensor: Decoded, buffers: tuple[Decoded, ...]) -> Blob | None:
    """Where the tensor's constant data lies, or None."""
    name = named(index, _printable(tensor["name"]))
    if tensor["buffer"] >= len(buffers):
        raise BadInputError(f"{name}: buffer {tensor['buffer']} of {len(buffers)}", _DAMAGED)
    buffer = buffers[tensor["buffer"]]
    if tensor["external_buffer"] or buffer["offset"] or buffer["size"]:
        raise BadInputError(f"{name}: its data lie outside of the flatbuffer", "convert without external buffers")
    blob: Blob | None = buffer["data"]
    return blob if blob is not None and blob.size else None


def _tensor(index: int, tensor: Decoded, blob: Blob | None, data: bytes, runtime: Runtime) -> Tensor:
    name = named(index, _printable(tensor["name"]))
    element = ELEMENT_TYPES.get(tensor["type"])
    if element is None:
        raise BadInputError(f"{name}: element type {tensor['type']} is unknown", _DAMAGED)
    if element.size is None or (element.name == "uint8" and not runtime.checks):
        raise BadInputError(f"{name}: {element.name} tensors are not supported", TYPE_HINTS.get(element.name))
    if tensor["sparsity"] is not None:
        raise BadInputError(f"{name}: sparse tensors are not supported by TFLM July 2020", "convert it dense")
    shape: tuple[int, ...] = tensor["shape"] or ()
    if any(dimension < 0 for dimension in shape):
        raise BadInputError(
            f"{name}: shape {text(shape)} is not fixed", "fix the batch size, as in Input(shape, batch_size=1)"
        )
    size = elements(shape) * element.size
    if size > MAX_TENSOR_BYTES:
        raise BadInputError(f"{name}: shape {text(shape)} takes {size} bytes, more than 32 bits can count")
    if blob is not None:
        if blob.size != size:
            message = f"{name}: {blob.size} bytes of data for {element.name} of shape {text(shape)} ({size} bytes)"
            raise BadInputError(message, _DAMAGED)
        if blob.offset % min(element.size, 4):
            raise BadInputError(f"{name}: data at 0x{blob.offset:x} are not aligned for {element.name}", _DAMAGED)
        if element.name == "bool" and max(data[blob.offset : blob.offset + blob.size]) > 1:
            raise BadInputError(f"{name}: bytes other than 0 and 1 as bool", _DAMAGED)
    scales, zero_points, dimension = _quantization(name, element.name, shape, tensor["quantization"])
    return Tensor(
        index=index,
        name=_printable(tensor["name"]),
        type=element.name,
        shape=shape,
        bytes=size,
        is_constant=blob is not None,
        is_variable=tensor["is_variable"],
        scales=scales,
        zero_points=zero_points,
        quantized_dimension=dimension,
    )


def _quantization(
    name: str, kind: str, shape: tuple[int, ...], stored: Decoded | None
) -> tuple[tuple[float, ...], tuple[int, ...], int]:
    """Scales, zero points and the dimension that they run along; consistent with each other and with the shape."""
    if stored is None:
        return (), (), 0
    scales: tuple[float, ...] = stored["scale"] or ()
    zero_points: tuple[int, ...] = stored["zero_point"] or ()
    dimension: int = stored["quantized_dimension"]
    if stored["details"].type:
        raise BadInputError(f"{name}: custom or blockwise quantisation is not supported by TFLM July 2020")
    if len(scales) != len(zero_points):
        raise BadInputError(f"{name}: {len(scales)} scales, but {len(zero_points)} zero points", _DAMAGED)
    if not all(0.0 < scale < math.inf for scale in scales):
        bad = next(scale for scale in scales if not 0.0 < scale < math.inf)
        raise BadInputError(f"{name}: a scale of {bad:g}, scales are positive and finite", _DAMAGED)
    low, high = _ZERO_POINTS.get(kind, _INT32)
    if zero_points and not low <= min(zero_points) <= max(zero_points) <= high:
        raise BadInputError(f"{name}: zero points of {kind} beyond {low} to {high}", _DAMAGED)
    if len(scales) > 1:
        if len(shape) == 1:
            dimension = 0  # converters of 2020 gave biases that of the weights
        if not 0 <= dimension < len(shape):
            raise BadInputError(f"{name}: scales along dimension {dimension} of shape {text(shape)}", _DAMAGED)
        if len(scales) != shape[dimension]:
            message = f"{name}: {len(scales)} scales along dimension {dimension} of shape {text(shape)}"
            raise BadInputError(message, _DAMAGED)
    return scales, zero_points, dimension


def _operator(
    index: int,
    name: str,
    stored: Decoded,
    version: int,
    tensors: tuple[Tensor, ...],
    content: Any,
    runtime: Runtime,
) -> Operator:
    tag, table = stored["options"]
    options = None if table is None else _options(f"operator {index} ({name})", table)
    node = Node(
        index,
        name,
        version,
        options,
        tuple(tensors[i] if i >= 0 else None for i in stored["inputs"]),
        tuple(tensors[i] for i in stored["outputs"]),
        content,
    )
    named = None if table is None else OPTIONS[tag].name if tag in OPTIONS else f"options of type {tag}"
    return Operator(
        index=index,
        op=name,
        version=version,
        inputs=stored["inputs"],
        outputs=stored["outputs"],
        options=options or {},
        macs=operators.macs(node) if runtime.checks else operators.check(node, named),
    )


def _options(name: str, table: Decoded) -> dict[str, Any]:
    """The options as plain values; padding and fused activation by name."""
    options: dict[str, Any] = {key: list(value) if isinstance(value, tuple) else value for key, value in table.items()}
    for key, names in (("padding", PADDINGS), ("fused_activation_function", ACTIVATIONS)):
        if key in options:
            if not 0 <= options[key] < len(names):
                raise BadInputError(f"{name}: {key} {options[key]} is unknown", _DAMAGED)
            options[key] = names[options[key]]
    return options


def _printable(name: str | None) -> str:
    """A name of the file, safe for one line of a terminal."""
    return "".join(c if c.isprintable() else "\ufffd" for c in name or "")
