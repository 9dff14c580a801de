"""On which line of a TOML file a key stands."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any


def of_key(text: str, key: Sequence[str]) -> int | None:
    """The line where a key's value begins, counted from 1, or None where the file does not have the key.

    The parser does not say it, so that the file is parsed up to each of its lines: the key stands behind the last line
    up to which the file can be parsed and does not have it.
    """
    lines = text.splitlines(keepends=True)
    before = 0
    for count in range(1, len(lines) + 1):
        try:
            found = tomllib.loads("".join(lines[:count]))
        except tomllib.TOMLDecodeError:  # ends inside a value
            continue
        if _has(found, key):
            return before + 1
        before = count
    return None


def _has(table: Any, key: Sequence[str]) -> bool:
    for part in key:
        if not isinstance(table, dict) or part not in table:
            return False
        table = table[part]
    return True
