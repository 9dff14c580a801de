"""What a policy may judge: each metric with its unit, the better direction, and where a result has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from harness.result import Result
from harness.sweep import metrics as shared
from harness.sweep.estimates import ASK, Quantity, estimated
from harness.sweep.metrics import Direction

# "counts" depend on everything that decides executed code and its data; "sizes" on what is linked; "network" on the
# .tflite file alone; "outputs" on network and input; "truth" on nothing but the run itself: there is no baseline of it.
Group = Literal["counts", "sizes", "network", "outputs", "truth", "accuracy", "estimates"]
Value = int | float | bool

TRUTH = "bool"


class Metric(NamedTuple):
    """A metric. ``unit`` is "bool" for what holds or does not; ``each_layer``: it has a value a layer, not a run."""

    name: str
    unit: str
    direction: Direction
    group: Group
    what: str
    each_layer: bool = False

    @property
    def truth(self) -> bool:
        """Whether its value is yes or no, and yes is what is wanted."""
        return self.unit == TRUTH


# The metrics that sweeps have, too: their group, their unit in words where a sweep's table needs none, what they are.
_SHARED: dict[str, tuple[Group, str | None, str]] = {
    "instructions": ("counts", "instructions", "executed instructions of one inference"),
    "instructions_per_mac": ("counts", "instructions/MAC", "instructions per multiply-accumulate"),
    "macs": ("network", "MACs", "multiply-accumulates of one inference"),
    "flash": ("sizes", None, "program and model"),
    "ram": ("sizes", None, "arena, static data and stack"),
    "arena": ("sizes", None, "the smallest arena that works"),
    "stack": ("sizes", None, "the stack's high-water mark"),
    "code": ("sizes", None, "the program without the model"),
    "model_size": ("network", None, "the .tflite file"),
}


def _shared() -> list[Metric]:
    return [
        Metric(name, unit or shared.get(name).unit, shared.get(name).direction, group, what)
        for name, (group, unit, what) in _SHARED.items()
    ]


_METRICS = (
    *_shared(),
    Metric("layers", "instructions", "min", "counts", "executed instructions of each layer", each_layer=True),
    Metric("output_exact", TRUTH, "max", "truth", "every layer's output is the host's, bit for bit"),
    Metric("output_equal", TRUTH, "max", "outputs", "the outputs are the baseline's, byte for byte"),
    Metric("fits", TRUTH, "max", "truth", "program, data and stack fit the board"),
    Metric("accuracy", "share", "max", "accuracy", "share of a test set that is classified right, 0 to 1"),
    Metric("latency", shared.get("latency").unit, "min", "estimates", "estimated time of one inference"),
    Metric("energy", shared.get("energy").unit, "min", "estimates", "estimated energy of one inference"),
)
METRICS = {metric.name: metric for metric in _METRICS}

_READERS: dict[str, Callable[[Result], Value]] = {
    "output_exact": lambda result: result.check.output_exact and result.check.layers_exact,
    "fits": lambda result: result.memory.flash_free >= 0 and result.memory.ram_free >= 0,
}


def get(name: str) -> Metric:
    """The metric of that name.

    Raises:
        BadInputError: there is none.
    """
    return shared.among(METRICS, name)


def value(result: Result, metric: str) -> Value | None:
    """A run's value of a metric that has one a run; None where the result does not hold it.

    Latency and energy are None where nothing was estimated, energy also where the board's power is not known; accuracy
    is not part of a result.
    """
    if METRICS[metric].group == "estimates":
        found_quantity = quantity(result, metric)
        return None if found_quantity is None else found_quantity.value
    if metric in _READERS:
        return _READERS[metric](result)
    if metric in _SHARED:
        found: Value | None = getattr(shared.measured(result), metric)
        return found
    return None


def quantity(result: Result, metric: str) -> Quantity | None:
    """A run's estimate of a metric with its bounds; None of what is measured, and where there is none."""
    estimate = estimated(result) if METRICS[metric].group == "estimates" else None
    return None if estimate is None else estimate.of(metric)


def without_estimate(result: Result, metric: str) -> str:
    """Why a run has no value of an estimated metric, and what gives it one."""
    estimate = estimated(result)
    if estimate is None:
        return f"no estimate of {metric} in the result ({ASK} in [[runs]], or harness run --cycles, makes one)"
    return estimate.without_energy or f"no estimate of {metric} in the result"
