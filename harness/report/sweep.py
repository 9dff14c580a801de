"""A sweep on a terminal: its progress, its closing lines, and the choice among its points."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from rich.console import Group, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from harness.errors import EXIT_NOT_MEASURED, EXIT_PASS, EXIT_VERDICT_NO
from harness.gate import words
from harness.report.progress import Rate, Steps
from harness.report.tables import console, printable
from harness.sweep.metrics import ESTIMATES, METRICS
from harness.sweep.pareto import Goal, Ranking, Standing
from harness.sweep.plan import Failure, Point, Row
from harness.sweep.run import ASSUMED_BUILD_SECONDS, OnPoint, Outcome, Outlook
from harness.sweep.tables import PointRow, State, point_rows

_PLAIN_EVERY_S = 10.0
_NOTES = 5
_WIDEST_VALUE = 11
_STYLES = {"not measured": "bold red", "too large": "yellow", "verdict no": "yellow", "over budget": "yellow",
           "undecided": "cyan"}  # fmt: skip


class PointProgress:
    """Points on standard error: a live line on a terminal, elsewhere a line every ten seconds; each failure has one.

    Used as a context manager, and as ``harness.sweep.run.OnPoint``.
    """

    def __init__(self, quiet: bool = False) -> None:
        self._console = console(stderr=True)
        self._quiet = quiet
        self._live: Progress | None = None
        self._failed = 0
        self._first = self._said = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, point: Point, row: Row, done: int, total: int) -> None:
        if self._quiet:
            return
        if row.failure is not None:
            self._failed += 1
            self._console.print(
                Text.assemble((f"{row.failure.kind}: ", _STYLES.get(row.failure.kind, "")),
                              printable(f"{point.choice.label}: {row.failure.message}")),
                soft_wrap=True,
            )  # fmt: skip
        if self._console.is_terminal:
            self._show(done, total)
        else:
            self._print(done, total)

    def _print(self, done: int, total: int) -> None:
        """The rate is that of the points since the first, before which libraries were built and workers started."""
        now = time.monotonic()
        if done == 1:
            self._first = self._said = now
        if done == total:
            self._console.print(f"{done}/{total} points, {self._failed} failed", markup=False)
        elif done > 1 and now - self._said >= _PLAIN_EVERY_S:
            self._said = now
            rate = (done - 1) / (now - self._first)
            self._console.print(f"{done}/{total} points, {self._failed} failed, {rate:.1f}/s, "
                                f"{(total - done) / rate:.0f} s left", markup=False)  # fmt: skip

    def _show(self, done: int, total: int) -> None:
        if self._live is None:
            columns = (SpinnerColumn(), TextColumn("points"), BarColumn(bar_width=20), MofNCompleteColumn(),
                       TextColumn("{task.fields[failed]}"), TimeElapsedColumn(), Rate())  # fmt: skip
            self._live = Progress(*columns, console=self._console, transient=True)
            self._live.start()
            self._task = self._live.add_task("points", total=total, failed="")
        self._live.update(self._task, completed=done, failed=f"{self._failed} failed" if self._failed else "")


@contextlib.contextmanager
def progress(quiet: bool = False) -> Iterator[tuple[Steps, OnPoint]]:
    """What is to be told of builds, and of points, which come after them: two live lines cannot be on one terminal."""
    with PointProgress(quiet=quiet) as points, Steps(quiet=quiet) as steps:

        def on_point(point: Point, row: Row, done: int, total: int) -> None:
            steps.__exit__(None, None, None)
            points(point, row, done, total)

        yield steps, on_point


def outlook(shown: Outlook) -> RenderableType:
    """What a sweep would do."""
    plan = shown.plan
    impossible = sum(point.failure is not None for point in plan.points)
    lines = [Text(f"{plan.name}: {_points(len(plan.points))}", style="bold")]
    if impossible:
        lines[0].append(f", {impossible} of them cannot run", style="yellow")
    lines.append(Text(f"{shown.stored} stored already, {len(shown.to_run)} to run"))
    if shown.unmade:
        lines[1].append(f", {_points(len(shown.unmade))} of networks that have to be made")
    if shown.to_run or shown.unmade:
        rate = f"{shown.seconds_per_point:.2g} s a point, " + ("assumed" if shown.assumed else "as those stored took")
        lines.append(Text(f"about {_duration(shown.seconds)} with {shown.jobs} jobs ({rate})"))
    if shown.networks:
        trained = sum(recipe.train for recipe in shown.networks)
        number = f"{len(shown.networks)} network{'' if len(shown.networks) == 1 else 's'}"
        lines.append(Text(f"{number} to make before" + (f", {trained} of them trained" if trained else "")))
    if shown.builds:
        build = "1 library" if shown.builds == 1 else f"{shown.builds} libraries"
        lines.append(Text(f"{build} to build before, about {_duration(shown.builds * ASSUMED_BUILD_SECONDS)}"))
    lines += _impossible(plan.points)
    return Group(*lines, *_notes(plan.notes))


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{max(seconds, 1):.0f} s"


def _points(number: int) -> str:
    return f"{number} point{'' if number == 1 else 's'}"


def _impossible(points: tuple[Point, ...]) -> list[Text]:
    """A line for each reason, with the first point that has it."""
    labels: dict[tuple[str, str], list[str]] = {}
    for point in points:
        if point.failure is not None:
            labels.setdefault((point.failure.kind, point.failure.message), []).append(point.choice.label)
    return [
        Text(printable(f"{kind}: {first}{f' and {len(others)} more' if others else ''}: {reason}"), style="dim")
        for (kind, reason), (first, *others) in labels.items()
    ]


def _notes(notes: tuple[str, ...]) -> list[Text]:
    lines = [Text(printable(f"note: {note}"), style="dim") for note in notes[:_NOTES]]
    if len(notes) > _NOTES:
        lines.append(Text(f"note: and {len(notes) - _NOTES} more like these", style="dim"))
    return lines


def closing(outcome: Outcome, seconds: float) -> RenderableType:
    """How a sweep ended, and which rule decided its exit code."""
    rows = point_rows(outcome.plan, outcome.rows)
    states = Counter(item.state for item in rows)
    code = outcome.exit_code
    word, style = {
        EXIT_PASS: ("PASS", "bold green"),
        EXIT_VERDICT_NO: ("FAIL", "bold red"),
        EXIT_NOT_MEASURED: ("INCOMPLETE", "bold red"),
    }[code]
    head = Text.assemble((word, style), f"  {outcome.plan.name}: {_points(len(rows))}: ")
    head.append(", ".join(f"{number} {state}" for state, number in states.most_common()))
    head.append(f"; {outcome.ran} run now, {seconds:.1f} s")
    lines = [head]
    if code == EXIT_NOT_MEASURED:
        lines += [Text(f"exit {code}: {text}") for text in _open(states, len(rows))]
        hints = dict.fromkeys(
            failure.hint
            for item in rows
            if item.state == "not measured" and (failure := _failure(item)) is not None and failure.hint
        )
        lines += [Text(printable(f"hint: {hint}")) for hint in hints]
        if states["not measured"]:
            lines.append(Text("hint: the option --retry runs the stored ones of them again"))
        if states["undecided"]:
            lines.append(Text("hint: a calibration of the board and the build narrows the bounds"))
    elif code == EXIT_VERDICT_NO:
        number = states["verdict no"] + states["too large"]
        lines.append(
            Text(
                f"exit {code}: {number} of {_points(len(rows))} do not fit their board or are not exact, "
                f"{states['over budget']} exceed a budget"
            )
        )
    return Group(*lines, *_notes(outcome.plan.notes), *([Text(outcome.note, style="dim")] if outcome.note else []))


def _open(states: Counter[State], points: int) -> list[str]:
    """What keeps a sweep from being judged."""
    found = []
    if states["not measured"]:
        found.append(f"{states['not measured']} of {_points(points)} could not be measured")
    if states["undecided"]:
        found.append(
            f"{states['undecided']} of {_points(points)} undecided: a budget lies between the bounds of an estimate"
        )
    return found


def _failure(item: PointRow) -> Failure | None:
    return item.point.failure if item.row is None else item.row.failure


def ranking(shown: Ranking) -> RenderableType:
    """The front, the best point, what each other lost by, and what took no part."""
    goals = ", ".join(f"{'least' if goal.direction == 'min' else 'most'} {_named(goal.metric)}" for goal in shown.goals)
    parts: list[RenderableType] = [Text(f"{shown.plan.name}: {goals}", style="bold")]
    parts.append(Text(f"budgets: {_budgets(shown) or 'each board'}", style="dim"))
    parts += [
        Text(f"estimated, not measured: {goal.metric} by {' and by '.join(models)}", style="dim")
        for goal in shown.goals
        if (models := _models(shown, goal.metric))
    ]
    axes = _Axes([*(standing.item for standing in (*shown.front, *shown.beaten)), *shown.out])
    if axes.common:
        parts.append(Text(printable(f"all points: {', '.join(axes.common)}"), style="dim"))
    best = shown.best
    if best is None:
        missing = "no point is measured, exact, within the budgets, with a value of each objective"
        parts.append(Text(missing, style="bold red"))
    else:
        parts.append(Text.assemble(("best  ", "bold green"), printable(best.item.point.choice.label), style="bold"))
        parts.append(Text(f"      {_rule(shown.goals)}", style="dim"))
        parts += [
            Text(),
            Text(f"Pareto front, {_points(len(shown.front))}"),
            _standings(axes, shown.front, shown.goals, "against the best"),
        ]
    if shown.beaten:
        parts += [
            Text(),
            Text(f"beaten, {_points(len(shown.beaten))}"),
            _standings(axes, shown.beaten, shown.goals, "lost by"),
        ]
    if shown.out:
        parts += [Text(), Text(f"took no part, {_points(len(shown.out))}"), _out(axes, shown.out)]
    return Group(*parts)


def _budgets(shown: Ranking) -> str:
    budgets = shown.plan.budgets
    found = [
        f"{_named(name)} at {'most' if METRICS[name].direction == 'min' else 'least'} {METRICS[name].text(limit)}"
        for name, limit in budgets.limits().items()
    ]
    for name, limits in budgets.by_platform.items():
        each = ", ".join(f"{METRICS[name].text(limit)} on {platform}" for platform, limit in limits.items())
        found.append(f"{_named(name)} at most {each}")
    return ", ".join(found)


def _named(metric: str) -> str:
    """A metric, said to be estimated where it is."""
    return f"estimated {metric}" if metric in ESTIMATES else metric


def _models(shown: Ranking, metric: str) -> list[str]:
    """The models that a metric is estimated by, with what they rest on; none of what is measured."""
    if metric not in ESTIMATES:
        return []
    items = (*(standing.item for standing in (*shown.front, *shown.beaten)), *shown.out)
    rows = (item.estimate for item in items)
    found = (row.of(metric) for row in rows if row is not None)
    return sorted({f"{quantity.model}, {quantity.tier}" for quantity in found if quantity is not None})


def _rule(goals: tuple[Goal, ...]) -> str:
    first, *rest = (_named(goal.metric) for goal in goals)
    return f"of the front, the best in {first}" + (f"; where equal, in {', then '.join(rest)}" if rest else "")


class _Axes:
    """The columns that tell points apart: an axis on which all have one value is said once instead."""

    _NAMES = ("model", "platform", "kernels", "opt", "fpu", "emulator")

    def __init__(self, items: list[PointRow]) -> None:
        columns = [*zip(*map(_axes, items), strict=True)]
        values = [{cell for cell in column if cell != "-"} for column in columns]
        self._shown = [index for index, found in enumerate(values) if len(found) > 1] or [0]
        self.names = tuple(self._NAMES[index] for index in self._shown)
        said = [index for index in range(len(values)) if index not in self._shown and values[index]]
        self.common = tuple(
            f"FPU {min(values[index])}" if self._NAMES[index] == "fpu" else min(values[index]) for index in said
        )

    def of(self, item: PointRow) -> tuple[Text, ...]:
        """The cells of a point."""
        cells = _axes(item)
        return tuple(Text(printable(cells[index])) for index in self._shown)


def _standings(axes: _Axes, standings: tuple[Standing, ...], goals: tuple[Goal, ...], lost: str) -> Table:
    table = _table()
    for name in axes.names:
        table.add_column(name, overflow="fold", min_width=len(name))
    for goal in goals:
        table.add_column(_named(goal.metric), justify="right", min_width=_WIDEST_VALUE)
    table.add_column(lost, overflow="fold")
    for standing in standings:
        table.add_row(
            *axes.of(standing.item),
            *(_value(standing.item, goal, value) for goal, value in zip(goals, standing.values, strict=True)),
            Text(printable(standing.lost_by or "-")),
        )
    return table


def _value(item: PointRow, goal: Goal, value: float) -> str:
    """A value; below an estimate, its bounds."""
    metric = METRICS[goal.metric]
    text = metric.text(value)
    found = None if item.estimate is None or metric.source != "estimate" else item.estimate.of(goal.metric)
    return text if found is None else f"{text}\n{words.band(found)}"


def _out(axes: _Axes, items: tuple[PointRow, ...]) -> Table:
    table = _table()
    for name in (*axes.names, "state", "reason"):
        table.add_column(name, overflow="fold")
    before = None
    for item in items:
        again = before is not None and (item.state, item.reason) == (before.state, before.reason)
        table.add_row(
            *axes.of(item),
            Text(item.state, style=_STYLES.get(item.state, "")),
            Text("as above", style="dim") if again else Text(printable(item.reason or "")),
        )
        before = item
    return table


def _table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))


def _axes(item: PointRow) -> tuple[str, ...]:
    chosen, facts = item.point.choice, item.point.facts
    fpu = ("yes" if facts.fpu else "no") if facts else {None: "-", True: "yes", False: "no"}[chosen.fpu]
    return chosen.model, chosen.platform, chosen.kernels, chosen.optimisation, fpu, chosen.emulator
