"""A search as text: the pick, its budgets and what binds; the nearest misses; tables that fit a terminal."""

import io
from pathlib import Path

import pytest
from optimize_maker import measured, measurement, pick, quantity, result, scenario, study_file, trial
from rich.console import Console, RenderableType

from harness.optimize import conclude, finals
from harness.optimize.records import DeviceAccuracy
from harness.optimize.replay import Difference, Replayed
from harness.report import optimize as report

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

TEXT = 'objectives = ["accuracy", "instructions"]\n[budgets]\ndeadline = "20 ms"\nflash = "64 KiB"\naccuracy = 0.8\n'


def text(shown: RenderableType, width: int = 120) -> str:
    out = io.StringIO()
    Console(file=out, width=width, highlight=False, emoji=False).print(shown)
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    return "\n".join(line.rstrip() for line in lines)


def test_the_pick_is_shown_with_its_budgets_and_what_binds(tmp_path: Path) -> None:
    made = scenario(tmp_path, TEXT)
    records = [
        trial(made, 0, measurement(measured(123_456), quantity(9.0, 6.0, 18.5)), 90),
        trial(made, 1, measurement(measured(99_999), quantity(2.0, 1.0, 4.0)), 85, family="dense"),
    ]
    chosen = pick(
        records[0],
        test=finals.tested_accuracy(85, 100, 0.8),
        device=(DeviceAccuracy(board="stm32l496zg", images=100, correct=85, host_correct=85, different=0),),
    )
    shown = text(report.study(made, study_file(made), records, result(records, chosen)))
    assert "PICK  small: trial 0, cnn channels=4" in shown
    assert "deadline  9 (6 to 18.5) ms" in shown
    assert "92 %  met, binding (estimate)" in shown
    assert shown.count("binding") == 1
    assert "test        85.00 % (85 of 100), 95 % interval 76.72 % to 90.69 %, lowest accuracy undecided" in shown
    assert "on device   85.00 % (85 of 100) on stm32l496zg, every output the host's" in shown
    assert "equal to random ones in every number" in shown
    assert "front of accuracy, instructions: 2 of 2 that meet every budget" in shown
    assert "2 trials (TPE in 336 combinations, seed 1): 2 met" in shown


@pytest.mark.parametrize("width", [60, 80, 160])
def test_trials_fit_the_terminal_and_keep_accuracy_and_network(tmp_path: Path, width: int) -> None:
    made = scenario(tmp_path, TEXT)
    records = [trial(made, 0, measurement(measured(123_456), quantity(9.0, 6.0, 18.5)), 90),
               trial(made, 1, measurement(None))]  # fmt: skip
    shown = text(report.trials(made, records), width)
    assert "90.00 %" in shown and "123,456" in shown and "cnn" in shown
    assert shown.count("-") >= 2  # what is not known


def test_the_nearest_misses_say_which_limit_would_do(tmp_path: Path) -> None:
    made = scenario(tmp_path, TEXT)
    records = [
        trial(made, 0, measurement(measured(1, flash=131_072), quantity(2.0, 1.0, 4.0)), 90),
        trial(made, 1, measurement(measured(1), quantity(15.0, 10.0, 30.0))),
    ]
    reasons = conclude.reasons(study_file(made), records, [], met=False, proved=False)
    assert reasons == (
        "not found in 2 trials of 336 combinations",
        "1 of them undecided: bounds of estimates lie on both sides of a limit",
    )
    shown = text(report.study(made, study_file(made), records, result(records, reasons=reasons)))
    assert "NO PICK  small: not found in 2 trials of 336 combinations; 1 of them undecided" in shown
    assert "deadline on stm32l496zg: 15 (10 to 30) ms, ≤ 20 ms: undecided; deadline of 30 ms would do" in shown
    assert "accuracy: not known, it was not trained" in shown
    assert "flash on stm32l496zg: 131,072 B, ≤ 65,536 B: missed; flash of 131,072 B would do" in shown


def test_only_a_space_that_was_gone_through_proves_that_nothing_fits(tmp_path: Path) -> None:
    made = scenario(tmp_path, TEXT)
    records = [trial(made, 0, measurement(measured(1, flash=131_072), quantity(2.0, 1.0, 4.0)))]
    through = study_file(made, "enumeration", 1)
    assert "proved" in conclude.reasons(through, records, [], met=False, proved=True)[0]
    assert "as they were trained here" in conclude.reasons(through, records, [], met=False, proved=False)[0]


def test_a_pick_that_the_test_part_contradicts_is_not_good_enough(tmp_path: Path) -> None:
    made = scenario(tmp_path, TEXT)
    records = [trial(made, 0, measurement(measured(1), quantity(2.0, 1.0, 4.0)), 90)]
    chosen = pick(records[0], test=finals.tested_accuracy(50, 100, 0.8))
    reasons = conclude.reasons(study_file(made), records, [chosen], met=True, proved=False)
    shown = text(report.study(made, study_file(made), records, result(records, chosen, reasons=reasons)))
    assert shown.startswith("PICK, NOT GOOD ENOUGH  small: trial 0")


def test_a_replay_that_differs_names_the_first_trial() -> None:
    difference = Difference(trial=3, what="accuracies", then="0.9", now="0.8")
    found = Replayed(name="small", trials=9, reused=False, differences=(difference,))
    assert "1 of 9 trials differ, the first is 3, in accuracies: 0.9 then, 0.8 now" in text(report.replayed(found))
    assert "EQUAL" in text(report.replayed(Replayed(name="small", trials=9, reused=True, differences=())))
