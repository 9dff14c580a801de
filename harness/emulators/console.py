"""The console of a program that goes on while we talk to it: one end of a socket pair, and pipes beside it."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Callable

from harness import process
from harness.errors import EmulationError

_PIECE_BYTES = 1 << 16
_END_S = 5.0
# Of what was printed, for the message where the program dies.
_TAIL_BYTES = 4096


class Console:
    """A program that is started with a descriptor for its console, and ended by ``close``.

    Nothing has a path or a port. One loop serves the console and the pipes whenever we are called, so nothing is shared
    between threads; between the calls the program waits at a full pipe.

    Args:
        start: starts the program with this descriptor, which it inherits under the same number.
        pipes: our ends of pipes from the program, and what takes their bytes. They are closed with the console.
        patience_s: how long ``write`` waits for a program that takes nothing.
        death: the error for a program that has ended, and for the end of what it printed.
    """

    def __init__(
        self,
        start: Callable[[int], process.Running],
        *,
        pipes: dict[int, Callable[[bytes], None]],
        patience_s: float,
        death: Callable[[process.Finished, bytes], EmulationError],
    ) -> None:
        self._pipes = pipes
        self._patience_s = patience_s
        self._death = death
        self._received = bytearray()
        self._tail = b""
        self._ended = False
        self._started = time.monotonic()
        self._socket, theirs = socket.socketpair()
        self._socket.setblocking(False)
        for pipe in pipes:
            os.set_blocking(pipe, False)
        self._program: process.Running | None = None
        try:
            with theirs:
                self._program = start(theirs.fileno())
        except BaseException:
            self.close()
            raise

    def write(self, data: bytes) -> None:
        """Send all of it.

        Raises:
            EmulationError: the program has ended, or takes nothing for ``patience_s`` seconds.
        """
        left = memoryview(data)
        while left:
            sent = self._serve(self._patience_s, left)
            if sent is None:
                raise EmulationError(
                    f"the firmware took no byte for {self._patience_s:g} s, with {len(left)} of {len(data)} to send"
                )
            if self._ended:
                raise self._dead()
            left = left[sent:]

    def read(self, timeout_s: float) -> bytes:
        """What has come since the last call; empty where nothing came in time.

        Raises:
            EmulationError: the program has ended, and all of its output was read.
        """
        self.wait(lambda: bool(self._received), timeout_s)
        if not self._received and self._ended:
            raise self._dead()
        data = bytes(self._received)
        self._received.clear()
        return data

    def wait(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Serve console and pipes until this is so, the program has ended, or the time is over; returns whether it is.

        What is there already is served in any case.
        """
        deadline = time.monotonic() + timeout_s
        while not done() and not self._ended:
            remaining = deadline - time.monotonic()
            if self._serve(max(remaining, 0.0)) is None and remaining <= 0:
                break
        return done()

    def require_alive(self) -> None:
        """Do nothing while the program runs.

        Raises:
            EmulationError: it has ended.
        """
        if self._ended:
            raise self._dead()

    def close(self) -> None:
        """End the program and everything that it started; nothing happens the second time."""
        self._ended = True
        self._socket.close()
        while self._pipes:
            os.close(self._pipes.popitem()[0])
        if self._program is not None:
            self._program.end()

    def _serve(self, timeout_s: float, sending: memoryview | None = None) -> int | None:
        """Wait for one event and serve it: the number of bytes sent, or None where nothing happened in time."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN | (select.POLLOUT if sending else 0))
        for pipe in self._pipes:
            poll.register(pipe, select.POLLIN)
        events = dict(poll.poll(timeout_s * 1000))
        if not events:
            return None
        event = events.pop(self._socket.fileno(), 0)
        for pipe in events:
            self._take_pipe(pipe)
        if event & ~select.POLLOUT:
            self._take_console()
        if sending and event & select.POLLOUT and not self._ended:
            try:
                return self._socket.send(sending[:_PIECE_BYTES])
            except ConnectionError:
                self._end()
        return 0

    def _take_pipe(self, pipe: int) -> bool:
        """Take a piece of what is in a pipe; returns whether there may be more."""
        try:
            data = os.read(pipe, _PIECE_BYTES)
        except BlockingIOError:
            return False
        if data:
            self._pipes[pipe](data)
        else:
            del self._pipes[pipe]
            os.close(pipe)
        return bool(data)

    def _take_console(self) -> None:
        try:
            data = self._socket.recv(_PIECE_BYTES)
        except ConnectionError:
            data = b""
        if data:
            self._received += data
            self._tail = (self._tail + data)[-_TAIL_BYTES:]
        else:
            self._end()

    def _end(self) -> None:
        """The other side has closed: what is in the pipes is all there will be."""
        if self._ended:
            return
        self._ended = True
        for pipe in tuple(self._pipes):
            while self._take_pipe(pipe):
                pass

    def _dead(self) -> EmulationError:
        program = self._program
        if program is None or self._socket.fileno() < 0:
            return EmulationError("the firmware was ended")
        code = program.wait(_END_S)
        stopped = code is None
        program.end()
        assert program.returncode is not None, "it was waited for"
        return self._death(
            process.Finished(
                returncode=program.returncode,
                stdout=program.stdout.text(),
                stderr=program.stderr.text(),
                seconds=time.monotonic() - self._started,
                timed_out=False,
                stopped=stopped,
            ),
            self._tail,
        )
