"""What is known of boards' power: which rows decide, how far they are to be trusted, and what the data support."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from harness import platforms
from harness.energy import power
from harness.energy.trace import Measured, Spread
from harness.errors import HarnessError

BOARDS = ("stm32l496zg", "stm32f469ni", "stm32f767zi")


def layers(board: str) -> list[power.Row]:
    return [row for row in power.rows() if row.platform == board and row.index is not None and row.latency_ms >= 0.1]


def test_every_row_has_a_platform_and_a_source() -> None:
    names = platforms.names()
    assert len(power.rows()) == 134
    for row in (*power.rows(), *power.headlines().values()):
        assert row.platform in names and row.source


@pytest.mark.parametrize("board", BOARDS)
def test_layers_add_up_to_inferences(board: str) -> None:
    """Mean power of the layers is that of the inference, measured apart: within 1 %."""
    for whole in (row for row in power.rows() if row.platform == board and row.index is None):
        parts = [row for row in power.rows() if row.build == whole.build and row.index is not None]
        mean = sum(row.power_mw * row.latency_ms for row in parts) / sum(row.latency_ms for row in parts)
        assert mean == pytest.approx(whole.power_mw, rel=0.01)


def test_the_same_build_decides() -> None:
    found = power.active("stm32f469ni", 180_000_000, "cmsis-nn", "int8")
    assert found.tier == "measured on stm32f469ni"
    assert "lenet (int8, cmsis-nn)" in found.basis
    assert found.whole.mw == pytest.approx(233.041)
    assert found.of("FULLY_CONNECTED").mw == pytest.approx(230.0, abs=0.2)
    assert found.of("DEPTHWISE_CONV_2D") == found.whole
    assert found.supply_v == pytest.approx(3.306, abs=1e-3)
    assert power.active("stm32f469ni", 180_000_000, "reference", "float32").whole.mw == pytest.approx(204.635)


def test_another_build_is_a_mean_with_wider_bounds() -> None:
    own = power.active("stm32l4r5zi", 120_000_000, "cmsis-nn", "int8")
    other = power.active("stm32l4r5zi", 120_000_000, "reference", "float32")
    unknown = power.active("stm32l496zg", 80_000_000, None, None)
    assert own.whole.mw == other.whole.mw == pytest.approx((41.416 + 40.533) / 2, abs=1e-3)
    assert own.whole.factor and other.whole.factor and other.whole.factor > own.whole.factor
    assert "a mean of other builds" in other.basis and "a mean of other builds" in unknown.basis
    assert unknown.operators == {}


@pytest.mark.parametrize("board", BOARDS)
def test_the_bounds_hold_what_they_say(board: str) -> None:
    """Each layer predicted by the rest of the board: within the bounds in about 90 % of cases, and not in all."""
    held = []
    for row in layers(board):
        rest = [other for other in power.rows() if other.platform == board and other is not row]
        level = power.from_rows(rest, row.kernels, row.type).of(row.op)
        assert level.factor is not None
        held.append(abs(math.log(row.power_mw / level.mw)) <= math.log(level.factor))
    assert 0.85 <= sum(held) / len(held) <= 0.98


@pytest.mark.parametrize("board", BOARDS)
def test_kinds_of_operators_predict_better_than_inferences(board: str) -> None:
    """Why power goes by operator: errors are half of those by the whole inference, or less than two thirds."""
    by_kind, by_whole = [], []
    for row in layers(board):
        same = [other for other in layers(board) if other.build == row.build and other is not row]
        alike = [other.power_mw for other in same if other.op == row.op]
        if alike:
            by_kind.append(abs(math.log(row.power_mw * len(alike) / sum(alike))))
            mean = sum(other.power_mw * other.latency_ms for other in same) / sum(other.latency_ms for other in same)
            by_whole.append(abs(math.log(row.power_mw / mean)))
    assert np.mean(by_kind) < 0.66 * np.mean(by_whole)
    assert np.mean(by_kind) < 0.04


def test_a_term_for_the_rate_of_weights_is_not_supported() -> None:
    """Its coefficient, fitted a board, is of either sign: weights cannot be what it stands for."""
    slopes = []
    for board in BOARDS:
        known = layers(board)
        weights = {48_600: 54, 146_016: 864, 69_120: 69_120, 10_080: 10_080, 840: 840}  # by the conv's and dense's MACs
        order = {"CONV_2D": [48_600, 146_016], "FULLY_CONNECTED": [69_120, 10_080, 840]}
        rates = []
        for row in known:
            same = [other for other in power.rows() if other.build == row.build and other.op == row.op]
            position = sorted(other.index or 0 for other in same).index(row.index or 0)
            count = weights[order[row.op][position]] if row.op in order else 0
            rates.append(count * (4 if row.type == "float32" else 1) / row.latency_ms)
        slopes.append(np.polyfit(rates, [row.power_mw for row in known], 1)[0])
    assert min(slopes) < 0 < max(slopes)


def test_the_datasheet_is_the_last_resort() -> None:
    found = power.active("nrf52840", 64_000_000, "cmsis-nn", "int8")
    assert found.tier == "datasheet"
    assert found.whole == power.Level(mw=pytest.approx(52 * 64 * 3 / 1e3), factor=None)
    assert "inference drew 1.0 to 1.9 times as much on the 2 boards" in found.basis
    with pytest.raises(HarnessError, match="no power of rp2040 is known") as error:
        power.active("rp2040", 125_000_000, None, None)
    assert error.value.exit_code == 3 and "--active-power" in (error.value.hint or "")


def test_power_of_a_trace() -> None:
    found = power.from_trace(measured())
    assert (found.tier, found.whole.mw, found.supply_v) == ("trace", 45.0, 3.0)
    assert found.whole.factor == pytest.approx(math.exp(1.645 * 0.9 / 45))
    once = msgspec.structs.replace(measured(), power_mw=Spread(mean=45.0, deviation=None))
    assert power.from_trace(once).whole.factor == 1.0


def measured() -> Measured:
    return Measured(
        file="t.csv",
        found_by="marker D0",
        inferences=10,
        energy_uj=Spread(mean=900.0, deviation=9.0),
        duration_ms=Spread(mean=20.0, deviation=0.1),
        power_mw=Spread(mean=45.0, deviation=0.9),
        idle_mw=0.006,
        volts=3.0,
        samples=1000,
        missing=0,
        cut=0,
        gapped=0,
        glitches=0,
    )
