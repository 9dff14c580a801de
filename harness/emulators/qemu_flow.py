"""Runs firmware on qemu-system-arm under the plugin flow.c, which follows calls."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from harness import process
from harness.emulators import flows, plugin, qemu, uart_log
from harness.emulators.flows import Flow, Function
from harness.errors import EmulationError
from harness.records import EmulatorInfo, Machine, Record


class FlowJob(Record, frozen=True):
    """One run.

    It ends before a function with the flag STOP, soon after one of ``stop_texts`` is on the UART, after
    ``instruction_limit`` instructions, or after ``time_limit_s`` seconds of the host's. ``semihosting``: the firmware
    may use the host's files, and start its programs. ``work`` is a folder of the run's own.
    """

    elf: Path
    machine: Machine
    functions: tuple[Function, ...]
    work: Path
    time_limit_s: float
    stop_texts: tuple[bytes, ...] = ()
    instruction_limit: int | None = None
    semihosting: bool = False


class FlowRun(Record, frozen=True, eq=False):
    """What a run gave. ``ended_by``: "stop function", "stop text", "semihosting exit", "reset", "instruction limit",
    "time limit", or "semihosting", where the firmware asked for it and may not. ``console`` is what it printed by
    semihosting, ``exit_code`` what it gave there, None where it gave none."""

    emulator: EmulatorInfo
    flow: Flow
    ended_by: str
    uart: str
    console: str
    exit_code: int | None


def run(job: FlowJob) -> FlowRun:
    """Run the firmware to one of its ends.

    Raises:
        MissingToolError: QEMU or a host C compiler is not installed.
        BuildError: the plugin does not build.
        EmulationError: QEMU refuses the plugin or died, as where the core locks up.
    """
    machine = job.machine.qemu
    if machine is None:
        raise EmulationError(f"QEMU has no machine {job.machine.name}", "harness platforms names those that stand in")
    program = plugin.find_qemu()
    built = plugin.get(program, "flow")
    out, uart, console = (job.work.resolve() / name for name in ("flow.bin", "uart.log", "console.log"))
    for file in (out, uart, console):
        file.unlink(missing_ok=True)
    flows.write_functions(job.work / "functions.bin", job.functions)
    watch = _Watch(job, uart)
    command = [*_command(job, program, built, machine, out), "-serial", f"file:{uart}"]
    if job.semihosting:
        command += ["-chardev", f"file,id=console,path={plugin.escaped(console)}"]
        command += ["-semihosting-config", "enable=on,target=native,chardev=console"]
    finished = process.run(command, time_limit_s=job.time_limit_s + 60.0, stop_when=watch)
    printed = uart_log.read(uart)
    try:
        flow = flows.read(out)
    except EmulationError:
        if watch.reason == "time limit":
            raise EmulationError(
                f"QEMU did not come to count anything within {job.time_limit_s:g} s", "a longer --timeout"
            ) from None
        if finished.returncode != 0:
            raise qemu.death(finished, machine, printed) from None
        raise
    return FlowRun(
        emulator=EmulatorInfo(
            name="qemu", version=built.qemu_version, machine=machine, counter=f"tcg-plugin flow api {built.api}"
        ),
        flow=flow,
        ended_by=_ended_by(flow, watch, job),
        uart=printed,
        console=uart_log.read(console),
        exit_code=finished.returncode if flow.ended_by == "exit" and job.semihosting and not watch.reason else None,
    )


class _Watch:
    """Says when to end a run, to be polled: at a stop text, or after the time limit."""

    def __init__(self, job: FlowJob, uart: Path) -> None:
        self.reason: str | None = None
        self._uart, self._texts, self._size = uart, job.stop_texts, 0
        self._end = time.monotonic() + job.time_limit_s

    def _has_text(self) -> bool:
        """Whether a text is there; firmware of others may go on printing behind it."""
        size = self._uart.stat().st_size if self._texts and self._uart.exists() else 0
        if size == self._size:
            return False
        self._size = size
        content = self._uart.read_bytes()
        return any(text in content for text in self._texts)

    def __call__(self) -> bool:
        if self._has_text():
            self.reason = "stop text"
        elif time.monotonic() >= self._end:
            self.reason = "time limit"
        return self.reason is not None


def _ended_by(flow: Flow, watch: _Watch, job: FlowJob) -> str:
    if flow.ended_by != "exit":
        return flow.ended_by
    return watch.reason or ("semihosting exit" if job.semihosting else "reset")


def _command(job: FlowJob, program: Path, built: plugin.Plugin, machine: str, out: Path) -> Sequence[str | Path]:
    options = f"{plugin.escaped(built.path)},out={plugin.escaped(out)}"
    options += f",functions={plugin.escaped(job.work.resolve() / 'functions.bin')}"
    if job.instruction_limit is not None:
        options += f",limit={job.instruction_limit}"
    if job.semihosting:
        options += ",semihosting=on"
    return (program, "-M", machine, *qemu.QUIET, "-kernel", job.elf.resolve(), "-plugin", options)
