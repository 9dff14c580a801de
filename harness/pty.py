"""A pseudo-terminal that programs open as they would a board's serial port."""

from __future__ import annotations

import os
import select
import tty
from typing import Self

from harness.errors import MissingToolError

_PATIENCE_MS = 1000
_CHUNK = 65536


class PseudoTerminal:
    """One pseudo-terminal, raw and without echo. A context manager: leaving it closes both sides.

    ``path`` is what a client opens. Clients come and go: this side keeps the terminal open too, so that the settings
    stay and none of them ends it. What a client leaves unread stays for the next one, who flushes it on opening, as
    pyserial does.

    Raises:
        MissingToolError: this system gives none, as a container without /dev/pts.
    """

    def __init__(self) -> None:
        try:
            self._ours, self._theirs = os.openpty()
        except OSError as error:
            raise MissingToolError(
                f"there are no pseudo-terminals on this system: {error.strerror}",
                "mount -t devpts devpts /dev/pts, as root",
            ) from error
        tty.setraw(self._theirs)
        os.set_blocking(self._ours, False)
        self.path = os.ttyname(self._theirs)
        self._stalled = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        os.close(self._theirs)
        os.close(self._ours)

    def read(self, timeout_s: float) -> bytes:
        """What a client has sent since the last call; empty where nothing came in time."""
        # Also without a client, where that is an event: reading then raises.
        return os.read(self._ours, _CHUNK) if self._events(select.POLLIN, round(timeout_s * 1000)) else b""

    def write(self, data: bytes) -> int:
        """Send bytes to the client; returns how many were lost, as on a serial line that nobody reads.

        Bytes are lost once the terminal's buffer (some KiB) is full and the client has read nothing for a second, and
        then until it reads again.
        """
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._ours, rest) :]
                self._stalled = False
            except BlockingIOError:
                if self._stalled or not self._events(select.POLLOUT, _PATIENCE_MS) & select.POLLOUT:
                    self._stalled = True
                    break
        return len(rest)

    def _events(self, event: int, timeout_ms: int) -> int:
        """Wait for an event: poll's bits, 0 where nothing happened in time."""
        waiting = select.poll()
        waiting.register(self._ours, event)
        return next((bits for _, bits in waiting.poll(timeout_ms)), 0)
