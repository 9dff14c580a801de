"""The tables of a sweep: its front, what the front beats, what is infeasible or failed, every point, every axis."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from harness.gate import words
from harness.page import metrics
from harness.page.document import Cell, Code, Column, Link, Mark, Row, State, Table
from harness.page.values import Number, derived, missing
from harness.sweep.metrics import METRICS
from harness.sweep.pareto import Goal, Ranking, Standing
from harness.sweep.tables import PointRow

INFEASIBLE = ("over budget", "verdict no", "too large", "undecided")
FAILED = ("not measured", "impossible", "not run")
_MEANS = {
    "over budget": "exceeds a budget",
    "verdict no": "does not fit, or is not exact",
    "too large": "cannot be linked for the board",
    "undecided": "a budget lies between the bounds of an estimate",
    "not measured": "could not be measured",
    "impossible": "the combination cannot be",
    "not run": "not run yet",
}
_STATES: dict[str, State] = {"ok": "pass", "undecided": "undecided", "not measured": "undecided",
                             "not run": "undecided", "impossible": "note", "no value": "note"}  # fmt: skip


_BOARDS = "the board's"  # the FPU of a point that was never built


class Fate(NamedTuple):
    """What became of a point in the choice: a name, and the standing where it took part."""

    name: str
    standing: Standing | None


class Axis(NamedTuple):
    """An axis of the sweep: its name, and a point's value on it."""

    name: str
    value: Callable[[PointRow], str]


AXES = (
    Axis("model", lambda item: item.point.choice.model),
    Axis("platform", lambda item: item.point.choice.platform),
    Axis("kernels", lambda item: item.point.choice.kernels),
    Axis("optimisation", lambda item: item.point.choice.optimisation),
    Axis("FPU", lambda item: _fpu(item)),
    Axis("emulator", lambda item: item.point.choice.emulator),
    Axis("TFLM", lambda item: "packaged" if item.point.choice.tflm is None else item.point.choice.tflm.name),
)


def _fpu(item: PointRow) -> str:
    if item.point.facts is not None:
        return "yes" if item.point.facts.fpu else "no"
    return {None: _BOARDS, True: "yes", False: "no"}[item.point.choice.fpu]


class Points:
    """The points of a sweep in their order, with what became of each in the choice.

    ``axes`` are those on which the points differ, ``common`` the others with the one value.
    """

    def __init__(self, rows: Sequence[PointRow], ranking: Ranking) -> None:
        self.rows, self.ranking = tuple(rows), ranking
        values = {axis: dict.fromkeys(name for name in map(axis.value, self.rows) if name != _BOARDS) for axis in AXES}
        self.axes = tuple(
            axis for axis in AXES if len(values[axis]) > 1 and not (axis.name == "FPU" and self._decided())
        )
        self.common = tuple((axis.name, next(iter(values[axis]))) for axis in AXES if len(values[axis]) == 1)
        # By the points themselves: a plan that somebody else wrote may have two of one choice.
        self._numbers = {id(item.point): number for number, item in enumerate(self.rows, 1)}
        self._fates = {id(standing.item.point): Fate("front", standing) for standing in ranking.front}
        self._fates |= {id(standing.item.point): Fate("beaten", standing) for standing in ranking.beaten}
        self._out = {id(item.point): item for item in ranking.out}

    def _decided(self) -> bool:
        """Whether each platform decides its FPU, so that this is no axis of its own."""
        found: dict[str, set[str]] = {}
        for item in self.rows:
            found.setdefault(item.point.choice.platform, set()).add(_fpu(item))
        return all(len(values - {_BOARDS}) <= 1 for values in found.values())

    def number(self, item: PointRow) -> int:
        """A point's number, from 1 in the order of the plan."""
        return self._numbers[id(item.point)]

    def fate(self, item: PointRow) -> Fate:
        """What became of it: "front", "beaten", "no value" of an objective, or its state."""
        found = self._fates.get(id(item.point))
        return found or Fate("no value" if item.state == "ok" else item.state, None)

    def reason(self, item: PointRow) -> str:
        """Why it took no part in the choice, "" where it did."""
        found = self._out.get(id(item.point))
        return "" if found is None else found.reason or _MEANS.get(found.state, found.state)

    def label(self, item: PointRow) -> str:
        """A point by what tells it apart from the others."""
        return " ".join(filter(None, (_on(axis, item) for axis in self.axes))) or item.point.choice.model

    def link(self, item: PointRow) -> Link:
        """To its row."""
        return Link(text=self.label(item), target=row_id(self.number(item)))

    def of(self, *fates: str) -> tuple[PointRow, ...]:
        """The points of these fates, in their order."""
        return tuple(item for item in self.rows if self.fate(item).name in fates)


def _on(axis: Axis, item: PointRow) -> str:
    value = axis.value(item)
    return {"yes": "FPU", "no": "no FPU"}.get(value, "") if axis.name == "FPU" else value


def row_id(number: int) -> str:
    """The place of a point on the page."""
    return f"point-{number}"


def value(item: PointRow, metric: str) -> Number:
    """A point's value of a metric, with the bounds of an estimate, or the reason why there is none."""
    estimate = None if item.estimate is None or METRICS[metric].source != "estimate" else item.estimate.of(metric)
    return metrics.number(metric, item.value(metric), estimate, _why(item, metric))


def _why(item: PointRow, metric: str) -> str:
    if item.measured is None and METRICS[metric].source != "model":
        return item.reason or _MEANS.get(item.state, item.state)
    if item.point.facts is None:
        return item.reason or "the network is not known"
    if metric == "instructions_per_mac":
        return "the network has no multiply-accumulates"
    return item.missing(metric) or "not known"


def mark(fate: str) -> Mark:
    """What became of a point, as a sign with words."""
    if fate in ("front", "beaten"):
        return Mark(state="pass" if fate == "front" else "note", text="on the front" if fate == "front" else "beaten")
    return Mark(state=_STATES.get(fate, "fail"), text=fate)


# --- the choice ------------------------------------------------------------------------------------------------------


def goal_name(goal: Goal) -> str:
    """An objective in words: "least instructions"."""
    return f"{'least' if goal.direction == 'min' else 'most'} {metrics.named(goal.metric)}"


def best_of(points: Points, place: int) -> Standing | None:
    """The feasible point that is best in an objective; where several are equal, the one that the others decide for."""
    goal = points.ranking.goals[place]
    known = points.ranking.front
    return min(known, key=lambda one: goal.cost(one.values[place]), default=None)


def best(points: Points) -> Table | None:
    """The best point of each objective; None: no point took part."""
    rows = []
    for place, goal in enumerate(points.ranking.goals):
        found = best_of(points, place)
        if found is not None:
            others = [value(found.item, other.metric) for other in points.ranking.goals]
            rows.append(Row(cells=(goal_name(goal), points.link(found.item), *others)))
    if not rows:
        return None
    return Table(
        id="sweep-best",
        caption="The best point of each objective",
        columns=(Column(key="objective", title="objective"), Column(key="point", title="point"),
                 *_goal_columns(points)),
        rows=tuple(rows),
        note="The first objective decides which point is the best of the sweep." if len(rows) > 1 else "",
    )  # fmt: skip


def _goal_columns(points: Points) -> tuple[Column, ...]:
    return tuple(_metric_column(goal.metric) for goal in points.ranking.goals)


def _metric_column(metric: str, bar: bool = False) -> Column:
    return Column(key=metric, title=metrics.named(metric), numeric=True, bar=bar)


def front(points: Points) -> Table | None:
    """The points that nothing beats, the best in the first objective first; None: there is no front."""
    return _standings(points, points.ranking.front, "sweep-front", "The Pareto front, the best point first",
                      "against the best")  # fmt: skip


def beaten(points: Points) -> Table | None:
    """The points that one of the front beats in every objective; None: there is none."""
    return _standings(points, points.ranking.beaten, "sweep-beaten", "Beaten by a point of the front", "lost by")


def _standings(points: Points, found: Sequence[Standing], id_: str, caption: str, lost: str) -> Table | None:
    if not found:
        return None
    goals = points.ranking.goals
    rows = [
        Row(
            cells=(
                points.link(one.item),
                *(value(one.item, goal.metric) for goal in goals),
                one.lost_by or "the best",
            )
        )
        for one in found
    ]
    first = goals[0]
    return Table(
        id=id_,
        caption=f"{caption}: {words.count(len(found), 'point')}",
        columns=(Column(key="point", title="point"), *_goal_columns(points), Column(key="lost", title=lost)),
        rows=tuple(rows),
        sorted_by=first.metric if first.direction == "min" else f"-{first.metric}",
        filter=len(rows) > 15,
    )


# --- what took no part -----------------------------------------------------------------------------------------------


def infeasible(points: Points) -> Table | None:
    """Points that were measured, or linked, and do not keep a limit: which one, and by how much; None: none."""
    found = points.of(*INFEASIBLE, "no value")
    if not found:
        return None
    rows = [Row(cells=(points.link(item), mark(points.fate(item).name), _limits(item), points.reason(item)))
            for item in found]  # fmt: skip
    return Table(
        id="sweep-infeasible",
        caption=f"Infeasible, undecided or without a value: {words.count(len(found), 'point')}",
        columns=(
            Column(key="point", title="point"),
            Column(key="state", title="state"),
            Column(key="limit", title="limit", help="What keeps the point out of the choice."),
            Column(key="reason", title="why"),
        ),
        rows=tuple(rows),
        filter=len(rows) > 15,
    )


def _limits(item: PointRow) -> str:
    """Which limit keeps it out."""
    budgets = [f"budget of {metrics.named(name)}" for name in (*item.over, *item.undecided)]
    if item.state == "too large":
        return "the board's memory"
    if item.state == "verdict no":
        inexact = item.row is not None and item.row.output_exact is False
        return ", ".join(["exact outputs" if inexact else "the board's memory", *budgets])
    return ", ".join(budgets) or "no value of an objective"


def failed(points: Points) -> Table | None:
    """Points without numbers, each with its reason; None: none."""
    found = points.of(*FAILED)
    if not found:
        return None
    rows = [
        Row(cells=(points.link(item), mark(item.state), points.reason(item), _hint(item)), state=mark(item.state).state)
        for item in found
    ]
    return Table(
        id="sweep-failed",
        caption=f"Failed or not run: {words.count(len(found), 'point')}",
        columns=(
            Column(key="point", title="point"),
            Column(key="state", title="state"),
            Column(key="reason", title="reason"),
            Column(key="hint", title="what to do"),
        ),
        rows=tuple(rows),
        filter=len(rows) > 15,
    )


def _hint(item: PointRow) -> str:
    failure = item.point.failure if item.row is None else item.row.failure
    if failure is None:
        return "the same sweep goes on where it was interrupted"
    return failure.hint or ""


# --- all points ------------------------------------------------------------------------------------------------------


_SHOWN = ("instructions", "instructions_per_mac", "macs", "flash", "ram", "arena", "stack", "accuracy", "latency",
          "energy")  # fmt: skip


def shown_metrics(points: Points) -> tuple[str, ...]:
    """The metrics that some point has a value of; the objectives first."""
    wanted = dict.fromkeys((*(goal.metric for goal in points.ranking.goals), *_SHOWN))
    return tuple(name for name in wanted if any(item.value(name) is not None for item in points.rows))


def every(points: Points) -> Table:
    """A row for each point, in the order of the sweep's axes."""
    names = shown_metrics(points)
    axes = points.axes or AXES[:1]
    return Table(
        id="sweep-points",
        caption=f"Every point: {len(points.rows):,}",
        columns=(
            *(Column(key=f"axis-{axis.name}", title=axis.name) for axis in axes),
            Column(key="state", title="state"),
            *(_metric_column(name, name == points.ranking.goals[0].metric) for name in names),
            Column(key="run", title="run", help="The stored run: harness report RUN shows its layers and functions."),
        ),
        rows=tuple(_point(points, item, axes, names) for item in points.rows),
        filter=True,
    )


def _point(points: Points, item: PointRow, axes: Iterable[Axis], names: Iterable[str]) -> Row:
    number, fate = points.number(item), points.fate(item).name
    run: Cell = "-"
    if item.row is not None and item.row.run_id is not None:
        run = Code(text=item.row.run_id[-12:], title=item.row.run_id)
    cells = (
        *(axis.value(item) for axis in axes),
        mark(fate),
        *(value(item, name) for name in names),
        run,
    )
    return Row(cells=cells, id=row_id(number), tags=(f"fate-{fate.replace(' ', '-')}",))


# --- axes ------------------------------------------------------------------------------------------------------------


def axes(points: Points) -> Table | None:
    """What came of each value of each axis: how many points, and the best of them; None: all points have the same."""
    rows = [row for axis in points.axes for row in _axis(points, axis)]
    if not rows:
        return None
    return Table(
        id="sweep-axes",
        caption="Values of the axes: how many points, and the best in each objective",
        columns=(
            Column(key="axis", title="axis"),
            Column(key="value", title="value"),
            Column(key="points", title="points", numeric=True),
            Column(key="feasible", title="feasible", numeric=True, help="Exact, on its board, within every budget."),
            Column(key="front", title="on the front", numeric=True),
            *(Column(key=goal.metric, title=goal_name(goal), numeric=True) for goal in points.ranking.goals),
        ),
        rows=tuple(rows),
        filter=len(rows) > 30,
        note="The best of a value's feasible points; never an average over points.",
    )


def _axis(points: Points, axis: Axis) -> list[Row]:
    rows = []
    for name in dict.fromkeys(map(axis.value, points.rows)):
        own = [item for item in points.rows if axis.value(item) == name]
        took = [item for item in own if points.fate(item).standing is not None]
        on_front = [item for item in own if points.fate(item).name == "front"]
        counts = tuple(derived(len(found), "") for found in (own, took, on_front))
        rows.append(Row(cells=(axis.name, name, *counts, *_best(points, took))))
    return rows


def _best(points: Points, took: Sequence[PointRow]) -> list[Number]:
    found = []
    for place, goal in enumerate(points.ranking.goals):
        if not took:
            found.append(missing(metrics.unit(goal.metric), "none of its points is feasible",
                                 metrics.origin(goal.metric)))  # fmt: skip
            continue
        standings = [standing for item in took if (standing := points.fate(item).standing) is not None]
        first = min(standings, key=lambda one: goal.cost(one.values[place]))
        found.append(value(first.item, goal.metric))
    return found
