"""A metric over the baselines in git on a terminal, or as plain text where the output is none."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from harness.gate import words
from harness.history import Entry, History, Series
from harness.report.tables import Column, FittingTable, Row, printable


def history(shown: History) -> RenderableType:
    """Each baseline with its entries, the oldest first, and why each was made."""
    unit = "" if shown.unit == shown.metric else f", {shown.unit}"
    parts: list[RenderableType] = [Text(f"{words.named(shown.metric).replace('_', ' ')}{unit}")]
    for series in shown.series:
        parts += [
            Text(),
            Text(printable(series.file.removesuffix(".json")), style="bold"),
            _table(shown, series),
        ]
    if shown.notes:
        parts += [Text(), *(Text(printable(f"note: {note}"), style="yellow") for note in shown.notes)]
    return Group(*parts)


def _table(shown: History, series: Series) -> FittingTable:
    columns = [
        Column("date"),
        Column("commit", spare=2),
        Column("value", right=True),
        *([Column("bounds", right=True, spare=3)] if any(entry.band for entry in series.entries) else []),
        Column("change", right=True, spare=1),
        Column("%", right=True),
        Column("reason", least=20, wraps=True),
    ]
    return FittingTable(columns, [Row(_cells(shown, entry)) for entry in series.entries])


def _cells(shown: History, entry: Entry) -> dict[str, str | Text]:
    percent = words.percent(entry.change_percent).removesuffix(" %") if entry.change else "-"
    return {
        "date": "-" if entry.date is None else entry.date[:10],
        "commit": "-" if entry.commit is None else entry.commit[:8],
        "value": words.amount(entry.value),
        "bounds": words.band(entry.band) or "-",
        "change": words.signed(entry.change) if entry.change else "-",
        "%": Text(percent, _style(shown, entry)),
        "reason": _reason(entry),
    }


def _style(shown: History, entry: Entry) -> str:
    if not entry.change:
        return ""
    return "green" if (entry.change < 0) == (shown.direction == "min") else "red"


def _reason(entry: Entry) -> Text:
    """The baseline's own; of one without, the commit's first line. Then what else is to be known."""
    text = Text(printable(entry.reason or entry.subject), style="" if entry.reason else "dim")
    if entry.commit is None and entry.reason:
        text.append(" (not committed)", style="dim")
    if entry.notes:
        text.append(printable(f" [{'; '.join(entry.notes)}]"), style="yellow")
    return text
