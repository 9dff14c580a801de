"""Results as tables on a terminal, or as plain text where the output is none."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from harness import isa
from harness.records import Platform
from harness.result import Layer, LibraryPart, ReferencePart, Result
from harness.store import Stored

_PLAIN_WIDTH = 160
_BAR = 10
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def console(stderr: bool = False) -> Console:
    """A console for standard output (or error): plain and 160 columns wide, or $COLUMNS, where that is no terminal."""
    stream = sys.stderr if stderr else sys.stdout
    terminal = stream.isatty()
    columns = os.environ.get("COLUMNS", "")
    width = None if terminal else int(columns) if columns.isdigit() and int(columns) > 0 else _PLAIN_WIDTH
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")  # a name that the terminal's encoding lacks is no reason to fail
    return Console(file=stream, width=width, highlight=False, emoji=False, force_terminal=terminal)


def printable(text: str) -> str:
    """Text of a user's file, without what would move a terminal's cursor or change its colours."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


class Column(NamedTuple):
    """A column of a ``FittingTable``.

    Numbers (``right``) are never cut. Text is cut, to ``least`` characters at the least, or wrapped, where ``least`` is
    given and the room is short. Columns with a ``spare`` are left out where that does not suffice, the highest first.
    """

    name: str
    right: bool = False
    least: int | None = None
    wraps: bool = False
    spare: int = 0


class Row(NamedTuple):
    """A row: its cells by the columns' names, those without one being empty; and a style."""

    cells: dict[str, str | Text]
    style: str | None = None


class FittingTable:
    """A table that is never wider than there is room; strings in it are text, not markup."""

    def __init__(self, columns: Sequence[Column], rows: Iterable[Row]) -> None:
        self._columns = columns
        self._rows = [Row({name: _text(cell) for name, cell in row.cells.items()}, row.style) for row in rows]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.fitting(options.max_width)

    def fitting(self, width: int) -> Table:
        """The table for so many columns of the terminal."""
        natural = {column.name: self._natural(column.name) for column in self._columns}
        columns, gap = _fitting(self._columns, natural, width)
        room = width - _total(columns, natural, gap)
        table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0))
        for column in columns:
            least = _least(column, natural)
            taken = least + max(0, min(room, natural[column.name] - least))
            room -= taken - least
            table.add_column(
                column.name,
                justify="right" if column.right else "left",
                no_wrap=not column.wraps,
                overflow="fold" if column.wraps else "ellipsis",
                width=taken,
            )
        for row in self._rows:
            table.add_row(*(row.cells.get(column.name, "") for column in columns), style=row.style)
        return table

    def _natural(self, name: str) -> int:
        return max(len(name), *(cell_len(str(row.cells.get(name, ""))) for row in self._rows), 1)


def _text(cell: str | Text) -> Text:
    return Text(printable(cell)) if isinstance(cell, str) else cell


def _least(column: Column, natural: dict[str, int]) -> int:
    width = natural[column.name]
    return width if column.least is None else min(width, max(column.least, len(column.name)))


def _total(columns: Sequence[Column], natural: dict[str, int], gap: int) -> int:
    return sum(_least(column, natural) for column in columns) + gap * (len(columns) - 1)


def _fitting(columns: Sequence[Column], natural: dict[str, int], width: int) -> tuple[Sequence[Column], int]:
    """The columns that there is room for, and the gap between them."""
    while True:
        for gap in (2, 1):
            if _total(columns, natural, gap) <= width:
                return columns, gap
        last = max(columns, key=lambda column: column.spare)
        if not last.spare:
            return columns, 1
        columns = [column for column in columns if column is not last]


def result(shown: Result, target: Console) -> RenderableType:
    """Everything about one run."""
    from harness.report import calls, estimates  # which draw their tables with this module

    parts: list[RenderableType] = [
        _heading(shown),
        Text(),
        _layers(shown, target),
        Text(),
        _memory(shown, target),
        Text(),
    ]
    if shown.estimate is not None:
        parts += [*estimates.lines(shown, shown.estimate), Text()]
    if shown.calls is not None:
        parts += [calls.lines(shown, target), Text()]
    return Group(*parts, _verdict(shown))


def _heading(shown: Result) -> Text:
    text = Text()
    text.append(printable(shown.model.file), style="bold")
    text.append(f" on {shown.platform}", style="bold")
    text.append(f", {shown.platform_title}")
    text.append(
        f"\n{shown.kernels} kernels, {shown.optimisation}, {shown.core}"
        f"{', ' + ('Helium and FPU' if shown.fpu == 'auto' else shown.fpu) if shown.fpu else ', no FPU'}"
        f", {shown.tflm}, {shown.identity.emulator} {shown.identity.emulator_version}"
    )
    machine = shown.machine
    if machine.stands_in:
        text.append(f"\nran on {machine.name} in its place: ")
        text.append("same core, other memory map" if machine.core == shown.core else "other memory map")
    else:
        text.append(f"\nran on the memory map of {machine.name}")
    for note in machine.notes:
        text.append(f"; {note}")
    text.append(f"\ninput: {printable(shown.check.input)}", style="dim")
    if shown.library is not None:
        text.append("\n" + printable(_library(shown, shown.library)), style="dim")
    return text


def _library(shown: Result, library: LibraryPart) -> str:
    """What is known of a user's TFLM, and what its outputs were compared with."""
    lines = [f"archive sha256 {library.sha256[:12]}, headers sha256 {library.headers_sha256[:12]}"]
    if library.compilers:
        lines.append(f"built by {', '.join(library.compilers)}")
    optimised = [op for op in library.optimised if any(layer.op == op for layer in shown.layers)]
    if optimised:
        lines.append(f"{shown.kernels} behind {', '.join(optimised)}")
    if shown.check.reference is not None:
        lines.append(f"reference: {_reference(shown.check.reference)}")
    return "; ".join(lines)


def _reference(reference: ReferencePart) -> str:
    if reference.date is None:
        return f"{reference.name}, {reference.version}"
    return f"{reference.name} of {reference.date}, every layer"


def _layers(shown: Result, target: Console) -> FittingTable:
    """Mix and shapes are the first to go where the terminal is narrow."""
    columns = [
        Column("#", right=True),
        Column("operator"),
        Column("output", spare=5),
        Column("instructions", right=True),
        Column("share", spare=2),
        Column("MACs", right=True, spare=1),
        Column("ins/MAC", right=True, spare=3),
    ]
    counts = shown.counts
    if counts.classes is not None:
        columns.append(Column("instruction mix", spare=6))
    rows = [Row(_layer_cells(layer, target)) for layer in shown.layers]
    rows.append(
        Row(
            {
                "operator": "overhead",
                "instructions": f"{counts.overhead:,}",
                "share": bar(counts.overhead / counts.total, target),
            },
            "dim",
        )
    )
    rows.append(
        Row(
            {
                "operator": "total",
                "instructions": f"{counts.total:,}",
                "MACs": f"{counts.macs:,}",
                "ins/MAC": number(counts.instructions_per_mac),
                "instruction mix": mix(counts.classes),
            },
            "bold",
        )
    )
    return FittingTable(columns, rows)


def _layer_cells(layer: Layer, target: Console) -> dict[str, str | Text]:
    operator = Text(printable(layer.op))
    if not layer.output_exact:
        operator.append(" differs", style="bold red")
    return {
        "#": str(layer.index),
        "operator": operator,
        "output": "x".join(map(str, layer.output_shape)) or "scalar",
        "instructions": f"{layer.instructions:,}",
        "share": bar(layer.share, target),
        "MACs": f"{layer.macs:,}" if layer.macs else "-",
        "ins/MAC": number(layer.instructions_per_mac),
        "instruction mix": mix(layer.classes),
    }


def number(value: float | None) -> str:
    """A ratio, or "-" where there is none."""
    return "-" if value is None else f"{value:.2f}"


def mix(classes: dict[str, int] | None) -> str:
    """The largest instruction classes, in per cent; "-" where they are not known."""
    if classes is None:
        return "-"
    total = sum(classes.values())
    largest = sorted(((classes[name], name) for name in isa.CLASSES), key=lambda item: -item[0])[:3]
    return "  ".join(f"{name} {100 * count / total:.0f}%" for count, name in largest if count) if total else "-"


def bar(share: float, target: Console, width: int = _BAR) -> Text:
    """A share as a bar with the per cent beside it: block characters on a terminal, hashes elsewhere."""
    if target.is_terminal and target.encoding.lower().startswith("utf"):
        eighths = round(min(max(share, 0.0), 1.0) * width * 8)
        drawn = "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")
    else:
        drawn = "#" * round(min(max(share, 0.0), 1.0) * width)
    return Text.assemble((drawn.ljust(width), "cyan"), f" {100 * share:5.1f}%")


def _memory(shown: Result, target: Console) -> FittingTable:
    memory = shown.memory
    columns = [
        Column("memory"), Column("used", right=True), Column("of", right=True), Column(" ", spare=1),
        Column("", least=20, wraps=True, spare=2),
    ]  # fmt: skip
    ram = memory.ram + memory.stack
    amounts = (
        ("flash", memory.flash, memory.flash_budget, f"{memory.code:,} program + {memory.model:,} model"),
        ("RAM", ram, memory.ram_budget, f"{memory.arena:,} arena + {memory.static:,} static + {memory.stack:,} stack"),
    )
    rows = [
        Row({"memory": name, "used": f"{used:,} B", "of": f"{budget // 1024:,} KiB",
              " ": bar(used / budget, target), "": parts})
        for name, used, budget, parts in amounts
    ]  # fmt: skip
    return FittingTable(columns, rows)


def _verdict(shown: Result) -> Text:
    text = Text()
    if shown.verdict.passed:
        text.append("PASS", style="bold green")
        text.append(f"  fits {shown.platform}, {exactness(shown)}, {shown.counts.total:,} instructions")
    else:
        text.append("FAIL", style="bold red")
        text.append("  " + printable("; ".join(shown.verdict.reasons)))
    text.append(f"\n{printable(shown.run_id)}", style="dim")
    return text


def exactness(shown: Result) -> str:
    """How the outputs of a run that passed compare with the reference, in words."""
    from harness.assemble import describe_difference  # which is about numbers, not about tables

    check = shown.check
    if check.reference is not None and check.reference.rounding:
        differing = sum(not layer.output_exact for layer in shown.layers)
        return printable(
            f"{describe_difference(check)}: a difference between releases, no larger than rounding makes it "
            f"({differing} of {len(shown.layers)} layers differ)"
        )
    if check.tflite_micro_exact is None:
        reason = printable(check.tflite_micro_reason or "")
        return f"every layer bit-exact (no second opinion: tflite-micro: {reason})"
    return "every layer bit-exact"


def agreement(first: Result, second: Result) -> Text:
    """Two emulators counted the same in every segment."""
    return Text.assemble(
        ("EQUAL", "bold green"),
        f" {first.identity.emulator} {first.identity.emulator_version} and {second.identity.emulator} "
        f"{second.identity.emulator_version}: the same count in each of {len(first.marks.segments)} segments",
    )


def summary(results: Iterable[Result]) -> RenderableType:
    """One row a run: what a comparison of platforms and kernels needs."""
    columns = [
        Column("platform"), Column("core", spare=4), Column("kernels"), Column("instructions", right=True),
        Column("ins/MAC", right=True, spare=3), Column("flash", right=True), Column("arena", right=True, spare=1),
        Column("stack", right=True, spare=2), Column("verdict"),
    ]  # fmt: skip
    rows = [
        Row(
            {
                "platform": item.platform,
                "core": item.core.removeprefix("cortex-"),
                "kernels": item.kernels,
                "instructions": f"{item.counts.total:,}",
                "ins/MAC": number(item.counts.instructions_per_mac),
                "flash": f"{item.memory.flash:,}",
                "arena": f"{item.memory.arena:,}",
                "stack": f"{item.memory.stack:,}",
                "verdict": _verdict_word(item),
            }
        )
        for item in results
    ]
    return FittingTable(columns, rows)


def platforms(known: Iterable[Platform]) -> RenderableType:
    """The boards and machines, with what a network has to live in."""
    columns = [
        Column("platform"), Column("kind", spare=2), Column("core"), Column("FPU", spare=1),
        Column("clock", right=True), Column("flash", right=True), Column("RAM", right=True),
        Column("runs on", least=10),
    ]  # fmt: skip
    rows = [
        Row(
            {
                "platform": item.name,
                "kind": item.kind,
                "core": item.core.removeprefix("cortex-"),
                "FPU": item.fpu or "-",
                "clock": f"{item.clock_hz / 1e6:g} MHz",
                "flash": f"{item.flash.size_bytes // 1024:,} KiB",
                "RAM": f"{item.ram.size_bytes // 1024:,} KiB",
                "runs on": ", ".join(item.machines),
            }
        )
        for item in known
    ]
    return FittingTable(columns, rows)


def runs(stored: Iterable[Stored]) -> RenderableType:
    """Stored runs, as given."""
    columns = [
        Column("stored", spare=1), Column("model", least=8, spare=2), Column("instructions", right=True, spare=4),
        Column("verdict", spare=3), Column("run", least=20, wraps=True),
    ]  # fmt: skip
    return FittingTable(columns, (Row(_stored_cells(item)) for item in stored))


def _stored_cells(item: Stored) -> dict[str, str | Text]:
    cells: dict[str, str | Text] = {"run": item.run_id}
    if item.created is not None:
        cells["stored"] = f"{datetime.fromisoformat(item.created).astimezone():%Y-%m-%d %H:%M}"
    if item.result is None:
        cells["verdict"] = Text("unreadable", style="bold red")
        cells["run"] = item.damage or item.run_id
    else:
        cells["model"] = item.result.model.file
        cells["instructions"] = f"{item.result.counts.total:,}"
        cells["verdict"] = _verdict_word(item.result)
    return cells


def _verdict_word(shown: Result) -> Text:
    return Text("pass", style="green") if shown.verdict.passed else Text("fail", style="bold red")
