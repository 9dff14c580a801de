"""Firmware files and what a board measured, for the terminal."""

from __future__ import annotations

import shlex

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.capture import Capture
from harness.flashable import Firmware
from harness.report.tables import printable


def firmware(built: Firmware) -> RenderableType:
    """The files, what they need, and how to flash them."""
    lines = [Text(f"{path}") for path in (built.elf, built.bin, built.hex, built.uf2) if path is not None]
    lines.append(
        Text(
            f"{built.flash_bytes:,} B flash; {built.arena_bytes:,} B arena, {built.static_bytes:,} B static, "
            f"{built.stack_bytes:,} B reserved for the stack",
            style="dim",
        )
    )
    if built.steps:
        lines.append(Text("flash:", style="bold"))
        lines += [Text(f"  {step}") for step in built.steps]
        lines.append(Text(f"then: {shlex.join(built.capture)}"))
    return Group(*lines)


def captured(shown: Capture) -> RenderableType:
    """A row for each layer, the total, and whether the outputs are the host's."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("#", "operator", "cycles", "share", "time"):
        table.add_column(name, justify="left" if name == "operator" else "right", no_wrap=True)
    for layer in shown.layers:
        operator = Text(printable(layer.op or f"CRC {layer.output_crc32}"))
        if layer.exact is False:
            operator.append(" differs", style="bold red")
        table.add_row(str(layer.index), operator, *_counted(layer.cycles - shown.overhead, shown))
    marks = (len(shown.layers) + 1) * shown.overhead
    table.add_row("", "between", *_counted(shown.between - marks, shown), style="dim")
    table.add_row("", "total", *_counted(shown.total, shown), style="bold")
    return Group(_heading(shown), Text(), table, Text(), _verdict(shown))


def _counted(cycles: int, shown: Capture) -> tuple[str, str, str]:
    return f"{cycles:,}", f"{100 * cycles / shown.total:.1f}%", f"{1e3 * cycles / shown.clock_hz:,.3f} ms"


def _heading(shown: Capture) -> Text:
    text = Text(printable(shown.model or "a network"), style="bold")
    text.append(f" on {shown.platform or 'a board'} at {shown.port}", style="bold")
    text.append(f"\n{shown.kernels} kernels, TFLM {shown.tflm}, {shown.clock_hz / 1e6:g} MHz")
    if not shown.full_clock:
        text.append("\nthe board did not get to its full clock: these are cycles on the one after reset", style="red")
    text.append(f"\nthe marks' {shown.overhead} cycles are taken off each count", style="dim")
    return text


def _verdict(shown: Capture) -> Text:
    if shown.output_exact is None:
        return Text(f"{shown.total:,} cycles; outputs not compared (give --model and --platform)")
    if shown.output_exact:
        return Text.assemble(("PASS", "bold green"), f"  every layer bit-exact, {shown.total:,} cycles")
    return Text.assemble(("FAIL", "bold red"), "  the outputs differ from the host's")
