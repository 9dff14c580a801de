"""Power that a board draws while it infers and while it sleeps: from measurements, a trace, a datasheet, or as given.

``measured.csv`` holds public measurements of whole inferences and of their layers, ``datasheet.csv`` headline figures.

Power differs by build: up to 14 % between kernel sets and types on one board. Within a build it goes with the kind of
operator, whose mix of memory accesses and arithmetic is its own: the power of a layer is predicted by the other layers
of its kind with a mean error of 1.5 to 3.4 %, by the whole inference with 3.8 to 6.3 %. A term for the rate at which
weights are read from the flash does worse: its coefficient differs in sign between boards. So an operator has the power
of its kind in the same build where that was measured, and else that of the whole inference.

Bounds are the error of such predictions, each without the layer that it predicts, that 90 % stay below (the rank
0.9 (n + 1) of n). They are those of layers; of a whole inference, in which errors of different kinds of operators meet,
they are rather wide. A board with fewer than nine layers takes those of all boards together.
"""

from __future__ import annotations

import csv
import functools
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from harness.energy.trace import Measured
from harness.errors import HarnessError
from harness.records import Record

COVERAGE = 0.9
LEAST_ERRORS = 9
MEASURED = Path(__file__).with_name("measured.csv")
DATASHEET = Path(__file__).with_name("datasheet.csv")

_SHORTEST_MS = 0.1  # the meter samples 64,000 times a second: of shorter layers it says little


class Row(Record, frozen=True):
    """A row of measured.csv: a layer, or the whole inference (``index`` None). ``supply_v`` None: not stated."""

    platform: str
    network: str
    type: str
    kernels: str
    index: int | None
    op: str
    latency_ms: float
    power_mw: float
    supply_v: float | None
    source: str

    @property
    def build(self) -> tuple[str, str, str]:
        """What was built the same way for the same board."""
        return self.platform, self.type, self.kernels


class Headline(Record, frozen=True):
    """A row of datasheet.csv: run mode in microamperes a megahertz; sleep in microamperes, None where unknown."""

    platform: str
    run_ua_per_mhz: float
    supply_v: float
    sleep_ua: float | None
    sleep_mode: str
    source: str


class Level(Record, frozen=True):
    """A power in milliwatts; the truth is between ``mw`` / ``factor`` and ``mw`` x ``factor`` in 90 % of cases.

    ``factor`` None: ``mw`` is what is drawn at least, and nothing is known that bounds it.
    """

    mw: float
    factor: float | None


class Power(Record, frozen=True):
    """What a board draws: at all times, and by kind of operator where that is known.

    ``tier`` is one of "measured on BOARD", "trace", "datasheet", "given". ``basis`` says what it rests on, ``supply_v``
    the voltage that it holds at, None where that is not stated.
    """

    tier: str
    basis: str
    source: str
    whole: Level
    operators: dict[str, Level]
    supply_v: float | None

    def of(self, op: str) -> Level:
        """The power of an operator."""
        return self.operators.get(op, self.whole)


@functools.cache
def rows() -> tuple[Row, ...]:
    """The public measurements that are shipped."""
    with MEASURED.open(newline="", encoding="utf-8") as file:
        empty = {"index": None, "supply_v": None}
        read = [{key: value or empty.get(key, "") for key, value in row.items()} for row in csv.DictReader(file)]
    return tuple(msgspec.convert(row, Row, strict=False) for row in read)


@functools.cache
def headlines() -> dict[str, Headline]:
    """The datasheet figures that are shipped, by platform."""
    with DATASHEET.open(newline="", encoding="utf-8") as file:
        read = [
            {key: value or (None if key == "sleep_ua" else "") for key, value in row.items()}
            for row in csv.DictReader(file)
        ]
    return {row.platform: row for row in (msgspec.convert(row, Headline, strict=False) for row in read)}


def active(platform: str, clock_hz: int, kernels: str | None, type: str | None) -> Power:
    """The best that is known of a board's power while it infers: measurements before the datasheet.

    Args:
        platform: the board.
        clock_hz: its clock, which a datasheet's figure is multiplied by.
        kernels: the kernel set, None where it is not known.
        type: what the network computes in, "int8" or "float32", None where it is not known.

    Raises:
        HarnessError: nothing is known of the board.
    """
    own = [row for row in rows() if row.platform == platform]
    if own:
        return from_rows(own, kernels, type)
    if platform in headlines():
        return _headline(headlines()[platform], clock_hz)
    raise HarnessError(
        f"no power of {platform} is known, neither measured nor from a datasheet",
        "give --active-power 45mW, --active-current 13.6mA, or --trace FILE.csv of the board",
    )


def from_rows(own: Sequence[Row], kernels: str | None, type: str | None) -> Power:
    """The power of a board by its rows, of the same build where there are any."""
    board = own[0].platform
    same = [row for row in own if row.kernels == kernels and row.type == type]
    taken = same or own
    whole = [row for row in taken if row.index is None]
    mw = sum(row.power_mw for row in whole) / len(whole)
    networks = ", ".join(sorted({row.network for row in whole}))
    build = f"{type}, {kernels}" if same else "a mean of other builds"
    spread = _reach(own, _build_errors if same else _other_build_errors)
    operators = {}
    for op in sorted({row.op for row in same if row.index is not None}):
        alike = [row for row in same if row.op == op and row.latency_ms >= _SHORTEST_MS]
        if alike:
            operators[op] = Level(mw=_mean(alike), factor=math.exp(_reach(own, _operator_errors)))
    supplies = [row.supply_v for row in whole if row.supply_v is not None]
    return Power(
        tier=f"measured on {board}",
        basis=f"{networks} ({build}); bounds from layers predicted by others",
        source=whole[0].source,
        whole=Level(mw=mw, factor=math.exp(spread)),
        operators=operators,
        supply_v=sum(supplies) / len(supplies) if supplies else None,
    )


def from_trace(found: Measured) -> Power:
    """The power of inferences in a trace; bounds by the spread between them."""
    spread = 1.645 * (found.power_mw.deviation or 0.0) / found.power_mw.mean
    return Power(
        tier="trace",
        basis=f"{found.file}, {found.inferences} inferences by {found.found_by}; bounds from their spread alone",
        source=found.file,
        whole=Level(mw=found.power_mw.mean, factor=math.exp(spread)),
        operators={},
        supply_v=found.volts,
    )


def given(watts: float) -> Power:
    """A power that the user states; it has no bounds of its own."""
    return Power(
        tier="given", basis="given by the user, without bounds", source="", whole=Level(mw=1e3 * watts, factor=1.0),
        operators={}, supply_v=None,
    )  # fmt: skip


def understated() -> tuple[float, ...]:
    """Measured power over the datasheet's, of the boards where both are known, in order."""
    from harness import platforms

    found = []
    for name, headline in headlines().items():
        own = [row.power_mw for row in rows() if row.platform == name and row.index is None]
        if own:
            found.append(sum(own) / len(own) / _headline_mw(headline, platforms.load(name).clock_hz))
    return tuple(sorted(found))


def _headline_mw(headline: Headline, clock_hz: int) -> float:
    return headline.run_ua_per_mhz * clock_hz / 1e6 * headline.supply_v / 1e3


def _headline(headline: Headline, clock_hz: int) -> Power:
    ratios = understated()
    return Power(
        tier="datasheet",
        basis=(
            f"{headline.run_ua_per_mhz:g} uA/MHz at {headline.supply_v:g} V: a headline figure; inference drew "
            f"{ratios[0]:.1f} to {ratios[-1]:.1f} times as much on the {len(ratios)} boards where both are known"
        ),
        source=headline.source,
        whole=Level(mw=_headline_mw(headline, clock_hz), factor=None),
        operators={},
        supply_v=headline.supply_v,
    )


def _mean(layers: Sequence[Row]) -> float:
    """Energy over time."""
    return sum(row.power_mw * row.latency_ms for row in layers) / sum(row.latency_ms for row in layers)


def _layers(own: Sequence[Row]) -> list[Row]:
    return [row for row in own if row.index is not None and row.latency_ms >= _SHORTEST_MS]


def _build_errors(own: Sequence[Row]) -> list[float]:
    """Of each layer: logarithm of its power over that of the rest of the inference."""
    found = []
    for row in _layers(own):
        rest = [other for other in _layers(own) if other.build == row.build and other is not row]
        found.append(math.log(row.power_mw / _mean(rest)))
    return found


def _operator_errors(own: Sequence[Row]) -> list[float]:
    """Of each layer: logarithm of its power over that of the other layers of its kind in the same build."""
    found = []
    for row in _layers(own):
        rest = [other for other in _layers(own) if (other.build, other.op) == (row.build, row.op) and other is not row]
        if rest:
            found.append(math.log(row.power_mw / _mean(rest)))
    return found


def _other_build_errors(own: Sequence[Row]) -> list[float]:
    """Of each layer: logarithm of its power over that of inferences of the board's other builds."""
    found = []
    for row in _layers(own):
        rest = [other.power_mw for other in own if other.index is None and other.build != row.build]
        found.append(math.log(row.power_mw * len(rest) / sum(rest)))
    return found


def _reach(own: Sequence[Row], errors: Callable[[Sequence[Row]], list[float]]) -> float:
    """What the absolute error stays below in 90 % of cases: of a board's layers, of all where those are few."""
    found = errors(own)
    if len(found) < LEAST_ERRORS:
        boards = sorted({row.platform for row in rows()})
        found = [error for name in boards for error in errors([row for row in rows() if row.platform == name])]
    ordered = sorted(abs(error) for error in found)
    return ordered[min(math.ceil(COVERAGE * (len(ordered) + 1)), len(ordered)) - 1]
