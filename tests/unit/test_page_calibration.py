"""Calibrations in a report: residuals, held-out errors, bands; and what the estimate of a run rests on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import calibration_maker
import msgspec
import page_maker
import pytest
import result_maker
from page_maker import Names

from harness.calibrate import calibration as stored
from harness.calibrate import use
from harness.calibrate.calibration import Calibration, Residual
from harness.calibrate.heldout import HeldOut, Summary
from harness.calibrate.samples import Build
from harness.cost.features import Features
from harness.page import calibration, calibration_run, render
from harness.page.document import Block, Chart, Fold, Page, Section, Table
from harness.page.values import Number
from harness.result import CalibrationPart, EstimatePart, Interval, LayerEstimate, Result

ROOT = Path(__file__).parents[2]
BUILD = Build(platform="stm32l496zg", kernels="cmsis-nn", optimisation="-O2", fpu=True, compiler="gcc", library="TFLM")


def made(**changes: Any) -> Calibration:
    """A calibration of one build with three networks, one of which has no error, and rows near and far."""
    base = calibration_maker.known(BUILD, {"core cycles": 1.5})
    held = tuple(
        HeldOut(network=f"net {number}", architecture="kind", measured=1000.0, without_network=1000.0 + 100 * number,
                without_architecture=None)
        for number in (1, 3, 2)
    )  # fmt: skip
    residuals = tuple(
        Residual(network="net 1", index=index, op="CONV_2D", measured=measured, fitted=measured + 10.0 * (index or 0),
                 error=10.0 * (index or 0) / measured if measured else None, unfit=unfit)
        for index, measured, unfit in ((1, 500.0, ""), (2, 400.0, ""), (3, 0.0, ""), (4, 100.0, "a timer of 1 ms"))
    )  # fmt: skip
    family = msgspec.structs.replace(base.families[0], left_out=held, residuals=residuals, sources=("a paper",),
                                     without_network=Summary(networks=3, mean=0.2, worst=0.3), **changes)  # fmt: skip
    return msgspec.structs.replace(base, families=(family,))


def blocks(sections: tuple[Section, ...], kind: type[Any]) -> dict[str, Any]:
    def flat(given: tuple[Block, ...]) -> list[Block]:
        return [item for block in given for item in (block, *(flat(block.blocks) if isinstance(block, Fold) else ()))]

    return {item.id: item for section in sections for item in flat(section.blocks) if isinstance(item, kind)}


def page(shown: Calibration) -> Page:
    return calibration.page(shown, "results/calibration/made.json")


def numbers(of: Table, key: str) -> list[float | None]:
    place = [column.key for column in of.columns].index(key)
    return [cell.value for row in of.rows if isinstance(cell := row.cells[place], Number)]


def test_held_out_networks_and_residuals_stand_the_worst_first() -> None:
    shown = page(made())
    found = blocks(shown.sections, Table)
    held = found["build-1-left-out"]
    assert [row.cells[0] for row in held.rows] == ["net 3", "net 2", "net 1"]
    assert numbers(held, "error") == pytest.approx([30.0, 20.0, 10.0])
    assert numbers(held, "architecture-error") == [None, None, None]
    residuals = found["build-1-residuals"]
    assert [row.cells[1] for row in residuals.rows] == ["4", "3", "2", "1"]
    assert residuals.rows[0].cells[-1] == "a timer of 1 ms"
    assert numbers(residuals, "error")[1] is None  # 0 cycles were measured


def test_verdict_says_the_worst_error_and_whether_there_is_a_band() -> None:
    shown = page(made())
    assert shown.state == "pass" and shown.kind == "calibration"
    assert "1 build of stm32l496zg calibrated" in shown.verdict and "is 30.0 %" in shown.verdict
    without = page(made(bounds=None))
    assert without.state == "undecided" and "1 of them without a band" in without.verdict
    assert [item.item for item in without.not_measured] == ["band of stm32l496zg cmsis-nn -O2"]


def test_the_chart_draws_fitted_rows_networks_and_the_band() -> None:
    chart = blocks(page(made()).sections, Chart)["build-1-chart"]
    assert chart.svg.count('class="reach"') == 5  # two rows that were fitted to and have an error, three networks
    assert chart.svg.count('class="limit"') == 2 and chart.table == "build-1-left-out"


@pytest.mark.parametrize("path", sorted((ROOT / "results" / "calibration").glob("*.json")), ids=lambda path: path.stem)
def test_every_stored_calibration_is_a_page(path: Path) -> None:
    found = stored.read(path)
    shown = calibration.page(found, str(path))
    html = render.html(shown)
    assert len(html.encode()) < 1_000_000
    overview = blocks(shown.sections, Table)["calibration-families"]
    assert len(overview.rows) == len(found.families)


# --- the estimate of a run -------------------------------------------------------------------------------------------


def estimated(part: CalibrationPart | None = None, **changes: Any) -> Result:
    """A run of two layers whose cycles add up to 1,500."""

    def layer(index: int | None, cycles: int) -> LayerEstimate:
        features = Features(instructions=10, core_cycles=1.0, taken=0, unaligned=0, code_bytes=2, flash=None)
        return LayerEstimate(index=index, cycles=cycles, latency_ms=cycles / 1000, features=features)

    estimate = EstimatePart(
        model="made/1", tier="uncalibrated", clock_hz=80_000_000, cycles=Interval(value=1500, low=1000, high=None),
        latency_ms=Interval(value=1.5, low=1.0, high=None), coverage=0.9, basis="three boards", notes=("a note",),
        layers=(layer(0, 900), layer(1, 500)), overhead=layer(None, 100), calibration=part,
    )  # fmt: skip
    return result_maker.result(estimate=estimate, **changes)


def test_an_estimate_has_its_bounds_and_closes() -> None:
    section, missing = calibration_run.section(estimated())
    assert section is not None
    layers = blocks((section,), Table)["estimate-layers"]
    assert [row.kind for row in layers.rows] == ["item", "item", "other", "total"]
    assert numbers(layers, "cycles") == [900, 500, 100, 1500]
    assert sum(share or 0 for share in numbers(layers, "share")[:3]) == pytest.approx(100)
    facts = dict(item for block in section.blocks if hasattr(block, "items") for item in block.items)
    latency = facts["latency of one inference"]
    assert isinstance(latency, Number) and (latency.low, latency.high, latency.origin) == (1.0, None, "estimated")
    assert [item.item for item in missing] == ["residuals and held-out errors of a calibration"]


def test_without_an_estimate_there_is_no_section() -> None:
    assert calibration_run.section(result_maker.result()) == (None, ())


def test_a_run_shows_the_calibration_that_it_was_estimated_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_RESULTS", str(tmp_path))
    family = made().families[0]
    part = CalibrationPart(file="board.json", family=family.build.label, sha256=use.sha256(family),
                           cost_model="made/1", carried=("another compiler",))  # fmt: skip
    section, missing = calibration_run.section(estimated(part))
    assert [item.reason for item in missing] == ["the calibration board.json is not stored here any more"]
    stored.write(tmp_path / "calibration" / "board.json", made())
    section, missing = calibration_run.section(estimated(part))
    assert section is not None and missing == ()
    assert {"calibration-left-out", "calibration-residuals"} <= blocks((section,), Table).keys()
    stored.write(tmp_path / "calibration" / "board.json", made(coefficients={"core cycles": 9.0}))
    _, missing = calibration_run.section(estimated(part))
    assert "was made anew since" in missing[0].reason


def test_hostile_names_change_no_element() -> None:
    def html(harmless: bool) -> str:
        new = Names(harmless)
        family = made(tier=new(), features_from=new(), features_compiler=new(), cost_model=new()).families[0]
        build = Build(platform=new(), kernels=new(), optimisation=new(), fpu=True, compiler=new(), library=new())
        held = tuple(msgspec.structs.replace(item, network=new(), architecture=new()) for item in family.left_out)
        residuals = tuple(msgspec.structs.replace(item, network=new(), op=new()) for item in family.residuals)
        family = msgspec.structs.replace(
            family,
            build=build,
            left_out=held,
            residuals=residuals,
            sources=(new(),),
            coefficients={new(): 1.0},
            data_sha256=new(),
            features_sha256=new(),
        )
        return render.html(calibration.page(Calibration(schema="", platform=new(), families=(family,)), new()))

    hostile = html(harmless=False)
    assert page_maker.outline(hostile) == page_maker.outline(html(harmless=True))
    assert "</script><script>window.hit=1</script>" in " ".join(page_maker.texts(hostile))


def test_a_board_that_has_no_calibration_is_not_sent_to_one() -> None:
    commands = {}
    for platform in ("stm32l496zg", "rp2040"):
        _, missing = calibration_run.section(estimated(platform=platform))
        commands[platform] = missing[-1].command
    assert commands["stm32l496zg"] == "harness run kws.tflite --platform stm32l496zg --calibration stm32l496zg"
    assert commands["rp2040"] == "harness calibrate"
