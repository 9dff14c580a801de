"""Two results side by side on a terminal, or as plain text where the output is none."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from harness.compare import Compared
from harness.gate import words
from harness.report import compare_lines
from harness.report.compare_lines import Line
from harness.report.tables import Column, FittingTable, Row, printable


def compared(shown: Compared, everything: bool = False) -> RenderableType:
    """What differs, the totals, then what moved; ``everything``: also what did not."""
    parts: list[RenderableType] = [Text(printable(line), style="bold") for line in compare_lines.heading(shown)]
    for lines, consequence in compare_lines.differs(shown):
        parts += [Text.assemble(("differs", "yellow"), printable(f"  {what}")) for what in lines]
        parts.append(Padding(Text(printable(consequence), style="dim"), (0, 0, 0, 9), expand=False))
    parts += [Text(), _table("total", compare_lines.totals(shown))]
    parts += [Text(printable(line), style="dim italic") for line in compare_lines.estimates(shown)]
    operators = compare_lines.operators(shown)
    if operators:
        parts += [Text(), _table("operator, all its layers", operators)]
    rows, left = compare_lines.layers(shown, everything)
    if rows:
        parts += [Text(), _table("layer, in it functions and classes", rows)]
    if left:
        parts.append(Text(f"{words.count(left, 'layer')} did not change", style="dim"))
    for name, moved in compare_lines.overall(shown, everything):
        parts += [Text(), _table(f"{name} of the whole inference", moved)]
    if shown.functions is None or shown.classes is None:
        parts.append(Text(compare_lines.NOT_TOLD_APART, style="dim"))
    parts += [Text(), Text(printable(compare_lines.outputs(shown)))]
    return Group(*parts)


def _table(title: str, lines: Iterable[Line]) -> FittingTable:
    given = list(lines)
    columns = [
        Column(title, least=24),
        Column("A", right=True),
        Column("B", right=True),
        Column("change", right=True),
        Column("%", right=True, spare=1),
    ]
    if any(line.note for line in given):
        columns.append(Column("", least=10, spare=2))
    return FittingTable(columns, [Row(_cells(title, line), _style(line)) for line in given])


def _style(line: Line) -> str | None:
    return "dim" if line.level else None


def _cells(title: str, line: Line) -> dict[str, str | Text]:
    return {
        title: f"{'  ' * line.level}{line.name}",
        "A": line.before,
        "B": line.after,
        "change": line.change,
        "%": line.percent.removesuffix(" %"),
        "": line.note,
    }
