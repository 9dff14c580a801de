"""Versions of a user's network on the boards of a scenario: made in processes of their own, measured, judged."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from harness import cache, errors
from harness.bands import State
from harness.errors import BadInputError, HarnessError
from harness.library import Progress, silent
from harness.optimize import ablate, judge
from harness.optimize.evaluate import Evaluator
from harness.optimize.judge import Bounded
from harness.optimize.memo import Memo
from harness.optimize.records import Judgement, Measurement
from harness.optimize.scenario import Scenario
from harness.optimize.space import Type
from harness.optimize.work import Crew
from harness.records import Record
from harness.sweep.executor import WorkerError
from harness.sweep.workers import Workers
from harness.zoo import candidates, versions
from harness.zoo.evaluate import Accuracy
from harness.zoo.versions import Asked, Change, Made, Refused


class Variant(Record, frozen=True):
    """A .tflite file, by its SHA-256, and how it is built."""

    label: str
    sha256: str
    type: Type
    kernels: str
    optimisation: str


class Standing(Record, frozen=True):
    """What is known of a variant: the numbers of the worst board, its budgets, its accuracy on the validation part."""

    variant: Variant
    macs: int
    accuracy: Accuracy
    values: dict[str, Bounded]
    measurements: tuple[Measurement, ...]
    judgements: tuple[Judgement, ...]
    state: State


class Bench:
    """Makes and measures variants; used as a context manager. What was made once is not made again.

    Args:
        scenario: what variants are judged by, trained on and measured for.
        jobs: how many are made or measured at once.
        memo_folder, progress, command: as in ``run.run``.
    """

    def __init__(
        self,
        scenario: Scenario,
        jobs: int,
        memo_folder: Path | None = None,
        progress: Progress = silent,
        command: tuple[str, ...] = (),
    ) -> None:
        self.scenario = scenario
        self._jobs, self._memo = jobs, Memo(memo_folder)
        self._progress, self._command = progress, command
        self._made: dict[Asked, Made | BadInputError] = {}
        self._stack = contextlib.ExitStack()
        self._makers: Workers[Asked, Made | Refused] = Workers(versions.attempt, jobs)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as entered:
            entered.enter_context(self._makers)
            crew = entered.enter_context(Crew(self._jobs, None, self._progress))
            self._evaluator = Evaluator(
                self.scenario,
                crew,
                self._memo,
                study="improve",
                training_seed=self.scenario.file.training.seed,
                progress=self._progress,
                command=self._command,
            )
            self._stack = entered.pop_all()
        return self

    def __exit__(self, *_raised: object) -> None:
        self._stack.close()

    def asked(self, content: bytes, change: Change, kind: Type) -> Asked:
        """What to make of a .keras file, trained as the scenario says."""
        training = self.scenario.file.training
        return Asked(
            content=content,
            change=change,
            type=kind,
            dataset=self.scenario.file.data,
            settings=candidates.settings(training.epochs, training.batch, training.learning_rate),
            seed=training.seed,
        )

    def made(self, wanted: Sequence[Asked]) -> dict[Asked, Made | BadInputError]:
        """Each version, or why there is none.

        Raises:
            HarnessError: the reason is not about that version alone.
        """
        missing = [item for item in dict.fromkeys(wanted) if item not in self._made]
        step = "making versions of the network"
        if missing:
            self._progress(step, 0, len(missing))
        for done, (item, outcome) in enumerate(self._makers.map(missing), 1):
            self._made[item] = _outcome(outcome)
            self._progress(step, done, len(missing))
        return {item: self._made[item] for item in wanted}

    def standings(self, wanted: Sequence[tuple[Variant, Made]]) -> tuple[Standing, ...]:
        """Each variant measured and judged.

        Raises:
            HarnessError: what every variant needs cannot be built.
        """
        files = {}
        for variant, made in wanted:
            path = self._memo.folder / "versions" / f"{variant.sha256[:32]}.tflite"
            cache.write(path, made.built.content)
            files[variant] = (path, made.built)
        measured = self._evaluator.measure(list(files.items()))
        return tuple(self._standing(variant, made, measured[variant]) for variant, made in wanted)

    def _standing(self, variant: Variant, made: Made, measurements: tuple[Measurement, ...]) -> Standing:
        found = judge.judgements(self.scenario, measurements, made.validation)
        return Standing(
            variant=variant,
            macs=made.built.macs,
            accuracy=made.validation,
            values=ablate.values(self.scenario, measurements),
            measurements=measurements,
            judgements=found,
            state=judge.overall(found),
        )


def _outcome(outcome: Made | Refused | WorkerError) -> Made | BadInputError:
    """Raises HarnessError: what is no fault of the version."""
    if isinstance(outcome, Refused):
        kind = getattr(errors, outcome.kind, HarnessError)
        error: HarnessError = kind(outcome.message, outcome.hint, outcome.detail)
        if isinstance(error, BadInputError):
            return error
        raise error
    if isinstance(outcome, HarnessError):
        raise outcome
    return outcome
