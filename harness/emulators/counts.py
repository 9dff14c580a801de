"""Reader of the file that counter.c writes, and the one place that describes it.

The file is a sequence of little-endian 64-bit words: the eight bytes ``TFLMCNT\\0``, the format's version (1), then
sections, each of them its kind, the number of words that follow, and these words:

=======  ==========  ===================================================================================================
kind     name        words
=======  ==========  ===================================================================================================
1        BLOCKS      address and instructions of each block that is new since the last such section; blocks are numbered
                     in this order over the whole file
2        IO          address and accesses of each instruction that QEMU ran alone because it accesses a device, in the
                     segment that follows
3        SEGMENT     the address of the mark that began the segment (0: reset), then number and entries of each block
                     that was entered
4        END         1: reached the end's address, 2: QEMU ended otherwise. A file without it is incomplete
=======  ==========  ===================================================================================================

Repeated entries: where a block is abandoned before an instruction that accesses a device, QEMU (10.0 does so, 7.2 does
not) runs that instruction alone, uncounted, and enters a new block after it, so the rest of the abandoned block is
counted twice. The entries of blocks that begin right after such an instruction are therefore reduced by the times that
it ran alone. Nothing was counted twice where the abandoned block ended with that instruction anyway: at the end of a
page, and before a mark or the end's address, where the plugin divides blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import EmulationError
from harness.records import Record, Segment

if TYPE_CHECKING:
    from harness.records import IntArray

_MAGIC = int.from_bytes(b"TFLMCNT\0", "little")
_FORMAT = 1
_BLOCKS, _IO, _SEGMENT, _END = 1, 2, 3, 4
_ENDED_BY = {1: "end mark", 2: "exit"}


class Counts(Record, frozen=True, eq=False):
    """The file's content, with repeated entries taken off; the fields are those of ``records.Trace``."""

    block_addresses: IntArray
    block_instructions: IntArray
    segments: tuple[Segment, ...]
    ended_by: str


def read(path: Path, after: Callable[[int], int | None], boundaries: frozenset[int]) -> Counts:
    """Read the file that the plugin wrote.

    Args:
        path: the file.
        after: where a block goes on after the load or store at an address, None if it ends there; called only for
            instructions that ran alone.
        boundaries: addresses of the mark and the end, where the plugin divides blocks itself.

    Raises:
        EmulationError: the file is missing, of another format or incomplete, or repeated entries cannot be taken off.
    """
    import numpy as np

    try:
        words = np.fromfile(path, dtype="<i8")
    except FileNotFoundError:
        raise EmulationError("the counting plugin wrote no counts") from None
    if len(words) < 2 or int(words[0]) != _MAGIC or int(words[1]) != _FORMAT:
        raise EmulationError(f"{path} does not hold counts in format {_FORMAT}")
    blocks: list[IntArray] = []
    segments: list[tuple[dict[int, int], IntArray]] = []
    accesses: dict[int, int] = {}
    ended_by = None
    at = 2
    while at + 2 <= len(words):
        kind, length = int(words[at]), int(words[at + 1])
        payload = words[at + 2 : at + 2 + length]
        at += 2 + length
        if len(payload) != length:
            break
        if kind == _BLOCKS:
            blocks.append(payload.reshape(-1, 2))
        elif kind == _IO:
            accesses = alone(payload.reshape(-1, 2), after, boundaries)
        elif kind == _SEGMENT:
            segments.append((accesses, payload[1:].reshape(-1, 2)))
            accesses = {}
        elif kind == _END:
            ended_by = _ENDED_BY[int(payload[0])]
        else:
            raise EmulationError(f"{path} holds a section of unknown kind {kind}")
    if ended_by is None:
        raise EmulationError(f"the counts are incomplete: {path} ends in the middle", "is the disk full?")
    table = np.concatenate(blocks) if blocks else np.zeros((0, 2), dtype=np.int64)
    addresses, instructions = table[:, 0].copy(), table[:, 1].copy()
    counted = []
    for number, (repeats, entries) in enumerate(segments):
        executions = np.zeros(len(table), dtype=np.int64)
        executions[entries[:, 0]] = entries[:, 1]
        # QEMU may be stopped between an instruction that ran alone and the rest of its block: only at a mark or at
        # the end's address is the place in the code defined, and must everything be accounted for.
        defined = number + 1 < len(segments) or ended_by == "end mark"
        for address, times in repeats.items():
            left = take_off(executions, np.flatnonzero(addresses == address), times)
            if left and defined:
                raise EmulationError(
                    f"segment {number} cannot be counted exactly: QEMU left the block before {address:#x} {times} times"
                    f" for a device access, and came back {times - left} times"
                )
        counted.append(Segment(instructions=int(executions @ instructions), executions=executions))
    return Counts(
        block_addresses=addresses, block_instructions=instructions, segments=tuple(counted), ended_by=ended_by
    )


def alone(pairs: IntArray, after: Callable[[int], int | None], boundaries: frozenset[int]) -> dict[int, int]:
    """Addresses where blocks were entered again after an instruction that ran alone, and how often.

    ``pairs`` holds rows of the instruction's address and its accesses; rows of one address are added.
    """
    times: dict[int, int] = {}
    for address, count in pairs.tolist():
        following = after(address)
        if following is not None and following not in boundaries:
            times[following] = times.get(following, 0) + count
    return times


def take_off(executions: IntArray, candidates: IntArray, times: int) -> int:
    """Reduce the entries of the candidate blocks by ``times`` in all, in place; returns what could not be taken off."""
    for index in candidates.tolist():
        taken = min(times, int(executions[index]))
        executions[index] -= taken
        times -= taken
    return times
