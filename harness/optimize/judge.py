"""Holds a scenario's budgets against what was measured and estimated of a candidate: met, missed, or undecided."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness import bands, platforms
from harness.bands import State
from harness.energy import estimate as energy
from harness.energy import power
from harness.errors import BadInputError, HarnessError
from harness.optimize.records import Judgement, Measurement
from harness.optimize.scenario import ACCURACY, Budget, Scenario
from harness.records import Record
from harness.result import Interval
from harness.sweep.estimates import Quantity
from harness.sweep.metrics import METRICS
from harness.zoo.evaluate import Accuracy

# The violation of a candidate without numbers: it does not run on the board, so nothing says how far it is off.
UNRUNNABLE = 10.0


class Bounded(Record, frozen=True):
    """A value with its bounds, None where nothing bounds it on that side. Of what is measured all three are equal."""

    value: float
    low: float | None
    high: float | None
    model: str | None = None
    tier: str | None = None


def state_of(found: Bounded, limit: float, at_least: bool = False) -> State:
    """A limit held against bounds."""
    if at_least:
        return bands.against(-limit, _negative(found.high), _negative(found.low))
    return bands.against(limit, found.low, found.high)


def _negative(bound: float | None) -> float | None:
    return None if bound is None else -bound


def check(scenario: Scenario) -> tuple[str, ...]:
    """What can be said of the budgets before anything is measured.

    Returns:
        A note for each budget that can be missed but never met, as nothing bounds the estimate.

    Raises:
        BadInputError: a budget on what nothing is known of on a board.
    """
    notes = []
    for board in scenario.file.boards:
        platform = platforms.load(board)
        if platform.flash_interface is None and any(item.metric == "latency" for item in scenario.budgets):
            notes.append(f"{board}: its flash interface is not described, so nothing bounds latency from above; "
                         "a deadline is missed or undecided there, never met")  # fmt: skip
        if _needs_energy(scenario):
            try:
                for kernels in scenario.file.space.kernels:
                    for kind in scenario.file.space.types:
                        power.active(board, platform.clock_hz, kernels, kind)
                _sleep(scenario, board)
            except HarnessError as error:
                raise BadInputError(f"{scenario.path}: {error.message}", error.hint) from error
    return tuple(notes)


def _needs_energy(scenario: Scenario) -> bool:
    wanted = {item.metric for item in scenario.budgets} | set(scenario.file.objectives)
    return bool(wanted & {"energy", "life"})


def judgements(
    scenario: Scenario, measurements: Sequence[Measurement], accuracy: Accuracy | None
) -> tuple[Judgement, ...]:
    """Every budget on every board, in the scenario's order, then the accuracy.

    A run that is not exact, or does not fit its board, misses a budget of its own, "exact" or "board".
    """
    found: list[Judgement] = []
    for item in measurements:
        found += _refusals(item)
        if item.row.measured is not None:
            found += [_judged(scenario, budget, item) for budget in scenario.budgets if budget.metric != ACCURACY]
    found += [_accuracy(budget, accuracy) for budget in scenario.budgets if budget.metric == ACCURACY]
    return tuple(found)


def overall(found: Sequence[Judgement]) -> State:
    """Of all budgets together: met where each is, missed where one is."""
    states = {item.state for item in found}
    return "missed" if "missed" in states else "undecided" if "undecided" in states else "met"


def fits(found: Sequence[Judgement]) -> bool:
    """Whether a candidate is worth training: every budget but the accuracy is met.

    Where nothing bounds an estimate on a board, its value must be within the limit.
    """
    return all(_within(item) for item in found if item.metric != ACCURACY)


def _within(item: Judgement) -> bool:
    if item.state != "undecided" or item.value is None:
        return item.state == "met"
    # A battery's life is 0 hours at the least where nothing bounds what is drawn.
    unbounded = not item.low if item.at_least else item.high is None
    return unbounded and item.violation <= 0


def _refusals(item: Measurement) -> list[Judgement]:
    """That it does not run there, or not exactly. Of a run that failed for another reason nothing is known."""
    row = item.row
    if row.measured is None:
        unknown = row.failure is not None and row.failure.kind == "not measured"
        return [_refusal("board", item.board, "undecided" if unknown else "missed")]
    if row.output_exact is False:
        return [_refusal("exact", item.board, "missed")]
    return [] if row.passed else [_refusal("board", item.board, "missed")]


def _refusal(key: str, board: str, state: State) -> Judgement:
    return Judgement(
        key=key, metric=key, board=board, unit="", limit=0.0, value=None, state=state, violation=UNRUNNABLE
    )


def _judged(scenario: Scenario, budget: Budget, item: Measurement) -> Judgement:
    return _judgement(budget, item.board, bounded(scenario, budget.metric, item))


def bounded(scenario: Scenario, metric: str, item: Measurement) -> Bounded | None:
    """What is known of a metric on a board: measured, estimated, or of the battery's life; None: nothing.

    Raises:
        HarnessError: nothing is known of the power between inferences.
    """
    row = item.row
    if row.measured is None:
        return None
    if metric in ("latency", "energy"):
        return _quantity(None if row.estimate is None else row.estimate.of(metric))
    if metric == "life":
        return _life(scenario, item)
    value = float(getattr(row.measured, metric))
    return Bounded(value=value, low=value, high=value)


def _quantity(found: Quantity | None) -> Bounded | None:
    if found is None:
        return None
    return Bounded(value=found.value, low=found.low, high=found.high, model=found.model, tier=found.tier)


def _life(scenario: Scenario, item: Measurement) -> Bounded | None:
    """Hours of the battery with an inference each period; None where an inference is longer than that."""
    duty, estimate = scenario.duty, item.row.estimate
    if duty is None or estimate is None or estimate.energy_uj is None:
        return None
    latency = energy.Latency(ms=_interval(estimate.latency_ms), tier=estimate.latency_ms.tier)
    found = energy.duty(
        duty.period_s, latency, _interval(estimate.energy_uj), _sleep(scenario, item.board), duty.battery
    )
    if found.life_h is None:
        return None
    tier = f"{estimate.energy_uj.tier}; sleep: {found.sleep.tier}"
    return Bounded(value=found.life_h.value, low=found.life_h.low, high=found.life_h.high,
                   model=estimate.energy_uj.model, tier=tier)  # fmt: skip


def _sleep(scenario: Scenario, board: str) -> energy.Sleep:
    given = None if scenario.duty is None else scenario.duty.sleep_w
    return energy.asleep(given, None, power.headlines().get(board), board)


def _interval(found: Quantity) -> Interval:
    return Interval(value=found.value, low=found.low, high=found.high)


def _accuracy(budget: Budget, accuracy: Accuracy | None) -> Judgement:
    if accuracy is None:
        return _judgement(budget, None, None)
    value = accuracy.fraction
    return _judgement(budget, None, Bounded(value=value, low=value, high=value))


def _judgement(budget: Budget, board: str | None, found: Bounded | None) -> Judgement:
    beyond = UNRUNNABLE if found is None else violation(found, budget.limit, budget.at_least)
    estimated = budget.estimated and found is not None
    return Judgement(
        key=budget.key,
        metric=budget.metric,
        board=board,
        unit=budget.unit,
        limit=budget.limit,
        at_least=budget.at_least,
        value=None if found is None else found.value,
        low=found.low if found is not None and estimated else None,
        high=found.high if found is not None and estimated else None,
        model=None if found is None else found.model,
        tier=None if found is None else found.tier,
        state="undecided" if found is None else state_of(found, budget.limit, budget.at_least),
        violation=beyond,
    )


def violation(found: Bounded, limit: float, at_least: bool) -> float:
    """By which share of the limit the bound that decides is beyond it; where nothing bounds it, the value itself."""
    if at_least:
        decides = found.low or found.value
        return (limit - decides) / limit
    decides = found.value if found.high is None else found.high
    return min((decides - limit) / limit, math.exp(30))


def value_of(scenario: Scenario, metric: str, measurements: Sequence[Measurement], accuracy: Accuracy | None,
             macs: int | None) -> float | None:  # fmt: skip
    """A candidate's value of an objective: that of the worst board; None where there is none."""
    if metric == ACCURACY:
        return None if accuracy is None else accuracy.fraction
    if metric == "macs":
        return macs
    found = [bounded(scenario, metric, item) for item in measurements]
    known = [item.value for item in found if item is not None]
    if not known or len(known) < len(found):
        return None
    return int(max(known)) if METRICS[metric].source == "run" else max(known)
