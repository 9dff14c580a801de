"""The QEMU backend: runs firmware on qemu-system-arm under the counting plugin."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path

from harness import process
from harness.emulators import counts, plugin
from harness.emulators.thumb import Code
from harness.errors import EmulationError
from harness.records import EmulatorInfo, Job, Trace


def run(job: Job) -> Trace:
    """Run the firmware until its end mark, a stop text, or QEMU's exit, and return exact counts.

    No semihosting (it hands the guest the host's files and shell), no network. A firmware that resets itself ends the
    run, instead of starting over.

    Raises:
        MissingToolError: QEMU or a host C compiler is not installed.
        BuildError: the counting plugin does not build.
        EmulationError: QEMU refuses the plugin, died, or did not end within the time limit, or the counts are not
            complete and exact.
    """
    if job.machine.qemu is None:
        raise EmulationError(f"QEMU has no machine {job.machine.name}", "harness platforms names those that stand in")
    qemu = plugin.find_qemu()
    counter = plugin.get(qemu)
    counts_file = job.work.resolve() / "counts.bin"
    uart_log = job.uart_log.resolve()
    for old in (counts_file, uart_log):
        old.unlink(missing_ok=True)
    mark = job.mark_address & ~1
    end = None if job.end_address is None else job.end_address & ~1
    plugin_options = f"{plugin.escaped(counter.path)},out={plugin.escaped(counts_file)},mark={mark:#x}"
    if end is not None:
        plugin_options += f",end={end:#x}"
    finished = process.run(
        [
            *(qemu, "-M", job.machine.qemu, "-nographic", "-monitor", "none", "-nic", "none", "-no-reboot"),
            *("-serial", f"file:{uart_log}", "-kernel", job.elf.resolve(), "-plugin", plugin_options),
        ],
        time_limit_s=job.time_limit_s,
        stop_when=_stop_text_seen(uart_log, job.stop_texts) if job.stop_texts else None,
    )
    uart = uart_log.read_bytes().decode(errors="replace") if uart_log.exists() else ""
    if finished.timed_out:
        raise EmulationError(
            f"the firmware did not end within {job.time_limit_s:g} s on {job.machine.qemu}", _last_line(uart)
        )
    if finished.returncode != 0:
        raise _death(finished, job.machine.qemu, uart)
    boundaries = frozenset({mark} if end is None else {mark, end})
    counted = counts.read(counts_file, Code(job.elf).after_access, boundaries)
    ended_by = "stop text" if finished.stopped else counted.ended_by
    if ended_by == "exit" and end is not None:
        raise EmulationError(
            f"QEMU ended before the firmware reached its end mark at {end:#x}: the firmware reset the machine,"
            " or QEMU was ended from outside",
            _last_line(uart),
        )
    return Trace(
        emulator=EmulatorInfo(
            name="qemu",
            version=counter.qemu_version,
            machine=job.machine.qemu,
            counter=f"tcg-plugin api {counter.api}",
        ),
        block_addresses=counted.block_addresses,
        block_instructions=counted.block_instructions,
        segments=counted.segments,
        ended_by=ended_by,
        uart=uart,
    )


def _stop_text_seen(uart_log: Path, texts: tuple[bytes, ...]) -> Callable[[], bool]:
    """A condition, to be polled: one of the texts is in the log, and nothing was added since the last poll."""
    size_before = -1

    def seen() -> bool:
        nonlocal size_before
        with contextlib.suppress(FileNotFoundError):  # QEMU has not started yet
            size = uart_log.stat().st_size
            if size == size_before:
                content = uart_log.read_bytes()
                return any(text in content for text in texts)
            size_before = size
        return False

    return seen


def _last_line(uart: str) -> str:
    lines = [line for line in uart.splitlines() if line.strip()]
    return f"the last line on its UART: {lines[-1].strip()[:200]}" if lines else "it printed nothing on its UART"


def _death(finished: process.Finished, machine: str, uart: str) -> EmulationError:
    """The error for a QEMU that ended with another code than 0: its own words, and what they mean."""
    noise = ("has no peer", "terminating on signal")
    stderr = "\n".join(line for line in finished.stderr.splitlines() if not any(words in line for words in noise))
    fatal = re.search(r"^(?:qemu: fatal|qemu-system-arm|counter): (.*)$", stderr, re.MULTILINE)
    cause = fatal[1].strip() if fatal else f"exit code {finished.returncode} without a message"
    hint = _last_line(uart)
    if "Lockup" in cause:
        pc = re.search(r"R15=([0-9a-f]{8})", stderr)
        where = f" at PC 0x{pc[1]}" if pc else ""
        hint = f"a fault{where} inside the fault handler, or without a usable stack or vector table; {hint}"
    return EmulationError(f"QEMU died on {machine}: {cause}", hint, "\n".join(stderr.splitlines()[-30:]) or None)
