"""Values of metrics as the report marks them: measured, derived from what was, or estimated with their bounds."""

from __future__ import annotations

import math
from typing import Protocol

from harness.gate import metrics as judged
from harness.page.values import Number, Origin, missing
from harness.sweep import metrics as swept

# Sums and quotients of what was measured, or what follows from the network's file.
_DERIVED = frozenset({"macs", "instructions_per_mac", "ram", "compressed_size"})
_DIGITS = {"instructions_per_mac": 2, "accuracy": 2}
_NAMES = {"instructions_per_mac": "instructions per MAC", "macs": "MACs", "ram": "RAM", "model_size": "model's size",
          "compressed_size": "compressed size"}  # fmt: skip


class Bounds(Protocol):
    """Where the truth may lie; None where nothing bounds it on that side."""

    @property
    def low(self) -> float | None:
        """At the least."""

    @property
    def high(self) -> float | None:
        """At the most."""


def named(metric: str) -> str:
    """A metric as a heading names it, said to be estimated where it is."""
    known = judged.METRICS.get(metric)
    name = _NAMES.get(metric, metric.replace("_", " "))
    return f"estimated {name}" if known is not None and known.group == "estimates" else name


def unit(metric: str) -> str:
    """What is shown behind a value: "" where the metric's name says it, "%" of a share."""
    return swept.METRICS[metric].unit if metric in swept.METRICS else ""


def origin(metric: str) -> Origin:
    """How values of a metric are known."""
    if metric in swept.ESTIMATES or metric == "life":
        return "estimated"
    return "derived" if metric in _DERIVED else "measured"


def number(metric: str, value: float | None, bounds: Bounds | None = None, reason: str | None = None) -> Number:
    """A metric's value; without one, the reason. Shares, 0 to 1, are shown in per cent."""
    kind = origin(metric)
    if value is None:
        return missing(unit(metric), reason or "not known", kind)
    if unit(metric) == "%":
        value = 100 * value
    if kind != "estimated":
        return Number(value=value, unit=unit(metric), origin=kind, digits=_DIGITS.get(metric, 0))
    low, high = (None, None) if bounds is None else (bounds.low, bounds.high)
    return Number(value=value, unit=unit(metric), origin=kind, low=low, high=high, digits=digits(value))


def digits(value: float, significant: int = 3) -> int:
    """How many digits behind the point show so many in all: what an estimate has, at the most."""
    if not value or not math.isfinite(value):
        return 0
    return max(0, significant - 1 - math.floor(math.log10(abs(value))))


def change(metric: str, before: float, after: float) -> Number:
    """By how much a value grew; of estimates an estimate that nothing bounds: both have the model's error."""
    by = after - before
    shown = 100 * by if unit(metric) == "%" else by
    if origin(metric) == "estimated":
        return Number(value=shown, unit=unit(metric), origin="estimated", digits=digits(shown), signed=True)
    return Number(value=shown, unit=unit(metric), origin="derived", digits=_DIGITS.get(metric, 0), signed=True)


def percent(part: float, whole: float, kind: Origin = "derived", signed: bool = False) -> Number:
    """A share in per cent, as exactly as it takes to see it; of nothing there is none."""
    if not whole:
        return missing("%", "there is nothing to compare it with: it was 0", kind)
    value = 100 * part / whole
    shown = 2 if abs(value) >= 0.005 or not value else digits(value, 1)
    return Number(value=value, unit="%", origin=kind, digits=shown, signed=signed)
