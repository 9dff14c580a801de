"""A number as the report shows it: with its unit, and whether it was measured, derived or estimated.

A number that is not there has a reason, and is shown as "-", never as 0.
"""

from __future__ import annotations

from typing import Literal

from harness.records import Record

Origin = Literal["measured", "derived", "estimated", "given"]


class Number(Record, frozen=True):
    """One number of the report.

    ``origin`` is "measured" (counted by the emulator, or read from the firmware's file), "derived" (computed from what
    was measured and from the network's file, exactly), "estimated" (what a model says, between ``low`` and ``high``) or
    "given" (a limit, a size of the board). ``value`` None: there is none, and ``reason`` says why. ``low`` and ``high``
    are the bounds of an estimate, None where nothing bounds it. ``digits`` are those behind the point; integers are
    shown in full, with thin groups of three. ``signed``: a change, shown with its sign also where it is above 0.
    """

    value: float | None
    unit: str
    origin: Origin
    low: float | None = None
    high: float | None = None
    digits: int = 0
    reason: str | None = None
    signed: bool = False

    def __post_init__(self) -> None:
        if (self.value is None) != (self.reason is not None):
            raise ValueError("a number has a value, or a reason why there is none")
        if self.origin != "estimated" and (self.low is not None or self.high is not None):
            raise ValueError(f"bounds belong to estimates, not to what is {self.origin}")


def measured(value: float, unit: str, digits: int = 0) -> Number:
    """What the emulator counted, or a file's contents say."""
    return Number(value=value, unit=unit, origin="measured", digits=digits)


def derived(value: float, unit: str, digits: int = 0) -> Number:
    """What follows exactly from measured numbers and from the network's file: shares, quotients, sums."""
    return Number(value=value, unit=unit, origin="derived", digits=digits)


def given(value: float, unit: str, digits: int = 0) -> Number:
    """A limit that somebody set, or a property of the board."""
    return Number(value=value, unit=unit, origin="given", digits=digits)


def estimated(value: float, unit: str, low: float | None, high: float | None, digits: int = 0) -> Number:
    """What a model says, with its bounds; None where nothing bounds it on that side."""
    return Number(value=value, unit=unit, origin="estimated", low=low, high=high, digits=digits)


def missing(unit: str, reason: str, origin: Origin = "measured") -> Number:
    """A number that is not there, and why; ``origin`` is what it would be."""
    return Number(value=None, unit=unit, origin=origin, reason=reason)
