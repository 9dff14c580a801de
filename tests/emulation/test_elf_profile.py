"""Calls of functions in firmware that the harness did not build, against counts by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import platforms, selftest
from harness.elfprofile import measure
from harness.elfprofile.measure import Measured, Request
from harness.elfprofile.result import ElfProfile
from harness.emulators import qemu
from harness.emulators.renode_find import Renode
from harness.records import Job
from tests.emulation import elf_maker

CALLS = """
  func leaf                 // 2 n + 1; its loop begins where it begins
  subs r0, #1
  bne leaf
  bx lr
  endfunc leaf
  func outer                // 6, and leaf of 5 and of 6: 11 + 13
  push {r4, lr}
  movs r0, #5
  bl leaf
  movs r0, #6
  bl leaf
  pop {r4, pc}
  endfunc outer
  func recurse              // 5 (n - 1) + 4
  push {lr}
  subs r0, #1
  beq 1f
  bl recurse
1:
  pop {pc}
  endfunc recurse
  func even                 // 6 for each of n, and 3 for 0
  cmp r0, #0
  beq 1f
  push {lr}
  subs r0, #1
  bl odd
  pop {pc}
1:
  bx lr
  endfunc even
  func odd
  cmp r0, #0
  beq 1f
  push {lr}
  subs r0, #1
  bl even
  pop {pc}
1:
  bx lr
  endfunc odd
  func runs_on              // 1, and onto
  movs r1, #1
  endfunc runs_on
  .type onto, %function     // 2
onto:
  movs r1, #2
  bx lr
  endfunc onto
  func jumps                // 2, and leaf of 4: 9
  movs r0, #4
  b leaf
  endfunc jumps
  func maybe                // 4 with 0, 6 with another
  push {lr}
  cmp r0, #0
  it eq
  popeq {pc}
  movs r0, #0
  pop {pc}
  endfunc maybe
  func quick                // 5 with 0, 3 with another
  cmp r0, #0
  it ne
  bxne lr
  movs r0, #1
  bx lr
  endfunc quick
  func table                // 3 with 0, 4 with 1
  tbb [pc, r0]
0:
  .byte (1f - 0b) / 2, (2f - 0b) / 2
1:
  movs r0, #1
  bx lr
2:
  movs r0, #1
  movs r0, #1
  bx lr
  endfunc table
  func computed             // 4
  ldr r3, =computed_on + 1
  bx r3
  .ltorg
computed_on:
  movs r0, #1
  bx lr
  endfunc computed
  func far                  // 3: BL as a branch, as on a core whose branches are short
  push {lr}
  bl 1f
  nop
1:
  pop {pc}
  endfunc far
  func catch                // 4, and what it calls
  push {r4, lr}
  mov r4, sp
  bl throws
  nop
landed:
  pop {r4, pc}
  endfunc catch
  func throws               // 2, and deeper
  push {lr}
  bl deeper
  pop {pc}
  endfunc throws
  func deeper               // 3
  mov sp, r4
  ldr r3, =landed + 1
  bx r3
  .ltorg
  endfunc deeper
  func ping                 // 3 for each of n, and 1 of pong between two
  subs r0, #1
  beq 1f
  b pong
1:
  bx lr
  endfunc ping
  func pong
  b ping
  endfunc pong
  func hangs
  push {lr}
  bl stop
  endfunc hangs
  func stop
  b stop
  endfunc stop
  func reset
  movs r0, #10
  bl leaf
  movs r0, #3
  bl leaf
  bl outer
  movs r0, #4
  bl recurse
  movs r0, #5
  bl even
  ldr r3, =leaf
  movs r0, #2
  blx r3
  bl runs_on
  bl onto
  bl jumps
  movs r0, #0
  bl maybe
  movs r0, #7
  bl maybe
  movs r0, #0
  bl quick
  movs r0, #7
  bl quick
  movs r0, #0
  bl table
  movs r0, #1
  bl table
  bl computed
  bl far
  bl catch
  movs r0, #3
  bl ping
  bl hangs
  .ltorg
  endfunc reset
"""
# Of each function: what each call took with all that it called, in the order of the calls; how many of them were
# nested; its own instructions in all.
EXPECTED: dict[str, tuple[list[int], int, int]] = {
    "leaf": ([21, 7, 11, 13, 5, 9], 0, 66),
    "outer": ([30], 0, 6),
    "recurse": ([19, 14, 9, 4], 3, 19),
    "even": ([33, 21, 9], 2, 18),
    "odd": ([27, 15, 3], 2, 15),
    "runs_on": ([3], 0, 1),
    "onto": ([2, 2], 0, 4),
    "jumps": ([11], 0, 2),
    "maybe": ([4, 6], 0, 10),
    "quick": ([5, 3], 0, 8),
    "table": ([3, 4], 0, 7),
    "computed": ([4], 0, 4),
    "far": ([3], 0, 3),
    "catch": ([9], 0, 4),
    "throws": ([5], 0, 2),
    "deeper": ([3], 0, 3),
    "ping": ([11], 0, 9),
    "pong": ([1, 1], 0, 2),
}
OWN_OF_RESET = 33


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return elf_maker.build(tmp_path_factory.mktemp("calls"), CALLS)


def profiled(elf: Path, regions: tuple[str, ...], **changes: object) -> Measured:
    fields: dict[str, object] = {"path": elf, "platform": "mps2-an386", "regions": regions, "stop_at": "stop"}
    return measure.run(Request(**(fields | changes)))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def calls(elf: Path) -> Measured:
    return profiled(elf, tuple(EXPECTED))


def counted(profile: ElfProfile) -> dict[str, tuple[list[int], int]]:
    return {item.name: ([call.instructions for call in item.first_calls], item.nested) for item in profile.regions}


def test_each_call_equals_the_count_by_hand(calls: Measured) -> None:
    assert counted(calls.profile) == {name: (each, nested) for name, (each, nested, _) in EXPECTED.items()}


def test_own_instructions_equal_the_count_by_hand(calls: Measured) -> None:
    functions = calls.profile.functions
    assert functions is not None
    own = {item.name: item.exclusive for item in functions}
    wanted = {name: total for name, (_, _, total) in EXPECTED.items()} | {"reset": OWN_OF_RESET, "hangs": 2}
    assert own == wanted
    assert calls.profile.total.instructions == sum(wanted.values())


def test_totals_are_of_the_outermost_calls(calls: Measured) -> None:
    totals = {item.name: item.total for item in calls.profile.regions}
    assert (totals["recurse"], totals["even"], totals["odd"]) == (19, 33, 27)
    spread = next(item.spread for item in calls.profile.regions if item.name == "leaf")
    assert spread is not None
    assert (spread.min, spread.median, spread.max) == (5, 9, 21)


def test_uncertain_calls_are_named(calls: Measured) -> None:
    doubts = {item.name: [(doubt.calls, doubt.why) for doubt in item.uncertain] for item in calls.profile.regions}
    assert [(name, calls) for name, found in doubts.items() for calls, why in found if "tail call" in why] == [
        ("runs_on", 1),
        ("jumps", 1),
        ("ping", 1),
    ]
    assert [name for name, found in doubts.items() for _, why in found if "longjmp" in why] == ["throws", "deeper"]


def test_inclusive_counts_recursion_once(calls: Measured) -> None:
    functions = calls.profile.functions
    assert functions is not None
    inclusive = {item.name: item.inclusive for item in functions}
    assert (inclusive["recurse"], inclusive["even"], inclusive["odd"]) == (19, 33, 27)
    assert inclusive["reset"] == calls.profile.total.instructions


def test_classes_and_stacks_close(calls: Measured) -> None:
    profile = calls.profile
    assert profile.functions is not None and profile.total.classes is not None
    assert sum(profile.total.classes.values()) == profile.total.instructions
    for item in profile.functions:
        assert sum(item.exclusive_classes.values()) == item.exclusive
        assert sum(item.inclusive_classes.values()) == item.inclusive
    assert sum(stack.instructions for stack in calls.stacks or ()) == profile.total.instructions
    assert profile.total.classes["branch"] > 0


def test_total_equals_plain_counting(elf: Path, calls: Measured, tmp_path: Path) -> None:
    symbols = selftest.symbols(elf)
    job = Job(
        elf=elf,
        machine=platforms.load("mps2-an386").machine,
        mark_address=symbols["far"],
        end_address=symbols["stop"],
        uart_log=tmp_path / "uart.log",
        time_limit_s=60.0,
        work=tmp_path,
    )
    assert sum(part.instructions for part in qemu.run(job).segments) == calls.profile.total.instructions


def test_a_stripped_firmware_by_addresses(elf: Path, calls: Measured) -> None:
    symbols = selftest.symbols(elf)
    bare = elf_maker.stripped(elf)
    regions = tuple(f"{name}={symbols[name]:#x}" for name in EXPECTED)  # with the Thumb bit
    measured = profiled(bare, regions, stop_at=f"{symbols['stop'] & ~1:#x}").profile
    assert measured.firmware.stripped
    assert measured.total.instructions == calls.profile.total.instructions
    wanted, found = counted(calls.profile), counted(measured)
    for name in ("throws", "deeper"):  # without names a longjmp shows at the next return only: one instruction later
        assert [count - 1 for count in found.pop(name)[0]] == wanted.pop(name)[0]
        assert any("longjmp" in doubt.why for item in measured.regions if item.name == name for doubt in item.uncertain)
    assert found == wanted


def test_functions_of_a_stripped_firmware_have_addresses_as_names(elf: Path, calls: Measured) -> None:
    symbols = selftest.symbols(elf)
    measured = profiled(elf_maker.stripped(elf), (), stop_at=f"{symbols['stop']:#x}").profile
    assert measured.functions is not None and calls.profile.functions is not None
    own = {item.name: item.exclusive for item in measured.functions}
    named = {item.name: item.exclusive for item in calls.profile.functions}
    for name in ("outer", "recurse", "even", "maybe", "table"):
        assert own[f"fn_{symbols[name] & ~1:#010x}"] == named[name]


@pytest.mark.renode
def test_renode_counts_the_same(elf: Path, calls: Measured, renode: Renode) -> None:
    assert renode.version
    returning = tuple(name for name in EXPECTED if name not in ("throws", "deeper", "ping", "pong"))
    measured = profiled(elf, returning, emulator="renode").profile
    wanted = counted(calls.profile)
    assert counted(measured) == {name: wanted[name] for name in returning}
    assert measured.total.instructions == calls.profile.total.instructions
    assert measured.functions is None and measured.total.classes is None
