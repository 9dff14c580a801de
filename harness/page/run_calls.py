"""The calls of a run: each layer's tree of them, and the functions on the stack where it was deepest."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from harness.calltree.result import CallsPart, LayerCalls, StackPath
from harness.page import svg, text
from harness.page.document import Block, Cell, Column, Facts, Row, Table, Text
from harness.page.run_layers import share, tag
from harness.page.values import Number, derived, measured, missing
from harness.records import Record

TABLE = "call-table"
_SMALLER = "smaller calls together"
_INDENT = "\u00b7 "
_MOST = 300  # rows of the table, beside those of callers
_FEWEST = 3  # of those for each layer
_THINNEST = 0.0002  # share of the inference that small calls need together to be drawn


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


def tree(part: CallsPart, layer: LayerCalls, kept: Collection[int]) -> Call | None:
    """The tree of a layer's calls, the largest first.

    Args:
        part: the calls of the run.
        layer: those of the layer.
        kept: the numbers of the nodes that stay, with all their callers; the others are put together by caller.
    """
    children: dict[int | None, list[int]] = {}
    for place, item in enumerate(layer.nodes):
        children.setdefault(item.parent, []).append(place)

    def call(place: int) -> Call:
        item, below = layer.nodes[place], children.get(place, [])
        found = sorted((call(child) for child in below if child in kept), key=lambda made: (-made.inclusive, made.name))
        rest = sum(layer.nodes[child].inclusive for child in below if child not in kept)
        if rest:
            found.append(Call(function=None, calls=None, inclusive=rest, exclusive=rest, children=()))
        return Call(
            function=None if item.function is None else part.functions[item.function],
            calls=item.calls or None,
            inclusive=item.inclusive,
            exclusive=item.exclusive,
            children=tuple(found),
        )

    roots = children.get(None, [])
    return call(roots[0]) if roots else None


def large(layer: LayerCalls, smallest: float) -> frozenset[int]:
    """The nodes from so many instructions on. A caller has no fewer than what it calls, so that it is kept, too."""
    return frozenset(
        place for place, item in enumerate(layer.nodes) if item.function is not None and item.inclusive >= smallest
    )


def largest(layer: LayerCalls, most: int) -> frozenset[int]:
    """The nodes that executed most themselves, so many at the most, and all their callers."""
    named = [place for place, item in enumerate(layer.nodes) if item.function is not None]
    kept: set[int] = set()
    for chosen in sorted(named, key=lambda place: (-layer.nodes[place].exclusive, place))[:most]:
        place: int | None = chosen
        while place is not None and place not in kept:
            kept.add(place)
            place = layer.nodes[place].parent
    return frozenset(kept)


def node(call: Call, whole: int, chosen: str | None) -> svg.Node:
    """A call in the icicle."""
    percent = f", {100 * call.inclusive / whole:.1f} %" if whole else ""
    own = f", {text.value(call.exclusive)} of them its own" if call.children else ""
    return svg.Node(
        name=call.name,
        value=call.inclusive,
        tip=f"{text.name(call.name, text.SHORT_NAME)}: {text.value(call.inclusive)} instructions{percent}{own}",
        kind="rest" if call.function is None else "level-2",
        tag=chosen,
        children=tuple(node(child, whole, chosen) for child in call.children if _is_seen(child, whole)),
    )


def _is_seen(call: Call, whole: int) -> bool:
    return call.function is not None or call.inclusive >= _THINNEST * whole


# --- the table -------------------------------------------------------------------------------------------------------


def table(part: CallsPart, labels: dict[int, str], total: int) -> Table:
    """The larger calls, each in its place below its caller, with what it executed itself and in all.

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
    most = max(_FEWEST, _MOST // max(len(part.layers), 1))
    rows = [row for layer in (*part.layers, part.overhead) for row in _rows(part, layer, labels, total, most)]
    return Table(id=TABLE, caption="Calls of each layer", columns=columns, rows=tuple(rows), filter=True)


def _rows(part: CallsPart, layer: LayerCalls, labels: dict[int, str], total: int, most: int) -> Iterator[Row]:
    """A layer's calls; its small ones are one row, so that what is exclusive adds up to the layer."""
    root = tree(part, layer, largest(layer, most))
    tags = () if layer.index is None else (tag(layer.index),)
    name = "around the operators" if layer.index is None else labels[layer.index]
    small = 0
    for level, call in () if root is None else _walk(root, 0):
        if call.function is None:
            small += call.inclusive
            continue
        cells: tuple[Cell, ...] = (
            name,
            _INDENT * level + text.name(call.name, text.SHORT_NAME),
            "" if call.calls is None else measured(call.calls, ""),
            measured(call.inclusive, "instructions"),
            measured(call.exclusive, "instructions"),
            share(call.inclusive, total),
        )
        yield Row(cells=cells, tags=tags)
    if small:
        sizes = (measured(small, "instructions"), measured(small, "instructions"), share(small, total))
        yield Row(cells=(name, _SMALLER, "", *sizes), tags=tags, kind="other")


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
