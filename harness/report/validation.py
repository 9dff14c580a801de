"""The validation on a terminal."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text

from harness.report.tables import Column, FittingTable, Row
from harness.validate import energy, page, summary
from harness.validate.builds import Builds
from harness.validate.energy import Energy
from harness.validate.rows import FITTED, Interval, Network, Validated, Validation, board_order, error
from harness.validate.whole import Whole


def lines(whole: Whole, layers: bool) -> tuple[RenderableType, ...]:
    """The networks of each board, or every row; then means, worst errors and how often intervals held; then energy."""
    found = whole.times
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
    if found.unseen:
        shown += [Text(), _unseen(found.unseen)]
        shown.append(Text("calibration: as it is stored, fitted to other widths of the sweep", "dim"))
    if whole.builds:
        shown += [Text(), _builds(whole.builds)]
        shown.append(
            Text(
                "usual: this project's own build (Debian's GCC, CMSIS-NN 4.0.0); carried: a calibration to the nearest"
                " build, without the network, used for the usual one",
                "dim",
            )
        )
    if whole.energies:
        shown += [Text(), *_energies(whole.energies, layers)]
    if found.missing:
        shown.append(Text(f"{len(found.missing)} public rows have no features here, and are not compared", "yellow"))
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


def _unseen(found: tuple[Network, ...]) -> FittingTable:
    columns = [
        Column("further widths"), Column("kernels"), Column("networks", right=True, spare=1),
        Column("uncalibrated", right=True), Column("held", right=True), Column("calibration", right=True),
        Column("held ", right=True), Column("architecture left out", right=True, spare=3),
        Column("held  ", right=True, spare=2),
    ]  # fmt: skip
    rows = [
        Row(
            {
                "further widths": kind.architecture or f"all, {kind.platform}",
                "kernels": kind.kernels,
                "networks": str(kind.networks),
                "uncalibrated": page.mean_worst(kind.uncalibrated),
                "held": page.share(kind.uncalibrated_held),
                "calibration": page.mean_worst(kind.stored),
                "held ": page.share(kind.stored_held),
                "architecture left out": page.mean_worst(kind.without_architecture),
                "held  ": page.share(kind.calibrated_held),
            }
        )
        for kind in summary.kinds(found)
    ]
    return FittingTable(columns, rows)


def _builds(found: tuple[Builds, ...]) -> FittingTable:
    columns = [
        Column("other builds"), Column("kernels"), Column("instructions", right=True, spare=2),
        Column("nearest", right=True), Column("usual", right=True), Column("carried", right=True, spare=1),
    ]  # fmt: skip
    rows = [
        Row(
            {
                "other builds": item.platform,
                "kernels": item.kernels,
                "instructions": f"x {item.ratio[0]:.2f}",
                "nearest": page.mean_worst(item.nearest),
                "usual": page.mean_worst(item.usual),
                "carried": page.mean_worst(item.carried),
            }
        )
        for item in found
    ]
    return FittingTable(columns, rows)


def _energies(found: tuple[Energy, ...], layers: bool) -> tuple[RenderableType, ...]:
    shown = [item for item in found if layers or item.index is None]
    columns = [
        Column("energy", least=12), Column("board", least=11), Column("kernels"), Column("operator", least=8, spare=2),
        Column("measured", right=True), Column("about", right=True), Column("error", right=True),
        Column("held", spare=3), Column("left out", right=True), Column("error ", right=True),
        Column("held ", spare=1),
    ]  # fmt: skip
    rows = [
        Row(
            {
                "energy": item.network,
                "board": item.platform,
                "kernels": item.kernels,
                "operator": item.op or "whole network",
                "measured": page.number(item.measured),
                "about": page.number(item.uncalibrated),
                "error": page.percent(error(item.uncalibrated, item.measured)),
                "held": _held(item.uncalibrated_interval),
                "left out": page.number(item.calibrated),
                "error ": page.percent(error(item.calibrated, item.measured)),
                "held ": _held(item.calibrated_interval),
            }
        )
        for item in shown
    ]
    said = Text(
        "uJ; power is predicted by the board's other rows, time as above; left out: of the network's time, too", "dim"
    )
    return FittingTable(columns, rows), _energy_summary(found), said


def _energy_summary(found: tuple[Energy, ...]) -> FittingTable:
    columns = [
        Column("mean / worst error of energy"), Column("inferences", right=True, spare=2),
        Column("power alone", right=True), Column("uncalibrated", right=True), Column("held", right=True),
        Column("network left out", right=True), Column("held ", right=True, spare=1),
    ]  # fmt: skip
    rows = [
        Row(
            {
                "mean / worst error of energy": line.platform,
                "inferences": str(line.inferences),
                "power alone": page.mean_worst(line.by_power),
                "uncalibrated": page.mean_worst(line.uncalibrated),
                "held": page.share(line.uncalibrated_held),
                "network left out": page.mean_worst(line.calibrated),
                "held ": page.share(line.calibrated_held),
            }
        )
        for line in energy.lines(found)
    ]
    return FittingTable(columns, rows)
