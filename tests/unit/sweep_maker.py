"""Sweep files and workers for tests of sweeps: numbers that follow from the point, without any firmware."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import result_maker

from harness.errors import EmulationError, HarnessError
from harness.library import Progress
from harness.sweep.measure import Task, failed, row
from harness.sweep.plan import Choice, Point, Row
from tests.conftest import DIGITS

# Tells the workers, which inherit it, where to leave a mark of each point that they run, and which misbehave.
MARKS = "SWEEP_TEST_MARKS"
DEADLY = "SWEEP_TEST_DEADLY"
SLOW = "SWEEP_TEST_SLOW"


def write(folder: Path, text: str = "", axes: str = "", name: str = "made") -> Path:
    """A sweep file of the digits network on two platforms with both kernel sets: four points."""
    path = folder / f"{name}.toml"
    path.write_text(
        f'name = "{name}"\n{text}\n[axes]\nmodels = ["{DIGITS}"]\nplatforms = ["mps2-an385", "stm32l496zg"]\n'
        f'kernels = ["reference", "cmsis-nn"]\n{axes}\n'
    )
    return path


def instructions(choice: Choice) -> int:
    """Less with CMSIS-NN, less on the M4."""
    return 1000 * (1 + (choice.kernels == "reference")) + 90 * (choice.platform == "mps2-an385")


def measure(task: Task) -> Row:
    """A made-up result; a mark for each call."""
    with (Path(os.environ[MARKS]) / task.identity).open("a") as mark:
        mark.write("run\n")
    result = result_maker.result((result_maker.layer(0, "CONV_2D", instructions(task.choice), 1000, macs=100),))
    return row(task, result, 0.25)


def measure_some(task: Task) -> Row:
    """Like ``measure``, but the points of the M3 with CMSIS-NN cannot be measured."""
    if task.choice.platform == "mps2-an385" and task.choice.kernels == "cmsis-nn":
        return failed(task, EmulationError("the firmware did not end", "give it more time"), 0.5)
    return measure(task)


def measure_or_die(task: Task) -> Row:
    """Like ``measure``, but the process is killed: once with DEADLY=once, always with DEADLY=always, or raises."""
    done = measure(task)
    how = os.environ[DEADLY]
    calls = (Path(os.environ[MARKS]) / task.identity).read_text().count("run")
    if task.choice.platform == "mps2-an385":
        if how == "raise":
            raise ValueError("planted")
        if how == "always" or calls == 1:
            os.kill(os.getpid(), signal.SIGKILL)
    return done


def measure_slowly(task: Task) -> Row:
    """Like ``measure``, but every point after the first takes a minute, with a mark while it does."""
    if os.environ[SLOW] == "yes" and (task.choice.kernels, task.choice.platform) != ("reference", "mps2-an385"):
        mark = Path(os.environ[MARKS]) / f"pid-{os.getpid()}"
        mark.touch()
        try:
            time.sleep(60)
        finally:
            mark.unlink()
    return measure(task)


def build_nothing(_points: tuple[Point, ...], _progress: Progress) -> dict[str, HarnessError]:
    """Every library is there."""
    return {}


def interrupt(_point: Point, _row: Row, _done: int, _total: int) -> None:
    """Ctrl-C once a point has ended and another is under way."""
    while not [*Path(os.environ[MARKS]).glob("pid-*")]:
        time.sleep(0.05)
    raise KeyboardInterrupt
