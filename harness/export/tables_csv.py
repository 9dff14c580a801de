"""A run as tables for spreadsheets: layers, functions, the functions of each layer, calls where they were followed.

Names are cells that no spreadsheet takes for a formula (``store.safe_cell``); what is not known is an empty cell.
"""

from __future__ import annotations

import csv
import io

from harness import isa
from harness.calltree.result import CallsPart
from harness.export.made import File, Made, Run
from harness.result import LayerEstimate, Result
from harness.store import csv_text, functions_csv, layers_csv, safe_cell

_ARENA = "arena_alive"
_ESTIMATED = ("cycles_estimated", "latency_ms_estimated", "estimate_model", "estimate_tier")
_OVERHEAD = "overhead"
_SMALL = "(small calls together)"


def make(run: Run) -> Made:
    """Layers and what runs around them, which add up to the inference; functions; the functions of each layer."""
    result = run.result
    files = [File("layers", "csv", _layers(result).encode())]
    if result.functions is None:
        return Made(tuple(files), ("functions: the emulator counts instructions without telling them apart",))
    files.append(File("functions", "csv", functions_csv(result.functions).encode()))
    files.append(File("layer-functions", "csv", _layer_functions(result).encode()))
    files += [] if result.calls is None else [File("calls", "csv", _calls(result, result.calls).encode())]
    return Made(tuple(files))


def _layers(result: Result) -> str:
    header, *rows = csv.reader(io.StringIO(layers_csv(result)))
    around = dict.fromkeys(header, "") | _around(result)
    rows.append([around[name] for name in header])
    arena = [*("" if layer.arena is None else str(layer.arena) for layer in result.layers), ""]
    more = zip(rows, arena, _estimates(result), strict=True)
    return csv_text([*header, _ARENA, *_ESTIMATED], [[*row, alive, *cells] for row, alive, cells in more])


def _around(result: Result) -> dict[str, str]:
    """The cells of what runs around the operators."""
    counts = result.counts
    cells = {"op": _OVERHEAD, "instructions": str(counts.overhead), "share": f"{counts.overhead / counts.total:.6f}"}
    if counts.classes is not None:
        in_layers = {name: sum((item.classes or {}).get(name, 0) for item in result.layers) for name in isa.CLASSES}
        cells |= {name: str(counts.classes[name] - in_layers[name]) for name in isa.CLASSES}
    return cells


def _estimates(result: Result) -> list[list[str]]:
    """The cells of estimates of each row."""
    estimate = result.estimate
    if estimate is None:
        return [[""] * len(_ESTIMATED)] * (len(result.layers) + 1)
    said = [safe_cell(estimate.model), safe_cell(estimate.tier)]
    return [[*_time(part), *said] for part in (*estimate.layers, estimate.overhead)]


def _time(part: LayerEstimate) -> list[str]:
    return [str(part.cycles), f"{part.latency_ms:.6g}"]


def _layer_functions(result: Result) -> str:
    rows = [
        [str(layer.index), safe_cell(layer.op), safe_cell(name), str(count)]
        for layer in result.layers
        for name, count in sorted((layer.functions or {}).items(), key=lambda item: (-item[1], item[0]))
    ]
    return csv_text(["index", "op", "function", "instructions"], rows)


def _calls(result: Result, calls: CallsPart) -> str:
    """The tree of calls of each layer, a row a node, with the numbers of the node and of its caller in that tree."""
    rows = []
    operators = {layer.index: layer.op for layer in result.layers}
    for tree in (*calls.layers, calls.overhead):
        first = ["", _OVERHEAD] if tree.index is None else [str(tree.index), safe_cell(operators[tree.index])]
        for number, node in enumerate(tree.nodes):
            name = _SMALL if node.function is None else safe_cell(calls.functions[node.function])
            caller = "" if node.parent is None else str(node.parent)
            rows.append([*first, str(number), caller, name, *map(str, (node.calls, node.inclusive, node.exclusive))])
    return csv_text(["index", "op", "node", "caller", "function", "calls", "inclusive", "exclusive"], rows)
