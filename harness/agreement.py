"""Whether two emulators that ran the same firmware counted the same."""

from __future__ import annotations

from harness.errors import EmulationError
from harness.result import Result


def check(first: Result, second: Result) -> None:
    """Refuse two results whose segments differ, naming the first that does."""
    for index, (name, mine, theirs) in enumerate(
        zip(first.marks.sequence, first.marks.segments, second.marks.segments, strict=True)
    ):
        if mine != theirs:
            where = name
            if name.startswith("layer "):
                where += f" ({first.layers[int(name.removeprefix('layer '))].op})"
            raise EmulationError(
                f"{first.emulator} and {second.emulator} disagree on {first.machine.name}, first in segment {index}, "
                f"{where}: {mine:,} and {theirs:,} instructions",
                f"both runs are stored: {first.run_id} and {second.run_id}",
            )
