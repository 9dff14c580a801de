"""How far the uncalibrated model has been from boards, and the bounds that follow for an estimate.

``evidence.csv`` holds public measurements of whole networks beside the model's estimate of an emulated build of the
same network (tests/benchmarks/cost_model.py makes it from the features in harness/calibrate/public; nothing in it is
typed by hand). Each measurement is there twice: beside a build with the boards' compiler and kernel library, as far as
they are known, whose errors are the model's; and beside this project's usual build, whose errors hold what compilers
and libraries differ by, too. A run by the boards' compiler is bounded by the former, any other by the latter.

The bounds are a prediction interval for the logarithm of measured / estimated, assumed to be normal: its mean and
spread over the rows of the core and the kernel set, by Student's t. Rows of one network family on one board are one
case: they have the same causes of error. Where there are fewer than ``LEAST_CASES``, the rows of all cores with that
kernel set are taken. The interval is not centred on the estimate.
"""

from __future__ import annotations

import csv
import functools
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from harness.records import Record

COVERAGE = 0.9
LEAST_CASES = 4
PATH = Path(__file__).with_name("evidence.csv")

# The 95th percentile of Student's t for 1, 2, ... degrees of freedom; the last stands for all above.
_T95 = (6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812, 1.796, 1.782, 1.771, 1.761, 1.753)


class Measured(Record, frozen=True):
    """A network that was measured on a board: milliseconds of an inference, measured and estimated.

    ``compiler`` made the build that was emulated; ``same_compiler``: it is the one that is taken for the board's.
    """

    platform: str
    core: str
    family: str
    network: str
    type: str
    kernels: str
    optimisation: str
    fpu: bool
    measured_ms: float
    estimated_ms: float
    compiler: str
    same_compiler: bool
    source: str

    @property
    def case(self) -> tuple[str, str, str, str]:
        """What has the same causes of error."""
        return self.platform, self.family, self.type, self.kernels

    @property
    def error(self) -> float:
        """Logarithm of measured / estimated."""
        return math.log(self.measured_ms / self.estimated_ms)


class Bounds(Record, frozen=True):
    """Factors from an estimate to the bounds of the truth, and what they rest on.

    ``held`` is the share of the rows whose truth lay between the bounds that follow without all rows of their network's
    family and type: what ``COVERAGE`` aims at.
    """

    low: float
    high: float
    held: float
    basis: str


def find(core: str, kernels: str, compiler: str) -> Bounds:
    """The bounds for a core, a kernel set and the compiler of a run."""
    return bounds(of(compiler), core, kernels)


def of(compiler: str) -> tuple[Measured, ...]:
    """The rows that say something about a compiler's builds."""
    same = tuple(row for row in rows() if row.same_compiler and row.compiler == compiler)
    return same or tuple(row for row in rows() if not row.same_compiler)


@functools.cache
def rows() -> tuple[Measured, ...]:
    """The evidence that is shipped."""
    with PATH.open(newline="", encoding="utf-8") as file:
        return tuple(msgspec.convert(row, Measured, strict=False) for row in csv.DictReader(file))


def bounds(known: Iterable[Measured], core: str, kernels: str) -> Bounds:
    """The bounds that follow from some rows, of three families with that kernel set at least."""
    same = [row for row in known if row.kernels == kernels]
    own = [row for row in same if row.core == core]
    whose = f"of {core} boards"
    if len({row.case for row in own}) < LEAST_CASES:
        whose = f"of Cortex-M boards, {'few' if own else 'none'} of them with a {core}"
        own = same
    low, high = _interval(own)
    cases = len({row.case for row in own})
    tools = "their compiler and nearly their library" if own[0].same_compiler else "other compilers and libraries"
    return Bounds(
        low=low,
        high=high,
        held=sum(_holds(own, row) for row in own) / len(own),
        basis=f"{cases} groups of public measurements {whose}, beside builds with {tools}",
    )


def _holds(rows: Sequence[Measured], left_out: Measured) -> bool:
    """Whether a row's truth lies between the bounds that follow from other families' rows."""
    rest = [row for row in rows if (row.family, row.type) != (left_out.family, left_out.type)]
    low, high = _interval(rest)
    return low <= math.exp(left_out.error) <= high


def _interval(rows: Sequence[Measured]) -> tuple[float, float]:
    members: dict[tuple[str, str, str, str], list[float]] = {}
    for row in rows:
        members.setdefault(row.case, []).append(row.error)
    weighted = [(error, 1 / len(errors)) for errors in members.values() for error in errors]
    cases = len(members)
    mean = sum(error * weight for error, weight in weighted) / cases
    variance = sum(weight * (error - mean) ** 2 for error, weight in weighted) / (cases - 1)
    reach = _T95[min(cases - 1, len(_T95)) - 1] * math.sqrt(variance * (1 + 1 / cases))
    return math.exp(mean - reach), math.exp(mean + reach)
