"""What a plot says of a sweep's points: those that were measured, a label for each, and what they have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from harness.sources import TFLM_VINTAGE
from harness.sweep.plan import Plan
from harness.sweep.tables import PointRow

AXES = ("model", "platform", "kernels", "optimisation", "fpu", "emulator")


class Swept(NamedTuple):
    """A stored sweep: its plan, its points and their frames; ``points`` has a row for each of ``rows``, in order."""

    plan: Plan
    rows: tuple[PointRow, ...]
    points: Any
    layers: Any


class Picture(NamedTuple):
    """A plot before it is a file."""

    kind: str
    name: str
    figure: Any


class NotDrawn(NamedTuple):
    """A plot that there is not, with the reason."""

    kind: str
    name: str
    reason: str


def measured(points: Any) -> Any:
    """The rows of points that have counts."""
    return points[points["instructions"].notna()]


def varying(points: Any, axes: Sequence[str] = AXES) -> tuple[str, ...]:
    """The axes on which the points differ; not the FPU where the platform decides it."""
    found = tuple(axis for axis in axes if points[axis].nunique(dropna=False) > 1)
    if "fpu" in found and (points.groupby("platform")["fpu"].nunique(dropna=False) == 1).all():
        return tuple(axis for axis in found if axis != "fpu")
    return found


def label(row: Any, axes: Sequence[str]) -> str:
    """A point by its values on some axes; the FPU as "fpu" or "no fpu"."""
    return " ".join(_value(axis, row[axis]) for axis in axes) or str(row["model"])


def labels(points: Any, axes: Sequence[str] | None = None) -> list[str]:
    """Each point by its values on the axes on which they differ, or on those given."""
    chosen = varying(points) if axes is None else axes
    return [label(row, chosen) for _, row in points.iterrows()]


def _value(axis: str, value: Any) -> str:
    if axis == "fpu":
        return "no fpu" if value == "none" else "fpu"
    return str(value)


def facts(points: Any, axes: Sequence[str] = AXES) -> str:
    """What the points have in common: values on axes, TFLM's vintage, compiler, emulator."""
    common = [
        _value(axis, points[axis].iloc[0])
        for axis in axes
        if axis not in ("fpu", "emulator") and points[axis].nunique(dropna=False) == 1
    ]
    compilers = " and ".join(sorted(points["compiler"].dropna().unique()))
    emulators = " and ".join(sorted((points["emulator"] + " " + points["emulator_version"]).dropna().unique()))
    return " · ".join(part for part in (*common, TFLM_VINTAGE, compilers, emulators) if part)


def number_of(number: int, noun: str = "point") -> str:
    """ "1 point", "2 points"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
