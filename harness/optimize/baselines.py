"""Sets the search beside random search and a search on multiply-accumulates alone: equal trials, the same seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from harness.library import Progress, silent
from harness.optimize import choose, conclude, finals, judge, rivals, study
from harness.optimize.evaluate import Evaluator
from harness.optimize.memo import Memo
from harness.optimize.records import Judgement, Pick, TestAccuracy, TrialRecord, Work
from harness.optimize.rivals import METHODS, SAMPLERS, Method
from harness.optimize.run import Outcome, run
from harness.optimize.scenario import ACCURACY, Scenario
from harness.optimize.study import Study
from harness.optimize.work import Crew
from harness.records import Record
from harness.sweep.run import usable_cores
from harness.zoo import data, evaluate

SCHEMA = "tflm-harness/baselines/1"
SEEDS = (0, 1, 2)

# Told of each batch of a search: method, seed, trials so far.
OnBatch = Callable[[Method, int, int], None]


class Best(Record, frozen=True):
    """What a search would have picked after a batch: the scenario's objectives of it, and whether it meets the budgets.

    By the accuracy on the validation part that was known then.
    """

    trials: int
    trial: int
    objectives: tuple[float | None, ...]
    state: str


class Searched(Record, frozen=True):
    """A search and its pick, judged by the scenario whatever the search went by. ``pick`` None: it found none."""

    method: Method
    seed: int
    trials: int
    met: int
    work: Work
    course: tuple[Best, ...]
    pick: Pick | None


class Pairs(Record, frozen=True):
    """Measured networks of one type, kernel set and -O level, two and two, with different multiply-accumulates.

    ``against`` are those in which the one with fewer of them executes more instructions.
    """

    pairs: int
    against: int


class Point(Record, frozen=True):
    """A candidate of a search as it is drawn: what was measured and estimated of it on the first board."""

    method: Method
    seed: int
    trial: int
    record: TrialRecord


class Comparison(Record, frozen=True):
    """Searches of one scenario side by side. ``trials`` is how many each was given."""

    schema: str
    scenario: str
    trials: int
    seeds: tuple[int, ...]
    searches: tuple[Searched, ...]
    pairs: Pairs

    def of(self, method: Method) -> tuple[Searched, ...]:
        """Those of a method, in the order of the seeds."""
        return tuple(item for item in self.searches if item.method == method)


class Compared(Record, frozen=True):
    """A comparison with what plots need of it: every trial, judged by the scenario."""

    scenario: Scenario
    comparison: Comparison
    points: tuple[Point, ...]
    versions: dict[str, str]


def default_folder(name: str) -> Path:
    """Where the searches of a comparison are kept; each is a study of its own, and goes on where it was stopped."""
    return study.studies_folder() / "baselines" / name


def compare(
    scenario: Scenario,
    *,
    trials: int | None = None,
    seeds: Sequence[int] = SEEDS,
    folder: Path | None = None,
    jobs: int | None = None,
    memo_folder: Path | None = None,
    progress: Progress = silent,
    on_batch: OnBatch | None = None,
    command: tuple[str, ...] = (),
) -> Compared:
    """Search by each method with each seed, and judge what each picks.

    Measurements and trainings are shared by all of them.

    Args:
        scenario: from ``scenario.load``.
        trials: of each search; None: what the scenario says.
        seeds: of the searches; all networks are trained with the scenario's one.
        folder: where the searches are kept; None: ``default_folder``.
        jobs, memo_folder, progress, command: as in ``run.run``.
        on_batch: told of each batch.

    Raises:
        As ``run.run``.
    """
    root = folder or default_folder(scenario.name)
    total = trials or scenario.file.search.trials
    by_macs = rivals.macs_scenario(scenario, root / "macs.toml")
    outcomes: dict[tuple[Method, int], Outcome] = {}
    with Crew(jobs or usable_cores(), None, progress) as crew:
        for seed in seeds:
            for method in METHODS:
                outcomes[method, seed] = run(
                    by_macs if method == "macs" else scenario,
                    root / f"{method}-seed{seed}",
                    trials=total,
                    sampler=SAMPLERS[method],
                    seed=seed,
                    mode="search",
                    finals=False,
                    memo_folder=memo_folder,
                    crew=crew,
                    progress=progress,
                    on_batch=_teller(method, seed, on_batch),
                    command=command,
                )
        searches = tuple(
            _searched(scenario, method, seed, outcome, crew, Memo(memo_folder), progress, command)
            for (method, seed), outcome in outcomes.items()
        )
    points = tuple(
        Point(method=method, seed=seed, trial=record.number, record=_judged(scenario, record))
        for (method, seed), outcome in outcomes.items()
        for record in outcome.records[:total]
    )
    comparison = Comparison(
        schema=SCHEMA,
        scenario=scenario.name,
        trials=total,
        seeds=tuple(seeds),
        searches=searches,
        pairs=pairs([point.record for point in points]),
    )
    versions = outcomes[METHODS[0], seeds[0]].file.versions
    return Compared(scenario=scenario, comparison=comparison, points=points, versions=versions)


def _teller(method: Method, seed: int, on_batch: OnBatch | None) -> Callable[..., None]:
    def tell(_batch: Sequence[TrialRecord], records: Sequence[TrialRecord]) -> None:
        if on_batch is not None:
            on_batch(method, seed, len(records))

    return tell


def _searched(
    scenario: Scenario,
    method: Method,
    seed: int,
    outcome: Outcome,
    crew: Crew,
    known: Memo,
    progress: Progress,
    command: tuple[str, ...],
) -> Searched:
    evaluator = Evaluator(
        outcome.scenario,
        crew,
        known,
        study=outcome.file.id,
        training_seed=outcome.file.training_seed,
        progress=progress,
        command=command,
    )
    met = choose.met(outcome.records)
    return Searched(
        method=method,
        seed=seed,
        trials=len(outcome.records),
        met=sum(_judged(scenario, record).state == "met" for record in met),
        work=choose.work(outcome.records, outcome.file.id),
        course=course(scenario, outcome.scenario, outcome.records, outcome.file.batch),
        pick=_pick(scenario, outcome, evaluator),
    )


def _pick(scenario: Scenario, outcome: Outcome, evaluator: Evaluator) -> Pick | None:
    """The first finalist that meets the budgets which its own search knew, judged by all of the scenario's."""
    for record in choose.ranked(outcome.scenario, choose.met(outcome.records))[: conclude.FINALISTS]:
        found = finals.prepare(evaluator, record, Study(outcome.folder))
        if found.state == "met":
            return _tested(scenario, outcome, found)
    return None


def _tested(scenario: Scenario, outcome: Outcome, pick: Pick) -> Pick:
    """Judged by the scenario, and with its accuracy on the test part, on the host alone."""
    judged = judge.judgements(scenario, pick.measurements, pick.training.accuracy)
    values = tuple(
        judge.value_of(scenario, name, pick.measurements, pick.training.accuracy, pick.macs)
        for name in scenario.file.objectives
    )
    return msgspec.structs.replace(
        pick,
        judgements=judged,
        objectives=values,
        state=judge.overall(judged),
        test=_test(scenario, outcome.folder / pick.model),
    )


def _test(scenario: Scenario, path: Path) -> TestAccuracy:
    found = data.load(scenario.file.data)
    host = evaluate.accuracy(path.read_bytes(), found.test_inputs, found.test_labels)
    return finals.tested_accuracy(host.correct, host.images, scenario.accuracy)


def _judged(scenario: Scenario, record: TrialRecord) -> TrialRecord:
    """A trial of whatever search, judged by the scenario."""
    accuracy = record.trainings[-1].accuracy if record.trainings else None
    found: tuple[Judgement, ...] = judge.judgements(scenario, record.measurements, accuracy)
    values = tuple(
        judge.value_of(scenario, name, record.measurements, accuracy, record.macs) for name in scenario.file.objectives
    )
    state = "missed" if record.failure is not None else judge.overall(found)
    return msgspec.structs.replace(record, judgements=found, objectives=values, state=state)


def course(scenario: Scenario, own: Scenario, records: Sequence[TrialRecord], batch: int = 1) -> tuple[Best, ...]:
    """What a search would have picked after each batch.

    Args:
        scenario: what its pick is judged by.
        own: what the search went by.
        records: its trials in order.
        batch: how many trials come at once.
    """
    found = []
    for end in sorted({*range(batch, len(records) + 1, batch), len(records)} - {0}):
        ranked = choose.ranked(own, choose.met(records[:end]))
        if ranked:
            best = _judged(scenario, ranked[0])
            found.append(Best(trials=end, trial=best.number, objectives=best.objectives, state=best.state))
    return tuple(found)


def pairs(records: Sequence[TrialRecord]) -> Pairs:
    """How often fewer multiply-accumulates mean more instructions, among networks that are built alike."""
    groups: dict[tuple[str, str, str], dict[str, tuple[int, int]]] = {}
    for record in records:
        first = record.measurements[0].row.measured if record.measurements else None
        if first is not None and record.macs is not None:
            chosen = record.candidate
            group = groups.setdefault((chosen.type, chosen.kernels, chosen.optimisation), {})
            group[chosen.key] = (record.macs, first.instructions)
    total = against = 0
    for group in groups.values():
        values = sorted(group.values())
        for place, (macs, instructions) in enumerate(values):
            more = [other for other in values[place + 1 :] if other[0] > macs]
            total += len(more)
            against += sum(other[1] < instructions for other in more)
    return Pairs(pairs=total, against=against)


class Verdict(Record, frozen=True):
    """A rival's pick against that of the search with the same seed.

    ``missed`` and ``undecided`` are the budgets that it misses, or may miss. ``change`` is its first objective that is
    no accuracy, against the search's pick, as a share of that, ``instructions`` the same of what is executed on the
    first board, ``accuracy`` how much more of the validation part it gets right, as a share of that part; ``behind``:
    it is behind in the scenario's objectives, in their order. All None where the search has no pick.
    """

    seed: int
    missed: tuple[str, ...]
    undecided: tuple[str, ...]
    change: float | None
    instructions: float | None
    accuracy: float | None
    behind: bool | None

    @property
    def loses(self) -> bool:
        """It cannot be used, or is worse."""
        return bool(self.missed or self.undecided or self.behind)


def verdicts(scenario: Scenario, comparison: Comparison, method: Method) -> tuple[Verdict, ...]:
    """Each pick of a method against that of the search with the same seed; where it has none there is no verdict."""
    own = {item.seed: item.pick for item in comparison.of("tpe")}
    found = []
    for item in comparison.of(method):
        if item.pick is not None:
            found.append(_verdict(scenario, item.seed, item.pick, own.get(item.seed)))
    return tuple(found)


def _verdict(scenario: Scenario, seed: int, theirs: Pick, ours: Pick | None) -> Verdict:
    missed = tuple(item.key for item in theirs.judgements if item.state == "missed")
    undecided = tuple(item.key for item in theirs.judgements if item.state == "undecided")
    change = instructions = accuracy = behind = None
    if ours is not None:
        behind = choose.order(scenario, theirs.objectives) > choose.order(scenario, ours.objectives)
        change = _change(scenario, theirs, ours)
        instructions = _executed(theirs) / _executed(ours) - 1
        accuracy = theirs.training.accuracy.fraction - ours.training.accuracy.fraction
    return Verdict(seed=seed, missed=missed, undecided=undecided, change=change, instructions=instructions,
                   accuracy=accuracy, behind=behind)  # fmt: skip


def _executed(pick: Pick) -> int:
    found = pick.measurements[0].row.measured
    assert found is not None, "what was picked was measured"
    return found.instructions


def cost(scenario: Scenario) -> str | None:
    """The scenario's first objective that is no accuracy; None: it has no other."""
    return next((name for name in scenario.file.objectives if name != ACCURACY), None)


def _change(scenario: Scenario, theirs: Pick, ours: Pick) -> float | None:
    name = cost(scenario)
    if name is None:
        return None
    place = scenario.file.objectives.index(name)
    mine, other = ours.objectives[place], theirs.objectives[place]
    if mine is None or other is None or not mine or math.isinf(other):
        return None
    return other / mine - 1
