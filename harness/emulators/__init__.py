"""Emulators: each one runs a job and returns its trace."""

from __future__ import annotations

from typing import Protocol, Self

from harness.emulators import qemu, renode
from harness.records import EmulatorInfo, Job, Machine, Segment, Trace


class Session(Protocol):
    """A firmware that is running and talks on its console. A context manager: leaving it ends the emulator."""

    @property
    def info(self) -> EmulatorInfo:
        """Which emulator runs it."""
        ...

    def write(self, data: bytes) -> None:
        """Send bytes to the firmware's console.

        Raises:
            EmulationError: the emulator has ended.
        """
        ...

    def read(self, timeout_s: float) -> bytes:
        """What the firmware has printed since the last call; empty where nothing came in time.

        Raises:
            EmulationError: the emulator has ended, and everything that the firmware printed has been read.
        """
        ...

    def segments(self, count: int, timeout_s: float) -> tuple[Segment, ...]:
        """The next ``count`` segments, each closed by a mark; the first runs from reset to the first mark.

        Raises:
            EmulationError: they did not come in time, or cannot be counted exactly.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *raised: object) -> None: ...


class Emulator(Protocol):
    """What a backend offers. It is a module or an object; it keeps no state between runs."""

    def run(self, job: Job) -> Trace:
        """Run the job's firmware to its end and return what was executed.

        Raises:
            MissingToolError: the emulator, or what its counter is built with, is not installed.
            EmulationError: the emulator died, did not end within the time limit, or its counts are incomplete.
        """
        ...

    def instructions_per_second(self, machine: Machine, /) -> int:
        """What is executed in a second of the machine's own time, in jobs without a mark."""
        ...

    def open(self, job: Job) -> Session:
        """Start the job's firmware and leave it running. ``job.time_limit_s`` bounds the start and each write.

        Raises:
            MissingToolError: as ``run``.
            EmulationError: the emulator did not start.
        """
        ...


_QEMU: Emulator = qemu
_RENODE: Emulator = renode

BACKENDS = {"qemu": _QEMU, "renode": _RENODE}
