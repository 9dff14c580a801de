"""What is in force, as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.project.effective import Effective, Value
from harness.report.tables import printable

_NO_FILE = "no project file: the harness' own defaults are in force; harness init writes one"
_NAMED_BY = {"found": "the nearest from the current folder upwards"}


def config(found: Effective) -> RenderableType:
    """The file, each value with its origin, and the networks that the file names."""
    parts: list[RenderableType] = [Text(printable(_headline(found))), Text(), _values(found)]
    if found.models:
        parts += [Text(), _models(found)]
    return Group(*parts)


def _headline(found: Effective) -> str:
    if found.path is None or found.origin is None:
        return _NO_FILE
    return f"project file: {found.path}, {_NAMED_BY.get(found.origin, f'named by {found.origin}')}"


def _values(found: Effective) -> Table:
    table = _table("key", "value", "from")
    for item in found.values:
        name = item.key if item.command is None or found.command else f"{item.command}: {item.key}"
        style = "" if item.origin != "default" else "dim"
        table.add_row(*(Text(printable(cell), style=style) for cell in (name, text(item.value), _origin(found, item))))
    return table


def _origin(found: Effective, item: Value) -> str:
    if item.origin == "environment":
        return f"${item.variable}"
    if item.origin == "default" or found.path is None:
        return "default" if item.value is not None else "not set"
    return _place(found.path, item.line)


def _place(path: str, line: int | None) -> str:
    return Path(path).name + ("" if line is None else f":{line}")


def _models(found: Effective) -> Table:
    table = _table("model", "file", "from")
    for item in found.models:
        file = Text(printable(item.path))
        if not item.there:
            file.append(" (there is no such file)", style="red")
        table.add_row(Text(printable(item.name)), file, Text(printable(_place(found.path or "", item.line))))
    return table


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def text(value: Any) -> str:
    """A value as the command line has it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return " ".join(map(text, value)) if isinstance(value, list | tuple) else str(value)
