"""The scripts that Renode runs, and the descriptions of the machines that they load."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from harness.errors import EmulationError
from harness.paths import data_folder
from harness.records import Job, Record

# More than Renode executes in a second anywhere: a run without a limit of its own ends by the wall clock.
_MOST_INSTRUCTIONS_PER_SECOND = 2_000_000_000
# The longest time that its 64 bits of nanoseconds hold, in seconds, rounded down.
_FOR_EVER = 10**10
_NS = 10**9
_SYSTICK_CONTROL = 0xE000E010

# Virtual seconds. Long quanta are fast. But what is sent reaches the UART between two of them only, and polling
# firmware takes long over each; and a timer that starts in the middle of one counts from its beginning, and its
# interrupts come late, so that where timers matter they are short (0.1 ms and 0.01 ms give the same times).
_QUANTUM, _QUANTUM_TALKING, _QUANTUM_TIMED = "0.01", "0.001", "0.0001"


class Description(Record, frozen=True):
    """A machine's .repl file, and one hash over it and the files that it uses."""

    path: Path
    sha256: str


def description(platform: str, folder: Path | None = None) -> Description:
    """The description of a platform in ``folder`` (default: platforms/).

    Raises:
        EmulationError: there is none.
    """
    path = (folder or data_folder("platforms")) / platform / f"{platform}.repl"
    if not path.is_file():
        raise EmulationError(f"Renode has no description of {platform}: there is no {path}")
    digest = hashlib.sha256()
    for file in _with_used(path.resolve(), []):
        content = file.read_bytes()
        digest.update(f"{file.name} {len(content)}\n".encode() + content)
    return Description(path=path.resolve(), sha256=digest.hexdigest())


def _with_used(path: Path, seen: list[Path]) -> list[Path]:
    """A .repl file and those that it uses, each once, in the order of their first use."""
    if path not in seen:
        seen.append(path)
        for used in re.findall(r'^using "([^"]+)"', path.read_text(encoding="utf-8"), re.MULTILINE):
            _with_used((path.parent / used).resolve(), seen)
    return seen


def instructions(job: Job) -> int:
    """After how many executed instructions a run of the job ends at the latest."""
    if job.instruction_limit is not None:
        return job.instruction_limit
    return int(job.time_limit_s * _MOST_INSTRUCTIONS_PER_SECOND)


def batch(job: Job, repl: Path, log: Path, more: Sequence[str] = ()) -> str:
    """A script that runs the job's firmware to its end mark or to the limit, and then says where it stands.

    ``more`` are lines that are carried out before it runs.

    Raises:
        EmulationError: a path has a character that Renode's scripts cannot hold.
    """
    quantum = _QUANTUM_TIMED if job.mark_address is None else _QUANTUM
    start, seconds = _start(job, repl, log, quantum), _seconds(instructions(job), job.machine.clock_hz)
    return "\n".join([*start, *more, *_run(seconds)]) + "\n"


def talking(job: Job, repl: Path, log: Path, terminal: Path) -> str:
    """A script that runs the job's firmware until it is ended, its console on a pseudo-terminal linked at ``terminal``.

    Raises:
        EmulationError: a path has a character that Renode's scripts cannot hold.
    """
    limit = job.instruction_limit
    return (
        "\n".join(
            [
                # First, so that there is time to open it before the firmware prints.
                f'emulation CreateUartPtyTerminal "term" {quoted(terminal)}',
                *_start(job, repl, log, _QUANTUM_TALKING),
                f"connector Connect sysbus.{job.machine.uart.name} term",
                *_run(str(_FOR_EVER) if limit is None else _seconds(limit, job.machine.clock_hz)),
            ]
        )
        + "\n"
    )


def _run(seconds: str) -> list[str]:
    # Not "start": it returns at once, and then the end of standard input ends Renode.
    after = ('echo "STOPPED"', "cpu ExecutedInstructions", "cpu PC", 'echo "SCRIPT-END"')
    return [f'emulation RunFor "{seconds}"', *after]


def _start(job: Job, repl: Path, log: Path, quantum: str) -> list[str]:
    lines = [
        "using sysbus",
        f"logFile {quoted(log)} true",
        'mach create "firmware"',
        f"machine LoadPlatformDescription {quoted(repl)}",
        # Otherwise it is guessed from what the ELF file loads first.
        f"cpu VectorTableOffset {job.machine.vectors:#x}",
        f"sysbus LoadELF {quoted(job.elf.resolve())}",
        f"sysbus.{job.machine.uart.name} CreateFileBackend {quoted(job.uart_log.resolve())} true",
    ]
    if job.mark_address is not None:
        lines.append(_hook(job.mark_address, "MARK", ""))
    if job.end_address is not None:
        # A halted core and a stopped SysTick let the rest of the period pass at once. To quit from a hook locks up.
        halt = f"; self.IsHalted = True; machine.SystemBus.WriteDoubleWord({_SYSTICK_CONTROL:#x}, 0)"
        lines.append(_hook(job.end_address, "END", halt))
    return [*lines, f'emulation SetGlobalQuantum "{quantum}"', "emulation SetGlobalAdvanceImmediately true"]


def _hook(address: int, word: str, more: str) -> str:
    """Says the word and what was executed before the instruction at the address.

    One write with a mark of its own end, as Renode's other output may come between two of them. A hook on an address
    with the Thumb bit never runs.
    """
    say = rf"sys.stdout.write('{word} %d;\n' % self.ExecutedInstructions); sys.stdout.flush()"
    return f'cpu AddHook {address & ~1:#x} "{say}{more}"'


def quoted(path: Path) -> str:
    """A path as a string in a script of Renode's monitor.

    Raises:
        EmulationError: it has a character that such a string cannot hold.
    """
    text = str(path)
    unfit = sorted({letter for letter in text if letter in '"\\;' or not letter.isprintable()})
    if unfit:
        raise EmulationError(
            f"Renode cannot use the path {text!r}: it holds {unfit[0]!r}", "name others in TMPDIR and HARNESS_CACHE"
        )
    return f'"{text}"'


def _seconds(count: int, clock_hz: int) -> str:
    """The virtual time in which so many instructions are executed, one a clock: plain decimals.

    Renode cuts it off after the ninth decimal; the tenth keeps it from being cut one too low.
    """
    seconds, rest = divmod(-(-count * _NS // clock_hz), _NS)
    return f"{min(seconds, _FOR_EVER)}.{rest:09d}5"
