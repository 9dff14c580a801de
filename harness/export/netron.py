"""Metrics and metadata for Netron's sidebar: an attachment to the graph of the same network.

Netron 8.2.8 (April 2025) and later, as it runs in a browser (``netron`` without a file; not the desktop application),
takes a .json file with the signature "netron:attachment" that is opened, or dropped, after the network. Its entries
name a node by kind and identifier, which is the operator's index in a .tflite file, and the model by its file's name
(metadata.Attachment in source/view.js, tflite.Node in source/tflite.js of lutzroeder/netron). Tried with 9.3.3; started
with the network on its command line, it takes no other file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from harness.export import metrics
from harness.export.made import File, Made, Run, by, in_full
from harness.export.metrics import Metric
from harness.report.tables import printable
from harness.result import Layer, Result

_FUNCTIONS = 10
_NAMES = {  # of a dozen letters: Netron cuts longer ones
    "macs": "MACs",
    "instructions-per-mac": "per MAC",
    "arena-alive": "arena, B",
    "stack": "stack, B",
    "cycles-estimated": "est. cycles",
    "latency-estimated": "est. ms",
}
Entry = dict[str, Any]


def make(run: Run) -> Made:
    """The attachment."""
    result = run.result
    data = {
        "signature": "netron:attachment",
        "metadata": [*_about(result), *(entry for layer in result.layers for entry in _functions(layer))],
        "metrics": [*_totals(result), *_nodes(result)],
    }
    return Made((File(None, "netron.json", json.dumps(data, indent=1).encode() + b"\n"),))


def _node(index: int, name: str, value: int | float | str) -> Entry:
    return {"kind": "node", "identifier": str(index), "name": name, "value": value}


def _model(result: Result, name: str, value: str) -> Entry:
    return {"kind": "model", "identifier": result.model.file, "name": name, "value": value}


def _whole(name: str, value: int | float | str) -> Entry:
    """A metric of the model: these are looked up without its name."""
    return {"kind": "model", "target": "", "name": name, "value": value}


def _about(result: Result) -> Iterator[Entry]:
    verdict = "pass" if result.verdict.passed else f"fail: {printable('; '.join(result.verdict.reasons))}"
    yield _model(result, "run", printable(result.run_id))
    yield _model(result, "verdict", verdict)
    yield _model(
        result, "measured on", printable(f"{result.platform_title}, {result.machine.name} of {result.emulator}")
    )
    yield _model(result, "build", printable(f"{result.kernels}, {result.optimisation}, {result.identity.compiler}"))
    if result.estimate is not None:
        yield _model(result, "estimate", in_full(result.estimate))


def _totals(result: Result) -> Iterator[Entry]:
    yield _whole("instructions", result.counts.total)
    yield _whole("MACs", result.counts.macs)
    memory, estimate = result.memory, result.estimate
    for name, value in (("flash", memory.flash), ("arena", memory.arena), ("static RAM", memory.static),
                        ("stack", memory.stack)):  # fmt: skip
        yield _whole(f"{name}, B", value)
    if estimate is not None:
        yield _whole("est. cycles", f"{estimate.cycles.value:,.0f} ({by(estimate)})")
        yield _whole("est. ms", f"{estimate.latency_ms.value:,.4g} ({by(estimate)})")


def _nodes(result: Result) -> Iterator[Entry]:
    for metric in metrics.of(result):
        for index, value in metric.values.items():
            yield _node(index, _short(metric), _text(metric, value))


def _short(metric: Metric) -> str:
    """A metric in the few letters that Netron has room for."""
    return _NAMES.get(metric.key) or metric.key.replace("-", " ")


def _text(metric: Metric, value: int | float) -> int | float | str:
    """A number as it is, or with what it rests on where it was not measured."""
    if metric.origin is None:
        return value
    return f"{value:,} ({metric.origin})" if isinstance(value, int) else f"{value:,.4g} ({metric.origin})"


def _functions(layer: Layer) -> Iterator[Entry]:
    """What was executed in a layer, a line a function."""
    if not layer.functions:
        return
    ranked = sorted(layer.functions.items(), key=lambda item: (-item[1], item[0]))
    lines = [f"{count:,} {printable(name)}" for name, count in ranked[:_FUNCTIONS]]
    if len(ranked) > _FUNCTIONS:
        rest = sum(count for _, count in ranked[_FUNCTIONS:])
        lines.append(f"{rest:,} in {len(ranked) - _FUNCTIONS} others")
    yield _node(layer.index, "functions", "\n".join(lines))
