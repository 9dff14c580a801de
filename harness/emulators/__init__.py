"""Emulators: each one runs a job and returns its trace."""

from __future__ import annotations

from typing import Protocol

from harness.emulators import qemu
from harness.records import Job, Trace


class Emulator(Protocol):
    """What a backend offers. It is a module or an object; it keeps no state between runs."""

    def run(self, job: Job) -> Trace:
        """Run the job's firmware to its end and return what was executed.

        Raises:
            MissingToolError: the emulator, or what its counter is built with, is not installed.
            EmulationError: the emulator died, did not end within the time limit, or its counts are incomplete.
        """
        ...


_QEMU: Emulator = qemu

BACKENDS = {"qemu": _QEMU}
