"""Instructions of segments as a result shows them: in all, by class, by readable function; what an emulator tells."""

from __future__ import annotations

from collections.abc import Sequence

from harness import profile
from harness.elf import Elf
from harness.profile import Profiler
from harness.records import Record, Segment, Trace
from harness.result import Function


class Breakdown(Record, frozen=True):
    """Instructions of some segments together. Classes and functions, the largest first, are None where the emulator
    does not tell them apart."""

    instructions: int
    classes: dict[str, int] | None
    functions: tuple[Function, ...] | None


class Counter:
    """Adds up segments.

    Args:
        trace: with or without executions per block.
        elf: the firmware that ran.
        armv8: whether its core is of Armv8-M.
        cxxfilt: the toolchain's c++filt.
    """

    def __init__(self, trace: Trace, elf: Elf, armv8: bool, cxxfilt: str) -> None:
        self._profiler = Profiler(trace, elf, armv8) if len(trace.block_addresses) else None
        if self._profiler is not None:
            self._names = profile.demangle(tuple(self._profiler.function_names), cxxfilt)

    def counts(self, segments: Sequence[Segment]) -> Breakdown:
        """The sum over segments.

        Raises:
            HarnessError: classes or functions do not add up to the counted instructions.
        """
        if self._profiler is None:
            total = sum(segment.instructions for segment in segments)
            return Breakdown(instructions=total, classes=None, functions=None)
        counts = self._profiler.counts(segments)
        return Breakdown(
            instructions=counts.instructions,
            classes=counts.classes,
            functions=_functions(counts.functions, counts.instructions, self._names),
        )


def _functions(by_function: dict[str, int], total: int, names: dict[str, str]) -> tuple[Function, ...]:
    """The largest first. Two functions of one readable name (clones by the compiler) are one."""
    merged: dict[str, int] = {}
    for mangled, instructions in by_function.items():
        merged[names[mangled]] = merged.get(names[mangled], 0) + instructions
    return tuple(
        Function(name=name, instructions=instructions, share=share(instructions, total))
        for name, instructions in sorted(merged.items(), key=lambda item: (-item[1], item[0]))
    )


def share(part: int, whole: int) -> float:
    """A part as it is stored: six decimals, 0 of nothing."""
    return round(part / whole, 6) if whole else 0.0
