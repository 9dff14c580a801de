"""What points are compared by: each metric with its unit and the direction that is better."""

from __future__ import annotations

from typing import Literal

from harness.errors import BadInputError
from harness.records import Record
from harness.result import Result

Direction = Literal["min", "max"]


class Measured(Record, frozen=True):
    """One point's numbers. Memory in bytes; ``ram`` is everything in RAM, the stack included, as a board must hold it.

    ``classes`` is None where the emulator counts instructions without telling them apart.
    """

    instructions: int
    overhead: int
    macs: int
    instructions_per_mac: float | None
    flash: int
    ram: int
    arena: int
    stack: int
    code: int
    model_size: int
    classes: dict[str, int] | None


class Metric(Record, frozen=True):
    """A field of ``Measured`` that can be an objective: its unit ("" for a ratio) and the better direction."""

    name: str
    unit: str
    direction: Direction


_METRICS = (
    Metric(name="instructions", unit="", direction="min"),
    Metric(name="instructions_per_mac", unit="", direction="min"),
    Metric(name="macs", unit="", direction="min"),
    Metric(name="flash", unit="B", direction="min"),
    Metric(name="ram", unit="B", direction="min"),
    Metric(name="arena", unit="B", direction="min"),
    Metric(name="stack", unit="B", direction="min"),
    Metric(name="code", unit="B", direction="min"),
    Metric(name="model_size", unit="B", direction="min"),
)
METRICS = {metric.name: metric for metric in _METRICS}


def get(name: str) -> Metric:
    """The metric of that name.

    Raises:
        BadInputError: there is none.
    """
    if name not in METRICS:
        raise BadInputError(f"unknown metric {name!r}", f"one of {', '.join(METRICS)}")
    return METRICS[name]


def value(measured: Measured, metric: str) -> int | float | None:
    """The number, None where it was not measured."""
    found: int | float | None = getattr(measured, metric)
    return found


def measured(result: Result) -> Measured:
    """A result's numbers."""
    counts, memory = result.counts, result.memory
    return Measured(
        instructions=counts.total,
        overhead=counts.overhead,
        macs=counts.macs,
        instructions_per_mac=counts.instructions_per_mac,
        flash=memory.flash,
        ram=memory.ram + memory.stack,
        arena=memory.arena,
        stack=memory.stack,
        code=memory.code,
        model_size=memory.model,
        classes=counts.classes,
    )
