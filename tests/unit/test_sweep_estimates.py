"""Latency and energy in sweeps: asked for by the file, part of a point's identity, apart from what is measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import plots_maker
import pytest
import result_maker
import sweep_maker
from plots_maker import Made
from rich.console import Console, RenderableType

from harness.cost.features import Features
from harness.errors import BadInputError
from harness.report import plots, plots_page, plots_pareto
from harness.report.plots_points import NotDrawn, Picture, Swept
from harness.report.sweep import ranking
from harness.result import EstimatePart, Interval, LayerEstimate, Result
from harness.sweep import estimates, expand, file, measure, pareto, points, tables
from harness.sweep.estimates import Estimate, Quantity
from harness.sweep.file import Objective
from harness.sweep.measure import Task
from harness.sweep.metrics import ESTIMATES, METRICS
from harness.sweep.plan import Row

NO_FEATURES = Features(instructions=1, core_cycles=1.0, taken=0, unaligned=0, code_bytes=2, flash=None)


def part(high: float | None = 16.0) -> EstimatePart:
    """Two layers of 8 and 1 ms and an overhead of 1 ms at 80 MHz."""

    def layer(index: int | None, milliseconds: float) -> LayerEstimate:
        cycles = round(milliseconds * 80_000)
        return LayerEstimate(index=index, cycles=cycles, latency_ms=milliseconds, features=NO_FEATURES)

    return EstimatePart(
        model="made/1",
        tier="uncalibrated",
        clock_hz=80_000_000,
        cycles=Interval(value=800_000, low=640_000, high=None if high is None else high * 80_000),
        latency_ms=Interval(value=10.0, low=8.0, high=high),
        coverage=0.9,
        basis="b",
        notes=(),
        layers=(layer(0, 8.0), layer(1, 1.0)),
        overhead=layer(None, 1.0),
    )


def result(platform: str = "stm32l496zg", **changes: Any) -> Result:
    return result_maker.result(platform=platform, **({"estimate": part()} | changes))


def test_estimates_of_a_run() -> None:
    found = estimates.estimated(result())
    assert found is not None and found.energy_uj is not None and found.energy_uj.high is not None
    assert found.latency_ms == Quantity(
        value=10.0, low=8.0, high=16.0, model="made/1", tier="uncalibrated", coverage=0.9
    )
    assert (found.layer_cycles, found.overhead_cycles) == ((640_000, 80_000), 80_000)
    assert found.energy_uj.low < found.energy_uj.value < found.energy_uj.high
    assert 10 * 10 < found.energy_uj.value < 10 * 100  # 10 ms at some tens of milliwatts
    assert "measured on stm32l496zg" in found.energy_uj.tier
    assert estimates.estimated(result(estimate=None)) is None


def test_a_board_whose_power_is_not_known_has_no_energy() -> None:
    found = estimates.estimated(result("mps2-an385"))
    assert found is not None and found.energy_uj is None
    assert found.without_energy is not None and "no power of mps2-an385 is known" in found.without_energy


def test_what_nothing_bounds_is_none() -> None:
    found = estimates.estimated(result(estimate=part(high=None)))
    assert found is not None and found.energy_uj is not None
    assert found.latency_ms.high is None and found.energy_uj.high is None


def test_the_models_are_part_of_the_identity_where_they_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = expand.expand(file.load(sweep_maker.write(tmp_path)))
    asked = expand.expand(file.load(sweep_maker.write(tmp_path, "cycles = true")))
    assert (plain.cycles, asked.cycles) == (False, True)
    identities = [{point.identity for point in plan.points} for plan in (plain, asked)]
    assert len(identities[0]) == len(identities[1]) == 4 and not identities[0] & identities[1]
    point = asked.points[0]
    task = Task(identity=point.identity or "", choice=point.choice, time_limit_s=1.0, command=(), cycles=True)
    measure.require_unchanged(task)
    monkeypatch.setattr(estimates, "identity", lambda: ("another/2", "", ""))
    with pytest.raises(Exception, match="is not what it was when the points were planned"):
        measure.require_unchanged(task)


@pytest.mark.parametrize(
    ("text", "axes", "message"),
    [
        ("cycles = true", 'emulator = ["renode"]', "cycles: they cannot be estimated from runs on renode"),
        ('cycles = "yes"', "", "cycles: Expected `bool`, got `str`"),
        ('objectives = [{ metric = "latency" }]', "", "objectives[0].metric: latency is estimated only where"),
        ('objectives = [{ metric = "flash" }, { metric = "energy" }]', "", "objectives[1].metric: energy is estimated"),
    ],
)
def test_what_a_file_may_not_ask_for(tmp_path: Path, text: str, axes: str, message: str) -> None:
    path = sweep_maker.write(tmp_path, text, axes)
    with pytest.raises(BadInputError) as raised:
        file.load(path)
    assert raised.value.message.startswith(f"{path}: {message}") and raised.value.hint


def test_points_of_an_emulator_that_cannot_are_impossible(tmp_path: Path) -> None:
    found = expand.expand(file.load(sweep_maker.write(tmp_path, "cycles = true", 'emulator = ["qemu", "renode"]')))
    failures = {point.choice.emulator: point.failure for point in found.points}
    assert failures["qemu"] is None and failures["renode"] is not None
    assert failures["renode"].kind == "impossible" and "cannot be estimated" in failures["renode"].message


# --- what is stored, chosen by and drawn -----------------------------------------------------------------------------


def estimate(milliseconds: float, high: bool = True, energy: bool = True) -> Estimate:
    def quantity(value: float, model: str) -> Quantity:
        return Quantity(value=value, low=0.8 * value, high=1.5 * value if high else None, model=model,
                        tier="uncalibrated", coverage=0.9)  # fmt: skip

    return Estimate(
        latency_ms=quantity(milliseconds, "made/1"),
        energy_uj=quantity(40 * milliseconds, "power/1") if energy else None,
        without_energy=None if energy else "no power of it is known",
        layer_cycles=(round(milliseconds * 1000),),
        overhead_cycles=10,
    )


def stored(*found: Estimate | None) -> Swept:
    """A sweep of networks of which each larger one is faster; points with these estimates, in this order."""
    made = [Made(model=f"n{index}", flash=1000 * (index + 1), accuracy=0.5 + index / 10) for index in range(len(found))]
    swept = plots_maker.store(made)
    with points.Log(swept.plan.name) as log:
        for item, modelled in zip(swept.rows, found, strict=True):
            assert item.row is not None
            log.add(msgspec.structs.replace(item.row, estimate=modelled))
    return plots.read(swept.plan.name)


@pytest.fixture(autouse=True)
def _results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_RESULTS", str(tmp_path / "results"))


def test_columns_name_the_estimate_its_unit_and_its_model() -> None:
    swept = stored(estimate(3.0), estimate(2.0, high=False), estimate(1.0, energy=False), None)
    frame = swept.points
    assert frame["latency_ms_estimated"].tolist()[:3] == [3.0, 2.0, 1.0]
    assert frame["latency_ms_estimated"].isna().tolist() == [False, False, False, True]
    assert frame["latency_high_ms"].isna().tolist() == [False, True, False, True]
    assert frame["latency_low_ms"].iloc[0] == pytest.approx(2.4)
    assert frame["energy_uj_estimated"].isna().tolist() == [False, False, True, True]
    assert (frame["latency_model"].iloc[0], frame["energy_tier"].iloc[0]) == ("made/1", "uncalibrated")
    assert swept.layers["cycles_estimated"].tolist()[:3] == [3000, 2000, 1000]
    assert swept.layers["cycles_estimated"].isna().tolist() == [False, False, False, True]
    assert {METRICS[name].column for name in ESTIMATES} <= {column.name for column in tables.POINT_COLUMNS}


def test_rows_that_were_stored_before_are_read() -> None:
    swept = stored(None)
    assert swept.rows[0].row is not None
    content = json.loads(msgspec.json.encode(swept.rows[0].row))
    del content["estimate"]
    assert msgspec.json.decode(json.dumps(content), type=Row) == swept.rows[0].row


def test_the_choice_by_latency_says_why_a_point_takes_no_part() -> None:
    swept = stored(estimate(3.0), estimate(1.0), estimate(2.0, energy=False), None)
    found = pareto.choose(swept.plan, swept.rows, [Objective(metric="latency"), Objective(metric="flash")])
    assert [one.item.point.choice.model for one in found.front] == ["n1", "n0"]
    assert found.front[1].lost_by == "latency +200.0% (+2 ms); in return flash -50.0% (-1,000 B)"
    assert [one.item.point.choice.model for one in found.beaten] == ["n2"]
    assert [item.reason for item in found.out] == ["no value for latency: the sweep file does not say cycles = true"]
    shown = text(ranking(found))
    assert "estimated, not measured: latency by made/1, uncalibrated" in shown
    assert "estimated" not in text(ranking(pareto.choose(swept.plan, swept.rows, [Objective(metric="flash")])))
    by_energy = pareto.choose(swept.plan, swept.rows, [Objective(metric="energy")])
    assert "no value for energy: no power of it is known" in [item.reason for item in by_energy.out]


def text(shown: RenderableType) -> str:
    console = Console(width=120)
    with console.capture() as captured:
        console.print(shown)
    return captured.get()


def drawn(swept: Swept) -> dict[str, Picture | NotDrawn]:
    return {item.name: item for item in plots_pareto.pictures(swept)}


def texts(figure: Any) -> str:
    return " ".join(text.get_text() for text in figure.texts)


def test_fronts_of_latency_and_energy_are_drawn_as_estimates() -> None:
    with plots_page.style():
        found = drawn(stored(estimate(3.0), estimate(2.0, high=False), estimate(1.0)))
    for name in ("latency-accuracy", "flash-latency", "energy-latency", "energy-accuracy"):
        picture = found[f"pareto-{name}"]
        assert isinstance(picture, Picture), picture
        axes = picture.figure.axes[0]
        said = texts(picture.figure)
        for metric, label in zip(name.split("-"), (axes.get_xlabel(), axes.get_ylabel()), strict=True):
            if metric in ESTIMATES:
                assert label == f"estimated {metric} of one inference ({METRICS[metric].unit})"
                model = {"latency": "made/1", "energy": "power/1"}[metric]
                assert f"{metric} estimated by {model}, uncalibrated" in said
        assert "between their ends the truth is to lie in 90 % of cases" in said
        assert "end at the estimate: nothing bounds it above" in said
    bars = [
        sorted(line.get_ydata())
        for line in found["pareto-flash-latency"].figure.axes[0].lines  # type: ignore[union-attr]
        if line.get_label() == "bounds"
    ]
    assert [pytest.approx(bar) for bar in bars] == [[2.4, 4.5], [1.6, 2.0], [0.8, 1.5]]


def test_without_estimates_their_fronts_say_what_to_do() -> None:
    with plots_page.style():
        found = drawn(stored(None, None))
    reason = "no point has a value of latency: the sweep file does not say cycles = true"
    assert found["pareto-flash-latency"] == NotDrawn("pareto", "pareto-flash-latency", reason)
    assert "estimated" not in texts(found["pareto-instructions-accuracy"].figure)  # type: ignore[union-attr]
