"""How runs end: at the end mark, a stop text, the time limit, and where QEMU or the firmware fails."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness import platforms, process, selftest
from harness.emulators import plugin, qemu
from harness.errors import EmulationError, MissingToolError
from harness.records import Job, Trace

HEAD = """
  .syntax unified
  .thumb
  .section .vectors, "a"
  .word 0x20010000
  .word reset
  .rept 14
  .word fault
  .endr
  .text
  .macro put letter
  movs r0, #\\letter
  str r0, [r5]
  .endm
  .thumb_func
  .global mark
mark:
  bx lr
  .thumb_func
  .global end
end:
  b end
  .thumb_func
fault:
{fault}
  .thumb_func
  .global reset
reset:
  ldr r5, ={uart:#x}
  movs r0, #1
  str r0, [r5, #8]
{body}
  .ltorg
"""
SKIP_FAULT = "ldr r1, [sp, #24]\n adds r1, #2\n str r1, [sp, #24]\n bx lr"
SPIN = "1: b 1b"


def hello(text: str) -> str:
    return "".join(f"put {ord(letter)}\n" for letter in text)


def job(folder: Path, body: str, fault: str = SKIP_FAULT, *, end: bool = True, **changes: object) -> Job:
    """A job for firmware of this body (after the UART is on; r5 is its base) on mps2-an386."""
    machine = platforms.load("mps2-an386").machine
    assert machine is not None
    source, elf = folder / "firmware.S", folder / "firmware.elf"
    source.write_text(HEAD.format(fault=fault, body=body, uart=machine.uart.base))
    script = selftest.data_folder("firmware") / "selftest" / "selftest.ld"
    places = "-Wl,--defsym=CODE=0,--defsym=RAM=0x20000000"
    subprocess.run(
        ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", "-nostdlib", places, "-T", script, source, "-o", elf],
        check=True,
    )
    symbols = selftest.symbols(elf)
    fields: dict[str, object] = {
        "elf": elf,
        "machine": machine,
        "mark_address": symbols["mark"],
        "end_address": symbols["end"] if end else None,
        "uart_log": folder / "uart.log",
        "time_limit_s": 10.0,
        "work": folder,
    }
    return Job(**(fields | changes))  # type: ignore[arg-type]


def counts(trace: Trace) -> list[int]:
    return [segment.instructions for segment in trace.segments]


def test_end_mark_ends_quickly_and_the_uart_is_complete(tmp_path: Path) -> None:
    long = "x" * 2000 + "!"
    started = time.monotonic()
    trace = qemu.run(job(tmp_path, hello(long) + "\n bl mark\n nop\n bl end"))
    assert time.monotonic() - started < 5.0
    assert trace.ended_by == "end mark"
    assert trace.uart == long
    assert (tmp_path / "uart.log").read_text() == long
    assert counts(trace)[1:] == [3]  # mark's return, nop, the call of end
    assert trace.emulator.name == "qemu"
    assert trace.emulator.machine == "mps2-an386"


def test_each_mark_begins_a_segment(tmp_path: Path) -> None:
    body = "ldr r4, =2000\n 1: bl mark\n nop\n subs r4, #1\n bne 1b\n bl end"
    trace = qemu.run(job(tmp_path, body))
    assert counts(trace) == [5] + [5] * 2000


def test_addresses_with_and_without_the_thumb_bit_are_the_same(tmp_path: Path) -> None:
    with_bit = job(tmp_path, "bl mark\n nop\n bl end")
    assert with_bit.mark_address & 1 and with_bit.end_address is not None
    without = job(
        tmp_path,
        "bl mark\n nop\n bl end",
        mark_address=with_bit.mark_address - 1,
        end_address=with_bit.end_address - 1,
    )
    assert counts(qemu.run(with_bit)) == counts(qemu.run(without)) == [4, 3]


def test_stop_text_ends_firmware_that_spins(tmp_path: Path) -> None:
    started = time.monotonic()
    trace = qemu.run(job(tmp_path, hello("HALTED\r\n") + SPIN, stop_texts=(b"HALTED",)))
    assert trace.ended_by == "stop text"
    assert trace.uart == "HALTED\r\n"
    assert time.monotonic() - started < 5.0


def test_without_an_end_address_a_stop_text_is_the_end(tmp_path: Path) -> None:
    trace = qemu.run(
        job(tmp_path, "bl mark\n nop\n bl mark\n" + hello("over") + SPIN, end=False, stop_texts=(b"over",))
    )
    assert trace.ended_by == "stop text"
    assert counts(trace)[:2] == [4, 3]


def test_time_limit_names_the_last_line(tmp_path: Path) -> None:
    with pytest.raises(EmulationError, match=r"did not end within 0.5 s on mps2-an386") as caught:
        qemu.run(job(tmp_path, hello("one\ntwo\n") + SPIN, time_limit_s=0.5))
    assert caught.value.hint == "the last line on its UART: two"


def test_time_limit_says_that_nothing_was_printed(tmp_path: Path) -> None:
    with pytest.raises(EmulationError) as caught:
        qemu.run(job(tmp_path, SPIN, time_limit_s=0.3))
    assert caught.value.hint == "it printed nothing on its UART"


def test_lockup_is_decoded(tmp_path: Path) -> None:
    with pytest.raises(
        EmulationError, match=r"QEMU died on mps2-an386: Lockup: can't escalate 3 to HardFault"
    ) as caught:
        qemu.run(job(tmp_path, hello("before\n") + "udf #0", fault="udf #1"))
    assert caught.value.hint is not None
    assert "inside the fault handler" in caught.value.hint
    assert "the last line on its UART: before" in caught.value.hint
    assert "R15=" in (caught.value.detail or "")


def test_reset_is_an_error_where_an_end_mark_is_expected(tmp_path: Path) -> None:
    with pytest.raises(EmulationError, match="before the firmware reached its end mark"):
        qemu.run(job(tmp_path, "ldr r0, =0xE000ED0C\n ldr r1, =0x05FA0004\n str r1, [r0]\n dsb\n" + SPIN))


def test_a_fault_in_the_middle_of_a_block_counts_the_block_in_full(tmp_path: Path) -> None:
    """What is not exact: mark's return, 5 here and 4 in the handler are executed, and 3 are counted twice."""
    body = "ldr r0, =0x90000000\n bl mark\n nop\n ldr r1, [r0]\n nop\n nop\n bl end"
    assert counts(qemu.run(job(tmp_path, body)))[1] == 1 + 5 + 4 + 3


def test_a_limit_of_instructions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmulationError, match="QEMU has no limit of instructions"):
        qemu.run(job(tmp_path, SPIN, instruction_limit=1000))


def test_unknown_machine_says_what_qemu_says(tmp_path: Path) -> None:
    good = job(tmp_path, SPIN)
    machine = type(good.machine)(
        name="mps2-an999",
        qemu="mps2-an999",
        clock_hz=good.machine.clock_hz,
        core=good.machine.core,
        vectors=0,
        flash=good.machine.flash,
        ram=good.machine.ram,
        uart=good.machine.uart,
    )
    with pytest.raises(EmulationError, match="QEMU died on mps2-an999: unsupported machine type"):
        qemu.run(job(tmp_path, SPIN, machine=machine))


def test_paths_may_hold_commas_and_spaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "a, b,,c"
    folder.mkdir()
    monkeypatch.setenv("HARNESS_CACHE", str(folder / "cache"))
    trace = qemu.run(job(folder, hello("fine") + "\n bl mark\n bl end"))
    assert trace.uart == "fine"
    assert counts(trace)[1:] == [2]


def test_counts_that_cannot_be_written_are_an_error(tmp_path: Path) -> None:
    firmware = job(tmp_path, "bl mark\n bl end")
    found = plugin.find_qemu()
    assert firmware.end_address is not None
    places = f"mark={firmware.mark_address - 1:#x},end={firmware.end_address - 1:#x}"
    options = f"{plugin.get(found).path},out=/dev/full,{places}"
    finished = process.run(
        [found, "-M", "mps2-an386", "-nographic", "-monitor", "none", "-kernel", firmware.elf, "-plugin", options],
        time_limit_s=10.0,
    )
    assert finished.returncode == 1
    assert "counter: writing the counts: No space left on device" in finished.stderr


def test_work_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(EmulationError, match=r"absent/counts\.bin: No such file or directory"):
        qemu.run(job(tmp_path, "bl mark\n bl end", work=tmp_path / "absent"))


def test_missing_qemu_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = job(tmp_path, SPIN)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match="qemu-system-arm is not installed") as caught:
        qemu.run(good)
    assert caught.value.hint == "apt-get install qemu-system-arm"


def test_missing_host_compiler_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = plugin.find_qemu()
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match="no host C compiler") as caught:
        plugin.get(found)
    assert caught.value.hint == "apt-get install gcc libc6-dev"
    assert list((tmp_path / "cache" / "qemu-plugin").glob("*/counter.so")) == []


def test_qemu_that_refuses_the_plugin_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "qemu-system-arm"
    fake.write_text("#!/bin/sh\necho 'plugin interface not enabled in this build' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    with pytest.raises(EmulationError, match="does not accept the counting plugin") as caught:
        plugin.get(fake)
    assert "API 1: plugin interface not enabled" in (caught.value.detail or "")
    assert "API 2: plugin interface not enabled" in (caught.value.detail or "")
    assert list((tmp_path / "cache" / "qemu-plugin").glob("*/")) == []


def test_a_changed_qemu_gets_a_new_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "qemu-system-arm"
    script = f'#!/bin/sh\nexec {plugin.find_qemu()} "$@"\n'
    fake.write_text(script)
    fake.chmod(0o755)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    first = plugin.get(fake)
    assert plugin.get(fake) == first
    fake.write_text(script + "# newer\n")
    assert plugin.get(fake).path != first.path


def test_processes_at_once_share_one_cold_cache(tmp_path: Path) -> None:
    code = "from harness.emulators import plugin; print(plugin.get(plugin.find_qemu()).path)"
    environment = {**os.environ, "HARNESS_CACHE": str(tmp_path)}
    processes = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    answers = {process.communicate()[0].strip() for process in processes}
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(answers) == 1
    assert Path(answers.pop()).is_file()
    assert sorted(path.suffix for path in (tmp_path / "qemu-plugin").iterdir()) == ["", ".lock"]
