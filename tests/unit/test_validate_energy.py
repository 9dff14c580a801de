"""Energy in the validation: what a prediction has not seen, and bounds; and what another build does to estimates."""

from __future__ import annotations

import csv
import io

import msgspec
import pytest

from harness.calibrate import public_tables
from harness.cost.features import Row, read_csv
from harness.energy import power
from harness.validate import builds, energy, rows
from harness.validate.energy import Energy
from harness.validate.rows import Validation

pytest.importorskip("scipy")

BOARD = "stm32l4r5zi"


@pytest.fixture(scope="module")
def features() -> tuple[Row, ...]:
    wanted = ("lenet", "mlperf")
    return tuple(row for row in read_csv(public_tables.FEATURES) if row.model.startswith(wanted))


@pytest.fixture(scope="module")
def times(features: tuple[Row, ...]) -> Validation:
    return rows.validate(features)


@pytest.fixture(scope="module")
def found(times: Validation) -> tuple[Energy, ...]:
    return energy.energies(times)


def test_every_measured_power_is_compared(found: tuple[Energy, ...]) -> None:
    assert len(found) == len(power.rows())
    assert all(
        item.measured == pytest.approx(row.latency_ms * row.power_mw)
        for item, row in zip(found, power.rows(), strict=True)
    )


def test_the_power_of_a_row_has_not_seen_its_inference(times: Validation, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {(item.platform, item.kernels, item.network, item.index): item for item in energy.energies(times)}
    changed = [
        msgspec.structs.replace(row, power_mw=2 * row.power_mw) if (row.platform, row.network) == (BOARD, "ad") else row
        for row in power.rows()
    ]
    monkeypatch.setattr(power, "rows", lambda: tuple(changed))
    after = {(item.platform, item.kernels, item.network, item.index): item for item in energy.energies(times)}
    ad, kws = ((BOARD, "cmsis-nn", f"mlperf-{name} int8", None) for name in ("ad", "kws"))
    assert after[ad].measured == pytest.approx(2 * before[ad].measured)
    assert after[ad].predicted_mw == before[ad].predicted_mw
    assert after[kws].predicted_mw == pytest.approx(2 * before[kws].predicted_mw)


def test_energy_is_time_times_power(times: Validation, found: tuple[Energy, ...]) -> None:
    item = next(item for item in found if (item.platform, item.network, item.index) == (BOARD, "mlperf-ad int8", None))
    time = next(row for row in times.rows if (row.network, row.index) == ("mlperf-ad int8", None))
    assert item.uncalibrated == pytest.approx(time.uncalibrated * item.predicted_mw)
    assert item.by_power == pytest.approx(10.052 * item.predicted_mw)
    assert time.without_network is not None
    assert item.calibrated == pytest.approx(time.without_network * item.predicted_mw)


def test_bounds_are_wider_than_those_of_time(times: Validation, found: tuple[Energy, ...]) -> None:
    item = next(item for item in found if (item.platform, item.network, item.index) == (BOARD, "mlperf-ad int8", None))
    time = next(item for item in times.networks if item.row.network == "mlperf-ad int8")
    assert item.uncalibrated_interval and time.uncalibrated and item.uncalibrated
    low, high = item.uncalibrated_interval.low / item.uncalibrated, item.uncalibrated_interval.high / item.uncalibrated
    assert low < min(1, time.uncalibrated.low / time.row.uncalibrated)
    assert high > max(1, time.uncalibrated.high / time.row.uncalibrated)
    assert item.uncalibrated_interval.holds == (
        item.uncalibrated_interval.low <= item.measured <= item.uncalibrated_interval.high
    )


def test_a_board_is_summed_up(found: tuple[Energy, ...]) -> None:
    line = next(line for line in energy.lines(found) if line.platform == BOARD)
    errors = [abs(item.by_power / item.measured - 1) for item in found if item.platform == BOARD]
    assert line.by_power is not None and line.inferences == len(errors) == 2 and line.layers == 0
    assert line.by_power.mean == pytest.approx(sum(errors) / 2)
    good = msgspec.structs.replace(line, calibrated=msgspec.structs.replace(line.by_power, mean=0.04))
    bad = msgspec.structs.replace(line, calibrated=msgspec.structs.replace(line.by_power, mean=0.06))
    assert energy.reached(good) is True and energy.reached(bad) is False
    assert energy.reached(msgspec.structs.replace(line, calibrated=None)) is None


def test_the_csv_has_every_row(found: tuple[Energy, ...]) -> None:
    table = list(csv.DictReader(io.StringIO(energy.to_csv(found))))
    assert len(table) == len(found)
    assert float(table[0]["measured_uj"]) == pytest.approx(found[0].measured, rel=1e-5)


def test_another_build_shows_in_its_own_errors(features: tuple[Row, ...]) -> None:
    own = [row for row in features if row.platform == BOARD]
    slower = [
        msgspec.structs.replace(
            row,
            instructions=2 * row.instructions,
            core_cycles=2 * row.core_cycles,
            code_bytes=2 * row.code_bytes,
            jump_misses=2 * (row.jump_misses or 0),
            onward_misses=2 * (row.onward_misses or 0),
            load_misses=2 * (row.load_misses or 0),
        )
        for row in own
    ]
    nearest, usual = rows.validate(own, BOARD), rows.validate(slower, BOARD)
    (line,) = builds.compare(nearest, usual, own, slower)
    assert line.networks == 2 and line.ratio == pytest.approx((2, 2, 2))
    assert line.usual is not None and line.nearest is not None and line.usual.mean > line.nearest.mean
    # A calibration to the slower build takes the factor in; one that is carried to it does not.
    assert line.nearest_calibrated is not None and line.usual_calibrated is not None and line.carried is not None
    assert line.usual_calibrated.mean == pytest.approx(line.nearest_calibrated.mean, abs=0.01)
    assert line.carried.worst > 0.5
