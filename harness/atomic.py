"""Files that no reader sees half of."""

from __future__ import annotations

import os
from pathlib import Path

from harness.errors import HarnessError


def write(path: Path, content: bytes, hint: str | None = None) -> Path:
    """Write a file as one atomic step, its folder first where there is none; returns the file.

    Raises:
        HarnessError: it cannot be written; ``hint`` says what to do then.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_bytes(content)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise HarnessError(f"cannot write {path}: {error.strerror or error}", hint) from error
    return path
