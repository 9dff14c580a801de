"""Power traces from CSV files of power meters: time, volts, amperes, optional digital channels.

=============  =========================================================================================================
export         columns that are read
=============  =========================================================================================================
plain          a header that names time, current and, where it was measured, voltage, each with its unit: ``time_s``,
               ``time [ms]``, ``current (mA)``, ``voltage_V``. A column of zeros and ones is a digital channel.
PPK2           ``Timestamp(ms)``, ``Current(uA)``; digital channels ``D0`` to ``D7``, as a column each or as one column
               ``D0-D7`` whose first digit is D0. It measures no voltage: the caller gives it.
Joulescope     ``#time (s),current (A),voltage (V)``, or the statistics' ``#time,current,voltage,power,charge,energy``,
               which are in SI units.
RocketLogger   lines of a preamble up to an empty one; then channels with scales (``V1 [10nV]``, ``I1L [10pA]``,
               ``I1H [nA]``); ``DI1`` to ``DI6`` are digital; ``I1L`` holds where ``I1L_valid`` is 1. Only the first
               row of a block has a time: the sample rate of the preamble gives the others'.
=============  =========================================================================================================

A row whose time, current or voltage is empty or no number is a missing sample: it is left out and counted.
"""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import BadInputError
from harness.records import Record

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Reals = NDArray[np.float64]
    Bits = NDArray[np.bool_]

_PREFIX = {"": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12}
_WORDS = {
    "time": ("time", "timestamp", "t"),
    "current": ("current", "amperes", "i"),
    "voltage": ("voltage", "volts", "v"),
    "i1l": ("i1l",),
    "i1h": ("i1h",),
}
_KINDS = {word: kind for kind, words in _WORDS.items() for word in words}
_BASE = {"time": "s", "current": "A", "voltage": "V", "i1l": "A", "i1h": "A"}
_NAME = re.compile(r"#?\s*([A-Za-z][A-Za-z0-9]*)\s*(?:[(\[]\s*([^)\]]*?)\s*[)\]]|_([A-Za-zµμ]+))?")
_SCALE = re.compile(r"(10)?([munp]?)(s|A|V)")
_JOULESCOPE = ("#time", "current", "voltage", "power")
_ROCKETLOGGER = "RocketLogger CSV File"
_GROUP = "D0-D7"
_DIGITAL = re.compile(r"(D[0-7]|DI[1-6]|I1L_valid)")
_BIT = {"0": 0, "1": 1}
_NO_BIT = 2
_ROWS = 50_000
_LARGEST = {"current": 20.0, "voltage": 100.0}
_LEAST_SAMPLES = 10


class Trace(Record, frozen=True):
    """A power trace: seconds and watts of each sample in order of time, the mean voltage, digital channels by name.

    ``missing`` counts rows that held no sample.
    """

    path: Path
    seconds: Reals
    watts: Reals
    volts: float
    channels: dict[str, Bits]
    missing: int


class _Column(Record, frozen=True):
    """Where a value stands in a row, and the factor to SI units."""

    at: int
    factor: float


class _Table(Record, frozen=True):
    """What was read: values in SI units by name (NaN: none), digital channels, seconds between samples if stated."""

    values: dict[str, Reals]
    channels: dict[str, Bits]
    interval_s: float | None


def read(path: Path, supply_v: float | None = None) -> Trace:
    """Read a trace.

    Args:
        path: a CSV file as described above.
        supply_v: the supply's voltage, for a trace without one; it does not replace a measured voltage.

    Raises:
        BadInputError: it cannot be read, a column or its unit is missing, or the values cannot be in that unit.
    """
    table = _table(path)
    time, current = _times(path, table), _current(path, table)
    voltage = table.values.get("voltage")
    if voltage is None:
        if supply_v is None:
            raise BadInputError(f"{path}: no column of voltage", "give the supply's: --supply 3V")
        voltage = np.full(len(time), supply_v)
    kept = np.isfinite(time) & np.isfinite(current) & np.isfinite(voltage)
    if kept.sum() < _LEAST_SAMPLES:
        raise BadInputError(f"{path}: {kept.sum()} samples, at least {_LEAST_SAMPLES} are needed")
    time, current, voltage = time[kept], current[kept], voltage[kept]
    for what, values in (("current", current), ("voltage", voltage)):
        _check_size(path, what, values)
    if (np.diff(time) <= 0).any():
        at = int(np.argmax(np.diff(time) <= 0))
        raise BadInputError(f"{path}: time does not increase at {time[at]:g} s", "a trace has one sample at a time")
    return Trace(
        path=path,
        seconds=time - time[0],
        watts=current * voltage,
        volts=float(voltage.mean()),
        channels={name: bits[kept] for name, bits in table.channels.items()},
        missing=int((~kept).sum()),
    )


def _table(path: Path) -> _Table:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = csv.reader(file)
            names, interval = _header(path, lines)
            columns = _columns(path, names)
            return _body(lines, names, columns, interval)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadInputError(f"{path}: cannot be read: {reason}", "a power trace is a CSV file") from error


def _header(path: Path, lines: Iterator[list[str]]) -> tuple[list[str], float | None]:
    """The names of the columns, and the seconds between samples of a RocketLogger."""
    names = next(lines, None)
    if names is None:
        raise BadInputError(f"{path}: the file is empty", "a power trace is a CSV file")
    if names and names[0].strip() == _ROCKETLOGGER:
        rate = 0
        for line in lines:
            if not line:  # the preamble ends
                break
            if line[0] == "Sample Rate" and len(line) > 1 and line[1].strip().isdigit():
                rate = int(line[1])
        if not rate:
            raise BadInputError(f"{path}: no sample rate in the preamble of this RocketLogger file")
        channels = [name.strip() for name in next(lines, [""])[1:]]
        return ["time [s]", *(_first_pair(name) for name in channels)], 1 / rate
    names = [name.strip() for name in names]
    if names[: len(_JOULESCOPE)] == list(_JOULESCOPE):
        names[:3] = ["time [s]", "current [A]", "voltage [V]"]
    return names, None


def _first_pair(channel: str) -> str:
    """A RocketLogger's V1 and I1 are the voltage and the current; its other analog channels are not read."""
    for own, name in (("V1", "voltage"), ("I1", "current")):
        if channel.split(" ")[0] == own:
            return channel.replace(own, name, 1)
    return channel


def _columns(path: Path, names: Sequence[str]) -> dict[str, _Column]:
    """Where time, current and voltage stand; "i1l" and "i1h" are the two ranges of a RocketLogger's current."""
    found: dict[str, _Column] = {}
    for at, name in enumerate(names):
        match = None if _DIGITAL.fullmatch(name) else _NAME.fullmatch(name)
        kind = _KINDS.get(match[1].lower()) if match is not None else None
        if match is None or kind is None:
            continue
        base = _BASE[kind]
        unit = match[2] or match[3] or ""
        scale = _SCALE.fullmatch(unit.replace("µ", "u").replace("μ", "u"))
        if scale is None or scale[3] != base:
            raise BadInputError(
                f"{path}: column {name!r} has {f'the unit {unit!r}' if unit else 'no unit'}",
                f"name the unit in the first line: {match[1]}_{base}, {match[1]} [m{base}]",
            )
        if kind in found:
            raise BadInputError(f"{path}: two columns of {kind}: {names[found[kind].at]!r} and {name!r}", "keep one")
        found[kind] = _Column(at=at, factor=(10.0 if scale[1] else 1.0) * _PREFIX[scale[2]])
    for kind in ("time", "current"):
        if kind not in found and not (kind == "current" and "i1h" in found):
            raise BadInputError(
                f"{path}: no column of {kind}; the first line is {', '.join(names)[:80]!r}",
                "it names the columns with their units: time_s,voltage_V,current_A",
            )
    return found


def _body(
    lines: Iterator[list[str]], names: Sequence[str], columns: dict[str, _Column], interval: float | None
) -> _Table:
    """All rows, by columns of some thousands at a time: traces have millions."""
    taken = {column.at for column in columns.values()}
    digital = [at for at, name in enumerate(names) if at not in taken and name]
    analog: dict[str, list[Reals]] = {name: [] for name in columns}
    bits: dict[int, list[NDArray[np.uint8]]] = {at: [] for at in digital}
    filled = filter(None, lines)
    while rows := list(itertools.islice(filled, _ROWS)):
        cells = list(itertools.zip_longest(names, *rows, fillvalue=""))  # so that each row has all columns
        for name, column in columns.items():
            analog[name].append(_numbers(cells[column.at][1:]))
        for at in digital:
            bits[at].append(_codes(cells[at][1:], _byte if names[at] == _GROUP else _bit))
    channels: dict[str, Bits] = {}
    for at, parts in bits.items():
        values = np.concatenate([np.zeros(0, np.uint8), *parts])
        if names[at] == _GROUP:
            channels |= {f"D{bit}": (values >> (7 - bit)) & 1 == 1 for bit in range(8)}
        elif _DIGITAL.fullmatch(names[at]) or (values != _NO_BIT).all():
            channels[names[at]] = values == 1
    return _Table(
        values={name: np.concatenate([np.zeros(0), *parts]) * columns[name].factor for name, parts in analog.items()},
        channels=channels,
        interval_s=interval,
    )


def _numbers(cells: Sequence[str]) -> Reals:
    try:
        return np.array(list(map(float, cells)))
    except ValueError:
        return np.array([_number(cell) for cell in cells])


def _codes(cells: Sequence[str], code: Callable[[str], int]) -> NDArray[np.uint8]:
    """The code of each cell; few of them differ."""
    known = {cell: code(cell) for cell in set(cells)}
    return np.fromiter(map(known.__getitem__, cells), np.uint8, len(cells))


def _bit(text: str) -> int:
    return _BIT.get(text.strip(), _NO_BIT)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


def _byte(text: str) -> int:
    """Eight digits of zeros and ones, D0 first; what is none of that is no bit set."""
    return int(text, 2) if re.fullmatch("[01]{8}", text) else 0


def _times(path: Path, table: _Table) -> Reals:
    """Seconds of each row; blocks of a RocketLogger are timed from their first row on."""
    time = table.values["time"]
    if table.interval_s is None or not len(time):
        return time
    starts = np.flatnonzero(np.isfinite(time))
    if not len(starts) or starts[0] != 0:
        raise BadInputError(f"{path}: the first row has no time")
    rows = np.arange(len(time))
    block = np.searchsorted(starts, rows, side="right") - 1
    timed: Reals = time[starts][block] + (rows - starts[block]) * table.interval_s
    return timed


def _current(path: Path, table: _Table) -> Reals:
    """Amperes; of a RocketLogger the low range where it is valid, the high one elsewhere."""
    if "current" in table.values:
        return table.values["current"]
    high, low = table.values["i1h"], table.values.get("i1l")
    if low is None:
        return high
    if "I1L_valid" not in table.channels:
        raise BadInputError(f"{path}: a column I1L, but none that says where it is valid", "record I1L_valid, too")
    return np.where(table.channels["I1L_valid"], low, high)


def _check_size(path: Path, what: str, values: Reals) -> None:
    largest = float(np.abs(values).max())
    if largest > _LARGEST[what]:
        unit = _BASE[what]
        raise BadInputError(
            f"{path}: a {what} of {largest:,.0f} {unit} is none of a microcontroller's",
            f"is the unit in the column's name right? values may be in m{unit} or u{unit}",
        )
