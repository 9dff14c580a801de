"""Why a study came to its pick: beside others, layer by layer; by single changes; by budgets and their slack."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness import compare as comparing
from harness import pipeline, store
from harness.compare import Compared
from harness.errors import BadInputError, HarnessError
from harness.library import Progress, silent
from harness.optimize import ablate, choose
from harness.optimize.ablate import Ablation
from harness.optimize.evaluate import Evaluator
from harness.optimize.judge import Bounded
from harness.optimize.memo import Memo
from harness.optimize.records import Judgement, Relaxation, StudyResult, TrialRecord
from harness.optimize.scenario import ACCURACY, Scenario
from harness.optimize.space import Candidate
from harness.optimize.study import Study
from harness.optimize.work import Crew
from harness.records import Record
from harness.result import Result
from harness.sweep.run import usable_cores

SCHEMA = "tflm-harness/study-explanation/1"
ROLES = ("pick", "runner-up", "baseline")


class Side(Record, frozen=True):
    """A trial that is compared: what it is in the study, and its numbers, those of the worst board."""

    role: str
    trial: int
    candidate: Candidate
    macs: int | None
    accuracy: float | None
    epochs: int | None
    values: dict[str, Bounded]
    state: str


class Pair(Record, frozen=True):
    """Two trials on a board, with random weights: what was chosen otherwise, and every layer side by side."""

    before: str
    after: str
    board: str
    chosen: dict[str, tuple[str, str]]
    compared: Compared


class Alone(Record, frozen=True):
    """The smallest change of one budget alone that lets a trial in. ``factor`` as in ``Relaxation``.

    ``unknown``: the trial's accuracy is not known, and must suffice.
    """

    trial: int
    judgement: Judgement
    factor: float
    unknown: bool


class Explained(Record, frozen=True):
    """An explanation. ``metric`` is what ablations are ordered by, ``around`` the trial that they are of.

    ``budgets`` are those of the pick, ``binding`` is the one with the least room. ``nearest`` and ``alone`` are empty
    where there is a pick. ``proved``: all of the space was gone through, and each candidate misses a budget.
    """

    schema: str
    name: str
    metric: str
    sides: tuple[Side, ...]
    pairs: tuple[Pair, ...]
    around: Side | None
    ablations: tuple[Ablation, ...]
    budgets: tuple[Judgement, ...]
    binding: Judgement | None
    nearest: tuple[Relaxation, ...]
    alone: tuple[Alone, ...]
    proved: bool
    trials: int
    notes: tuple[str, ...]


def explain(
    folder: Path,
    which: Sequence[str] = (),
    *,
    changes: bool = True,
    jobs: int | None = None,
    memo_folder: Path | None = None,
    progress: Progress = silent,
    command: tuple[str, ...] = (),
) -> Explained:
    """Explain a study.

    Args:
        folder: the study's.
        which: none, or two of "pick", "runner-up", "baseline" and numbers of trials: then these alone are compared.
        changes: whether single changes are measured where nothing is named.
        jobs, memo_folder, progress, command: as in ``run.run``.

    Raises:
        BadInputError: the study has not come to its end, or there is no such trial.
        HarnessError: what has to be measured again cannot be, or comes out otherwise.
    """
    kept = Study(folder)
    made, result, records = kept.read(), kept.result(), kept.trials()
    if made is None or result is None:
        raise BadInputError(
            f"{folder}: the search has not come to its end ({len(records)} trials are stored)",
            "harness optimize SCENARIO goes on with it",
        )
    scenario = kept.scenario()
    notes: list[str] = []
    roles = _roles(scenario, records, result, notes)
    wanted = _wanted(which, roles, records)
    with Crew(jobs or usable_cores(), None, progress) as crew:
        evaluator = Evaluator(scenario, crew, Memo(memo_folder), study=made.id, training_seed=made.training_seed,
                              progress=progress, command=command)  # fmt: skip
        pairs = _pairs(evaluator, wanted, records, command)
        around = None if which or not changes else _around(roles, result)
        metric = metric_of(scenario)
        candidate = None if around is None else records[around[1]].candidate
        found = () if candidate is None else ablate.ablations(scenario, evaluator, candidate, metric)
    budgets = () if result.pick is None else result.pick.judgements
    return Explained(
        schema=SCHEMA,
        name=result.name,
        metric=metric,
        sides=tuple(_side(scenario, role, records[number], result) for role, number in wanted.items()),
        pairs=pairs,
        around=None if around is None else _side(scenario, around[0], records[around[1]], result),
        ablations=found,
        budgets=budgets,
        binding=binding(budgets),
        nearest=result.nearest,
        alone=() if result.pick is not None else alone(records),
        proved=result.proved,
        trials=len(records),
        notes=tuple(notes),
    )


def metric_of(scenario: Scenario) -> str:
    """What changes are ordered by: the first objective that is measured or estimated of a build, else instructions."""
    return next((name for name in scenario.file.objectives if name in ablate.METRICS), "instructions")


def binding(found: Sequence[Judgement]) -> Judgement | None:
    """The budget with the least room, by the bound that decides."""
    known = [item for item in found if item.value is not None]
    return max(known, key=lambda item: item.violation, default=None)


def alone(records: Sequence[TrialRecord]) -> tuple[Alone, ...]:
    """For each budget that some trial misses alone, the smallest change that lets one in, the smallest first."""
    best: dict[str, Alone] = {}
    for record in records:
        if record.duplicate_of is None and record.measured:
            missing = [item for item in record.judgements if item.state != "met"]
            unknown = [item for item in missing if item.metric == ACCURACY and item.value is None]
            known = [item for item in missing if item not in unknown]
            if len(known) == 1 and known[0].value is not None:
                found = Alone(trial=record.number, judgement=known[0], factor=choose.factor(known[0]),
                              unknown=bool(unknown))  # fmt: skip
                key = found.judgement.key
                if key not in best or (found.unknown, found.factor) < (best[key].unknown, best[key].factor):
                    best[key] = found
    return tuple(sorted(best.values(), key=lambda item: (item.unknown, item.factor)))


def baseline(scenario: Scenario, records: Sequence[TrialRecord]) -> TrialRecord | None:
    """What multiply-accumulates alone would have picked from the same trials: the fewest at the lowest accuracy."""
    lowest = scenario.accuracy or 0.0
    able = [
        item
        for item in records
        if item.accuracy is not None and item.accuracy >= lowest and item.macs is not None and item.duplicate_of is None
    ]
    return min(able, key=lambda item: (item.macs or 0, -(item.accuracy or 0.0), item.number), default=None)


def _roles(scenario: Scenario, records: Sequence[TrialRecord], result: StudyResult, notes: list[str]) -> dict[str, int]:
    found = {}
    if result.pick is not None:
        found["pick"] = result.pick.trial
    if result.runner_up is not None:
        found["runner-up"] = result.runner_up.trial
    fewest = baseline(scenario, records)
    if fewest is None:
        notes.append("no baseline: no trial is accurate enough and trained")
    else:
        found["baseline"] = fewest.number
        text = "baseline: of the trained trials that are accurate enough, the one with the fewest MACs"
        same = [role for role in ROLES[:2] if found.get(role) == fewest.number]
        notes.append(f"{text}; it is the {same[0]}, too" if same else text)
    return found


def _wanted(which: Sequence[str], roles: dict[str, int], records: Sequence[TrialRecord]) -> dict[str, int]:
    """Trials to show, by what they are called; each once."""
    found: dict[str, int] = {}
    for text in which or roles:
        number = _number(text, roles, records)
        if number not in found.values():
            found[text if text in roles else f"trial {number}"] = number
    if which and len(found) < 2:
        raise BadInputError(f"{' and '.join(which)}: the same trial", "name two that differ")
    return found


def _number(text: str, roles: dict[str, int], records: Sequence[TrialRecord]) -> int:
    if text in roles:
        number = roles[text]
    elif text.isascii() and text.isdigit() and int(text) < len(records):
        number = int(text)
    else:
        known = [*roles, f"0 to {len(records) - 1}"]
        why = "the study has none" if text in ROLES else "no trial of the study"
        raise BadInputError(f"{text}: {why}", f"one of {', '.join(known)}")
    original = records[number].duplicate_of
    return number if original is None else original


def _around(roles: dict[str, int], result: StudyResult) -> tuple[str, int] | None:
    if "pick" in roles:
        return "pick", roles["pick"]
    return ("nearest miss", result.nearest[0].trial) if result.nearest else None


def _side(scenario: Scenario, role: str, record: TrialRecord, result: StudyResult) -> Side:
    """Of finalists the accuracy after all epochs."""
    pick = next((item for item in (result.pick, result.runner_up) if item and item.trial == record.number), None)
    return Side(
        role=role,
        trial=record.number,
        candidate=record.candidate,
        macs=record.macs,
        accuracy=record.accuracy if pick is None else pick.training.accuracy.fraction,
        epochs=record.epochs if pick is None else pick.training.epochs,
        values=ablate.values(scenario, record.measurements),
        state=record.state if pick is None else pick.state,
    )


def _pairs(
    evaluator: Evaluator, wanted: dict[str, int], records: Sequence[TrialRecord], command: tuple[str, ...]
) -> tuple[Pair, ...]:
    """The others beside the first one, on each board."""
    if len(wanted) < 2:
        return ()
    first, *others = wanted
    found = []
    for place, board in enumerate(evaluator.scenario.file.boards):
        results = {role: _result(evaluator, records[number], place, command) for role, number in wanted.items()}
        for other in others:
            if (before := results[other]) is not None and (after := results[first]) is not None:
                chosen = differences(records[wanted[other]].candidate, records[wanted[first]].candidate)
                found.append(Pair(before=other, after=first, board=board, chosen=chosen,
                                  compared=comparing.compare(before, after)))  # fmt: skip
    return tuple(found)


def differences(before: Candidate, after: Candidate) -> dict[str, tuple[str, str]]:
    """What of two candidates is chosen otherwise, by name."""
    one, other = _choices(before), _choices(after)
    return {name: (one[name], other[name]) for name in one if one[name] != other[name]}


def _choices(candidate: Candidate) -> dict[str, str]:
    shape = candidate.architecture
    names = ("family", "channels", "depth", "kernel", "stride", "pool", "growth", "head")
    found = {name: _text(getattr(shape, name)) for name in names}
    return found | {
        "pruning": _text(candidate.pruning or None),
        "type": candidate.type,
        "kernels": candidate.kernels,
        "level": candidate.optimisation,
    }


def _text(value: object) -> str:
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _result(evaluator: Evaluator, record: TrialRecord, place: int, command: tuple[str, ...]) -> Result | None:
    """The stored run of a trial on a board, else the same measured again; None: it does not run there."""
    measurement = record.measurements[place] if record.measurements else None
    if measurement is None or measurement.row.run_id is None or measurement.row.measured is None:
        return None
    try:
        return store.load(measurement.row.run_id)
    except BadInputError:  # it was measured where results are kept elsewhere, or was removed
        pass
    files, failures = evaluator.networks([record.candidate])
    if failures:
        raise next(iter(failures.values()))
    path, _ = files[record.candidate.network]
    calibrations = {item.platform: item for item in evaluator.scenario.calibrations}
    again = pipeline.run(
        path,
        measurement.board,
        kernels=record.candidate.kernels,
        optimisation=record.candidate.optimisation,
        cycles=True,
        calibration=calibrations.get(measurement.board),
        command=command,
    )
    then = measurement.row.measured.instructions
    if again.counts.total != then:
        raise HarnessError(
            f"trial {record.number} executes {again.counts.total:,} instructions on {measurement.board}, {then:,} when "
            "the study was made",
            "compiler, TFLM or harness are others than then: make the study anew",
        )
    return again
