"""The pictures of a study: which there are, the same bytes each time, what they say."""

from __future__ import annotations

from pathlib import Path

import pytest
from optimize_maker import measured, measurement, quantity, scenario, trial

from harness.errors import BadInputError
from harness.optimize.records import RESULT_SCHEMA, STUDY_SCHEMA, StudyFile, StudyResult, TrialRecord, Work
from harness.optimize.scenario import Scenario
from harness.report import plots_page, plots_study, plots_trials
from harness.report.plots_trials import Group

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("matplotlib", reason="matplotlib is not installed")

TEXT = 'objectives = ["energy", "accuracy"]\n[budgets]\ndeadline = "20 ms"\nenergy = "400 uJ"\naccuracy = 0.8\n'
WORK = Work(measured=3, measured_before=0, trained=2, trained_before=0, duplicates=0, failed=0, cpu_s=1.0)


@pytest.fixture
def made(tmp_path: Path) -> Scenario:
    return scenario(tmp_path, TEXT)


def one(made: Scenario, number: int, ms: float, correct: int | None) -> TrialRecord:
    found = measurement(
        measured(int(ms * 10_000)), quantity(ms, 0.7 * ms, 1.5 * ms), quantity(30 * ms, 20 * ms, 31 * ms)
    )
    return trial(made, number, found, correct)


def study(made: Scenario, records: list[TrialRecord]) -> tuple[StudyFile, StudyResult]:
    file = StudyFile(
        schema=STUDY_SCHEMA, id="s", name="small", scenario={}, scenario_sha256="", scenario_path="", mode="search",
        sampler="tpe", seed=1, training_seed=1, batch=2, space=10, axes={}, versions={"qemu": "7.2.22"}, created="",
    )  # fmt: skip
    result = StudyResult(
        schema=RESULT_SCHEMA, name="small", id="s", trials=len(records), met=1, undecided=0, missed=0, pick=None,
        runner_up=None, refused=(), front=(), nearest=(), proved=False, work=WORK, notes=(), reasons=(),
    )  # fmt: skip
    return file, result


def test_a_study_is_drawn_with_the_same_bytes_each_time(made: Scenario, tmp_path: Path) -> None:
    records = [one(made, 0, 30.0, None), one(made, 1, 9.0, 70), one(made, 2, 8.0, 85), one(made, 3, 7.0, 84)]
    file, result = study(made, records)
    files = plots_study.write(tmp_path / "a", made, file, records, result)
    assert {path.name for path in files} == {
        f"{name}.{format}" for name in ("pareto", "parallel", "convergence") for format in ("png", "svg")
    }
    again = plots_study.write(tmp_path / "b", made, file, records, result)
    assert [path.read_bytes() for path in files] == [path.read_bytes() for path in again]


def test_what_is_not_trained_is_no_spot_and_nothing_measured_is_refused(made: Scenario, tmp_path: Path) -> None:
    records = [one(made, 0, 30.0, None)]
    file, result = study(made, records)
    assert plots_trials.spot(made, records[0], "energy") is None
    assert {path.stem for path in plots_study.write(tmp_path, made, file, records, result)} == {"parallel"}
    none = [trial(made, 0, measurement(None))]
    with pytest.raises(BadInputError, match="nothing was measured"):
        plots_study.write(tmp_path, made, file, none, result)


def test_a_spot_has_the_band_of_its_estimate(made: Scenario) -> None:
    found = plots_trials.spot(made, one(made, 0, 10.0, 85), "energy")
    assert found is not None
    assert (found.across, found.low, found.high, found.up) == (300.0, 200.0, 310.0, 0.85)
    assert not found.whole  # six of eighteen epochs
    counted = plots_trials.spot(made, one(made, 0, 10.0, 85), "instructions")
    assert counted is not None and counted.low is None


def test_a_budget_is_drawn_and_named(made: Scenario) -> None:
    records = tuple(one(made, number, 8.0 + number, 80 + number) for number in range(3))
    with plots_page.style():
        figure = plots_trials.pareto(made, [Group("all", plots_page.BLUE, "o", records, records[:1])], "title", "facts")
        texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["energy ≤ 400 uJ", "accuracy ≥ 80 %"]
