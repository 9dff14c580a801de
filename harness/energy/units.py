"""Quantities as a user writes them ("225mAh@3V", "2uA", "1s"), read strictly: a number, a unit, nothing guessed."""

from __future__ import annotations

import math
import re

from harness.errors import BadInputError
from harness.records import Record

_TIME = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_CURRENT = {"nA": 1e-9, "uA": 1e-6, "mA": 1e-3, "A": 1.0}
_POWER = {"nW": 1e-9, "uW": 1e-6, "mW": 1e-3, "W": 1.0}
_VOLTAGE = {"mV": 1e-3, "V": 1.0}
_CHARGE = {"mAh": 3.6, "Ah": 3600.0}
_ENERGY = {"mWh": 3.6, "Wh": 3600.0, "mJ": 1e-3, "J": 1.0, "kJ": 1e3}
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE]([+-]?[0-9]{1,2}))?\s*([A-Za-zµμ]+)")


class Battery(Record, frozen=True):
    """A store of energy in joules; ``volts`` None where it was given in units of energy alone."""

    joules: float
    volts: float | None


def seconds(text: str, option: str) -> float:
    """A time: "500ms", "1s", "2.5min", "1h", "1d".

    Args:
        text: what was given.
        option: its name, for the error.

    Raises:
        BadInputError: it is no time above 0. So do the other functions here, each for its unit.
    """
    return quantity(text, option, _TIME, "1s or 500ms")


def amperes(text: str, option: str) -> float:
    """A current: "2uA", "13.6mA"; 0 is one."""
    return quantity(text, option, _CURRENT, "2uA or 13.6mA", zero=True)


def watts(text: str, option: str) -> float:
    """A power: "45mW", "6uW"; 0 is one."""
    return quantity(text, option, _POWER, "45mW or 6uW", zero=True)


def volts(text: str, option: str) -> float:
    """A voltage: "3.3V"."""
    return quantity(text, option, _VOLTAGE, "3.3V")


def amperes_or_watts(text: str, option: str) -> tuple[float | None, float | None]:
    """A current or a power: the other one of the two is None."""
    value, unit = _split(text, option, {**_CURRENT, **_POWER}, "5mA or 20mW")
    return (value * _CURRENT[unit], None) if unit in _CURRENT else (None, value * _POWER[unit])


def battery(text: str, option: str) -> Battery:
    """A battery: charge at a voltage ("225mAh@3V", "2.4Ah@3.6V"), or energy ("675mWh", "2430J", "2430J@3V")."""
    content, at, voltage = text.partition("@")
    value, unit = _split(content.strip(), option, {**_CHARGE, **_ENERGY}, "225mAh@3V or 2430J")
    supply = volts(voltage.strip(), option) if at else None
    if unit in _ENERGY:
        return Battery(joules=value * _ENERGY[unit], volts=supply)
    if supply is None:
        raise BadInputError(f"{option} {text}: a charge has no energy without a voltage", f"for example {text}@3V")
    return Battery(joules=value * _CHARGE[unit] * supply, volts=supply)


def quantity(text: str, option: str, known: dict[str, float], example: str, zero: bool = False) -> float:
    """A number with one of the units ``known``, in what those are factors to; ``example`` is for the error."""
    value, unit = _split(text, option, known, example, zero)
    return value * known[unit]


def _split(text: str, option: str, known: dict[str, float], example: str, zero: bool = False) -> tuple[float, str]:
    units = ", ".join(known)
    if re.fullmatch(r"[0-9.]+", text):
        raise BadInputError(f"{option} {text}: a unit is missing", f"one of {units}: {example}")
    found = _QUANTITY.fullmatch(text)
    if found is None:
        raise BadInputError(f"{option} {text!r}: not a number with a unit", f"for example {example}")
    unit = found[3].replace("µ", "u").replace("μ", "u")
    if unit not in known:
        near = [name for name in known if name.lower() == unit.lower()]
        raise BadInputError(
            f"{option} {text}: unknown unit {found[3]!r}", f"did you mean {near[0]}?" if near else f"one of {units}"
        )
    value = float(f"{found[1]}e{found[2] or 0}")
    if not math.isfinite(value) or value < 0 or (value == 0 and not zero):
        raise BadInputError(f"{option} {text}: must be above 0", f"for example {example}")
    return value, unit
