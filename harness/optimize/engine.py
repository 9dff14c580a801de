"""What asks for candidates: Optuna's TPE on a journal in a file, so that a killed study goes on with the same ones.

A sampler is made anew for each ask, seeded by the study's seed and the trial's number; a batch is asked for before any
of it is told. What is asked for thus depends on what was told of earlier batches alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from harness.errors import HarnessError, MissingToolError
from harness.optimize import space
from harness.optimize.records import Sampler
from harness.optimize.space import Value

if TYPE_CHECKING:
    import optuna

# Trials before the first that TPE chooses: two for each axis of the largest space.
STARTUP = 24

# In place of an objective that an infeasible candidate has no value of: its constraints alone place it.
_NO_VALUE = 1e12
_NAME = "study"


class Engine(Protocol):
    """Asks by number, in order; is told of a trial once."""

    def ask(self, number: int) -> dict[str, Value]:
        """The values of trial ``number``: those that were asked for before, where there are any."""
        ...

    def tell(self, number: int, costs: Sequence[float | None], constraints: Mapping[str, float]) -> None:
        """What came of a trial; nothing where it was told already."""
        ...


class Enumeration:
    """Goes through a space, candidate by candidate; an ``Engine``."""

    def __init__(self, choices: Sequence[dict[str, Value]]) -> None:
        self.size = len(choices)
        self._choices = choices

    def ask(self, number: int) -> dict[str, Value]:
        """The candidate of that number."""
        return dict(self._choices[number])

    def tell(self, number: int, costs: Sequence[float | None], constraints: Mapping[str, float]) -> None:
        """Nothing: what comes next is settled."""


class Search:
    """Optuna's search; an ``Engine``.

    Args:
        journal: the file of Optuna's journal, which only grows. Nobody else may write it meanwhile.
        axes: the values of each axis.
        objectives: how many there are; costs of all of them are minimised.
        sampler: "tpe", or "random" for a baseline.
        seed: with a trial's number it decides what is asked for.

    Raises:
        MissingToolError: Optuna is not installed.
        HarnessError: the journal cannot be read.
    """

    def __init__(
        self, journal: Path, axes: Mapping[str, tuple[Value, ...]], objectives: int, sampler: Sampler, seed: int
    ) -> None:
        self._optuna = _import()
        self._distributions = space.distributions(axes)
        self._sampler, self._seed = sampler, seed
        _drop_partial_line(journal)
        try:
            self._study = self._open(journal, objectives)
        except (ValueError, KeyError) as error:
            raise HarnessError(
                f"{journal} is no journal of Optuna: {error}", "give another --out, or remove the folder"
            ) from error

    def ask(self, number: int) -> dict[str, Value]:
        """The values of a trial: asked for now, or left by a study that was killed."""
        trials = self._study.get_trials(deepcopy=False)
        self._study.sampler = self._made(number)
        if number < len(trials):
            if trials[number].state.is_finished():
                return dict(trials[number].params)
            trial = self._again(number)
        else:
            trial = self._study.ask()
        if trial.number != number:
            raise HarnessError(f"the journal asks for trial {trial.number} where {number} is next")
        return {name: self._suggested(trial, name) for name in self._distributions}

    def tell(self, number: int, costs: Sequence[float | None], constraints: Mapping[str, float]) -> None:
        """A trial's costs and its named constraints, which are met where they are 0 or less."""
        if self._study.get_trials(deepcopy=False)[number].state.is_finished():
            return
        self._study.sampler = self._made(number)
        trial = self._again(number)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a constraint that a killed study has set already
            for name, value in constraints.items():
                trial.set_constraint(name, value)
        self._study.tell(trial, [_NO_VALUE if cost is None else cost for cost in costs])

    def _again(self, number: int) -> Any:
        """A trial of the journal that was not told yet; what it was asked stays, the rest is asked for now."""
        identity = self._storage.get_trial_id_from_study_id_trial_number(
            self._storage.get_study_id_from_name(_NAME), number
        )
        trial = self._optuna.trial.Trial(self._study, identity)
        if self._sampler == "random" or number < STARTUP:
            # These are drawn axis by axis from one sequence: draw those that the journal has once more.
            frozen = self._storage.get_trial(identity)
            for name, axis in self._distributions.items():
                if name in frozen.params and not axis.single():
                    self._study.sampler.sample_independent(self._study, frozen, name, axis)
        return trial

    def _suggested(self, trial: Any, name: str) -> Value:
        axis: Any = self._distributions[name]
        if isinstance(axis, self._optuna.distributions.IntDistribution):
            found: Value = trial.suggest_int(name, axis.low, axis.high, step=axis.step)
        else:
            found = trial.suggest_categorical(name, axis.choices)
        return found

    def _made(self, number: int) -> Any:
        seed = int(np.random.SeedSequence([self._seed, number]).generate_state(1)[0])
        samplers = self._optuna.samplers
        if self._sampler == "random":
            return samplers.RandomSampler(seed=seed)
        return samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True, n_startup_trials=STARTUP)

    def _open(self, journal: Path, objectives: int) -> optuna.Study:
        journals = self._optuna.storages.journal
        journal.parent.mkdir(parents=True, exist_ok=True)
        # Locks are files that a killed study leaves behind; the study's folder is locked as a whole.
        journal.with_name(f"{journal.name}.lock").unlink(missing_ok=True)
        lock = journals.JournalFileOpenLock(str(journal))
        self._storage = self._optuna.storages.JournalStorage(journals.JournalFileBackend(str(journal), lock_obj=lock))
        study: optuna.Study = self._optuna.create_study(
            storage=self._storage, study_name=_NAME, directions=["minimize"] * objectives, load_if_exists=True,
            sampler=self._made(0),
        )  # fmt: skip
        return study


def _drop_partial_line(journal: Path) -> None:
    """A line that was cut off would make the next one unreadable."""
    if journal.exists():
        content = journal.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            journal.write_bytes(whole)


def _import() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import optuna
    except ImportError as error:
        raise MissingToolError("Optuna is not installed", "pip install 'tflm-harness[optimize]'") from error
    if int(optuna.__version__.split(".")[0]) < 5:
        raise MissingToolError(
            f"Optuna {optuna.__version__} is installed, 5 or later is needed", "pip install 'tflm-harness[optimize]'"
        )
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
