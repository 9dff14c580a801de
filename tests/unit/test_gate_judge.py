"""The gate's judgement on given results: allowances, limits, what is missing, what is named as the cause."""

from __future__ import annotations

import gate_maker
import pytest
import result_maker
from gate_maker import plain, replaced, slower, verdict, with_layer
from hypothesis import given
from hypothesis import strategies as st

from harness.gate import decide, metrics
from harness.gate.judge import Judged, about, bound, judge_one
from harness.gate.policy import Only, Rule
from harness.gate.verdict import Comparison, FailurePart
from harness.result import Verdict


def one(rule: Rule, run: Judged) -> Comparison:
    (comparison,) = judge_one(run, [rule])
    return comparison


def test_a_clean_gate_passes() -> None:
    found = verdict(plain(), plain())
    assert (found.exit_code, found.word) == (0, "PASS")
    assert found.headline == "made: 1 run, 8 comparisons, none worse than allowed"
    assert {item.state for item in found.comparisons} == {"ok"}
    assert found.policy.sha256 == "ab" * 32


@pytest.mark.parametrize(
    ("before", "percent", "absolute", "last"),
    [
        (1000, None, None, 1000),
        (1000, 1.0, None, 1010),
        (1000, 0.7, None, 1007),  # 1000 * 0.7 / 100 is 6.999999999999999
        (1010, 1.0, None, 1020),
        (1000, 1.0, 9.0, 1010),
        (1000, 1.0, 11.0, 1011),
        (0, 50.0, None, 0),
    ],
)
def test_the_larger_allowance_holds(before: int, percent: float | None, absolute: float | None, last: int) -> None:
    rule = Rule(metric="flash", unit="B", allowed_percent=percent, allowed=absolute)
    assert bound(before, rule, metrics.get("flash")) == last


def test_where_more_is_better_the_allowance_is_below() -> None:
    rule = Rule(metric="accuracy", unit="share", allowed_percent=1)
    assert bound(0.9, rule, metrics.get("accuracy")) == pytest.approx(0.891)


@given(st.integers(0, 10**9), st.decimals(0, 100, places=2), st.integers(0, 10**6))
def test_the_bound_is_the_last_value_that_is_not_worse(before: int, percent: object, absolute: int) -> None:
    allowance = float(str(percent))
    rule = Rule(metric="flash", unit="B", allowed_percent=allowance, allowed=absolute)
    last = bound(before, rule, metrics.get("flash"))
    hundredths = round(allowance * 100)
    assert before <= last
    assert (last - before) * 10_000 <= max(before * hundredths, absolute * 10_000)
    assert (last + 1 - before) * 10_000 > max(before * hundredths, absolute * 10_000)


def test_a_slower_layer_is_named_with_function_and_class() -> None:
    found = verdict(slower(plain(), 0, by=20), plain())
    assert found.exit_code == 1
    assert found.headline == (
        "kws.tflite on stm32l496zg (cmsis-nn, -O2): layer 0 CONV_2D +20 instructions (+2.22 %), 900 -> 920, "
        "allowed at most 910; in waste +20, load +20 (and 1 more worse)"
    )
    total = next(item for item in found.comparisons if item.metric == "instructions")
    assert (total.value, total.baseline, total.bound, total.change, total.change_percent) == (1020, 1000, 1010, 20, 2.0)
    assert total.cause is not None and total.cause.op == "CONV_2D"
    assert total.excess == pytest.approx(100 * 10 / 1010, abs=1e-4)


def test_the_worst_comes_first() -> None:
    worse = replaced(slower(plain(), 1, by=45), "memory", flash=plain().memory.flash + 1024)
    found = verdict(worse, plain())
    states = [item.state for item in found.comparisons]
    assert states == sorted(states, key=["worse", "ok"].index)
    assert [(item.metric, item.layer) for item in found.of("worse")] == [
        ("layers", 1), ("instructions", None), ("flash", None)
    ]  # fmt: skip


def test_a_kibibyte_more_of_flash() -> None:
    memory = plain().memory
    larger = replaced(plain(), "memory", flash=memory.flash + 1024, code=memory.code + 1024)
    found = verdict(larger, plain())
    assert found.exit_code == 1
    assert "flash +1,024 B (+0.83 %), 122,628 -> 123,652, allowed at most 123,140; code +1,024" in found.headline


def test_ram_that_moved_within_what_is_allowed_in_all() -> None:
    memory = plain().memory
    other = replaced(plain(), "memory", ram=memory.ram + 16, arena=memory.arena + 48, static=memory.static - 32)
    found = verdict(other, plain())
    assert "ram +16 B (+0.04 %)" in found.headline and "arena +48, static -32" in found.headline


def test_one_bit_of_an_output() -> None:
    found = verdict(replaced(plain(), "check", outputs=("80fe",)), plain())
    assert found.exit_code == 1
    assert found.headline.endswith(
        "the outputs are not the baseline's: 1 of 2 bytes of the final outputs differ, the first is byte 1: ff -> fe"
    )


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        (("80ff", "00"), "the final outputs are 3 bytes, 2 in the baseline"),
        (("80", "ff"), "the same bytes are divided among other outputs"),
        (("zz", "ff"), "1 of 2 bytes of the final outputs differ, the first is byte 0: 80 -> zz"),
    ],
)
def test_outputs_of_another_form(outputs: tuple[str, ...], said: str) -> None:
    assert said in verdict(replaced(plain(), "check", outputs=outputs), plain()).headline


def test_the_first_layer_whose_output_is_another_is_named() -> None:
    other = with_layer(replaced(plain(), "check", outputs=("80fe",)), 1, output_crc32="00000001")
    found = verdict(other, plain())
    assert "the outputs are not the baseline's: first in layer 1 SOFTMAX" in found.headline


def test_outputs_that_are_not_the_hosts_fail_whatever_the_policy_lists() -> None:
    wrong = replaced(plain(), "check", output_exact=False, first_difference=result_maker.difference())
    wrong = replaced(wrong, "verdict", passed=False, reasons=("layer 0 (CONV_2D) differs from the host build",))
    found = verdict(wrong, plain(), [Rule(metric="flash", unit="B")])
    assert found.exit_code == 1
    assert "not exact: layer 0 (CONV_2D) differs from the host build" in found.headline
    assert found.comparisons[0].cause is not None and found.comparisons[0].cause.layer == 0


def test_a_board_that_is_too_small_fails_whatever_the_policy_lists() -> None:
    large = replaced(plain(), "memory", flash_free=-1)
    large = replaced(large, "verdict", passed=False, reasons=("does not fit stm32l496zg",))
    found = verdict(large, large, [Rule(metric="stack", unit="B")])
    assert (found.exit_code, "the board is too small: does not fit stm32l496zg" in found.headline) == (1, True)


def test_a_limit_needs_no_baseline() -> None:
    rule = Rule(metric="flash", unit="B", limit=122_000)
    found = verdict(plain(), None, [rule])
    assert found.exit_code == 1
    assert "flash 122,628 B, limit at most 122,000 B" in found.headline
    assert verdict(plain(), None, [Rule(metric="flash", unit="B", limit=122_628)]).exit_code == 0


def test_a_limit_and_an_allowance_are_two_comparisons() -> None:
    rule = Rule(metric="flash", unit="B", limit=1, allowed_percent=0)
    found = judge_one(gate_maker.judged(plain(), plain()), [rule])
    assert [(item.against, item.state) for item in found] == [("baseline", "ok"), ("limit", "worse")]


def test_a_limit_of_each_layer() -> None:
    found = judge_one(gate_maker.judged(plain(), None), [Rule(metric="layers", unit="instructions", limit=100)])
    assert [(item.layer, item.state) for item in found] == [(0, "worse"), (1, "ok")]


@pytest.mark.parametrize(("missing", "state", "code"), [("fail", "missing", 3), ("warn", "warned", 0),
                                                        ("ignore", "ignored", 0)])  # fmt: skip
@pytest.mark.parametrize("metric", ["latency", "energy"])
def test_an_estimate_that_is_not_there(metric: str, missing: object, state: str, code: int) -> None:
    rule = Rule(metric=metric, unit=metrics.get(metric).unit, missing=missing)  # type: ignore[arg-type]
    found = verdict(plain(), plain(), [rule])
    assert (found.exit_code, found.comparisons[0].state) == (code, state) if code else True
    assert len(found.of(state)) == 1  # type: ignore[arg-type]
    if code:
        assert f"no estimate of {metric} in the result (cycles = true in [[runs]], or" in found.headline
        assert f"makes one): estimated {metric} of kws.tflite on" in found.headline


def test_accuracy_is_judged_by_its_limit() -> None:
    rule = Rule(metric="accuracy", unit="share", limit=0.9)
    run = Judged(result=plain(), baseline=None, baseline_file="x.json", accuracy=0.89)
    assert one(rule, run).state == "worse"
    assert one(rule, Judged(result=plain(), baseline=None, baseline_file="x.json", accuracy=0.9)).state == "ok"
    unknown = one(rule, Judged(result=plain(), baseline=None, baseline_file="x.json"))
    assert (unknown.state, unknown.reason) == ("missing", "the policy names no test set for this run")


def test_no_baseline() -> None:
    found = verdict(plain(), None)
    assert found.exit_code == 3
    assert found.headline == (
        "no baseline kws-stm32l496zg-cmsis-nn-O2.json: output_equal, instructions, layers, flash, ram of "
        "kws.tflite on stm32l496zg (cmsis-nn, -O2) missing"
    )


def test_an_improvement_asks_for_an_update() -> None:
    found = verdict(slower(plain(), 0, by=-60), plain())
    assert found.exit_code == 0
    assert "2 better" in found.headline and 'harness baseline update --reason "..."' in found.headline
    assert len(verdict(slower(plain(), 0, by=-30), plain()).of("better")) == 0


def test_worse_and_not_compared_is_not_compared_and_names_both() -> None:
    other = replaced(plain(), "identity", compiler="arm-none-eabi-gcc 14.2.1")
    other = replaced(other, "check", outputs=("80fe",))
    found = verdict(other, plain())
    assert (found.exit_code, found.word) == (3, "INCOMPLETE")
    assert found.headline.startswith("another compiler than the baseline's: arm-none-eabi-gcc 14.2.1, baseline arm-")
    assert "; and worse: kws.tflite" in found.headline and "outputs are not the baseline's" in found.headline


def test_what_was_not_run_is_named() -> None:
    broken = FailurePart(what="kws.tflite on rp2040", message="the firmware did not end", hint=None)
    found = verdict(plain(), plain(), failures=[broken])
    assert (found.exit_code, found.headline) == (3, "kws.tflite on rp2040: the firmware did not end")
    large = FailurePart(what="kws.tflite on rp2040", message="does not fit rp2040", hint=None, too_large=True)
    found = verdict(plain(), plain(), failures=[large])
    assert (found.exit_code, found.headline) == (1, "kws.tflite on rp2040: does not fit rp2040")


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (Only(), True),
        (Only(platforms=("stm32*",)), True),
        (Only(platforms=("rp2040",)), False),
        (Only(models=("kws*",), kernels=("cmsis-nn",)), True),
        (Only(models=("ad*",)), False),
        (Only(fpu=(True,)), True),
        (Only(fpu=(False,)), False),
        (Only(optimisation=("-Os",)), False),
        (Only(emulator=("renode",)), False),
    ],
)
def test_a_rule_is_about_the_runs_that_it_names(only: Only, expected: bool) -> None:
    assert about(only, plain()) == expected
    rule = Rule(metric="flash", unit="B", only=only)
    assert len(judge_one(gate_maker.judged(plain(), plain()), [rule])) == expected


def test_renode_tells_no_functions() -> None:
    before = plain()
    after = with_layer(slower(before, 0, by=20), 0, functions=None, classes=None)
    found = verdict(after, before)
    assert "layer 0 CONV_2D +20 instructions" in found.headline and "waste" not in found.headline


def test_verdicts_are_equal_and_free_of_the_machine(tmp_path: object) -> None:
    before = plain()
    after = replaced(before, "artifacts", elf=f"{tmp_path}/firmware.elf")
    first, second = (verdict(after, before).to_json() for _ in range(2))
    assert first == second
    assert str(tmp_path).encode() not in first


def test_unused_baselines(tmp_path: object) -> None:
    from pathlib import Path

    from harness import baseline

    folder = Path(str(tmp_path))
    baseline.save(plain(), folder)
    gone = baseline.save(replaced(plain(), "model", file="gone.tflite"), folder)
    (part,) = decide.unused(folder, {baseline.name(plain())})
    assert (part.what, gone.name in str(part.hint)) == (f"baseline {gone.name}", True)


def test_the_run_of_a_failed_verdict_is_told_by_its_own_reasons() -> None:
    failing = replaced(plain(), "check", layers_exact=False)
    failing = gate_maker.msgspec.structs.replace(failing, verdict=Verdict(passed=False, reasons=("layer 1 differs",)))
    assert "layer 1 differs" in verdict(failing, plain()).headline
