"""Exceptions in firmware of others: in each other, right after each other, and by a vector table that was moved."""

from __future__ import annotations

import pytest

from harness.elfprofile import measure
from harness.elfprofile.measure import Request
from harness.elfprofile.result import ElfProfile
from tests.emulation import elf_maker

# `low` makes `high` pending, which interrupts it in the middle, and `last`, which waits for its end. Their vectors are
# in RAM alone: the table at reset has `interrupt` for all.
NESTED = """
  .equ ROUNDS, 25
  func shared               // 3
  adds r1, #1
  nop
  bx lr
  endfunc shared
  func low                  // 16 and shared; interrupted in the middle of it, and once more behind its end
  push {r4, lr}
  bl pend_high
  bl shared
  bl pend_last
  nop
  pop {r4, pc}
  endfunc low
  func pend_high            // 5
  ldr r0, =0xE000E200
  movs r1, #2
  str r1, [r0]
  dsb
  bx lr
  endfunc pend_high
  .ltorg
  func pend_last            // 5
  ldr r0, =0xE000E200
  movs r1, #4
  str r1, [r0]
  dsb
  bx lr
  endfunc pend_last
  .ltorg
  func high                 // 3, and shared
  push {r4, lr}
  bl shared
  pop {r4, pc}
  endfunc high
  func last                 // 2
  movs r0, #1
  bx lr
  endfunc last
  func interrupt
  b interrupt
  endfunc interrupt
  func body                 // 10, and shared: what is interrupted
  push {r4, lr}
  ldr r0, =0xE000E200
  movs r1, #1
  str r1, [r0]
  dsb
  bl shared
  nop
  nop
  nop
  nop
  pop {r4, pc}
  endfunc body
  .ltorg
  func stop
  b stop
  endfunc stop
  func reset
  ldr r0, =table            // a copy of the vector table, with other interrupts
  movs r1, #0
  movs r2, #16
1:
  ldr r3, [r1]
  str r3, [r0]
  adds r0, #4
  adds r1, #4
  subs r2, #1
  bne 1b
  ldr r3, =low
  str r3, [r0]
  ldr r3, =high
  str r3, [r0, #4]
  ldr r3, =last
  str r3, [r0, #8]
  ldr r0, =0xE000ED08
  ldr r3, =table
  str r3, [r0]
  ldr r0, =0xE000E400       // priorities: low and last 0x80, high 0x40
  ldr r3, =0x00804080
  str r3, [r0]
  ldr r0, =0xE000E100
  movs r3, #7
  str r3, [r0]
  movs r7, #ROUNDS
2:
  bl body
  subs r7, #1
  bne 2b
  bl stop
  .ltorg
  endfunc reset
  .bss
  .balign 256
table:
  .space 256
"""
ROUNDS = 25


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> ElfProfile:
    elf = elf_maker.build(tmp_path_factory.mktemp("nested"), NESTED)
    regions = ("body", "low", "shared")
    return measure.run(Request(path=elf, platform="mps2-an386", regions=regions, stop_at="stop")).profile


def test_each_handler_counts_its_own(profile: ElfProfile) -> None:
    functions = {item.name: item for item in profile.functions or ()}
    assert {name: functions[name].exclusive for name in ("low", "high", "last", "body", "pend_high", "shared")} == {
        "low": 6 * ROUNDS,
        "high": 3 * ROUNDS,
        "last": 2 * ROUNDS,
        "body": 11 * ROUNDS,
        "pend_high": 5 * ROUNDS,
        "shared": 3 * 3 * ROUNDS,
    }
    assert {name: functions[name].calls for name in ("low", "high", "last")} == dict.fromkeys(
        ("low", "high", "last"), ROUNDS
    )
    assert functions["low"].inclusive == (6 + 5 + 5 + 3) * ROUNDS
    assert functions["high"].inclusive == (3 + 3) * ROUNDS


def test_interruptions_are_counted_apart(profile: ElfProfile) -> None:
    regions = {item.name: item for item in profile.regions}
    body, low = regions["body"], regions["low"]
    assert {call.instructions for call in body.first_calls} == {11 + 3}
    assert {call.interrupts for call in body.first_calls} == {19 + 6 + 2}
    assert {(call.instructions, call.interrupts) for call in low.first_calls} == {(19, 6)}
    assert (body.calls, body.interrupted, low.interrupted) == (ROUNDS, ROUNDS, ROUNDS)
    assert body.spread_with_interrupts is not None and body.spread_with_interrupts.max == 14 + 27
    assert regions["shared"].calls == 3 * ROUNDS
    assert profile.total.exceptions == 3 * ROUNDS
    assert profile.total.interrupts == 27 * ROUNDS


def test_handlers_that_are_not_in_the_table_at_reset_are_named(profile: ElfProfile) -> None:
    assert any("3 handlers of exceptions are not in the vector table at reset" in note for note in profile.notes)
    assert not any(text in note for note in profile.notes for text in ("not exact", "nothing led", "guessed"))
