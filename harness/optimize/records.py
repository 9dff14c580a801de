"""What a study stores: a line for each trial, the picks, and what the search came to."""

from __future__ import annotations

from typing import Any, Literal

from harness.bands import State
from harness.optimize.space import Candidate, Value
from harness.records import Record
from harness.sweep.plan import Failure, Row
from harness.zoo.evaluate import Accuracy

STUDY_SCHEMA = "tflm-harness/study/1"
TRIAL_SCHEMA = "tflm-harness/study-trial/1"
RESULT_SCHEMA = "tflm-harness/study-result/1"

Mode = Literal["search", "enumeration"]
Sampler = Literal["tpe", "random"]


class Measurement(Record, frozen=True):
    """A network on a board: ``row`` is that of a sweep's point, estimates included.

    ``identity`` stands for everything that decides it. ``study`` is the id of the study that measured it, another one's
    where it was in the memo.
    """

    board: str
    identity: str
    model_sha256: str
    elf_sha256: str | None
    row: Row
    study: str


class Judgement(Record, frozen=True):
    """A budget held against a candidate on a board, None for what is the network's own (accuracy).

    ``value`` None: it is not known (the network does not run there, or is not trained); then ``state`` is "missed" or
    "undecided". ``low`` and ``high`` are the bounds of an estimate, None of what is measured, or where nothing bounds
    it. ``model`` and ``tier`` are those of an estimate. ``violation`` is by which share of the limit the bound that
    decides is beyond it, 0 or less where the budget is met.
    """

    key: str
    metric: str
    board: str | None
    unit: str
    limit: float
    value: float | None
    state: State
    violation: float
    at_least: bool = False
    low: float | None = None
    high: float | None = None
    model: str | None = None
    tier: str | None = None


class TrainingRecord(Record, frozen=True):
    """A training of so many epochs from the same initial weights; ``accuracy`` is that of the .tflite file on the
    validation part, run by tflite-micro. ``seconds`` is processor time; ``study`` as in ``Measurement``."""

    epochs: int
    accuracy: Accuracy
    sha256: str
    key: str
    seconds: float
    study: str


class TrialRecord(Record, frozen=True):
    """A candidate that was asked for, and what became of it.

    ``params`` is what the sampler chose, ``candidate`` what that stands for; ``duplicate_of`` is the first trial with
    the same one, whose measurements and trainings these are, too. ``failure``: the network cannot be made.
    ``model_sha256`` and ``macs`` are those of the file with random weights. ``trainings`` are of ever more epochs, none
    where the candidate was not to be trained. ``state`` is "met" where every budget is.
    """

    schema: str
    number: int
    params: dict[str, Value]
    candidate: Candidate
    state: State
    duplicate_of: int | None = None
    failure: Failure | None = None
    model_sha256: str | None = None
    macs: int | None = None
    measurements: tuple[Measurement, ...] = ()
    judgements: tuple[Judgement, ...] = ()
    trainings: tuple[TrainingRecord, ...] = ()
    objectives: tuple[float | None, ...] = ()

    @property
    def accuracy(self) -> float | None:
        """On the validation part, 0 to 1, after the most epochs; None: it is not trained."""
        return self.trainings[-1].accuracy.fraction if self.trainings else None

    @property
    def epochs(self) -> int | None:
        """What ``accuracy`` is after."""
        return self.trainings[-1].epochs if self.trainings else None

    @property
    def measured(self) -> bool:
        """Whether there are numbers of it on every board."""
        return bool(self.measurements) and all(item.row.measured is not None for item in self.measurements)


class LayerChange(Record, frozen=True):
    """An operator whose instructions differ between random and trained weights."""

    index: int
    op: str
    random: int
    trained: int


class Change(Record, frozen=True):
    """What differs on a board between the network with random weights and the trained one: metrics, and operators.

    ``metrics`` are pairs of (random, trained), only of those that differ; instructions and bytes.
    """

    board: str
    metrics: dict[str, tuple[int, int]]
    layers: tuple[LayerChange, ...]

    @property
    def equal(self) -> bool:
        """Whether both are the same in everything that was measured."""
        return not self.metrics and not self.layers


class TestAccuracy(Record, frozen=True):
    """Accuracy on the test part, with the bounds of Wilson's interval in which the truth lies in 95 % of cases.

    ``state``: the lowest accuracy of the scenario held against the bounds; None where there is none.
    """

    __test__ = False  # pytest: the name is not a test's

    correct: int
    images: int
    low: float
    high: float
    state: State | None


class DeviceAccuracy(Record, frozen=True):
    """The same images through the firmware on a board's emulator: ``different`` images' outputs are not the host's."""

    board: str
    images: int
    correct: int
    host_correct: int
    different: int


class Pick(Record, frozen=True):
    """A candidate that was trained with all epochs, measured with its trained weights, and judged by those.

    ``model`` is its file, relative to the study's folder. ``changes`` are against random weights, one a board.
    ``test`` and ``device`` are None of candidates that the test part was not spent on.
    """

    trial: int
    candidate: Candidate
    model: str
    model_sha256: str
    macs: int
    training: TrainingRecord
    measurements: tuple[Measurement, ...]
    changes: tuple[Change, ...]
    judgements: tuple[Judgement, ...]
    objectives: tuple[float | None, ...]
    state: State
    test: TestAccuracy | None = None
    device: tuple[DeviceAccuracy, ...] = ()


class Relaxation(Record, frozen=True):
    """What would let a trial in: each of its missed or undecided budgets with the limit that it needs.

    ``factor`` is the largest of limits needed / limits given (the other way around for what must be at least so much).
    ``unknown``: its accuracy is not known, as it was not trained.
    """

    trial: int
    judgements: tuple[Judgement, ...]
    factor: float
    unknown: bool


class Work(Record, frozen=True):
    """How many networks were measured and trained by this study, how many measurements and trainings came from the
    memo, and how many trials were duplicates of another one; ``cpu_s`` is processor time spent on trainings."""

    measured: int
    measured_before: int
    trained: int
    trained_before: int
    duplicates: int
    failed: int
    cpu_s: float


class StudyFile(Record, frozen=True):
    """study.json: what a study is of. ``scenario`` is the file as it was read, in builtin types.

    ``space`` is how many choices of values there are, ``mode`` whether all of them are gone through.
    """

    schema: str
    id: str
    name: str
    scenario: dict[str, Any]
    scenario_sha256: str
    scenario_path: str
    mode: Mode
    sampler: Sampler
    seed: int
    training_seed: int
    batch: int
    space: int
    axes: dict[str, tuple[Value, ...]]
    versions: dict[str, str]
    created: str


class StudyResult(Record, frozen=True):
    """result.json: what the search came to.

    ``pick`` is None where no candidate is known to meet every budget; then ``nearest`` names those that miss least.
    ``front`` are trials that no other met candidate beats in all objectives. ``proved``: the space was gone through, so
    that none of it meets the budgets that were measured. ``notes`` are for people.
    """

    schema: str
    name: str
    id: str
    trials: int
    met: int
    undecided: int
    missed: int
    pick: Pick | None
    runner_up: Pick | None
    refused: tuple[Pick, ...]
    front: tuple[int, ...]
    nearest: tuple[Relaxation, ...]
    proved: bool
    work: Work
    notes: tuple[str, ...]
    reasons: tuple[str, ...]
