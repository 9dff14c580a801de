"""The validation on a terminal."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text

from harness.report.tables import Column, FittingTable, Row
from harness.validate import page, summary
from harness.validate.rows import FITTED, Interval, Network, Validated, Validation, board_order, error


def lines(found: Validation, layers: bool) -> tuple[RenderableType, ...]:
    """The networks of each board, or every row; then means, worst errors and how often intervals held."""
    shown: list[RenderableType] = []
    for board in board_order(found.networks):
        own = [item for item in found.networks if item.row.build.platform == board]
        shown.append(Text(f"{board}, {'; '.join(sorted({item.row.source for item in own}))}", style="bold"))
        if layers:
            shown.append(_rows([row for row in found.rows if row.build.platform == board]))
        else:
            shown.append(_networks(own))
        shown.append(Text())
    shown.append(_summary(found))
    shown.append(
        Text(
            "ms; about: the uncalibrated estimate; left out: by a calibration that has not seen the network;"
            " held: whether the interval of 90 % held what was measured",
            "dim",
        )
    )
    if found.missing:
        shown.append(Text(f"{len(found.missing)} public rows were not emulated, and are not compared", "yellow"))
    return tuple(shown)


def _networks(networks: list[Network]) -> FittingTable:
    columns = [
        Column("network", least=12), Column("build", least=22), Column("measured", right=True),
        Column("about", right=True), Column("error", right=True), Column("held", spare=2),
        Column("left out", right=True), Column("error ", right=True), Column("held ", spare=2),
        Column("in the fit", spare=1),
    ]  # fmt: skip
    return FittingTable(columns, [_network(item) for item in networks])


def _network(item: Network) -> Row:
    row = item.row
    return Row(
        {
            "network": row.network,
            "build": _build(row),
            "measured": page.number(row.measured),
            "about": page.number(row.uncalibrated),
            "error": page.percent(error(row.uncalibrated, row.measured)),
            "held": _held(item.uncalibrated),
            "left out": page.number(row.without_network),
            "error ": page.percent(error(row.without_network, row.measured)),
            "held ": _held(item.calibrated),
            "in the fit": "yes" if row.used == FITTED else "no",
        }
    )


def _build(row: Validated) -> str:
    return f"{row.build.kernels} {row.build.optimisation}{'' if row.build.fpu else ' no FPU'}"


def _held(interval: Interval | None) -> str:
    return page.NOTHING if interval is None else "yes" if interval.holds else "no"


def _rows(rows: list[Validated]) -> FittingTable:
    columns = [
        Column("network", least=16), Column("build", least=12, spare=1), Column("#", right=True),
        Column("operator", least=8), Column("measured", right=True), Column("about", right=True),
        Column("error", right=True), Column("left out", right=True), Column("error ", right=True),
        Column("in the fit", least=4, spare=2),
    ]  # fmt: skip
    cells = [
        Row(
            {
                "network": row.network,
                "build": _build(row),
                "#": page.NOTHING if row.index is None else str(row.index),
                "operator": row.op or "whole network",
                "measured": page.number(row.measured),
                "about": page.number(row.uncalibrated),
                "error": page.percent(error(row.uncalibrated, row.measured)),
                "left out": page.number(row.without_network),
                "error ": page.percent(error(row.without_network, row.measured)),
                "in the fit": "yes" if row.used == FITTED else f"no: {row.used}",
            }
        )
        for row in rows
    ]
    return FittingTable(columns, cells)


def _summary(found: Validation) -> FittingTable:
    columns = [
        Column("mean / worst error"), Column("kernels"), Column("networks", right=True, spare=1),
        Column("uncalibrated", right=True), Column("held", right=True), Column("network left out", right=True),
        Column("architecture left out", right=True, spare=2), Column("held ", right=True),
    ]  # fmt: skip
    rows = [
        Row(
            {
                "mean / worst error": line.platform,
                "kernels": line.kernels,
                "networks": str(line.networks),
                "uncalibrated": page.mean_worst(line.uncalibrated),
                "held": page.share(line.uncalibrated_held),
                "network left out": page.mean_worst(line.without_network),
                "architecture left out": page.mean_worst(line.without_architecture),
                "held ": page.share(line.calibrated_held),
            }
        )
        for line in summary.lines(found.networks)
    ]
    return FittingTable(columns, rows)
