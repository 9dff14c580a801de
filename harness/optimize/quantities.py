"""Quantities of a scenario file ("20 ms", "64 KiB", "225mAh@3V"), with errors that name the units of the key."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from harness.energy import units
from harness.energy.units import Battery
from harness.errors import BadInputError
from harness.records import Record

T = TypeVar("T")

_DAY_H = 24.0
_WEEK_H, _YEAR_H = 7 * _DAY_H, 365.25 * _DAY_H
_LIFE = {"h": 1.0, "d": _DAY_H, "day": _DAY_H, "days": _DAY_H, "week": _WEEK_H, "weeks": _WEEK_H}
_LIFE |= {"month": _YEAR_H / 12, "months": _YEAR_H / 12, "year": _YEAR_H, "years": _YEAR_H}
_BYTES = {"B": 1.0, "KiB": 1024.0, "MiB": 1024.0 * 1024.0}
_ENERGY = {"nJ": 1e-3, "uJ": 1.0, "mJ": 1e3, "J": 1e6}


class Kind(Record, frozen=True):
    """A kind of quantity: the units that are accepted, and an example."""

    units: str
    example: str


TIME = Kind(units="us, ms, s, min, h, d", example="20 ms")
LIFE = Kind(units="h, d, week, month, year", example="1 year")
SIZE = Kind(units="B, KiB, MiB", example="64 KiB")
ENERGY = Kind(units="nJ, uJ, mJ, J", example="500 uJ")
BATTERY = Kind(units="mAh or Ah at a voltage in V, or mWh, Wh, mJ, J, kJ", example="225mAh@3V")
CURRENT = Kind(units="nA, uA, mA, A", example="2 uA")
POWER = Kind(units="nW, uW, mW, W", example="6 uW")


def seconds(text: str, key: str) -> float:
    """A time in seconds.

    Args:
        text: what the file holds.
        key: of which key, for the error.

    Raises:
        BadInputError: it is none; the message names key and value, the hint the units. So do the others here.
    """
    return _checked(TIME, lambda: units.seconds(text, key))


def hours(text: str, key: str) -> float:
    """How long a battery is to last, in hours; a year is 365.25 days, a month its twelfth."""
    return _checked(LIFE, lambda: units.quantity(text, key, _LIFE, LIFE.example))


def size(text: str, key: str, zero: bool = False) -> int:
    """An amount of memory in bytes."""
    found = _checked(SIZE, lambda: units.quantity(text, key, _BYTES, SIZE.example, zero))
    if not found.is_integer():
        raise BadInputError(f"{key} {text}: no whole number of bytes", f"for example {SIZE.example}")
    return int(found)


def microjoules(text: str, key: str) -> float:
    """An energy in microjoules."""
    return _checked(ENERGY, lambda: units.quantity(text, key, _ENERGY, ENERGY.example))


def battery(text: str, key: str) -> Battery:
    """A battery: a charge at a voltage, or an energy."""
    return _checked(BATTERY, lambda: units.battery(text, key))


def sleep_watts(current: str | None, power: str | None, volts: float | None, key: str) -> float | None:
    """The power between inferences, from a current at the battery's voltage or from a power; None: neither is given."""
    if power is not None:
        return _checked(POWER, lambda: units.watts(power, f"{key}_power"))
    if current is None:
        return None
    amperes = _checked(CURRENT, lambda: units.amperes(current, f"{key}_current"))
    if volts is None:
        raise BadInputError(
            f"{key}_current {current}: the battery says no voltage", f'give it one, "225mAh@3V", or {key}_power'
        )
    return amperes * volts


def _checked(kind: Kind, read: Callable[[], T]) -> T:
    try:
        return read()
    except BadInputError as error:
        near = f"{error.hint} " if (error.hint or "").startswith("did you mean") else ""
        raise BadInputError(error.message, f"{near}units: {kind.units}; for example {kind.example}") from error
