"""Input tensors of a run: the user's .npy files, or a stated deterministic one."""

from __future__ import annotations

import hashlib
import tokenize
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harness import tensors
from harness.errors import BadInputError
from harness.records import Model, Record, Tensor

_DETERMINISTIC = "deterministic: SHAKE-128 of 'tflm-harness input N'"


class Inputs(Record, frozen=True):
    """The bytes of each input tensor in the model's order, and where they came from."""

    data: tuple[bytes, ...]
    origin: str
    sha256: str


def deterministic(model: Model) -> Inputs:
    """The default input: a stream of SHAKE-128, as raw int8 values or as float32 in [-1, 1)."""
    return _inputs(
        [_stream(model.tensors[index], position) for position, index in enumerate(model.inputs)], _DETERMINISTIC
    )


def of(model: Model, paths: Sequence[Path]) -> Inputs:
    """What a run takes: the user's files, or the deterministic input where there are none.

    Raises:
        BadInputError: as ``load``.
    """
    return load(paths, model) if paths else deterministic(model)


def load(paths: Sequence[Path], model: Model) -> Inputs:
    """Read one .npy file per model input, in the model's order.

    Raises:
        BadInputError: wrong number of files, no .npy file, wrong shape or type.
    """
    if len(paths) != len(model.inputs):
        raise BadInputError(
            f"{len(paths)} input file{'s' if len(paths) != 1 else ''} for a model with {len(model.inputs)} input"
            f"{'s' if len(model.inputs) != 1 else ''}",
            "give --input once for each: " + ", ".join(_describe(model.tensors[index]) for index in model.inputs),
        )
    arrays = [_load_one(path, model.tensors[index]) for path, index in zip(paths, model.inputs, strict=True)]
    return _inputs([array.tobytes() for array in arrays], ", ".join(path.name for path in paths))


def _inputs(data: list[bytes], origin: str) -> Inputs:
    digest = hashlib.sha256()
    for item in data:
        digest.update(len(item).to_bytes(8, "little") + item)
    return Inputs(data=tuple(data), origin=origin, sha256=digest.hexdigest())


def _stream(tensor: Tensor, position: int) -> bytes:
    dtype = tensors.dtype(tensor.type)
    count = tensor.bytes // dtype.itemsize
    shake = hashlib.shake_128(f"tflm-harness input {position}".encode())
    if tensor.type == "int8":
        return shake.digest(count)
    words = np.frombuffer(shake.digest(4 * count), dtype="<u4")
    if tensor.type == "float32":
        return ((words >> 8).astype(np.float32) / np.float32(2**23) - np.float32(1)).astype("<f4").tobytes()
    if tensor.type == "bool":
        return (words & 1).astype(np.bool_).tobytes()
    # Indices and counts: small numbers that are as good as any.
    return (words % 128).astype(dtype.newbyteorder("<")).tobytes()


def _load_one(path: Path, tensor: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    try:
        array = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise BadInputError(f"{path}: there is no such file") from None
    except (ValueError, OSError, EOFError, MemoryError, tokenize.TokenError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())  # some of NumPy's are paragraphs
        raise BadInputError(f"{path}: not a .npy file ({reason})", "numpy.save writes them") from error
    if not isinstance(array, np.ndarray):
        raise BadInputError(f"{path}: an .npz archive, expected a .npy file", "numpy.save writes them")
    expected = tensors.dtype(tensor.type)
    if array.dtype != expected:
        hint = None
        if tensor.type == "int8" and array.dtype.kind == "f" and tensor.scales:
            hint = f"quantise it: round(x / {tensor.scales[0]:.9g}) + {tensor.zero_points[0]}, as int8"
        raise BadInputError(f"{path}: type {array.dtype}, the model's input is {_describe(tensor)}", hint)
    if array.shape != tensor.shape:
        hint = "the batch dimension is missing" if (1, *array.shape) == tensor.shape else None
        raise BadInputError(f"{path}: shape {array.shape}, the model's input is {_describe(tensor)}", hint)
    return np.ascontiguousarray(array)


def _describe(tensor: Tensor) -> str:
    return f"{tensor.name or f'tensor {tensor.index}'} {tensor.type} {'x'.join(map(str, tensor.shape)) or 'scalar'}"
