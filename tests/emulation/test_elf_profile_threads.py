"""Threads that switch stacks, and interrupts: each call counts what its own thread executed, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import platforms, selftest
from harness.elfprofile import measure
from harness.elfprofile.measure import Request
from harness.elfprofile.result import ElfProfile
from harness.emulators import qemu
from harness.records import Job
from tests.emulation import elf_maker

# Two threads of one function, each on a stack of its own, which hand over to each other by PendSV in the middle of
# `job`; with TICKS, SysTick makes them do so in the middle of anything.
SYSTEM = r"""
  .equ ICSR, 0xE000ED04
  .equ SYSTICK, 0xE000E010
  .equ JOBS, 40
  func leaf                 // 5
  adds r1, #1
  eors r1, r0
  adds r1, #3
  nop
  bx lr
  endfunc leaf
  func work                 // 4 + n (3 + 5)
  push {r4, lr}
  mov r4, r0
1:
  bl leaf
  subs r4, #1
  bne 1b
  nop
  pop {r4, pc}
  endfunc work
  .balign 1024              // the store ends a page, and so its block: QEMU 10.0 leaves no block in its middle for it,
  .space 1012               // which plain counting cannot count where the other thread's marks come in between
  func yield                // 9
  nop
  push {r4, lr}
  ldr r0, =ICSR
  movs r1, #1
  lsls r1, #28
  str r1, [r0]
  dsb
  isb
  pop {r4, pc}
  endfunc yield
  func job                  // 8 + work(n) + yield + work(n)
  push {r4, lr}
  mov r4, r0
  bl marked
  bl yield
  mov r0, r4
  bl work
  nop
  pop {r4, pc}
  endfunc job
  func marked               // 5 + work, and 1 for each mark
  push {r4, lr}
  bl mark
  bl work
  bl mark
  pop {r4, pc}
  endfunc marked
  func mark
  bx lr
  endfunc mark
  func thread
  mov r8, r0
  movs r6, #JOBS
1:
  mov r0, r8
  bl job
  subs r6, #1
  bne 1b
  ldr r0, =done
  ldr r1, [r0]
  adds r1, #1
  str r1, [r0]
  cmp r1, #2
  bne 2f
  bl stop
2:
  bl yield
  b 2b
  .ltorg
  endfunc thread
  func stop
  b stop
  endfunc stop
  func pendsv
  mrs r0, psp
  stmdb r0!, {r4-r11}
  ldr r1, =running
  ldr r2, [r1]
  ldr r3, =stacks
  str r0, [r3, r2, lsl #2]
  eor r2, #1
  str r2, [r1]
  ldr r0, [r3, r2, lsl #2]
  .if SINGLY                // nothing but the next push or pop tells then which thread goes on
  .irp register, r4, r5, r6, r7, r8, r9, r10, r11
  ldr \register, [r0], #4
  .endr
  .else
  ldmia r0!, {r4-r11}
  .endif
  msr psp, r0
  mov r3, lr
  bx r3
  .ltorg
  endfunc pendsv
  func svc                  // starts the first thread, and the timer: no earlier, since PendSV needs a thread
  bl first
  endfunc svc
  func first
  ldr r3, =stacks
  ldr r0, [r3]
  ldmia r0!, {r4-r11}
  msr psp, r0
  .if TICKS                 // its first exception waits already, and so does another thread
  ldr r0, =SYSTICK
  ldr r1, =TICKS
  str r1, [r0, #4]
  str r1, [r0, #8]
  movs r1, #7
  str r1, [r0]
  ldr r0, =ICSR
  movs r1, #1
  lsls r1, #26
  str r1, [r0]
  dsb
  .endif
  mvn r2, #2
  bx r2
  .ltorg
  endfunc first
  func systick
  ldr r0, =tick_count
  ldr r1, [r0]
  adds r1, #1
  str r1, [r0]
  ldr r0, =ICSR
  movs r1, #1
  lsls r1, #28
  str r1, [r0]
  bx lr
  .ltorg
  endfunc systick
  func prepare              // r0: the end of a stack, r1: n, r2: where its stack pointer goes
  movs r3, #1
  lsls r3, #24
  str r3, [r0, #-4]!
  ldr r3, =thread
  str r3, [r0, #-4]!
  movs r3, #0
  .rept 5
  str r3, [r0, #-4]!
  .endr
  str r1, [r0, #-4]!
  .rept 8
  str r3, [r0, #-4]!
  .endr
  str r0, [r2]
  bx lr
  .ltorg
  endfunc prepare
  func reset
  ldr r0, =0xE000ED20       // PendSV and SysTick have the lowest priority
  ldr r1, =0xFFFF0000
  str r1, [r0]
  ldr r0, =stack_a
  ldr r1, =N_A
  ldr r2, =stacks
  bl prepare
  ldr r0, =stack_b
  ldr r1, =N_B
  ldr r2, =stacks + 4
  bl prepare
  svc #0
  b .
  .ltorg
  endfunc reset
  .bss
  .balign 8
  .space 1024
stack_a:
  .space 1024
stack_b:
stacks:
  .space 8
running:
  .space 4
done:
  .space 4
tick_count:
  .space 4
"""


def work(rounds: int) -> int:
    return 4 + 8 * rounds


def job(rounds: int) -> int:
    return 8 + 5 + 2 + work(rounds) + 9 + work(rounds)


def build(folder: Path, rounds: tuple[int, int], ticks: int, singly: int = 0) -> Path:
    symbols = f"  .equ N_A, {rounds[0]}\n  .equ N_B, {rounds[1]}\n  .equ TICKS, {ticks}\n  .equ SINGLY, {singly}\n"
    return elf_maker.build(folder, symbols + SYSTEM)


def profiled(elf: Path) -> ElfProfile:
    regions = ("work", "job", "yield")
    request = Request(path=elf, platform="mps2-an386", regions=regions, stop_at="stop")
    return measure.run(request).profile


def each(profile: ElfProfile, name: str) -> list[int]:
    return [call.instructions for item in profile.regions if item.name == name for call in item.first_calls]


@pytest.fixture(scope="module", params=[0, 1], ids=["several", "singly"])
def handed_over(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ElfProfile]:
    elf = build(tmp_path_factory.mktemp("threads"), (50, 30), 0, request.param)
    return elf, profiled(elf)


def test_calls_that_span_a_switch_count_their_own_thread(handed_over: tuple[Path, ElfProfile]) -> None:
    profile = handed_over[1]
    assert sorted(each(profile, "job")) == sorted(40 * [job(50)] + 40 * [job(30)])
    assert sorted(each(profile, "work")) == sorted(80 * [work(50)] + 80 * [work(30)])
    assert set(each(profile, "yield")) == {9}
    assert not any(doubt for item in profile.regions for doubt in item.uncertain if "had not returned" not in doubt.why)


def test_threads_and_switches_are_seen(handed_over: tuple[Path, ElfProfile]) -> None:
    profile = handed_over[1]
    # From reset, and two; one exception starts the first, each other one switches.
    assert profile.total.threads == 3
    assert profile.total.switches == profile.total.exceptions
    assert not any("guessed" in note or "nothing led" in note for note in profile.notes)
    functions = {item.name: item for item in profile.functions or ()}
    assert functions["pendsv"].calls == profile.total.exceptions - 1
    assert sum(functions[name].exclusive for name in ("pendsv", "svc", "first")) == profile.total.interrupts


def test_it_equals_the_marks_inside(handed_over: tuple[Path, ElfProfile], tmp_path: Path) -> None:
    elf, profile = handed_over
    symbols = selftest.symbols(elf)
    plain = qemu.run(
        Job(
            elf=elf,
            machine=platforms.load("mps2-an386").machine,
            mark_address=symbols["mark"],
            end_address=symbols["stop"],
            uart_log=tmp_path / "uart.log",
            time_limit_s=60.0,
            work=tmp_path,
        )
    )
    assert sum(segment.instructions for segment in plain.segments) == profile.total.instructions
    # Between the two marks of `marked`: the mark's return, the call of work, work, the call of the second mark.
    marked = [segment.instructions - 3 for segment in plain.segments[1::2]]
    assert marked == [count for number, count in enumerate(each(profile, "work")) if _is_marked(profile, number)]


def _is_marked(profile: ElfProfile, number: int) -> bool:
    """Whether a call of work is a job's first one: the first in it by time, of its own thread."""
    calls = next(item.first_calls for item in profile.regions if item.name == "work")
    same = [index for index, call in enumerate(calls) if call.instructions == calls[number].instructions]
    return same.index(number) % 2 == 0


def test_interrupts_at_any_place_change_no_count(tmp_path: Path) -> None:
    profile = profiled(build(tmp_path, (2000, 1200), 2500))
    assert sorted(each(profile, "job")) == sorted(40 * [job(2000)] + 40 * [job(1200)])
    assert sorted(each(profile, "work")) == sorted(80 * [work(2000)] + 80 * [work(1200)])
    functions = {item.name: item for item in profile.functions or ()}
    handlers = ("pendsv", "svc", "first", "systick")
    assert sum(functions[name].exclusive for name in handlers if name in functions) == profile.total.interrupts
    assert profile.total.threads == 3
    assert functions["systick"].calls > 10
    assert any(item.interrupted for item in profile.regions)
    assert not any("nothing led" in note for note in profile.notes)
