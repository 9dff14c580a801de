"""Budgets of estimates in sweeps: met, missed, or undecided, which is never met; calibrations in sweep files."""

from __future__ import annotations

import json
from pathlib import Path

import calibration_maker
import msgspec
import plots_maker
import pytest
import sweep_maker
from plots_maker import Made
from rich.console import Console, RenderableType
from test_calibration_use import BUILD
from test_sweep_estimates import estimate

from harness import bands, cli, sources, toolchain
from harness.calibrate import calibration, use
from harness.calibrate.samples import Build
from harness.errors import BadInputError
from harness.report import plots, plots_page, plots_pareto
from harness.report.plots_points import Picture, Swept
from harness.report.sweep import closing, ranking
from harness.sweep import expand, file, measure, pareto, points
from harness.sweep.file import Objective
from harness.sweep.measure import Task
from harness.sweep.run import Outcome
from harness.sweep.tables import point_table


@pytest.fixture(autouse=True)
def _results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_RESULTS", str(tmp_path / "results"))


@pytest.mark.parametrize(
    ("low", "high", "state"),
    [
        (1.0, 4.9, "met"),
        (1.0, 5.0, "met"),
        (4.9, 5.1, "undecided"),
        (5.0, 9.0, "undecided"),
        (5.1, 9.0, "missed"),
        (5.1, None, "missed"),
        (1.0, None, "undecided"),
        (None, None, "undecided"),
    ],
)
def test_an_estimate_is_a_band(low: float | None, high: float | None, state: str) -> None:
    assert bands.against(5.0, low, high) == state


def stored(*milliseconds: float, platforms: tuple[str, ...] = ("stm32l496zg",) * 9, **budgets: object) -> Swept:
    """Points of these latencies, each with bounds of 0.8 and 1.5 times as much; 40 mW."""
    made = [Made(model=f"n{index}", platform=platforms[index]) for index in range(len(milliseconds))]
    swept = plots_maker.store(made, objectives=(Objective(metric="latency"), Objective(metric="flash")), **budgets)
    with points.Log(swept.plan.name) as log:
        for item, value in zip(swept.rows, milliseconds, strict=True):
            assert item.row is not None
            log.add(msgspec.structs.replace(item.row, estimate=estimate(value, energy=value < 50)))
    return plots.read(swept.plan.name)


def outcome(swept: Swept) -> Outcome:
    rows = {item.point.identity or "": item.row for item in swept.rows if item.row is not None}
    return Outcome(plan=swept.plan, rows=rows, ran=0, tables=(), note=None)


def text(shown: RenderableType, width: int = 120) -> str:
    console = Console(width=width)
    with console.capture() as captured:
        console.print(shown)
    return captured.get()


def test_met_missed_and_undecided() -> None:
    swept = stored(4.0, 6.0, 10.0, latency_ms=7.0)
    assert [item.state for item in swept.rows] == ["ok", "undecided", "over budget"]
    assert [item.undecided for item in swept.rows] == [(), ("latency",), ()]
    assert swept.rows[1].reason == "estimated latency 6.00 ms (4.80 ms to 9.00 ms), budget 7.00 ms: undecided"
    assert swept.rows[2].reason == "estimated latency 10.00 ms (8.00 ms to 15.00 ms), budget 7.00 ms: missed"
    assert [row["state"] for row in point_table(swept.rows)] == ["ok", "undecided", "over budget"]


def test_undecided_is_never_chosen_and_keeps_the_sweep_from_passing(capsys: pytest.CaptureFixture[str]) -> None:
    swept = stored(3.0, 6.0, latency_ms=7.0)
    found = pareto.choose(swept.plan, swept.rows, swept.plan.objectives)
    assert [one.item.point.choice.model for one in found.front] == ["n0"]
    assert [(item.point.choice.model, item.state) for item in found.out] == [("n1", "undecided")]
    assert outcome(swept).exit_code == 3
    said = text(closing(outcome(swept), 1.0))
    assert "INCOMPLETE" in said and "1 of 2 points undecided" in said and "--retry" not in said
    assert outcome(stored(3.0, 3.1, latency_ms=7.0)).exit_code == 0
    assert outcome(stored(3.0, 30.0, latency_ms=7.0)).exit_code == 1
    with pytest.raises(SystemExit) as ended:
        cli.main(["pareto", stored(6.0, 30.0, latency_ms=7.0).plan.name])
    assert ended.value.code == 3
    assert "undecided" in capsys.readouterr().out


def test_the_choice_shows_budgets_and_bounds_as_estimated(capsys: pytest.CaptureFixture[str]) -> None:
    swept = stored(3.0, 4.0, 6.0, latency_ms=7.0, energy_uj={"stm32l496zg": 1000.0})
    found = pareto.choose(swept.plan, swept.rows, swept.plan.objectives)
    for width in (80, 120):
        shown = text(ranking(found), width)
        words = " ".join(shown.split())
        assert "estimated latency at most 7.00 ms, estimated energy at most 1,000.00 uJ on stm32l496zg" in words
        assert "least estimated latency" in words and "2.4 to 4.5" in words
        assert max(map(len, shown.splitlines())) <= width
    with pytest.raises(SystemExit):
        cli.main(["pareto", swept.plan.name, "--json"])
    printed = json.loads(capsys.readouterr().out)
    assert printed["budgets"] == {"latency": 7.0, "energy": {"stm32l496zg": 1000.0}}
    assert printed["front"][0]["estimates"]["latency"]["high"] == pytest.approx(4.5)
    assert printed["front"][0]["estimates"]["latency"]["tier"] == "uncalibrated"
    assert "undecided" in {item["state"] for item in printed["out"]}


def test_budgets_of_each_board() -> None:
    swept = stored(4.0, 4.0, 4.0, platforms=("stm32l496zg", "stm32f469ni", "rp2040"),
                   latency_ms={"stm32l496zg": 6.0, "stm32f469ni": 2.0})  # fmt: skip
    assert [item.state for item in swept.rows] == ["ok", "over budget", "ok"]


def test_a_budget_of_what_is_not_known_is_not_kept() -> None:
    (item,) = stored(60.0, energy_uj=1e6).rows
    assert item.state == "over budget"
    assert item.reason == "no value for energy, which has a budget: no power of it is known"


def test_undecided_points_have_a_mark_of_their_own() -> None:
    swept = stored(3.0, 6.0, 30.0, latency_ms=7.0)
    with plots_page.style():
        (drawn,) = (item for item in plots_pareto.pictures(swept) if item.name == "pareto-flash-latency")
    assert isinstance(drawn, Picture)
    legend = " ".join(item.get_text() for item in drawn.figure.legends[0].get_texts())
    assert "a budget lies between its bounds (1)" in legend
    assert any(line.get_label() == "budget" for line in drawn.figure.axes[0].lines)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("[budgets]\nlatency_ms = 5", "budgets.latency_ms: what it is about is estimated only where"),
        ("cycles = true\n[budgets]\nlatency_ms = 0", "budgets.latency_ms: "),
        ("cycles = true\n[budgets]\nenergy_uj = { rp2040 = 5 }", "budgets.energy_uj: 'rp2040' is none of the sweep's"),
        ("carry = true", "carry: it is about a calibration"),
        ('calibration = "nowhere.json"', "calibration: calibration nowhere.json: there is no such file"),
        ('calibration = "mine.json"', "calibration: none of them is of mps2-an385"),
        ('calibration = ["mine.json", "mine.json"]', "calibration: two calibrations of stm32l496zg"),
    ],
)
def test_what_a_file_may_not_ask_for(tmp_path: Path, given: str, message: str) -> None:
    calibration.write(tmp_path / "mine.json", calibration_maker.known(BUILD, {"instructions": 2.0}))
    path = sweep_maker.write(tmp_path, given)
    with pytest.raises(BadInputError) as raised:
        file.load(path)
    assert raised.value.message.startswith(f"{path}: {message}") and raised.value.hint


def here(platform: str, **changes: str) -> Build:
    """The build that this machine makes with CMSIS-NN."""
    found = sources.locate()
    made = use.build(
        platform, "cmsis-nn", "-O2", platform == "stm32l496zg", toolchain.arm().version, found.tflm_identity,
        found.cmsis_nn_identity,
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def test_calibrations_are_part_of_a_point_and_refuse_other_builds(tmp_path: Path) -> None:
    names = ("mps2-an385", "stm32l496zg")
    for name in names:
        calibration.write(tmp_path / f"{name}.json", calibration_maker.known(here(name), {"instructions": 2.0}))
    ask = f"calibration = {json.dumps([f'{name}.json' for name in names])}"
    plan = expand.expand(file.load(sweep_maker.write(tmp_path, ask)))
    refused = {point.choice.kernels: point.failure for point in plan.points}
    assert plan.cycles and refused["cmsis-nn"] is None
    assert refused["reference"] is not None and refused["reference"].kind == "impossible"
    assert "another build: kernels: cmsis-nn, not reference" in refused["reference"].message
    assert "carry = true" in (refused["reference"].hint or "")
    carried = expand.expand(file.load(sweep_maker.write(tmp_path, f"{ask}\ncarry = true")))
    assert all(point.failure is None for point in carried.points)
    point = next(point for point in plan.points if point.failure is None)
    known = next(item for item in plan.calibrations if item.platform == point.choice.platform)
    task = Task(identity=point.identity or "", choice=point.choice, time_limit_s=1.0, command=(), cycles=True,
                calibration=known)  # fmt: skip
    measure.require_unchanged(task)
    other = use.Given(file="o", calibration=calibration_maker.known(here(known.platform), {"instructions": 3.0}),
                      carry=False)  # fmt: skip
    with pytest.raises(Exception, match="is not what it was when the points were planned"):
        measure.require_unchanged(msgspec.structs.replace(task, calibration=other))
    assert len(msgspec.json.encode(plan.calibrations)) < 4000
