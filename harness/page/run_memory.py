"""The memory of a run: what flash, static RAM, arena and stack use of what there is."""

from __future__ import annotations

from harness.page import run_arena, run_calls, svg, text
from harness.page.document import Block, Cell, Chart, Column, Row, Section, Table
from harness.page.run_layers import share
from harness.page.values import derived, given, measured
from harness.result import MemoryPart, Result


def limits(result: Result) -> tuple[Block, ...]:
    """Bars and table of used, free and limit."""
    memory = result.memory
    ram = memory.ram + memory.stack
    bars = (
        _bar("flash", (("program", memory.code, "part-0"), ("model", memory.model, "part-3")), memory.flash_budget),
        _bar("RAM", (("static", memory.static, "part-0"), ("arena", memory.arena, "part-1"),
                     ("stack", memory.stack, "part-2")), memory.ram_budget),
        _bar("static RAM", (("static", memory.static, "part-0"),), memory.static + memory.ram_free),
        _bar("arena", (("arena", memory.arena, "part-1"),), memory.arena + memory.ram_free),
        _bar("stack", (("stack", memory.stack, "part-2"),), memory.stack + memory.ram_free),
    )  # fmt: skip
    summary = (
        f"Flash {text.value(memory.flash)} of {text.value(memory.flash_budget)} B, RAM {text.value(ram)} of "
        f"{text.value(memory.ram_budget)} B. Static RAM, arena and stack have one limit together: the limit of each is "
        "what the other two leave."
    )
    chart = Chart(
        id="memory-bars",
        title=f"Memory used, free and limit on {result.platform}",
        svg=svg.bars(bars, summary),
        summary=summary,
        table="memory-table",
    )
    return chart, _table(memory)


def _bar(name: str, parts: tuple[tuple[str, int, str], ...], limit: int) -> svg.Bar:
    used = sum(value for _, value, _ in parts)
    free = limit - used
    over = f"{text.value(free)} B free" if free >= 0 else f"{text.value(-free)} B too much"
    return svg.Bar(
        name=name,
        parts=tuple(
            svg.Part(value=value, tip=f"{name}, {part}: {text.value(value)} B" if part != name else over, kind=kind)
            for part, value, kind in parts
        ),
        limit=limit,
        text=f"{text.value(used)} of {text.value(limit)} B, {over}",
    )


def _table(memory: MemoryPart) -> Table:
    columns = (
        Column(key="memory", title="memory"),
        Column(key="used", title="used", numeric=True, help="By the firmware's file; of the stack its high-water mark"),
        Column(key="free", title="free", numeric=True, help="What is left below the limit"),
        Column(key="limit", title="limit", numeric=True, help="Of parts of the RAM, what the others leave"),
        Column(key="share", title="used of the limit", numeric=True),
    )  # fmt: skip
    free = memory.ram_free
    rows = (
        _row("flash", memory.flash, memory.flash_free, memory.flash_budget),
        _row("RAM: static, arena and stack", memory.ram + memory.stack, free, memory.ram_budget),
        _row("static RAM", memory.static, free, memory.static + free, apart=True),
        _row("arena", memory.arena, free, memory.arena + free, apart=True),
        _row("stack", memory.stack, free, memory.stack + free, apart=True),
    )
    return Table(id="memory-table", caption="Used, free and limit", columns=columns, rows=rows)


def _row(name: str, used: int, free: int, limit: int, apart: bool = False) -> Row:
    bound = derived(limit, "B") if apart else given(limit, "B")
    cells: tuple[Cell, ...] = (name, measured(used, "B"), derived(free, "B"), bound, share(used, limit))
    return Row(cells=cells, state="fail" if free < 0 else None)


def section(result: Result) -> Section:
    """What the regions consist of."""
    memory = result.memory
    columns = (
        Column(key="region", title="region"),
        Column(key="part", title="part"),
        Column(key="bytes", title="size", numeric=True, bar=True),
        Column(key="what", title="what it is"),
    )
    parts = (
        ("flash", "program", memory.code, "code, constants and initial values of data, without the network"),
        ("flash", "model", memory.model, "the network's file as it lies in flash"),
        ("RAM", "static", memory.static, "data of fixed addresses, without the arena"),
        ("RAM", "arena", memory.arena, "the smallest that works, found by the firmware itself on the emulator"),
        ("RAM", "arena, used", memory.arena_used, "what TFLM says it uses of the arena"),
        ("RAM", "stack", memory.stack, "high-water mark since reset"),
    )
    rows = tuple(Row(cells=(region, part, measured(size, "B"), what)) for region, part, size, what in parts)
    table = Table(id="region-table", caption="Regions of memory", columns=columns, rows=rows)
    blocks: tuple[Block, ...] = (table,)
    if result.arena is not None:
        blocks += run_arena.blocks(result, result.arena)
    if result.calls is not None and result.calls.deepest is not None:
        blocks += run_calls.stack(result.calls.deepest)
    return Section(id="memory", title="Memory", blocks=blocks)
