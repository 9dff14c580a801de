"""What a search came to: the pick and the runner-up, or what is missing to one."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from harness.library import Progress
from harness.optimize import choose, finals, space
from harness.optimize.evaluate import Evaluator
from harness.optimize.records import RESULT_SCHEMA, Pick, Relaxation, StudyFile, StudyResult, TrialRecord
from harness.optimize.scenario import ACCURACY, Scenario
from harness.optimize.study import Study

# How many of the best are trained to the end and measured with their weights, until two of them meet every budget.
FINALISTS = 6
_WANTED = 2


def conclude(
    study: Study,
    made: StudyFile,
    scenario: Scenario,
    evaluator: Evaluator,
    records: Sequence[TrialRecord],
    notes: Sequence[str],
    test: bool,
    progress: Progress,
) -> StudyResult:
    """The result of a search.

    The pick is the best that meets every budget with its trained weights; what does not is refused, and the next one
    looked at. ``test`` False leaves the finals out, so that there is no pick, and nothing is trained for them.

    Raises:
        HarnessError: a finalist cannot be trained or measured.
    """
    met = choose.met(records)
    passed, refused = _finals(study, scenario, evaluator, choose.ranked(scenario, met), progress) if test else ([], [])
    before = study.result()
    passed = [_tested(study, scenario, pick, before, pick is passed[0], progress) for pick in passed]
    nearest = () if passed or met else _nearest(evaluator, records) if test else choose.nearest(records)
    proved = not met and _proved(made, scenario, records)
    states = [record.state for record in records if record.duplicate_of is None]
    return StudyResult(
        schema=RESULT_SCHEMA,
        name=made.name,
        id=made.id,
        trials=len(records),
        met=len(met),
        undecided=states.count("undecided"),
        missed=states.count("missed"),
        pick=passed[0] if passed else None,
        runner_up=passed[1] if len(passed) > 1 else None,
        refused=tuple(refused),
        front=tuple(record.number for record in choose.front(scenario, met)),
        nearest=nearest,
        proved=proved,
        work=choose.work(records, made.id),
        notes=tuple(notes),
        reasons=reasons(made, records, passed, bool(met), proved) if test else (),
    )


def _finals(
    study: Study, scenario: Scenario, evaluator: Evaluator, ranked: Sequence[TrialRecord], progress: Progress
) -> tuple[list[Pick], list[Pick]]:
    passed: list[Pick] = []
    refused: list[Pick] = []
    for record in ranked[:FINALISTS]:
        progress("finals", len(passed), _WANTED)
        pick = finals.prepare(evaluator, record, study)
        (passed if pick.state == "met" else refused).append(pick)
        if len(passed) == _WANTED:
            break
    passed.sort(key=lambda pick: (*choose.order(scenario, pick.objectives), pick.trial))
    return passed, refused


def _tested(
    study: Study, scenario: Scenario, pick: Pick, before: StudyResult | None, device: bool, progress: Progress
) -> Pick:
    """With the test part's accuracy, of the pick on the emulated boards as well; what was tested before stays."""
    for known in () if before is None else (before.pick, before.runner_up):
        if known is not None and known.model_sha256 == pick.model_sha256 and known.candidate == pick.candidate:
            pick = msgspec.structs.replace(pick, test=known.test, device=known.device)
    if pick.test is None:
        pick = finals.tested(scenario, study, pick)
    return finals.tested_on_device(scenario, study, pick, progress) if device and not pick.device else pick


def _nearest(evaluator: Evaluator, records: Sequence[TrialRecord]) -> tuple[Relaxation, ...]:
    """The nearest misses; those whose accuracy is not known are trained, so that it is said, too."""
    found = choose.nearest(records)
    unknown = [records[item.trial] for item in found if item.unknown]
    if not unknown:
        return found
    trained = evaluator.train([record.candidate.network for record in unknown], evaluator.rungs[-1])
    again = [
        evaluator.judged(msgspec.structs.replace(record, trainings=(trained[record.candidate.network],)))
        for record in unknown
    ]
    numbers = {record.number for record in again}
    known = [records[item.trial] for item in found if item.trial not in numbers]
    return choose.nearest([*known, *again])


def _proved(made: StudyFile, scenario: Scenario, records: Sequence[TrialRecord]) -> bool:
    """Whether every candidate of the space certainly misses a budget that needs no training."""
    if made.mode != "enumeration":
        return False
    shape, classes = records[0].candidate.architecture.shape, records[0].candidate.architecture.classes
    every = space.enumerated(made.axes, shape, classes, most=made.space)
    return every is not None and len(records) == len(every) and all(map(_certainly_out, records))


def _certainly_out(record: TrialRecord) -> bool:
    if record.failure is not None:
        return record.failure.kind != "not measured"
    failures = [item.row.failure for item in record.measurements if item.row.failure is not None]
    if any(failure.kind == "not measured" for failure in failures):
        return False
    return any(item.state == "missed" and item.metric != ACCURACY for item in record.judgements)


def reasons(
    made: StudyFile, records: Sequence[TrialRecord], passed: Sequence[Pick], met: bool, proved: bool
) -> tuple[str, ...]:
    """Why the verdict is no; nothing where it is yes."""
    if passed:
        test = passed[0].test
        if test is not None and test.state == "missed":
            return (
                "the pick is less accurate on the test part than the lowest accuracy, whatever the chance of the draw",
            )
        return ()
    if met:
        return ("every candidate that met the budgets misses one with its trained weights",)
    open_ = sum(_undecided(record) for record in records if record.duplicate_of is None)
    undecided = f"{open_:,} of them undecided: bounds of estimates lie on both sides of a limit"
    more = (undecided,) if open_ else ()
    looked = f"{len(records):,} trials of {made.space:,} combinations"
    if proved:
        return (f"proved: each of the {len(records):,} candidates of the space misses a budget",)
    if made.mode == "enumeration":
        return (f"none found among all {len(records):,} candidates of the space, as they were trained here", *more)
    return (f"not found in {looked}", *more)


def _undecided(record: TrialRecord) -> bool:
    """Whether bounds of estimates alone stand between a candidate and every budget, its accuracy aside."""
    states = {item.state for item in record.judgements if item.value is not None}
    return record.measured and "missed" not in states and "undecided" in states
