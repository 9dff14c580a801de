"""The doctor's findings as a table."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from harness.doctor import Finding


def findings(items: Iterable[Finding]) -> Table:
    """One row a finding; the hint stands below what is wrong."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for item in items:
        if item.ok:
            state = Text("ok", style="green")
        elif item.required:
            state = Text("problem", style="bold red")
        else:
            state = Text("optional", style="yellow")
        found = Text(item.found)
        if item.hint and not item.ok:
            found.append(f"\n{item.hint}", style="bold")
        table.add_row(state, item.name, found)
    return table
