"""JSON schemas of records, for editors and other programs."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec


def of(kind: type) -> dict[str, Any]:
    """The JSON schema of a record; its parts are described by their docstrings."""
    made = msgspec.json.schema(kind)
    for part in made.get("$defs", {}).values():
        if "description" in part:  # docstrings are indented up to Python 3.12, and are not from 3.13 on
            part["description"] = inspect.cleandoc(part["description"])
    return made
