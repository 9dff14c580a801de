"""What a cost model says, set apart from what was measured: in italics, each number with "about"."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text

from harness.report import tables
from harness.report.tables import Column, FittingTable, Row
from harness.result import EstimatePart, Interval, LayerEstimate, Result


def lines(shown: Result, estimate: EstimatePart) -> tuple[RenderableType, ...]:
    """The estimate of a result: the inference with its bounds, what it rests on, and each layer."""
    return _heading(estimate), _layers(shown, estimate)


def _heading(estimate: EstimatePart) -> Text:
    latency = estimate.latency_ms
    text = Text(style="italic")
    text.append("estimated, not measured", style="yellow")
    text.append(f" by {estimate.model}, {tables.printable(estimate.tier)}: ")
    text.append(f"about {milliseconds(latency.value)} ms", style="bold")
    text.append(f", about {estimate.cycles.value:,.0f} cycles at {estimate.clock_hz / 1e6:g} MHz")
    bounds = _bounds(latency, estimate.coverage)
    text.append(f"\n{bounds}: {estimate.basis}" if bounds else f"\n{estimate.basis}", style="dim")
    carried = estimate.calibration is not None and estimate.calibration.carried
    for note in estimate.notes:
        text.append(f"\n{tables.printable(note)}", style="yellow" if carried else "dim")
    return text


def _bounds(latency: Interval, coverage: float) -> str | None:
    """In words; None where there are none, and the estimate's basis says so."""
    if latency.low is None:
        return None
    share = f"in {100 * coverage:.0f} % of cases"
    if latency.high is None:
        return f"more than {milliseconds(latency.low)} ms, how much is not known"
    return f"{milliseconds(latency.low)} to {milliseconds(latency.high)} ms {share}"


def milliseconds(value: float) -> str:
    """Three digits, which is more than an estimate has."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _layers(shown: Result, estimate: EstimatePart) -> FittingTable:
    columns = [
        Column("#", right=True), Column("operator"), Column("about cycles", right=True), Column("about ms", right=True),
        Column("cycles/instruction", right=True, spare=1),
    ]  # fmt: skip
    parts = [(layer.op, part) for layer, part in zip(shown.layers, estimate.layers, strict=True)]
    rows = [_row(op, part) for op, part in (*parts, ("overhead", estimate.overhead))]
    return FittingTable(columns, rows)


def _row(op: str, part: LayerEstimate) -> Row:
    instructions = part.features.instructions
    cells: dict[str, str | Text] = {
        "#": "" if part.index is None else str(part.index),
        "operator": op,
        "about cycles": f"{part.cycles:,}",
        "about ms": milliseconds(part.latency_ms),
        "cycles/instruction": f"{part.cycles / instructions:.2f}" if instructions else "-",
    }
    return Row(cells, "italic dim" if part.index is None else "italic")
