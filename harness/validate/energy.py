"""Energy predicted against energy measured, for every public row of power; the power of a row's own build left out.

Three predictions, to tell the causes of errors apart: measured time times predicted power; the uncalibrated estimate of
the time times that; and the time by a calibration that has not seen the network times that. The power is what
``harness.energy.power`` makes of the board's other rows: a network that was measured in the same build where there is
one, else the mean of the board's other builds. So no number that is predicted took part in its prediction.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Sequence

from harness.calibrate.heldout import Summary, summary
from harness.calibrate.public_tables import HEIM, MLPERF, WEIGHTS
from harness.energy import power
from harness.energy.power import Level
from harness.records import Record
from harness.validate.rows import Interval, Network, Validated, Validation, error
from harness.validate.summary import Share, shares

# Mean error of whole inferences, by core.
GOALS = {"cortex-m4": 0.05, "cortex-m7": 0.10}
SHORTEST_MS = 0.1  # the meter samples 64,000 times a second: of shorter layers it says little

# The flags with which power was measured; those of MLPerf Tiny are assumed.
_METERED = {HEIM: "-Ofast", MLPERF: "-Os"}


class Energy(Record, frozen=True):
    """A layer, or a whole inference (``index`` and ``op`` are None): microjoules, and milliwatts of what was measured.

    ``by_power`` is measured time times ``predicted_mw``; ``uncalibrated`` and ``calibrated`` are estimated times times
    that, the latter by a fit that has not seen the network. ``counted``: long enough for the meter, and of work that
    is known. None: there is no such prediction.
    """

    platform: str
    core: str
    kernels: str
    network: str
    index: int | None
    op: str | None
    source: str
    measured: float
    measured_mw: float
    predicted_mw: float
    power_from: str
    by_power: float
    uncalibrated: float | None
    calibrated: float | None
    uncalibrated_interval: Interval | None
    calibrated_interval: Interval | None
    counted: bool


class Line(Record, frozen=True):
    """A board: errors of its whole inferences and of its layers, and how often intervals held."""

    platform: str
    core: str
    inferences: int
    by_power: Summary | None
    uncalibrated: Summary | None
    uncalibrated_held: Share
    calibrated: Summary | None
    calibrated_held: Share
    layers: int
    layers_by_power: Summary | None
    layers_uncalibrated: Summary | None
    layers_calibrated: Summary | None


def energies(found: Validation) -> tuple[Energy, ...]:
    """The public rows of power whose networks were compared, in the order of their table."""
    times = {_key(row): row for row in found.rows if _was_metered(row)}
    wholes = {_key(item.row): item for item in found.networks if _was_metered(item.row)}
    made = []
    for row in power.rows():
        network = f"{row.network if row.network == 'lenet' else f'mlperf-{row.network}'} {row.type}"
        whole = wholes.get((row.platform, row.kernels, network, None))
        time = times.get((row.platform, row.kernels, network, row.index))
        rest = [other for other in power.rows() if other.platform == row.platform and not _same(other, row)]
        if whole is not None and time is not None and rest:
            made.append(_energy(row, time, whole, power.from_rows(rest, row.kernels, row.type)))
    return tuple(made)


def _key(row: Validated) -> tuple[str, str, str, int | None]:
    return row.build.platform, row.build.kernels, row.network, row.index


def _was_metered(row: Validated) -> bool:
    """Whether it is of the flags with which power was measured."""
    return row.build.fpu and row.build.optimisation == _METERED[row.source]


def _same(one: power.Row, other: power.Row) -> bool:
    """Whether two rows are of one inference."""
    return (one.build, one.network) == (other.build, other.network)


def _energy(row: power.Row, time: Validated, whole: Network, drawn: power.Power) -> Energy:
    level = drawn.whole if row.index is None else drawn.of(row.op)
    measured = row.latency_ms * row.power_mw
    calibrated = whole.row.without_architecture if whole.calibrated_by == "architecture" else whole.row.without_network
    entire = row.index is None
    return Energy(
        platform=row.platform,
        core=time.core,
        kernels=row.kernels,
        network=time.network,
        index=row.index,
        op=row.op or None,
        source=row.source,
        measured=measured,
        measured_mw=row.power_mw,
        predicted_mw=level.mw,
        power_from=drawn.basis,
        by_power=row.latency_ms * level.mw,
        uncalibrated=time.uncalibrated * level.mw,
        calibrated=None if time.without_network is None else time.without_network * level.mw,
        uncalibrated_interval=_interval(measured, time.uncalibrated, level, whole.uncalibrated, whole.row.uncalibrated)
        if entire
        else None,
        calibrated_interval=_interval(measured, time.without_network, level, whole.calibrated, calibrated)
        if entire
        else None,
        counted=row.latency_ms >= SHORTEST_MS and time.used != WEIGHTS,
    )


def _interval(
    measured: float, time: float | None, level: Level, bounds: Interval | None, centre: float | None
) -> Interval | None:
    """Bounds of the energy: those of the time, relative to ``centre``, and of the power, as independent errors."""
    if time is None or bounds is None or centre is None or level.factor is None:
        return None
    reach = math.log(level.factor)
    value = time * level.mw
    low = value * math.exp(-math.hypot(math.log(centre / bounds.low), reach) * math.copysign(1, centre - bounds.low))
    high = value * math.exp(math.hypot(math.log(bounds.high / centre), reach) * math.copysign(1, bounds.high - centre))
    return Interval(low=low, high=high, holds=low <= measured <= high)


def lines(found: Iterable[Energy]) -> tuple[Line, ...]:
    """By board."""
    known = list(found)
    keys = sorted({(item.platform, item.core) for item in known})
    return tuple(_line(*key, [item for item in known if item.platform == key[0]]) for key in keys)


def _line(platform: str, core: str, own: Sequence[Energy]) -> Line:
    wholes = [item for item in own if item.index is None]
    layers = [item for item in own if item.index is not None and item.counted]

    def errors(of: Callable[[Energy], float | None], rows: Sequence[Energy]) -> Summary | None:
        return summary([error(of(item), item.measured) for item in rows])

    return Line(
        platform=platform,
        core=core,
        inferences=len(wholes),
        by_power=errors(lambda item: item.by_power, wholes),
        uncalibrated=errors(lambda item: item.uncalibrated, wholes),
        uncalibrated_held=shares([item.uncalibrated_interval for item in wholes]),
        calibrated=errors(lambda item: item.calibrated, wholes),
        calibrated_held=shares([item.calibrated_interval for item in wholes]),
        layers=len(layers),
        layers_by_power=errors(lambda item: item.by_power, layers),
        layers_uncalibrated=errors(lambda item: item.uncalibrated, layers),
        layers_calibrated=errors(lambda item: item.calibrated, layers),
    )


def reached(line: Line) -> bool | None:
    """Whether the mean error of inferences, power and time left out, meets the goal; None: nothing to tell it by."""
    goal, found = GOALS.get(line.core), line.calibrated
    return None if goal is None or found is None else found.mean <= goal


_COLUMNS = (
    "platform", "kernels", "network", "index", "op", "measured_uj", "measured_mw", "predicted_mw", "power_from",
    "by_power_uj", "uncalibrated_uj", "calibrated_uj", "counted", "source",
)  # fmt: skip


def to_csv(found: Iterable[Energy]) -> str:
    """Every row; a cell that is missing is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in found:
        numbers = (row.measured, row.measured_mw, row.predicted_mw)
        predicted = (row.by_power, row.uncalibrated, row.calibrated)
        writer.writerow(
            (
                row.platform, row.kernels, row.network, "" if row.index is None else row.index, row.op or "",
                *(f"{value:.6g}" for value in numbers), row.power_from,
                *("" if value is None else f"{value:.6g}" for value in predicted),
                "yes" if row.counted else "no", row.source,
            )
        )  # fmt: skip
    return text.getvalue()
