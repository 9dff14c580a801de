"""From executed blocks to instructions per function and per class: the trace and the code it ran, nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness import isa, process
from harness.elf import Elf
from harness.errors import HarnessError
from harness.records import Record, Segment, Trace

if TYPE_CHECKING:
    from harness.records import IntArray

_LONGEST_INSTRUCTION = 4


class Counts(Record, frozen=True):
    """Instructions of some segments together: in all, by class (all of isa.CLASSES), by function (executed ones)."""

    instructions: int
    classes: dict[str, int]
    functions: dict[str, int]


class Profiler:
    """Decodes each block of a trace once; then any sum of segments costs a product of a vector and a matrix.

    Args:
        trace: with executions per block.
        elf: the firmware that ran.
        armv8: whether its core is of Armv8-M.

    Raises:
        HarnessError: a block does not decode into as many instructions as were counted.
    """

    def __init__(self, trace: Trace, elf: Elf, armv8: bool) -> None:
        self._lengths = trace.block_instructions
        self._classes = _class_matrix(trace, elf, armv8)
        names = [elf.function_at(int(address)) for address in trace.block_addresses]
        self._names = sorted(set(names))
        position = {name: index for index, name in enumerate(self._names)}
        self._function_of = np.array([position[name] for name in names], dtype=np.int64)

    @property
    def function_names(self) -> Sequence[str]:
        """Mangled names of all functions that ran."""
        return self._names

    def counts(self, segments: Sequence[Segment]) -> Counts:
        """The sum over segments.

        Raises:
            HarnessError: classes or functions do not add up to the counted instructions.
        """
        executions = np.zeros(len(self._lengths), dtype=np.int64)
        for segment in segments:
            executions[: len(segment.executions)] += segment.executions
        total = sum(segment.instructions for segment in segments)
        classes = executions @ self._classes
        by_function = np.zeros(len(self._names), dtype=np.int64)
        np.add.at(by_function, self._function_of, executions * self._lengths)
        if int(classes.sum()) != total or int(by_function.sum()) != total:
            raise HarnessError(
                f"the profile does not close: {total} instructions counted, {int(classes.sum())} by class, "
                f"{int(by_function.sum())} by function"
            )
        return Counts(
            instructions=total,
            classes={name: int(count) for name, count in zip(isa.CLASSES, classes, strict=True)},
            functions={name: int(count) for name, count in zip(self._names, by_function, strict=True) if count},
        )


def _class_matrix(trace: Trace, elf: Elf, armv8: bool) -> IntArray:
    """Instructions of each class in each block: int64, blocks x classes."""
    matrix = np.zeros((len(trace.block_addresses), len(isa.CLASSES)), dtype=np.int64)
    for row, (address, length) in enumerate(
        zip(trace.block_addresses.tolist(), trace.block_instructions.tolist(), strict=True)
    ):
        code = elf.code(address, length * _LONGEST_INSTRUCTION)
        matrix[row], decoded = isa.count_classes(code, address, length, armv8)
        if decoded != length:
            raise HarnessError(
                f"the block at {address:#x} ({elf.function_at(address)}) has {length} instructions, of which "
                f"{decoded} decode"
            )
    return matrix


def demangle(names: Sequence[str], cxxfilt: str) -> dict[str, str]:
    """Readable names of C++ functions, by the toolchain's c++filt.

    Raises:
        HarnessError: c++filt failed.
    """
    mangled = [name for name in names if name.startswith("_Z")]
    if not mangled:
        return {name: name for name in names}
    finished = process.run([cxxfilt, *mangled], time_limit_s=30)
    readable = finished.stdout.splitlines()
    if finished.returncode != 0 or len(readable) != len(mangled):
        raise HarnessError(f"{cxxfilt} failed: {finished.stderr.strip()}")
    return {name: name for name in names} | dict(zip(mangled, readable, strict=True))
