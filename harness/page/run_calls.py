"""The calls of a run: each layer's tree of them, and the functions on the stack where it was deepest."""

from __future__ import annotations

from collections.abc import Iterator

from harness.calltree.result import CallNode, CallsPart, LayerCalls, StackPath
from harness.page import svg, text
from harness.page.document import Block, Cell, Column, Facts, Row, Table, Text
from harness.page.run_layers import share, tag
from harness.page.values import Number, derived, measured, missing
from harness.records import Record

TABLE = "call-table"
_SMALLER = "smaller calls together"
_INDENT = "\u00b7 "
_MOST = 800  # rows of the table


class Call(Record, frozen=True):
    """A function where it is called, with what it calls. ``function`` None: small ones of the same caller together."""

    function: str | None
    calls: int | None
    inclusive: int
    exclusive: int
    children: tuple[Call, ...]

    @property
    def name(self) -> str:
        """What it is called."""
        return _SMALLER if self.function is None else self.function


def tree(part: CallsPart, layer: LayerCalls, smallest: float) -> Call | None:
    """The tree of a layer's calls, the largest first; those below ``smallest`` instructions put together by caller."""
    children: dict[int | None, list[int]] = {}
    for place, node in enumerate(layer.nodes):
        children.setdefault(node.parent, []).append(place)
    roots = children.get(None, [])
    return _call(part, layer.nodes, children, roots[0], smallest) if roots else None


def _call(
    part: CallsPart, nodes: tuple[CallNode, ...], children: dict[int | None, list[int]], place: int, smallest: float
) -> Call:
    node = nodes[place]
    below = children.get(place, [])
    large = [child for child in below if nodes[child].function is not None and nodes[child].inclusive >= smallest]
    found = [_call(part, nodes, children, child, smallest) for child in large]
    found.sort(key=lambda call: (-call.inclusive, call.name))
    rest = sum(nodes[child].inclusive for child in below) - sum(call.inclusive for call in found)
    if rest:
        found.append(Call(function=None, calls=None, inclusive=rest, exclusive=rest, children=()))
    return Call(
        function=None if node.function is None else part.functions[node.function],
        calls=node.calls or None,
        inclusive=node.inclusive,
        exclusive=node.exclusive,
        children=tuple(found),
    )


def node(call: Call, whole: int, chosen: str | None) -> svg.Node:
    """A call in the icicle."""
    percent = f", {100 * call.inclusive / whole:.1f} %" if whole else ""
    own = f", {text.value(call.exclusive)} of them its own" if call.children else ""
    return svg.Node(
        name=call.name,
        value=call.inclusive,
        tip=f"{text.name(call.name)}: {text.value(call.inclusive)} instructions{percent}{own}",
        kind="rest" if call.function is None else "level-2",
        tag=chosen,
        children=tuple(node(child, whole, chosen) for child in call.children),
    )


# --- the table -------------------------------------------------------------------------------------------------------


def table(part: CallsPart, labels: dict[int, str], total: int) -> Table:
    """Every call that the icicle shows: in its place below its caller, with what it executed itself and in all.

    Args:
        part: the calls.
        labels: what layers are called, by their index.
        total: the instructions of the inference.
    """
    columns = (
        Column(key="layer", title="layer"),
        Column(key="function", title="function", help="Below its caller; each dot is a level"),
        Column(key="calls", title="calls", help="Times that it is entered from there", numeric=True),
        Column(key="inclusive", title="with what it calls", numeric=True, bar=True,
               help="Instructions executed by it and by all that it calls"),
        Column(key="exclusive", title="its own", numeric=True, adds=True, help="Instructions executed by it alone"),
        Column(key="share", title="share", numeric=True, help="Of all instructions, with what it calls"),
    )  # fmt: skip
    smallest = _smallest(part, total)
    rows = [row for layer in (*part.layers, part.overhead) for row in _rows(part, layer, labels, total, smallest)]
    return Table(id=TABLE, caption="Calls of each layer", columns=columns, rows=tuple(rows), filter=True)


def _smallest(part: CallsPart, total: int) -> float:
    """Instructions below which calls are put together, so that the table stays short."""
    sizes = sorted((node.inclusive for layer in part.layers for node in layer.nodes), reverse=True)
    return max(sizes[_MOST - 1] if len(sizes) >= _MOST else 0, total * 1e-6)


def _rows(part: CallsPart, layer: LayerCalls, labels: dict[int, str], total: int, smallest: float) -> Iterator[Row]:
    root = tree(part, layer, smallest)
    tags = () if layer.index is None else (tag(layer.index),)
    name = "around the operators" if layer.index is None else labels[layer.index]
    for level, call in () if root is None else _walk(root, 0):
        cells: tuple[Cell, ...] = (
            name,
            _INDENT * level + call.name,
            "" if call.calls is None else measured(call.calls, ""),
            measured(call.inclusive, "instructions"),
            measured(call.exclusive, "instructions"),
            share(call.inclusive, total),
        )
        yield Row(cells=cells, tags=tags)


def _walk(call: Call, level: int) -> Iterator[tuple[int, Call]]:
    yield level, call
    for child in call.children:
        yield from _walk(child, level + 1)


# --- the stack -------------------------------------------------------------------------------------------------------


def stack(path: StackPath) -> tuple[Block, ...]:
    """The deepest stack: its functions, outermost first, and what they hold together."""
    columns = (
        Column(key="level", title="#", numeric=True),
        Column(key="function", title="function", help="Outermost first"),
        Column(key="bytes", title="holds", help="Bytes while it calls the next one", numeric=True, bar=True, adds=True),
        Column(key="together", title="together", help="With all that called it", numeric=True),
    )  # fmt: skip
    rows: list[Row] = []
    together: int | None = 0
    for level, frame in enumerate(path.frames):
        together = None if together is None or frame.bytes is None else together + frame.bytes
        held = _bytes(frame.bytes, frame.reason or "its code does not tell")
        below = _bytes(together, "a function above it holds what its code does not tell")
        rows.append(Row(cells=(str(level), frame.function, held, below)))
    facts = Facts(
        items=(
            ("the firmware's high-water mark", measured(path.measured, "B")),
            ("sum of the frames", derived(path.bytes, "B")),
            ("deepest first in", path.segment),
        )
    )
    made = Table(
        id="stack-table", caption="Functions on the stack where it was deepest", columns=columns, rows=tuple(rows)
    )
    note = () if path.note is None else (Text(text=path.note, state="note"),)
    return made, facts, *note


def _bytes(value: int | None, reason: str) -> Number:
    return missing("B", reason, "derived") if value is None else derived(value, "B")
