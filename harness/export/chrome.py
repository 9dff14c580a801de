"""A run on a time line, in the Trace Event Format that chrome://tracing and Perfetto read: calibrated time only.

Instructions are no time, and an estimate that no board's measurements stand behind is not drawn as if a clock had said
it. Slices stand in the order of execution, each as long as its estimate.
"""

from __future__ import annotations

import json
from typing import Any

from harness.errors import HarnessError
from harness.export.made import File, Made, Run, by, in_full, named
from harness.report.tables import printable
from harness.result import EstimatePart, Layer, LayerEstimate

_PLACE = {"pid": 1, "tid": 1}
_HOW = "harness run MODEL --platform P --calibration BOARD estimates by a calibration (harness calibrate fits one)"


def make(run: Run) -> Made:
    """The trace.

    Raises:
        HarnessError: the run has no calibrated estimate.
    """
    estimate = _calibrated(run)
    data = {
        "traceEvents": [*_names(run, estimate), *_slices(run, estimate)],
        "displayTimeUnit": "ms",
        "otherData": {"time": in_full(estimate), "clock_hz": estimate.clock_hz, "run": printable(run.result.run_id)},
    }
    return Made((File(None, "trace.json", json.dumps(data, indent=1).encode() + b"\n"),))


def _calibrated(run: Run) -> EstimatePart:
    """The run's estimate, where it is by a calibration of its build, or of another with the error of that measured."""
    estimate, name = run.result.estimate, run.result.run_id
    if estimate is None:
        raise HarnessError(f"run {name} has no time: its instructions are counted, its time is not estimated", _HOW)
    known = estimate.calibration
    if known is None:
        raise HarnessError(f"run {name} has no calibrated time: its estimate is by {by(estimate)}", _HOW)
    if known.carried and estimate.cycles.low is None:
        differing = ", ".join(item.partition(":")[0] for item in known.carried)
        raise HarnessError(
            f"run {name} has no calibrated time: its calibration is of another {differing}, with an error here that"
            " nobody measured",
            _HOW,
        )
    return estimate


def _names(run: Run, estimate: EstimatePart) -> list[dict[str, Any]]:
    process = f"{printable(run.result.model.file)} on {run.result.platform}"
    thread = f"estimated time ({by(estimate)})"
    return [
        {"ph": "M", **_PLACE, "name": "process_name", "args": {"name": process}},
        {"ph": "M", **_PLACE, "name": "thread_name", "args": {"name": thread}},
    ]


def _slices(run: Run, estimate: EstimatePart) -> list[dict[str, Any]]:
    """The inference, and the layers in it. What runs around the operators comes last: its place is not estimated."""
    made, start = [], 0
    for layer, part in zip(run.result.layers, estimate.layers, strict=True):
        arguments = {"tensor": printable(layer.name), "instructions": layer.instructions}
        made.append(_slice(estimate, named(layer), start, part.cycles, arguments | _macs(layer)))
        start += part.cycles
    around = _overhead(estimate, start, estimate.overhead, run.result.counts.overhead)
    whole = _slice(estimate, "inference", 0, start + estimate.overhead.cycles, {"note": in_full(estimate)})
    return [whole, *made, around]


def _macs(layer: Layer) -> dict[str, int]:
    return {"macs": layer.macs} if layer.macs else {}


def _overhead(estimate: EstimatePart, start: int, part: LayerEstimate, instructions: int) -> dict[str, Any]:
    note = "runs before, between and after the operators: its place is not estimated"
    return _slice(estimate, "around the operators", start, part.cycles, {"instructions": instructions, "note": note})


def _slice(estimate: EstimatePart, name: str, start: int, cycles: int, arguments: dict[str, Any]) -> dict[str, Any]:
    """``start`` and ``cycles`` are of the board's clock; the format has microseconds."""
    begin, end = (1e6 * moment / estimate.clock_hz for moment in (start, start + cycles))
    shown = {"estimated_cycles": cycles, **arguments}
    return {"ph": "X", "cat": "estimated", **_PLACE, "name": name, "ts": round(begin, 3),
            "dur": round(round(end, 3) - round(begin, 3), 3), "args": shown}  # fmt: skip
