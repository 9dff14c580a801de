"""Cycles of the blocks of a trace on a core, with memory that answers at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.cost import decode, dual, inorder
from harness.cost.decode import Instruction
from harness.cost.features import Features
from harness.elf import Elf
from harness.errors import HarnessError
from harness.records import FlashUse, Segment, Trace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.records import IntArray

    FloatArray = NDArray[np.float64]

_LONGEST_INSTRUCTION = 4
_CONDITIONAL = ("branch", "loop")


class Blocks:
    """Times each block of a trace once; then any sum of segments is cheap.

    Args:
        trace: with entries and edges of the blocks.
        elf: the firmware that ran.
        core: a name in ``harness.cores.CORES``; that of the board, not that of the machine that stood in.

    Raises:
        HarnessError: a block does not decode into as many instructions as were counted.
    """

    def __init__(self, trace: Trace, elf: Elf, core: str) -> None:
        count = len(trace.block_addresses)
        self._end: FloatArray = np.zeros(count)
        self._taken: FloatArray = np.zeros(count)
        self._rare: FloatArray = np.zeros(count)
        self._bytes: IntArray = np.zeros(count, dtype=np.int64)
        self._unaligned = inorder.TABLES[core].unaligned if core in inorder.TABLES else 0.0
        armv8 = core in ("cortex-m33", "cortex-m55")
        pairs = zip(trace.block_addresses.tolist(), trace.block_instructions.tolist(), strict=True)
        for row, (address, length) in enumerate(pairs):
            block = decode.instructions(elf.code(address, length * _LONGEST_INSTRUCTION), address, length, armv8)
            if len(block) != length:
                raise HarnessError(f"the block at {address:#x} has {length} instructions, of which {len(block)} decode")
            self._bytes[row] = sum(instruction.size for instruction in block)
            self._end[row], self._taken[row], self._rare[row] = timing(core, block, address)

    def features(self, segments: Sequence[Segment]) -> Features:
        """The sum over segments that have edges, and lines of the flash or not."""
        entries, taken = (np.zeros(len(self._end), dtype=np.int64) for _ in range(2))
        for segment in segments:
            assert segment.taken is not None, "the job asked for edges"
            entries[: len(segment.executions)] += segment.executions
            taken[: len(segment.taken)] += segment.taken
        rare = np.minimum(taken, np.maximum(entries - taken, 0))
        unaligned = sum(segment.unaligned or 0 for segment in segments)
        cycles = float(entries @ self._end + taken @ self._taken + rare @ self._rare) + unaligned * self._unaligned
        return Features(
            instructions=sum(segment.instructions for segment in segments),
            core_cycles=round(cycles, 1),
            taken=int(taken.sum()),
            unaligned=unaligned,
            code_bytes=int(entries @ self._bytes),
            flash=_flash_use(segments),
        )


def _flash_use(segments: Sequence[Segment]) -> FlashUse | None:
    uses = [segment.flash for segment in segments if segment.flash is not None]
    if len(uses) < len(segments):
        return None
    return FlashUse(**{name: sum(getattr(use, name) for use in uses) for name in FlashUse.__struct_fields__})


def timing(core: str, block: Sequence[Instruction], address: int) -> tuple[float, float, float]:
    """Cycles of a block that is left at its end; more where it is left by a branch; more where that is the rarer way.

    Args:
        core: a name in ``harness.cores.CORES``.
        block: its instructions, one at least.
        address: of the first, by which a loop of one block is known.
    """
    last = block[-1]
    if core != "cortex-m7":
        table = inorder.TABLES[core]
        return inorder.cycles(table, block), inorder.taken(table, last), 0.0
    time = dual.time(block, loops=last.target == address)
    rare = dual.MISPREDICTED if last.kind in _CONDITIONAL and last.mnemonic != "b" else 0.0
    return time.flowing, time.whole - time.flowing, rare
