"""Calls a function on many tasks in processes of its own, several at once, and survives the death of any of them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import tempfile
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, Self, TypeVar

from harness.sweep.executor import WorkerError

T = TypeVar("T")
R = TypeVar("R")

_ATTEMPTS = 2
_GRACE_S = 10.0


class Workers(Generic[T, R]):
    """Processes that run one function; used as a context manager: leaving the block ends them and what they started.

    An ``executor.Executor``.

    They are started anew, not forked: a fork would copy locks that another thread of ours holds. So the function must
    be one that can be imported, and a script that starts workers needs its ``if __name__ == "__main__"``.

    Processes, not threads: three fifths of a short run's time on the processor are spent in Python, which threads take
    in turns; only a process can be ended in the middle of a run; and one that crashes takes no other along.

    Args:
        function: called with each task.
        count: how many tasks run at once.
    """

    def __init__(self, function: Callable[[T], R], count: int) -> None:
        self._function = function
        self._count = count
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._workers: list[_Worker] = []
        self._busy: list[_Worker] = []
        self._idle: list[_Worker] = []

    def map(self, tasks: Iterable[T]) -> Iterator[tuple[T, R | WorkerError]]:
        """Each task with its outcome, in the order in which they end.

        A worker that dies costs its task one more attempt, on a new worker. Workers stay for the next call.
        """
        waiting = deque((task, _ATTEMPTS) for task in tasks)
        busy: dict[Connection, tuple[_Worker, T, int]] = {}
        idle = self._idle
        while waiting or busy:
            while waiting and len(busy) < self._count:
                task, attempts = waiting.popleft()
                worker = idle.pop() if idle else self._start()
                worker.give(task)
                busy[worker.connection] = (worker, task, attempts)
                self._busy.append(worker)
            for connection in wait([*busy]):
                assert isinstance(connection, Connection)
                worker, task, attempts = busy.pop(connection)
                self._busy.remove(worker)
                try:
                    failed, outcome = connection.recv()
                except (EOFError, OSError):
                    self._workers.remove(worker)
                    code = worker.end()
                    if attempts > 1:
                        waiting.appendleft((task, attempts - 1))
                    else:
                        yield task, WorkerError(f"the worker process died, {_ATTEMPTS} times ({_how(code)})",
                                                "fewer --jobs need less memory")  # fmt: skip
                    continue
                idle.append(worker)
                yield task, WorkerError("a fault of the harness", detail=outcome) if failed else outcome

    def _start(self) -> _Worker:
        # Removed by us: a worker that is ended in the middle of removing its files leaves a part of them.
        if self._temporary is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="harness-")
        worker = _Worker(self._function, self._temporary.name)
        self._workers.append(worker)
        return worker

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        for worker in self._workers:
            worker.ask_to_end(busy=worker in self._busy)
        for worker in self._workers:
            worker.end()
        self._workers.clear()
        self._idle.clear()
        if self._temporary is not None:
            self._temporary.cleanup()


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"


class _Worker:
    """One process and our end of its pipe."""

    def __init__(self, function: Callable[[Any], Any], temporary: str) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, function, temporary), daemon=True)
        with _ignoring_interrupts():
            self._process.start()
        theirs.close()

    def give(self, task: object) -> None:
        """Send it a task; that it is dead shows when its outcome is read."""
        with contextlib.suppress(OSError):
            self.connection.send(task)

    def ask_to_end(self, busy: bool) -> None:
        """An idle one ends because its pipe does; one that is busy is told to drop what it is doing."""
        self.connection.close()
        if busy:
            self._process.terminate()

    def end(self) -> int | None:
        """See to it that it has ended; returns its exit code, negative for a signal."""
        self._process.join(_GRACE_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        return self._process.exitcode


@contextlib.contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    """A process started in here ignores Ctrl-C from its first instruction on: it is ours to end it in good order."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class _Ended(BaseException):
    """We are to end; on the way out, emulators are ended and temporary files removed."""


def _serve(connection: Connection, function: Callable[[Any], Any], temporary: str) -> None:
    """What a worker does: answer tasks until there are no more, with its temporary files in that folder."""
    os.environ["TMPDIR"] = tempfile.tempdir = temporary
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        signal.signal(signal.SIGTERM, _end)  # in here, as it may come at once
        threading.Thread(target=_follow_parent, daemon=True).start()
        while True:
            try:
                task = connection.recv()
            except EOFError:
                return
            try:
                answer = (False, function(task))
            except Exception:
                answer = (True, traceback.format_exc())
            connection.send(answer)
    except (_Ended, BrokenPipeError, ConnectionResetError):
        return
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _end(_number: int, _frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise _Ended


def _follow_parent() -> None:
    """End where the sweep was killed and can end nobody."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "we are a worker"
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
