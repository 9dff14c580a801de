"""The drawings of a study: the front with its bands, how the search got on, how trials ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from harness.optimize import choose
from harness.optimize.records import TrialRecord
from harness.optimize.scenario import ACCURACY, Scenario
from harness.page import metrics, text
from harness.page import study_tables as tables
from harness.page.document import Chart, Column, Row, Table
from harness.page.svg import Axis, Bar, Line, Part, Point, Polyline, Step, bars, scatter, steps
from harness.page.svg.scatter import Shape
from harness.page.values import Number

_NEAR = 2.0  # a limit is drawn where it is at most so many times beyond the points
_LOGARITHMIC_FROM = 10.0


class _Look(NamedTuple):
    kind: str
    shape: Shape
    means: str


_LOOKS = {
    "missed": _Look("part-2", "cross", "missing a budget"),
    "undecided": _Look("part-5", "diamond", "undecided"),
    "met": _Look("part-9", "ring", "meeting every budget"),
    "front": _Look("part-0", "circle", "meeting every budget, beaten by none"),
    "pick": _Look("part-4", "square", "the pick"),
}


def across(scenario: Scenario) -> str:
    """What accuracy is drawn against: the first objective that is another, else instructions."""
    return next((name for name in scenario.file.objectives if name != ACCURACY), "instructions")


def front(scenario: Scenario, records: Sequence[TrialRecord], chosen: Sequence[int], pick: int | None) -> Chart | None:
    """Each trained trial by its accuracy and the first other objective; None: none was trained."""
    metric = across(scenario)
    own = [record for record in records if record.duplicate_of is None]
    trained = ((record, tables.value(scenario, record, metric)) for record in own if record.accuracy is not None)
    known = [(record, up) for record, up in trained if up.value is not None]
    if not known:
        return None
    looks = {record.number: _look(record, chosen, pick) for record, _ in known}
    order = list(_LOOKS)
    known.sort(key=lambda item: order.index(looks[item[0].number]))
    points = [_point(record, up, _LOOKS[looks[record.number]]) for record, up in known]
    counts = {name: sum(found == name for found in looks.values()) for name in order}
    said = "; ".join(f"{counts[name]} {_LOOKS[name].means}" for name in reversed(order) if counts[name])
    summary = f"{len(known)} trained trials by accuracy and {metrics.named(metric)}: {said}."
    untrained = sum(record.measured and record.accuracy is None for record in own)
    notes = ["Thin lines are the bounds of estimates."] if any(up.origin == "estimated" for _, up in known) else []
    if untrained:
        notes.append(f"{untrained} that were measured and not trained have no accuracy, and are in the table.")
    unit = metrics.unit(metric)
    values = [point.y for point in points]
    logarithmic = min(values) > 0 and max(values) / min(values) >= _LOGARITHMIC_FROM
    return Chart(
        id="study-chart",
        title=f"{metrics.named(metric)} against accuracy",
        svg=scatter(points, Axis(title="accuracy on the validation part, %"),
                    Axis(title=f"{metrics.named(metric)}{f', {unit}' if unit else ''}", log=logarithmic), summary,
                    _limits(scenario, metric, points)),
        summary=summary,
        table="study-trials",
        note=" ".join(notes),
        legend=tuple((f"{_LOOKS[name].shape} {_LOOKS[name].kind}", _LOOKS[name].means)
                     for name in reversed(order) if counts[name]),
    )  # fmt: skip


def _look(record: TrialRecord, chosen: Sequence[int], pick: int | None) -> str:
    if record.number == pick:
        return "pick"
    return "front" if record.number in chosen else record.state


def _point(record: TrialRecord, up: Number, look: _Look) -> Point:
    assert record.accuracy is not None and up.value is not None, "trials without are not drawn"
    tip = (f"trial {record.number}, {record.candidate.label}: {100 * record.accuracy:.2f} %, {text.spoken(up)}; "
           f"{look.means}")  # fmt: skip
    return Point(x=100 * record.accuracy, y=up.value, tip=tip, kind=look.kind, shape=look.shape, low=up.low,
                 high=up.high, target=tables.trial_id(record.number))  # fmt: skip


def _limits(scenario: Scenario, metric: str, points: Sequence[Point]) -> tuple[Polyline, ...]:
    """The budgets of both axes, where they are near the points."""
    found = []
    x = [point.x for point in points]
    y = [end for point in points for end in (point.y, point.low, point.high) if end is not None]
    for budget in scenario.budgets:
        if budget.metric == metric and min(y) / _NEAR <= budget.limit <= max(y) * _NEAR:
            found.append(Polyline(points=((min(x), budget.limit), (max(x), budget.limit)), kind="limit"))
        if budget.metric == ACCURACY and min(x) / _NEAR <= 100 * budget.limit <= max(x) * _NEAR:
            found.append(Polyline(points=((100 * budget.limit, min(y)), (100 * budget.limit, max(y))), kind="limit"))
    return tuple(found)


# --- convergence -----------------------------------------------------------------------------------------------------


def course(scenario: Scenario, records: Sequence[TrialRecord]) -> tuple[TrialRecord | None, ...]:
    """After each trial the best so far that meets every budget and is trained; None: there is none yet."""
    found: list[TrialRecord | None] = []
    best: TrialRecord | None = None
    for record in records:
        if choose.met([record]):
            best = record if best is None else choose.ranked(scenario, [best, record])[0]
        found.append(best)
    return tuple(found)


def convergence(scenario: Scenario, records: Sequence[TrialRecord]) -> tuple[Chart, Table] | None:
    """The first objective of the best so far, as a line and as a table of its turns; None: nothing met the budgets."""
    best = course(scenario, records)
    if not records or best[-1] is None:
        return None
    metric = scenario.file.objectives[0]
    given = [_step(scenario, index, item, metric) for index, item in enumerate(best)]
    turns = [(index, item) for index, item in enumerate(best)
             if item is not None and (not index or item is not best[index - 1])]  # fmt: skip
    unit = metrics.unit(metric)
    limits = [Line(value=100 * item.limit if metric == ACCURACY else item.limit, text=f"budget {item.text}")
              for item in scenario.budgets if item.metric == metric and metric == ACCURACY]  # fmt: skip
    last = tables.value(scenario, best[-1], metric)
    summary = (f"The best so far turned {len(turns)} times; the last time after {turns[-1][0] + 1} of {len(records)} "
               f"trials, to {text.spoken(last)}.")  # fmt: skip
    chart = Chart(
        id="study-course",
        title=f"{metrics.named(metric)} of the best so far",
        svg=steps(given, f"{metrics.named(metric)}{f', {unit}' if unit else ''}", "trials", summary, limits),
        summary=summary,
        table="study-turns",
    )
    return chart, _turns(scenario, turns)


def _step(scenario: Scenario, index: int, item: TrialRecord | None, metric: str) -> Step:
    if item is None:
        return Step(name=str(index), value=None, tip=f"after trial {index} nothing meets every budget")
    found = tables.value(scenario, item, metric)
    tip = f"after trial {index}: {text.spoken(found)}, of trial {item.number}"
    return Step(name=str(index), value=found.value, tip=tip)


def _turns(scenario: Scenario, turns: Sequence[tuple[int, TrialRecord]]) -> Table:
    names = tuple(dict.fromkeys((*scenario.file.objectives, ACCURACY, "instructions")))
    rows = [
        Row(cells=(str(index), tables.link(item), *(tables.value(scenario, item, name) for name in names)))
        for index, item in turns
    ]
    return Table(
        id="study-turns",
        caption="Where the best so far turned",
        columns=(
            Column(key="after", title="after trial"),
            Column(key="best", title="best"),
            *(Column(key=name, title=metrics.named(name), numeric=True) for name in names),
        ),
        rows=tuple(rows),
        note="Best: of the trials so far that meet every budget and are trained, the best in the first objective.",
    )


# --- how trials ended ------------------------------------------------------------------------------------------------


def ends(records: Sequence[TrialRecord]) -> Chart:
    """A bar for each way in which trials ended."""
    counts = tables.counted(records)
    order = {
        "met": "part-1",
        "undecided": "part-5",
        "missed": "part-2",
        "without numbers": "part-6",
        "duplicate": "part-9",
    }
    given = [
        Bar(name=name, parts=(Part(value=counts[name], tip=f"{name}: {counts[name]} trials", kind=kind),),
            limit=len(records), text=f"{counts[name]} of {len(records)}")
        for name, kind in order.items() if counts[name]
    ]  # fmt: skip
    said = ", ".join(f"{counts[name]} {name}" for name in order if counts[name])
    summary = f"{len(records)} trials: {said}."
    return Chart(id="study-ends-chart", title="Trials by their end", svg=bars(given, summary), summary=summary,
                 table="study-ends")  # fmt: skip
