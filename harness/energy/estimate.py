"""Energy of an inference and of each layer, average power of a duty cycle, life of a battery: estimates, all of them.

Energy is latency times power. The bounds of the two are combined as those of independent errors: in logarithms, the
root of the sum of squares. Nothing here is measured; what a trace measured stays in ``trace.Measured``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.energy import spread
from harness.energy.power import COVERAGE, Headline, Level, Power
from harness.energy.trace import Measured
from harness.energy.units import Battery
from harness.errors import BadInputError, HarnessError
from harness.records import Record
from harness.result import EstimatePart, Interval, Layer

MODEL = "power-by-operator/1"


class Latency(Record, frozen=True):
    """Milliseconds of an inference. ``tier``: the cost model's with its id, "trace", or "given"; ``notes`` are its."""

    ms: Interval
    tier: str
    notes: tuple[str, ...] = ()


class LayerEnergy(Record, frozen=True):
    """A layer's share: ``index`` None is what runs around the operators.

    Bounds are wider than the whole's, in which the errors of layers partly cancel: they take in how much farther layers
    are off than their network (``harness.energy.spread``), and the power of their kind of operator. ``high_uj`` None:
    nothing bounds it above; ``low_uj`` None: nor below, or it was stored without them.
    """

    index: int | None
    op: str
    latency_ms: float
    power_mw: float
    energy_uj: float
    low_uj: float | None = None
    high_uj: float | None = None


class EnergyPart(Record, frozen=True):
    """Energy of one inference: ``model`` made it, ``tier`` says what latency and power rest on.

    ``energy_uj`` = sum of the layers and the overhead, where there are layers. ``coverage`` is the share of cases in
    which the truth is to lie within the bounds. ``supply_v`` is the voltage that the power holds at, None: not stated.
    """

    model: str
    tier: str
    latency: Latency
    power_tier: str
    power_basis: str
    power_source: str
    supply_v: float | None
    power_mw: Interval
    energy_uj: Interval
    coverage: float
    layers: tuple[LayerEnergy, ...]


class Sleep(Record, frozen=True):
    """Power between inferences in milliwatts, "given", "trace" or "datasheet"; ``high`` None: at least that."""

    mw: Interval
    tier: str
    basis: str


class Duty(Record, frozen=True):
    """An inference each period, sleep in between.

    ``busy`` is the share of time in inferences. ``deadline``: "met", "missed", or "unsure" where the bounds of the
    latency leave both open. Average power and life are None where it is missed; life also without a battery.
    Self-discharge and losses of a regulator are left out.
    """

    period_s: float
    busy: float
    deadline: str
    sleep: Sleep
    average_mw: Interval | None
    battery: Battery | None
    life_h: Interval | None


def from_estimate(found: EstimatePart) -> Latency:
    """The latency that a cost model estimated."""
    return Latency(ms=found.latency_ms, tier=f"{found.model}, {found.tier}", notes=found.notes)


def from_trace(found: Measured) -> Latency:
    """The duration of the inferences in a trace, with bounds by their spread."""
    mean, reach = found.duration_ms.mean, 1.645 * (found.duration_ms.deviation or 0.0)
    return Latency(ms=Interval(value=mean, low=mean - reach, high=mean + reach), tier="trace")


def given(seconds: float) -> Latency:
    """A latency that the user states."""
    return Latency(ms=Interval(value=1e3 * seconds, low=1e3 * seconds, high=1e3 * seconds), tier="given")


def inference(latency: Latency, power: Power) -> EnergyPart:
    """Energy of an inference of which the latency alone is known."""
    return _part(latency, power, power.whole, latency.ms.value * power.whole.mw, ())


def layered(found: EstimatePart, layers: Sequence[Layer], power: Power, kernels: str | None = None) -> EnergyPart:
    """Energy of an inference by its layers' estimated latencies, each times the power of its kind of operator.

    Args:
        found: the latencies.
        layers: the operators of the run.
        power: the board's.
        kernels: the kernel set, by which layers are off differently; None: not known.
    """
    named = [(layer.op, part) for layer, part in zip(layers, found.layers, strict=True)]
    parts = []
    for op, part in (*named, ("overhead", found.overhead)):
        level = power.of(op)
        bounds = _of_layer(part.latency_ms * level.mw, found.latency_ms, level, spread.factor(kernels))
        parts.append(
            LayerEnergy(
                index=part.index,
                op=op,
                latency_ms=part.latency_ms,
                power_mw=level.mw,
                energy_uj=bounds.value,
                low_uj=bounds.low,
                high_uj=bounds.high,
            )
        )
    total = sum(part.energy_uj for part in parts)
    time = sum(part.latency_ms for part in parts)
    return _part(from_estimate(found), power, _mix(parts, power, total, time), total, tuple(parts))


def _of_layer(energy_uj: float, latency: Interval, level: Level, apart: float) -> Interval:
    """A layer's energy with the bounds of the network's latency, of the layer's share in it, and of its power."""
    factor = None if level.factor is None else math.exp(math.hypot(math.log(level.factor), math.log(apart)))
    found = _scaled(energy_uj, latency, factor)
    if factor is None and found.low is not None:
        return Interval(value=found.value, low=found.low / apart, high=None)
    return found


def _mix(parts: Sequence[LayerEnergy], power: Power, total: float, time: float) -> Level:
    """Mean power of the layers; errors of all kinds of operators are taken to go the same way."""
    if not total:
        return power.whole
    factors = [(part.energy_uj / total, power.of(part.op).factor) for part in parts]
    known = [(share, factor) for share, factor in factors if factor is not None]
    factor = None
    if len(known) == len(factors):
        factor = math.exp(sum(share * math.log(value) for share, value in known))
    return Level(mw=total / time, factor=factor)


def _part(
    latency: Latency, power: Power, level: Level, energy_uj: float, layers: tuple[LayerEnergy, ...]
) -> EnergyPart:
    return EnergyPart(
        model=MODEL,
        tier=f"latency: {latency.tier}; power: {power.tier}",
        latency=latency,
        power_tier=power.tier,
        power_basis=power.basis,
        power_source=power.source,
        supply_v=power.supply_v,
        power_mw=_scaled(level.mw, Interval(value=1.0, low=1.0, high=1.0), level.factor),
        energy_uj=_scaled(energy_uj, latency.ms, level.factor),
        coverage=COVERAGE,
        layers=layers,
    )


def _scaled(value: float, bounds: Interval, factor: float | None) -> Interval:
    """A value with the relative bounds of another one and those of an independent factor."""
    if bounds.low is None:
        return Interval(value=value, low=None, high=None)
    low = math.log(bounds.low / bounds.value)
    if bounds.high is None or factor is None:
        return Interval(value=value, low=value * math.exp(low) / (factor or 1.0), high=None)
    high = math.log(bounds.high / bounds.value)
    centre, reach = (low + high) / 2, math.hypot((high - low) / 2, math.log(factor))
    return Interval(value=value, low=value * math.exp(centre - reach), high=value * math.exp(centre + reach))


def asleep(sleep_w: float | None, trace: Measured | None, headline: Headline | None, platform: str | None) -> Sleep:
    """The best that is known of the power between inferences: what the user states, then a trace, then a datasheet.

    Raises:
        HarnessError: none of them is there.
    """
    if sleep_w is not None:
        mw = 1e3 * sleep_w
        return Sleep(mw=Interval(value=mw, low=mw, high=mw), tier="given", basis="given by the user")
    if trace is not None and trace.idle_mw is not None:
        mw = trace.idle_mw
        return Sleep(
            mw=Interval(value=mw, low=mw, high=mw), tier="trace", basis=f"{trace.file}, mean between inferences"
        )
    if headline is not None and headline.sleep_ua is not None:
        mw = headline.sleep_ua * headline.supply_v / 1e3
        basis = f"{headline.sleep_mode}, {headline.sleep_ua:g} uA at {headline.supply_v:g} V: at least that"
        return Sleep(mw=Interval(value=mw, low=mw, high=None), tier="datasheet", basis=basis)
    raise HarnessError(
        f"no sleep power of {platform or 'the board'} is known",
        "give --sleep-current 2uA or --sleep-power 6uW, or a --trace that holds it",
    )


def duty(period_s: float, latency: Latency, energy_uj: Interval, sleep: Sleep, battery: Battery | None) -> Duty:
    """Average power and battery life of an inference each period.

    Raises:
        BadInputError: nothing draws power, so that no life follows.
    """
    milliseconds = 1e3 * period_s
    deadline = "met"
    if latency.ms.value > milliseconds:
        deadline = "missed"
    elif latency.ms.high is None or latency.ms.high > milliseconds:
        deadline = "unsure"
    average = None if deadline == "missed" else _average(milliseconds, latency.ms, energy_uj, sleep.mw)
    return Duty(
        period_s=period_s,
        busy=latency.ms.value / milliseconds,
        deadline=deadline,
        sleep=sleep,
        average_mw=average,
        battery=battery,
        life_h=None if average is None or battery is None else _life(battery, average),
    )


def _average(period_ms: float, latency: Interval, energy_uj: Interval, sleep: Interval) -> Interval:
    """Milliwatts; the rest of the period is slept, as much of it as the latency leaves."""
    rest = period_ms - latency.value
    low = high = None
    if energy_uj.low is not None and sleep.low is not None:
        low = (energy_uj.low + sleep.low * rest) / period_ms
    if energy_uj.high is not None and sleep.high is not None:
        high = (energy_uj.high + sleep.high * rest) / period_ms
    return Interval(
        value=(energy_uj.value + sleep.value * rest) / period_ms,
        low=low,
        high=high,
    )


def _life(battery: Battery, average: Interval) -> Interval:
    """Hours; the least draw gives the longest life. ``low`` is 0 where nothing bounds the draw above, ``high`` None
    where nothing does below."""
    if average.value <= 0 or (average.low is not None and average.low <= 0):
        raise BadInputError("nothing draws power, so that no battery's life follows", "give powers above 0")
    hours = battery.joules / 3.6  # milliwatt hours
    return Interval(
        value=hours / average.value,
        low=0.0 if average.high is None else hours / average.high,
        high=None if average.low is None else hours / average.low,
    )
