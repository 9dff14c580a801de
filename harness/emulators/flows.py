"""Reader of what flow.c writes, and the one place that describes its two files, of little-endian 64-bit words.

The functions that it is given: four words each, sorted by the first: where a function begins, where it ends, flags, and
its region's number. Flags: 1 its size is known, 2 it handles exceptions, 4 it is a region, 8 the run ends before it,
16 its range is known, 32 it handles SVC or PendSV, 64 a segment of the run ends before it.

What it writes: the eight bytes ``TFLMFLO\\0``, the format's version (1), then sections, each of them its kind, the
number of words that follow, and these words:

=======  ==========  ===================================================================================================
kind     name        words
=======  ==========  ===================================================================================================
1        PARTS       of each stretch of straight-line code: address, instructions, halfwords of code, and the code, four
                     halfwords a word; parts are numbered in this order
2        NODES       of each calling context: its parent's number (all ones: none), the address of its function, 0: a
                     call, 1: a thread's first function, 2: an exception's; calls, and how many of them were jumps
3        CELLS       context, part, how often that part was executed in that context
4        REGION      number, calls, those outside of another call of it, instructions of these, and of exceptions that
                     interrupted these, calls that had not ended, then calls with each of the flags below
5        LISTED      region's number, then of its first calls as they ended: instructions executed before it in all, its
                     own, those of exceptions that interrupted it, flags: 1 inside of another call of the region, 2
                     entered by a jump, 4 left by a jump to another function, 8 ended without its own return, 16
                     interrupted
6        VALUES      region's number, 0: its own instructions or 1: with interruptions, whether values are rounded to
                     their ten highest bits, then each value and how many calls had it
7        NOTES       what ``Notes`` names, in its order
8        END         1: stop function, 2: QEMU ended, 3: limit of instructions, 4: semihosting; the address there, with
                     2 that of the last block that was entered. Without it a file is incomplete
9        SEGMENT     of each segment, where functions with the flag 64 divide the run, in their order: how many contexts
                     were called in it, of each its number and its calls there; then cells as above, of what ran in it
=======  ==========  ===================================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import EmulationError
from harness.records import Record

if TYPE_CHECKING:
    from harness.records import IntArray

_MAGIC = int.from_bytes(b"TFLMFLO\0", "little")
_FORMAT = 1
SIZED, HANDLER, REGION, STOP, RANGED, SWITCHER, SPLIT = 1, 2, 4, 8, 16, 32, 64
NESTED, JUMPED_IN, JUMPED_OUT, UNWOUND, INTERRUPTED = 1, 2, 4, 8, 16
CALL, THREAD, INTERRUPT = 0, 1, 2
_ENDED_BY = {1: "stop function", 2: "exit", 3: "instruction limit", 4: "semihosting"}


class Function(Record, frozen=True):
    """A function as the plugin is told: first address and the one behind it, flags, the region's number."""

    start: int
    end: int
    flags: int
    region: int = 0


class Node(Record, frozen=True):
    """A calling context: the number of its parent or None, its function's address, CALL, THREAD or INTERRUPT."""

    parent: int | None
    function: int
    kind: int
    calls: int
    jumps: int


class RegionCounts(Record, frozen=True, eq=False):
    """What the calls of a region took.

    ``own`` and ``interrupts`` are instructions of the ``outermost`` calls, those outside of another one. ``values`` and
    ``values_with_interrupts`` are rows of a count and how many calls had it, sorted; ``rounded``: to ten bits.
    ``listed`` are rows of position, own, interrupts and flags, of the first calls as they ended. int64 arrays.
    """

    calls: int
    outermost: int
    own: int
    interrupts: int
    open: int
    nested: int
    jumped_in: int
    jumped_out: int
    unwound: int
    interrupted: int
    listed: IntArray
    values: IntArray
    values_with_interrupts: IntArray
    rounded: bool


class Segment(Record, frozen=True, eq=False):
    """A piece of a run: ``calls`` are rows of context and its calls, ``cells`` those of context, part and executions.

    int64 arrays.
    """

    calls: IntArray
    cells: IntArray


class Notes(Record, frozen=True):
    """What was followed, and what could not be for certain; see ``notes_t`` in flow_stack.h."""

    executed: int
    in_exceptions: int
    repeated: int
    exceptions: int
    switches: int
    threads: int
    guessed_switches: int
    learnt_handlers: int
    unwound: int
    odd_returns: int
    unexplained: int
    unexplained_from: int
    unexplained_to: int
    interrupted_inside: int
    inside_at: int
    deepest: int
    folded: int


class Flow(Record, frozen=True, eq=False):
    """The file's content. ``cells`` are rows of context, part and executions (int64); ``codes`` the parts' bytes.

    ``segments`` add up to the whole, and are empty where no function divides it.
    """

    addresses: IntArray
    instructions: IntArray
    codes: tuple[bytes, ...]
    nodes: tuple[Node, ...]
    cells: IntArray
    regions: tuple[RegionCounts, ...]
    notes: Notes
    ended_by: str
    ended_at: int
    segments: tuple[Segment, ...] = ()


def write_functions(path: Path, functions: Sequence[Function]) -> None:
    """Write the file that the plugin reads; sorts them."""
    import numpy as np

    rows = [(item.start, item.end, item.flags, item.region) for item in sorted(functions, key=lambda item: item.start)]
    path.write_bytes(np.array(rows, dtype="<u8").tobytes())


def read(path: Path) -> Flow:
    """Read what the plugin wrote.

    Raises:
        EmulationError: the file is missing, of another format or incomplete, or its counts do not close.
    """
    sections: dict[int, list[IntArray]] = {}
    for kind, payload in _sections(path):
        sections.setdefault(kind, []).append(payload)
    if 8 not in sections:
        raise EmulationError(f"the profile is incomplete: {path} ends in the middle", "is the disk full?")
    addresses, instructions, codes = _parts(sections[1][0])
    cells = sections[3][0].reshape(-1, 3)
    notes = Notes(**dict(zip(Notes.__struct_fields__, sections[7][0].tolist(), strict=True)))
    if int(cells[:, 2] @ instructions[cells[:, 1]]) != notes.executed:
        raise EmulationError("the profile does not close: its contexts do not add up to what was executed")
    reason, ended_at = sections[8][0].tolist()
    return Flow(
        addresses=addresses,
        instructions=instructions,
        codes=codes,
        nodes=tuple(_nodes(sections[2][0])),
        cells=cells,
        regions=tuple(_region(sections, number) for number in range(len(sections.get(4, [])))),
        notes=notes,
        ended_by=_ENDED_BY[reason],
        ended_at=ended_at,
        segments=tuple(_segment(payload) for payload in sections.get(9, [])),
    )


def _segment(payload: IntArray) -> Segment:
    end = 1 + 2 * int(payload[0])
    return Segment(calls=payload[1:end].reshape(-1, 2), cells=payload[end:].reshape(-1, 3))


def _sections(path: Path) -> Iterator[tuple[int, IntArray]]:
    import numpy as np

    try:
        words = np.fromfile(path, dtype="<i8")
    except FileNotFoundError:
        raise EmulationError("the profiling plugin wrote nothing") from None
    if len(words) < 2 or int(words[0]) != _MAGIC or int(words[1]) != _FORMAT:
        raise EmulationError(f"{path} does not hold a profile in format {_FORMAT}")
    at = 2
    while at + 2 <= len(words):
        kind, length = int(words[at]), int(words[at + 1])
        payload = words[at + 2 : at + 2 + length]
        if len(payload) != length:
            return
        yield kind, payload
        at += 2 + length


def _parts(payload: IntArray) -> tuple[IntArray, IntArray, tuple[bytes, ...]]:
    import numpy as np

    addresses, instructions, codes = [], [], []
    at = 0
    while at < len(payload):
        address, count, halfwords = payload[at : at + 3].tolist()
        words = -(-halfwords // 4)
        addresses.append(address)
        instructions.append(count)
        codes.append(payload[at + 3 : at + 3 + words].tobytes()[: 2 * halfwords])
        at += 3 + words
    return np.array(addresses, dtype=np.int64), np.array(instructions, dtype=np.int64), tuple(codes)


def _nodes(payload: IntArray) -> Iterator[Node]:
    for parent, function, kind, calls, jumps in payload.reshape(-1, 5).tolist():
        yield Node(parent=None if parent < 0 else parent, function=function, kind=kind, calls=calls, jumps=jumps)


def _region(sections: dict[int, list[IntArray]], number: int) -> RegionCounts:
    _, calls, outermost, own, interrupts, still_open, *flagged = sections[4][number].tolist()
    nested, jumped_in, jumped_out, unwound, interrupted = flagged
    without, within = sections[6][2 * number], sections[6][2 * number + 1]
    return RegionCounts(
        calls=calls,
        outermost=outermost,
        own=own,
        interrupts=interrupts,
        open=still_open,
        nested=nested,
        jumped_in=jumped_in,
        jumped_out=jumped_out,
        unwound=unwound,
        interrupted=interrupted,
        listed=sections[5][number][1:].reshape(-1, 4),
        values=_sorted(without[3:].reshape(-1, 2)),
        values_with_interrupts=_sorted(within[3:].reshape(-1, 2)),
        rounded=bool(without[2]) or bool(within[2]),
    )


def _sorted(rows: IntArray) -> IntArray:
    return rows[rows[:, 0].argsort()]
