"""Edges and lines of the flash against firmware whose branches, fetches and loads are counted by hand."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness import platforms
from harness.elf import Elf
from harness.emulators import qemu
from harness.records import FlashInterface, FlashUse, Lines, Segment, Trace, Watch
from tests.emulation import tiny_firmware

MACHINE = platforms.load("mps2-an386")
LINES = Lines(line_bytes=32, lines=4, ways=4)
INTERFACE = FlashInterface(wait_states=4, read_bytes=8, prefetch=False, instructions=LINES, data=LINES)

# Straight code, a loop of 10 rounds, a branch that is taken every second time, and code on both sides of a page's end.
BRANCHES = """
  bl mark
  movs r0, #10
loop:
  subs r0, #1
  bne loop
  movs r1, #8
again:
  lsls r2, r1, #31
  bne odd
  nop
odd:
  subs r1, #1
  bne again
  b page
  .balign 1024
  .space 1016
page:                    // 1016: the page ends behind a halfword that the next instruction begins in
  nop
  nop
  nop
  movw r3, #1
  movw r3, #2
  bl mark
  b end
"""

# 64 bytes of code in 2 lines of 32, ten times; then 10 x 4 words, one from each of 5 lines but the last: 4 lines fit.
LINES_BODY = """
  ldr r4, =table
  bl mark
  movs r0, #10
  b code
  .balign 32
code:
  .rept 30
  nop
  .endr
  subs r0, #1
  bne code
  bl mark
  movs r0, #10
reads:
  ldr r1, [r4]
  ldr r1, [r4, #4]
  ldr r1, [r4, #32]
  ldr r1, [r4, #64]
  ldr r1, [r4, #96]
  subs r0, #1
  bne reads
  bl mark
  movs r0, #10
thrash:
  ldr r1, [r4]
  ldr r1, [r4, #32]
  ldr r1, [r4, #64]
  ldr r1, [r4, #96]
  ldr r1, [r4, #128]
  subs r0, #1
  bne thrash
  bl mark
  movs r0, #10
parts:
  ldr r1, [r4, #160]
  ldr r1, [r4, #164]
  ldr r1, [r4, #176]
  subs r0, #1
  bne parts
  bl mark
  b end
  .ltorg
  .balign 32
table:
  .space 192, 1
"""


# Words at offsets 1 and 2, halfwords at 1 and 2, bytes, and an aligned word: 2 + 1 + 1 accesses more in a round.
UNALIGNED = """
  ldr r4, =0x20000100
  bl mark
  movs r0, #10
round:
  ldr r1, [r4, #1]
  str r1, [r4, #2]
  ldrh r1, [r4, #1]
  ldrh r1, [r4, #2]
  ldrb r1, [r4, #3]
  ldr r1, [r4, #4]
  subs r0, #1
  bne round
  bl mark
  b end
  .ltorg
"""
EDGES = {"mark": 1, "loop": 8, "again": 4, "odd": 3}  # "odd" is entered by a branch when r1 is 7, 5, 3, 1


def run(folder: Path, body: str, interface: FlashInterface | None) -> Trace:
    job = tiny_firmware.job(folder, MACHINE.machine, body)
    return qemu.run(msgspec.structs.replace(job, watch=Watch(flash=MACHINE.flash, interface=interface)))


def taken(trace: Trace, segment: Segment, elf: Elf) -> dict[str, int]:
    """Times that branches were taken, by the label of the block that they end."""
    assert segment.taken is not None
    names: dict[str, int] = {}
    for address, times in zip(trace.block_addresses.tolist(), segment.taken.tolist(), strict=False):
        if times:
            name = next((name for name, value in elf.symbols.items() if value == address), hex(address))
            names[name] = names.get(name, 0) + times
    return names


def test_edges_are_the_branches_taken(tmp_path: Path) -> None:
    trace = run(tmp_path, BRANCHES, None)
    elf = Elf(tmp_path / "firmware.elf")
    segment = trace.segments[1]
    edges = taken(trace, segment, elf)
    # In rounds: "loop" branches back 9 times, once from the block before it; from 8 down to 1 the odd numbers branch to
    # "odd", 4 times, and "again" is branched to 7 times. Before and after: the mark returns, B page, BL to the mark.
    assert sum(edges.values()) == 9 + 4 + 7 + 3
    assert {name: edges[name] for name in ("mark", "loop", "again", "odd")} == EDGES
    assert segment.flash is None


def test_unaligned_accesses(tmp_path: Path) -> None:
    assert run(tmp_path, UNALIGNED, None).segments[1].unaligned == 10 * (2 + 1 + 1)


def test_counts_are_those_without_edges(tmp_path: Path) -> None:
    watched = run(tmp_path, BRANCHES, INTERFACE)
    plain = qemu.run(tiny_firmware.job(tmp_path, MACHINE.machine, BRANCHES))
    assert [item.instructions for item in watched.segments] == [item.instructions for item in plain.segments]
    assert all(item.taken is item.unaligned is item.flash is None for item in plain.segments)


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> tuple[FlashUse, ...]:
    trace = run(tmp_path_factory.mktemp("lines"), LINES_BODY, INTERFACE)
    return tuple(item.flash for item in trace.segments if item.flash is not None)


def test_code_that_fits_is_fetched_once(lines: tuple[FlashUse, ...]) -> None:
    use = lines[1]
    assert use.loads == use.load_misses == 0
    # From where the mark returns to, and then, in ten rounds, from one part of two lines of four parts to the next.
    assert use.fetched in range(80, 85)
    assert 8 <= use.jump_misses + use.onward_misses <= 12


def test_data_that_fits_is_read_once(lines: tuple[FlashUse, ...]) -> None:
    assert (lines[2].loads, lines[2].load_misses) == (50, 4)


def test_one_line_too_many_misses_always(lines: tuple[FlashUse, ...]) -> None:
    # Least recently used goes first: of five lines in a circle none is there when it is needed, but the first 4 here.
    assert lines[3].loads == 50
    assert lines[3].load_misses == 50 - 4


def test_only_those_parts_of_a_line_are_read_that_are_asked_for(lines: tuple[FlashUse, ...]) -> None:
    assert (lines[4].loads, lines[4].load_misses) == (30, 2)
