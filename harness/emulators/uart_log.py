"""What a firmware printed on its UART, as the emulator writes it to a file."""

from __future__ import annotations

import contextlib
from pathlib import Path


class StopText:
    """A condition, to be polled: one of the texts is in the file, and nothing was added since the last poll."""

    def __init__(self, file: Path, texts: tuple[bytes, ...]) -> None:
        self._file = file
        self._texts = texts
        self._size_before = -1

    def __call__(self) -> bool:
        with contextlib.suppress(FileNotFoundError):  # the emulator has not started yet
            size = self._file.stat().st_size
            if size == self._size_before and self._texts:
                content = self._file.read_bytes()
                return any(text in content for text in self._texts)
            self._size_before = size
        return False


def last_line(uart: str) -> str:
    """The last line that is not empty, in words for a hint."""
    lines = [line for line in uart.splitlines() if line.strip()]
    return f"the last line on its UART: {lines[-1].strip()[:200]}" if lines else "it printed nothing on its UART"


def read(log: Path) -> str:
    """What the firmware printed; nothing where the emulator made no file."""
    return log.read_bytes().decode(errors="replace") if log.exists() else ""
