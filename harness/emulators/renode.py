"""The Renode backend: runs firmware on a machine as its .repl file describes it, and counts at the marks.

Renode counts every executed instruction once, exactly and repeatably. It says nothing about blocks: a trace has
segments with their instructions only.
"""

from __future__ import annotations

from pathlib import Path

from harness import process
from harness.emulators import counts, renode_output, renode_script, renode_start
from harness.emulators.renode_output import END_MARK, LOG_SIZE, STOP_TEXT, TIME_LIMIT
from harness.emulators.renode_session import RenodeSession
from harness.emulators.uart_log import StopText
from harness.records import Job, Machine, Segment, Trace

# After the end mark Renode runs to the end of its period; so many polls of 20 ms it may take before it is ended.
_POLLS_AFTER_END = 10


def run(job: Job) -> Trace:
    """Run the firmware until its end mark or a stop text, and return exact counts of its segments.

    The blocks of the trace are empty. Where a stop text ends the run, the segment that is then open has no count and is
    left out.

    Raises:
        MissingToolError: there is no Renode.
        EmulationError: Renode died or refused the machine's description, or the firmware did not reach its end within
            the limits.
    """
    start = renode_start.prepare(job)
    start.write_script(renode_script.batch(job, start.description.path, start.log))
    watch = _Watch(job, start.log)
    with start.home() as environment:
        finished = process.run(
            start.command, time_limit_s=job.time_limit_s, environment=environment, stop_when=watch, on_line=watch.line
        )
    output = start.output(finished, TIME_LIMIT if finished.timed_out else watch.reason)
    counted = renode_output.counts(output)
    return Trace(
        emulator=start.info,
        block_addresses=counts.no_blocks(),
        block_instructions=counts.no_blocks(),
        segments=tuple(Segment(instructions=count, executions=counts.no_blocks()) for count in counted.segments),
        ended_by=counted.ended_by,
        uart=output.uart,
        log=output.log,
    )


def instructions_per_second(machine: Machine) -> int:
    """What is executed in a second of a machine's time: one instruction a clock."""
    return machine.clock_hz


def open(job: Job) -> RenodeSession:  # the name that every backend gives it
    """Start the firmware and leave it running, its console on a pseudo-terminal.

    ``job.time_limit_s`` is how long the start, and the firmware's taking of what is written to it, may last.

    Raises:
        MissingToolError: there is no Renode.
        EmulationError: Renode died, refused the machine's description, or did not start in time.
    """
    return RenodeSession(job)


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
            self.reason = END_MARK if self._polls > _POLLS_AFTER_END else None
        elif self._stop_text():
            self.reason = STOP_TEXT
        elif renode_output.is_flooded(self._log):
            self.reason = LOG_SIZE
        return self.reason is not None
