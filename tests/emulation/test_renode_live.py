"""The backend on a real Renode: every description loads and runs, counts are exact, runs and sessions end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_firmware import RECEIVERS, SPIN, STANDSTILL, job, say

from harness import platforms, selftest
from harness.emulators import BACKENDS, qemu, renode_session
from harness.emulators import renode as backend
from harness.emulators.renode_find import Renode
from harness.errors import EmulationError
from harness.records import Platform, Trace

pytestmark = [pytest.mark.renode, pytest.mark.usefixtures("renode")]

PLATFORMS = platforms.all()
MACHINE = platforms.load("mps2-an386").machine
# Prints "O" where the last instruction's result, in the flags, is as it should be.
EXPECT_EQUAL = "  beq 1f\n  bl end\n1:\n"
DWT_CONTROL, DEMCR = 0xE0001000, 0xE000EDFC
LONG = 60.0


def counts(trace: Trace) -> list[int]:
    return [segment.instructions for segment in trace.segments]


def complaints(trace: Trace) -> list[str]:
    return [line for line in (trace.log or "").splitlines() if "[WARNING]" in line or "[ERROR]" in line]


# --- counts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("core", selftest.CORES, ids=lambda core: core.name)
def test_each_segment_counts_what_was_counted_by_hand(core: selftest.Core, renode: Renode) -> None:
    try:
        results = selftest.run(BACKENDS["renode"], cores=(core,))
    except EmulationError as error:
        if core.name == "cortex-m55" and renode.version.startswith("1.16.1 "):
            assert error.message.startswith("the core stopped on mps3-an547")
            pytest.skip("Renode 1.16.1 does not execute all of Helium")
        raise
    assert len(results) >= 22
    assert [result for result in results if not result.exact] == []


def test_the_end_and_each_mark_divide_as_on_qemu(tmp_path: Path) -> None:
    """Marks in the middle of straight code, in a handler, and right before the end."""
    body = f"svc #0\n bl mark\n ldr r4, =300\n 1: bl mark\n nop\n subs r4, #1\n bne 1b\n{say('x')} bl mark\n bl end\n"
    fault = " nop\n push {lr}\n bl mark\n pop {pc}\n"
    traces = [
        emulator.run(job(tmp_path, MACHINE, body, fault=fault, time_limit_s=LONG)) for emulator in (qemu, backend)
    ]
    assert counts(traces[0]) == counts(traces[1])
    assert len(counts(traces[0])) == 304
    assert [trace.uart for trace in traces] == ["x", "x"]


def test_runs_repeat(tmp_path: Path) -> None:
    body = "ldr r0, =200000\n 1: subs r0, #1\n bne 1b\n bl mark\n bl end\n"
    assert [counts(backend.run(job(tmp_path, MACHINE, body))) for _ in range(2)] == [[7 + 1 + 2 * 200_000 + 1, 2]] * 2


# --- the machines ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: platform.name)
def test_every_platform_boots_prints_has_its_memory_and_ends(platform: Platform, tmp_path: Path) -> None:
    machine = platform.machine
    last_flash = machine.flash.origin + machine.flash.size_bytes - 4
    last_ram = machine.ram.origin + machine.ram.size_bytes - 4
    body = (
        say("hello\n")
        + f"  ldr r0, ={last_flash:#x}\n  ldr r1, [r0]\n  ldr r0, ={last_ram:#x}\n  ldr r1, =0x12345678\n"
        + "  str r1, [r0]\n  ldr r2, [r0]\n  cmp r1, r2\n"
        + EXPECT_EQUAL
        + "  bl mark\n  nop\n  bl mark\n"
        + say("O")
        + "  bl end\n"
    )
    trace = backend.run(job(tmp_path, machine, body))
    assert trace.uart == "hello\nO"
    assert counts(trace)[1] == 3
    assert complaints(trace) == []
    assert trace.emulator.machine == platform.name


@pytest.mark.parametrize("core", ["cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55"])
def test_the_cycle_counter_follows_the_clock(core: str, tmp_path: Path) -> None:
    """Cycles are instructions, within a block's: 100,001 of them in a loop are between the two readings."""
    machine = next(platform.machine for platform in PLATFORMS if platform.core == core)
    body = (
        f"  ldr r0, ={DEMCR:#x}\n  ldr r1, [r0]\n  movs r2, #1\n  lsls r2, r2, #24\n  orrs r1, r2\n  str r1, [r0]\n"
        f"  ldr r3, ={DWT_CONTROL:#x}\n  movs r1, #1\n  str r1, [r3]\n  ldr r4, [r3, #4]\n"
        "  ldr r0, =50000\n1: subs r0, #1\n  bne 1b\n"
        "  ldr r1, [r3, #4]\n  subs r1, r1, r4\n  ldr r2, =100000 - 50\n  subs r1, r1, r2\n  cmp r1, #100\n"
        "  bls 1f\n  bl end\n1:\n" + say("O") + "  bl end\n"
    )
    assert backend.run(job(tmp_path, machine, body)).uart == "O"


@pytest.mark.parametrize("name", ["mps2-an385", "mps2-an386", "stm32f767zi"])
def test_the_mpu_guards_the_stack(name: str, tmp_path: Path) -> None:
    machine = platforms.load(name).machine
    below = machine.ram.origin - 8
    body = (
        f"  ldr r0, =0xE000ED9C\n  ldr r1, ={machine.ram.origin - 0x10000 | 0x10:#x}\n  str r1, [r0]\n"
        "  movs r1, #0x1F\n  str r1, [r0, #4]\n  movs r1, #5\n  str r1, [r0, #-8]\n  dsb\n  isb\n"
        f"  ldr r0, ={below:#x}\n  str r1, [r0]\n  nop\n" + say("N") + "  bl end\n"
    )
    trace = backend.run(job(tmp_path, machine, body, fault=say("F") + "  bl end\n"))
    assert trace.uart == "F"
    assert complaints(trace) == []


@pytest.mark.parametrize("name", ["mps2-an505", "stm32u575"])
def test_without_an_mpu_a_stack_that_ran_over_is_seen_in_the_log(name: str, tmp_path: Path) -> None:
    machine = platforms.load(name).machine
    body = f"  ldr r0, ={machine.ram.origin + 16:#x}\n  mov sp, r0\n  push {{r0-r7}}\n  pop {{r0-r7}}\n  bl end\n"
    with pytest.raises(
        EmulationError, match=rf"stack overflow on {name}: the firmware accessed {machine.ram.origin - 16:#x}"
    ):
        backend.run(job(tmp_path, machine, body))


# --- how runs end ----------------------------------------------------------------------------------------------------


def test_instruction_limit_is_exact(tmp_path: Path) -> None:
    spin = job(tmp_path, MACHINE, say("hello\n") + SPIN, instruction_limit=1_000_003)
    with pytest.raises(EmulationError, match="did not end within 1000003 instructions on mps2-an386; it is at 0x"):
        backend.run(spin)
    executed = (tmp_path / "run.resc").read_text()
    assert "cpu ExecutedInstructions" in executed


def test_firmware_that_stands_still_is_told_from_one_that_runs(tmp_path: Path) -> None:
    with pytest.raises(EmulationError, match=r"stands still at 0x.* instructions on mps2-an386: it waits") as caught:
        backend.run(job(tmp_path, MACHINE, say("hello\n") + STANDSTILL))
    assert caught.value.hint == "the last line on its UART: hello"


def test_jump_into_nothing(tmp_path: Path) -> None:
    with pytest.raises(EmulationError, match="the core stopped on mps2-an386 at PC 0x60000000: Trying to execute"):
        backend.run(job(tmp_path, MACHINE, "ldr r0, =0x60000001\n bx r0\n"))


def test_stop_text_ends_firmware_that_spins(tmp_path: Path) -> None:
    body = "bl mark\n" + say("HALTED\n") + SPIN
    trace = backend.run(job(tmp_path, MACHINE, body, stop_texts=(b"HALTED",)))
    assert (trace.ended_by, trace.uart) == ("stop text", "HALTED\n")
    assert len(trace.segments) == 1


def test_time_limit(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(EmulationError, match=r"the firmware did not end within 4 s on mps2-an386"):
        backend.run(job(tmp_path, MACHINE, SPIN, time_limit_s=4.0))
    assert time.monotonic() - started < LONG


def test_paths_may_hold_what_a_shell_would_take_apart(tmp_path: Path) -> None:
    folder = tmp_path / "a b,$c #d 'e' `f` (g) @h é"
    folder.mkdir()
    trace = backend.run(job(folder, MACHINE, say("fine") + "  bl mark\n  bl end\n"))
    assert (trace.uart, counts(trace)[1:]) == ("fine", [2])
    left = {path.name for path in folder.iterdir()}
    assert left == {"firmware.S", "firmware.elf", "renode.log", "run.resc", "uart.log"}


# --- firmware that talks ---------------------------------------------------------------------------------------------

ECHO = say("ready\n") + "1: bl mark\n  bl get\n  bl put\n  cmp r0, #113\n  bne 1b\n  bl mark\n  bl end\n"
BYTES = bytes(byte for byte in range(256) if byte != ord("q"))


@pytest.fixture(params=sorted(RECEIVERS))
def session(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[renode_session.RenodeSession]:
    machine = next(platform.machine for platform in PLATFORMS if platform.machine.uart.kind == request.param)
    with backend.open(job(tmp_path, machine, ECHO)) as running:
        yield running


def receive(session: renode_session.RenodeSession, count: int) -> bytes:
    received = b""
    deadline = time.monotonic() + LONG
    while len(received) < count:
        assert time.monotonic() < deadline, received
        received += session.read(1.0)
    return received


def test_every_byte_goes_both_ways(session: renode_session.RenodeSession) -> None:
    assert receive(session, 6) == b"ready\n"
    (first,) = session.segments(1, LONG)
    assert first.instructions > 12
    session.write(BYTES)
    assert receive(session, len(BYTES)) == BYTES
    assert all(segment.instructions >= 8 for segment in session.segments(len(BYTES), LONG))
    assert session.read(0.2) == b""
    session.write(b"q")
    assert receive(session, 1) == b"q"
    with pytest.raises(EmulationError, match="the firmware ended on"):
        receive(session, 1)


def test_a_core_that_stops_ends_the_session(tmp_path: Path) -> None:
    body = say("ready\n") + "bl get\n ldr r0, =0x60000001\n bx r0\n"
    with backend.open(job(tmp_path, MACHINE, body)) as session:
        assert receive(session, 6) == b"ready\n"
        session.write(b"x")
        with pytest.raises(EmulationError, match="the core stopped on mps2-an386 at PC 0x60000000"):
            receive(session, 1)
