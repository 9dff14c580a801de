"""What a reproduction came to, on a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.errors import EXIT_NOT_MEASURED, EXIT_PASS, EXIT_VERDICT_NO
from harness.reproduce.page import ratio
from harness.reproduce.reproduction import Reproduction


def closing(done: Reproduction) -> RenderableType:
    """Each effect, the rank correlations, and which rule decided the exit code."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("effect", overflow="fold")
    for name in ("measured", "emulated", "part of the effect", "reproduced"):
        table.add_column(name, justify="right", no_wrap=True)
    for item in done.summaries:
        same = f"{item.reproduced} of {item.lines}"
        part = "-" if item.part is None else f"{100 * item.part:.0f} %"
        table.add_row(item.effect, ratio(item.measured), ratio(item.emulated), part,
                      Text(same, style="" if item.reproduced == item.lines else "yellow"))  # fmt: skip
    ranks = ", ".join(f"{kernels} {'-' if value is None else f'{value:.4f}'}" for kernels, value in done.ranks)
    return Group(
        table,
        Text(
            "measured: ratios of latencies or energies; emulated: of instructions; means of the lines with an effect",
            style="dim",
        ),
        Text(f"rank correlation of instructions and latency over the layers: {ranks}"),
        _verdict(done),
    )


def _verdict(done: Reproduction) -> Text:
    judged = sum(line.judged for line in done.lines)
    against = sum(line.reproduced is False for line in done.lines)
    said, style = {
        EXIT_PASS: (f"every one of {judged} lines is reproduced", "bold green"),
        EXIT_VERDICT_NO: (f"exit 1: {against} of {judged} lines are not reproduced; the page names them",
                          "bold yellow"),
        EXIT_NOT_MEASURED: (f"exit 3: {done.missing} measured rows have no count; the page says which points failed; "
                            "--retry runs those again that could not be measured", "bold red"),
    }[done.exit_code]  # fmt: skip
    return Text(said, style=style)
