"""A client of MLPerf Tiny's protocol, written for the tests: it opens a terminal as a script opens a board's port."""

from __future__ import annotations

import os
import select
from collections.abc import Sequence
from types import TracebackType
from typing import Self

READY = b"m-ready\r\n"
BYTES_A_LINE = 31  # as the benchmark's runner sends them


def load_commands(data: bytes) -> list[str]:
    """The commands that load these bytes."""
    lines = range(0, len(data), BYTES_A_LINE)
    return [f"db load {len(data)}", *(f"db {data[at : at + BYTES_A_LINE].hex()}" for at in lines)]


def lap_times(lines: Sequence[str]) -> list[int]:
    """Microseconds of the timestamps in an answer."""
    return [int(line.removeprefix("m-lap-us-")) for line in lines if line.startswith("m-lap-us-")]


def results(lines: Sequence[str]) -> list[float]:
    """The numbers of the only results in an answer."""
    (line,) = (line for line in lines if line.startswith("m-results-["))
    return [float(number) for number in line.removeprefix("m-results-[").removesuffix("]").split(",")]


class Port:
    """The terminal, opened; a context manager. ``timeout_s`` bounds the silence before an answer's next bytes."""

    def __init__(self, path: str, timeout_s: float = 30.0) -> None:
        self._handle = os.open(path, os.O_RDWR | os.O_NOCTTY)
        self._timeout_s = timeout_s
        self._received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._handle)

    def write(self, data: bytes) -> None:
        """Send bytes and wait for nothing."""
        while data:
            data = data[os.write(self._handle, data) :]

    def answer(self) -> list[str]:
        """Lines up to the next m-ready, which is left out."""
        while READY not in self._received:
            ready = select.select([self._handle], [], [], self._timeout_s)[0]
            assert ready, f"no answer after {self._received!r}"
            self._received += os.read(self._handle, 65536)
        text, _, self._received = self._received.partition(READY)
        return text.decode("ascii").splitlines()

    def send(self, command: str) -> list[str]:
        """Send one command; returns its answer without the last line."""
        self.write(command.encode() + b"%")
        return self.answer()

    def load(self, data: bytes) -> list[str]:
        """Load these bytes; returns all answers without their last lines."""
        return [line for command in load_commands(data) for line in self.send(command)]
