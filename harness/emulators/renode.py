"""The Renode backend: runs firmware on a machine as its .repl file describes it, and counts at the marks.

Renode counts every executed instruction once, exactly and repeatably. It says nothing about blocks: a trace has
segments with their instructions only.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from harness import process
from harness.emulators import renode_find, renode_output, renode_script
from harness.emulators.renode_output import END_MARK, LOG_SIZE, STOP_TEXT, TIME_LIMIT
from harness.emulators.uart_log import StopText
from harness.records import EmulatorInfo, Job, Segment, Trace

if TYPE_CHECKING:
    from harness.records import IntArray

# Without a monitor on standard output errors go nowhere, and without --console it listens on the network.
_OPTIONS = ("--disable-gui", "--plain", "--console", "--hide-log")
_MOST_LOG_BYTES = 64 * 1024 * 1024
# After the end mark Renode runs to the end of its period; that long it may take before it is ended.
_PATIENCE_POLLS = 25


def run(job: Job) -> Trace:
    """Run the firmware until its end mark or a stop text, and return exact counts of its segments.

    The blocks of the trace are empty. Where a stop text ends the run, the segment that is then open has no count and is
    left out.

    Raises:
        MissingToolError: there is no Renode.
        EmulationError: Renode died or refused the machine's description, or the firmware did not reach its end within
            the limits.
    """
    found = renode_find.find()
    machine = renode_script.description(job.machine.name)
    log = job.work.resolve() / "renode.log"
    script = job.work.resolve() / "run.resc"
    _clear(job.uart_log.resolve(), log)
    script.write_text(renode_script.batch(job, machine.path, log), encoding="utf-8")
    watch = _Watch(job, log)
    with _home(job.work) as environment:
        finished = process.run(
            _command(found, script),
            time_limit_s=job.time_limit_s,
            environment=environment,
            stop_when=watch,
            on_line=watch.line,
        )
    output = renode_output.Output(
        returncode=finished.returncode,
        stdout=finished.stdout,
        stderr=finished.stderr,
        log=renode_output.read_log(log),
        uart=_uart(job),
        stopped_by=TIME_LIMIT if finished.timed_out else watch.reason,
        machine=job.machine.name,
        instructions=renode_script.instructions(job),
        seconds=job.time_limit_s,
    )
    counted = renode_output.counts(output)
    return Trace(
        emulator=_info(found, job, machine),
        block_addresses=_none(),
        block_instructions=_none(),
        segments=tuple(Segment(instructions=count, executions=_none()) for count in counted.segments),
        ended_by=counted.ended_by,
        uart=output.uart,
        log=output.log,
    )


class _Watch:
    """Says when to end a run, to be polled: after its end mark, at a stop text, or where the log grows too long."""

    def __init__(self, job: Job, log: Path) -> None:
        self.reason: str | None = None
        self._stop_text = StopText(job.uart_log.resolve(), job.stop_texts)
        self._log = log
        self._ended = False
        self._polls = 0

    def line(self, line: str) -> None:
        """Take a line of Renode's standard output."""
        self._ended = self._ended or renode_output.ended(line)

    def __call__(self) -> bool:
        if self._ended:
            self._polls += 1
            self.reason = END_MARK if self._polls > _PATIENCE_POLLS else None
        elif self._stop_text():
            self.reason = STOP_TEXT
        elif _size(self._log) > _MOST_LOG_BYTES:
            self.reason = LOG_SIZE
        return self.reason is not None


def _command(found: renode_find.Renode, script: Path) -> list[str | Path]:
    # "-e quit" ends it after a script that failed, too. As an argument of its own, a path with a space is no path.
    return [*found.command, *_OPTIONS, "-e", f"include {renode_script.quoted(script)}", "-e", "quit"]


@contextlib.contextmanager
def _home(work: Path) -> Iterator[dict[str, str]]:
    """Folders of the run's own for what Renode leaves behind where it is ended from outside: variables to set."""
    with tempfile.TemporaryDirectory(dir=work.resolve(), prefix="renode-", ignore_cleanup_errors=True) as folder:
        yield {
            "TMPDIR": folder,
            "XDG_CONFIG_HOME": folder,
            "DOTNET_EnableDiagnostics": "0",  # otherwise .NET opens a socket for debuggers
        }


def _clear(*files: Path) -> None:
    """Renode renames a file that is in its way, instead of overwriting it."""
    for file in files:
        file.unlink(missing_ok=True)


def _info(found: renode_find.Renode, job: Job, machine: renode_script.Description) -> EmulatorInfo:
    return EmulatorInfo(
        name="renode",
        version=found.version,
        machine=job.machine.name,
        counter=None,
        description_sha256=machine.sha256,
    )


def _uart(job: Job) -> str:
    return job.uart_log.read_bytes().decode(errors="replace") if job.uart_log.exists() else ""


def _size(path: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def _none() -> IntArray:
    import numpy as np

    return np.zeros(0, dtype=np.int64)
