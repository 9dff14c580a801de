"""A stored study done again from its seeds, compared candidate by candidate."""

from __future__ import annotations

import tempfile
from pathlib import Path

from harness.errors import BadInputError
from harness.library import Progress, silent
from harness.optimize.records import TrialRecord
from harness.optimize.run import run
from harness.optimize.study import Study
from harness.records import Record


class Difference(Record, frozen=True):
    """What the first trial that differs differs in, then and now."""

    trial: int
    what: str
    then: str
    now: str


class Replayed(Record, frozen=True):
    """``trials`` were done again; ``reused``: without measuring and training anew."""

    name: str
    trials: int
    reused: bool
    differences: tuple[Difference, ...]

    @property
    def equal(self) -> bool:
        """Whether every candidate, measurement and accuracy came out the same."""
        return not self.differences


def replay(
    folder: Path,
    *,
    trials: int | None = None,
    jobs: int | None = None,
    reuse: bool = False,
    output: Path | None = None,
    progress: Progress = silent,
    command: tuple[str, ...] = (),
) -> Replayed:
    """Do a study again.

    Args:
        folder: the stored study's.
        trials: only the first so many; None: all.
        jobs: as in ``run.run``.
        reuse: take measurements and trainings from the per-user cache.
        output: where the new study is kept; None: nowhere.
        progress, command: as in ``run.run``.

    Raises:
        BadInputError: there is no such study, or it has no trials. Others as ``run.run``.
    """
    stored = Study(folder)
    made, before = stored.read(), stored.trials()[:trials]
    if made is None or not before:
        raise BadInputError(f"{folder}: a study without trials", "harness optimize SCENARIO makes some")
    with tempfile.TemporaryDirectory(prefix="harness-replay-") as work:
        outcome = run(
            stored.scenario(),
            output or Path(work) / "study",
            trials=len(before),
            jobs=jobs,
            sampler=made.sampler,
            seed=made.seed,
            mode=made.mode,
            finals=False,
            memo_folder=None if reuse else Path(work) / "memo",
            progress=progress,
            command=command,
        )
    found = [_difference(then, now) for then, now in zip(before, outcome.records, strict=True)]
    return Replayed(
        name=made.name,
        trials=len(before),
        reused=reuse,
        differences=tuple(item for item in found if item is not None),
    )


def _difference(then: TrialRecord, now: TrialRecord) -> Difference | None:
    for what, mine, theirs in zip(_PARTS, _parts(then), _parts(now), strict=True):
        if mine != theirs:
            return Difference(trial=then.number, what=what, then=str(mine), now=str(theirs))
    return None


_PARTS = ("values", "candidate", "file with random weights", "instructions and memory", "layers", "estimates",
          "trained files", "accuracies")  # fmt: skip


def _parts(record: TrialRecord) -> tuple[object, ...]:
    rows = [item.row for item in record.measurements]
    return (
        record.params,
        record.candidate.label,
        record.model_sha256,
        [row.measured for row in rows],
        [row.layers for row in rows],
        [row.estimate for row in rows],
        [item.sha256 for item in record.trainings],
        [(item.epochs, item.accuracy) for item in record.trainings],
    )
