"""Evaluates a batch of candidates: measured with random weights first; what fits is trained, by successive halving."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from harness import store
from harness.errors import BadInputError, HarnessError
from harness.library import Progress
from harness.optimize import halving, judge, memo
from harness.optimize.halving import Standing
from harness.optimize.memo import Memo
from harness.optimize.records import TRIAL_SCHEMA, Measurement, TrainingRecord, TrialRecord
from harness.optimize.scenario import ACCURACY, Scenario
from harness.optimize.space import Candidate, Network, Type, Value
from harness.optimize.work import Crew, Order
from harness.setup import DEFAULT_TIME_LIMIT_S
from harness.sweep import expand
from harness.sweep import measure as worker
from harness.sweep.measure import Task
from harness.sweep.plan import Choice, Facts, Failure, ModelFacts, Point, Row, failure_of
from harness.zoo import candidates
from harness.zoo.candidates import Built, Trained, Wanted
from harness.zoo.training import Training

# Of random weights: the same for all studies, so that they share measurements.
RANDOM_SEED = 1

# Number, values and candidate of each trial of a batch.
Asked = Sequence[tuple[int, dict[str, Value], Candidate]]
Files = dict[Network, tuple[Path, Built]]


class Buildable(Hashable, Protocol):
    """How a file is built, and what it is called: a ``Candidate``, or a version of a user's network."""

    @property
    def label(self) -> str:
        """In one line."""
        ...

    @property
    def type(self) -> Type:
        """What it computes in."""
        ...

    @property
    def kernels(self) -> str:
        """The kernel set."""
        ...

    @property
    def optimisation(self) -> str:
        """The level."""
        ...


B = TypeVar("B", bound=Buildable)


class Evaluator:
    """Makes, measures and trains; asks the memo first, and keeps what is new in it.

    Args:
        scenario: what candidates are judged by.
        crew: who works.
        known: the memo.
        study: the id that new measurements and trainings are stored under.
        training_seed: of initial weights and the order of examples.
        progress: told what is being done.
        command: what stored runs record as the command that asked for them.
    """

    def __init__(
        self,
        scenario: Scenario,
        crew: Crew,
        known: Memo,
        *,
        study: str,
        training_seed: int,
        progress: Progress,
        command: tuple[str, ...],
    ) -> None:
        self.scenario = scenario
        self._crew, self._memo, self._study = crew, known, study
        self._seed, self._progress, self._command = training_seed, progress, command
        self._identify = expand.Identify(cycles=True, calibrations=scenario.calibrations)
        self._calibrations = {item.platform: item for item in scenario.calibrations}
        training = scenario.file.training
        self.rungs = halving.rungs(training.epochs, training.halving)

    def batch(self, asked: Asked, before: Sequence[TrialRecord]) -> tuple[TrialRecord, ...]:
        """The records of a batch's trials, in their order.

        Args:
            asked: number, values and candidate of each.
            before: the records of all earlier batches.

        Raises:
            HarnessError: what every candidate needs is missing, or none of the batch can be measured.
        """
        first = _first_trials(before)
        new = [item for item in asked if first.setdefault(item[2], item[0]) == item[0]]
        files, failures = self.networks([candidate for _, _, candidate in new])
        measured = self.measure([(candidate, files[candidate.network]) for _, _, candidate in new
                                 if candidate.network in files])  # fmt: skip
        records = {
            number: self._record(number, params, candidate, files, failures, measured)
            for number, params, candidate in new
        }
        _require_some(records.values())
        records |= self._trained(records, before)
        every = {record.number: record for record in before} | records
        return tuple(
            records[number] if number in records else _duplicate(number, params, every[first[candidate]])
            for number, params, candidate in asked
        )

    def networks(self, wanted: Sequence[Candidate]) -> tuple[Files, dict[Network, HarnessError]]:
        """Files with random weights, and why there are none of the others.

        Raises:
            HarnessError: that of the first, where it is not about that network alone.
        """
        files: Files = {}
        missing: dict[Wanted, Network] = {}
        for network in dict.fromkeys(candidate.network for candidate in wanted):
            order = wanted_of(network, RANDOM_SEED)
            found = self._memo.network(order)
            if found is None:
                missing[order] = network
            else:
                files[network] = found
        failures: dict[Network, HarnessError] = {}
        for done, (order, outcome) in enumerate(
            self._make([self._order(item, None) for item in missing], "building networks"), 1
        ):
            network = missing[order.wanted]
            if isinstance(outcome, Built):
                files[network] = (self._memo.keep_network(order.wanted, outcome), outcome)
            elif isinstance(outcome, HarnessError):
                _require_own(outcome)
                failures[network] = outcome
            self._progress("building networks", done, len(missing))
        return files, failures

    def measure(self, wanted: Sequence[tuple[B, tuple[Path, Built]]]) -> dict[B, tuple[Measurement, ...]]:
        """Every candidate on every board of the scenario, from the memo where it is known.

        Raises:
            HarnessError: what every point needs cannot be built, a cluster is gone.
        """
        points = {
            (candidate, board): self._point(candidate, path, built, board)
            for candidate, (path, built) in wanted
            for board in self.scenario.file.boards
        }
        found: dict[tuple[B, str], Measurement] = {}
        for (candidate, board), point in points.items():
            known = self._memo.measurement(board, point.identity) if point.identity else None
            if known is not None:
                found[candidate, board] = known
            elif point.failure is not None:
                found[candidate, board] = self._kept(point, Row(schema="", identity="", seconds=0.0,
                                                                failure=point.failure))  # fmt: skip
        missing = {key: point for key, point in points.items() if key not in found}
        by_identity = self._measured([*{point.identity: point for point in missing.values()}.values()])
        found |= {key: by_identity[point.identity] for key, point in missing.items()}
        return {
            candidate: tuple(found[candidate, board] for board in self.scenario.file.boards) for candidate, _ in wanted
        }

    def train(self, wanted: Sequence[Network], epochs: int) -> dict[Network, TrainingRecord]:
        """Each network trained for so many epochs, from the memo where it was.

        Raises:
            HarnessError: one of them cannot be trained.
        """
        found: dict[Network, TrainingRecord] = {}
        missing: dict[Wanted, Network] = {}
        for network in dict.fromkeys(wanted):
            order = self._order(wanted_of(network, self._seed), epochs)
            known = self._memo.training(self._training_key(order))
            if known is None:
                missing[order.wanted] = network
            else:
                found[network] = known
        step = f"training for {epochs} epochs"
        for done, (order, outcome) in enumerate(self._make([self._order(item, epochs) for item in missing], step), 1):
            if isinstance(outcome, HarnessError):
                raise outcome
            assert isinstance(outcome, Trained), "it was asked for"
            found[missing[order.wanted]] = self._memo.keep_training(self._training_key(order), outcome, self._study)
            self._progress(step, done, len(missing))
        return found

    def file_of(self, training: TrainingRecord) -> tuple[Path, Built]:
        """The trained network's file.

        Raises:
            HarnessError: the memo has lost it.
        """
        found = self._memo.trained(training.key)
        if found is None:
            raise HarnessError(f"the memo has lost a trained network ({training.key})", "give the command again")
        return found

    def judged(self, record: TrialRecord) -> TrialRecord:
        """With budgets, state and objectives by what is known of it now."""
        accuracy = record.trainings[-1].accuracy if record.trainings else None
        found = judge.judgements(self.scenario, record.measurements, accuracy)
        values = tuple(
            judge.value_of(self.scenario, name, record.measurements, accuracy, record.macs)
            for name in self.scenario.file.objectives
        )
        state = "missed" if record.failure is not None else judge.overall(found)
        return msgspec.structs.replace(record, judgements=found, objectives=values, state=state)

    def _record(
        self,
        number: int,
        params: dict[str, Value],
        candidate: Candidate,
        files: Files,
        failures: dict[Network, HarnessError],
        measured: dict[Candidate, tuple[Measurement, ...]],
    ) -> TrialRecord:
        error, built = failures.get(candidate.network), files.get(candidate.network)
        return self.judged(
            TrialRecord(
                schema=TRIAL_SCHEMA,
                number=number,
                params=params,
                candidate=candidate,
                state="undecided",
                failure=None if error is None else failure_of(error),
                model_sha256=None if built is None else built[1].sha256,
                macs=None if built is None else built[1].macs,
                measurements=measured.get(candidate, ()),
            )
        )

    def _trained(self, records: dict[int, TrialRecord], before: Sequence[TrialRecord]) -> dict[int, TrialRecord]:
        """Those that fit, trained rung by rung; the others as they are."""
        found: dict[int, TrialRecord] = {}
        going = [number for number, record in records.items() if record.measured and judge.fits(record.judgements)]
        for rung, epochs in enumerate(self.rungs):
            done = self.train([records[number].candidate.network for number in going], epochs)
            for number in going:
                record = found.get(number, records[number])
                trainings = (*record.trainings, done[record.candidate.network])
                found[number] = self.judged(msgspec.structs.replace(record, trainings=trainings))
            field = [self.standing(record, rung) for record in before
                     if record.duplicate_of is None and len(record.trainings) > rung]  # fmt: skip
            batch = [self.standing(found[number], rung) for number in going]
            going = [*halving.promoted(batch, field, self.scenario.file.training.halving)]
            if not going:
                break
        return found

    def standing(self, record: TrialRecord, rung: int) -> Standing:
        """A record as it was at a rung."""
        accuracy = record.trainings[rung].accuracy.fraction
        values = [accuracy if name == ACCURACY else value
                  for name, value in zip(self.scenario.file.objectives, record.objectives, strict=True)]  # fmt: skip
        known = [math.inf if cost is None else cost for cost in costs(self.scenario, values)]
        return Standing(trial=record.number, accuracy=accuracy, costs=tuple(known))

    def _point(self, candidate: Buildable, path: Path, built: Built, board: str) -> Point:
        choice = Choice(
            model=candidate.label,
            path=str(path),
            recipe=None,
            platform=board,
            kernels=candidate.kernels,
            optimisation=candidate.optimisation,
            fpu=None,
            emulator="qemu",
        )
        facts = ModelFacts(sha256=built.sha256, type=candidate.type, compressed_size=len(built.content))
        return self._identify(choice, facts)

    def _measured(self, points: list[Point]) -> dict[str | None, Measurement]:
        if not points:
            return {}
        errors: dict[str, HarnessError] = worker.build(tuple(points), self._progress) if self._crew.local else {}
        tasks = {
            point.identity: Task(
                identity=point.identity or "",
                choice=point.choice,
                time_limit_s=DEFAULT_TIME_LIMIT_S,
                command=self._command,
                cycles=True,
                calibration=self._calibrations.get(point.choice.platform),
            )
            for point in points
            if point.identity not in errors
        }
        found: dict[str | None, Measurement] = {}
        by_identity = {point.identity: point for point in points}
        for identity, error in errors.items():
            found[identity] = self._kept(by_identity[identity], worker.failed(_task(identity, points), error, 0.0))
        self._progress("measuring", 0, len(tasks))
        for done, (task, outcome) in enumerate(self._crew.measure(list(tasks.values())), 1):
            row = worker.failed(task, outcome, 0.0) if isinstance(outcome, HarnessError) else outcome
            found[task.identity] = self._kept(by_identity[task.identity], row)
            self._progress("measuring", done, len(tasks))
        return found

    def _kept(self, point: Point, row: Row) -> Measurement:
        """A row as a measurement; in the memo where it would come out the same again."""
        elf = None if row.run_id is None else store.load(row.run_id).identity.elf_sha256
        facts: Facts | None = point.facts
        found = Measurement(
            board=point.choice.platform,
            identity=point.identity or "",
            model_sha256="" if facts is None else facts.model.sha256,
            elf_sha256=elf,
            row=row,
            study=self._study,
        )
        if point.identity is not None and (row.failure is None or row.failure.kind == "too large"):
            self._memo.keep_measurement(found)
        return found

    def _make(self, orders: list[Order], step: str) -> Any:
        if not orders:
            return ()
        self._progress(step, 0, len(orders))
        return self._crew.make(orders)

    def _order(self, wanted: Wanted, epochs: int | None) -> Order:
        return Order(
            wanted=wanted,
            dataset=None if epochs is None else self.scenario.file.data,
            settings=None if epochs is None else self._settings(epochs),
            versions=memo.versions(),
        )

    def _settings(self, epochs: int) -> Training:
        training = self.scenario.file.training
        return candidates.settings(epochs, training.batch, training.learning_rate)

    def _training_key(self, order: Order) -> str:
        assert order.settings is not None and order.dataset is not None, "it is a training"
        return memo.training_key(order.wanted, order.dataset, order.settings)


def wanted_of(network: Network, seed: int) -> Wanted:
    """What the zoo makes of a network."""
    return Wanted(architecture=network.architecture, type=network.type, pruning=network.pruning, seed=seed)


def costs(scenario: Scenario, values: Sequence[float | None]) -> tuple[float | None, ...]:
    """Values of the objectives so that less is better."""
    return tuple(
        None if value is None else -value if name == ACCURACY else value
        for name, value in zip(scenario.file.objectives, values, strict=True)
    )


def _task(identity: str, points: Sequence[Point]) -> Task:
    point = next(item for item in points if item.identity == identity)
    return Task(identity=identity, choice=point.choice, time_limit_s=DEFAULT_TIME_LIMIT_S, command=())


def _first_trials(before: Sequence[TrialRecord]) -> dict[Candidate, int]:
    found: dict[Candidate, int] = {}
    for record in before:
        found.setdefault(record.candidate, record.number)
    return found


def _duplicate(number: int, params: dict[str, Value], original: TrialRecord) -> TrialRecord:
    return msgspec.structs.replace(original, number=number, params=params, duplicate_of=original.number)


def _require_own(error: HarnessError) -> None:
    """Let an error through that is not about one network."""
    if not isinstance(error, BadInputError):
        raise error


def _require_some(records: Iterable[TrialRecord]) -> None:
    """A batch of which nothing could be measured tells of a missing tool, not of its networks."""
    failures: list[Failure | None] = [
        item.row.failure for record in records for item in record.measurements if item.row.measured is None
    ]
    broken = [failure for failure in failures if failure is not None and failure.kind == "not measured"]
    total = sum(len(record.measurements) for record in records)
    if broken and len(broken) == total:
        raise HarnessError(broken[0].message, broken[0].hint)
