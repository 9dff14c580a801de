"""Small results in the per-user cache, written so that no reader sees half of one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from harness.errors import HarnessError
from harness.paths import cache_folder

T = TypeVar("T")

ROOM_HINT = "free some space, or name another folder in HARNESS_CACHE"


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Around everything that writes below the cache folder: a full disk or a foreign folder is said in one line.

    Raises:
        HarnessError: in place of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise HarnessError(
            f"cannot write the cache {cache_folder()}: {error.strerror or error}",
            ROOM_HINT,
        ) from error


def path(kind: str, key: str) -> Path:
    """Where the result of a kind that belongs to ``key`` is kept: a JSON file."""
    return cache_folder() / kind / f"{key}.json"


def read(source: Path, kind: type[T]) -> T | None:
    """What ``write`` wrote there, or None: nothing did, or it did not survive a crash of the machine."""
    try:
        return msgspec.json.decode(source.read_bytes(), type=kind)
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def write(target: Path, content: bytes) -> None:
    """Write a cache file as one atomic step.

    Raises:
        HarnessError: it cannot be written.
    """
    with writing():
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(f".{os.getpid()}")
        partial.write_bytes(content)
        partial.replace(target)
