"""What formats are made of, and what they make: a run with its command, files before they are written."""

from __future__ import annotations

import re
from typing import NamedTuple

from harness import store
from harness.records import Record
from harness.report.tables import printable
from harness.result import EstimatePart, Layer, Result

_LONGEST = 150  # of a file's name, in characters, so that an ending still fits
_OTHER = re.compile("[^A-Za-z0-9._+-]+")


class File(NamedTuple):
    """A file before it is written: ``part`` and ``suffix`` ("layers", "csv") tell it from the others of its run."""

    part: str | None
    suffix: str
    content: bytes


class Made(NamedTuple):
    """The files of a format, and what is left out of them, each with its reason."""

    files: tuple[File, ...]
    left: tuple[str, ...] = ()


class Run(Record, frozen=True):
    """A stored run and the command that made it, None where the result is a file without one."""

    result: Result
    command: tuple[str, ...] | None


def run_of(result: Result) -> Run:
    """A result with the command that its stored run has, where it is one."""
    manifest = store.manifest(result)
    return Run(result=result, command=None if manifest is None else manifest.command)


def stem(name: str) -> str:
    """The beginning of a file's name from a run's id, which may be of a file that anybody wrote."""
    return _OTHER.sub("-", name)[:_LONGEST].strip(".-") or "run"


def named(layer: Layer) -> str:
    """A layer in a line: its index and operator."""
    return f"{layer.index} {printable(layer.op)}"


def by(estimate: EstimatePart) -> str:
    """What an estimate is by, in a few words: the model, and the tier without its details."""
    tier = re.split("[,;]", printable(estimate.tier), maxsplit=1)[0]
    carried = estimate.calibration is not None and estimate.calibration.carried
    return f"{printable(estimate.model)}, {tier}{', carried to another build' if carried else ''}"


def in_full(estimate: EstimatePart) -> str:
    """What an estimate is by, with everything that its tier says, and its bounds."""
    parts = [f"estimated, not measured, by {printable(estimate.model)}, {printable(estimate.tier)}"]
    low, high = estimate.cycles.low, estimate.cycles.high
    if low is not None:
        upper = "an unknown number of" if high is None else f"{high:,.0f}"
        parts.append(f"{low:,.0f} to {upper} cycles in {100 * estimate.coverage:.0f} % of cases")
    parts.append(printable(estimate.basis))
    return "; ".join(parts)
