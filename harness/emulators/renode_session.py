"""Firmware that goes on running on Renode while we talk to it on a pseudo-terminal.

A pseudo-terminal is the one console of Renode's that nobody else can reach: its sockets listen on every address.

It is slow, for two reasons that are Renode's (1.16.1). It reads a terminal byte by byte, each byte through two of its
threads (0.3 ms, several ms on a busy machine); and it hands them to the UART only between two quanta of emulated time,
while firmware that polls fills each quantum with reads of a register: 0.01 s of a core at 80 MHz take 50 to 100 ms, and
the 0.001 s that are taken here were seen to halve the time of a request. So requests cost more than inferences do.
"""

from __future__ import annotations

import contextlib
import os
import select
import termios
import threading
import time
from collections import deque
from pathlib import Path
from typing import Self

from harness import process
from harness.emulators import counts, renode_output, renode_script, renode_start
from harness.emulators.renode_output import LOG_SIZE
from harness.errors import EmulationError
from harness.records import EmulatorInfo, Job, Segment

_PIECE_BYTES = 1 << 16
_POLL_S = 0.05
# How long after the end mark, or after Renode's end of the terminal, the rest may take to arrive.
_REST_S = 0.5


class RenodeSession:
    """See ``emulators.Session``. Leaving it ends Renode and everything that it started."""

    def __init__(self, job: Job) -> None:
        self._start = renode_start.prepare(job)
        self._patience_s = job.time_limit_s
        self._began = time.monotonic()
        self._marks: deque[int] = deque()
        self._last_mark = 0
        self._news = threading.Condition()
        self._end_seen: float | None = None
        self._log_read = 0
        self._terminal = -1
        link = job.work.resolve() / "console"
        link.unlink(missing_ok=True)
        self._start.write_script(renode_script.talking(job, self._start.description.path, self._start.log, link))
        self._cleanup = contextlib.ExitStack()
        try:
            environment = self._cleanup.enter_context(self._start.home())
            self._program = process.Running(self._start.command, environment=environment, on_line=self._line)
            self._cleanup.callback(link.unlink, missing_ok=True)  # Renode removes it, where it is not killed
            self._cleanup.callback(self._program.end)
            self._terminal = self._open(link)
            self._cleanup.callback(os.close, self._terminal)
        except BaseException:
            self._cleanup.close()
            raise

    @property
    def info(self) -> EmulatorInfo:
        """Which Renode runs it."""
        return self._start.info

    def write(self, data: bytes) -> None:
        """Send all of it.

        Raises:
            EmulationError: Renode has ended, or takes nothing for the job's time limit.
        """
        left = memoryview(data)
        deadline = time.monotonic() + self._patience_s
        while left:
            self._require_running()
            ready = select.select([], [self._terminal], [], _POLL_S)[1]
            sent = 0
            if ready:
                with contextlib.suppress(BlockingIOError, OSError):  # ended: the next round says how
                    sent = os.write(self._terminal, left[:_PIECE_BYTES])
            if sent:
                left = left[sent:]
                deadline = time.monotonic() + self._patience_s
            elif time.monotonic() > deadline:
                raise EmulationError(
                    f"the firmware took no byte for {self._patience_s:g} s, with {len(left)} of {len(data)} to send"
                )

    def read(self, timeout_s: float) -> bytes:
        """What has come since the last call; empty where nothing came in time.

        Raises:
            EmulationError: Renode or the firmware has ended, and all that it printed was read; or the log is flooded.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            data = self._take()
            if data:
                return data
            try:
                self._require_running()
            except EmulationError:
                data = self._take()  # it may have printed in between
                if data:
                    return data
                raise
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return b""
            select.select([self._terminal], [], [], min(remaining, _POLL_S))

    def segments(self, count: int, timeout_s: float) -> tuple[Segment, ...]:
        """The next ``count`` segments, each closed by a mark; the first runs from reset to the first mark.

        Raises:
            EmulationError: they did not come in time, or Renode or the firmware has ended.
        """
        deadline = time.monotonic() + timeout_s
        while not self._counted(count, min(timeout_s, _POLL_S)):
            if time.monotonic() >= deadline:
                raise EmulationError(
                    f"{len(self._marks)} of {count} segments were counted within {timeout_s:g} s on {self.info.machine}"
                )
            try:
                self._require_running()
            except EmulationError:
                if self._counted(count, 0.0):  # it may have counted in between
                    break
                raise
        return tuple(self._segment() for _ in range(count))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self._cleanup.close()

    def _counted(self, count: int, patience_s: float) -> bool:
        """Whether so many segments are there, after waiting for a mark where they are not.

        The lock is not held longer: the thread that reads Renode's output must come to its end.
        """
        with self._news:
            if len(self._marks) < count:
                self._news.wait(patience_s)
            return len(self._marks) >= count

    def _segment(self) -> Segment:
        mark = self._marks.popleft()
        instructions, self._last_mark = mark - self._last_mark, mark
        return Segment(instructions=instructions, executions=counts.no_blocks())

    def _line(self, line: str) -> None:
        """Take a line of Renode's standard output, in the thread that reads it."""
        with self._news:
            self._marks.extend(int(count) for count in renode_output.MARK.findall(line))
            if renode_output.ended(line):
                self._end_seen = time.monotonic()
            self._news.notify_all()

    def _open(self, link: Path) -> int:
        """Open the terminal as soon as Renode has made it, and let every byte through as it is.

        The settings are written as a whole, as Renode makes them from memory that it did not set.
        """
        while not link.exists():
            if self._program.wait(_POLL_S) is not None:
                raise self._death(None)
            if time.monotonic() - self._began > self._patience_s:
                raise EmulationError(
                    f"Renode did not start within {self._patience_s:g} s on {self.info.machine}",
                    detail=renode_output.read_log(self._start.log) or None,
                )
        terminal = os.open(link, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        characters = termios.tcgetattr(terminal)[6]
        characters[termios.VMIN], characters[termios.VTIME] = 1, 0
        speed = termios.B115200
        raw = [0, 0, termios.CS8 | termios.CREAD | termios.CLOCAL, 0, speed, speed, characters]
        termios.tcsetattr(terminal, termios.TCSANOW, raw)
        return terminal

    def _take(self) -> bytes:
        """What has come; empty for nothing, and where Renode has closed its side."""
        with contextlib.suppress(BlockingIOError, OSError):
            return os.read(self._terminal, _PIECE_BYTES)
        return b""

    def _require_running(self) -> None:
        if renode_output.is_flooded(self._start.log):
            raise self._death(LOG_SIZE)
        if self._program.wait(0.0) is not None or renode_output.has_failed(self._new_log()):
            raise self._death(None)
        if self._end_seen is not None and time.monotonic() - self._end_seen > _REST_S:
            raise EmulationError(f"the firmware ended on {self.info.machine}")

    def _new_log(self) -> str:
        """Whole lines that were added to the log since the last call."""
        if not self._start.log.exists():
            return ""
        with self._start.log.open("rb") as file:
            file.seek(self._log_read)
            lines, end, _ = file.read().rpartition(b"\n")
        self._log_read += len(lines) + len(end)
        return lines.decode(errors="replace")

    def _death(self, stopped_by: str | None) -> EmulationError:
        """The error for a Renode that has ended, or that has to be."""
        self._program.end()
        assert self._program.returncode is not None, "it was ended"
        finished = process.Finished(
            returncode=self._program.returncode,
            stdout=self._program.stdout.text(),
            stderr=self._program.stderr.text(),
            seconds=time.monotonic() - self._began,
            timed_out=False,
            stopped=stopped_by is not None,
        )
        return renode_output.failure(self._start.output(finished, stopped_by))
