"""What a worker does with a point, and what must be built before."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from harness import cores, library, pipeline, platforms, setup, toolchain
from harness.calibrate.use import Given
from harness.emulators import plugin
from harness.errors import BadInputError, BuildError, HarnessError
from harness.library import Progress
from harness.records import Record
from harness.result import Result
from harness.sweep import estimates, expand
from harness.sweep.metrics import measured
from harness.sweep.plan import ROW_SCHEMA, Choice, LayerRow, Point, Row, failure_of


class Task(Record, frozen=True):
    """A point to measure; ``inputs`` and ``cycles`` are those of the plan, ``calibration`` is its platform's."""

    identity: str
    choice: Choice
    time_limit_s: float
    command: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    cycles: bool = False
    calibration: Given | None = None


# A library: the compiler's flags for the core, the optimisation level.
Build = tuple[tuple[str, ...], str]

# Measures a point; what cannot be measured is a row with a failure, never an exception.
Measure = Callable[[Task], Row]


def measure(task: Task) -> Row:
    """Run a point through the pipeline, which stores the run, too."""
    started = time.monotonic()
    try:
        result = emulate(task)
    except HarnessError as error:
        return failed(task, error, time.monotonic() - started)
    return row(task, result, time.monotonic() - started)


def emulate(task: Task) -> Result:
    """The result of a point that is what was planned; the pipeline stores the run.

    Raises:
        HarnessError: it cannot be measured, or has become another point.
    """
    require_unchanged(task)
    choice = task.choice
    return pipeline.run(
        choice.path,
        choice.platform,
        kernels=choice.kernels,
        tflm=None if choice.tflm is None else choice.tflm.brought,
        optimisation=choice.optimisation,
        fpu=choice.fpu,
        input_paths=task.inputs,
        emulator=choice.emulator,
        time_limit_s=task.time_limit_s,
        cycles=task.cycles,
        calibration=task.calibration,
        command=task.command,
    )


def require_unchanged(task: Task) -> None:
    """Refuse a point that has become another one: what is measured now must not be stored as what was planned.

    Raises:
        HarnessError: a file that it needs is gone or was changed, or a tool was.
    """
    if expand.identity_of(parts(task)) != task.identity:
        raise HarnessError(
            f"{task.choice.model}, an input, or a tool is not what it was when the points were planned",
            "give the command again",
        )


def parts(task: Task) -> dict[str, Any]:
    """What decides a point's result, as it is here and now (see ``expand.Identify.parts``).

    Raises:
        HarnessError: a file is gone or was damaged, or a tool is missing. Never that the point is impossible: its files
            could be used when it was planned.
    """
    try:
        calibrations = () if task.calibration is None else (task.calibration,)
        return expand.Identify([Path(path) for path in task.inputs], task.cycles, calibrations).parts(task.choice)
    except BadInputError as error:
        raise HarnessError(
            f"{task.choice.model} or an input is not what it was when the points were planned: {error.message}",
            "put it back (networks of the zoo are made anew) and give the command again, a sweep with --retry",
        ) from error


def failed(task: Task, error: HarnessError, seconds: float) -> Row:
    """The row of a point that could not be measured."""
    return Row(schema=ROW_SCHEMA, identity=task.identity, seconds=round(seconds, 3), failure=failure_of(error))


def row(task: Task, result: Result, seconds: float) -> Row:
    """The row of a point that was measured."""
    return Row(
        schema=ROW_SCHEMA,
        identity=task.identity,
        seconds=round(seconds, 3),
        run_id=result.run_id,
        machine=result.machine.name,
        passed=result.verdict.passed,
        reasons=result.verdict.reasons,
        output_exact=result.check.output_exact and result.check.layers_exact,
        measured=measured(result),
        estimate=estimates.estimated(result),
        layers=tuple(
            LayerRow(
                index=layer.index,
                op=layer.op,
                name=layer.name,
                output_shape=layer.output_shape,
                instructions=layer.instructions,
                share=layer.share,
                macs=layer.macs,
                instructions_per_mac=layer.instructions_per_mac,
                classes=layer.classes,
                output_exact=layer.output_exact,
            )
            for layer in result.layers
        ),
    )


def builds(points: Iterable[Point]) -> tuple[Build, ...]:
    """The libraries that points need, each once; the user's own TFLM needs none of them."""
    return tuple(dict.fromkeys(_build_of(point) for point in points if point.choice.tflm is None))


def missing_builds(points: Iterable[Point]) -> int:
    """How many libraries ``build`` would build for these points, that of the host among them.

    Raises:
        MissingToolError: a compiler is not installed, or the sources cannot be located.
    """
    needed = builds(points)
    missing = sum(not library.is_built(*item, toolchain.arm()) for item in needed)
    return missing + (bool(needed) and not library.host_is_built())


def _build_of(point: Point) -> Build:
    return _flags(point.choice.platform, point.choice.fpu), point.choice.optimisation


@functools.cache
def _flags(platform: str, fpu: bool | None) -> tuple[str, ...]:
    found = platforms.load(platform)
    return cores.flags(found.core, found.fpu, setup.uses_fpu(found, fpu))


def build(points: tuple[Point, ...], progress: Progress) -> dict[str, HarnessError]:
    """Build the libraries that points need and that are not in the cache, one after the other.

    Each build takes every core that there is; and two workers that want the same would wait for each other.

    Returns:
        The error of each point, by identity, whose library does not build.

    Raises:
        MissingToolError, BuildError: what every point needs cannot be built.
    """
    if any(point.choice.emulator == "qemu" for point in points):
        plugin.get(plugin.find_qemu())
    if builds(points):
        library.for_host(progress)
    errors: dict[Build, HarnessError] = {}
    for needed in builds(points):
        try:
            library.for_core(*needed, toolchain.arm(), progress)
        except BuildError as error:
            errors[needed] = error
    packaged = (point for point in points if point.choice.tflm is None)
    failing = ((point.identity, errors.get(_build_of(point))) for point in packaged)
    return {identity: error for identity, error in failing if identity is not None and error is not None}
