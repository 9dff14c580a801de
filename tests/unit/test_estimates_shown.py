"""Comparisons and histories of estimates: said to be estimated, with bounds, model and tier, at 80 and 120 columns."""

from __future__ import annotations

from pathlib import Path

import calibration_maker
import git_maker
import msgspec
import pytest
from rich.console import Console, RenderableType
from test_gate_estimates import estimated
from test_sweep_budgets import here

from harness import baseline, compare, history
from harness.calibrate import calibration
from harness.errors import BadInputError
from harness.gate.measure import check, wanted
from harness.gate.policy import File, Policy, Rule, Runs
from harness.report import compare as compare_report
from harness.report import compare_markdown
from harness.report import history as history_report
from harness.result import Interval
from tests.conftest import DIGITS

CARRIED = "calibrated on x, gcc 8; carried to another build"


def text(shown: RenderableType, width: int) -> str:
    console = Console(width=width)
    with console.capture() as captured:
        console.print(shown)
    return captured.get()


@pytest.mark.parametrize("width", [80, 120])
def test_a_comparison_shows_bounds_and_tier(width: int) -> None:
    made = compare.compare(estimated(), estimated(1.1))
    shown = text(compare_report.compared(made), width)
    assert max(map(len, shown.splitlines())) <= width
    words = " ".join(shown.split())
    assert "estimated latency, ms 10 10.8" in words and "bounds 8 to 16 8.64 to 17.3" in words
    assert "estimated energy, uJ" in words
    assert "latency is estimated by made/1, uncalibrated" in words
    assert "- `latency is estimated by made/1, uncalibrated`" in compare_markdown.compared(made)


def test_a_comparison_of_two_tiers_names_both() -> None:
    other = estimated(1.1, tier=CARRIED, latency_ms=Interval(value=10.8, low=None, high=None))
    made = compare.compare(estimated(), other)
    words = " ".join(text(compare_report.compared(made), 120).split())
    assert "latency of A is estimated by made/1, uncalibrated" in words
    assert f"latency of B is estimated by made/1, {CARRIED}" in words
    assert "differs cost model: made/1, uncalibrated ->" in words and "not comparable" in words
    assert "8 to 16 no bounds" in words


def test_a_history_shows_bounds_and_tier(tmp_path: Path) -> None:
    repository = git_maker.Repository(tmp_path)
    folder = tmp_path / "baselines"
    for by in (1.0, 1.1):
        baseline.save(estimated(by), folder)
        repository.commit("Store")
    found = history.history("latency", folder)
    (series,) = found.series
    assert [entry.band and entry.band.high for entry in series.entries] == [16.0, pytest.approx(17.28)]
    assert found.notes == ("latency is estimated by made/1, uncalibrated",)
    for width in (80, 120):
        shown = text(history_report.history(found), width)
        assert shown.startswith("estimated latency, ms\n") and max(map(len, shown.splitlines())) <= width
    assert "8.64 to 17.3" in text(history_report.history(found), 120)
    assert all(entry.band is None for item in history.history("flash", folder).series for entry in item.entries)


def test_a_policy_names_calibrations_as_a_sweep_does(tmp_path: Path) -> None:
    runs = Runs(models=(str(DIGITS),), platforms=("stm32l496zg",), calibration="nowhere.json")
    policy = File(path=tmp_path / "p.toml", sha256="", policy=Policy(name="p", rules=(Rule(metric="flash", unit="B"),)))
    with pytest.raises(Exception, match=r"runs\[0\]\.calibration: calibration nowhere\.json: there is no such file"):
        check(policy, 0, runs)


def test_a_run_of_a_policy_is_estimated_by_one_calibration(tmp_path: Path) -> None:
    for name, cycles in (("a", 2.0), ("b", 3.0)):
        calibration.write(tmp_path / f"{name}.json", calibration_maker.known(here("stm32l496zg"), {"estimate": cycles}))

    def listed(*calibrations: str) -> File:
        runs = tuple(
            Runs(
                models=(str(DIGITS),), platforms=("stm32l496zg",), kernels=("cmsis-nn",), calibration=name, cycles=True
            )
            for name in calibrations
        )
        policy = Policy(name="p", rules=(Rule(metric="flash", unit="B"),), runs=runs)
        return File(path=tmp_path / "p.toml", sha256="", policy=policy)

    (first,), (second,) = wanted(listed("a.json")), wanted(listed("b.json"))
    assert first.cycles and first.calibration is not None and first.calibration.file == "a.json"
    assert first.key != second.key
    with pytest.raises(BadInputError, match=r"runs\[1\]\.calibration: .* is there both by two calibrations"):
        wanted(listed("a.json", "b.json"))
    with pytest.raises(BadInputError, match=r"runs\[1\]\.cycles: .* is there both with and without"):
        policy = listed("a.json").policy
        bare = Runs(models=(str(DIGITS),), platforms=("stm32l496zg",), kernels=("cmsis-nn",))
        wanted(
            File(path=tmp_path / "p.toml", sha256="", policy=msgspec.structs.replace(policy, runs=(*policy.runs, bare)))
        )
