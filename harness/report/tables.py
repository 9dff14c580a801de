"""Results as tables on a terminal, or as plain text where the output is none."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness import isa
from harness.records import Platform
from harness.result import CheckPart, Layer, Result
from harness.store import Manifest

_PLAIN_WIDTH = 160
_WIDE = 110
_BAR = 10
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def console(stderr: bool = False) -> Console:
    """A console for standard output (or error): plain, ASCII and 120 columns wide where that is not a terminal."""
    stream = sys.stderr if stderr else sys.stdout
    terminal = stream.isatty()
    columns = os.environ.get("COLUMNS", "")
    width = None if terminal else int(columns) if columns.isdigit() and int(columns) > 0 else _PLAIN_WIDTH
    return Console(file=stream, width=width, highlight=False, emoji=False, force_terminal=terminal)


def _columns(table: Table, *names: str) -> None:
    """Columns that never wrap; a leading ">" aligns to the right."""
    for name in names:
        table.add_column(name.lstrip(">"), justify="right" if name.startswith(">") else "left", no_wrap=True)


def _table(*, title: str | None = None) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))


def result(shown: Result, target: Console) -> RenderableType:
    """Everything about one run."""
    return Group(
        _heading(shown), Text(), _layers(shown, target), Text(), _memory(shown, target), Text(), _verdict(shown)
    )


def _heading(shown: Result) -> Text:
    text = Text()
    text.append(shown.model.file, style="bold")
    text.append(f" on {shown.platform}", style="bold")
    text.append(f", {shown.platform_title}")
    text.append(
        f"\n{shown.kernels} kernels, {shown.optimisation}, {shown.core}"
        f"{', ' + ('Helium and FPU' if shown.fpu == 'auto' else shown.fpu) if shown.fpu else ', no FPU'}"
        f", {shown.tflm}, {shown.identity.emulator} {shown.identity.emulator_version}"
    )
    machine = shown.machine
    if machine.stands_in:
        text.append(f"\nran on {machine.name} in its place: same core, other memory map")
        for note in machine.notes:
            text.append(f"; {note}")
    text.append(f"\ninput: {shown.check.input}", style="dim")
    return text


def _layers(shown: Result, target: Console) -> Table:
    """Shape and mix are the first to go where the terminal is narrow; numbers are never cut."""
    columns = [("#", True, 2), ("operator", False, None), ("instructions", True, 12), ("share", False, _BAR + 7),
               ("MACs", True, 9), ("ins/MAC", True, 7)]  # fmt: skip
    if target.width >= _WIDE:
        columns[2:2] = [("output", False, None)]
        columns.append(("instruction mix", False, None))
    table = _table()
    for name, right, least in columns:
        table.add_column(name, justify="right" if right else "left", no_wrap=True, overflow="ellipsis", min_width=least)

    def add(cells: dict[str, RenderableType], style: str | None = None) -> None:
        table.add_row(*(cells.get(name, "") for name, _, _ in columns), style=style)

    for layer in shown.layers:
        add(_layer_cells(layer, target))
    counts = shown.counts
    overhead: dict[str, RenderableType] = {
        "operator": "overhead",
        "instructions": f"{counts.overhead:,}",
        "share": _bar(counts.overhead / counts.total, target),
    }
    total: dict[str, RenderableType] = {
        "operator": "total",
        "instructions": f"{counts.total:,}",
        "MACs": f"{counts.macs:,}",
        "ins/MAC": number(counts.instructions_per_mac),
        "instruction mix": mix(counts.classes),
    }
    add(overhead, style="dim")
    add(total, style="bold")
    return table


def _layer_cells(layer: Layer, target: Console) -> dict[str, RenderableType]:
    name = Text(layer.op)
    if not layer.output_exact:
        name.append(" differs", style="bold red")
    return {
        "#": str(layer.index),
        "operator": name,
        "output": "x".join(map(str, layer.output_shape)) or "scalar",
        "instructions": f"{layer.instructions:,}",
        "share": _bar(layer.share, target),
        "MACs": f"{layer.macs:,}" if layer.macs else "-",
        "ins/MAC": number(layer.instructions_per_mac),
        "instruction mix": mix(layer.classes),
    }


def number(value: float | None) -> str:
    """A ratio, or "-" where there is none."""
    return "-" if value is None else f"{value:.2f}"


def mix(classes: dict[str, int]) -> str:
    """The largest instruction classes, in per cent."""
    total = sum(classes.values())
    largest = sorted(((classes[name], name) for name in isa.CLASSES), key=lambda item: -item[0])[:3]
    return "  ".join(f"{name} {100 * count / total:.0f}%" for count, name in largest if count) if total else "-"


def _bar(share: float, target: Console, width: int = _BAR) -> Text:
    """A share as a bar with the per cent beside it: block characters on a terminal, hashes elsewhere."""
    if target.is_terminal and target.encoding.lower().startswith("utf"):
        eighths = round(min(max(share, 0.0), 1.0) * width * 8)
        drawn = "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")
    else:
        drawn = "#" * round(min(max(share, 0.0), 1.0) * width)
    return Text.assemble((drawn.ljust(width), "cyan"), f" {100 * share:5.1f}%")


def _memory(shown: Result, target: Console) -> Table:
    memory = shown.memory
    table = _table()
    for name, right, least in (("memory", False, 6), ("used", True, 11), ("of", True, 9), ("", False, _BAR + 7)):
        table.add_column(name, justify="right" if right else "left", no_wrap=True, min_width=least)
    table.add_column("")  # wraps where there is no room beside the numbers
    ram = memory.ram + memory.stack
    rows = (
        ("flash", memory.flash, memory.flash_budget, f"{memory.code:,} program + {memory.model:,} model"),
        ("RAM", ram, memory.ram_budget, f"{memory.arena:,} arena + {memory.static:,} static + {memory.stack:,} stack"),
    )
    for name, used, budget, parts in rows:
        table.add_row(name, f"{used:,} B", f"{budget // 1024:,} KiB", _bar(used / budget, target), parts)
    return table


def _verdict(shown: Result) -> Text:
    text = Text()
    if shown.verdict.passed:
        text.append("PASS", style="bold green")
        text.append(f"  fits {shown.platform}, {_exactness(shown.check)}, {shown.counts.total:,} instructions")
    else:
        text.append("FAIL", style="bold red")
        text.append("  " + "; ".join(shown.verdict.reasons))
    text.append(f"\n{shown.run_id}", style="dim")
    return text


def _exactness(check: CheckPart) -> str:
    if check.tflite_micro_exact is None:
        return f"every layer bit-exact (no second opinion: tflite-micro: {check.tflite_micro_reason})"
    return "every layer bit-exact"


def summary(results: Iterable[Result]) -> Table:
    """One row a run: what a comparison of platforms and kernels needs."""
    table = _table()
    _columns(table, "platform", "core", "kernels", ">instructions", ">ins/MAC", ">flash", ">arena", ">stack", "verdict")
    for item in results:
        memory = item.memory
        passed = Text("pass", style="green") if item.verdict.passed else Text("fail", style="bold red")
        table.add_row(
            item.platform, item.core.removeprefix("cortex-"), item.kernels, f"{item.counts.total:,}",
            number(item.counts.instructions_per_mac), f"{memory.flash:,}", f"{memory.arena:,}", f"{memory.stack:,}",
            passed,
        )  # fmt: skip
    return table


def platforms(known: Iterable[Platform]) -> Table:
    """The boards and machines, with what a network has to live in."""
    table = _table()
    _columns(table, "platform", "kind", "core", "FPU", ">clock", ">flash", ">RAM", "runs on")
    for item in known:
        table.add_row(
            item.name, item.kind, item.core.removeprefix("cortex-"), item.fpu or "-", f"{item.clock_hz / 1e6:g} MHz",
            f"{item.flash.size_bytes // 1024:,} KiB", f"{item.ram.size_bytes // 1024:,} KiB", ", ".join(item.machines),
        )  # fmt: skip
    return table


def runs(manifests: Iterable[Manifest]) -> Table:
    """Stored runs, as given."""
    table = _table()
    table.add_column("stored", no_wrap=True)
    table.add_column("run", overflow="fold")
    for manifest in manifests:
        when = datetime.fromisoformat(manifest.created).astimezone()
        table.add_row(f"{when:%Y-%m-%d %H:%M}", escape(manifest.run_id))
    return table
