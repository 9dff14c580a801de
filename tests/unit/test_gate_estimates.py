"""Latency and energy at the gate: judged where both results hold them, by the same model; else said what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from gate_maker import plain, verdict
from rich.console import Console, RenderableType
from test_sweep_estimates import part

from harness import baseline, budgets
from harness.energy import network
from harness.errors import BadInputError
from harness.gate import comparability, measure, metrics, policy
from harness.gate.policy import Rule
from harness.gate.verdict import Comparison
from harness.report import gate, gate_junit, gate_markdown
from harness.result import Interval, Result
from tests.conftest import DIGITS

LATENCY = Rule(metric="latency", unit="ms", allowed_percent=5)
ENERGY = Rule(metric="energy", unit="uJ", allowed_percent=5)


def estimated(by: float = 1.0, platform: str = "stm32l496zg", **changes: Any) -> Result:
    """Layer 0, and the total by that of it, takes so many times as long; ``changes`` are of the estimate."""
    made = part()
    first = msgspec.structs.replace(made.layers[0], cycles=round(640_000 * by), latency_ms=8.0 * by)
    total = 2.0 + 8.0 * by
    values = {
        "layers": (first, made.layers[1]),
        "latency_ms": Interval(value=total, low=0.8 * total, high=1.6 * total),
        "type": "int8",
    }
    return msgspec.structs.replace(
        plain(), platform=platform, estimate=msgspec.structs.replace(made, **(values | changes))
    )


def judged(after: Result, before: Result | None, rule: Rule) -> Comparison:
    (found,) = (item for item in verdict(after, before, [rule]).comparisons if item.metric == rule.metric)
    return found


def test_a_slower_estimate_is_worse_and_names_the_layer() -> None:
    found = judged(estimated(1.1), estimated(), LATENCY)
    assert (found.state, found.unit) == ("worse", "ms")
    assert found.value == pytest.approx(10.8) and found.change_percent == pytest.approx(8.0)
    assert found.cause is not None and found.cause.note == "layer 0 CONV_2D +64,000 estimated cycles"
    assert judged(estimated(1.05), estimated(), LATENCY).state == "ok"
    assert judged(estimated(0.5), estimated(), LATENCY).state == "better"
    assert judged(estimated(1.1), estimated(), ENERGY).state == "worse"


@pytest.mark.parametrize(("limit", "state", "code"), [(16.0, "ok", 0), (15.9, "undecided", 3), (8.0, "undecided", 3),
                                                      (7.9, "worse", 1)])  # fmt: skip
def test_a_limit_is_judged_by_the_bounds(limit: float, state: str, code: int) -> None:
    """Which are 8 and 16 ms."""
    rule = Rule(metric="latency", unit="ms", limit=limit)
    found = judged(estimated(), None, rule)
    assert (found.state, found.value, found.bound) == (state, 10.0, limit)
    assert found.band is not None and (found.band.low, found.band.high) == (8.0, 16.0)
    assert (found.band.model, found.band.tier, found.band.coverage) == ("made/1", "uncalibrated", 0.9)
    assert verdict(estimated(), None, [rule]).exit_code == code


def test_undecided_is_said_and_never_a_pass() -> None:
    found = verdict(estimated(), None, [Rule(metric="latency", unit="ms", limit=12)])
    reason = "the limit, 12 ms, lies between the bounds of the estimate, 10 ms (8 to 16)"
    assert (found.word, found.exit_code) == ("INCOMPLETE", 3)
    assert found.headline.startswith(reason) and found.headline.endswith("undecided")
    shown = text(gate.verdict(found))
    assert f"undecided  {reason}" in shown and "estimated latency of" in shown
    assert "latency is estimated by made/1, uncalibrated" in shown
    assert "undecided is no pass" in shown
    assert f"undecided: `{reason}`: estimated latency" in gate_markdown.summary(found)
    assert b'type="undecided"' in gate_junit.junit(found)


def test_a_limit_says_nothing_where_there_are_no_bounds() -> None:
    bare = estimated(latency_ms=Interval(value=10.0, low=None, high=None), tier="t; carried to another build")
    found = verdict(bare, None, [Rule(metric="latency", unit="ms", limit=1000)])
    assert found.exit_code == 3 and "the estimate, 10 ms, has no bounds" in found.headline
    assert any("carried to another build" in note for note in found.notes)


def test_a_change_is_of_the_values_and_says_so() -> None:
    found = verdict(estimated(1.1), estimated(), [LATENCY])
    assert found.exit_code == 1
    assert "changes of estimates are of their values: the model's error is common to both" in found.notes
    for width in (80, 120):
        shown = text(gate.verdict(found), width)
        assert "estimated latency" in shown and max(map(len, shown.splitlines())) <= width
    assert "8.64 to 17.3" in text(gate.verdict(found), 120)
    assert "(8.64 to 17.3)" in gate_markdown.summary(found)
    assert not any("estimate" in note for note in verdict(plain(), plain(), [Rule(metric="flash", unit="B")]).notes)


def text(shown: RenderableType, width: int = 200) -> str:
    console = Console(width=width)
    with console.capture() as captured:
        console.print(shown)
    return captured.get()


def test_budgets_of_tests_are_held_against_the_bounds() -> None:
    assert budgets.excesses(estimated(), {"latency": 16}) == ()
    (open_,) = budgets.excesses(estimated(), {"latency": 12})
    assert open_.text == "estimated latency 10 ms (8 to 16), budget 12 ms: undecided; by made/1, uncalibrated"
    (over,) = budgets.excesses(estimated(), {"latency": 7})
    assert over.text.startswith("estimated latency 10 ms (8 to 16), budget 7 ms: missed")


def test_energy_is_missing_where_the_power_is_not_known() -> None:
    after = estimated(platform="mps2-an385")
    found = judged(after, after, ENERGY)
    assert found.state == "missing" and "no power of mps2-an385 is known" in (found.reason or "")
    assert metrics.value(after, "latency") == 10.0 and metrics.value(after, "energy") is None


def test_a_baseline_without_an_estimate() -> None:
    found = judged(estimated(), plain(), LATENCY)
    assert found.state == "missing"
    assert found.reason == "no estimate of latency in the baseline (harness baseline update makes it anew)"


@pytest.mark.parametrize("changes", [{"model": "made/2"}, {"tier": "calibrated on b"}])
def test_another_cost_model_makes_estimates_alone_incomparable(changes: dict[str, str]) -> None:
    (found,) = comparability.differences(estimated(), estimated(**changes))
    assert (found.what, found.metrics) == ("cost model", {"latency", "energy"})
    assert "made/1, uncalibrated" in found.mine
    assert judged(estimated(), estimated(**changes), LATENCY).state == "blocked"
    assert judged(estimated(), estimated(**changes), Rule(metric="flash", unit="B")).state == "ok"
    assert comparability.differences(estimated(), plain()) == (), "there the value is missing"


def test_energy_of_a_baseline_is_by_the_type_that_its_estimate_says() -> None:
    """A baseline has no ELF to find the type in."""
    assert network.type_of_run(estimated()) == "int8"
    assert network.type_of_run(plain()) is None
    values = {metrics.value(estimated(type=kind), "energy") for kind in ("int8", "float32")}
    assert len(values) == 2 and None not in values


def test_a_baseline_stores_latency_and_energy_as_totals(tmp_path: Path) -> None:
    changes = {item.metric: item for item in baseline.changes(estimated(), estimated(1.1))}
    assert (changes["latency"].unit, changes["energy"].unit) == ("ms", "uJ")
    assert not {"latency", "energy"} & {item.metric for item in baseline.changes(plain(), plain())}
    stored = baseline.read(baseline.save(estimated(), tmp_path)).result
    assert metrics.value(stored, "energy") == metrics.value(estimated(), "energy")


# --- the policy asks for it ------------------------------------------------------------------------------------------


def load(folder: Path, *runs: str) -> policy.File:
    path = folder / "made.toml"
    tables = (f'[[runs]]\nmodels = ["{DIGITS}"]\nplatforms = ["mps2-an385"]\n{text}\n' for text in runs)
    path.write_text(f'name = "made"\n{"".join(tables)}[[rules]]\nmetric = "latency"\nunit = "ms"\nlimit = 1\n')
    return policy.load(path)


def test_runs_that_ask_for_cycles_are_others(tmp_path: Path) -> None:
    (plain_run,) = measure.wanted(load(tmp_path, ""))
    (asked,) = measure.wanted(load(tmp_path, "cycles = true"))
    assert (plain_run.cycles, asked.cycles) == (False, True)
    assert plain_run.key != asked.key


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        (('cycles = true\nemulator = ["renode"]',), "runs[0].cycles: they cannot be estimated from runs on renode"),
        (
            ("cycles = true", ""),
            "runs[1].cycles: digits.tflite mps2-an385 reference -O2 is there both with and without",
        ),
    ],
)
def test_what_runs_may_not_ask_for(tmp_path: Path, runs: tuple[str, ...], message: str) -> None:
    given = load(tmp_path, *runs)
    with pytest.raises(BadInputError) as raised:
        measure.wanted(given)
    assert raised.value.message.startswith(f"{given.path}: {message}") and raised.value.hint
