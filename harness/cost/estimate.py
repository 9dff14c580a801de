"""From a run's features to cycles and latency on its board, with what the estimate rests on and how far to trust it."""

from __future__ import annotations

from collections.abc import Sequence

from harness.cost import evidence, flash
from harness.cost.features import Features
from harness.records import Platform
from harness.result import EstimatePart, Interval, LayerEstimate

MODEL = "first-principles/2"
UNCALIBRATED = "uncalibrated"
_ROUGH = {
    "cortex-m7": "the Cortex-M7's dual issue is modelled by rules that others measured, Arm publishes none",
    "cortex-m33": "the Cortex-M33 is modelled as a Cortex-M4, Arm publishes no timings",
    "cortex-m55": "rough: Arm publishes no timings of the Cortex-M55",
}


def cycles(features: Features, platform: Platform) -> float:
    """Cycles of the core, and of waiting for its flash where that one's interface is known."""
    interface = platform.flash_interface
    return features.core_cycles + (0.0 if interface is None else flash.stalls(features, interface))


def estimate(
    layers: Sequence[Features], overhead: Features, platform: Platform, kernels: str, compiler: str = ""
) -> EstimatePart:
    """The estimate of one inference.

    Args:
        layers: features of each operator.
        overhead: those of what runs around the operators.
        platform: the board that the estimate is for.
        kernels: the kernel set, by which errors differ.
        compiler: its first line of --version, by which they differ, too.
    """
    parts = [_layer(index, features, platform) for index, features in enumerate(layers)]
    around = _layer(None, overhead, platform)
    total = sum(part.cycles for part in parts) + around.cycles
    known = evidence.find(platform.core, kernels, compiler)
    bounded = platform.flash_interface is not None or platform.kind == "machine"
    low, high = total * known.low, total * known.high if bounded else None
    return EstimatePart(
        model=MODEL,
        tier=UNCALIBRATED,
        clock_hz=platform.clock_hz,
        cycles=Interval(value=total, low=low, high=high),
        latency_ms=_milliseconds(total, low, high, platform.clock_hz),
        coverage=evidence.COVERAGE,
        basis=f"{known.basis}; without the group in question, such bounds held {100 * known.held:.0f} % of them",
        notes=_notes(platform),
        layers=tuple(parts),
        overhead=around,
    )


def _layer(index: int | None, features: Features, platform: Platform) -> LayerEstimate:
    found = round(cycles(features, platform))
    return LayerEstimate(
        index=index, cycles=found, latency_ms=round(1e3 * found / platform.clock_hz, 6), features=features
    )


def _milliseconds(value: float, low: float, high: float | None, clock_hz: int) -> Interval:
    scale = 1e3 / clock_hz
    return Interval(
        value=round(value * scale, 6), low=round(low * scale, 6), high=None if high is None else round(high * scale, 6)
    )


def _notes(platform: Platform) -> tuple[str, ...]:
    notes = [_ROUGH[platform.core]] if platform.core in _ROUGH else []
    if platform.flash_interface is None:
        if platform.kind == "machine":
            notes.append("memory answers at once: nothing is known of this machine's")
        else:
            notes.append("waiting for the flash is left out, its interface is not described: the board is slower")
    return tuple(notes)
