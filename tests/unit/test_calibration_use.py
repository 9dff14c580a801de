"""A calibration in use: found by name, refused for another build, applied to a result; no interval is shown as none."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from calibration_maker import known
from test_energy_estimate import KNOWN, run

from harness import cli, store
from harness.calibrate import calibration, use
from harness.calibrate.samples import Build
from harness.cost import table
from harness.cost.estimate import MODEL
from harness.energy import estimate as energy
from harness.energy import units
from harness.errors import BadInputError
from harness.report import tables
from harness.result import EstimatePart, Result
from harness.sweep.estimates import estimated

BUILD = Build(
    platform="stm32l496zg",
    kernels="cmsis-nn",
    optimisation="-O2",
    fpu=True,
    compiler="arm-none-eabi-gcc (15:12.2.rel1-1) 12.2.1 20221205",
    library="TFLM July 2020 (tfmicro 0.1.0), CMSIS-NN 4.0.0 (bakenn 1.0.0)",
)
OTHER = msgspec.structs.replace(BUILD, compiler="gcc 8.3.1")


def given(build: Build = BUILD, carry: bool = False, bounds: tuple[float, float] | None = (0.9, 1.2)) -> use.Given:
    """Each instruction of the made-up run takes 1,000,000 cycles: it has one a layer, and one around them."""
    return use.Given(file="b.json", calibration=known(build, {"instructions": 1e6}, bounds), carry=carry)


def by(known: use.Given) -> EstimatePart:
    return use.estimate(run(), known)


def shown(result: Result) -> str:
    console = tables.console()
    with console.capture() as taken:
        console.print(tables.result(result, console))
    return taken.get()


def test_the_estimate_is_the_calibrations() -> None:
    found = by(given())
    assert found.cycles.value == 3_000_000
    assert (found.cycles.low, found.cycles.high) == (2_700_000, 3_600_000)
    assert found.latency_ms.value == 37.5 and found.latency_ms.high == 45.0
    assert [part.latency_ms for part in (*found.layers, found.overhead)] == [12.5, 12.5, 12.5]
    assert found.tier == f"calibrated on stm32l496zg, {BUILD.compiler}, {BUILD.library}"
    assert found.calibration is not None and found.calibration.carried == ()
    assert found.model == f"{MODEL}+{found.calibration.sha256[:8]}"
    assert found.basis == "made up" and found.notes == ()


def test_features_are_the_cost_models_still() -> None:
    calibrated = msgspec.structs.replace(run(), estimate=by(given()))
    assert table.of(calibrated) == table.of(run())


def test_another_fit_is_another_model() -> None:
    another = use.Given(file="b.json", calibration=known(BUILD, {"instructions": 2e6}), carry=False)
    assert use.estimate(run(), another).model != by(given()).model
    assert by(given()).model == by(given()).model


def test_another_compiler_is_refused() -> None:
    with pytest.raises(BadInputError, match=r"another build: compiler: gcc 8\.3\.1, not arm-none-eabi-gcc") as caught:
        by(given(OTHER))
    assert "--carry" in (caught.value.hint or "")
    with pytest.raises(BadInputError, match="of stm32f469ni, and the run is for stm32l496zg"):
        by(given(msgspec.structs.replace(BUILD, platform="stm32f469ni"), carry=True))


def test_carried_says_so_everywhere() -> None:
    found = by(given(OTHER, carry=True))
    assert found.tier.endswith("; carried to another build")
    assert found.calibration is not None and len(found.calibration.carried) == 1
    assert found.cycles.value == 3_000_000
    assert (found.cycles.low, found.cycles.high, found.latency_ms.low) == (None, None, None)
    result = msgspec.structs.replace(run(), estimate=found)
    text = " ".join(shown(result).split())
    assert "carried to another build" in text and "carried, compiler: gcc 8.3.1, not" in text
    assert "in 90 % of cases" not in text and "no interval" in text
    spent = energy.layered(found, result.layers, KNOWN)
    assert "carried to another build" in spent.tier
    assert any("carried, compiler" in note for note in spent.latency.notes)
    assert (spent.energy_uj.low, spent.energy_uj.high) == (None, None)
    assert spent.energy_uj.value == pytest.approx(12.5 * 50 + 25.0 * 40)
    swept = estimated(result)
    assert swept is not None and swept.energy_uj is not None
    assert swept.latency_ms.low is None and "carried to another build" in swept.energy_uj.tier


def test_too_few_networks_for_an_interval() -> None:
    found = by(given(bounds=None))
    assert found.latency_ms.low is None and found.latency_ms.high is None
    assert "too few" in found.basis and "carried" not in found.tier


def test_unbounded_energy_has_no_bounded_life() -> None:
    found = by(given(bounds=None))
    part = energy.layered(found, run().layers, KNOWN)
    asleep = energy.asleep(1e-6, None, None, None)
    duty = energy.duty(
        1.0, energy.from_estimate(found), part.energy_uj, asleep, units.battery("225mAh@3V", "--battery")
    )
    assert duty.deadline == "unsure"
    assert duty.average_mw is not None and duty.average_mw.low is None and duty.average_mw.high is None
    assert duty.life_h is not None and duty.life_h.low == 0.0 and duty.life_h.high is None


@pytest.mark.usefixtures("results")
def test_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine.json"
    calibration.write(path, known(BUILD, {"instructions": 1.0}))
    assert use.given("mine.json").file == "mine.json"
    assert use.given("mine.json", folder=tmp_path).platform == "stm32l496zg"
    calibration.write(calibration.path_of("rp2040"), known(msgspec.structs.replace(BUILD, platform="rp2040"), {}))
    assert use.given("rp2040").platform == "rp2040"
    assert use.given("stm32l4r5zi").platform == "stm32l4r5zi", "it is the one that the project ships"
    with pytest.raises(BadInputError, match="no calibration of nrf52840") as caught:
        use.given("nrf52840")
    assert "rp2040" in (caught.value.hint or "")
    with pytest.raises(BadInputError, match="there is no such file, and no board"):
        use.given("nowhere.json")


def test_mistakes_end_with_2() -> None:
    for arguments in (["--carry"], ["-c", "nowhere.json"], ["-c", "stm32l496zg", "-e", "renode"]):
        with pytest.raises(SystemExit) as ended:
            cli.main(["run", "harness/zoo/digits.tflite", "-p", "stm32l496zg", *arguments])
        assert ended.value.code == 2, arguments


@pytest.mark.usefixtures("results")
def test_old_results_without_a_calibration_are_read() -> None:
    content = msgspec.json.decode(run().to_json())
    del content["estimate"]["calibration"]
    del content["identity"]["calibration"]
    assert store.decode(msgspec.json.encode(content), "it").estimate == run().estimate
