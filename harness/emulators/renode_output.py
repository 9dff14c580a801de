"""What a run of Renode printed, as counts, or as the one error that it means.

Renode's exit code is 0 whether it ran, refused a script or met a fault: only its output tells. Lines of its monitor
carry stray carriage returns, and its own output may come between them, so nothing is looked for at a line's start.
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path

from harness.emulators.uart_log import last_line
from harness.errors import EmulationError
from harness.records import Record

MARK = re.compile(r"\bMARK (\d+);")
_END = re.compile(r"\bEND (\d+);")
_STOPPED = re.compile(r"STOPPED\s+0x([0-9A-Fa-f]+)\s+0x([0-9A-Fa-f]+)")
_ABORT = re.compile(r"CPU abort \[PC=(0x[0-9A-Fa-f]+)\]:? ?([^\r\n]*)")
_HOOK_ERROR = re.compile(r"\[ERROR\] cpu: (Python runtime error: [^\r\n]*)")
_SCRIPT_ENDED = "SCRIPT-END"
_LOG_PART = 64 * 1024
# 85,000 warnings a second were seen of firmware that accesses what is not there.
_MOST_LOG_BYTES = 64 * 1024 * 1024
_DETAIL_LINES = 30
_STACK_GUARD_BYTES = 64 * 1024
_KNOWN_GOOD = "the machine descriptions are made for Renode 1.16.1"


class Output(Record, frozen=True):
    """Everything that a run left behind.

    ``stopped_by`` says why the harness ended it, one of the names below, or is None where it ended by itself;
    ``machine`` is the platform's name, ``ram`` where its RAM begins; ``instructions`` and ``seconds`` are the run's
    limits.
    """

    returncode: int
    stdout: str
    stderr: str
    log: str
    uart: str
    stopped_by: str | None
    machine: str
    ram: int
    instructions: int
    seconds: float


END_MARK, STOP_TEXT, LOG_SIZE, TIME_LIMIT = "end mark", "stop text", "log size", "time limit"


class Counts(Record, frozen=True):
    """Executed instructions of each segment in order, and what ended the run ("end mark" or "stop text")."""

    segments: tuple[int, ...]
    ended_by: str


def ended(text: str) -> bool:
    """Whether the firmware reached its end mark."""
    return _END.search(text) is not None


def counts(output: Output) -> Counts:
    """The run's segments. Where a stop text ended it, the last one, which no mark closed, is left out.

    Raises:
        EmulationError: the run failed; one kind of failure has one message.
    """
    check(output)
    marks = [int(count) for count in MARK.findall(output.stdout)]
    end = _END.search(output.stdout)
    if end is None and output.stopped_by != STOP_TEXT:
        raise failure(output)
    borders = [0, *marks] if end is None else [0, *marks, int(end[1])]
    segments = tuple(after - before for before, after in itertools.pairwise(borders))
    if any(segment < 0 for segment in segments):
        raise _error(output, f"Renode's counts at the marks fall, so they are not exact: {borders[1:][:20]}")
    return Counts(segments=segments, ended_by=STOP_TEXT if end is None else END_MARK)


def check(output: Output) -> None:
    """Refuse a run whose counts mean nothing, whatever ended it.

    Raises:
        EmulationError: a hook failed, or the stack ran over.
    """
    _check_hooks(output)
    _check_stack(output)


def stopped(text: str) -> tuple[int, int] | None:
    """What was executed and where the core stands, as the end of a script says; None before it."""
    where = _STOPPED.search(text)
    return None if where is None else (int(where[1], 16), int(where[2], 16))


def has_failed(log: str) -> bool:
    """Whether a part of the log says that the core stopped, or that a hook failed: Renode itself goes on."""
    return _ABORT.search(log) is not None or _HOOK_ERROR.search(log) is not None


def _check_hooks(output: Output) -> None:
    failed = _HOOK_ERROR.search(output.log)
    if failed:
        raise _error(output, f"a mark could not be counted on {output.machine}: {failed[1]}")


def _check_stack(output: Output) -> None:
    """Refuse a run whose stack left RAM downwards.

    Renode ignores stack limits (MSPLIM) and lets accesses where nothing is go on; the older cores' MPU it models.

    Raises:
        EmulationError: something was accessed right below RAM.
    """
    for found in re.finditer(r"non existing peripheral at 0x([0-9A-Fa-f]+)", output.log):
        if output.ram - _STACK_GUARD_BYTES <= int(found[1], 16) < output.ram:
            address = f"0x{int(found[1], 16):08x}"
            message = f"stack overflow on {output.machine}: the firmware accessed {address}, below RAM"
            raise _error(output, message, _last(output))


def read_log(path: Path) -> str:
    """A log file's text; of a long one the first and the last part."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            if size <= 2 * _LOG_PART:
                return file.read().decode(errors="replace")
            first = file.read(_LOG_PART)
            file.seek(-_LOG_PART, 2)
            last = file.read(_LOG_PART)
    except FileNotFoundError:
        return ""
    left_out = f"\n... ({size - 2 * _LOG_PART} bytes left out) ...\n"
    return first.decode(errors="replace") + left_out + last.decode(errors="replace")


def is_flooded(log: Path) -> bool:
    """Whether the log is too long to go on."""
    return log.exists() and log.stat().st_size > _MOST_LOG_BYTES


def failure(output: Output) -> EmulationError:
    """The error for a run without an end mark.

    Raises:
        EmulationError: a hook failed.
    """
    _check_hooks(output)
    abort = _ABORT.search(output.log)
    if abort:
        return _error(
            output, f"the core stopped on {output.machine} at PC {abort[1]}: {abort[2]}", last_line(output.uart)
        )
    if output.stopped_by == LOG_SIZE:
        return _flooded(output)
    if output.stopped_by == TIME_LIMIT:
        message = f"the firmware did not end within {output.seconds:g} s on {output.machine}"
        return _error(output, message, _last(output))
    if _SCRIPT_ENDED in output.stdout:
        return _at_limit(output)
    return _refusal(output) or _death(output)


def _at_limit(output: Output) -> EmulationError:
    """The script ran to its end: the virtual time for the limit's instructions passed."""
    where = stopped(output.stdout)
    if where is None:
        return _error(output, f"Renode does not say where the firmware stands on {output.machine}")
    executed, pc = where
    if executed >= output.instructions:
        message = f"the firmware did not end within {output.instructions} instructions on {output.machine}"
        return _error(output, f"{message}; it is at {pc:#x}", _last(output))
    message = f"the firmware stands still at {pc:#x} after {executed} instructions on {output.machine}"
    return _error(output, f"{message}: it waits for an interrupt, or branches to itself", _last(output))


def _flooded(output: Output) -> EmulationError:
    hint = "accesses where nothing is go on unhindered: a stack that ran over, or a wild pointer?"
    return _error(output, f"the firmware floods Renode's log on {output.machine}", f"{hint} {_last(output)}")


def _refusal(output: Output) -> EmulationError | None:
    """Renode refused the script or the description of the machine."""
    text = output.stdout.replace("\r", "")
    description = re.search(r"Error (E\d+): ([^\n]*(?<=:)\n[^\n]*|[^\n]*)", text)
    if description:
        place = re.search(r"At (\S[^\n]*:\d+:\d+):", text)
        where = f" at {place[1]}" if place else ""
        why = " ".join(description[2].split())
        return _error(output, f"Renode refuses its description of {output.machine}{where}: {why} ({description[1]})")
    command = re.search(r"There was an error executing command '([^\n]*)'\n([^\n]*)", text)
    if command:
        why = command[2].strip().rstrip(".")
        return _error(output, f"Renode refuses a command of its script: {why}: {command[1]}")
    other = re.search(
        r"(No such command or device: |Unexpected options detected: )[^\n]*|Could not tokenize here:\n[^\n]*", text
    )
    return _error(output, f"Renode refuses its script: {' '.join(other[0].split())}") if other else None


def _death(output: Output) -> EmulationError:
    """Renode ended in the middle."""
    fatal = re.search(r"Fatal error:\s*([^\r\n]*)", output.stderr)
    if fatal:
        return _error(output, f"Renode died on {output.machine}: {fatal[1]}")
    code = output.returncode
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    message = f"Renode ended on {output.machine} before the firmware did ({how}), without a message"
    return _error(output, message, f"it was ended from outside, or crashed; {_last(output)}")


def _last(output: Output) -> str:
    """The last line that the firmware printed, and what Renode complained of last."""
    complaints = re.findall(r"\[(?:WARNING|ERROR)\] ([^\r\n]*)", output.log)
    complaint = f"; Renode's last complaint: {complaints[-1][:200]}" if complaints else ""
    return last_line(output.uart) + complaint


def _error(output: Output, message: str, hint: str = _KNOWN_GOOD) -> EmulationError:
    parts = (output.stdout, output.stderr, output.log)
    tails = ["\n".join(part.replace("\r", "").split("\n")[-_DETAIL_LINES:]).strip() for part in parts]
    return EmulationError(message, hint, "\n".join(tail for tail in tails if tail) or None)
