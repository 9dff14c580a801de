"""Single changes of a candidate: what each of them alone does to everything that is measured."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from harness.library import KERNEL_SETS, OPTIMISATIONS
from harness.optimize import judge
from harness.optimize.evaluate import Evaluator
from harness.optimize.judge import Bounded
from harness.optimize.records import Judgement, Measurement
from harness.optimize.scenario import ACCURACY, Scenario
from harness.optimize.space import Candidate, Type
from harness.records import Record

METRICS = ("instructions", "latency", "energy", "flash", "ram")
_REACH = 4  # channels more or less
_TYPES: tuple[Type, ...] = ("int8", "float32")


class Ablation(Record, frozen=True):
    """A candidate that differs in one thing, measured with random weights on each board; the worst board counts.

    ``kind`` is what was changed, ``before`` and ``after`` its values. ``effect`` is that on the metric that changes are
    ordered by, as a share of the value before; None where the candidate cannot be made or run: ``reason`` says why.
    ``missed`` are the budgets, accuracy aside, that it misses or may miss. ``study`` is the one that measured it.
    """

    kind: str
    before: str
    after: str
    candidate: Candidate
    macs: int | None
    values: dict[str, Bounded]
    effect: float | None
    missed: tuple[str, ...]
    reason: str | None
    study: str | None

    @property
    def words(self) -> str:
        """The change: "channels 12 to 11"."""
        return f"{self.kind} {self.before} to {self.after}"


def neighbours(candidate: Candidate) -> tuple[tuple[str, str, str, Candidate], ...]:
    """Every single change of a candidate: what is changed, its value before and after, the changed one.

    The width by one to four channels, the depth by a block, the pruning left out, the type, the kernel set, the level.
    Widths of all blocks follow the first one's, so this is the change of every layer at once.
    """
    found: list[tuple[str, str, str, Candidate]] = []
    shape = candidate.architecture
    for axis, reach in (("channels", _REACH), ("depth", 1)):
        now: int = getattr(shape, axis)
        for step in (*range(-reach, 0), *range(1, reach + 1)):
            if now + step >= 1:
                changed = msgspec.structs.replace(shape, **{axis: now + step}).normalised()
                found.append(
                    (axis, str(now), str(now + step), msgspec.structs.replace(candidate, architecture=changed))
                )
    if candidate.pruning:
        found.append(("pruning", f"{candidate.pruning:g}", "none", msgspec.structs.replace(candidate, pruning=0.0)))
    for axis, values in (("type", _TYPES), ("kernels", KERNEL_SETS), ("optimisation", OPTIMISATIONS)):
        now_is = getattr(candidate, axis)
        name = "level" if axis == "optimisation" else axis
        found += [
            (name, now_is, value, msgspec.structs.replace(candidate, **{axis: value}))
            for value in values
            if value != now_is
        ]
    return tuple(found)


def ablations(scenario: Scenario, evaluator: Evaluator, candidate: Candidate, metric: str) -> tuple[Ablation, ...]:
    """Every single change of a candidate, the largest effect first.

    Networks have random weights: nothing is trained. What was measured before is taken from the memo.

    Raises:
        HarnessError: the candidate itself cannot be made or measured, or a tool is missing.
    """
    changes = neighbours(candidate)
    every = [candidate, *(item for *_, item in changes)]
    files, failures = evaluator.networks(every)
    if candidate.network in failures:
        raise failures[candidate.network]
    measured = evaluator.measure([(item, files[item.network]) for item in every if item.network in files])
    own = values(scenario, measured[candidate])
    found = []
    for kind, before, after, item in changes:
        error, built = failures.get(item.network), files.get(item.network)
        measurements = measured.get(item, ())
        numbers = values(scenario, measurements)
        found.append(
            Ablation(
                kind=kind,
                before=before,
                after=after,
                candidate=item,
                macs=None if built is None else built[1].macs,
                values=numbers,
                effect=_effect(own, numbers, metric),
                missed=_missed(judge.judgements(scenario, measurements, None)),
                reason=error.message if error is not None else _reason(measurements),
                study=measurements[0].study if measurements else None,
            )
        )
    return tuple(sorted(found, key=lambda item: -abs(item.effect or 0.0)))


def values(scenario: Scenario, measurements: Sequence[Measurement]) -> dict[str, Bounded]:
    """Each metric that there is a value of on every board: that of the worst one."""
    found = {}
    for metric in METRICS:
        each = [judge.bounded(scenario, metric, item) for item in measurements]
        known = [item for item in each if item is not None]
        if known and len(known) == len(each):
            found[metric] = max(known, key=lambda item: item.value)
    return found


def _effect(before: dict[str, Bounded], after: dict[str, Bounded], metric: str) -> float | None:
    if metric not in before or metric not in after or not before[metric].value:
        return None
    return after[metric].value / before[metric].value - 1


def _missed(found: Sequence[Judgement]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item.key for item in found if item.metric != ACCURACY and item.state != "met"))


def _reason(measurements: Sequence[Measurement]) -> str | None:
    failures = [item.row.failure.message for item in measurements if item.row.failure is not None]
    return failures[0] if failures else None
