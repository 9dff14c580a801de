"""The gate from policy to verdict: measure what was not measured yet, several runs at once, or take given results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from harness import baseline, labels, platforms, setup
from harness.errors import BadInputError, HarnessError
from harness.gate import decide, policy
from harness.gate import measure as worker
from harness.gate.judge import Judged
from harness.gate.measure import Done, Measure, Task, Wanted
from harness.gate.verdict import FailurePart, Verdict
from harness.library import Progress, silent
from harness.records import Record
from harness.result import Result
from harness.sweep import measure as sweep_worker
from harness.sweep.plan import ROW_SCHEMA, Choice, Failure, Point, Row
from harness.sweep.run import Build, OnPoint, usable_cores
from harness.sweep.workers import Workers


def run(
    path: Path,
    baselines: Path,
    *,
    jobs: int | None = None,
    progress: Progress = silent,
    on_point: OnPoint | None = None,
    command: tuple[str, ...] = (),
    measure: Measure = worker.measure,
    build: Build = sweep_worker.build,
) -> Verdict:
    """Measure what a policy lists, and judge it. What was measured before and is unchanged is not measured again.

    Args:
        path: the policy.
        baselines: the folder of the baselines.
        jobs: how many runs are measured at once; None: as many as there are cores.
        progress: told about builds.
        on_point: told about each run that was measured.
        command: what to record as the command that asked for the runs.
        measure, build: what is done with a point, and once before all.

    Raises:
        BadInputError: the policy, a value in it, or a baseline cannot be used (2).
        HarnessError: a tool is missing, a library does not build, results cannot be stored (3).
    """
    given = load(path)
    baseline.require_folder(baselines)
    found = measured(
        given, jobs=jobs, progress=progress, on_point=on_point, command=command, measure=measure, build=build
    )
    judged = [decide.judged(result, baselines, done.accuracy, done.accuracy_reason) for done, result in found.results]
    return _decide(given, judged, found, baselines)


def load(path: Path) -> policy.File:
    """A policy that lists what to measure.

    Raises:
        BadInputError: it cannot be read, a value in it cannot be used, or it lists nothing.
    """
    given = policy.load(path)
    if not given.policy.runs:
        raise BadInputError(f"{path}: it has no [[runs]] to measure", "add some, or give stored runs")
    return given


class Measured(Record, frozen=True):
    """What a policy lists: the outcomes with their results, what has no result and why, and every point's choice."""

    results: tuple[tuple[Done, Result], ...]
    failures: tuple[FailurePart, ...]
    choices: tuple[Choice, ...]

    @property
    def baselines(self) -> frozenset[str]:
        """The names of the baselines' files of all points, also of those without a result."""
        return frozenset(
            (*(baseline.name(result) for _, result in self.results), *(_baseline(item) for item in self.choices))
        )


def measured(
    given: policy.File,
    *,
    jobs: int | None = None,
    progress: Progress = silent,
    on_point: OnPoint | None = None,
    command: tuple[str, ...] = (),
    measure: Measure = worker.measure,
    build: Build = sweep_worker.build,
) -> Measured:
    """The results of what a policy lists, as ``run`` takes and measures them.

    Raises:
        BadInputError: a value of the policy cannot be used (2).
        HarnessError: a tool is missing, a library does not build, results cannot be stored (3).
    """
    points = worker.wanted(given)
    results = {item.key: found for item in points if item.key is not None and (found := worker.known(item.key))}
    todo = tuple(item for item in points if item.key is not None and item.key not in results)
    lost = [_failure(item.point.choice, item.point.failure) for item in points if item.point.failure is not None]
    if todo:
        errors = build(tuple(item.point for item in todo), progress)
        for item, done in _measured(given, todo, errors, jobs or usable_cores(), measure, on_point, command):
            result = worker.load(done)
            if result is not None and item.key is not None:
                worker.remember(item.key, done)
                results[item.key] = done, result
            else:
                lost.append(_failure(item.point.choice, done.failure or _gone(done)))
    return Measured(
        results=tuple(results[item.key] for item in points if item.key in results),
        failures=tuple(lost),
        choices=tuple(item.point.choice for item in points),
    )


def judge(path: Path, baselines: Path, runs: Iterable[str]) -> Verdict:
    """Judge stored runs, by id or folder, or results in JSON files, by a policy, whose [[runs]] say nothing then.

    Raises:
        BadInputError: the policy, a baseline or a result cannot be used.
    """
    given = policy.load(path)
    baseline.require_folder(baselines)
    judged = [decide.judged(baseline.given(item), baselines) for item in runs]
    require_names(item.result for item in judged)
    return decide.decide(given, judged)


def _measured(
    given: policy.File,
    todo: Sequence[Wanted],
    errors: dict[str, HarnessError],
    jobs: int,
    measure: Measure,
    on_point: OnPoint | None,
    command: tuple[str, ...],
) -> Iterable[tuple[Wanted, Done]]:
    """Each point with its outcome, in the order in which they end; those first that nothing can be built for."""
    tell = _Telling(on_point, len(todo))
    waiting = {}
    for item in todo:
        assert item.key is not None and item.point.identity is not None, "it can run"
        if item.point.identity in errors:
            yield item, tell(item.point, Done(failure=_from(errors[item.point.identity])))
            continue
        waiting[item.key] = item
    tasks = [_task(given, key, item, command) for key, item in waiting.items()]
    with Workers(measure, jobs) as workers:
        for task, outcome in workers.map(tasks):
            done = outcome if isinstance(outcome, Done) else Done(failure=_from(outcome))
            yield waiting[task.key], tell(waiting[task.key].point, done)


def _task(given: policy.File, key: str, item: Wanted, command: tuple[str, ...]) -> Task:
    point = sweep_worker.Task(
        identity=item.point.identity or "",
        choice=item.point.choice,
        time_limit_s=given.policy.time_limit_s,
        command=command,
        cycles=item.cycles,
        calibration=item.calibration,
    )
    return Task(key=key, point=point, test_set=item.test_set)


class _Telling:
    """Tells of each outcome, in the form that the progress of sweeps takes."""

    def __init__(self, on_point: OnPoint | None, total: int) -> None:
        self._on_point = on_point
        self._total = total
        self._done = 0

    def __call__(self, point: Point, done: Done) -> Done:
        self._done += 1
        if self._on_point is not None:
            row = Row(schema=ROW_SCHEMA, identity=point.identity or "", seconds=0.0, failure=done.failure)
            self._on_point(point, row, self._done, self._total)
        return done


def _from(error: HarnessError) -> Failure:
    """With the last line of the detail, which is that of a traceback where a worker fell."""
    last = (error.detail or "").strip().splitlines()[-1:]
    return Failure(kind="not measured", message=": ".join((error.message, *last)), hint=error.hint)


def _gone(done: Done) -> Failure:
    return Failure(kind="not measured", message=f"the stored run {done.run_id} cannot be read")


def _failure(choice: Choice, failure: Failure) -> FailurePart:
    """Without the folder that the network lies in, which is the machine's own matter."""
    return FailurePart(
        what=_label(choice),
        message=failure.message.replace(choice.path, Path(choice.path).name) if choice.path else failure.message,
        hint=failure.hint,
        too_large=failure.kind == "too large",
    )


def _label(choice: Choice) -> str:
    name = Path(choice.model).name
    return labels.run(name, choice.platform, choice.kernels, choice.optimisation, _uses_fpu(choice), choice.emulator)


def _uses_fpu(choice: Choice) -> bool:
    return setup.uses_fpu(platforms.load(choice.platform), choice.fpu)


def _decide(given: policy.File, judged: list[Judged], found: Measured, folder: Path) -> Verdict:
    require_names([item.result for item in judged])
    left = decide.unused(folder, found.baselines)
    how = given.policy.unused_baselines
    notes = [f"{item.what}: {item.message}" for item in left] if how == "warn" else []
    return decide.decide(given, judged, [*found.failures, *(left if how == "fail" else ())], notes)


def _baseline(choice: Choice) -> str:
    """The name of the baseline's file of a point that has no result."""
    return baseline.file_name(
        Path(choice.model).name, choice.platform, choice.kernels, choice.optimisation, _uses_fpu(choice)
    )


def require_names(results: Iterable[Result]) -> None:
    """Each run needs a baseline of its own; one network on several emulators is the same run.

    Raises:
        BadInputError: two networks would have the same.
    """
    networks: dict[str, str] = {}
    for result in results:
        name, sha256 = baseline.name(result), result.model.sha256
        if networks.setdefault(name, sha256) != sha256:
            raise BadInputError(
                f"two networks of the name {result.model.file} would have the baseline {name}",
                "give the files different names",
            )
