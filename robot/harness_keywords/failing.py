"""Keywords that make firmware fail, and return what it or the harness says."""

from __future__ import annotations

from pathlib import Path

from robot.api.deco import keyword

from harness import bad_frames, faults
from harness.setup import DEFAULT_TIME_LIMIT_S
from harness_keywords.base import Keywords, progress, said_by_the_harness


class Failing(Keywords):
    """Each calls one function of the Python API."""

    @keyword
    @said_by_the_harness
    def send_bad_frame(
        self,
        kind: str,
        model: Path,
        platform: str,
        kernels: str = "reference",
        optimisation: str = "-O2",
        emulator: str = "qemu",
        time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    ) -> str:
        """Sends firmware that serves a frame that is none, between two inferences, and returns what it answers.

        ``kind`` is ``wrong CRC``, ``too short``, ``too long``, ``unknown type`` or ``bad argument``. Fails where no
        error frame comes, or where the second inference gives other outputs than the first.
        """
        return bad_frames.send(
            kind,
            model,
            platform,
            kernels=kernels,
            optimisation=optimisation,
            emulator=emulator,
            time_limit_s=time_limit_s,
            progress=progress,
        )

    @keyword
    @said_by_the_harness
    def damage_the_model(
        self,
        model: Path,
        platform: str,
        kernels: str = "reference",
        optimisation: str = "-O2",
        emulator: str = "qemu",
        time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    ) -> str:
        """Flips a bit of the network in the firmware's flash, and runs it. Returns how the harness names the cause."""
        return faults.corrupted_model(
            model,
            platform,
            kernels=kernels,
            optimisation=optimisation,
            emulator=emulator,
            time_limit_s=time_limit_s,
        )

    @keyword
    @said_by_the_harness
    def shrink_the_arena(
        self,
        model: Path,
        platform: str,
        kernels: str = "reference",
        optimisation: str = "-O2",
        emulator: str = "qemu",
        time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    ) -> str:
        """Runs firmware whose arena is one step too small. Returns how the harness names the cause."""
        return faults.small_arena(
            model,
            platform,
            kernels=kernels,
            optimisation=optimisation,
            emulator=emulator,
            time_limit_s=time_limit_s,
        )

    @keyword
    @said_by_the_harness
    def overflow_the_stack(
        self,
        model: Path,
        platform: str,
        kernels: str = "reference",
        optimisation: str = "-O2",
        emulator: str = "qemu",
        time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    ) -> str:
        """Runs firmware that recurses until its stack is full. Returns how the harness names the cause."""
        return faults.stack_overflow(
            model,
            platform,
            kernels=kernels,
            optimisation=optimisation,
            emulator=emulator,
            time_limit_s=time_limit_s,
        )

    @keyword
    @said_by_the_harness
    def hang_under_the_watchdog(
        self,
        model: Path,
        platform: str,
        kernels: str = "reference",
        optimisation: str = "-O2",
        emulator: str = "qemu",
        time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    ) -> str:
        """Runs firmware that loops for ever under a watchdog. Returns how the harness names the cause."""
        return faults.hang(
            model,
            platform,
            kernels=kernels,
            optimisation=optimisation,
            emulator=emulator,
            time_limit_s=time_limit_s,
        )
