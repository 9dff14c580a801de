"""The choice: which points nothing beats, which of them is best under the budgets, and what every other lost by."""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import BadInputError
from harness.records import Record
from harness.sweep import metrics, points, tables
from harness.sweep.file import Objective
from harness.sweep.metrics import METRICS, Direction
from harness.sweep.plan import Plan
from harness.sweep.tables import PointRow


class Goal(Record, frozen=True):
    """An objective with its direction."""

    metric: str
    direction: Direction

    def cost(self, value: float) -> float:
        """The value so that less is better."""
        return value if self.direction == "min" else -value


class Standing(Record, frozen=True):
    """A point in the choice: its value of each goal, and what it lost by (of the best point: nothing)."""

    item: PointRow
    values: tuple[float, ...]
    lost_by: str | None


class Ranking(Record, frozen=True):
    """The front in the order of the first goal, the best first; the points that something on it beats; those that could
    not take part, each with its reason (``PointRow.reason``)."""

    plan: Plan
    goals: tuple[Goal, ...]
    front: tuple[Standing, ...]
    beaten: tuple[Standing, ...]
    out: tuple[PointRow, ...]

    @property
    def best(self) -> Standing | None:
        """The point of the front that is best in the first goal; in the next ones where several are equal."""
        return self.front[0] if self.front else None


def parse(text: str) -> Objective:
    """An objective as it is typed: "flash", "flash:min".

    Raises:
        BadInputError: it is none.
    """
    metric, _, direction = text.partition(":")
    metrics.get(metric)
    directions: dict[str, Direction | None] = {"": None, "min": "min", "max": "max"}
    if direction not in directions:
        raise BadInputError(f"unknown direction {direction!r} in {text!r}", f"{metric}:min or {metric}:max")
    return Objective(metric=metric, direction=directions[direction])


def of_sweep(name: str, objectives: Sequence[Objective] = ()) -> Ranking:
    """The choice in a stored sweep; without objectives, by those of its file.

    Raises:
        BadInputError: there is no such sweep.
    """
    plan = points.read_plan(name)
    return choose(plan, tables.point_rows(plan, points.read(name)), objectives or plan.objectives)


def choose(plan: Plan, rows: Sequence[PointRow], objectives: Sequence[Objective]) -> Ranking:
    """Sort the points of a sweep.

    Only a point that is measured, exact, and within its board and every budget takes part; one whose estimate leaves
    open whether it keeps a budget does not. A missing value is none, and keeps a point out. Points of equal values are
    all on the front, or none is.
    """
    goals = tuple(
        Goal(metric=item.metric, direction=item.direction or METRICS[item.metric].direction) for item in objectives
    )
    out: list[PointRow] = []
    taking_part: list[Standing] = []
    for item in rows:
        standing = _standing(item, goals)
        if isinstance(standing, Standing):
            taking_part.append(standing)
        else:
            out.append(standing)
    taking_part.sort(key=lambda standing: _costs(standing, goals))
    front = [one for one in taking_part if not any(_beats(other, one, goals) for other in taking_part)]
    beaten = [one for one in taking_part if one not in front]
    return Ranking(
        plan=plan,
        goals=goals,
        front=tuple(
            _explained(one, _against_best(one, front[0], goals) if index else None) for index, one in enumerate(front)
        ),
        beaten=tuple(_explained(one, _against_front(one, front, goals)) for one in beaten),
        out=tuple(out),
    )


def _standing(item: PointRow, goals: Sequence[Goal]) -> Standing | PointRow:
    if item.state != "ok" or item.measured is None:
        return item
    values = [item.value(goal.metric) for goal in goals]
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        missing = [goal.metric for goal, value in zip(goals, values, strict=True) if value is None]
        reasons = dict.fromkeys(why for metric in missing if (why := item.missing(metric)) is not None)
        reason = ": ".join((f"no value for {', '.join(missing)}", *(["; ".join(reasons)] if reasons else [])))
        return PointRow(point=item.point, row=item.row, state=item.state, reason=reason, over={})
    return Standing(item=item, values=tuple(known), lost_by=None)


def _explained(standing: Standing, lost_by: str | None) -> Standing:
    return Standing(item=standing.item, values=standing.values, lost_by=lost_by)


def _costs(standing: Standing, goals: Sequence[Goal]) -> tuple[float, ...]:
    return tuple(goal.cost(value) for goal, value in zip(goals, standing.values, strict=True))


def _beats(one: Standing, other: Standing, goals: Sequence[Goal]) -> bool:
    """At least as good in every goal, and better in one."""
    mine, theirs = _costs(one, goals), _costs(other, goals)
    return mine != theirs and all(a <= b for a, b in zip(mine, theirs, strict=True))


def _against_best(one: Standing, best: Standing, goals: Sequence[Goal]) -> str:
    """What a point of the front lacks to the best one, and what it is better in."""
    worse, better = [], []
    for goal, mine, theirs in zip(goals, one.values, best.values, strict=True):
        if goal.cost(mine) > goal.cost(theirs):
            worse.append(_gap(goal, mine, theirs))
        elif mine != theirs:
            better.append(_gap(goal, mine, theirs))
    if not worse:
        return "equal to the best"
    return ", ".join(worse) + (f"; in return {', '.join(better)}" if better else "")


def _against_front(one: Standing, front: Sequence[Standing], goals: Sequence[Goal]) -> str:
    """By how much the first point of the front that beats it does."""
    winner = next(other for other in front if _beats(other, one, goals))
    gaps = [
        _gap(goal, mine, theirs)
        for goal, mine, theirs in zip(goals, one.values, winner.values, strict=True)
        if mine != theirs
    ]
    return f"{', '.join(gaps)} against {_difference(winner, one)}"


def _difference(winner: Standing, loser: Standing) -> str:
    """What the winner has otherwise than the loser."""
    theirs, mine = winner.item.point, loser.item.point
    axes = [
        str(getattr(theirs.choice, axis))
        for axis in ("model", "platform", "kernels", "optimisation", "emulator")
        if getattr(theirs.choice, axis) != getattr(mine.choice, axis)
    ]
    if theirs.facts is not None and mine.facts is not None and bool(theirs.facts.fpu) != bool(mine.facts.fpu):
        axes.append("an FPU" if theirs.facts.fpu else "no FPU")
    return " ".join(axes)


def _gap(goal: Goal, mine: float, theirs: float) -> str:
    """The distance from another value: relative, and for bytes in bytes too; absolute where it is less than 0.05 %, and
    of shares, whose relative change would be read as one in points."""
    metric, difference = METRICS[goal.metric], mine - theirs
    absolute = metric.change(difference)
    if metric.unit == "%" or abs(difference) < abs(theirs) * 5e-4 or not theirs:
        return f"{goal.metric} {absolute}"
    return f"{goal.metric} {difference / theirs:+.1%}" + (f" ({absolute})" if metric.unit else "")
