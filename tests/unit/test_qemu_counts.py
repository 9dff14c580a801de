"""Reading the plugin's file: its sections, broken files, and entries that QEMU repeats after device accesses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.emulators import counts, thumb
from harness.errors import EmulationError

MAGIC = int.from_bytes(b"TFLMCNT\0", "little")
BLOCKS, IO, SEGMENT, END = 1, 2, 3, 4
NO_MARKS: frozenset[int] = frozenset()


def write(path: Path, *sections: tuple[int, list[int]], magic: int = MAGIC, version: int = 1) -> Path:
    words = [magic, version]
    for kind, payload in sections:
        words += [kind, len(payload), *payload]
    np.array(words, dtype="<i8").tofile(path)
    return path


def two_bytes(address: int) -> int:
    return address + 2


def read(path: Path, boundaries: frozenset[int] = NO_MARKS) -> counts.Counts:
    return counts.read(path, two_bytes, boundaries)


def test_segments_and_blocks_that_come_later(tmp_path: Path) -> None:
    file = write(
        tmp_path / "c",
        (BLOCKS, [0x100, 3, 0x200, 5]),
        (SEGMENT, [0, 0, 7]),
        (BLOCKS, [0x300, 2]),
        (SEGMENT, [0x80, 1, 10, 2, 1]),
        (END, [1]),
    )
    found = read(file)
    assert found.block_addresses.tolist() == [0x100, 0x200, 0x300]
    assert found.block_instructions.tolist() == [3, 5, 2]
    assert [segment.executions.tolist() for segment in found.segments] == [[7, 0, 0], [0, 10, 1]]
    assert [segment.instructions for segment in found.segments] == [21, 52]
    assert found.ended_by == "end mark"


def test_a_run_that_was_ended_otherwise_says_so(tmp_path: Path) -> None:
    assert read(write(tmp_path / "c", (SEGMENT, [0]), (END, [2]))).ended_by == "exit"


def test_repeated_entries_are_taken_off(tmp_path: Path) -> None:
    # A block of 6 at 0x100, left before its second instruction at 0x102 four times; the other 4 are entered again.
    file = write(
        tmp_path / "c",
        (BLOCKS, [0x100, 6, 0x104, 4]),
        (IO, [0x102, 4]),
        (SEGMENT, [0, 0, 4, 1, 5]),
        (END, [1]),
    )
    segment = read(file).segments[0]
    assert segment.executions.tolist() == [4, 1]
    assert segment.instructions == 4 * 6 + 4


def test_accesses_count_for_their_segment_only(tmp_path: Path) -> None:
    sections = [(BLOCKS, [0x100, 6, 0x104, 4]), (IO, [0x102, 1]), (SEGMENT, [0, 0, 1, 1, 1]), (SEGMENT, [8, 1, 3])]
    found = read(write(tmp_path / "c", *sections, (END, [1])))
    assert [segment.instructions for segment in found.segments] == [6, 12]


def test_accesses_of_one_instruction_are_added(tmp_path: Path) -> None:
    sections = [(BLOCKS, [0x100, 6, 0x104, 4]), (IO, [0x102, 1, 0x102, 2]), (SEGMENT, [0, 0, 3, 1, 3])]
    assert read(write(tmp_path / "c", *sections, (END, [1]))).segments[0].instructions == 18


def test_blocks_of_one_address_share_what_is_taken_off(tmp_path: Path) -> None:
    sections = [(BLOCKS, [0x104, 4, 0x104, 2]), (IO, [0x102, 5]), (SEGMENT, [0, 0, 3, 1, 3]), (END, [1])]
    assert read(write(tmp_path / "c", *sections)).segments[0].executions.tolist() == [0, 1]


def test_nothing_is_taken_off_before_a_mark(tmp_path: Path) -> None:
    sections = [(BLOCKS, [0x104, 4]), (IO, [0x102, 1]), (SEGMENT, [0, 0, 3]), (END, [1])]
    file = write(tmp_path / "c", *sections)
    assert read(file, frozenset({0x104})).segments[0].instructions == 12
    assert read(file).segments[0].instructions == 8


def test_accesses_without_a_way_back_are_an_error(tmp_path: Path) -> None:
    sections = [(BLOCKS, [0x100, 6, 0x104, 4]), (IO, [0x102, 3]), (SEGMENT, [0, 0, 3, 1, 2])]
    with pytest.raises(EmulationError, match="segment 0 cannot be counted exactly: QEMU left the block before 0x104 3"):
        read(write(tmp_path / "c", *sections, (END, [1])))


def test_a_run_may_be_ended_between_an_access_and_the_rest(tmp_path: Path) -> None:
    sections = [(BLOCKS, [0x100, 6, 0x104, 4]), (IO, [0x102, 3]), (SEGMENT, [0, 0, 3, 1, 2])]
    assert read(write(tmp_path / "c", *sections, (END, [2]))).segments[0].executions.tolist() == [3, 0]


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ([(BLOCKS, [0x100, 3]), (SEGMENT, [0, 0, 7])], "incomplete"),
        ([(9, [1]), (END, [1])], "unknown kind 9"),
    ],
)
def test_broken_files_are_refused(tmp_path: Path, sections: list[tuple[int, list[int]]], message: str) -> None:
    with pytest.raises(EmulationError, match=message):
        read(write(tmp_path / "c", *sections))


def test_other_files_are_refused(tmp_path: Path) -> None:
    for number, file in enumerate(
        (
            write(tmp_path / "magic", (END, [1]), magic=1),
            write(tmp_path / "version", (END, [1]), version=2),
            tmp_path / "empty",
        )
    ):
        if number == 2:
            file.touch()
        with pytest.raises(EmulationError, match="does not hold counts in format 1"):
            read(file)
    with pytest.raises(EmulationError, match="wrote no counts"):
        read(tmp_path / "absent")


@given(st.data())
def test_a_file_cut_anywhere_is_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    file = write(
        tmp_path_factory.mktemp("cut") / "c",
        (BLOCKS, [0x100, 3, 0x200, 5]),
        (IO, [0x100, 1]),
        (SEGMENT, [0, 0, 7, 1, 2]),
        (END, [1]),
    )
    content = file.read_bytes()
    file.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(EmulationError):
        counts.read(file, two_bytes, NO_MARKS)


# Encodings by arm-none-eabi-as, -mcpu=cortex-m55.
SINGLE = {
    "ldr r2, [r1]": 0x680A,
    "str r2, [r1, #8]": 0x608A,
    "ldrb r2, [r1]": 0x780A,
    "ldr r1, [pc, #8]": 0x4902,
    "str r2, [sp, #4]": 0x9201,
    "ldr.w r2, [r1]": 0xF8D1,
    "strh.w r2, [r1, #-2]": 0xF821,
    "ldrex r2, [r1]": 0xE851,
    "strex r3, r2, [r1]": 0xE841,
    "ldrexb r2, [r1]": 0xE8D1,
    "strexh r3, r2, [r1]": 0xE8C1,
    "lda r2, [r1]": 0xE8D1,
}
SEVERAL = {
    "stmia r1!, {r2, r3}": 0xC10C,
    "ldmia r1!, {r2, r3}": 0xC90C,
    "push {r2, r3}": 0xB40C,
    "push {r2, lr}": 0xB504,
    "pop {r2, r3}": 0xBC0C,
    "pop {r2, pc}": 0xBD04,
    "ldmia.w r1, {r2, r3, r8, r9}": 0xE891,
    "stmdb sp!, {r4-r8}": 0xE92D,
    "ldrd r2, r3, [r1]": 0xE9D1,
    "strd r2, r3, [r1, #8]": 0xE9C1,
    "ldrd r2, r3, [r1], #8": 0xE8F1,
    "vldr s0, [r1]": 0xED91,
    "vpush {s0-s3}": 0xED2D,
    "vldrb.u8 q0, [r1]": 0xED91,
    "vldrb.u32 q0, [r1]": 0xFD91,
}


@pytest.mark.parametrize(
    ("halfword", "several"), [(h, False) for h in SINGLE.values()] + [(h, True) for h in SEVERAL.values()]
)
def test_instructions_with_several_accesses(halfword: int, several: bool) -> None:
    assert thumb.may_access_several_times(halfword) is several


class Memory(thumb.Code):
    """Code of halfwords by address."""

    def __init__(self, halfwords: dict[int, int]) -> None:
        super().__init__(Path("firmware.elf"))
        self._halfwords = halfwords

    def halfword(self, address: int) -> int:
        return self._halfwords[address]


NARROW_LOAD, WIDE_LOAD, NOP, WIDE_ADD = 0x680A, 0xF8D1, 0xBF00, 0xF101


@pytest.mark.parametrize(
    ("address", "first", "next_first", "expected"),
    [
        (0x100, NARROW_LOAD, NOP, 0x102),
        (0x100, WIDE_LOAD, NOP, 0x104),
        (0x3FC, NARROW_LOAD, NOP, 0x3FE),  # the last one of the page still belongs to the block
        (0x3FC, NARROW_LOAD, WIDE_ADD, None),  # one on both pages does not
        (0x3FA, WIDE_LOAD, WIDE_ADD, None),
        (0x3FE, NARROW_LOAD, NOP, None),
        (0x3FC, WIDE_LOAD, NOP, None),
        (0x3FE, WIDE_LOAD, NOP, None),
    ],
)
def test_where_a_block_goes_on(address: int, first: int, next_first: int, expected: int | None) -> None:
    length = 4 if thumb.is_wide(first) else 2
    assert Memory({address: first, address + length: next_first}).after_access(address) == expected


def test_several_accesses_of_a_device_are_an_error() -> None:
    with pytest.raises(EmulationError, match="the instruction at 0x100 accesses a device several times"):
        Memory({0x100: 0xC10C, 0x102: NOP}).after_access(0x100)
