"""Estimates against limits. An estimate is a band, not a number: where a limit lies inside, nothing is decided."""

from __future__ import annotations

from typing import Literal

State = Literal["met", "missed", "undecided"]


def against(limit: float, low: float | None, high: float | None) -> State:
    """Whether what is wanted to be small keeps a limit.

    Args:
        limit: the most that it may be, in the unit of the bounds.
        low: what it is at least, None where nothing is known.
        high: what it is at most, None where nothing is known.

    Returns:
        "met" where even the upper bound is within the limit; "missed" where even the lower one is beyond; else
        "undecided", also where there are no bounds: nothing says then how far off the estimate is.
    """
    if high is not None and high <= limit:
        return "met"
    return "missed" if low is not None and low > limit else "undecided"
