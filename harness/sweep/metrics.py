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
    """What can be an objective: its unit ("" for a count or a ratio, "%" for a share) and the better direction.

    ``of_model``: it is the model's own, known without a run (``plan.ModelFacts``); else a field of ``Measured``.
    """

    name: str
    unit: str
    direction: Direction
    of_model: bool = False

    def beyond(self, amount: float, limit: float) -> float:
        """By how much an amount is on the wrong side of a limit: a maximum where less is better, else a minimum.

        0 or less: it is within.
        """
        return amount - limit if self.direction == "min" else limit - amount

    def text(self, value: float) -> str:
        """A value for people: "1,024 B", "2.92", "97.50 %"."""
        if self.unit == "%":
            return f"{100 * value:.2f} %"
        number = f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"
        return f"{number} {self.unit}".strip()

    def change(self, difference: float) -> str:
        """A difference of two values for people, with its sign: "+12 B"; of shares in percentage points."""
        if self.unit == "%":
            return f"{100 * difference:+.2f} points"
        return f"{difference:+,.6g} {self.unit}".strip()


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
    Metric(name="compressed_size", unit="B", direction="min", of_model=True),
    Metric(name="accuracy", unit="%", direction="max", of_model=True),
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
