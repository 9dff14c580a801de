"""A stored sweep as tables: CSV of its points and layers, and Markdown of its points."""

from __future__ import annotations

from harness.export.made import File, Made
from harness.export.markdown import short, table
from harness.gate import words
from harness.report.gate_markdown import code
from harness.sweep import points, tables
from harness.sweep.tables import PointRow

_ROWS, _REASON = 100, 200


def read(name: str) -> tuple[PointRow, ...]:
    """The points of a stored sweep, also of one that is under way.

    Raises:
        BadInputError: there is no such sweep, or it was stored by another version.
    """
    return tables.point_rows(points.read_plan(name), points.read(name))


def make_csv(_name: str, rows: tuple[PointRow, ...]) -> Made:
    """The tables that the sweep itself writes, of what is measured now."""
    return Made(tuple(File(name, "csv", content) for name, content in tables.as_csv(rows).items()))


def make_markdown(name: str, rows: tuple[PointRow, ...]) -> Made:
    """A row a point in the sweep's order; "-" where something was not measured."""
    shown = [_row(item) for item in rows[:_ROWS]]
    estimated = any(item.value("latency") is not None for item in rows)
    header = ["point", "state", "instructions", "flash, B", "RAM, B", "latency, estimated, ms"]
    if not estimated:
        header, shown = header[:-1], [row[:-1] for row in shown]
    lines = [f"### Sweep {short(name)}: {words.count(len(rows), 'point')}", ""]
    lines += table(header, shown, numeric=len(header) - 2)
    lines += [f"and {len(rows) - _ROWS} more points", ""] if len(rows) > _ROWS else []
    lines += _rests_on(rows) if estimated else []
    return Made((File(None, "md", "\n".join(lines).encode(errors="replace")),))


def _row(item: PointRow) -> list[str]:
    reason = "" if item.reason is None else f": {short(item.reason, _REASON)}"
    latency = item.value("latency")
    return [
        short(item.point.choice.label, _REASON),
        f"{code(item.state)}{reason}",
        *(words.amount(item.value(metric)) for metric in ("instructions", "flash", "ram")),
        "-" if latency is None else f"about {latency:.3g}",
    ]


def _rests_on(rows: tuple[PointRow, ...]) -> list[str]:
    """By which models the latencies are estimated."""
    found = [item.estimate.of("latency") for item in rows if item.estimate is not None]
    models = dict.fromkeys(f"{known.model}, {known.tier}" for known in found if known is not None)
    return [*(f"- latency is estimated by {short(item, _REASON)}" for item in models), ""]
