"""Which trials meet every budget, which of them nothing beats, and, where none does, which ones miss least."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.optimize import evaluate
from harness.optimize.records import Judgement, Relaxation, TrialRecord, Work
from harness.optimize.scenario import Scenario

_NEAREST = 3


def met(records: Sequence[TrialRecord]) -> tuple[TrialRecord, ...]:
    """Those that meet every budget and are trained, each candidate once."""
    return tuple(item for item in records if item.state == "met" and item.trainings and item.duplicate_of is None)


def ranked(scenario: Scenario, records: Sequence[TrialRecord]) -> tuple[TrialRecord, ...]:
    """By the first objective, the best first; by the next ones where several are equal, then by fewer instructions.

    What has no value of an objective stands behind.
    """
    return tuple(
        sorted(records, key=lambda item: (*order(scenario, item.objectives), _instructions(item), item.number))
    )


def order(scenario: Scenario, objectives: Sequence[float | None]) -> tuple[float, ...]:
    """What values of the objectives are sorted by, less being better."""
    return tuple(math.inf if cost is None else cost for cost in evaluate.costs(scenario, objectives))


def _instructions(record: TrialRecord) -> int:
    return max((item.row.measured.instructions for item in record.measurements if item.row.measured), default=0)


def front(scenario: Scenario, records: Sequence[TrialRecord]) -> tuple[TrialRecord, ...]:
    """Those that no other beats in every objective, in the order of the first."""
    costs = [(order(scenario, item.objectives), item) for item in records]

    def beaten(mine: tuple[float, ...]) -> bool:
        return any(
            theirs != mine and all(one <= other for one, other in zip(theirs, mine, strict=True)) for theirs, _ in costs
        )

    return ranked(scenario, [item for mine, item in costs if not beaten(mine)])


def nearest(records: Sequence[TrialRecord]) -> tuple[Relaxation, ...]:
    """What would let a trial in, the smallest change of the limits first.

    Only of trials that were measured; one whose accuracy is not known stands behind those that are trained.
    """
    found = [_relaxation(item) for item in records if item.measured and item.duplicate_of is None]
    wanted = [item for item in found if item is not None]
    return tuple(sorted(wanted, key=lambda item: (item.factor, item.unknown, item.trial))[:_NEAREST])


def _relaxation(record: TrialRecord) -> Relaxation | None:
    """None where no change of a limit would help: a run that is not exact, or without a value."""
    missing = [item for item in record.judgements if item.state != "met"]
    unknown = any(item.metric == "accuracy" and item.value is None for item in missing)
    missing = [item for item in missing if not (item.metric == "accuracy" and item.value is None)]
    if not missing or any(item.value is None for item in missing):
        return None
    return Relaxation(
        trial=record.number,
        judgements=tuple(missing),
        factor=max(factor(item) for item in missing),
        unknown=unknown,
    )


def needed(item: Judgement) -> float:
    """The limit that a judgement would be met with: what was measured, or the bound of an estimate that decides."""
    assert item.value is not None, "there is a value"
    if item.at_least:
        return item.low if item.low else item.value
    return item.value if item.high is None else item.high


def factor(item: Judgement) -> float:
    """The limit that would be needed, by the limit that is given; the other way around for what is a least value."""
    value = needed(item)
    if item.at_least:
        return item.limit / value if value > 0 else math.inf
    return value / item.limit


def work(records: Sequence[TrialRecord], study: str) -> Work:
    """What a study did itself, and what the memo spared it."""
    own = [item for item in records if item.duplicate_of is None]
    measured = {item.identity + item.board: item.study == study
                for record in own for item in record.measurements if item.row.measured}  # fmt: skip
    trained = {item.key: item for record in own for item in record.trainings}
    return Work(
        measured=sum(measured.values()),
        measured_before=len(measured) - sum(measured.values()),
        trained=sum(item.study == study for item in trained.values()),
        trained_before=sum(item.study != study for item in trained.values()),
        duplicates=len(records) - len(own),
        failed=sum(item.failure is not None or not item.measured for item in own),
        cpu_s=round(sum(item.seconds for item in trained.values() if item.study == study), 1),
    )
