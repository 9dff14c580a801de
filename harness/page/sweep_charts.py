"""The drawings of a sweep: two metrics of its points against each other, with the border of what is feasible."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from harness.gate import words
from harness.page import metrics, text
from harness.page.document import Chart
from harness.page.svg import Axis, Point, Polyline, scatter
from harness.page.svg.scatter import Shape
from harness.page.sweep_tables import Points, row_id, value
from harness.page.values import Number
from harness.sweep.metrics import ESTIMATES, METRICS
from harness.sweep.pareto import Goal
from harness.sweep.tables import PointRow

_MOST = 4
_LOGARITHMIC_FROM = 10.0
_NEAR = 1.5  # a budget is drawn where it is at most so many times beyond the points


class _Look(NamedTuple):
    kind: str
    shape: Shape
    means: str


# Drawn in this order: what comes later lies above.
_LOOKS = {
    "over budget": _Look("part-2", "cross", "over a budget"),
    "verdict no": _Look("part-6", "triangle", "does not fit its board, or is not exact"),
    "undecided": _Look("part-5", "diamond", "undecided"),
    "no value": _Look("part-3", "square", "without a value of another objective"),
    "beaten": _Look("part-9", "ring", "beaten"),
    "front": _Look("part-0", "circle", "on the front"),
}


def pairs(points: Points) -> tuple[tuple[str, str], ...]:
    """(across, up): the first objective with each other one; of a single one, with the size that it costs."""
    first, *others = (goal.metric for goal in points.ranking.goals)
    if not others:
        others = ["flash" if first != "flash" else "instructions"]
    found = [(other, first) for other in dict.fromkeys(others) if other != first]
    # bounds are drawn upwards: an estimate beside what is measured stands there
    return tuple((y, x) if x in ESTIMATES and y not in ESTIMATES else (x, y) for x, y in found[:_MOST])


def charts(points: Points) -> tuple[Chart, ...]:
    """A scatter for each pair of objectives that some point has both of."""
    found = (_chart(points, x, y) for x, y in pairs(points))
    return tuple(chart for chart in found if chart is not None)


def _chart(points: Points, x: str, y: str) -> Chart | None:
    known = [item for item in points.rows if item.value(x) is not None and item.value(y) is not None
             and points.fate(item).name in _LOOKS]  # fmt: skip
    if not known:
        return None
    ordered = sorted(known, key=lambda item: list(_LOOKS).index(points.fate(item).name))
    border, limits = _border(points, known, x, y), _limits(points, known, x, y)
    counts = {name: sum(points.fate(item).name == name for item in known) for name in _LOOKS}
    said = ", ".join(f"{counts[name]} {look.means}" for name, look in reversed(_LOOKS.items()) if counts[name])
    summary = f"{words.count(len(known), 'point')} by {metrics.named(x)} and {metrics.named(y)}: {said}."
    left = len(points.rows) - len(known)
    svg = scatter(
        [_point(points, item, x, y) for item in ordered],
        _scale(known, x),
        _scale(known, y),
        summary,
        (*((Polyline(points=border, kind="line", stepped=True),) if len(border) > 1 else ()), *limits),
    )
    return Chart(
        id=f"sweep-{x}-{y}",
        title=f"{metrics.named(y)} against {metrics.named(x)}",
        svg=svg,
        summary=summary,
        table="sweep-points",
        note=_note((x, y), left, len(border) > 1, bool(limits)),
        legend=tuple(
            (f"{look.shape} {look.kind}", look.means) for name, look in reversed(_LOOKS.items()) if counts[name]
        ),
    )


def _scale(known: Sequence[PointRow], metric: str) -> Axis:
    values = [_shown(value(item, metric)) for item in known]
    logarithmic = min(values) > 0 and max(values) / min(values) >= _LOGARITHMIC_FROM
    unit = metrics.unit(metric)
    return Axis(title=f"{metrics.named(metric)}{f', {unit}' if unit else ''}", log=logarithmic)


def _shown(number: Number) -> float:
    assert number.value is not None, "only points that have both are drawn"
    return number.value


def _point(points: Points, item: PointRow, x: str, y: str) -> Point:
    across, up = value(item, x), value(item, y)
    look = _LOOKS[points.fate(item).name]
    tip = f"{points.label(item)}: {text.spoken(up)}, {text.spoken(across)}; {look.means}"
    return Point(x=_shown(across), y=_shown(up), tip=tip, kind=look.kind, shape=look.shape, low=up.low,
                 high=up.high, target=row_id(points.number(item)))  # fmt: skip


def _border(points: Points, known: Sequence[PointRow], x: str, y: str) -> tuple[tuple[float, float], ...]:
    """Steps around what feasible points reach in these two metrics alone, from the left."""
    directions = {goal.metric: goal.direction for goal in points.ranking.goals}
    goals = [Goal(metric=name, direction=directions.get(name, METRICS[name].direction)) for name in (x, y)]
    took = [item for item in known if points.fate(item).standing is not None]
    costs = sorted((goals[0].cost(a), goals[1].cost(b)) for item in took
                   if (a := item.value(x)) is not None and (b := item.value(y)) is not None)  # fmt: skip
    kept: list[tuple[float, float]] = []
    for across, up in costs:
        if not kept or up < kept[-1][1]:
            kept.append((across, up))
    scales = [100.0 if metrics.unit(name) == "%" else 1.0 for name in (x, y)]
    return tuple((scales[0] * goals[0].cost(a), scales[1] * goals[1].cost(b)) for a, b in kept)


def _limits(points: Points, known: Sequence[PointRow], x: str, y: str) -> tuple[Polyline, ...]:
    """A line for each budget that is the same for all boards, where it is near the points."""
    found = []
    budgets = points.ranking.plan.budgets.limits()
    ends = [_ends(known, metric) for metric in (x, y)]
    for place, metric in enumerate((x, y)):
        if metric not in budgets:
            continue
        limit = budgets[metric] * (100 if metrics.unit(metric) == "%" else 1)
        low, high = ends[place]
        if low / _NEAR <= limit <= high * _NEAR:
            across = ends[1 - place]
            line = ((limit, across[0]), (limit, across[1])) if place == 0 else ((across[0], limit), (across[1], limit))
            found.append(Polyline(points=line, kind="limit"))
    return tuple(found)


def _ends(known: Sequence[PointRow], metric: str) -> tuple[float, float]:
    """The smallest and the largest value, or bound, of what is drawn."""
    numbers = [value(item, metric) for item in known]
    every = [end for number in numbers for end in (number.value, number.low, number.high) if end is not None]
    return min(every), max(every)


def _note(pair: tuple[str, str], left: int, border: bool, limits: bool) -> str:
    lines = ["The line is the border of what feasible points reach in these two."] if border else []
    if any(name in ESTIMATES for name in pair):
        lines.append("Thin lines are the bounds of estimates.")
    if limits:
        lines.append("Dashed lines are budgets.")
    if left:
        lines.append(f"{words.count(left, 'point')} without numbers of both cannot be drawn; the tables have them.")
    return " ".join(lines)
