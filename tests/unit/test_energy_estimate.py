"""Energy, average power and battery life by hand-made numbers; the command's mistakes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from harness import cli, store
from harness.cost.features import Features
from harness.energy import answer, estimate, power, spread, units
from harness.energy.power import Level, Power
from harness.errors import BadInputError, HarnessError
from harness.records import FlashUse
from harness.result import EstimatePart, Interval, LayerEstimate, Result
from tests.conftest import DIGITS
from tests.unit import result_maker, trace_maker
from tests.unit.test_energy_power import measured

KNOWN = Power(
    tier="measured on x",
    basis="",
    source="",
    whole=Level(mw=40.0, factor=1.1),
    operators={"CONV_2D": Level(mw=50.0, factor=1.05)},
    supply_v=3.3,
)


def part(index: int | None, latency_ms: float) -> LayerEstimate:
    flash = FlashUse(fetched=0, jump_misses=0, onward_misses=0, loads=0, load_misses=0)
    used = Features(instructions=1, core_cycles=1.0, taken=0, unaligned=0, code_bytes=2, flash=flash)
    return LayerEstimate(index=index, cycles=round(80_000 * latency_ms), latency_ms=latency_ms, features=used)


def estimated(low: float | None = 9.0, high: float | None = 12.5) -> EstimatePart:
    """10 ms: 8 in a convolution, 1.5 in a softmax, 0.5 around them."""
    return EstimatePart(
        model="first-principles/2",
        tier="uncalibrated",
        clock_hz=80_000_000,
        cycles=Interval(value=800_000, low=720_000, high=None),
        latency_ms=Interval(value=10.0, low=low, high=high),
        coverage=0.9,
        basis="",
        notes=("left out",),
        layers=(part(0, 8.0), part(1, 1.5)),
        overhead=part(None, 0.5),
    )


def run() -> Result:
    return result_maker.result(estimate=estimated())


def test_layers_times_the_power_of_their_kind() -> None:
    found = estimate.layered(estimated(), run().layers, KNOWN)
    assert [layer.energy_uj for layer in found.layers] == [400.0, 60.0, 20.0]
    assert [(layer.index, layer.op) for layer in found.layers] == [(0, "CONV_2D"), (1, "SOFTMAX"), (None, "overhead")]
    assert found.energy_uj.value == 480.0
    assert found.power_mw.value == 48.0
    assert found.latency.notes == ("left out",)
    assert found.tier == "latency: first-principles/2, uncalibrated; power: measured on x"


def test_bounds_are_combined_as_independent() -> None:
    found = estimate.layered(estimated(), run().layers, KNOWN).energy_uj
    drawn = (400 * math.log(1.05) + 80 * math.log(1.1)) / 480
    centre, reach = (math.log(0.9) + math.log(1.25)) / 2, math.hypot(math.log(1.25 / 0.9) / 2, drawn)
    assert found.low == pytest.approx(480 * math.exp(centre - reach))
    assert found.high == pytest.approx(480 * math.exp(centre + reach))
    exact = estimate.inference(estimate.given(0.01), power.given(0.045)).energy_uj
    assert (exact.value, exact.low, exact.high) == pytest.approx((450, 450, 450))


def test_bounds_of_layers_take_in_how_far_layers_are_off() -> None:
    """Of the convolution: the latency's bounds, the spread of layers, and its own power, as independent errors."""
    apart = spread.factor("cmsis-nn")
    assert 1.0 < apart < 2.0 and spread.factor("another") == max(apart, spread.factor("reference"))
    first, second, around = estimate.layered(estimated(), run().layers, KNOWN, "cmsis-nn").layers
    centre, reach = (math.log(0.9) + math.log(1.25)) / 2, math.log(1.25 / 0.9) / 2
    whole = math.hypot(reach, math.hypot(math.log(1.05), math.log(apart)))
    assert first.low_uj == pytest.approx(400 * math.exp(centre - whole))
    assert first.high_uj == pytest.approx(400 * math.exp(centre + whole))
    assert second.high_uj is not None and first.high_uj is not None
    assert second.high_uj / second.energy_uj > first.high_uj / first.energy_uj
    assert around.low_uj is not None and around.low_uj < around.energy_uj
    bare = msgspec.structs.replace(KNOWN, whole=Level(mw=40.0, factor=None), operators={})
    lowest = estimate.layered(estimated(), run().layers, bare, "cmsis-nn").layers[0]
    assert (lowest.low_uj, lowest.high_uj) == (pytest.approx(320 * 0.9 / apart), None)
    unknown = estimate.layered(estimated(low=None, high=None), run().layers, KNOWN, "cmsis-nn").layers[0]
    assert (unknown.low_uj, unknown.high_uj) == (None, None)


def test_what_is_not_bounded_stays_so() -> None:
    assert estimate.layered(estimated(high=None), run().layers, KNOWN).energy_uj.high is None
    headline = msgspec.structs.replace(KNOWN, whole=Level(mw=40.0, factor=None), operators={})
    found = estimate.layered(estimated(), run().layers, headline).energy_uj
    assert (found.value, found.low, found.high) == (400.0, pytest.approx(360.0), None)
    slept = estimate.asleep(0.0, None, None, None)
    used = estimate.duty(1.0, estimate.from_estimate(estimated()), found, slept, units.battery("1J", "x"))
    assert used.average_mw and used.average_mw.high is None
    assert used.life_h and used.life_h.low == 0.0


def test_a_duty_cycle_by_hand() -> None:
    """45 mW for 20 ms of each second, 6 uW asleep: 0.90588 mW; 2,430 J last 31.05 days."""
    latency = estimate.given(0.020)
    energy = estimate.inference(latency, power.given(0.045)).energy_uj
    found = estimate.duty(
        1.0, latency, energy, estimate.asleep(6e-6, None, None, None), units.battery("225mAh@3V", "x")
    )
    assert (found.busy, found.deadline) == (pytest.approx(0.02), "met")
    assert found.average_mw and found.average_mw.value == pytest.approx(0.9 + 0.006 * 0.98)
    assert found.life_h and found.life_h.value / 24 == pytest.approx(2430 / 0.90588e-3 / 86_400, rel=1e-6)


@pytest.mark.parametrize(("period_s", "deadline"), [(0.013, "met"), (0.011, "unsure"), (0.009, "missed")])
def test_deadlines(period_s: float, deadline: str) -> None:
    latency = estimate.from_estimate(estimated())
    slept = estimate.asleep(6e-6, None, None, None)
    found = estimate.duty(period_s, latency, Interval(value=1, low=1, high=1), slept, None)
    assert found.deadline == deadline
    assert (found.average_mw is None) == (deadline == "missed")
    assert found.life_h is None


def test_where_sleep_power_comes_from() -> None:
    headline = power.headlines()["stm32l496zg"]
    assert estimate.asleep(1e-6, measured(), headline, "x").tier == "given"
    assert estimate.asleep(None, measured(), headline, "x").mw.value == 0.006
    listed = estimate.asleep(None, None, headline, "x")
    assert (listed.tier, listed.mw.value, listed.mw.high) == ("datasheet", pytest.approx(2.57 * 3.3e-3), None)
    with pytest.raises(HarnessError, match="no sleep power of rp2040 is known"):
        estimate.asleep(None, None, None, "rp2040")


def test_a_trace_alone_is_no_estimate() -> None:
    query = answer.Query(trace=measured(), period_s=1.0, battery=units.battery("225mAh@3V", "x"))
    found = answer.answer(query)
    assert found.estimate is None and found.measured == measured()
    assert found.duty and found.duty.sleep.tier == "trace"
    assert found.duty.average_mw and found.duty.average_mw.value == pytest.approx(0.9 + 0.006 * 0.98)


def test_a_trace_gives_an_estimate_its_power() -> None:
    found = answer.answer(answer.Query(trace=measured(), platform="stm32l496zg"), run())
    assert found.estimate and found.estimate.power_tier == "trace"
    assert found.estimate.energy_uj.value == pytest.approx(450)
    assert found.measured and found.measured.energy_uj.mean == 900


def test_a_stated_latency_goes_before_the_estimate() -> None:
    found = answer.answer(answer.Query(latency_s=0.02, platform="stm32l496zg", kernels="cmsis-nn", type="int8"), run())
    assert found.estimate and found.estimate.latency.tier == "given" and found.estimate.layers == ()
    assert found.estimate.energy_uj.value == pytest.approx(20 * 43.599)


def test_without_a_latency() -> None:
    with pytest.raises(HarnessError, match="has no latency estimate") as error:
        answer.answer(answer.Query(platform="stm32l496zg"), result_maker.result())
    assert error.value.exit_code == 3 and "--latency 12ms" in (error.value.hint or "")
    with pytest.raises(BadInputError, match="depends on how often"):
        answer.answer(answer.Query(battery=units.battery("1J", "x")))
    with pytest.raises(BadInputError, match="both given and in the trace"):
        answer.answer(answer.Query(active_w=1.0, trace=measured()))


Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def harness(capfd: pytest.CaptureFixture[str], results: Path) -> Call:
    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["energy", *(str(argument) for argument in arguments)])
        captured = capfd.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return call


@pytest.fixture
def stored(results: Path, tmp_path: Path) -> str:
    elf = tmp_path / "firmware.elf"
    elf.write_bytes(b"no ELF")
    return store.save(run(), elf, "", ()).run_id


CYCLE = ("--period", "1s", "--battery", "225mAh@3V", "--sleep-current", "2uA")


def test_the_command(harness: Call, stored: str) -> None:
    code, out, _ = harness(stored, *CYCLE)
    assert code == 0
    for text in ("estimated, not measured", "about", "CONV_2D", "overhead", "busy about 1 %", "days from 2,430 J"):
        assert text in out
    code, out, _ = harness(stored, *CYCLE, "--json")
    found = json.loads(out)
    assert code == 0 and found["schema"] == answer.SCHEMA and found["measured"] is None
    assert found["type"] is None and "a mean of other builds" in found["estimate"]["power_basis"]
    assert found["estimate"]["energy_uj"]["value"] == pytest.approx(448.24, abs=0.01)
    assert found["duty"]["sleep"]["mw"]["value"] == pytest.approx(0.006)


def test_a_missed_deadline_is_exit_1(harness: Call, stored: str) -> None:
    code, out, _ = harness(stored, "--period", "5ms", "--battery", "1Wh")
    assert code == 1 and "FAIL  an inference takes 0.01 s, longer than the period of 0.005 s" in out
    assert "on average" not in out


def test_a_network_of_a_known_latency_is_not_run(harness: Call, results: Path) -> None:
    code, out, _ = harness(DIGITS, "-p", "stm32l496zg", "-k", "cmsis-nn", "--latency", "12ms", "--json")
    found = json.loads(out)
    assert (code, found["type"], found["run_id"]) == (0, "int8", None) and not results.exists()
    assert found["estimate"]["energy_uj"]["value"] == pytest.approx(12 * 43.599)


def test_the_command_reads_a_trace(harness: Call, tmp_path: Path) -> None:
    path = trace_maker.ppk2(tmp_path / "t.csv", trace_maker.made(), grouped=True)
    code, out, _ = harness("--trace", path, "--period", "1s", "--battery", "225mAh@3V")
    assert code == 0
    assert "measured in t.csv: 900 uJ an inference" in out and "10 inferences by marker D0" in out
    assert "estimated, not measured" not in out
    code, out, _ = harness("--trace", path, "--supply", "3V", "--threshold", "5mA", "--json")
    assert code == 0 and json.loads(out)["measured"]["found_by"] == "threshold 15 mW"


def test_a_network_is_measured_first(harness: Call) -> None:
    code, out, _ = harness(DIGITS, "-p", "stm32l496zg", "-k", "cmsis-nn", "--json")
    found = json.loads(out)
    assert code == 0 and found["type"] == "int8" and found["run_id"].startswith("digits-stm32l496zg-cmsis-nn")
    layers = found["estimate"]["layers"]
    assert sum(layer["energy_uj"] for layer in layers) == pytest.approx(found["estimate"]["energy_uj"]["value"])
    assert "lenet (int8, cmsis-nn)" in found["estimate"]["power_basis"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 3, "no latency is known"),
        (("--latency", "12ms"), 2, "whose power?"),
        (("--latency", "12"), 2, "a unit is missing"),
        (("--latency", "12ms", "-p", "stm32l49"), 2, "unknown platform 'stm32l49'"),
        (("--latency", "12ms", "-p", "rp2040"), 3, "no power of rp2040 is known"),
        (("--latency", "12ms", "-p", "stm32f767zi", "--period", "1s"), 3, "no sleep power of stm32f767zi"),
        (("nothing",), 2, "no stored run 'nothing'"),
        (("x.tflite",), 2, "x.tflite: on which board?"),
        (("x.tflite", "-p", "rp2040"), 2, "x.tflite"),
        (("x", "--opt", "-O2"), 2, "--opt is about a MODEL"),
        (("x", "-k", "cmsis-nn"), 2, "a stored run has its kernels"),
        (("x", "-c", "stm32l496zg"), 2, "a calibration is about the latency of a MODEL that is measured"),
        ((DIGITS, "-p", "stm32l496zg", "--carry"), 2, "carry is about a calibration, and none is named"),
        ((DIGITS, "-p", "stm32l496zg", "-c", "no.json"), 2, "calibration no.json: there is no such file"),
        (("--battery", "225mAh"), 2, "a charge has no energy without a voltage"),
        ((DIGITS, "-p", "stm32f767zi", "--period", "1s"), 3, "no sleep power of stm32f767zi"),
        ((DIGITS, "-p", "rp2040"), 3, "no power of rp2040 is known"),
        (("--active-current", "5mA", "--latency", "12ms"), 2, "at which voltage?"),
        (("--active-current", "5mA", "--active-power", "5mW"), 2, "say the same thing"),
        (("--marker", "D0"), 2, "--marker is about a trace"),
        (("--trace", "nowhere.csv"), 2, "nowhere.csv: cannot be read"),
    ],
)
def test_mistakes(harness: Call, arguments: tuple[object, ...], code: int, message: str) -> None:
    found, out, err = harness(*arguments)
    assert found == code, err
    assert out == "" and "Traceback" not in err and message in err
    assert [line.split(":")[0] for line in err.splitlines()][:1] == ["error"]


def test_a_run_of_another_platform(harness: Call, stored: str) -> None:
    code, _, err = harness(stored, "-p", "rp2040")
    assert code == 2 and "is of stm32l496zg, not of rp2040" in err
