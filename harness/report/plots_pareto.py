"""Pareto fronts: two metrics of a sweep's points against each other, and which points nothing beats in both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.report import plots_estimates
from harness.report import plots_page as pages
from harness.report.plots_page import Quantity
from harness.report.plots_points import NotDrawn, Picture, Swept, facts, label, number_of, varying
from harness.sweep import pareto
from harness.sweep.file import Objective
from harness.sweep.metrics import METRICS
from harness.sweep.pareto import Goal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KIND = "pareto"

# (across, up). A metric that does not exist, or that no point has a value of, is the reason of what is not drawn.
PAIRS = (
    ("instructions", "accuracy"),
    ("latency", "accuracy"),
    ("energy", "accuracy"),
    ("flash", "instructions"),
    ("flash", "latency"),
    ("arena", "instructions"),
    ("ram", "instructions"),
    ("energy", "latency"),
)
_NAMED = 8
_CROWD = 60  # more points are drawn smaller
_BODY_INCHES, _AROUND_INCHES = 3.8, 0.5
_LOGARITHMIC_FROM = 30.0
_NEAR = 2.0  # a budget is drawn as a line where it is at most so many times the spread of the points away from them


class Status(NamedTuple):
    """What a point is in the choice, and how it is drawn; a hollow marker has no ``filled``."""

    name: str
    text: str
    marker: str
    colour: str
    filled: bool
    size: float


FRONT = Status("front", "on the front", "o", pages.BLUE, True, 52)
BEATEN = Status("beaten", "beaten", "s", pages.GREY, False, 26)
OVER = Status("over budget", "over budget", "x", pages.VERMILION, True, 34)
UNDECIDED = Status("undecided", "a budget lies between its bounds", "D", pages.ORANGE, False, 30)
UNFIT = Status("verdict no", "does not fit its board, or is not exact", "v", pages.PURPLE, False, 36)
_STAR: dict[str, Any] = {"s": 190, "marker": "*", "facecolors": pages.YELLOW, "edgecolors": "black", "linewidths": 0.9}
STATUSES = (OVER, UNFIT, UNDECIDED, BEATEN, FRONT)  # what is drawn later lies above


class Spot(NamedTuple):
    """A point in the plane of two metrics. ``row`` is its index in the frame of points."""

    x: float
    y: float
    status: Status
    row: int


class Plane(NamedTuple):
    """Every point that has both values; ``best`` is the index, in the frame, of the sweep's best point."""

    x: str
    y: str
    goals: tuple[Goal, Goal]
    spots: tuple[Spot, ...]
    best: int | None
    missing: int

    @property
    def front(self) -> tuple[Spot, ...]:
        """From left to right; of points at the same place, the first."""
        places = {(spot.x, spot.y): spot for spot in reversed(self.spots) if spot.status is FRONT}
        return tuple(places[place] for place in sorted(places))


def pairs(objectives: Sequence[Objective]) -> tuple[tuple[str, str], ...]:
    """The usual pairs, and those of the sweep's first objective with each of the others."""
    first, *others = (objective.metric for objective in objectives)
    wanted = list(PAIRS)
    for other in others:
        if (first, other) not in wanted and (other, first) not in wanted:
            wanted.append((other, first))
    return tuple(wanted)


def pictures(swept: Swept) -> list[Picture | NotDrawn]:
    """A front for each pair of metrics."""
    return [_picture(swept, x, y) for x, y in pairs(swept.plan.objectives)]


def _picture(swept: Swept, x: str, y: str) -> Picture | NotDrawn:
    name = f"{KIND}-{x}-{y}"
    for metric in (x, y):
        if metric not in METRICS:
            return NotDrawn(KIND, name, f"{metric} is no metric of this version")
        column = METRICS[metric].column
        if column not in swept.points or swept.points[column].isna().all():
            why = next((f": {text}" for row in swept.rows if row.measured and (text := row.missing(metric))), "")
            return NotDrawn(KIND, name, f"no point has a value of {metric}{why}")
    plane = plane_of(swept, x, y)
    if not plane.spots:
        return NotDrawn(KIND, name, f"no point has both {x} and {y}")
    return Picture(KIND, name, draw(swept, plane))


def plane_of(swept: Swept, x: str, y: str) -> Plane:
    """Where each point lies, and what it is in the choice by these two metrics alone."""
    directions = {objective.metric: objective.direction for objective in swept.plan.objectives}
    chosen = pareto.choose(
        swept.plan, swept.rows, [Objective(metric=name, direction=directions.get(name)) for name in (x, y)]
    )
    on_front = {standing.item.point.choice for standing in chosen.front}
    beaten = {standing.item.point.choice for standing in chosen.beaten}
    best = pareto.choose(swept.plan, swept.rows, swept.plan.objectives).best
    columns = [METRICS[name].column for name in (x, y)]
    spots, at_best, measured = [], None, 0
    for index, item in enumerate(swept.rows):
        row = swept.points.iloc[index]
        measured += item.measured is not None
        if best is not None and item.point.choice == best.item.point.choice:
            at_best = index
        if row[columns].isna().any():
            continue
        choice = item.point.choice
        status = FRONT if choice in on_front else BEATEN if choice in beaten else _left_out(item.state)
        spots.append(Spot(float(row[columns[0]]), float(row[columns[1]]), status, index))
    across, up = chosen.goals
    return Plane(x, y, (across, up), tuple(spots), at_best, measured - len(spots))


def _left_out(state: str) -> Status:
    return next((status for status in (OVER, UNDECIDED) if state == status.name), UNFIT)


def _limits(swept: Swept, plane: Plane) -> dict[str, int | float]:
    """The budgets that hold for every point that is drawn."""
    boards = {swept.rows[spot.row].point.choice.platform for spot in plane.spots}
    return swept.plan.budgets.limits(boards.pop() if len(boards) == 1 else None)


def draw(swept: Swept, plane: Plane) -> Any:
    """The figure."""
    shown = [pages.quantity(name, METRICS[name].unit) for name in (plane.x, plane.y)]
    named = _named(plane)
    made = pages.page(
        f"{swept.plan.name}: Pareto front of {pages.short_name(plane.x)} and {pages.short_name(plane.y)}",
        " · ".join(
            (facts(swept.points.iloc[[spot.row for spot in plane.spots]]), *plots_estimates.rests_on(swept, plane))
        ),
        _legend(plane),
        [_BODY_INCHES],
        _AROUND_INCHES,
        [*_key(swept, plane, named, shown), *_notes(swept, plane, named, shown)],
    )
    axes = made.axes[0]
    axes.grid(True)
    axes.set_xlabel(shown[0].label)
    axes.set_ylabel(shown[1].label)
    _scatter(axes, plane, shown)
    plots_estimates.bars(axes, swept, plane, shown)
    _scale(axes, plane, shown)
    _step(axes, plane, shown)
    _budgets(axes, _limits(swept, plane), plane, shown)
    _numbers(made.figure, axes, named, shown)
    return made.figure


def _named(plane: Plane) -> tuple[Spot, ...]:
    """The points of the front that get a number: all, or both ends, the best, and some evenly between."""
    front = plane.front
    if len(front) <= _NAMED:
        return front
    wanted = {round(index * (len(front) - 1) / (_NAMED - 1)) for index in range(_NAMED)}
    chosen = [index for index, spot in enumerate(front) if index in wanted or spot.row == plane.best]
    if len(chosen) > _NAMED:  # the best is one more: leave out the one beside it
        best = next(position for position, index in enumerate(chosen) if front[index].row == plane.best)
        del chosen[best + 1 if best + 1 < len(chosen) - 1 else best - 1]
    return tuple(front[index] for index in chosen)


def _looks(status: Status, scale: float = 1.0) -> dict[str, Any]:
    colours = {"color": status.colour} if status.filled else {"facecolors": "none", "edgecolors": status.colour}
    return {"s": status.size * scale, "marker": status.marker, "linewidths": 1.3, **colours}


def _best(plane: Plane) -> list[Spot]:
    return [spot for spot in plane.spots if spot.row == plane.best]


def _scatter(axes: Axes, plane: Plane, shown: list[Quantity]) -> None:
    scale = 1.0 if len(plane.spots) <= _CROWD else 0.55
    for depth, status in enumerate(STATUSES, 3):
        spots = [spot for spot in plane.spots if spot.status is status]
        axes.scatter(*_places(spots, shown), zorder=depth, label=status.name, **_looks(status, scale))
    axes.scatter(*_places(_best(plane), shown), zorder=9, label="best", **_STAR)


def _legend(plane: Plane) -> pages.Legend:
    from matplotlib.lines import Line2D

    def handle(marker: str, size: float, face: str, edge: str) -> Line2D:
        return Line2D([], [], linestyle="", marker=marker, markersize=math.sqrt(size), markerfacecolor=face,
                      markeredgecolor=edge, markeredgewidth=1.3)  # fmt: skip

    handles, labels = [], []
    if _best(plane):
        handles.append(handle(_STAR["marker"], _STAR["s"], _STAR["facecolors"], _STAR["edgecolors"]))
        labels.append("best of the sweep")
    for status in reversed(STATUSES):
        number = sum(spot.status is status for spot in plane.spots)
        if number:
            handles.append(
                handle(status.marker, status.size, status.colour if status.filled else "none", status.colour)
            )
            labels.append(f"{status.text} ({number})")
    return pages.Legend(handles, labels)


def _places(spots: Sequence[Spot], shown: list[Quantity]) -> tuple[list[float], list[float]]:
    return [spot.x / shown[0].divisor for spot in spots], [spot.y / shown[1].divisor for spot in spots]


def _scale(axes: Axes, plane: Plane, shown: list[Quantity]) -> None:
    """Logarithmic where the values are far apart, with ticks as people write numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

    sides = zip((axes.xaxis, axes.yaxis), _places(plane.spots, shown), ("x", "y"), shown, strict=True)
    for axis, values, side, quantity in sides:
        if min(values) > 0 and max(values) / min(values) >= _LOGARITHMIC_FROM:
            axes.set_xscale("log") if side == "x" else axes.set_yscale("log")
            decades = math.log10(max(values) / min(values))
            axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if decades < 3.5 else (1.0,), numticks=20))
            axis.set_minor_locator(NullLocator())
            axis.set_minor_formatter(NullFormatter())
        else:
            axis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 2.5, 5, 10]))
        axis.set_major_formatter(FuncFormatter(lambda value, _position, tick=quantity.tick: tick(value)))
        getattr(axes, f"set_{side}margin")(0.07)


def _step(axes: Axes, plane: Plane, shown: list[Quantity]) -> None:
    """The border of what the front beats."""
    x, y = _places(plane.front, shown)
    axes.step(
        x,
        y,
        where="post" if plane.goals[0].direction == "min" else "pre",
        color=pages.BLUE,
        linewidth=1.2,
        alpha=0.7,
        zorder=2,
        label="front",
    )


def _budgets(axes: Axes, limits: dict[str, float], plane: Plane, shown: list[Quantity]) -> None:
    """A line for each budget that is not too far from the points."""
    style: dict[str, Any] = {"color": pages.VERMILION, "linestyle": (0, (5, 3)), "linewidth": 1.2, "zorder": 1}
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.85}
    words: dict[str, Any] = {"color": "#A34700", "size": 9, "clip_on": False, "bbox": box}
    for metric, side, quantity in zip((plane.x, plane.y), ("x", "y"), shown, strict=True):
        limit = limits.get(metric)
        if limit is None or not _near(limit, plane, side):
            continue
        at, text = limit / quantity.divisor, f"budget {_limit(quantity, limit)}"
        if side == "x":
            axes.axvline(at, label="budget", **style)
            axes.annotate(text, (at, 1), xycoords=("data", "axes fraction"), xytext=(-4, -3), ha="right", va="top",
                          textcoords="offset points", rotation=90, **words)  # fmt: skip
        else:
            axes.axhline(at, label="budget", **style)
            axes.annotate(text, (1, at), xycoords=("axes fraction", "data"), xytext=(-3, 3), ha="right", va="bottom",
                          textcoords="offset points", **words)  # fmt: skip


def _limit(quantity: Quantity, limit: float) -> str:
    """As it was given: 96 KiB, not 96.00 KiB."""
    return f"{limit / 1024:,.6g} KiB" if quantity.divisor == 1024 else quantity.text(limit)


def _near(limit: float, plane: Plane, side: str) -> bool:
    values = [spot.x if side == "x" else spot.y for spot in plane.spots]
    low, high = min(values), max(values)
    if low > 0 and high / low >= _LOGARITHMIC_FROM:
        return low / 10 <= limit <= high * 10
    spread = (high - low) or high
    return low - _NEAR * spread <= limit <= high + _NEAR * spread


def _numbers(figure: Figure, axes: Axes, named: Sequence[Spot], shown: list[Quantity]) -> None:
    """A number beside each named point; neighbours that would print over each other share one text."""
    from matplotlib.patheffects import withStroke

    figure.draw_without_rendering()  # so that places on the page are known
    groups: list[tuple[tuple[float, float], list[int]]] = []
    for number, spot in enumerate(named, 1):
        place = tuple(axes.transData.transform((spot.x / shown[0].divisor, spot.y / shown[1].divisor)))
        if groups and math.dist(groups[-1][0], place) < 0.16 * figure.dpi:
            groups[-1][1].append(number)
        else:
            groups.append((place, [number]))
    halo = [withStroke(linewidth=2.5, foreground="white")]
    for _, numbers in groups:
        spot = named[numbers[0] - 1]
        text = str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]}-{numbers[-1]}"
        axes.annotate(text, (spot.x / shown[0].divisor, spot.y / shown[1].divisor), xytext=(6, 5), weight="bold",
                      textcoords="offset points", size=10, color=pages.BLUE, zorder=10, path_effects=halo)  # fmt: skip


def _key(swept: Swept, plane: Plane, named: Sequence[Spot], shown: list[Quantity]) -> list[pages.Entry]:
    """What the numbers and the star stand for."""
    axes = varying(swept.points)
    marks = [(f"{number} ★" if spot.row == plane.best else str(number), spot) for number, spot in enumerate(named, 1)]
    marks += [("★", spot) for spot in _best(plane) if spot not in named]
    return [
        pages.Entry(mark, label(swept.points.iloc[spot.row], axes), (shown[0].text(spot.x), shown[1].text(spot.y)))
        for mark, spot in marks
    ]


def _notes(swept: Swept, plane: Plane, named: Sequence[Spot], shown: list[Quantity]) -> list[str]:
    """What the star means, and what is not to be seen."""
    lines = []
    if not plane.front:
        lines.append("No point is exact and within its board and every budget: there is no front.")
    if len(plane.front) > len(named):
        lines.append(f"{len(named)} of the {number_of(len(plane.front), 'place')} on the front are named.")
    if _best(plane):
        first = swept.plan.objectives[0]
        least = "least" if (first.direction or METRICS[first.metric].direction) == "min" else "most"
        goals = ", ".join(pages.short_name(objective.metric) for objective in swept.plan.objectives)
        lines.append(
            f"★ has the {least} {pages.short_name(first.metric)} on the front of the sweep's objectives: {goals}."
        )
    lines += plots_estimates.notes(swept, plane)
    unmeasured = sum(item.measured is None for item in swept.rows)
    if unmeasured:
        lines.append(f"Not shown: {number_of(unmeasured)} without numbers (impossible, too large, or not measured).")
    if plane.missing:
        known = swept.points[swept.points["instructions"].notna()]
        lacking = " or ".join(name for name in (plane.x, plane.y) if known[METRICS[name].column].isna().any())
        lines.append(f"Not shown: {number_of(plane.missing)} without a value of {lacking}.")
    for metric, side, quantity in zip((plane.x, plane.y), ("x", "y"), shown, strict=True):
        limit = _limits(swept, plane).get(metric)
        if limit is None and metric in swept.plan.budgets.by_platform:
            lines.append(f"The budget for {pages.short_name(metric)} is another for each board, and no line.")
        if limit is not None and not _near(limit, plane, side):
            lines.append(
                f"The budget of {_limit(quantity, limit)} for {pages.short_name(metric)} is far outside of the plot."
            )
    return lines
