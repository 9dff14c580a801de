"""Calibrations and what they estimate, on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from harness.calibrate.calibration import Family, Residual
from harness.calibrate.carry import Calibrated
from harness.calibrate.heldout import Summary
from harness.calibrate.measurements import Measurement
from harness.report.tables import Column, FittingTable, Row, printable

NOTHING = "-"


def percent(value: float | None, signed: bool = False) -> str:
    """A relative error with a digit."""
    if value is None:
        return NOTHING
    rounded = round(100 * value, 1) or 0.0  # no "-0.0"
    return f"{rounded:+.1f} %" if signed else f"{rounded:.1f} %"


def mean_worst(summary: Summary | None) -> str:
    """Mean and worst error."""
    return NOTHING if summary is None else f"{100 * summary.mean:.1f} / {100 * summary.worst:.1f} %"


def coefficients(family: Family) -> str:
    """Cycles of each unit."""
    return ", ".join(f"{value:.3g} x {name}" for name, value in family.coefficients.items())


def bounds(family: Family) -> str:
    """The interval as factors."""
    return NOTHING if family.bounds is None else f"{family.bounds.low:.2f} to {family.bounds.high:.2f}"


def covered(family: Family) -> str:
    """How often it held."""
    found = family.covered
    return NOTHING if found is None else f"{found.inside} of {found.networks}"


def lines(made: Sequence[Family], missing: Sequence[Measurement]) -> tuple[RenderableType, ...]:
    """What was fitted: each build family, and the layers that are farthest off."""
    shown: list[RenderableType] = []
    for number, family in enumerate(made):
        if number:
            shown.append(Text())
        shown += [_heading(family), *_left_out(family), _worst(family)]
    if missing:
        networks = len({(row.network, row.build) for row in missing})
        shown.append(Text(f"{len(missing)} rows of {networks} networks have no features, and took no part", "yellow"))
    return tuple(shown)


def _heading(family: Family) -> Text:
    text = Text()
    text.append(family.build.label, style="bold")
    text.append(f"\n{printable(family.tier)}", style="italic")
    text.append(f"\ncycles = {coefficients(family)}")
    text.append(f"\nfitted to {_number(family.rows, 'row')} of {_number(family.networks, 'network')}")
    unfit = sorted({residual.unfit for residual in family.residuals if residual.unfit})
    if unfit:
        text.append(f"; left out: {'; '.join(unfit)}", style="dim")
    if family.without_network is None:
        text.append("\none network: there is nothing to tell its error by", style="yellow")
    else:
        text.append(f"\nmean / worst error with the network left out: {mean_worst(family.without_network)}")
        text.append(f"; its architecture: {mean_worst(family.without_architecture)}")
    if family.bounds is None:
        text.append("\nno interval: too few networks for one", style="yellow")
    else:
        text.append(f"\ninterval of {100 * family.coverage:.0f} %: {bounds(family)} times the estimate")
        text.append(f"; it held {covered(family)} networks that it was not made from")
        text.append(f" ({family.bounds.method})", style="dim")
    if family.carried is not None:
        carried = family.carried
        text.append(f"\ncarried to {printable(carried.compiler)}, {printable(carried.library)}: mean / worst error")
        text.append(f" {mean_worst(carried.without_network)} with the network left out")
        if carried.bounds is not None:
            text.append(f"; interval {carried.bounds.low:.2f} to {carried.bounds.high:.2f}")
    return text


def _number(count: int, name: str) -> str:
    return f"{count} {name}" if count == 1 else f"{count} {name}s"


def _left_out(family: Family) -> list[FittingTable]:
    if len(family.left_out) < 2:
        return []
    columns = [
        Column("network left out", least=20),
        Column("measured cycles", right=True),
        Column("error", right=True),
        Column("architecture left out, too", right=True, spare=1),
    ]
    rows = [
        Row(
            {
                "network left out": printable(item.network),
                "measured cycles": f"{item.measured:,.0f}",
                "error": percent(item.error, signed=True),
                "architecture left out, too": percent(item.architecture_error, signed=True),
            }
        )
        for item in family.left_out
    ]
    return [FittingTable(columns, rows)]


def _worst(family: Family, most: int = 5) -> FittingTable:
    columns = [
        Column("farthest layers", least=20),
        Column("#", right=True),
        Column("operator", spare=1),
        Column("measured cycles", right=True),
        Column("residual", right=True),
    ]
    fitted = [residual for residual in family.residuals if not residual.unfit]
    found = sorted(fitted, key=lambda residual: -abs(residual.fitted - residual.measured))[:most]
    return FittingTable(columns, [_residual_row(residual) for residual in found])


def _residual_row(residual: Residual) -> Row:
    return Row(
        {
            "farthest layers": printable(residual.network),
            "#": NOTHING if residual.index is None else str(residual.index),
            "operator": residual.op or "whole network",
            "measured cycles": f"{residual.measured:,.0f}",
            "residual": percent(residual.error, signed=True),
        }
    )


def calibrated(shown: Calibrated) -> tuple[RenderableType, ...]:
    """An estimate, in italics: nothing of it is measured."""
    text = Text(style="italic")
    text.append("estimated, not measured", style="yellow")
    text.append(f": {printable(shown.model)} on {shown.platform}: ")
    text.append(f"about {shown.milliseconds:,.3g} ms", style="bold")
    text.append(f", about {shown.cycles:,} cycles at {shown.clock_hz / 1e6:g} MHz")
    text.append(f"\n{printable(shown.tier)}")
    for difference in shown.carried:
        text.append(f"\ncarried, {printable(difference)}", style="yellow")
    if shown.low is not None and shown.high is not None:
        low, high = (1e3 * value / shown.clock_hz for value in (shown.low, shown.high))
        text.append(f"\n{low:,.3g} to {high:,.3g} ms in 90 % of cases: {shown.basis}", style="dim")
    else:
        text.append(f"\n{shown.basis}", style="dim")
    columns = [Column("#", right=True), Column("operator"), Column("about cycles", right=True)]
    rows = [
        Row(
            {
                "#": "" if layer.index is None else str(layer.index),
                "operator": layer.op,
                "about cycles": f"{layer.cycles:,}",
            },
            "italic",
        )
        for layer in shown.layers
    ]
    return text, FittingTable(columns, rows)
