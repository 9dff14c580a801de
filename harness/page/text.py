"""Text and numbers as the report writes them.

Names come from files that anybody may have made: what is no visible character is replaced here, and everything is
escaped where it becomes markup (by Jinja, and by xml.etree in drawings).
"""

from __future__ import annotations

import math
import unicodedata

from harness.page.values import Number

LONGEST_NAME = 200
SHORT_NAME = 100  # of names that stand in another table in full
_KEPT = 0.3  # share of a name's end that stays when its middle is cut out
_GROUP = "\u202f"  # narrow no-break space
_MINUS = "\u2212"
_NONE = "-"


def clean(text: str) -> str:
    """One line of visible characters and spaces.

    Control characters, marks that turn the direction of writing, halves of surrogate pairs and unassigned characters
    become U+FFFD; strong letters of either direction stay.
    """
    line = " ".join(text.split("\n")) if "\n" in text else text
    if line.isascii() and line.isprintable():
        return line
    return "".join(character if _is_shown(character) else "\ufffd" for character in line)


def _is_shown(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == "Zs"


def name(text: str, longest: int = LONGEST_NAME) -> str:
    """A name: as ``clean``, and its middle left out where it has more characters than ``longest``."""
    line = clean(text)
    if len(line) <= longest:
        return line
    kept = int(_KEPT * longest)
    return f"{line[: longest - kept - 1]}\u2026{line[-kept:]}"


def value(number: float, digits: int = 0, signed: bool = False) -> str:
    """In full, in groups of three digits: "7 746 538" with narrow spaces. ``signed``: "+" where it is above 0."""
    if not math.isfinite(number):
        return "not finite"
    written = f"{abs(number):,.{digits}f}".replace(",", _GROUP)
    if not any(digit in written for digit in "123456789"):
        return written
    return f"{_MINUS}{written}" if number < 0 else f"+{written}" if signed else written


def bounds(number: Number) -> str:
    """The band of an estimate, without its unit; "" where the number is none, or is missing."""
    if number.origin != "estimated" or number.value is None:
        return ""
    low = None if number.low is None else value(number.low, number.digits, number.signed)
    high = None if number.high is None else value(number.high, number.digits, number.signed)
    if low is None:
        return "no bounds" if high is None else f"at most {high}"
    return f"at least {low}" if high is None else f"{low} to {high}"


def shown(number: Number) -> str:
    """A number without its unit: an estimate with "≈" in front, what is missing as "-"."""
    if number.value is None:
        return _NONE
    written = value(number.value, number.digits, number.signed)
    return f"\u2248{_GROUP}{written}" if number.origin == "estimated" else written


def spoken(number: Number) -> str:
    """A number with its unit and band, for texts and tooltips."""
    if number.value is None:
        return f"{_NONE} ({clean(number.reason or '')})"
    band = bounds(number)
    unit = f"\u00a0{number.unit}" if number.unit else ""
    return f"{shown(number)}{unit}" + (f" ({band})" if band else "")
