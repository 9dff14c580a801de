"""Power traces of known energy, as each meter exports them, with noise and gaps, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.energy.trace import Measured, measure
from harness.energy.trace_read import read
from harness.errors import BadInputError, HarnessError
from tests.unit import trace_maker
from tests.unit.trace_maker import ENERGY_UJ, Made, made


def check(found: Measured, energy_uj: float = ENERGY_UJ, share: float = 1e-6) -> None:
    assert found.inferences == 10
    assert found.energy_uj.mean == pytest.approx(energy_uj, rel=share)
    assert found.duration_ms.mean == pytest.approx(20, rel=share)
    assert found.power_mw.mean == pytest.approx(energy_uj / 20, rel=share)
    assert found.idle_mw == pytest.approx(3, rel=max(share, 1e-4))


def test_by_threshold(tmp_path: Path) -> None:
    found = measure(read(trace_maker.plain(tmp_path / "t.csv", made())))
    check(found)
    assert found.found_by == "threshold 24 mW"
    assert found.energy_uj.deviation == pytest.approx(0, abs=1e-3)
    assert (found.missing, found.cut, found.gapped, found.glitches) == (0, 0, 0, 0)


def test_by_marker(tmp_path: Path) -> None:
    """The marker decides, whatever the current does."""
    trace = made()
    flat = trace._replace(current=np.full(len(trace.time), 0.01))
    found = measure(read(trace_maker.plain(tmp_path / "t.csv", flat, marker=True)))
    assert (found.inferences, found.found_by) == (10, "marker marker")
    assert found.energy_uj.mean == pytest.approx(600)


@pytest.mark.parametrize("grouped", [False, True])
def test_ppk2(tmp_path: Path, grouped: bool) -> None:
    path = trace_maker.ppk2(tmp_path / "t.csv", made(), grouped)
    found = measure(read(path, supply_v=3.0))
    check(found)
    assert found.found_by == f"marker D{0 if grouped else 1}"
    with pytest.raises(BadInputError, match="no column of voltage") as error:
        read(path)
    assert "--supply" in (error.value.hint or "")
    with pytest.raises(BadInputError, match="no digital channel 'D9'"):
        measure(read(path, 3.0), marker="D9")


def test_joulescope(tmp_path: Path) -> None:
    check(measure(read(trace_maker.joulescope(tmp_path / "t.csv", made()))))
    rows = [f"{t},{i},3,0,{t},{t}" for t, i in zip(made().time, made().current, strict=True)]
    path = trace_maker.written(tmp_path / "s.csv", "#time,current,voltage,power,charge,energy", rows)
    check(measure(read(path)))


def test_rocketlogger(tmp_path: Path) -> None:
    found = measure(read(trace_maker.rocketlogger(tmp_path / "t.csv", made())))
    check(found)
    assert found.found_by == "marker DI1"


def test_the_trapezoid_follows_a_ramp(tmp_path: Path) -> None:
    """Current that rises from 5 to 15 mA during an inference: 10 mA on average."""
    trace = made()
    ramp = np.zeros(len(trace.time))
    starts = np.flatnonzero(np.diff(trace.active.astype(int)) == 1) + 1
    for start in starts:
        ramp[start : start + 200] = 5e-3 + 10e-3 * (np.arange(200) + 0.5) / 200
    path = trace_maker.plain(tmp_path / "t.csv", trace._replace(current=ramp), marker=True)
    assert measure(read(path)).energy_uj.mean == pytest.approx(600, rel=1e-5)


def test_noise_does_not_split_inferences(tmp_path: Path) -> None:
    found = measure(read(trace_maker.plain(tmp_path / "t.csv", made(noise_a=2e-3))))
    assert (found.inferences, found.glitches) == (10, 0)
    assert found.energy_uj.mean == pytest.approx(ENERGY_UJ, rel=0.01)
    assert 0 < (found.energy_uj.deviation or 0) < 0.03 * ENERGY_UJ


def without(trace: Made, kept: np.ndarray) -> Made:
    return Made(*(column[kept] for column in trace))


def test_single_missing_samples_are_bridged(tmp_path: Path) -> None:
    trace = made()
    kept = np.random.default_rng(2).random(len(trace.time)) > 0.02
    path = trace_maker.plain(tmp_path / "t.csv", without(trace, kept))
    found = measure(read(path))
    assert (found.inferences, found.gapped) == (10, 0)
    assert found.energy_uj.mean == pytest.approx(ENERGY_UJ, rel=0.01)


def test_rows_without_a_number_are_counted(tmp_path: Path) -> None:
    path = trace_maker.plain(tmp_path / "t.csv", made())
    lines = path.read_text().splitlines()
    for at in (100, 500, 900):
        lines[at] = lines[at].rsplit(",", 1)[0] + ("," if at == 100 else ",NaN" if at == 500 else "")
    path.write_text("\n".join(lines))
    found = measure(read(path))
    check(found)
    assert found.missing == 3


def test_an_inference_with_a_gap_is_not_used(tmp_path: Path) -> None:
    trace = made()
    start = int(np.flatnonzero(trace.active)[0])
    inside, edge = np.ones(len(trace.time), bool), np.ones(len(trace.time), bool)
    inside[start + 50 : start + 100] = False
    edge[start - 25 : start + 25] = False
    for kept in (inside, edge):
        found = measure(read(trace_maker.plain(tmp_path / "t.csv", without(trace, kept))))
        assert (found.inferences, found.gapped) == (9, 1)
        assert found.energy_uj.mean == pytest.approx(ENERGY_UJ, rel=1e-6)


def test_inferences_at_the_ends_of_the_file_are_not_used(tmp_path: Path) -> None:
    trace = made()
    kept = (trace.time > 0.05) & (trace.time < 0.95)
    found = measure(read(trace_maker.plain(tmp_path / "t.csv", without(trace, kept))))
    assert (found.inferences, found.cut) == (8, 2)


def test_glitches_are_no_inferences(tmp_path: Path) -> None:
    trace = made()
    current = trace.current.copy()
    current[100:110] = 14e-3
    found = measure(read(trace_maker.plain(tmp_path / "t.csv", trace._replace(current=current))))
    assert (found.inferences, found.glitches) == (10, 1)
    assert found.energy_uj.mean == pytest.approx(ENERGY_UJ)


def test_rare_inferences(tmp_path: Path) -> None:
    """Active for 1 % of the time."""
    current = np.full(20_000, 2e-6)
    current[9_000:9_200] = 15e-3
    trace = Made(np.arange(20_000) / 10_000, current, np.full(20_000, 3.0), current > 1e-3)
    found = measure(read(trace_maker.plain(tmp_path / "t.csv", trace)))
    assert found.inferences == 1 and found.energy_uj.deviation is None
    assert found.energy_uj.mean == pytest.approx(ENERGY_UJ)
    assert found.idle_mw == pytest.approx(6e-3)


def test_a_given_threshold(tmp_path: Path) -> None:
    path = trace_maker.plain(tmp_path / "t.csv", made(), marker=True)
    check(measure(read(path), threshold_w=0.010))
    with pytest.raises(BadInputError, match="stays on one side of the threshold of 100 mW"):
        measure(read(path), threshold_w=0.1)


def test_a_long_trace(tmp_path: Path) -> None:
    """More rows than are read at a time, blank lines and one damaged row among them."""
    trace = made(100)
    path = trace_maker.plain(tmp_path / "t.csv", trace, marker=True)
    lines = path.read_text().splitlines()
    lines[60_000] = "x"
    lines.insert(70_000, "")
    path.write_text("\n".join(lines))
    found = measure(read(path))
    assert (found.inferences, found.samples, found.missing) == (100, 99_999, 1)
    assert found.energy_uj.mean == pytest.approx(ENERGY_UJ, rel=1e-6)


def test_nothing_to_find(tmp_path: Path) -> None:
    flat = made()._replace(current=np.full(10_000, 0.01) + np.random.default_rng(3).normal(0, 1e-4, 10_000))
    with pytest.raises(HarnessError, match="no threshold separates"):
        measure(read(trace_maker.plain(tmp_path / "t.csv", flat)))


def test_two_markers_are_ambiguous(tmp_path: Path) -> None:
    rows = [f"{t},3,{i},{int(on)},{int(not on)}" for t, i, _, on in zip(*made(), strict=True)]
    path = trace_maker.written(tmp_path / "t.csv", "time_s,voltage_V,current_A,D0,D1", rows)
    with pytest.raises(BadInputError, match="2 digital channels change: D0, D1"):
        measure(read(path))
    assert measure(read(path), marker="D0").inferences == 10


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("time,voltage_V,current_A", "column 'time' has no unit"),
        ("time_s,voltage_V,current", "column 'current' has no unit"),
        ("time_s,voltage_V,current_V", "column 'current_V' has the unit 'V'"),
        ("time_min,voltage_V,current_A", "column 'time_min' has the unit 'min'"),
        ("voltage_V,power_W,x", "no column of time"),
        ("time_s,voltage_V,power_W", "no column of current"),
        ("time_s,current_A,i_mA", "two columns of current"),
        ("0.0,3.0,0.015", "no column of time"),
    ],
)
def test_columns_that_are_refused(tmp_path: Path, header: str, message: str) -> None:
    with pytest.raises(BadInputError, match=message) as error:
        read(trace_maker.plain(tmp_path / "t.csv", made(), header))
    assert error.value.hint


def test_values_in_another_unit_than_named(tmp_path: Path) -> None:
    trace = made()
    microamperes = trace._replace(current=trace.current * 1e6)
    with pytest.raises(BadInputError, match=r"a current of 15,000 A is none of a microcontroller's"):
        read(trace_maker.plain(tmp_path / "t.csv", microamperes))
    millivolts = trace._replace(volts=trace.volts * 1e3)
    with pytest.raises(BadInputError, match=r"a voltage of 3,000 V"):
        read(trace_maker.plain(tmp_path / "t.csv", millivolts))
    check(measure(read(trace_maker.plain(tmp_path / "t.csv", microamperes, "time_s,voltage_V,current (µA)"))))
    check(measure(read(trace_maker.plain(tmp_path / "t.csv", millivolts, "t [s],v [mV],i [A]"))))


def test_files_that_are_no_trace(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="cannot be read"):
        read(tmp_path / "nowhere.csv")
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    with pytest.raises(BadInputError, match="the file is empty"):
        read(empty)
    with pytest.raises(BadInputError, match="0 samples, at least 10"):
        read(trace_maker.written(tmp_path / "t.csv", "time_s,voltage_V,current_A", []))
    binary = tmp_path / "x.csv"
    binary.write_bytes(bytes(range(256)))
    with pytest.raises(BadInputError, match="cannot be read"):
        read(binary)
    rows = ["0,3,1", "1,3,1", "1,3,1", *(f"{at},3,1" for at in range(2, 12))]
    with pytest.raises(BadInputError, match="time does not increase at 1 s"):
        read(trace_maker.written(tmp_path / "t.csv", "time_s,voltage_V,current_A", rows))
