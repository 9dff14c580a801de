"""Budgets of a run: the most that it may execute and take, by the names of the gate's metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping

from harness.errors import BadInputError
from harness.gate import metrics, words
from harness.records import Record
from harness.result import Result
from harness.sweep.estimates import Quantity

# What less of is better, and what a run has one value of.
NAMES = tuple(item.name for item in metrics.METRICS.values() if item.direction == "min" and not item.each_layer)

Limits = dict[str, int | float]


class Excess(Record, frozen=True):
    """A budget that a run is over, in the metric's unit. ``value`` None: the run has no value to hold against it.

    ``estimate`` is that of a value that is estimated: it is over where its lower bound is, and may be, or not, where
    the budget lies between its bounds.
    """

    metric: str
    unit: str
    value: int | float | None
    limit: int | float
    estimate: Quantity | None = None

    @property
    def text(self) -> str:
        """Actual value, limit and unit in one line."""
        limit = f"budget {words.amount(self.limit)} {self.unit}"
        if self.value is None:
            return f"{self.metric}: the run has no value of it, {limit}"
        if self.estimate is not None:
            return (
                f"{words.named(self.metric)} {words.amount(self.value)} {self.unit} ({words.band(self.estimate)}), "
                f"{limit}: {self.estimate.against(self.limit)}; by {self.estimate.model}, {self.estimate.tier}"
            )
        name = "" if self.metric == self.unit else f"{self.metric} "
        return f"{name}{words.amount(self.value)} {self.unit}, {limit} ({words.signed(self.value - self.limit)})"


def check(given: Mapping[str, object]) -> Limits:
    """Limits by metric, as they may be used.

    Raises:
        BadInputError: a metric that there is no budget of, or a limit that is none.
    """
    if not given:
        raise BadInputError("a budget without a limit", f"give one of {', '.join(NAMES)}")
    limits: Limits = {}
    for name, limit in given.items():
        if name not in NAMES:
            raise BadInputError(f"unknown budget {name!r}", f"one of {', '.join(NAMES)}")
        unit = metrics.get(name).unit
        if isinstance(limit, bool) or not isinstance(limit, int | float) or not 0 <= limit < math.inf:
            raise BadInputError(f"budget {name}={limit!r}: no limit", f"give a number of {unit}, 0 or more")
        limits[name] = limit
    return limits


def excesses(result: Result, limits: Mapping[str, int | float]) -> tuple[Excess, ...]:
    """The budgets that a run is over, in the order of the limits. A value that is missing is over its budget, and so is
    an estimate that leaves open whether it is."""
    found = []
    for name, limit in limits.items():
        value = metrics.value(result, name)
        estimate = metrics.quantity(result, name)
        kept = value is not None and (value <= limit if estimate is None else estimate.against(limit) == "met")
        if not kept:
            unit = metrics.get(name).unit
            found.append(Excess(metric=name, unit=unit, value=value, limit=limit, estimate=estimate))
    return tuple(found)
