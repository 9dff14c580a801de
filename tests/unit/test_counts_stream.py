"""Counts as they come through a pipe: the segments of a file, in any pieces, each as soon as it is there."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.emulators import counts
from harness.errors import EmulationError

MAGIC = int.from_bytes(b"TFLMCNT\0", "little")
BLOCKS, IO, SEGMENT, END = 1, 2, 3, 4
NO_MARKS: frozenset[int] = frozenset()


def words(*sections: tuple[int, list[int]], magic: int = MAGIC) -> bytes:
    values = [magic, 1]
    for kind, payload in sections:
        values += [kind, len(payload), *payload]
    return struct.pack(f"<{len(values)}q", *values)


def reader() -> counts.Reader:
    return counts.Reader(lambda address: address + 2, NO_MARKS, "the pipe")


STREAM = words(
    (BLOCKS, [0x100, 6, 0x104, 4]),
    (IO, [0x102, 4]),
    (SEGMENT, [0, 0, 4, 1, 5]),
    (BLOCKS, [0x200, 9]),
    (SEGMENT, [0x80, 2, 3]),
    (SEGMENT, [0x80, 0, 1, 2, 1]),
    (END, [1]),
)
EXPECTED = [4 * 6 + 4, 27, 15]


@given(st.lists(st.integers(0, len(STREAM)), max_size=10), st.integers(0, 3))
@settings(deadline=None)
def test_pieces_make_no_difference(tmp_path_factory: pytest.TempPathFactory, cuts: list[int], take: int) -> None:
    live, found = reader(), []
    borders = [0, *sorted(cuts), len(STREAM)]
    for start, end in itertools.pairwise(borders):
        live.feed(STREAM[start:end])
        found += live.take(take)
    found += live.take(10)
    assert [segment.instructions for segment in found] == EXPECTED
    assert live.ended_by == "end mark"
    path: Path = tmp_path_factory.mktemp("counts") / "c"
    path.write_bytes(STREAM)
    assert [segment.instructions for segment in counts.read(path, lambda at: at + 2, NO_MARKS).segments] == EXPECTED


def test_a_segment_is_there_as_soon_as_it_is_closed() -> None:
    live = reader()
    first = words((BLOCKS, [0x100, 3]), (SEGMENT, [0, 0, 7]))
    live.feed(first[:-1])
    assert (live.ready, live.take(1)) == (0, ())
    live.feed(first[-1:])
    assert live.ready == 1
    assert live.ended_by is None
    assert live.take(5)[0].instructions == 21
    assert live.ready == 0


def test_blocks_that_come_later_do_not_change_segments_before() -> None:
    live = reader()
    live.feed(words((BLOCKS, [0x100, 3]), (SEGMENT, [0, 0, 7])))
    assert live.take(1)[0].executions.tolist() == [7]
    live.feed(words((BLOCKS, [0x200, 5]), (SEGMENT, [8, 1, 2]))[16:])
    assert live.take(1)[0].executions.tolist() == [0, 2]


def test_accesses_without_a_way_back_are_an_error_of_their_segment() -> None:
    live = reader()
    live.feed(words((BLOCKS, [0x100, 6, 0x104, 4]), (SEGMENT, [0, 0, 1]), (IO, [0x102, 3]), (SEGMENT, [8, 0, 3, 1, 2])))
    assert live.take(1)[0].instructions == 6
    with pytest.raises(EmulationError, match="segment 1 cannot be counted exactly: QEMU left the block before 0x104 3"):
        live.take(1)


def test_another_format_is_refused_at_once() -> None:
    with pytest.raises(EmulationError, match="the pipe does not hold counts in format 1"):
        reader().feed(words(magic=1))
    with pytest.raises(EmulationError, match="the pipe holds a section of unknown kind 9"):
        reader().feed(words((9, [])))
