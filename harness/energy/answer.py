"""What `harness energy` answers: from what is known and asked to energy, average power, battery life and a verdict."""

from __future__ import annotations

from harness import platforms
from harness.energy import estimate, power
from harness.energy.estimate import Duty, EnergyPart, Latency
from harness.energy.trace import Measured, Spread
from harness.energy.units import Battery
from harness.errors import BadInputError, HarnessError
from harness.records import Record
from harness.result import Interval, Result, Verdict

SCHEMA = "tflm-harness/energy/1"


class Query(Record, frozen=True):
    """What is asked, in SI units; None is not given.

    ``kernels`` and ``type`` are of the build, for its power. ``active_w`` and ``latency_s`` are stated by the user and
    go before anything known; ``trace`` is what a power trace measured.
    """

    platform: str | None = None
    kernels: str | None = None
    type: str | None = None
    latency_s: float | None = None
    active_w: float | None = None
    sleep_w: float | None = None
    trace: Measured | None = None
    period_s: float | None = None
    battery: Battery | None = None


class Answer(Record, frozen=True):
    """``estimate`` is modelled, ``measured`` is what the trace holds. ``duty`` is modelled from the one or the other.

    ``estimate`` is None where the trace alone says what an inference takes; ``duty`` where no period was asked for.
    """

    schema: str
    run_id: str | None
    model: str | None
    platform: str | None
    kernels: str | None
    type: str | None
    verdict: Verdict
    estimate: EnergyPart | None
    measured: Measured | None
    duty: Duty | None


def answer(query: Query, result: Result | None = None, model: str | None = None) -> Answer:
    """Energy of an inference and, where a period is given, of a duty cycle.

    Args:
        query: what is asked.
        result: the run that the latency and the layers are of, None where there is none.
        model: the network's file name, where there is no run.

    Raises:
        BadInputError: options that need each other, or exclude each other.
        HarnessError: latency, active power or sleep power is not known; the hint says how to give it.
    """
    check(query)
    found = _estimate(query, result)
    duty = None if query.period_s is None else _duty(query, query.period_s, found)
    return Answer(
        schema=SCHEMA,
        run_id=result.run_id if result else None,
        model=result.model.file if result else model,
        platform=query.platform,
        kernels=query.kernels,
        type=query.type,
        verdict=_verdict(result, duty),
        estimate=found,
        measured=query.trace,
        duty=duty,
    )


def check(query: Query) -> None:
    """What can be said before a network is measured. Errors are those of ``answer``, but for the latency's."""
    if query.battery is not None and query.period_s is None:
        raise BadInputError("how long a battery lasts depends on how often an inference runs", "add --period 1s")
    if query.active_w is not None and query.trace is not None:
        raise BadInputError("the active power is both given and in the trace", "leave one of them out")
    if query.platform is not None:
        _power(query)
        if query.period_s is not None:
            _sleep(query)


def _estimate(query: Query, result: Result | None) -> EnergyPart | None:
    """None where the trace says what an inference takes, and nothing else does."""
    known = result.estimate if result else None
    if query.latency_s is None and known is None:
        if query.trace is not None:
            return None
        what = f"run {result.run_id} has no latency estimate" if result else "no latency is known"
        raise HarnessError(what, "harness run MODEL --platform P --cycles estimates one; or give --latency 12ms")
    drawn = _power(query)
    if query.latency_s is not None:
        return estimate.inference(estimate.given(query.latency_s), drawn)
    assert result is not None and known is not None
    return estimate.layered(known, result.layers, drawn, result.kernels)


def _power(query: Query) -> power.Power:
    if query.active_w is not None:
        return power.given(query.active_w)
    if query.trace is not None:
        return power.from_trace(query.trace)
    if query.platform is None:
        raise BadInputError("whose power? no platform is named", "add --platform P, or --active-power 45mW")
    return power.active(query.platform, platforms.load(query.platform).clock_hz, query.kernels, query.type)


def _duty(query: Query, period_s: float, found: EnergyPart | None) -> Duty:
    latency, energy = _inference(query, found)
    return estimate.duty(period_s, latency, energy, _sleep(query), query.battery)


def _sleep(query: Query) -> estimate.Sleep:
    headline = power.headlines().get(query.platform or "")
    return estimate.asleep(query.sleep_w, query.trace, headline, query.platform)


def _inference(query: Query, found: EnergyPart | None) -> tuple[Latency, Interval]:
    """Latency and energy of an inference: those estimated, else those measured."""
    if found is not None:
        return found.latency, found.energy_uj
    assert query.trace is not None
    return estimate.from_trace(query.trace), _interval(query.trace.energy_uj)


def _interval(found: Spread) -> Interval:
    reach = 1.645 * (found.deviation or 0.0)
    return Interval(value=found.mean, low=found.mean - reach, high=found.mean + reach)


def _verdict(result: Result | None, duty: Duty | None) -> Verdict:
    reasons = list(result.verdict.reasons) if result else []
    if duty is not None and duty.deadline == "missed":
        reasons.append(
            f"an inference takes {duty.busy * duty.period_s:.3g} s, longer than the period of {duty.period_s:g} s"
        )
    return Verdict(passed=not reasons, reasons=tuple(reasons))
