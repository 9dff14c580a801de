"""The report of a study: the pick and what binds it, budgets, the front, trials and how they ended, the misses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import page_maker
import pytest
from optimize_maker import measured, measurement, quantity, result, scenario, study_file, trial
from page_maker import Names
from views_maker import STUDY, blocks, one, picked, several, table

from harness.optimize.records import StudyResult, TrialRecord
from harness.optimize.scenario import Scenario
from harness.page import render, study
from harness.page.document import Chart, Link, Mark, Page, Row, Table
from harness.page.study import Stored
from harness.page.values import Number

pytest.importorskip("sklearn", reason="scikit-learn is not installed")


@pytest.fixture
def made(tmp_path: Path) -> Scenario:
    return scenario(tmp_path, STUDY)


def page(made: Scenario, records: list[TrialRecord], found: StudyResult | None) -> Page:
    return study.page(Stored(made, study_file(made), records, found))


def cell(of: Table, row: Row, key: str) -> Any:
    return row.cells[[column.key for column in of.columns].index(key)]


def number(found: Any) -> float | None:
    assert isinstance(found, Number)
    return found.value


def test_verdict_names_the_pick_what_binds_it_and_what_is_undecided(made: Scenario) -> None:
    records = several(made)
    shown = page(made, records, picked(records))
    assert shown.state == "pass" and shown.kind == "study"
    assert shown.verdict.startswith(f"Trial 3 of 7 is the pick: {records[3].candidate.label}; accuracy is binding")
    assert "84.00 % accurate on the validation part, 81.00 % on the test part" in shown.verdict


def test_budgets_have_slack_by_the_bound_that_decides(made: Scenario) -> None:
    records = several(made)
    budgets = table(page(made, records, picked(records)), "study-budgets")
    deadline = next(row for row in budgets.rows if row.cells[0] == "deadline")
    value, slack = cell(budgets, deadline, "value"), cell(budgets, deadline, "slack")
    assert (value.value, value.low, value.high, value.origin) == (7.0, pytest.approx(4.9), 10.5, "estimated")
    assert (slack.value, slack.low, slack.high) == pytest.approx((65.0, 47.5, 75.5))
    accuracy = next(row for row in budgets.rows if row.cells[0] == "accuracy")
    assert number(cell(budgets, accuracy, "limit")) == 80 and cell(budgets, accuracy, "slack").origin == "derived"
    assert [row.cells[0] for row in budgets.rows if "binding" in cell(budgets, row, "state").text] == ["accuracy"]


def test_every_trial_has_a_row_with_how_it_ended(made: Scenario) -> None:
    records = several(made)
    trials = table(page(made, records, picked(records)), "study-trials")
    ended = [cell(trials, row, "state") for row in trials.rows]
    assert [mark.text.split(":")[0] for mark in ended] == [
        "missed", "missed", "met", "met", "the same as trial 3", "without numbers", "without numbers"
    ]  # fmt: skip
    assert ended[0].text.startswith("missed: deadline, energy, accuracy?")
    assert ended[5].text == "without numbers: too deep for the map"
    assert [row.id for row in trials.rows] == [f"trial-{number}" for number in range(7)]
    lost = cell(trials, trials.rows[5], "instructions")
    assert lost.value is None and lost.reason == "too deep for the map"
    assert cell(trials, trials.rows[0], "accuracy").value is None


def test_ends_add_up_to_all_trials(made: Scenario) -> None:
    records = several(made)
    shown = page(made, records, picked(records))
    *parts, whole = table(shown, "study-ends").rows
    assert sum(number(row.cells[2]) or 0 for row in parts) == number(whole.cells[2]) == 7
    chart = blocks(shown, Chart)["study-ends-chart"]
    assert chart.summary == "7 trials: 2 met, 2 missed, 2 without numbers, 1 duplicate."


def test_front_is_drawn_with_bands_and_links_to_trials(made: Scenario) -> None:
    records = several(made)
    shown = page(made, records, picked(records))
    chart = blocks(shown, Chart)["study-chart"]
    assert chart.svg.count('class="band"') == 3  # trained and no duplicate
    assert "1 that were measured and not trained have no accuracy" in chart.note
    front = table(shown, "study-front")
    assert [row.cells[0] for row in front.rows] == [Link(text=f"trial {n}", target=f"trial-{n}") for n in (3, 2)]
    assert "study-sides" in blocks(shown, Table) and "study-accuracy" in blocks(shown, Table)


def test_the_best_so_far_turns_where_a_better_trial_meets_every_budget(made: Scenario) -> None:
    records = several(made)
    shown = page(made, records, picked(records))
    turns = table(shown, "study-turns")
    assert [(row.cells[0], row.cells[1].text) for row in turns.rows if isinstance(row.cells[1], Link)] == [
        ("2", "trial 2"), ("3", "trial 3")
    ]  # fmt: skip
    assert "turned 2 times; the last time after 4 of 7 trials" in blocks(shown, Chart)["study-course"].summary


def test_without_a_pick_the_nearest_miss_is_said(made: Scenario) -> None:
    records = [one(made, 0, 30.0), one(made, 1, 7.0, 70)]
    shown = page(made, records, result(records, reasons=("not found in 2 trials of 336 combinations",)))
    assert shown.state == "fail"
    assert shown.verdict == (
        "No pick: not found in 2 trials of 336 combinations; nearest is trial 1: accuracy of 70.00 % in place of "
        "≥ 80 % would let it in"
    )
    nearest = table(shown, "study-nearest")
    assert nearest.rows[0].cells[0] == Link(text="trial 1", target="trial-1")
    assert cell(nearest, nearest.rows[0], "needed") == "70.00 %"
    assert "study-turns" not in blocks(shown, Table) and "study-front" not in blocks(shown, Table)


def test_undecided_is_no_failure(made: Scenario) -> None:
    wide = measurement(measured(1000), quantity(15.0, 9.0, 30.0), quantity(300.0, 200.0, 310.0))
    records = [trial(made, 0, wide, 90)]
    shown = page(made, records, result(records, undecided=1, missed=0, reasons=("not found in 1 trials",)))
    assert shown.state == "undecided" and "1 trial undecided" in shown.verdict
    ends = table(shown, "study-ends")
    assert ends.rows[0].cells[:2] == (Mark(state="undecided", text="undecided"), "deadline")


def test_a_search_that_has_not_ended_says_so(made: Scenario) -> None:
    records = several(made)
    shown = page(made, records, None)
    assert (
        shown.state == "undecided" and "has not come to its end: 7 trials stored, 2 meet every budget" in shown.verdict
    )
    assert shown.not_measured[0].item == "the pick" and table(shown, "study-front").rows
    assert render.html(shown)


def test_a_study_without_trials_is_a_page(made: Scenario) -> None:
    assert render.html(page(made, [], None))


def test_what_is_not_stored_is_said_with_its_command(made: Scenario) -> None:
    records = several(made)
    commands = [item.command for item in page(made, records, picked(records)).not_measured]
    assert "harness optimize explain small" in commands


def test_hostile_names_change_no_element(made: Scenario) -> None:
    def html(harmless: bool) -> str:
        new = Names(harmless)
        records = [_renamed(record, new) for record in several(made)]
        found = picked(records, notes=(new(),), reasons=(new(),))
        file = msgspec.structs.replace(study_file(made), name=new(), id=new(), scenario_path=new(), created=new(),
                                       versions={new(): new()}, axes={new(): (new(),)})  # fmt: skip
        return render.html(study.page(Stored(made, file, records, found), new()))

    hostile = html(harmless=False)
    assert page_maker.outline(hostile) == page_maker.outline(html(harmless=True))
    assert re.search("window.hit=1", " ".join(page_maker.texts(hostile)))


def _renamed(record: TrialRecord, new: Names) -> TrialRecord:
    architecture = msgspec.structs.replace(record.candidate.architecture, family=new())
    candidate = msgspec.structs.replace(record.candidate, architecture=architecture, kernels=new(), optimisation=new())
    failure = record.failure and msgspec.structs.replace(record.failure, message=new())
    judgements = tuple(msgspec.structs.replace(item, tier=None if item.tier is None else new())
                       for item in record.judgements)  # fmt: skip
    return msgspec.structs.replace(record, candidate=candidate, failure=failure, judgements=judgements)
