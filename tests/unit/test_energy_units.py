"""Quantities with units: what is read, and that nothing is guessed."""

from __future__ import annotations

import pytest

from harness.energy import units
from harness.errors import BadInputError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1), ("500ms", 0.5), ("250us", 250e-6), ("2.5min", 150), ("1h", 3600), ("2d", 172_800), ("1e1 s", 10)],
)
def test_times(text: str, seconds: float) -> None:
    assert units.seconds(text, "--period") == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "joules", "volts"),
    [
        ("225mAh@3V", 2430, 3),
        ("2.4Ah@3.6V", 31_104, 3.6),
        ("675mWh", 2430, None),
        ("1Wh@3000mV", 3600, 3),
        ("2430J@3V", 2430, 3),
        ("2430J", 2430, None),
    ],
)
def test_batteries(text: str, joules: float, volts: float | None) -> None:
    found = units.battery(text, "--battery")
    assert (found.joules, found.volts) == (pytest.approx(joules), volts)


def test_currents_and_powers() -> None:
    assert units.amperes("2uA", "x") == units.amperes("2µA", "x") == pytest.approx(2e-6)
    assert units.amperes("0A", "x") == 0
    assert units.watts("45mW", "x") == pytest.approx(0.045)
    assert units.volts("3.3V", "x") == 3.3
    assert units.amperes_or_watts("5mA", "x") == (pytest.approx(5e-3), None)
    assert units.amperes_or_watts("20mW", "x") == (None, pytest.approx(20e-3))


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("1", "a unit is missing", "1s or 500ms"),
        ("1S", "unknown unit 'S'", "did you mean s?"),
        ("1sec", "unknown unit 'sec'", "one of us, ms, s"),
        ("s", "not a number with a unit", "for example"),
        ("-1s", "not a number with a unit", "for example"),
        ("1,5s", "not a number with a unit", "for example"),
        ("0s", "must be above 0", "for example"),
        ("nans", "not a number with a unit", "for example"),
        ("1s1s", "not a number with a unit", "for example"),
        ("", "not a number with a unit", "for example"),
    ],
)
def test_what_is_no_time(text: str, message: str, hint: str) -> None:
    with pytest.raises(BadInputError) as error:
        units.seconds(text, "--period")
    assert message in error.value.message and error.value.message.startswith("--period")
    assert hint in (error.value.hint or "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("225mAh", "a charge has no energy without a voltage"),
        ("225mAh@", "not a number with a unit"),
        ("225mAh@3", "a unit is missing"),
        ("225mah@3V", "unknown unit 'mah'"),
        ("225mAh@0V", "must be above 0"),
        ("3V@225mAh", "unknown unit 'V'"),
        ("225mA@3V", "unknown unit 'mA'"),
    ],
)
def test_what_is_no_battery(text: str, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        units.battery(text, "--battery")
