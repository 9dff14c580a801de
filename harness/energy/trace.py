"""Energy per inference from a power trace: found by a marker channel or a threshold, integrated by trapezoids.

An inference that the file cuts off, or that samples are missing in for more than a few samples' time, is not used. What
was left out is counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.energy.trace_read import Trace
from harness.errors import BadInputError, HarnessError
from harness.records import Record

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Reals = NDArray[np.float64]
    Spans = list[tuple[int, int]]

_LONGEST_GAP = 5.0  # samples' time that a trapezoid may bridge inside an inference
_SMOOTHED = 5  # samples of the running median that the threshold is applied to
_HYSTERESIS = 0.15  # of the step from idle to active, above and below the threshold
_LEAST_STEP = 1.5  # active power over idle power, below which no threshold is chosen
_SHORTEST = 0.25  # of the median duration: what is shorter is a glitch


class Spread(Record, frozen=True):
    """Mean and sample standard deviation; the latter is None of a single value."""

    mean: float
    deviation: float | None


class Measured(Record, frozen=True):
    """What a trace says, all of it measured. Energy without what the board takes outside of inferences.

    ``found_by`` names the marker channel or the threshold. ``cut`` are inferences that the file begins or ends in,
    ``gapped`` those with missing samples, ``glitches`` crossings too short to be one: none of them is used.
    ``idle_mw`` is None where nothing lies between inferences.
    """

    file: str
    found_by: str
    inferences: int
    energy_uj: Spread
    duration_ms: Spread
    power_mw: Spread
    idle_mw: float | None
    volts: float
    samples: int
    missing: int
    cut: int
    gapped: int
    glitches: int


def measure(
    trace: Trace,
    marker: str | None = None,
    threshold_w: float | None = None,
) -> Measured:
    """Find the inferences of a trace and integrate them.

    Args:
        trace: the samples.
        marker: the digital channel that is high during an inference; None takes the only one that changes.
        threshold_w: watts that separate idle from active, instead of a marker; None chooses it where there is no
            marker.

    Raises:
        BadInputError: the marker is no channel of the trace, or several could be it.
        HarnessError: no whole inference was found.
    """
    name = None if threshold_w is not None else _marker(trace, marker)
    if name is not None:
        active, found_by = trace.channels[name], f"marker {name}"
    else:
        level, low, high = _levels(trace, threshold_w)
        active, found_by = _above(_smooth(trace.watts), low, high), f"threshold {1e3 * level:.4g} mW"
    spans, cut = _spans(active)
    durations = [trace.seconds[last] - trace.seconds[first] for first, last in spans]
    typical = float(np.median(durations)) if durations else 0.0
    longest = _LONGEST_GAP * float(np.median(np.diff(trace.seconds)))
    whole = [span for span, duration in zip(spans, durations, strict=True) if duration >= _SHORTEST * typical]
    used = [(first, last) for first, last in whole if np.diff(trace.seconds[first - 1 : last + 2]).max() <= longest]
    if not used:
        raise HarnessError(
            f"{trace.path}: no whole inference found by {found_by} ({len(whole)} with missing samples, {cut} cut off)",
            "--marker CHANNEL or --threshold 5mA says what an inference is",
        )
    return _measured(trace, found_by, used, active, (cut, len(whole) - len(used), len(spans) - len(whole)))


def _measured(
    trace: Trace, found_by: str, used: Spans, active: NDArray[np.bool_], left_out: tuple[int, int, int]
) -> Measured:
    energies, durations = _integrals(trace, used)
    idle = trace.watts[~active]
    return Measured(
        file=trace.path.name,
        found_by=found_by,
        inferences=len(used),
        energy_uj=_spread(1e6 * energies),
        duration_ms=_spread(1e3 * durations),
        power_mw=_spread(1e3 * energies / durations),
        idle_mw=1e3 * float(idle.mean()) if len(idle) else None,
        volts=trace.volts,
        samples=len(trace.seconds),
        missing=trace.missing,
        cut=left_out[0],
        gapped=left_out[1],
        glitches=left_out[2],
    )


def _integrals(trace: Trace, spans: Spans) -> tuple[Reals, Reals]:
    """Joules and seconds of each span.

    A span of samples first..last stands for the time from half a sample before to half a sample behind: the edges lie
    somewhere between two samples, and so neither is favoured.
    """
    energies, durations = [], []
    for first, last in spans:
        time, power = trace.seconds[first : last + 1], trace.watts[first : last + 1]
        before = (time[0] - trace.seconds[first - 1]) / 2
        behind = (trace.seconds[last + 1] - time[-1]) / 2
        inside = float(np.sum((power[1:] + power[:-1]) / 2 * np.diff(time)))
        energies.append(inside + power[0] * before + power[-1] * behind)
        durations.append(time[-1] - time[0] + before + behind)
    return np.array(energies), np.array(durations)


def _spread(values: Reals) -> Spread:
    return Spread(mean=float(values.mean()), deviation=float(values.std(ddof=1)) if len(values) > 1 else None)


def _marker(trace: Trace, asked: str | None) -> str | None:
    if asked is not None:
        if asked not in trace.channels:
            known = ", ".join(trace.channels) or "the file has no digital channels"
            raise BadInputError(f"{trace.path}: no digital channel {asked!r}", f"channels: {known}")
        return asked
    changing = [
        name for name, bits in trace.channels.items() if not name.endswith("_valid") and bits.any() and not bits.all()
    ]
    if len(changing) > 1:
        raise BadInputError(
            f"{trace.path}: {len(changing)} digital channels change: {', '.join(changing)}",
            f"--marker {changing[0]} says which one is high during an inference",
        )
    return changing[0] if changing else None


def _levels(trace: Trace, threshold_w: float | None) -> tuple[float, float, float]:
    """The threshold, and the two levels of its hysteresis, in watts."""
    smooth = _smooth(trace.watts)
    idle, active = _two_means(smooth)
    if threshold_w is not None:
        if not smooth.min() < threshold_w < smooth.max():
            raise BadInputError(
                f"{trace.path}: power stays on one side of the threshold of {1e3 * threshold_w:.4g} mW",
                f"it goes from {1e3 * smooth.min():.4g} to {1e3 * smooth.max():.4g} mW",
            )
        below, above = smooth[smooth < threshold_w], smooth[smooth >= threshold_w]
        idle, active = float(np.median(below)), float(np.median(above))
        level = threshold_w
    else:
        level = (idle + active) / 2
        if active < _LEAST_STEP * max(idle, 0.0) or active <= idle:
            raise HarnessError(
                f"{trace.path}: no threshold separates inferences from what lies between them "
                f"({1e3 * idle:.4g} and {1e3 * active:.4g} mW)",
                "give --marker CHANNEL or --threshold 5mA",
            )
    reach = _HYSTERESIS * (active - idle)
    return level, max(level - reach, (idle + level) / 2), min(level + reach, (active + level) / 2)


def _two_means(values: Reals) -> tuple[float, float]:
    """The centres of two groups, begun at the extremes: inferences may be rare."""
    low, high = float(values.min()), float(values.max())
    for _ in range(100):
        upper = values > (low + high) / 2
        if upper.all() or not upper.any():
            break
        centres = float(values[~upper].mean()), float(values[upper].mean())
        if centres == (low, high):
            break
        low, high = centres
    return low, high


def _smooth(values: Reals) -> Reals:
    """Running median, the ends repeated."""
    half = _SMOOTHED // 2
    padded = np.pad(values, half, mode="edge")
    smooth: Reals = np.median(np.lib.stride_tricks.sliding_window_view(padded, _SMOOTHED), axis=1)
    return smooth


def _above(values: Reals, low: float, high: float) -> NDArray[np.bool_]:
    """Whether each sample is active: from where it rose above ``high`` to where it falls below ``low``."""
    state = np.where(values > high, 1, np.where(values < low, 0, -1))
    known = np.flatnonzero(state >= 0)
    if not len(known):
        return np.zeros(len(values), dtype=bool)
    last = np.searchsorted(known, np.arange(len(values)), side="right") - 1
    active: NDArray[np.bool_] = state[known[np.maximum(last, 0)]] == 1
    return active


def _spans(active: NDArray[np.bool_]) -> tuple[Spans, int]:
    """First and last sample of each stretch of active ones, and how many more the file cuts off."""
    edges = np.diff(np.concatenate(([0], active.astype(np.int8), [0])))
    spans = list(zip(np.flatnonzero(edges == 1).tolist(), (np.flatnonzero(edges == -1) - 1).tolist(), strict=True))
    whole = [(first, last) for first, last in spans if first > 0 and last < len(active) - 1]
    return whole, len(spans) - len(whole)
