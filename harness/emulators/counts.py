"""Reader of what counter.c writes, to a file or to a pipe, and the one place that describes it.

It is a sequence of little-endian 64-bit words: the eight bytes ``TFLMCNT\\0``, the format's version (1), then
sections, each of them its kind, the number of words that follow, and these words:

=======  ==========  ===================================================================================================
kind     name        words
=======  ==========  ===================================================================================================
1        BLOCKS      address and instructions of each block that is new since the last such section; blocks are numbered
                     in this order from the start
2        IO          address and accesses of each instruction that QEMU ran alone because it accesses a device, in the
                     segment that follows
3        SEGMENT     the address of the mark that began the segment (0: reset), then number and entries of each block
                     that was entered
5        EDGES       only with edges=on, before each segment: of the segment that follows: accesses that unaligned loads
                     and stores take more (``records.Segment``); number of each block that was left to somewhere else
                     than its end, and how often
6        FLASH       only with flash=, before each segment: what ``records.FlashUse`` names, in its order
4        END         1: reached the end's address, 2: QEMU ended otherwise. Without it a file is incomplete
=======  ==========  ===================================================================================================

Repeated entries: where a block is abandoned before an instruction that accesses a device, QEMU (10.0 does so, 7.2 does
not) runs that instruction alone, uncounted, and enters a new block after it, so the rest of the abandoned block is
counted twice. The entries of blocks that begin right after such an instruction are therefore reduced by the times that
it ran alone. Nothing was counted twice where the abandoned block ended with that instruction anyway: at the end of a
page, and before a mark or the end's address, where the plugin divides blocks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import EmulationError
from harness.records import FlashUse, Record, Segment

if TYPE_CHECKING:
    from harness.records import IntArray

_MAGIC = int.from_bytes(b"TFLMCNT\0", "little")
_FORMAT = 1
_BLOCKS, _IO, _SEGMENT, _END, _EDGES, _FLASH = 1, 2, 3, 4, 5, 6
_ENDED_BY = {1: "end mark", 2: "exit"}


class Counts(Record, frozen=True, eq=False):
    """The file's content, with repeated entries taken off; the fields are those of ``records.Trace``."""

    block_addresses: IntArray
    block_instructions: IntArray
    segments: tuple[Segment, ...]
    ended_by: str


class _Pending(Record, frozen=True, eq=False):
    """A segment as it was written."""

    repeats: dict[int, int]
    entries: IntArray
    edges: IntArray | None
    unaligned: int | None
    flash: FlashUse | None


class Reader:
    """Takes the plugin's words as they come, and gives out segments.

    Args:
        after: where a block goes on after the load or store at an address, None if it ends there; called only for
            instructions that ran alone.
        boundaries: addresses of the mark and the end, where the plugin divides blocks itself.
        name: what the words come from, for messages.
    """

    def __init__(self, after: Callable[[int], int | None], boundaries: frozenset[int], name: str) -> None:
        self.ended_by: str | None = None
        """"end mark" or "exit"; None: more may follow."""
        self.begun = False
        """Whether the words that identify the format have been read."""
        self._after = after
        self._boundaries = boundaries
        self._name = name
        self._pending = b""
        self._blocks: list[IntArray] = []
        self._accesses: dict[int, int] = {}
        self._edges: IntArray | None = None
        self._unaligned: int | None = None
        self._flash: FlashUse | None = None
        self._segments: deque[_Pending] = deque()
        self._taken = 0

    @property
    def ready(self) -> int:
        """How many segments are there to be taken."""
        return len(self._segments)

    def feed(self, data: bytes) -> None:
        """Take some bytes.

        Raises:
            EmulationError: they are of another format, or tell of an access that cannot be counted exactly.
        """
        import numpy as np

        self._pending += data
        words = np.frombuffer(self._pending, dtype="<i8", count=len(self._pending) // 8)
        at = 0
        if not self.begun and len(words) >= 2:
            if int(words[0]) != _MAGIC or int(words[1]) != _FORMAT:
                raise EmulationError(f"{self._name} does not hold counts in format {_FORMAT}")
            self.begun = True
            at = 2
        while self.begun and at + 2 <= len(words):
            kind, length = int(words[at]), int(words[at + 1])
            payload = words[at + 2 : at + 2 + length]
            if len(payload) != length:
                break
            self._section(kind, payload)
            at += 2 + length
        self._pending = self._pending[8 * at :]

    def _section(self, kind: int, payload: IntArray) -> None:
        if kind == _BLOCKS:
            self._blocks.append(payload.reshape(-1, 2))
        elif kind == _IO:
            self._accesses = alone(payload.reshape(-1, 2), self._after, self._boundaries)
        elif kind == _SEGMENT:
            entries = payload[1:].reshape(-1, 2)
            self._segments.append(
                _Pending(
                    repeats=self._accesses,
                    entries=entries,
                    edges=self._edges,
                    unaligned=self._unaligned,
                    flash=self._flash,
                )
            )
            self._accesses, self._edges, self._unaligned, self._flash = {}, None, None, None
        elif kind == _EDGES:
            self._unaligned = int(payload[0])
            self._edges = payload[1:].reshape(-1, 2)
        elif kind == _FLASH:
            self._flash = FlashUse(**dict(zip(FlashUse.__struct_fields__, payload.tolist(), strict=True)))
        elif kind == _END:
            self.ended_by = _ENDED_BY[int(payload[0])]
        else:
            raise EmulationError(f"{self._name} holds a section of unknown kind {kind}")

    def blocks(self) -> IntArray:
        """Address and instructions of each block so far: int64, blocks x 2."""
        import numpy as np

        if len(self._blocks) != 1:
            self._blocks = [np.concatenate(self._blocks) if self._blocks else np.zeros((0, 2), dtype=np.int64)]
        return self._blocks[0]

    def take(self, count: int) -> tuple[Segment, ...]:
        """The next segments, as many as are asked for and ready.

        Raises:
            EmulationError: repeated entries of one cannot be taken off.
        """
        return tuple(self._take() for _ in range(min(count, len(self._segments))))

    def _take(self) -> Segment:
        import numpy as np

        pending = self._segments.popleft()
        addresses, instructions = self.blocks().T
        executions = np.zeros(len(addresses), dtype=np.int64)
        executions[pending.entries[:, 0]] = pending.entries[:, 1]
        # QEMU may be stopped between an instruction that ran alone and the rest of its block: only at a mark or at
        # the end's address is the place in the code defined, and must everything be accounted for.
        defined = bool(self._segments) or self.ended_by != "exit"
        for address, times in pending.repeats.items():
            left = take_off(executions, np.flatnonzero(addresses == address), times)
            if left and defined:
                raise EmulationError(
                    f"segment {self._taken} cannot be counted exactly: QEMU left the block before {address:#x} {times}"
                    f" times for a device access, and came back {times - left} times"
                )
        self._taken += 1
        taken = None
        if pending.edges is not None:
            taken = np.zeros(len(addresses), dtype=np.int64)
            taken[pending.edges[:, 0]] = pending.edges[:, 1]
        return Segment(
            instructions=int(executions @ instructions),
            executions=executions,
            taken=taken,
            unaligned=pending.unaligned,
            flash=pending.flash,
        )


def read(path: Path, after: Callable[[int], int | None], boundaries: frozenset[int]) -> Counts:
    """Read the file that the plugin wrote; the other arguments are those of ``Reader``.

    Raises:
        EmulationError: the file is missing, of another format or incomplete, or repeated entries cannot be taken off.
    """
    reader = Reader(after, boundaries, str(path))
    try:
        reader.feed(path.read_bytes())
    except FileNotFoundError:
        raise EmulationError("the counting plugin wrote no counts") from None
    if not reader.begun:
        raise EmulationError(f"{path} does not hold counts in format {_FORMAT}")
    if reader.ended_by is None:
        raise EmulationError(f"the counts are incomplete: {path} ends in the middle", "is the disk full?")
    addresses, instructions = reader.blocks().T.copy()
    return Counts(
        block_addresses=addresses,
        block_instructions=instructions,
        segments=reader.take(reader.ready),
        ended_by=reader.ended_by,
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


def no_blocks() -> IntArray:
    """The blocks of a trace that has none, and their entries: an empty int64 array."""
    import numpy as np

    return np.zeros(0, dtype=np.int64)
