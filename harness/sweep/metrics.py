"""What points are compared by: each metric with its unit and the direction that is better."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeVar

from harness.errors import BadInputError
from harness.records import Record
from harness.result import Result

Direction = Literal["min", "max"]
T = TypeVar("T")


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

    ``source`` says where a point has it: "run", a field of ``Measured``; "model", its own, known without a run
    (``plan.ModelFacts``); "estimate", modelled (``estimates.Estimate``), where the sweep asks for that.
    """

    name: str
    unit: str
    direction: Direction
    source: Literal["run", "model", "estimate"] = "run"

    @property
    def column(self) -> str:
        """The column of the table of points; that of an estimate says what it is, and its unit."""
        return f"{self.name}_{self.unit.lower()}_estimated" if self.source == "estimate" else self.name

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
        number = f"{difference:+,}" if isinstance(difference, int) else f"{difference:+,.6g}"
        return f"{number} {self.unit}".strip()


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
    Metric(name="compressed_size", unit="B", direction="min", source="model"),
    Metric(name="accuracy", unit="%", direction="max", source="model"),
    Metric(name="latency", unit="ms", direction="min", source="estimate"),
    Metric(name="energy", unit="uJ", direction="min", source="estimate"),
)
METRICS = {metric.name: metric for metric in _METRICS}
ESTIMATES = tuple(metric.name for metric in _METRICS if metric.source == "estimate")


def among(known: Mapping[str, T], name: str) -> T:
    """The one of that name.

    Raises:
        BadInputError: there is none.
    """
    if name not in known:
        raise BadInputError(f"unknown metric {name!r}", f"one of {', '.join(known)}")
    return known[name]


def get(name: str) -> Metric:
    """The metric of that name.

    Raises:
        BadInputError: there is none.
    """
    return among(METRICS, name)


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
