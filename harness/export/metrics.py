"""What is known of each operator of a run, by metric, for formats that show one number at each node of the network."""

from __future__ import annotations

from harness import isa
from harness.export.made import by
from harness.records import Record
from harness.result import Result


class Metric(Record, frozen=True):
    """A metric of the operators. ``key`` is for file names, ``name`` for people.

    ``values`` are by operator index; an operator without a value is not in it. ``origin`` says what they rest on where
    they were not measured, nor follow exactly from what was; None of others.
    """

    key: str
    name: str
    values: dict[int, int | float]
    origin: str | None = None

    @property
    def title(self) -> str:
        """The name with what it rests on."""
        return self.name if self.origin is None else f"{self.name} ({self.origin})"


def of(result: Result) -> tuple[Metric, ...]:
    """The metrics that some operator has a value of: counts that were measured first, estimates last.

    An operator without multiply-accumulates has none of them, instead of 0; classes that nothing was executed of are
    left out.
    """
    layers = result.layers
    found = [
        Metric(key="instructions", name="instructions", values={item.index: item.instructions for item in layers}),
        Metric(key="macs", name="MACs", values={item.index: item.macs for item in layers if item.macs}),
        Metric(
            key="instructions-per-mac",
            name="instructions per MAC",
            values={i.index: i.instructions_per_mac for i in layers if i.instructions_per_mac is not None},
        ),
        Metric(
            key="arena-alive",
            name="arena alive, B",
            values={item.index: item.arena for item in layers if item.arena is not None},
            origin=None if _arena_is_measured(result) else "derived from lifetimes, without scratch buffers",
        ),
        *_stacks(result),
        *(_class(result, name) for name in isa.CLASSES),
        *_estimated(result),
    ]
    return tuple(item for item in found if item.values)


def _stacks(result: Result) -> tuple[Metric, ...]:
    if result.calls is None:
        return ()
    known = {item.index: item.stack for item in result.calls.layers if item.index is not None}
    values: dict[int, int | float] = {index: stack for index, stack in known.items() if stack is not None}
    return (Metric(key="stack", name="deepest stack, B", values=values, origin="derived from the code"),)


def _arena_is_measured(result: Result) -> bool:
    return result.arena is not None and result.arena.origin == "measured"


def _class(result: Result, name: str) -> Metric:
    values: dict[int, int | float] = {
        item.index: item.classes[name] for item in result.layers if item.classes is not None
    }
    known = any(values.values())
    return Metric(key=f"class-{name}", name=f"instructions, {name}", values=values if known else {})


def _estimated(result: Result) -> tuple[Metric, ...]:
    estimate = result.estimate
    if estimate is None:
        return ()
    parts = [item for item in estimate.layers if item.index is not None]
    return (
        Metric(
            key="cycles-estimated",
            name="estimated cycles",
            values={item.index: item.cycles for item in parts if item.index is not None},
            origin=by(estimate),
        ),
        Metric(
            key="latency-estimated",
            name="estimated latency, ms",
            values={item.index: item.latency_ms for item in parts if item.index is not None},
            origin=by(estimate),
        ),
    )
