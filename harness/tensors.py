"""The bytes of tensors as numbers: little-endian, as firmware and model files have them."""

from __future__ import annotations

from typing import Any

import numpy as np

_DTYPES = {"int8": "<i1", "int16": "<i2", "int32": "<i4", "int64": "<i8", "float32": "<f4", "bool": "?"}


def dtype(kind: str) -> np.dtype[Any]:
    """NumPy's type of a tensor of the TFLite type ``kind`` ("int8", "float32", ...)."""
    return np.dtype(_DTYPES[kind])


def differing(mine: bytes, theirs: bytes, width: int) -> int:
    """How many elements of ``width`` bytes differ in any of them: NaN of the same bits are equal, 0.0 and -0.0 are not.

    Both are of the same length.
    """
    rows = (np.frombuffer(data, dtype=np.uint8).reshape(-1, width) for data in (mine, theirs))
    return int((next(rows) != next(rows)).any(axis=1).sum())
