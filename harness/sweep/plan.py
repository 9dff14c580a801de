"""The records of a sweep: its points, what became of each, and the plan that keeps them together on disk."""

from __future__ import annotations

from typing import Literal

from harness.calibrate.use import Given
from harness.errors import EXIT_BAD_INPUT, EXIT_VERDICT_NO, HarnessError
from harness.records import Record
from harness.sweep.estimates import Estimate
from harness.sweep.file import Budgets, Objective
from harness.sweep.metrics import Measured
from harness.user_library.found import Named
from harness.zoo.recipe import Recipe

PLAN_SCHEMA = "tflm-harness/sweep-plan/2"
ROW_SCHEMA = "tflm-harness/sweep-point/1"

# "impossible": the combination cannot be, or the network is refused. "too large": for the board, so there was nothing
# to run. "not measured": a tool is missing, a build failed, the emulator died.
Kind = Literal["impossible", "too large", "not measured"]


class Choice(Record, frozen=True):
    """A value on each axis. ``model`` is what tables show, ``path`` what is opened; ``fpu`` None: the platform's.

    ``tflm`` is one that the user brings, None: the packaged one.
    ``recipe`` is that of a network of the zoo, None for any other file. ``path`` is empty where there is no file yet.
    """

    model: str
    path: str
    recipe: Recipe | None
    platform: str
    kernels: str
    optimisation: str
    fpu: bool | None
    emulator: str
    tflm: Named | None = None

    @property
    def label(self) -> str:
        """The point in one line."""
        tflm = "" if self.tflm is None else f" {self.tflm.name}"
        fpu = {None: "", True: " fpu", False: " nofpu"}[self.fpu]
        emulator = "" if self.emulator == "qemu" else f" {self.emulator}"
        return f"{self.model} {self.platform} {self.kernels} {self.optimisation}{fpu}{emulator}{tflm}"


class Failure(Record, frozen=True):
    """Why a point has no numbers; message and hint are the error's."""

    kind: Kind
    message: str
    hint: str | None = None


class ModelFacts(Record, frozen=True):
    """What is known of a model's file without running it.

    ``type`` is what its operators compute in: "int8", "float32", "mixed" for both, None for neither. ``weights`` is
    "random" or "trained" where the zoo made the file, None where nobody says. ``compressed_size`` is in bytes, by zlib
    at level 9. ``accuracy`` is the share of ``accuracy_images`` that tflite-micro classifies correctly on the host,
    and ``accuracy_data`` says of which data; all None where weights are random or there is no test set.
    """

    sha256: str
    type: str | None
    compressed_size: int
    weights: Literal["random", "trained"] | None = None
    accuracy: float | None = None
    accuracy_images: int | None = None
    accuracy_data: str | None = None


class Facts(Record, frozen=True):
    """What is known of a point before it runs, for tables; ``fpu`` is the FPU that code is generated for."""

    model: ModelFacts
    core: str
    fpu: str | None
    compiler: str
    emulator_version: str


class Point(Record, frozen=True):
    """A point. ``identity`` is a hash of everything that decides the result before it runs, None where it cannot run.

    Exactly one of ``identity`` and ``failure`` is None, and ``facts`` go with the identity. Both are None of a point
    whose network is not made yet, where a sweep is only looked at.
    """

    choice: Choice
    identity: str | None
    facts: Facts | None
    failure: Failure | None


class Plan(Record, frozen=True):
    """A sweep, expanded. ``inputs`` are paths, one for each input of the models, or none. ``notes`` say what was left
    out and why. ``cycles``: latency and energy are estimated, too, by ``calibrations`` where there are any."""

    schema: str
    name: str
    file: str
    file_sha256: str
    time_limit_s: float
    budgets: Budgets
    objectives: tuple[Objective, ...]
    inputs: tuple[str, ...]
    points: tuple[Point, ...]
    notes: tuple[str, ...]
    cycles: bool = False
    calibrations: tuple[Given, ...] = ()


class LayerRow(Record, frozen=True):
    """One operator of a point; ``classes`` is None where the emulator does not tell instructions apart."""

    index: int
    op: str
    name: str
    output_shape: tuple[int, ...]
    instructions: int
    share: float
    macs: int
    instructions_per_mac: float | None
    classes: dict[str, int] | None
    output_exact: bool


class Row(Record, frozen=True):
    """What became of a point that ran: a line of points.jsonl.

    ``seconds`` is the wall-clock time that it took, which is not part of any table. ``passed`` and ``reasons`` are the
    run's verdict; with a ``failure`` everything else is empty. ``estimate`` is None where none was asked for.
    """

    schema: str
    identity: str
    seconds: float
    run_id: str | None = None
    machine: str | None = None
    passed: bool | None = None
    reasons: tuple[str, ...] = ()
    output_exact: bool | None = None
    measured: Measured | None = None
    layers: tuple[LayerRow, ...] = ()
    failure: Failure | None = None
    estimate: Estimate | None = None


def failure_of(error: HarnessError) -> Failure:
    """An error as the reason of a point that has no numbers."""
    kinds: dict[int, Kind] = {EXIT_VERDICT_NO: "too large", EXIT_BAD_INPUT: "impossible"}
    return Failure(kind=kinds.get(error.exit_code, "not measured"), message=error.message, hint=error.hint)
