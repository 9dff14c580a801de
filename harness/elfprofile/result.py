"""A profile of a firmware that somebody else built, as it is written and printed."""

from __future__ import annotations

from typing import Any

import msgspec

from harness import json_schema
from harness.errors import BadInputError, NewerSchemaError
from harness.records import Record

SCHEMA = "tflm-harness/elf-profile/1"


class Firmware(Record, frozen=True):
    """The file: name, hash, whether it has names of functions, and what it says it was built for."""

    file: str
    sha256: str
    stripped: bool
    built_for: str | None


class Ran(Record, frozen=True):
    """On what it ran: the platform that was asked for, the machine, whether it stands in, emulator and version."""

    platform: str
    machine: str
    stands_in: bool
    emulator: str
    emulator_version: str
    counter: str | None


class Ended(Record, frozen=True):
    """How the run ended.

    ``by`` is "stop function", "stop text", "semihosting exit", "reset", "instruction limit" or "time limit";
    ``partial``: before the end that was asked for, by a limit of time, or by the firmware. ``exit_code`` is that of
    semihosting.
    """

    by: str
    partial: bool
    exit_code: int | None


class Spread(Record, frozen=True):
    """Instructions of a region's calls: of the shortest, the middle (the lower of two) and the longest one."""

    min: int
    median: int
    max: int


class Call(Record, frozen=True):
    """One call of a region.

    ``at`` is how many instructions had been executed before it; ``instructions`` are those between its entry and its
    return, without ``interrupts``, the instructions of exceptions in between. ``nested``: inside of another call of the
    same region.
    """

    at: int
    instructions: int
    interrupts: int
    nested: bool


class Uncertain(Record, frozen=True):
    """Calls of a region whose count may not mean what it seems to: how many, and why."""

    calls: int
    why: str


class Region(Record, frozen=True):
    """What the calls of a function took.

    ``total`` and ``interrupts`` are of the calls outside of another call of the region, so that recursion counts once.
    ``spread`` is over all calls that ended, None where none did; ``spread_with_interrupts`` where any was interrupted.
    ``unfinished`` calls had not returned at the end and are in none of these. ``rounded``: there were more than a
    million different counts, of which ten bits are kept. ``first_calls`` are the 65,536 that ended first, by ``at``.
    """

    name: str
    function: str
    address: int
    calls: int
    nested: int
    interrupted: int
    unfinished: int
    total: int
    interrupts: int
    spread: Spread | None
    spread_with_interrupts: Spread | None
    rounded: bool
    uncertain: tuple[Uncertain, ...]
    first_calls: tuple[Call, ...]


class FunctionCounts(Record, frozen=True):
    """A function: its own instructions (``exclusive``), and with all that it called (``inclusive``), by class, too.

    An exception's instructions are those of its handler, not of what it interrupted. Recursion counts once.
    """

    name: str
    address: int
    file: str | None
    calls: int
    exclusive: int
    inclusive: int
    exclusive_classes: dict[str, int]
    inclusive_classes: dict[str, int]


class Total(Record, frozen=True):
    """Everything that was executed; ``interrupts`` of it in handlers of exceptions."""

    instructions: int
    interrupts: int
    exceptions: int
    threads: int
    switches: int
    classes: dict[str, int] | None


class ElfProfile(Record, frozen=True):
    """The whole. ``functions`` is None, and ``total.classes``, where the emulator counts regions only."""

    schema: str
    firmware: Firmware
    ran: Ran
    ended: Ended
    total: Total
    regions: tuple[Region, ...]
    functions: tuple[FunctionCounts, ...] | None
    notes: tuple[str, ...]
    uart: str
    console: str

    def to_json(self) -> bytes:
        """Indented UTF-8."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


class _Schema(msgspec.Struct):
    schema: str


def from_json(content: bytes, name: str) -> ElfProfile:
    """Read what ``to_json`` wrote.

    Raises:
        NewerSchemaError: it is of another schema.
        BadInputError: it is no profile.
    """
    try:
        if (schema := msgspec.json.decode(content, type=_Schema).schema) != SCHEMA:
            raise NewerSchemaError(f"{name}: its schema is {schema!r}; this version reads {SCHEMA!r}")
        return msgspec.json.decode(content, type=ElfProfile)
    except msgspec.MsgspecError as error:
        raise BadInputError(f"{name}: not a profile of a firmware ({error})") from error


def schema() -> dict[str, Any]:
    """Its JSON schema."""
    return json_schema.of(ElfProfile)
