"""From a document to what the templates write: a table's units and origins by column, a cell's text."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from markupsafe import Markup

from harness.page import cells, text
from harness.page.document import Block, Cell, Chart, Code, Column, Command, Facts, Fold, Link, Mark, Stack, Table, Text
from harness.page.values import Number, Origin
from harness.records import Record

_TALL = 40  # rows from which a table scrolls by itself
_LONG = 32  # characters from which a column's text is wrapped
_MOST_REASONS = 6
_WIDE = 12  # columns from which a table scrolls to the side


class Head(Record, frozen=True):
    """A column's head. ``unit`` and ``origin`` are those that all its numbers share, None where they differ."""

    column: Column
    unit: str | None
    origin: Origin | None
    largest: float
    sorted: str | None
    long: bool
    bounded: bool

    @property
    def under(self) -> str:
        """What stands below the title: the unit, if the title does not say it, and the origin."""
        unit = "" if self.unit == self.column.title else self.unit
        origin = f"{self.origin}, no bounds" if self.origin == "estimated" and not self.bounded else self.origin
        return ", ".join(word for word in (unit, origin) if word)

    def cell(self, item: Cell) -> Markup:
        """A cell of this column as markup."""
        shows = (self.unit is None, self.origin is None, self.bounded or self.origin is None)
        return cells.entry(item, self.column, shows, self.largest, self.long)


class Columns(Record, frozen=True):
    """The heads of a table, the classes of its frame, and why there are "-" in it: reasons with the columns' titles."""

    heads: tuple[Head, ...]
    frame: str
    reasons: tuple[tuple[str, str], ...]


def columns(table: Table) -> Columns:
    """What the cells of a table share.

    Raises:
        ValueError: a row has another number of cells than the table has columns.
    """
    for row in table.rows:
        if len(row.cells) != len(table.columns):
            raise ValueError(f"table {table.id}: {len(row.cells)} cells in a row of {len(table.columns)} columns")
    heads = tuple(_head(table, place, column) for place, column in enumerate(table.columns))
    tall = "tall" if len(table.rows) > _TALL else ""
    wide = "wide" if len(table.columns) > _WIDE else ""
    frame = " ".join(kind for kind in ("frame", tall, wide) if kind)
    return Columns(heads=heads, frame=frame, reasons=_reasons(table))


def _reasons(table: Table) -> tuple[tuple[str, str], ...]:
    """Why numbers of a table are not there, each reason once; the rarer ones are left to tooltips."""
    found: dict[str, dict[str, None]] = {}
    for row in table.rows:
        for column, cell in zip(table.columns, row.cells, strict=True):
            if isinstance(cell, Number) and cell.reason is not None:
                found.setdefault(cell.reason, {})[column.title] = None
    return tuple((reason, ", ".join(titles)) for reason, titles in list(found.items())[:_MOST_REASONS])


def _length(cell: Cell) -> int:
    """Characters of a cell's text, 0 of what is none."""
    return len(cell) if isinstance(cell, str) else len(getattr(cell, "text", ""))


def _head(table: Table, place: int, column: Column) -> Head:
    cells = [row.cells[place] for row in table.rows]
    numbers = [cell for cell in cells if isinstance(cell, Number)]
    units = {number.unit for number in numbers}
    origins = {number.origin for number in numbers}
    items = [row.cells[place] for row in table.rows if row.kind != "total"]
    values = [abs(cell.value) for cell in items if isinstance(cell, Number) and cell.value is not None]
    order = table.sorted_by or ""
    direction = "descending" if order.startswith("-") else "ascending"
    return Head(
        column=column,
        unit=units.pop() if len(units) == 1 else None,
        origin=origins.pop() if len(origins) == 1 else None,
        largest=max(values, default=0.0),
        sorted=direction if order.removeprefix("-") == column.key else None,
        bounded=any(number.low is not None or number.high is not None for number in numbers),
        long=not column.numeric and any(_length(cell) > _LONG for cell in cells),
    )


def kind(item: Cell | Block) -> str:
    """The name by which a template knows a cell or a block."""
    return _KINDS[type(item)]


_KINDS: Mapping[type, str] = {
    str: "plain", Number: "number", Mark: "mark", Link: "link", Code: "code", Stack: "stack",
    Table: "table", Chart: "chart", Text: "text", Command: "command", Facts: "facts", Fold: "fold",
}  # fmt: skip


FILTERS: Mapping[str, Callable[..., object]] = {
    "clean": text.clean, "name": text.name, "kind": kind, "columns": columns,
}  # fmt: skip
