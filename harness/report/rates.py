"""How a network kept up with rates, as lines of text."""

from __future__ import annotations

from collections.abc import Iterable

from harness.realtime import RealTime

_HEAD = ("rate [1/s]", "utilisation", "missed", "dropped", "worst latency", "deadline", "active", "asleep")


def rates(runs: Iterable[RealTime]) -> str:
    """A line for each run in the order of rates; latency, deadline, active and asleep in instructions for an input."""
    rows = [
        (
            f"{run.rate_hz:,.2f}",
            f"{100 * run.utilisation:.2f} %",
            f"{run.missed} of {run.frames}",
            str(run.dropped),
            f"{run.worst_latency_instructions:,}",
            f"{run.deadline_instructions:,}",
            f"{run.active_instructions_per_frame:,}",
            f"{run.idle_instructions_per_frame:,}",
        )
        for run in sorted(runs, key=lambda run: run.rate_hz)
    ]
    widths = [max(map(len, column)) for column in zip(_HEAD, *rows, strict=True)]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in (_HEAD, *rows)
    )


def summary(run: RealTime) -> str:
    """One run in a sentence: utilisation, deadlines, and active and asleep in instructions and milliseconds."""
    active, asleep = run.active_instructions_per_frame, run.idle_instructions_per_frame
    return (
        f"{run.rate_hz:g} inputs a second on {run.machine} ({run.emulator}), one instruction a cycle at "
        f"{run.clock_hz / 1e6:g} MHz ({run.scale:g} times the emulated pace): utilisation "
        f"{100 * run.utilisation:.2f} %, {run.missed} of {run.frames} missed, {run.dropped} dropped, worst latency "
        f"{run.worst_latency_instructions:,} of {run.deadline_instructions:,} instructions; for an input active "
        f"{active:,} instructions ({_ms(run, active)}), asleep {asleep:,} ({_ms(run, asleep)})"
    )


def _ms(run: RealTime, instructions: int) -> str:
    return f"{1000 * instructions / run.clock_hz:.3f} ms"
