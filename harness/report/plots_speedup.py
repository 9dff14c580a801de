"""The speed-up of CMSIS-NN by operator: points that are equal but for their kernels, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.report import plots_page as pages
from harness.report.plots_points import AXES, NotDrawn, Picture, Swept, facts, measured, number_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KIND = "speedup"
WHOLE = "whole inference"

_KEYS = tuple(axis for axis in AXES if axis != "kernels")
_OPERATORS = 14
_CORES = len(pages.MARKERS)
_LANE_INCHES, _GAP = 0.2, 0.9  # between operators, in lanes
_LABEL_POINTS = 170.0
_TIMES = "\N{MULTIPLICATION SIGN}"


class Lane(NamedTuple):
    """An operator on a core. ``ratios``: of each layer, reference / CMSIS-NN instructions; ``total``: of their sums.

    ``share`` is the operator's part of all the instructions of the reference kernels.
    """

    op: str
    core: str
    ratios: tuple[float, ...]
    total: float
    share: float


class Speedups(NamedTuple):
    """Every lane, ``WHOLE`` first and then by share; ``pairs`` is the number of pairs of points.

    ``unequal`` layers were left out: an output that is not exact, or no instructions.
    """

    lanes: tuple[Lane, ...]
    pairs: int
    unequal: int

    @property
    def operators(self) -> tuple[str, ...]:
        """In the order of the lanes."""
        return tuple(dict.fromkeys(lane.op for lane in self.lanes))

    @property
    def cores(self) -> tuple[str, ...]:
        """Sorted."""
        return tuple(sorted({lane.core for lane in self.lanes}))


def pictures(swept: Swept) -> list[Picture | NotDrawn]:
    """One page, where there are pairs."""
    found = speedups(swept.points, swept.layers)
    if not found.pairs:
        return [NotDrawn(KIND, KIND, "no two measured points are equal but for the kernels reference and cmsis-nn")]
    return [Picture(KIND, KIND, draw(swept, found))]


def speedups(points: Any, layers: Any) -> Speedups:
    """Reference / CMSIS-NN instructions of each layer of each pair of points, and of the whole inferences."""
    keys = list(_KEYS)
    usable = measured(points)
    layers = _typed(usable, layers)
    both = _pairs(usable[[*keys, "core", "kernels", "instructions", "model_sha256"]], [*keys, "model_sha256"])
    with_core = layers[[*keys, "kernels", "index", "op", "instructions", "output_exact"]].merge(
        both[[*keys, "core_reference"]].rename(columns={"core_reference": "core"}), on=keys
    )
    of_layers = _pairs(with_core, [*keys, "core", "index", "op"])
    kept = of_layers[
        of_layers["output_exact_reference"].fillna(False)
        & of_layers["output_exact_cmsis"].fillna(False)
        & (of_layers["instructions_reference"] > 0)
        & (of_layers["instructions_cmsis"] > 0)
    ]
    everything = float(kept["instructions_reference"].sum())
    by_op = kept.groupby("op")["instructions_reference"].sum().sort_values(ascending=False, kind="stable")
    lanes = [
        _lane(WHOLE, core, rows, 1.0) for core, rows in both.rename(columns={"core_reference": "core"}).groupby("core")
    ]
    for op, amount in by_op.items():
        own = kept[kept["op"] == op]
        lanes += [_lane(str(op), core, rows, float(amount) / everything) for core, rows in own.groupby("core")]
    return Speedups(tuple(lanes), len(both), len(of_layers) - len(kept))


def _typed(points: Any, layers: Any) -> Any:
    """The layers, the type of their network behind the operator's name where there are several types."""
    if points["type"].nunique() < 2:
        return layers
    return layers.assign(op=layers["op"] + (" " + layers["type"]).fillna(""))


def _pairs(frame: Any, keys: list[str]) -> Any:
    """Rows of the two kernel sets side by side, where all keys are equal."""
    reference, cmsis = (frame[frame["kernels"] == name] for name in ("reference", "cmsis-nn"))
    return reference.merge(cmsis, on=keys, suffixes=("_reference", "_cmsis"), validate="one_to_one")


def _lane(op: str, core: str, rows: Any, share: float) -> Lane:
    reference, cmsis = rows["instructions_reference"].astype(float), rows["instructions_cmsis"].astype(float)
    return Lane(op, str(core), tuple(reference / cmsis), float(reference.sum() / cmsis.sum()), share)


def draw(swept: Swept, found: Speedups) -> Any:
    """The figure."""
    operators, cores = found.operators[: _OPERATORS + 1], found.cores[:_CORES]
    places = _places(found.lanes, operators, cores)
    lowest = max(places.values()) + 1
    points = measured(swept.points)
    paired = points[points["kernels"].isin(["reference", "cmsis-nn"])]
    made = pages.page(
        f"{swept.plan.name}: speed-up of CMSIS-NN over the reference kernels",
        facts(paired, _KEYS),
        _legend(cores),
        [_LANE_INCHES * (lowest + 1)],
        0.55,
        _notes(found, operators, cores),
    )
    axes = made.axes[0]
    shown = [lane for lane in found.lanes if (lane.op, lane.core) in places]
    for lane in shown:
        _draw_lane(axes, lane, places[lane.op, lane.core], cores.index(lane.core))
    _operators(axes, shown, places)
    _scale(axes, shown)
    axes.set_ylim(lowest - 0.3, -0.9)
    return made.figure


def _places(lanes: Sequence[Lane], operators: Sequence[str], cores: Sequence[str]) -> dict[tuple[str, str], float]:
    """From the top: where each lane lies."""
    places: dict[tuple[str, str], float] = {}
    at = 0.0
    for op in operators:
        for lane in lanes:
            if lane.op == op and lane.core in cores:
                places[op, lane.core] = at
                at += 1
        at += _GAP
    return places


def _draw_lane(axes: Axes, lane: Lane, at: float, core: int) -> None:
    """Each layer a pale marker, their range a line, the ratio of the sums a dark marker with its number."""
    colour, marker = pages.PALETTE[core], pages.MARKERS[core]
    axes.plot([min(lane.ratios), max(lane.ratios)], [at, at], color=colour, linewidth=1.0, alpha=0.55, zorder=2)
    axes.scatter(lane.ratios, [at] * len(lane.ratios), s=16, marker=marker, color=colour, alpha=0.35, linewidths=0,
                 zorder=3, label=f"layers {lane.op} {lane.core}")  # fmt: skip
    axes.scatter([lane.total], [at], s=58, marker=marker, color=colour, edgecolors="black", linewidths=0.9, zorder=4,
                 label=f"total {lane.op} {lane.core}")  # fmt: skip
    axes.annotate(ratio(lane.total), (1.0, at), xycoords=("axes fraction", "data"), xytext=(6, 0), size=9,
                  textcoords="offset points", va="center_baseline", annotation_clip=False)  # fmt: skip


def ratio(value: float) -> str:
    """With two digits behind the point, one from 10 on, none from 100 on."""
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}{_TIMES}"


def _operators(axes: Axes, shown: Sequence[Lane], places: dict[tuple[str, str], float]) -> None:
    ticks, names = [], []
    for op in dict.fromkeys(lane.op for lane in shown):
        own = [places[lane.op, lane.core] for lane in shown if lane.op == op]
        share = next(lane.share for lane in shown if lane.op == op)
        ticks.append(sum(own) / len(own))
        name = pages.shortened(op, _LABEL_POINTS, 9.5)
        names.append(name if op == WHOLE else f"{name}  {_percent(share)}")
        axes.axhspan(min(own) - 0.62, max(own) + 0.62, color="#F4F4F4", zorder=0)
    axes.set_yticks(ticks, names)
    axes.tick_params(axis="y", length=0)


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else "<1%"


def _scale(axes: Axes, shown: Sequence[Lane]) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    values = [value for lane in shown for value in lane.ratios]
    low, high = min(0.9, min(values) * 0.93), max(1.6, max(values) * 1.08)
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    steps = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0) if high / low < 30 else (1.0, 2.0, 5.0) if high / low < 1000 else (1.0,)
    ticks = [step * 10.0**power for power in range(-6, 7) for step in steps]
    axes.xaxis.set_major_locator(FixedLocator([tick for tick in ticks if low <= tick <= high]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _position: f"{value:g}{_TIMES}"))
    axes.axvline(1, color=pages.DARK, linewidth=1.1, zorder=1, label="equal")
    axes.grid(True, axis="x")
    axes.set_xlabel("instructions with reference kernels / with CMSIS-NN")


def _legend(cores: Sequence[str]) -> pages.Legend:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], linestyle="", marker=marker, markersize=8, color=colour, markeredgecolor="black")
        for marker, colour, _ in zip(pages.MARKERS, pages.PALETTE, cores, strict=False)
    ]
    return pages.Legend(handles, cores)


def _notes(found: Speedups, operators: Sequence[str], cores: Sequence[str]) -> list[str]:
    notes = [
        f"{number_of(found.pairs, 'pair')} of points that are equal but for the kernels. Large markers and numbers: of "
        "all instructions together; small ones: of each layer (above: of each pair). Percent: the operator's part of "
        "the instructions with reference kernels."
    ]
    left = len(found.operators) - len(operators)
    if left:
        notes.append(f"Not shown: {number_of(left, 'operator')} with the smallest parts.")
    if len(found.cores) > len(cores):
        notes.append(f"Not shown: {', '.join(found.cores[len(cores) :])}.")
    if found.unequal:
        notes.append(
            f"Left out: {number_of(found.unequal, 'layer')} whose output is not exact, or without instructions."
        )
    return notes
