"""Budgets against measurements and estimates, what is worth training, who is promoted, who wins, who misses least."""

import math
from pathlib import Path

import msgspec
import pytest
from optimize_maker import HEAD, measured, measurement, quantity, scenario, trial

from harness.optimize import choose, finals, halving, judge
from harness.optimize.halving import Standing
from harness.optimize.judge import Bounded
from harness.optimize.records import TRIAL_SCHEMA, Judgement, TrialRecord
from harness.optimize.run import constraints
from harness.sweep.plan import Failure
from harness.zoo.evaluate import Accuracy

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

BUDGETS = '[budgets]\ndeadline = "20 ms"\nflash = "64 KiB"\nram = "16 KiB"\naccuracy = 0.8\n'


@pytest.mark.parametrize(
    ("low", "high", "limit", "at_least", "state"),
    [
        (8, 20, 20, False, "met"),
        (8, 20.1, 20, False, "undecided"),
        (20, 30, 20, False, "undecided"),
        (20.1, 30, 20, False, "missed"),
        (8, None, 20, False, "undecided"),
        (21, None, 20, False, "missed"),
        (None, None, 20, False, "undecided"),
        (20, 30, 20, True, "met"),
        (19, 30, 20, True, "undecided"),
        (10, 19, 20, True, "missed"),
        (10, None, 20, True, "undecided"),
    ],
)
def test_a_budget_is_met_missed_or_undecided(
    low: float | None, high: float | None, limit: float, at_least: bool, state: str
) -> None:
    assert judge.state_of(Bounded(value=15, low=low, high=high), limit, at_least) == state


def test_undecided_is_said_never_rounded_up_and_not_trained(tmp_path: Path) -> None:
    made = scenario(tmp_path, BUDGETS)
    found = measurement(measured(100_000), quantity(12.0, 8.0, 24.0))
    judged = {item.key: item for item in judge.judgements(made, [found], Accuracy(correct=90, images=100))}
    assert judged["deadline"].state == "undecided"
    assert judged["deadline"].violation == pytest.approx(0.2)
    assert judged["deadline"].tier == "uncalibrated"
    assert (judged["flash"].state, judged["flash"].low) == ("met", None)
    assert judge.overall([*judged.values()]) == "undecided"
    assert not judge.fits([*judged.values()])


def test_where_nothing_bounds_an_estimate_its_value_decides_what_is_trained_but_never_that_it_is_met(
    tmp_path: Path,
) -> None:
    made = scenario(tmp_path, BUDGETS, HEAD.replace("stm32l496zg", "nrf52840"))
    for value, trained in ((12.0, True), (21.0, False)):
        found = measurement(measured(100_000), quantity(value, 8.0, None), board="nrf52840")
        judged = judge.judgements(made, [found], None)
        assert judge.fits(judged) is trained
        assert judge.overall(judged) == "undecided"


def test_what_does_not_run_or_is_not_exact_misses(tmp_path: Path) -> None:
    made = scenario(tmp_path, BUDGETS)
    for found, key in ((measurement(None), "board"), (measurement(measured(9), exact=False), "exact")):
        judged = judge.judgements(made, [found], None)
        assert judged[0].key == key
        assert judge.overall(judged) == "missed"
        assert not judge.fits(judged)


def test_a_run_that_failed_for_a_reason_of_ours_is_undecided_not_missed(tmp_path: Path) -> None:
    made = scenario(tmp_path, BUDGETS)
    for kind, state in (("not measured", "undecided"), ("too large", "missed"), ("impossible", "missed")):
        failure = Failure(kind=kind, message="why")
        found = measurement(None)
        found = msgspec.structs.replace(found, row=msgspec.structs.replace(found.row, failure=failure))
        judged = judge.judgements(made, [found], None)
        assert judged[0].state == state
        assert not judge.fits(judged)
        assert choose.nearest([trial(made, 0, found)]) == ()


def test_the_life_of_a_battery_is_judged_by_the_energy_of_an_inference(tmp_path: Path) -> None:
    text = '[use]\nperiod = "1 s"\nbattery = "225mAh@3V"\nsleep_power = "6 uW"\n[budgets]\nlife = "1 year"\n'
    made = scenario(tmp_path, text)
    hours = 225 * 3 / 0.106  # milliwatt hours by milliwatts: 100 uJ each second, and asleep
    states = {}
    for energy in (50.0, 100.0, 1000.0):
        found = measurement(measured(9), quantity(2.0, 1.0, 4.0), quantity(energy, energy / 2, energy * 2))
        judged = next(item for item in judge.judgements(made, [found], None) if item.key == "life")
        states[energy] = judged.state
        if energy == 100.0:
            assert judged.value == pytest.approx(hours, rel=0.001)
    assert states == {50.0: "undecided", 100.0: "undecided", 1000.0: "missed"}
    found = measurement(measured(9), quantity(2.0, 1.0, 4.0), quantity(20.0, 10.0, 40.0))
    assert judge.overall(judge.judgements(made, [found], None)) == "met"


def test_rungs_end_with_all_epochs() -> None:
    assert halving.rungs(18, 3) == (2, 6, 18)
    assert halving.rungs(3, 3) == (3,)
    assert halving.rungs(1, 2) == (1,)


def test_the_best_third_and_the_front_are_promoted_whatever_came_later() -> None:
    def standing(number: int, accuracy: float, cost: float) -> Standing:
        return Standing(trial=number, accuracy=accuracy, costs=(cost,))

    before = [standing(0, 0.9, 5), standing(1, 0.5, 9)]
    batch = [standing(2, 0.8, 7), standing(3, 0.4, 1), standing(4, 0.7, 8), standing(5, 0.6, 9)]
    assert halving.promoted(batch, before, 3) == (2, 3)
    assert halving.promoted(batch[:2], before, 3) == (2, 3)
    assert halving.promoted((), before, 3) == ()


def test_the_first_objective_decides_then_the_next(tmp_path: Path) -> None:
    made = scenario(tmp_path, f'objectives = ["accuracy", "instructions"]\n{BUDGETS}')
    fast = quantity(2.0, 1.0, 4.0)
    records = [
        trial(made, 0, measurement(measured(300), fast), 90),
        trial(made, 1, measurement(measured(200), fast), 90),
        trial(made, 2, measurement(measured(100), fast), 85),
        trial(made, 3, measurement(measured(100, flash=70_000), fast), 99),
        trial(made, 4, measurement(measured(50), fast), 79),
        trial(made, 5, measurement(measured(10), fast)),
    ]
    met = choose.met(records)
    assert [item.number for item in choose.ranked(made, met)] == [1, 0, 2]
    assert [item.number for item in choose.front(made, met)] == [1, 2]


def test_the_nearest_miss_names_the_limit_that_would_let_it_in(tmp_path: Path) -> None:
    made = scenario(tmp_path, BUDGETS)
    fast, slow = quantity(2.0, 1.0, 4.0), quantity(20.0, 15.0, 30.0)
    records = [
        trial(made, 0, measurement(measured(1, flash=131_072), fast), 90),
        trial(made, 1, measurement(measured(1), slow), 90),
        trial(made, 2, measurement(measured(1), fast), 75),
        trial(made, 3, measurement(measured(1, flash=70_000), fast)),
        trial(made, 4, measurement(None)),
    ]
    found = choose.nearest(records)
    assert [item.trial for item in found] == [2, 3, 1]
    assert [(judged.key, choose.needed(judged)) for judged in found[0].judgements] == [("accuracy", 0.75)]
    assert found[1].unknown and [judged.key for judged in found[1].judgements] == ["flash"]
    assert [(judged.key, choose.needed(judged)) for judged in found[2].judgements] == [("deadline", 30.0)]
    assert found[2].factor == pytest.approx(1.5)


def test_wilsons_interval_is_that_of_tables() -> None:
    low, high = finals.wilson(81, 263)  # Newcombe, "Two-sided confidence intervals for the single proportion", 1998
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    assert finals.wilson(0, 20) == (0.0, pytest.approx(0.1611, abs=1e-4))
    assert finals.tested_accuracy(66, 100, 0.9).state == "missed"
    assert finals.tested_accuracy(90, 100, 0.9).state == "undecided"
    assert finals.tested_accuracy(90, 100, None).state is None


def test_weights_that_change_counts_are_told_by_layer() -> None:
    same = finals.change(measurement(measured(100)), measurement(measured(100)))
    assert same.equal
    other = finals.change(measurement(measured(100)), measurement(measured(90)))
    assert other.metrics == {"instructions": (100, 90)}
    assert not other.equal


def _judged(key: str, limit: float, value: float | None, violation: float, at_least: bool = False) -> Judgement:
    board = None if key == "accuracy" else "a board"
    return Judgement(key=key, metric=key, board=board, unit="", limit=limit, value=value, violation=violation,
                     at_least=at_least, state="met" if violation <= 0 else "missed")  # fmt: skip


def _with(judgement: Judgement) -> TrialRecord:
    return TrialRecord(
        schema=TRIAL_SCHEMA, number=0, params={}, candidate=None, state=judgement.state, macs=None, measurements=(),
        judgements=(judgement,), trainings=(), objectives=(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("judgement", "octaves"),
    [
        (_judged("latency", 10, 40, 3.0), 2),
        (_judged("latency", 10, 5, -0.5), -1),
        (_judged("latency", 10, 10, 0.0), 0),
        (_judged("latency", 10, 1e9, 1e8), judge.UNRUNNABLE),
        (_judged("life", 100, 25, 0.75, at_least=True), 2),
        (_judged("life", 100, 0, 1.0, at_least=True), math.log2(1000)),
        (_judged("accuracy", 0.95, 0.9, 0.05 / 0.95, at_least=True), 1),
        (_judged("accuracy", 0.95, 0.975, -0.025 / 0.95, at_least=True), -1),
        (_judged("accuracy", 1.0, 0.9995, 0.0005, at_least=True), 0.0005),
        (_judged("accuracy", 1.0, 1.0, 0.0, at_least=True), math.log2(0.001)),
    ],
)
def test_a_constraint_is_the_factor_beyond_its_limit(judgement: Judgement, octaves: float) -> None:
    found = constraints(_with(judgement))
    name = "accuracy" if judgement.metric == "accuracy" else f"{judgement.key} on a board"
    assert found == {name: pytest.approx(octaves)}


def test_the_accuracy_of_an_untrained_network_is_no_constraint() -> None:
    assert constraints(_with(_judged("accuracy", 0.9, None, judge.UNRUNNABLE, True))) == {}
