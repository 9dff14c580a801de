"""Samples at a rate: time is what is executed, deadlines are kept up to the rate that the instructions allow."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import faults, pipeline, realtime, scenario
from harness.emulators.renode_find import Renode
from harness.errors import BadInputError
from harness.setup import Options
from tests.conftest import DIGITS

BOARD = "stm32l496zg"
CLOCK = 80_000_000


def kept(rate_hz: float, **options: object) -> realtime.RealTime:
    return realtime.run(DIGITS, BOARD, rate_hz, kernels="cmsis-nn", **options)  # type: ignore[arg-type]


def test_a_slow_rate_is_kept_and_the_core_sleeps(results: Path) -> None:
    measured = kept(100)
    assert measured.sustained
    assert measured.deadline_instructions == CLOCK // 100
    assert measured.rate_hz == pytest.approx(100)
    assert measured.clock_hz == CLOCK
    assert measured.scale == pytest.approx(CLOCK * 64e-9)
    # one inference, and a little for the interrupt, the copies and the look at the output
    counted = pipeline.run(DIGITS, BOARD, kernels="cmsis-nn").counts.total
    assert counted < measured.active_instructions_per_frame < 1.005 * counted
    assert counted < measured.worst_latency_instructions <= measured.active_instructions_per_frame
    whole = measured.active_instructions_per_frame + measured.idle_instructions_per_frame
    # the last input's inference comes after the last period
    assert whole == pytest.approx(measured.deadline_instructions + counted / measured.frames, rel=0.001)
    assert measured.utilisation == pytest.approx(measured.active_instructions_per_frame / (CLOCK / 100), abs=1e-5)


def test_repeats_are_identical() -> None:
    assert kept(300) == kept(300)


def test_a_rate_that_is_too_high_misses_deadlines_and_then_drops_inputs() -> None:
    late = kept(360)
    assert (late.missed, late.dropped, late.sustained) == (20, 0, False)
    assert late.utilisation > 1
    assert late.worst_latency_instructions > late.deadline_instructions
    lost = kept(900)
    assert lost.dropped > 0 and lost.missed + lost.dropped <= 20
    assert late.active_instructions_per_frame == pytest.approx(lost.active_instructions_per_frame, rel=0.01)


@pytest.mark.parametrize("platform", ["rp2040", "stm32u575", "mps3-an547", "microbit"])
def test_other_cores_and_clocks(platform: str) -> None:
    measured = realtime.run(DIGITS, platform, 1, frames=3)
    counted = pipeline.run(DIGITS, platform).counts.total
    assert measured.sustained
    assert counted < measured.active_instructions_per_frame < 1.01 * counted


def test_an_input_may_come_in_parts() -> None:
    whole, parts = kept(200), kept(200, interrupts_per_frame=16)
    assert (whole.interrupts_per_frame, parts.interrupts_per_frame) == (1, 16)
    assert parts.sustained
    assert parts.handler_instructions_per_frame > 5 * whole.handler_instructions_per_frame
    assert parts.active_instructions_per_frame > whole.active_instructions_per_frame


def test_the_ramp_ends_where_the_instructions_say() -> None:
    ramp = realtime.ramp(DIGITS, BOARD, kernels="cmsis-nn")
    assert ramp.highest_rate_hz == pytest.approx(ramp.predicted_rate_hz, rel=0.02)
    assert ramp.highest_rate_hz < ramp.lowest_missed_rate_hz <= 1.0021 * ramp.highest_rate_hz
    assert ramp.predicted_rate_hz == pytest.approx(CLOCK / ramp.runs[0].active_instructions_per_frame)
    for measured in ramp.runs:
        assert measured.sustained == (measured.rate_hz <= ramp.highest_rate_hz)


@pytest.mark.renode
def test_the_ramp_on_renode(renode: Renode) -> None:
    ramp = realtime.ramp(DIGITS, BOARD, kernels="cmsis-nn", emulator="renode", frames=5)
    assert ramp.highest_rate_hz == pytest.approx(ramp.predicted_rate_hz, rel=0.02)
    assert {(item.emulator, item.machine, item.scale) for item in ramp.runs} == {("renode", BOARD, 1.0)}
    assert ramp.highest_rate_hz == pytest.approx(realtime.ramp(DIGITS, BOARD, kernels="cmsis-nn").highest_rate_hz, 0.02)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rate_hz": 0.0}, "0 inputs a second"),
        ({"rate_hz": float("nan")}, "nan inputs a second"),
        ({"rate_hz": 1e9}, "leave no instruction"),
        ({"frames": 0}, "0 inputs cannot"),
        ({"interrupts_per_frame": 0}, "0 interrupts"),
        ({"emulator": "unicorn"}, "unknown emulator"),
    ],
)
def test_what_cannot_be_asked_for(change: dict[str, object], message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        realtime.run(DIGITS, BOARD, **{"rate_hz": 10.0, **change})  # type: ignore[arg-type]


FAULTS = [
    (faults.corrupted_model, "the model in flash is damaged"),
    (faults.small_arena, "AllocateTensors failed"),
    (faults.stack_overflow, "stack"),
    (faults.hang, "the watchdog ended it"),
]


@pytest.mark.parametrize(("fault", "message"), FAULTS, ids=lambda value: getattr(value, "__name__", ""))
@pytest.mark.parametrize("platform", ["stm32l496zg", "rp2040", "stm32u575"])
def test_a_failure_is_reported_and_its_cause_named(platform: str, fault: object, message: str) -> None:
    assert message in fault(DIGITS, platform)  # type: ignore[operator]


@pytest.mark.renode
@pytest.mark.parametrize(("fault", "message"), FAULTS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_failure_on_renode(renode: Renode, fault: object, message: str) -> None:
    assert message in fault(DIGITS, "stm32l496zg", emulator="renode")  # type: ignore[operator]


def test_firmware_of_scenarios_spends_no_time_on_checks_of_layers() -> None:
    made = scenario.make(DIGITS, BOARD, Options())
    symbols = made.link(made.spec("app_realtime", made.arena.needed + 4096, realtime.image.Schedule(
        ticks=1000, interrupts=1, frames=1))).symbols  # fmt: skip
    assert "crcs" not in symbols
