"""One comparison: what a board measured, what was emulated, how far they are apart, whether it is the same effect."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

from harness.records import Record

# A measured ratio this near to 1 is no effect: repeated builds of one program differ by as much through its layout.
NOTICEABLE = 0.02
# An emulated ratio this near to 1 does not reproduce an effect that was measured.
SEEN = 0.01
# Where no effect was measured, an emulated one may be this large before the two are said to disagree.
TOLERATED = 0.05

# "ratio": of two latencies, or of two counts; "share": a layer's part of a whole, 0 to 1; "correlation": of ranks.
Unit = Literal["ratio", "share", "correlation"]
Verdict = Literal["yes", "none in both", "opposite", "measured only", "emulated only"]


class Line(Record, frozen=True):
    """A line of a comparison.

    ``figure`` is the paper's ("fig. 2", "table 4"), ``effect`` what is compared, ``case`` where. ``measured`` comes
    from the boards' latencies, ``emulated`` from counts of instructions; both are without a unit, so that they can be
    compared. ``emulated`` is None where the count is missing. ``judged``: it is an effect whose direction counts.
    """

    figure: str
    effect: str
    case: str
    unit: Unit
    measured: float
    emulated: float | None
    judged: bool = False

    @property
    def deviation(self) -> float | None:
        """Emulated against measured: relative for ratios, the difference for shares; None where one is missing."""
        if self.emulated is None:
            return None
        return self.emulated / self.measured - 1 if self.unit == "ratio" else self.emulated - self.measured

    @property
    def verdict(self) -> Verdict | None:
        """Whether emulation shows the effect in its measured direction; None where it is not judged, or not emulated.

        Where nothing was measured (a ratio within NOTICEABLE of 1), emulation must show next to nothing (TOLERATED).
        """
        if not self.judged or self.emulated is None:
            return None
        if not self.effective:
            return "none in both" if abs(self.emulated - 1) <= TOLERATED else "emulated only"
        if abs(self.emulated - 1) <= SEEN:
            return "measured only"
        return "yes" if (self.emulated > 1) == (self.measured > 1) else "opposite"

    @property
    def reproduced(self) -> bool | None:
        """Whether the verdict is one of agreement; None where there is none."""
        return None if self.verdict is None else self.verdict in ("yes", "none in both")

    @property
    def effective(self) -> bool:
        """Whether the measured ratio is an effect at all."""
        return abs(self.measured - 1) > NOTICEABLE


class Summary(Record, frozen=True):
    """The lines of one effect: geometric means, ranges, the median size of the deviations, how many are reproduced.

    ``lines`` and ``reproduced`` are of all lines. The rest is of the ``effective`` ones, where an effect was measured;
    of all where there are none. ``compared`` of them were emulated.

    ``part`` is how much of the measured effect emulation shows, over the lines that have one: the logarithm of the
    emulated mean by that of the measured one; 1 is all of it, more is too much, None where nothing was measured.
    """

    effect: str
    lines: int
    compared: int
    effective: int
    measured: float
    measured_range: tuple[float, float]
    emulated: float | None
    emulated_range: tuple[float, float] | None
    deviation: float | None
    part: float | None
    reproduced: int


def summary(effect: str, lines: Iterable[Line]) -> Summary | None:
    """Sum up the judged ratios of one effect; None where there are none."""
    mine = [line for line in lines if line.effect == effect and line.judged]
    if not mine:
        return None
    shown = [line for line in mine if line.effective] or mine
    both = [line for line in shown if line.emulated is not None]
    measured = [line.measured for line in shown]
    emulated = [line.emulated for line in both if line.emulated is not None]
    deviations = sorted(abs(line.deviation) for line in both if line.deviation is not None)
    return Summary(
        effect=effect,
        lines=len(mine),
        compared=len(both),
        effective=sum(line.effective for line in mine),
        measured=geometric_mean(measured),
        measured_range=(min(measured), max(measured)),
        emulated=geometric_mean(emulated) if emulated else None,
        emulated_range=(min(emulated), max(emulated)) if emulated else None,
        deviation=median(deviations) if deviations else None,
        part=_part([line for line in both if line.effective]),
        reproduced=sum(line.reproduced is True for line in mine),
    )


def _part(lines: list[Line]) -> float | None:
    emulated = sum(math.log(line.emulated) for line in lines if line.emulated is not None)
    measured = sum(math.log(line.measured) for line in lines)
    return emulated / measured if measured else None


def summaries(lines: Iterable[Line]) -> tuple[Summary, ...]:
    """The summary of each judged effect, in the order of the lines."""
    kept = tuple(lines)
    found = (summary(effect, kept) for effect in dict.fromkeys(line.effect for line in kept))
    return tuple(item for item in found if item is not None)


def geometric_mean(values: list[float]) -> float:
    """Of at least one positive number."""
    return math.exp(sum(math.log(value) for value in values) / len(values))


def median(ordered: list[float]) -> float:
    """Of at least one number; they are in order."""
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
