"""What a policy runs: its points, which of them were measured before, and how a worker measures one."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from harness import cache, store
from harness.calibrate.use import Given
from harness.errors import BadInputError, HarnessError
from harness.gate.policy import File, Runs, TestSet
from harness.records import Record
from harness.result import Result
from harness.sweep import expand
from harness.sweep import file as sweep_file
from harness.sweep import measure as worker
from harness.sweep.file import Axes, Sweep
from harness.sweep.plan import Failure, Point, failure_of

_CACHED = "gate"


class Task(Record, frozen=True):
    """A point to measure; ``key`` is that of what is wanted. ``test_set``: paths of inputs and labels, how many."""

    key: str
    point: worker.Task
    test_set: tuple[str, str, int | None] | None


class Done(Record, frozen=True):
    """A point that was measured: the stored run's id, and the accuracy where there is a test set; or why not.

    ``accuracy_reason`` says why there is none.
    """

    run_id: str | None = None
    accuracy: float | None = None
    accuracy_reason: str | None = None
    failure: Failure | None = None


# Measures a point; what cannot be measured is a failure, never an exception.
Measure = Callable[[Task], Done]


class Wanted(Record, frozen=True):
    """A point of a policy. ``key`` is a hash of everything that decides its outcome, None where it cannot run.

    ``cycles``: latency and energy are estimated, too, by ``calibration`` where there is one.
    """

    point: Point
    key: str | None
    test_set: tuple[str, str, int | None] | None
    cycles: bool = False
    calibration: Given | None = None


def wanted(policy: File) -> tuple[Wanted, ...]:
    """The points of all [[runs]], each once. One network in files of two names is two, each with its own baseline.

    Raises:
        BadInputError: a value of the policy cannot be used; the message names file and key.
        MissingToolError: a compiler, or cargo, is not installed, so that no point can run.
    """
    found: dict[tuple[str, str], Wanted] = {}
    asked: dict[tuple[str, str], tuple[bool, Given | None]] = {}
    for index, runs in enumerate(policy.policy.runs):
        sweep, test_set = check(policy, index, runs)
        known = {item.platform: item for item in sweep.calibrations}
        for point in expand.expand(sweep, by_name=True).points:
            estimates = sweep.sweep.estimates, known.get(point.choice.platform)
            item = Wanted(
                point=point,
                key=_key(point, test_set),
                test_set=test_set,
                cycles=estimates[0],
                calibration=estimates[1],
            )
            which = point.identity or point.choice.label, Path(point.choice.path).name
            before_asked = asked.setdefault((point.choice.label, which[1]), estimates)
            if before_asked != estimates:
                with_both = before_asked[0] and estimates[0]
                what = "by two calibrations" if with_both else "with and without"
                raise BadInputError(
                    f"{policy.path}: runs[{index}].{'calibration' if runs.calibration else 'cycles'}: "
                    f"{point.choice.label} is there both {what}",
                    "a run is judged once: say the same in all [[runs]] that list it",
                )
            before = found.setdefault(which, item)
            if before.test_set is None:
                found[which] = item
            elif test_set not in (None, before.test_set):
                raise BadInputError(
                    f"{policy.path}: runs[{index}].test_set: {point.choice.label} has another one already",
                    "a run has one accuracy",
                )
    return tuple(found.values())


def check(policy: File, index: int, runs: Runs) -> tuple[sweep_file.File, tuple[str, str, int | None] | None]:
    """A table of [[runs]] as a sweep, which knows how to find, expand and identify; and the paths of its test set.

    Raises:
        BadInputError: a value in it cannot be used.
    """
    axes = Axes(
        models=runs.models,
        platforms=runs.platforms,
        kernels=runs.kernels,
        optimisation=runs.optimisation,
        fpu=runs.fpu,
        emulator=runs.emulator,
    )
    made = Sweep(
        name=policy.policy.name,
        axes=axes,
        time_limit_s=policy.policy.time_limit_s,
        cycles=runs.cycles,
        calibration=runs.calibration,
        carry=runs.carry,
    )
    try:
        sweep = sweep_file.checked(policy.path, policy.sha256, made)
    except BadInputError as error:
        message = error.message.replace(f"{policy.path}: axes.", f"{policy.path}: ", 1)
        message = message.replace(f"{policy.path}: ", f"{policy.path}: runs[{index}].", 1)
        raise BadInputError(message, error.hint) from error
    return sweep, None if runs.test_set is None else _test_set(policy.path, index, runs.test_set)


def _test_set(path: Path, index: int, given: TestSet) -> tuple[str, str, int | None]:
    folder = path.absolute().parent
    for key in ("inputs", "labels"):
        if not (folder / getattr(given, key)).is_file():
            raise BadInputError(
                f"{path}: runs[{index}].test_set.{key}: there is no file {getattr(given, key)!r}",
                f"paths are relative to {folder}",
            )
    return str((folder / given.inputs).resolve()), str((folder / given.labels).resolve()), given.limit


def _key(point: Point, test_set: tuple[str, str, int | None] | None) -> str | None:
    """Of what measures in the harness, too: where that is worked on, it is part of what is judged.

    And of the network's name, which chooses the baseline: the same network by another name is another run.
    """
    if point.identity is None:
        return None
    digest = hashlib.sha256(f"{point.identity} {_harness_sha256()} {Path(point.choice.path).name!r}".encode())
    if test_set is not None:
        for path in test_set[:2]:
            digest.update(hashlib.sha256(Path(path).read_bytes()).digest())
        digest.update(repr(test_set[2]).encode())
    return digest.hexdigest()[:32]


@functools.cache
def _harness_sha256() -> str:
    package = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    folders = [package / name for name in ("calibrate", "cost", "emulators", "energy")]
    for path in sorted((*package.glob("*.py"), *(path for folder in folders for path in folder.iterdir()))):
        if path.suffix not in (".py", ".c", ".h", ".csv"):
            continue
        content = path.read_bytes()
        digest.update(f"{path.relative_to(package).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def measure(task: Task) -> Done:
    """Run a point through the pipeline, which stores the run; then its test set, where it has one."""
    try:
        result = worker.emulate(task.point)
    except HarnessError as error:
        return Done(failure=failure_of(error))
    accuracy, reason = (None, None) if task.test_set is None else _accuracy(task.point, task.test_set)
    return Done(run_id=result.run_id, accuracy=accuracy, accuracy_reason=reason)


def _accuracy(task: worker.Task, test_set: tuple[str, str, int | None]) -> tuple[float | None, str | None]:
    from harness import accuracy

    inputs, labels, limit = test_set
    choice = task.choice
    try:
        found = accuracy.measure(
            choice.path,
            inputs,
            labels,
            choice.platform,
            kernels=choice.kernels,
            optimisation=choice.optimisation,
            fpu=choice.fpu,
            emulator=choice.emulator,
            limit=limit,
            time_limit_s=task.time_limit_s,
        )
    except HarnessError as error:
        return None, f"no accuracy: {error.message}"
    return found.device_accuracy, None


def remember(key: str, done: Done) -> None:
    """Keep the outcome of a point that was measured, for the next gate.

    Raises:
        HarnessError: the cache cannot be written.
    """
    if done.run_id is not None and done.accuracy_reason is None:
        cache.write(cache.path(_CACHED, key), msgspec.json.encode(done))


def known(key: str) -> tuple[Done, Result] | None:
    """The outcome of a point that was measured before; None where it was not, or where its stored run is gone."""
    done = cache.read(cache.path(_CACHED, key), Done)
    found = None if done is None else load(done)
    return None if done is None or found is None else (done, found)


def load(done: Done) -> Result | None:
    """The stored run of a point that was measured, None where it is not there in a form that can be read."""
    if done.run_id is None:
        return None
    try:
        return store.load(str(store.runs_folder() / done.run_id))
    except BadInputError:
        return None
