"""What models say that one inference of a run takes on its board: latency and energy. None of it is measured."""

from __future__ import annotations

import functools
import hashlib

from harness import bands, platforms
from harness.cost import estimate as cost
from harness.cost import evidence
from harness.energy import estimate as energy
from harness.energy import network, power
from harness.errors import HarnessError
from harness.records import Record
from harness.result import Interval, Result

ASK = "cycles = true"


class Quantity(Record, frozen=True):
    """An estimate with its bounds, the model that made it and what that rests on.

    ``high`` None: nothing bounds it above; ``low`` None: nor below.

    The truth is to lie between the bounds in the share ``coverage`` of cases.
    """

    value: float
    low: float | None
    high: float | None
    model: str
    tier: str
    coverage: float

    def against(self, limit: float) -> bands.State:
        """Whether it keeps a limit, by its bounds."""
        return bands.against(limit, self.low, self.high)


class Estimate(Record, frozen=True):
    """What one inference takes: milliseconds, microjoules. ``energy_uj`` is None for the reason ``without_energy``.

    ``layer_cycles`` are those of each operator, and ``overhead_cycles`` of what runs around them.
    """

    latency_ms: Quantity
    energy_uj: Quantity | None
    without_energy: str | None
    layer_cycles: tuple[int, ...]
    overhead_cycles: int

    def of(self, metric: str) -> Quantity | None:
        """What is estimated for the metric "latency" or "energy"."""
        return self.latency_ms if metric == "latency" else self.energy_uj


def estimated(result: Result) -> Estimate | None:
    """The estimates of a run, None where none was asked for. A board whose power is not known has no energy."""
    found = result.estimate
    if found is None:
        return None
    consumed, reason = None, None
    try:
        consumed = _energy(result)
    except HarnessError as error:
        reason = error.message
    return Estimate(
        latency_ms=_quantity(found.latency_ms, found.model, found.tier, found.coverage),
        energy_uj=consumed,
        without_energy=reason,
        layer_cycles=tuple(layer.cycles for layer in found.layers),
        overhead_cycles=found.overhead.cycles,
    )


def _energy(result: Result) -> Quantity:
    """Raises HarnessError: nothing is known of the board's power."""
    assert result.estimate is not None, "the caller has seen it"
    clock_hz = platforms.load(result.platform).clock_hz
    drawn = power.active(result.platform, clock_hz, result.kernels, network.type_of_run(result))
    found = energy.layered(result.estimate, result.layers, drawn, result.kernels)
    return _quantity(found.energy_uj, found.model, found.tier, found.coverage)


def _quantity(found: Interval, model: str, tier: str, coverage: float) -> Quantity:
    return Quantity(
        value=round(found.value, 6),
        low=None if found.low is None else round(found.low, 6),
        high=None if found.high is None else round(found.high, 6),
        model=model,
        tier=tier,
        coverage=coverage,
    )


@functools.cache
def identity() -> tuple[str, str, str]:
    """What decides estimates besides the run itself: the models, and the figures that bounds and powers come from."""
    digest = hashlib.sha256()
    for path in (evidence.PATH, power.MEASURED, power.DATASHEET):
        content = path.read_bytes()
        digest.update(f"{path.name}\0{len(content)}\0".encode())
        digest.update(content)
    return cost.MODEL, energy.MODEL, digest.hexdigest()
