"""A sweep from its file to its tables: expand, build, measure what is not stored yet, several points at once."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path

from harness.errors import EXIT_NOT_MEASURED, EXIT_PASS, EXIT_VERDICT_NO, HarnessError
from harness.library import Progress, silent
from harness.records import Record
from harness.sweep import expand, file, points, tables
from harness.sweep import measure as worker
from harness.sweep.executor import Executor, WorkerError
from harness.sweep.measure import Measure, Task
from harness.sweep.plan import Plan, Point, Row
from harness.sweep.workers import Workers
from harness.zoo.recipe import Recipe

# Of a point whose like was never measured here: a network of some million instructions, libraries built.
ASSUMED_SECONDS = 1.0
ASSUMED_BUILD_SECONDS = 30.0

# Told of each point that has ended, and of how many are done out of how many.
OnPoint = Callable[[Point, Row, int, int], None]


# Builds what points need; returns the error of each point, by identity, that it cannot build for.
Build = Callable[[tuple[Point, ...], Progress], dict[str, HarnessError]]


# Makes what measures points, several at once: at most so many, or as many as it has room for.
Start = Callable[[Measure, int | None], Executor[Task, Row]]


class Outlook(Record, frozen=True):
    """What a sweep would do. ``seconds_per_point`` is the mean of the stored points, or assumed where there are none.

    ``unmade`` are the points whose network the zoo has to make; whether they are stored shows only then. ``builds`` is
    how many libraries have to be built, that of the host among them.
    """

    plan: Plan
    stored: int
    to_run: tuple[Point, ...]
    unmade: tuple[Point, ...]
    jobs: int
    seconds_per_point: float
    assumed: bool
    builds: int

    @property
    def seconds(self) -> float:
        """About how long the points take, without networks and builds."""
        number = len(self.to_run) + len(self.unmade)
        return self.seconds_per_point * number / max(min(self.jobs, number), 1)

    @property
    def networks(self) -> tuple[Recipe, ...]:
        """What the zoo has to make."""
        found = (point.choice.recipe for point in self.unmade)
        return tuple(dict.fromkeys(recipe for recipe in found if recipe is not None))


class Outcome(Record, frozen=True):
    """A sweep that has ended: its plan, the rows by identity, what this run added, where the tables are."""

    plan: Plan
    rows: dict[str, Row]
    ran: int
    tables: tuple[Path, ...]
    note: str | None

    @property
    def exit_code(self) -> int:
        """3: some points could not be measured, or keep a budget or not by what is known of their estimates; else 1:
        some do not fit, are not exact or exceed a budget; else 0.

        Combinations that are impossible are no failure of anything.
        """
        states = [row.state for row in tables.point_rows(self.plan, self.rows)]
        if "not measured" in states or "undecided" in states:
            return EXIT_NOT_MEASURED
        return EXIT_PASS if all(state in ("ok", "impossible") for state in states) else EXIT_VERDICT_NO


def usable_cores() -> int:
    """How many points run at once where nothing is said."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def here(measure: Measure, jobs: int | None) -> Workers[Task, Row]:
    """Processes of this machine."""
    return Workers(measure, jobs or usable_cores())


def outlook(path: Path, *, jobs: int | None = None, retry: bool = False) -> Outlook:
    """What ``run`` would do, without doing or storing anything. Arguments and errors are those of ``run``."""
    plan = expand.expand(file.load(path))
    stored = points.read(plan.name)
    todo = _to_run(plan, stored, retry)
    unmade = tuple(point for point in plan.points if point.identity is None and point.failure is None)
    known = [row.seconds for row in stored.values() if row.measured is not None]
    return Outlook(
        plan=plan,
        stored=len(expand.runnable(plan.points)) - len(todo),
        to_run=todo,
        unmade=unmade,
        jobs=usable_cores() if jobs is None else jobs,
        seconds_per_point=sum(known) / len(known) if known else ASSUMED_SECONDS,
        assumed=not known,
        builds=worker.missing_builds((*todo, *unmade)),
    )


def run(
    path: str | Path,
    *,
    jobs: int | None = None,
    retry: bool = False,
    progress: Progress = silent,
    on_point: OnPoint | None = None,
    command: tuple[str, ...] = (),
    measure: Measure = worker.measure,
    build: Build = worker.build,
    executor: Start = here,
) -> Outcome:
    """Measure every point of a sweep file that is not stored yet; store each as soon as it has ended.

    Args:
        path: the sweep file.
        jobs: how many points run at once; None: as many as there are cores, or workers of a cluster.
        retry: run the points again that could not be measured.
        progress: told about networks that are made, and builds.
        on_point: told about each point that has ended.
        command: what to record as the command that asked for the runs.
        measure, build: what is done with a point, and once before all.
        executor: where points are measured; ``harness.sweep.remote.executor`` is a cluster, with
            ``harness.sweep.remote.build_there``.

    Raises:
        BadInputError: the file, or a value in it, cannot be used; or the sweep is under way in another process (2).
        HarnessError: a compiler is missing, a library does not build, results cannot be stored, a cluster is gone (3).
    """
    checked = file.load(Path(path))
    with points.locked(checked.sweep.name):  # first: networks take long to make, and a second sweep would wait for them
        plan = expand.expand(checked, make=True, progress=progress)
        rows = points.read(plan.name)
        todo = _to_run(plan, rows, retry)
        points.write_plan(plan)
        if todo:
            errors = build(todo, progress)
            rows |= _measure(plan, todo, executor(measure, jobs), errors, on_point, command)
        written, note = tables.write(plan, rows)
    return Outcome(plan=plan, rows=rows, ran=len(todo), tables=written, note=note)


def _to_run(plan: Plan, stored: dict[str, Row], retry: bool) -> tuple[Point, ...]:
    def missing(point: Point) -> bool:
        known = stored.get(point.identity or "")
        return known is None or (retry and known.failure is not None and known.failure.kind == "not measured")

    return tuple(point for point in expand.runnable(plan.points) if missing(point))


def _measure(
    plan: Plan,
    todo: tuple[Point, ...],
    executor: Executor[Task, Row],
    errors: dict[str, HarnessError],
    on_point: OnPoint | None,
    command: tuple[str, ...],
) -> dict[str, Row]:
    calibrations = {item.platform: item for item in plan.calibrations}
    by_identity = {point.identity: point for point in todo if point.identity is not None}
    tasks = {
        identity: Task(
            identity=identity,
            choice=point.choice,
            time_limit_s=plan.time_limit_s,
            command=command,
            inputs=plan.inputs,
            cycles=plan.cycles,
            calibration=calibrations.get(point.choice.platform),
        )
        for identity, point in by_identity.items()
    }
    rows: dict[str, Row] = {}
    with points.Log(plan.name) as log, executor as workers:
        for task, outcome in itertools.chain(
            ((tasks[identity], error) for identity, error in errors.items()),
            workers.map(task for identity, task in tasks.items() if identity not in errors),
        ):
            row = outcome if isinstance(outcome, Row) else worker.failed(task, _explained(outcome), 0.0)
            log.add(row)
            rows[task.identity] = row
            if on_point is not None:
                on_point(by_identity[task.identity], row, len(rows), len(tasks))
    return rows


def _explained(error: HarnessError) -> HarnessError:
    """With the last line of a traceback in the message, as a row holds no more."""
    if not isinstance(error, WorkerError):
        return error
    last = (error.detail or "").strip().splitlines()[-1:]
    return HarnessError(": ".join((error.message, *last)), error.hint)
