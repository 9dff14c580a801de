"""TOML files that users write: read into a type, with errors that name file and key."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeVar

import msgspec

from harness.errors import BadInputError

T = TypeVar("T")


def read(path: Path, kind: type[T], give: str, hint: Callable[[str], str]) -> tuple[T, str]:
    """What a file holds, and the SHA-256 of its bytes.

    Args:
        path: the file.
        kind: the type of what it holds.
        give: the hint where there is no such file.
        hint: the hint of an error in it, from the error's ``readable`` message.

    Raises:
        BadInputError: it cannot be read, or holds something else; the message names file and key.
    """
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadInputError(f"{path}: cannot be read: {reason}", give) from error
    try:
        found = msgspec.toml.decode(content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        message = readable(str(error))
        raise BadInputError(f"{path}: {message}", hint(message)) from error
    return found, hashlib.sha256(content).hexdigest()


def readable(message: str) -> str:
    """msgspec's words with the key in TOML's: "axes.kernels" for "$.axes.kernels"."""
    found = re.fullmatch(r"(.*) - at `\$\.?(.*)`", message, re.DOTALL)
    if found:
        message = f"{found[2]}: {found[1]}" if found[2] else found[1]
    message = re.sub(r"Object missing required field (`.*`)", r"the required key \1 is missing", message)
    for theirs, ours in (("Object ", "the table "), (" field ", " key "), ("`object`", "`table`"), ("array", "list")):
        message = message.replace(theirs, ours)
    return message


def refuse(path: Path, key: str, why: str, hint: str | None = None) -> NoReturn:
    """Say what is wrong with the value of a key.

    Raises:
        BadInputError: always.
    """
    raise BadInputError(f"{path}: {key}: {why}", hint)
