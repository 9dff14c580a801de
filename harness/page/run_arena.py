"""The arena of a run over time: how much of it is alive at each operator, and what lies where."""

from __future__ import annotations

from harness.page import svg, text
from harness.page.document import Block, Cell, Chart, Column, Fold, Row, Table, Text
from harness.page.run_layers import arena_number, label, tag
from harness.page.values import derived, missing
from harness.result import ArenaBuffer, ArenaPart, Result

BUFFERS = "arena-buffers"
_SCRATCH = "scratch buffer"
_NO_OFFSET = "where it lies was not told"
_KINDS = 8  # colours that buffers take in turn


def blocks(result: Result, part: ArenaPart) -> tuple[Block, ...]:
    """A step line of what is alive, a plan of what lies where if that is known, a table of the buffers."""
    found: list[Block] = [_course(result, part)]
    if part.buffers and all(buffer.offset is not None for buffer in part.buffers):
        found.append(_plan(result, part))
    if part.note is not None:
        found.append(Text(text=f"Derived from the network's tensors: {part.note}", state="note"))
    found.append(Fold(summary="Buffers of the arena", blocks=(_table(part),), id="arena-fold"))
    return tuple(found)


def _course(result: Result, part: ArenaPart) -> Chart:
    steps = [
        svg.Step(
            name=str(layer.index),
            value=layer.arena,
            tip=f"{label(layer)}: {'-' if layer.arena is None else text.value(layer.arena)} B alive",
            tag=tag(layer.index),
        )
        for layer in result.layers
    ]
    lines = (
        [] if part.planned is None else [svg.Line(value=part.planned, text=f"planned: {text.value(part.planned)} B")]
    )
    known = [(layer.arena, layer) for layer in result.layers if layer.arena is not None]
    most = max(known, key=lambda item: item[0], default=None)
    summary = "Bytes of tensors and scratch buffers that are alive at each operator. " + _said(part)
    if most is not None:
        summary = f"At most {text.value(most[0])} B are alive, at operator {label(most[1])}. {_said(part)}"
    return Chart(
        id="arena-course",
        title="Arena alive at each operator",
        svg=svg.steps(steps, "bytes", "operator", summary, lines),
        summary=summary,
        table="layer-table",
    )


def _said(part: ArenaPart) -> str:
    if part.planned is None or part.persistent is None:
        return ""
    return (
        f"TFLM's planner needs {text.value(part.planned)} B for them, beside {text.value(part.persistent)} B that are "
        "alive all the time."
    )


def _plan(result: Result, part: ArenaPart) -> Chart:
    pieces = [
        svg.Piece(
            low=buffer.offset or 0,
            high=(buffer.offset or 0) + buffer.size,
            first=buffer.first,
            last=buffer.last,
            tip=f"{name(buffer)}: {text.value(buffer.size)} B at {text.value(buffer.offset or 0)}, {_alive(buffer)}",
            kind="part-9" if buffer.tensor is None else f"part-{index % _KINDS}",
        )
        for index, buffer in enumerate(part.buffers)
    ]
    summary = "Each buffer as high as it is large, at its address, from the first to the last operator that needs it."
    return Chart(
        id="arena-plan",
        title="What lies where in the arena",
        svg=svg.plan(pieces, len(result.layers), "bytes from the arena's start", "operator", summary),
        summary=summary,
        table=BUFFERS,
        legend=(("part-9", "scratch buffers; other colours tell tensors apart"),)
        if any(buffer.tensor is None for buffer in part.buffers)
        else (),
    )


def name(buffer: ArenaBuffer) -> str:
    """What a buffer is called: its tensor's name, if it has one."""
    if buffer.tensor is None:
        return _SCRATCH
    return buffer.name or f"tensor {buffer.tensor}"


def _alive(buffer: ArenaBuffer) -> str:
    if buffer.first == buffer.last:
        return f"at operator {buffer.first}"
    return f"from operator {buffer.first} to {buffer.last}"


def _table(part: ArenaPart) -> Table:
    columns = (
        Column(key="buffer", title="buffer", help="The tensor's name in the network's file"),
        Column(key="tensor", title="tensor", help="Its index in the network's file", numeric=True),
        Column(key="size", title="size", help="Rounded up to TFLM's alignment", numeric=True, bar=True),
        Column(key="offset", title="offset", help="From the arena's start", numeric=True),
        Column(key="first", title="from", help="The first operator that needs it", numeric=True),
        Column(key="last", title="to", help="The last operator that needs it", numeric=True),
    )
    rows = tuple(Row(cells=_cells(buffer, part)) for buffer in part.buffers)
    return Table(id=BUFFERS, caption="Buffers of the arena", columns=columns, rows=rows, filter=len(rows) > _KINDS)


def _cells(buffer: ArenaBuffer, part: ArenaPart) -> tuple[Cell, ...]:
    offset = missing("B", _NO_OFFSET) if buffer.offset is None else arena_number(buffer.offset, part)
    return (
        name(buffer),
        "" if buffer.tensor is None else str(buffer.tensor),
        arena_number(buffer.size, part),
        offset,
        derived(buffer.first, ""),
        derived(buffer.last, ""),
    )
