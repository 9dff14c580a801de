"""What differs between a run and its baseline, and which metrics that makes incomparable. Exactly these: no others.

Absolute judgements need no baseline: outputs against the host's, limits, whether the board is large enough.

Not in the table, as they are what a gate is to judge: the harness' own firmware and kernel glue. Nor what decides no
number: the host's compiler and tflite-micro, which only check; the version of the harness.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from harness.gate.metrics import METRICS
from harness.records import Record
from harness.result import Result


def _of(*groups: str) -> frozenset[str]:
    return frozenset(name for name, metric in METRICS.items() if metric.group in groups)


_CODE = _of("counts", "sizes", "estimates")
_NOTHING: frozenset[str] = frozenset()


class Row(NamedTuple):
    """A row of the table: what is compared, as text, and the metrics that a difference makes incomparable."""

    what: str
    read: Callable[[Result], str]
    metrics: frozenset[str]


class Differs(Record, frozen=True):
    """Something is another than in the baseline; ``metrics`` cannot be compared for it."""

    what: str
    mine: str
    theirs: str
    metrics: frozenset[str]

    @property
    def reason(self) -> str:
        """In one line."""
        return f"another {self.what} than the baseline's: {self.mine}, baseline {self.theirs}"


def _machine(result: Result) -> str:
    return f"{result.machine.name} ({result.identity.machine_sha256[:12]})"


def _cmsis_nn(result: Result) -> str:
    """Of the reference kernels' firmware it is no part."""
    return result.identity.cmsis_nn if result.kernels == "cmsis-nn" else "none"


def _operators(result: Result) -> str:
    return " ".join(layer.op for layer in result.layers)


def _emulator(result: Result) -> str:
    return f"{result.identity.emulator} {result.identity.emulator_version}"


TABLE = (
    # What generates the code, and what the code consists of.
    Row("platform", lambda result: result.platform, _CODE),
    Row("kernel set", lambda result: result.kernels, _CODE),
    Row("optimisation", lambda result: result.optimisation, _CODE),
    Row("FPU", lambda result: result.fpu or "none", _CODE),
    Row("compiler", lambda result: result.identity.compiler, _CODE),
    Row("flags", lambda result: " ".join(result.identity.flags), _CODE),
    Row("TFLM", lambda result: result.identity.tflm, _CODE),
    Row("CMSIS-NN", _cmsis_nn, _CODE),
    # Addresses and alignment move code and data; the arena's size follows from the network, TFLM and its kernels alone.
    Row("memory map", _machine, _CODE - {"arena"}),
    # Of the board itself the clock decides an estimate. Its memory's size is a limit, which is judged without baseline.
    Row("platform file", lambda result: result.identity.platform_sha256[:12], _of("estimates")),
    # Another network under the same name became larger, slower or different: that is what is asked. But its outputs
    # are others, and its layers are the former's only where the operators are.
    Row("model", lambda result: result.model.sha256[:12], frozenset({"output_equal"})),
    Row("sequence of operators", _operators, frozenset({"layers"})),
    # Emulators count the same.
    Row("emulator", _emulator, _NOTHING),
)

# Kernels take other paths for other data (saturation, exponentials), and the stack may go with the path. What is
# linked does not depend on it: test inputs are no part of the flash that is counted.
INPUT = _of("counts", "estimates", "outputs") | {"stack", "ram"}

# Another model, or one that rests on something else, makes another estimate of the same run. A result without any is
# no reason of its own: there the value is missing.
COST_MODEL = _of("estimates")


def differences(result: Result, baseline: Result) -> tuple[Differs, ...]:
    """Everything of the table that is another than in the baseline."""
    found = [
        Differs(what=row.what, mine=mine, theirs=theirs, metrics=row.metrics)
        for row in TABLE
        if (mine := row.read(result)) != (theirs := row.read(baseline))
    ]
    if _another_input(result, baseline):
        mine, theirs = (f"{item.check.input} ({item.check.input_sha256[:12]})" for item in (result, baseline))
        found.append(Differs(what="input", mine=mine, theirs=theirs, metrics=INPUT))
    models = [_cost_model(item) for item in (result, baseline)]
    if models[0] and models[1] and models[0] != models[1]:
        found.append(Differs(what="cost model", mine=models[0], theirs=models[1], metrics=COST_MODEL))
    return tuple(found)


def _cost_model(result: Result) -> str | None:
    return None if result.estimate is None else f"{result.estimate.model}, {result.estimate.tier}"


def _another_input(result: Result, baseline: Result) -> bool:
    """A network whose input has another shape gets another input of the same rule, which is no reason of its own."""
    if result.check.input_sha256 == baseline.check.input_sha256:
        return False
    return result.model.sha256 == baseline.model.sha256 or result.check.input != baseline.check.input


def reason(found: tuple[Differs, ...], metric: str) -> str | None:
    """Why a metric cannot be compared, None where it can."""
    return next((item.reason for item in found if metric in item.metrics), None)
