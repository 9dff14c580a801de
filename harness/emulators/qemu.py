"""The QEMU backend: runs firmware on qemu-system-arm under the counting plugin."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from harness import process
from harness.emulators import counts, plugin, uart_log
from harness.emulators.console import Console
from harness.emulators.thumb import Code
from harness.emulators.uart_log import StopText, last_line
from harness.errors import EmulationError
from harness.records import EmulatorInfo, FlashInterface, Job, Lines, Machine, Segment, Trace, Watch

# No semihosting, which is off unless asked for, no network, no monitor.
QUIET = ("-nographic", "-monitor", "none", "-nic", "none", "-no-reboot")
# 2^6 ns for each instruction: a tick of every machine's clock is shorter, so that no instruction passes unseen.
_ICOUNT_SHIFT = 6


def run(job: Job) -> Trace:
    """Run the firmware until its end mark, a stop text, or QEMU's exit, and return exact counts.

    A job without a mark is not counted and ends at a stop text; its trace has no segments.

    No semihosting (it hands the guest the host's files and shell), no network. A firmware that resets itself ends the
    run, instead of starting over.

    Raises:
        MissingToolError: QEMU or a host C compiler is not installed.
        BuildError: the counting plugin does not build.
        EmulationError: QEMU refuses the plugin, died, or did not end within the time limit, or the counts are not
            complete and exact.
    """
    if job.mark_address is None:
        return _run_timed(job)
    machine = _machine(job)
    qemu = plugin.find_qemu()
    counter = plugin.get(qemu)
    counts_file = job.work.resolve() / "counts.bin"
    counts_file.unlink(missing_ok=True)
    finished, uart = _run_to_end(job, _command(job, qemu, counter, counts_file))
    if finished.returncode != 0:
        raise death(finished, machine, uart)
    counted = counts.read(counts_file, Code(job.elf).after_access, _boundaries(job))
    ended_by = "stop text" if finished.stopped else counted.ended_by
    if ended_by == "exit" and job.end_address is not None:
        raise EmulationError(
            f"QEMU ended before the firmware reached its end mark at {job.end_address & ~1:#x}: the firmware reset the"
            " machine, or QEMU was ended from outside",
            last_line(uart),
        )
    return Trace(
        emulator=_info(machine, counter),
        block_addresses=counted.block_addresses,
        block_instructions=counted.block_instructions,
        segments=counted.segments,
        ended_by=ended_by,
        uart=uart,
    )


def instructions_per_second(_machine: Machine) -> int:
    """What is executed in a second of a machine's time, in jobs without a mark: the same on every machine."""
    return 10**9 >> _ICOUNT_SHIFT


def _run_timed(job: Job) -> Trace:
    """With time that goes on by 64 ns for each instruction. The counting plugin is exact without that alone."""
    machine = _machine(job)
    qemu = plugin.find_qemu()
    clock = ("-icount", f"shift={_ICOUNT_SHIFT},sleep=off")
    finished, uart = _run_to_end(job, (qemu, "-M", machine, *QUIET, *clock, "-kernel", job.elf.resolve()))
    if not finished.stopped:
        raise death(finished, machine, uart)
    return Trace(
        emulator=EmulatorInfo(
            name="qemu", version=plugin.version(qemu), machine=machine, counter=f"icount shift {_ICOUNT_SHIFT}"
        ),
        block_addresses=counts.no_blocks(),
        block_instructions=counts.no_blocks(),
        segments=(),
        ended_by="stop text",
        uart=uart,
    )


def _run_to_end(job: Job, command: Sequence[str | Path]) -> tuple[process.Finished, str]:
    """Run QEMU with the console in the job's file, to a stop text if there are any; returns what it printed, too.

    Raises:
        EmulationError: it did not end within the time limit.
    """
    log = job.uart_log.resolve()
    log.unlink(missing_ok=True)
    finished = process.run(
        [*command, "-serial", f"file:{log}"],
        time_limit_s=job.time_limit_s,
        stop_when=StopText(log, job.stop_texts) if job.stop_texts else None,
    )
    uart = uart_log.read(log)
    if finished.timed_out:
        raise EmulationError(
            f"the firmware did not end within {job.time_limit_s:g} s on {job.machine.qemu}", last_line(uart)
        )
    return finished, uart


def open(job: Job) -> QemuSession:
    """Start the firmware and leave it running; its console is a socket pair, so it has neither a path nor a port.

    ``job.uart_log`` and ``job.stop_texts`` are not used. ``job.time_limit_s`` bounds how long a write waits.

    Raises:
        MissingToolError, BuildError, EmulationError: as ``run``; that QEMU died at once shows at the first read.
    """
    return QemuSession(job)


class QemuSession:
    """Firmware that is running on QEMU: a ``harness.emulators.Session``."""

    def __init__(self, job: Job) -> None:
        machine = _machine(job)
        qemu = plugin.find_qemu()
        counter = plugin.get(qemu)
        self._info = _info(machine, counter)
        self._counts = counts.Reader(Code(job.elf).after_access, _boundaries(job), "the pipe of counts")
        ours, theirs = os.pipe()

        def start(console: int) -> process.Running:
            options = [*_command(job, qemu, counter, Path(f"/proc/self/fd/{theirs}"), live=True)]
            options += ["-chardev", f"socket,id=console,fd={console}", "-serial", "chardev:console"]
            return process.Running(options, pass_fds=(console, theirs))

        try:
            self._console = Console(
                start,
                pipes={ours: self._counts.feed},
                patience_s=job.time_limit_s,
                death=lambda finished, tail: _session_death(finished, machine, tail),
            )
        finally:
            os.close(theirs)

    @property
    def info(self) -> EmulatorInfo:
        return self._info

    def write(self, data: bytes) -> None:
        self._console.write(data)

    def read(self, timeout_s: float) -> bytes:
        return self._console.read(timeout_s)

    def segments(self, count: int, timeout_s: float) -> tuple[Segment, ...]:
        if not self._console.wait(lambda: self._counts.ready >= count, timeout_s):
            self._console.require_alive()
            raise EmulationError(
                f"{self._counts.ready} of {count} segments were counted within {timeout_s:g} s on {self._info.machine}"
            )
        return self._counts.take(count)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self._console.close()


def _machine(job: Job) -> str:
    if job.instruction_limit is not None:
        raise EmulationError("QEMU has no limit of instructions", "give a limit of seconds, or run on Renode")
    if job.machine.qemu is None:
        raise EmulationError(f"QEMU has no machine {job.machine.name}", "harness platforms names those that stand in")
    return job.machine.qemu


def _command(
    job: Job, qemu: Path, counter: plugin.Plugin, counts_file: Path, live: bool = False
) -> tuple[str | Path, ...]:
    """QEMU, its machine, the firmware and the counter; the console is missing."""
    assert job.mark_address is not None, "jobs without a mark are not counted"
    options = f"{plugin.escaped(counter.path)},out={plugin.escaped(counts_file)},mark={job.mark_address & ~1:#x}"
    if job.end_address is not None:
        options += f",end={job.end_address & ~1:#x}"
    if live:
        options += ",live=on"
    if job.watch is not None:
        options += _watching(job.watch)
    return (
        *(qemu, "-M", _machine(job), *QUIET),
        *("-kernel", job.elf.resolve(), "-plugin", options),
    )


def _watching(watch: Watch) -> str:
    """The plugin's arguments for what is recorded besides counts."""
    options = ",edges=on"
    known = watch.interface
    if known is not None:
        options += (
            f",flash={watch.flash.origin:#x}:{watch.flash.size_bytes:#x},code={_lines(known, known.instructions)}"
        )
        options += ",data=" + ("code" if known.data is None else _lines(known, known.data))
    return options


def _lines(interface: FlashInterface, lines: Lines) -> str:
    """Logarithms of a part's bytes and a line's parts; lines; ways. A part is what one access to the flash brings."""
    part = min(interface.read_bytes, lines.line_bytes)
    parts = lines.line_bytes // part
    return f"{part.bit_length() - 1}:{parts.bit_length() - 1}:{lines.lines}:{lines.ways}"


def _boundaries(job: Job) -> frozenset[int]:
    return frozenset(address & ~1 for address in (job.mark_address, job.end_address) if address is not None)


def _info(machine: str, counter: plugin.Plugin) -> EmulatorInfo:
    return EmulatorInfo(
        name="qemu", version=counter.qemu_version, machine=machine, counter=f"tcg-plugin api {counter.api}"
    )


def _session_death(finished: process.Finished, machine: str, tail: bytes) -> EmulationError:
    """The error for a QEMU that ended while somebody was talking to the firmware."""
    lines = re.split(rb"[\0\n]", tail)
    text = "\n".join(line.decode() for line in lines if line.isascii() and line.decode().isprintable())
    if finished.returncode != 0:
        return death(finished, machine, text)
    return EmulationError(f"the firmware ended, or reset itself, on {machine}", last_line(text))


def death(finished: process.Finished, machine: str, uart: str) -> EmulationError:
    """The error for a QEMU that ended with another code than 0: its own words, and what they mean."""
    noise = ("has no peer", "terminating on signal")
    stderr = "\n".join(line for line in finished.stderr.splitlines() if not any(words in line for words in noise))
    fatal = re.search(r"^(?:qemu: fatal|qemu-system-arm|counter|flow): (.*)$", stderr, re.MULTILINE)
    code = finished.returncode
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    cause = fatal[1].strip() if fatal else f"{how} without a message"
    hint = last_line(uart)
    if "Lockup" in cause:
        pc = re.search(r"R15=([0-9a-f]{8})", stderr)
        where = f" at PC 0x{pc[1]}" if pc else ""
        hint = f"a fault{where} inside the fault handler, or without a usable stack or vector table; {hint}"
    return EmulationError(f"QEMU died on {machine}: {cause}", hint, "\n".join(stderr.splitlines()[-30:]) or None)
