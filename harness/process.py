"""The only place that starts other programs: argument list, time limit, captured output, whole process tree ended."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self

from harness.records import Record

_LONGEST_POLL_MS = 2**31 - 1


class Finished(Record, frozen=True):
    """A program that ended.

    ``returncode`` is negative for a signal; ``timed_out`` and ``stopped`` say why it was ended.
    """

    returncode: int
    stdout: str
    stderr: str
    seconds: float
    timed_out: bool
    stopped: bool


def run(
    arguments: Sequence[str | Path],
    *,
    time_limit_s: float = 120.0,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stop_when: Callable[[], bool] | None = None,
    on_line: Callable[[str], None] | None = None,
) -> Finished:
    """Run a program to its end, to its time limit, or until ``stop_when`` (polled every 20 ms) is true.

    ``on_line`` is called with each line of standard output as it comes, from another thread. The program gets its own
    session, so that it and everything it started is ended together, also on Ctrl-C.

    Raises:
        FileNotFoundError: there is no such program.
    """
    started = time.monotonic()
    timed_out = stopped = False
    program = Running(arguments, cwd=cwd, environment=environment, on_line=on_line)
    try:  # not "with": a signal at the start of __enter__ would leave the program running
        while True:
            remaining = time_limit_s - (time.monotonic() - started)
            if program.wait(max(remaining if stop_when is None else min(remaining, 0.02), 0.0)) is not None:
                break
            if stop_when is not None and stop_when():
                stopped = True
            elif time.monotonic() - started >= time_limit_s:
                timed_out = True
            else:
                continue
            break
    finally:
        program.end()
    assert program.returncode is not None, "it was waited for"
    return Finished(
        returncode=program.returncode,
        stdout=program.stdout.text(),
        stderr=program.stderr.text(),
        seconds=time.monotonic() - started,
        timed_out=timed_out,
        stopped=stopped,
    )


class Running:
    """A program in its own session, used as a context manager: leaving the block ends it and everything it started.

    Where we are killed and can end nothing, it is killed, too, but for the moment of its start.

    Args:
        arguments: the program and its arguments.
        cwd: its folder, None for ours.
        environment: variables to set besides ours.
        on_line: called with each line of standard output as it comes, from another thread.
        pass_fds: descriptors that it inherits under the same numbers.

    Raises:
        FileNotFoundError: there is no such program.
    """

    def __init__(
        self,
        arguments: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
        on_line: Callable[[str], None] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        process: subprocess.Popen[bytes] | None = None
        guard: _Guard | None = None
        deferred = _DeferredSignals()
        try:
            guard = _Guard()  # first: that moment is to be short
            process = subprocess.Popen(
                [str(argument) for argument in arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=cwd,
                env=None if environment is None else {**os.environ, **environment},
                start_new_session=True,
                pass_fds=tuple(pass_fds),
            )
            guard.watch(process.pid)
            self._process, self._guard = process, guard
            deferred.release()
            self.stdout, self.stderr = _Reader(process.stdout, on_line), _Reader(process.stderr, None)
        except BaseException:
            deferred.restore()
            if process is not None:
                end_tree(process)
            if guard is not None:
                guard.end()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.end()

    @property
    def returncode(self) -> int | None:
        """None while it runs, negative for a signal."""
        return self._process.returncode

    def wait(self, seconds: float) -> int | None:
        """Wait for its end, at most so long; returns its code, None where it goes on."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            _wait(self._process, seconds)
        return self._process.returncode

    def end(self) -> None:
        """End it and everything in its group; nothing happens where it has ended."""
        if self._process.poll() is None:
            end_tree(self._process)
        self._guard.end()


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    """``process.wait``, but woken by the program's end: Popen polls, and notices it up to 50 ms late.

    Raises:
        subprocess.TimeoutExpired: it did not end in time.
    """
    try:
        handle = os.pidfd_open(process.pid)
    except (AttributeError, OSError):  # not Linux, or forbidden in this container
        process.wait(timeout=seconds)
        return
    try:
        ended = select.poll()
        ended.register(handle, select.POLLIN)
        ended.poll(min(seconds * 1000, _LONGEST_POLL_MS))  # run() comes back for the rest
    finally:
        os.close(handle)
    process.wait(timeout=0.0)


class _Guard:
    """Kills a group of programs where we are killed: it waits for the end of a pipe whose other side only we hold.

    Firmware that serves never ends by itself, and neither does an emulator that runs it.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", 'read -r group && read -r _; [ -n "$group" ] && kill -s KILL -- "-$group"'],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def watch(self, group: int) -> None:
        """Say which group it is."""
        assert self._process.stdin is not None, "it was asked for"
        self._process.stdin.write(b"%d\n" % group)
        self._process.stdin.flush()

    def end(self) -> None:
        """Let the group live or be ended by others; nothing happens the second time."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None, "it was asked for"
        self._process.stdin.close()


class _DeferredSignals:
    """Holds back what would end us while a program is being started.

    An exception out of the middle of Popen would leave a running program that nobody knows of. Blocking the signals
    instead would block them in the program too. Only the main thread runs handlers, so others have nothing to defer.
    """

    _NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self._pending: list[int] = []
        self._handlers: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number in self._NUMBERS:
                handler = signal.getsignal(number)
                if callable(handler):  # neither ignored nor left to the system
                    self._handlers[number] = handler
                    signal.signal(number, lambda pending, _frame: self._pending.append(pending))

    def restore(self) -> None:
        """Put the handlers back."""
        while self._handlers:
            signal.signal(*self._handlers.popitem())

    def release(self) -> None:
        """Put the handlers back, and let them have what came meanwhile."""
        self.restore()
        for number in self._pending:
            signal.raise_signal(number)


class _Reader(threading.Thread):
    """Drains one pipe, so that the program never blocks on it."""

    def __init__(self, pipe: IO[bytes] | None, on_line: Callable[[str], None] | None) -> None:
        super().__init__(daemon=True)
        assert pipe is not None
        self._pipe = pipe
        self._on_line = on_line
        self._chunks: list[bytes] = []
        self.start()

    def run(self) -> None:
        for line in self._pipe:
            self._chunks.append(line)
            if self._on_line is not None:
                self._on_line(line.decode(errors="replace").rstrip("\n"))

    def text(self) -> str:
        """What was read; waits for the pipe's end, but not for a program that left its group and kept the pipe."""
        self.join(timeout=5.0)
        return b"".join(self._chunks).decode(errors="replace")


def end_tree(process: subprocess.Popen[bytes], grace_s: float = 2.0) -> None:
    """End a program that was started in its own session: SIGTERM to its group, SIGKILL after ``grace_s`` seconds."""
    for number, patience in ((signal.SIGTERM, grace_s), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        # Also where the leader ended at the first signal, the second goes to what it left in its group.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=patience)
