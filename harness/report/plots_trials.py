"""Trials of searches in pictures: two objectives with the bands of estimates, and all that was chosen and measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.optimize import judge
from harness.optimize.records import TrialRecord
from harness.optimize.scenario import ACCURACY, Scenario
from harness.report import plots_page as pages
from harness.report.plots_page import Quantity
from harness.sweep.metrics import METRICS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BODY_INCHES, _AROUND_INCHES = 3.8, 0.5
_TALL_INCHES, _AXIS_LABEL_SIZE = 3.4, 8.5
_LOGARITHMIC_FROM = 20.0
_NEAR = 1.5  # a budget is drawn as a line where it is at most so many times the spread of the points away from them
_STAR: dict[str, Any] = {"s": 170, "marker": "*", "edgecolors": "black", "linewidths": 0.9, "zorder": 9}


class Group(NamedTuple):
    """Trials that are drawn alike; what comes first lies below. ``picks`` are those of them that a search took."""

    name: str
    colour: str
    marker: str
    records: tuple[TrialRecord, ...]
    picks: tuple[TrialRecord, ...] = ()


class Spot(NamedTuple):
    """A trial in the plane of two metrics; ``low`` and ``high`` bound what is across, where it is an estimate."""

    across: float
    up: float
    low: float | None
    high: float | None
    whole: bool


def across(scenario: Scenario) -> str:
    """What lies across: the first objective that is no accuracy, else instructions."""
    return next((name for name in scenario.file.objectives if name != ACCURACY), "instructions")


def spot(scenario: Scenario, record: TrialRecord, metric: str) -> Spot | None:
    """A trial in the plane of a metric, that of the worst board, and accuracy; None: it has no value of one of them."""
    if record.accuracy is None:
        return None
    whole = record.epochs == scenario.file.training.epochs
    if metric == "macs":
        return None if record.macs is None else Spot(record.macs, record.accuracy, None, None, whole)
    found = [judge.bounded(scenario, metric, item) for item in record.measurements]
    known = [item for item in found if item is not None]
    if not known or len(known) < len(found):
        return None
    worst = max(known, key=lambda item: item.value)
    estimated = worst.model is not None
    return Spot(
        worst.value, record.accuracy, worst.low if estimated else None, worst.high if estimated else None, whole
    )


def _spots(scenario: Scenario, records: Sequence[TrialRecord], metric: str) -> list[Spot]:
    return [found for record in records if (found := spot(scenario, record, metric)) is not None]


def pareto(scenario: Scenario, groups: Sequence[Group], title: str, facts: str, notes: Sequence[str] = ()) -> Figure:
    """The first cost of the scenario against accuracy; bands are drawn of what nothing beats, and of picks.

    To be called, and its figure saved, inside of ``plots_page.style``.
    """
    metric = across(scenario)
    shown = pages.quantity(metric, METRICS[metric].unit)
    placed = [
        (group, [item for record in group.records if (item := spot(scenario, record, metric))]) for group in groups
    ]
    starred = [
        (group, [item for record in group.picks if (item := spot(scenario, record, metric))]) for group in groups
    ]
    every = [item for _, found in placed for item in found]
    kept = {item for found in (placed, starred) for _, group in found for item in _front(group)}
    made = pages.page(title, facts, _legend(placed, starred), [_BODY_INCHES], _AROUND_INCHES,
                      [*_pareto_notes(every, kept), *notes])  # fmt: skip
    axes = made.axes[0]
    axes.grid(True)
    axes.set_xlabel(shown.label)
    axes.set_ylabel("accuracy on the validation part (%)")
    for depth, (group, found) in enumerate(placed, 3):
        _marks(axes, group, found, shown, depth)
        _bands(axes, group, [item for item in found if item in kept], shown)
    for group, found in starred:
        axes.scatter(*_places(found, shown), facecolors=group.colour, **_STAR)
    if every and max(item.across for item in every) > _LOGARITHMIC_FROM * min(item.across for item in every):
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(_formatter(shown.tick))
    elif every:
        axes.xaxis.set_major_formatter(_formatter(shown.tick))
    _limits(axes, scenario, metric, every, shown)
    return made.figure


def _formatter(text: Callable[[float], str]) -> Any:
    from matplotlib.ticker import FuncFormatter

    return FuncFormatter(lambda value, _place: text(value))


def _front(found: Sequence[Spot]) -> list[Spot]:
    """What nothing of the group beats in both, from the left."""
    kept: list[Spot] = []
    for item in sorted(found, key=lambda one: (one.across, -one.up)):
        if not kept or item.up > kept[-1].up:
            kept.append(item)
    return kept


def _marks(axes: Axes, group: Group, found: Sequence[Spot], shown: Quantity, depth: int) -> None:
    for whole in (False, True):
        chosen = [item for item in found if item.whole == whole]
        colours: dict[str, Any] = (
            {"color": group.colour} if whole else {"facecolors": "none", "edgecolors": group.colour}
        )
        axes.scatter(*_places(chosen, shown), s=30 if whole else 20, marker=group.marker, linewidths=1.0, alpha=0.85,
                     zorder=depth, **colours)  # fmt: skip


def _bands(axes: Axes, group: Group, found: Sequence[Spot], shown: Quantity) -> None:
    for item in found:
        if item.low is not None and item.high is not None:
            axes.plot([item.low / shown.divisor, item.high / shown.divisor], [100 * item.up] * 2,
                      color=group.colour, linewidth=1.0, alpha=0.55, zorder=2, solid_capstyle="butt")  # fmt: skip


def _places(found: Sequence[Spot], shown: Quantity) -> tuple[list[float], list[float]]:
    return [item.across / shown.divisor for item in found], [100 * item.up for item in found]


def _limits(axes: Axes, scenario: Scenario, metric: str, every: Sequence[Spot], shown: Quantity) -> None:
    """Budgets as lines, where they are near the trials."""
    for budget in scenario.budgets:
        if budget.metric == metric and every:
            most = max(item.high or item.across for item in every)
            if budget.limit <= _NEAR * most:
                axes.axvline(budget.limit / shown.divisor, color=pages.VERMILION, linewidth=1.0, linestyle="--")
                axes.annotate(f"{budget.key} ≤ {budget.text}", (budget.limit / shown.divisor, 0.02),
                              xycoords=("data", "axes fraction"), xytext=(-3, 0), textcoords="offset points",
                              rotation=90, ha="right", va="bottom", size=8.5, color=pages.VERMILION)  # fmt: skip
        if budget.metric == ACCURACY:
            axes.axhline(100 * budget.limit, color=pages.VERMILION, linewidth=1.0, linestyle="--")
            axes.annotate(f"accuracy ≥ {budget.text}", (0.995, 100 * budget.limit), xycoords=("axes fraction", "data"),
                          xytext=(0, -3), textcoords="offset points", ha="right", va="top", size=8.5,
                          color=pages.VERMILION)  # fmt: skip


def _legend(placed: Sequence[tuple[Group, list[Spot]]], starred: Sequence[tuple[Group, list[Spot]]]) -> pages.Legend:
    from matplotlib.lines import Line2D

    handles, labels = [], []
    for (group, found), (_, picks) in zip(placed, starred, strict=True):
        if found:
            handles.append(Line2D([], [], linestyle="", marker=group.marker, markersize=6, color=group.colour))
            labels.append(f"{group.name} ({len(found)})")
        if picks:
            handles.append(Line2D([], [], linestyle="", marker="*", markersize=12, markerfacecolor=group.colour,
                                  markeredgecolor="black", markeredgewidth=0.9))  # fmt: skip
            labels.append("pick" if len(groups_with_picks(starred)) == 1 else f"{group.name}: picks")
    return pages.Legend(handles, labels)


def groups_with_picks(starred: Sequence[tuple[Group, list[Spot]]]) -> list[str]:
    """Names of the groups that a pick is of."""
    return [group.name for group, picks in starred if picks]


def _pareto_notes(every: Sequence[Spot], kept: set[Spot]) -> list[str]:
    notes = []
    if any(not item.whole for item in every):
        notes.append("Hollow: trained for a part of the epochs, as others were more promising.")
    if any(item.low is not None for item in kept):
        notes.append("Lines: the band of the estimate, of picks and of what nothing of its group beats in both.")
    return notes


# --- parallel coordinates --------------------------------------------------------------------------------------------


class Axis(NamedTuple):
    """A vertical axis: its name, a trial's value on it, and whether values are measured, not chosen."""

    name: str
    value: Callable[[TrialRecord], Any]
    number: bool


class Scale(NamedTuple):
    """Where values lie, 0 to 1, and the ticks that are written beside the axis."""

    place: Callable[[Any], float]
    ticks: tuple[tuple[float, str], ...]


def _architecture(name: str) -> Callable[[TrialRecord], Any]:
    return lambda record: getattr(record.candidate.architecture, name)


def _measured(name: str) -> Callable[[TrialRecord], Any]:
    def value(record: TrialRecord) -> Any:
        first = record.measurements[0].row.measured if record.measurements else None
        return None if first is None else getattr(first, name)

    return value


def _estimated(name: str) -> Callable[[TrialRecord], Any]:
    def value(record: TrialRecord) -> Any:
        estimate = record.measurements[0].row.estimate if record.measurements else None
        found = None if estimate is None else estimate.of(name)
        return None if found is None else found.value

    return value


_AXES = (
    Axis("family", _architecture("family"), False),
    Axis("channels", _architecture("channels"), True),
    Axis("depth", _architecture("depth"), False),
    Axis("type", lambda record: record.candidate.type, False),
    Axis("kernels", lambda record: record.candidate.kernels, False),
    Axis("level", lambda record: record.candidate.optimisation, False),
    Axis("MACs", lambda record: record.macs, True),
    Axis("instructions", _measured("instructions"), True),
    Axis("latency, ms\n(estimate)", _estimated("latency"), True),
    Axis("energy, uJ\n(estimate)", _estimated("energy"), True),
    Axis("flash, KiB", lambda record: _kib(_measured("flash")(record)), True),
    Axis("RAM, KiB", lambda record: _kib(_measured("ram")(record)), True),
    Axis("accuracy, %", lambda record: None if record.accuracy is None else 100 * record.accuracy, True),
)


def _kib(value: int | None) -> float | None:
    return None if value is None else value / 1024


def parallel(scenario: Scenario, groups: Sequence[Group], title: str, facts: str, notes: Sequence[str] = ()) -> Figure:
    """A line for each trial through what was chosen and what came of it; picks are drawn thick.

    To be called, and its figure saved, inside of ``plots_page.style``.
    """
    from matplotlib.lines import Line2D

    every = [record for group in groups for record in group.records if record.measured]
    drawn = [axis for axis in _AXES if len({axis.value(record) for record in every} - {None}) > 1]
    scales = [_scale(axis, [axis.value(record) for record in every]) for axis in drawn]
    counted = [(group, [record for record in group.records if record.measured]) for group in groups]
    handles = [Line2D([], [], color=group.colour, linewidth=1.6) for group, found in counted if found]
    labels = [f"{group.name} ({len(found)})" for group, found in counted if found]
    if any(group.picks for group in groups):
        handles.append(Line2D([], [], color="black", linewidth=3.0))
        labels.append("thick: pick")
    made = pages.page(title, facts, pages.Legend(handles, labels), [_TALL_INCHES], 0.6, list(notes))
    axes = made.axes[0]
    for depth, (group, found) in enumerate(counted, 2):
        for record in found:
            _line(axes, record, drawn, scales, color=group.colour, linewidth=0.7, alpha=0.5, zorder=depth)
    for group in groups:
        for record in group.picks:
            _line(axes, record, drawn, scales, color="black", linewidth=3.4, zorder=19)
            _line(axes, record, drawn, scales, color=group.colour, linewidth=2.2, zorder=20)
    _rulers(axes, drawn, scales)
    return made.figure


def _line(axes: Axes, record: TrialRecord, drawn: Sequence[Axis], scales: Sequence[Scale], **looks: Any) -> None:
    """Through every axis that the trial has a value of; it ends in front of one that it has none of."""
    across, up = [], []
    for place, (axis, scale) in enumerate(zip(drawn, scales, strict=True)):
        value = axis.value(record)
        across.append(float(place))
        up.append(math.nan if value is None else scale.place(value))
    axes.plot(across, up, solid_joinstyle="round", **looks)


def _scale(axis: Axis, values: Sequence[Any]) -> Scale:
    known = sorted({value for value in values if value is not None})
    if not axis.number:
        places = {value: (index + 0.5) / len(known) for index, value in enumerate(known)}
        return Scale(lambda value: places[value], tuple((place, str(value)) for value, place in places.items()))
    low, high = float(known[0]), float(known[-1])
    if low > 0 and high / low > _LOGARITHMIC_FROM:
        span = math.log(high / low)
        middle = math.sqrt(low * high)
        marked = ((0.0, low), (0.5, middle), (1.0, high))
        return Scale(lambda value: math.log(value / low) / span,
                     tuple((position, pages.count(value)) for position, value in marked))  # fmt: skip
    ticks = tuple((position, pages.count(low + position * (high - low))) for position in (0.0, 0.5, 1.0))
    return Scale(lambda value: (value - low) / (high - low), ticks)


def _rulers(axes: Axes, drawn: Sequence[Axis], scales: Sequence[Scale]) -> None:
    axes.set_xlim(-0.15, len(drawn) - 0.25)
    axes.set_ylim(-0.04, 1.04)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.set_yticks([])
    axes.set_xticks(range(len(drawn)), [axis.name for axis in drawn], rotation=30, ha="right", size=_AXIS_LABEL_SIZE)
    axes.tick_params(axis="x", length=0)
    for place, scale in enumerate(scales):
        axes.axvline(place, color=pages.DARK, linewidth=0.8, zorder=21)
        for position, text in scale.ticks:
            box = {"boxstyle": "square,pad=0.1", "facecolor": "white", "alpha": 0.8, "linewidth": 0}
            axes.annotate(text, (place, position), xytext=(3, 0), textcoords="offset points", va="center", size=7.5,
                          color=pages.DARK, zorder=22, bbox=box)  # fmt: skip
