"""Firmware that fails on purpose: what it reports, and how the harness names the cause."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from harness import image, reference, scenario, wire
from harness.elf import Elf
from harness.errors import EmulationError, HarnessError
from harness.setup import Options

_STEP = 16  # of TFLM's arena
_WATCHDOG_TICKS = 1_000_000


def corrupted_model(model: str | Path, platform: str, **options: Any) -> str:
    """Flip one bit in the middle of the model in flash; returns how the harness names the cause.

    Args of all functions here: a .tflite file, a platform, and fields of ``setup.Options``.

    Raises:
        HarnessError: the firmware ran through, or could not be built or run.
    """
    made = scenario.make(model, platform, Options(**options))
    elf = made.link(made.spec(image.APP_PROFILE, made.arena.needed))
    content = bytearray(elf.path.read_bytes())
    start = content.find(made.setup.model.content)
    if start < 0:
        raise HarnessError(f"{elf.path} does not hold the model")
    content[start + len(made.setup.model.content) // 2] ^= 1
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        damaged = Path(folder) / "damaged.elf"
        damaged.write_bytes(content)
        return _cause(made, Elf(damaged))


def small_arena(model: str | Path, platform: str, **options: Any) -> str:
    """Give an arena that is one step too small."""
    made = scenario.make(model, platform, Options(**options))
    return _cause(made, made.link(made.spec(image.APP_PROFILE, made.arena.needed - _STEP)))


def stack_overflow(model: str | Path, platform: str, **options: Any) -> str:
    """Recurse until the stack is full."""
    made = scenario.make(model, platform, Options(**options))
    return _cause(made, made.link(made.spec(image.APP_OVERFLOW, made.arena.needed)))


def hang(model: str | Path, platform: str, **options: Any) -> str:
    """Loop for ever under a watchdog."""
    made = scenario.make(model, platform, Options(**options))
    schedule = image.Schedule(ticks=_WATCHDOG_TICKS, interrupts=1, frames=1)
    return _cause(made, made.link(made.spec(image.APP_HANG, made.arena.needed, schedule)))


def _cause(made: scenario.Scenario, elf: Elf) -> str:
    try:
        _, console = made.run(elf)
    except EmulationError as error:  # an emulator that sees it before the firmware can say it
        return error.message
    if console.status == wire.STATUS_OK:
        raise HarnessError("the firmware ran through, although it had to fail")
    return reference.describe_failure(console, made.setup.model)
