"""The functions of a run: where the instructions went, over the whole inference and layer by layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.calltree.result import CallsPart
from harness.errors import BadInputError
from harness.page import run_calls, svg, text
from harness.page.document import Block, Chart, Column, Fold, Row, Section, Table, Text
from harness.page.run_layers import PAIRS, label, share, tag
from harness.page.values import derived, measured
from harness.result import Layer, Result

MOST = 500  # rows of functions
_MOST_PAIRS = 300  # rows of functions by layer
_FEWEST = 3  # of those for each layer
_SMALLEST = 0.001  # share of the inference that a function needs for a mark of its own
NO_FUNCTIONS = "this emulator tells no functions apart; QEMU does"


def section(result: Result) -> Section:
    """Icicle, functions of each layer, calls if they were followed, table of all functions."""
    lead = "Instructions that each function executed itself, without those of what it calls."
    if result.functions is None:
        blocks: tuple[Block, ...] = (Text(text=f"No functions: {NO_FUNCTIONS}."),)
        return Section(id="functions", title="Functions", blocks=blocks)
    folds: list[Block] = [Fold(summary="Functions of each layer", blocks=(_pairs(result),), id="layer-functions")]
    if result.calls is not None:
        labels = {layer.index: label(layer) for layer in result.layers}
        calls = run_calls.table(result.calls, labels, result.counts.total)
        folds.append(Fold(summary="Calls of each layer", blocks=(calls,), id="layer-calls"))
    return Section(id="functions", title="Functions", blocks=(_icicle(result), *folds, _table(result)), lead=lead)


def _table(result: Result) -> Table:
    """The largest, one row for all others, and the total."""
    total, functions = result.counts.total, result.functions or ()
    columns = (
        Column(key="function", title="function", help="Readable name of the function, from the firmware's symbols"),
        Column(key="instructions", title="instructions", numeric=True, bar=True, adds=True,
               help="Executed by the function itself during the inference"),
        Column(key="share", title="share", numeric=True, help="Of all instructions of the inference"),
        Column(key="layers", title="layers", numeric=True, help="Number of layers that it ran in"),
    )  # fmt: skip
    ran = _ran(result.layers)
    rows = [
        Row(cells=(item.name, measured(item.instructions, "instructions"), share(item.instructions, total),
                   derived(ran.get(item.name, 0), "")))
        for item in functions[:MOST]
    ]  # fmt: skip
    rows += _rest(functions[MOST:], total - sum(item.instructions for item in functions[:MOST]), total)
    rows.append(Row(cells=("inference", measured(total, "instructions"), share(total, total), ""), kind="total"))
    return Table(
        id="function-table",
        caption=f"Functions of the inference{f', the {MOST} largest' if len(functions) > MOST else ''}",
        columns=columns,
        rows=tuple(rows),
        sorted_by="-instructions",
        filter=True,
    )


def _rest(others: tuple[object, ...], instructions: int, total: int) -> list[Row]:
    """The row that closes the total, where something is left.

    Raises:
        BadInputError: the functions are more than the inference.
    """
    if instructions < 0:
        raise BadInputError(f"the result does not close: its functions have {-instructions} instructions too many")
    if not others and not instructions:
        return []
    name = f"{len(others)} other functions" if others else "in no function"
    return [Row(cells=(name, measured(instructions, "instructions"), share(instructions, total), ""), kind="other")]


def _ran(layers: Iterable[Layer]) -> dict[str, int]:
    """In how many layers each function ran."""
    found: dict[str, int] = {}
    for layer in layers:
        for name in layer.functions or {}:
            found[name] = found.get(name, 0) + 1
    return found


def _pairs(result: Result) -> Table:
    """The largest functions of each layer; those left out are one row of it, so that each layer closes."""
    columns = (
        Column(key="layer", title="layer"),
        Column(key="function", title="function", help="Readable name of the function, from the firmware's symbols"),
        Column(key="instructions", title="instructions", numeric=True, adds=True, bar=True,
               help="Executed by the function itself in this layer"),
        Column(key="share", title="of the layer", numeric=True, help="Of all instructions of the layer"),
    )  # fmt: skip
    each = max(_FEWEST, _MOST_PAIRS // max(len(result.layers), 1))
    rows = [row for layer in result.layers for row in _layer_rows(layer, each)]
    return Table(
        id=PAIRS,
        caption="Functions of each layer",
        columns=columns,
        rows=tuple(rows),
        filter=True,
    )


def _layer_rows(layer: Layer, most: int) -> list[Row]:
    functions = _ordered(layer.functions or {})
    name, whole, tags = label(layer), layer.instructions, (tag(layer.index),)
    rows = [
        Row(
            cells=(name, text.name(function, text.SHORT_NAME), measured(count, "instructions"), share(count, whole)),
            tags=tags,
        )
        for function, count in functions[:most]
    ]
    others = functions[most:]
    if others:
        count = sum(count for _, count in others)
        cells = (name, f"{len(others)} other functions", measured(count, "instructions"), share(count, whole))
        rows.append(Row(cells=cells, tags=tags, kind="other"))
    return rows


def _ordered(functions: Mapping[str, int]) -> list[tuple[str, int]]:
    """The largest first."""
    return sorted(functions.items(), key=lambda item: (-item[1], item[0]))


# --- the icicle ------------------------------------------------------------------------------------------------------


def _icicle(result: Result) -> Chart:
    total, calls = result.counts.total, result.calls
    layers = tuple(
        _layer_node(layer, total, None if calls is None else _called(calls, layer, total)) for layer in result.layers
    )
    around = _node("around", result.counts.overhead, total, "around the operators", "rest")
    root = svg.Node(
        name=f"inference, {text.value(total)} instructions",
        value=total,
        tip=f"inference: {text.value(total)} instructions",
        kind="level-0",
        children=(*layers, around),
    )
    below = "the functions in each" if calls is None else "the calls in each"
    return Chart(
        id="icicle",
        title=f"Inference, its layers, and {below}",
        svg=svg.icicle(
            root, f"Instructions of the inference, by layer and by {'function' if calls is None else 'call'}"
        ),
        summary="The width is the share of instructions. A layer is chosen by its mark."
        + ("" if calls is None else " Below a function stands what it calls; the gap at the right is its own."),
        table=PAIRS if calls is None else run_calls.TABLE,
    )


def _called(calls: CallsPart, layer: Layer, total: int) -> svg.Node | None:
    """A layer's tree of calls."""
    for item in calls.layers:
        if item.index == layer.index:
            root = run_calls.tree(calls, item, run_calls.large(item, _SMALLEST * total))
            return None if root is None else run_calls.node(root, total, tag(layer.index))
    return None


def _layer_node(layer: Layer, total: int, called: svg.Node | None) -> svg.Node:
    return svg.Node(
        name=label(layer),
        value=layer.instructions,
        tip=_tip(label(layer), layer.instructions, total),
        kind="level-1",
        tag=tag(layer.index),
        children=_flat(layer, total) if called is None else (called,),
    )


def _flat(layer: Layer, total: int) -> tuple[svg.Node, ...]:
    """The functions of a layer side by side, where nobody knows which calls which."""
    large, small = [], 0
    for name, count in _ordered(layer.functions or {}):
        if count < _SMALLEST * total:
            small += count
        else:
            large.append(_node(name, count, total, name, "level-2", tag(layer.index)))
    if small:
        large.append(_node("smaller", small, total, "smaller functions together", "rest", tag(layer.index)))
    return tuple(large)


def _node(name: str, count: int, total: int, said: str, kind: str, chosen: str | None = None) -> svg.Node:
    return svg.Node(name=name, value=count, tip=_tip(said, count, total), kind=kind, tag=chosen)


def _tip(name: str, count: int, total: int) -> str:
    percent = f", {100 * count / total:.1f} %" if total else ""
    return f"{text.name(name, text.SHORT_NAME)}: {text.value(count)} instructions{percent}"
