"""A search from scenario to pick, on scikit-learn's digits: killed, resumed, replayed; and where nothing fits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import store
from harness.errors import EXIT_BAD_INPUT, EXIT_PASS, EXIT_VERDICT_NO, BadInputError
from harness.optimize import study
from harness.optimize.replay import replay
from harness.optimize.run import Outcome, run
from harness.optimize.scenario import load
from harness.zoo import convert
from tests.conftest import ROOT
from tests.emulation.optimize_maker import own_place

pytestmark = pytest.mark.skipif(convert.tensorflow_version() is None, reason="TensorFlow is not installed")
pytest.importorskip("optuna", reason="Optuna is not installed")

SCENARIO = """
name = "small"
boards = ["stm32l496zg"]
data = "digits"
objectives = ["accuracy", "instructions"]
[budgets]
deadline = "20 ms"
{budgets}
[space]
families = ["dense", "cnn"]
channels = [4, 8]
depth = [1]
kernel = [3]
stride = [1]
growth = [1.0]
head = ["flatten"]
[training]
epochs = 3
[search]
trials = {trials}
batch = 2
"""
EASY = 'flash = "96 KiB"\nram = "8 KiB"\naccuracy = 0.5'
IMPOSSIBLE = 'flash = "2 KiB"\naccuracy = 0.99'
COMMAND = [sys.executable, "-m", "harness", "optimize"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache and results of this module's own; built libraries are those of the user's cache."""
    folder = tmp_path_factory.mktemp("optimize")
    with own_place(folder):
        yield folder


def written(place: Path, name: str, budgets: str = EASY, trials: int = 3) -> Path:
    path = place / f"{name}.toml"
    path.write_text(SCENARIO.format(budgets=budgets, trials=trials))
    return path


def stored(place: Path) -> list[str]:
    """The runs that were stored, those of the finals among them."""
    return sorted(path.parent.name for path in (place / "results" / "runs").glob("*/result.json"))


@pytest.fixture(scope="module")
def resumed(place: Path) -> Outcome:
    """A study that was killed behind its first batch, and went on."""
    path, folder = written(place, "killed"), place / "killed"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    begun = subprocess.Popen([*COMMAND, str(path), "--out", str(folder), "--jobs", "2"], env=environment,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)  # fmt: skip
    deadline = time.monotonic() + 600
    while not study.Study(folder).trials():
        assert begun.poll() is None, "it ended before its first batch"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(begun.pid, signal.SIGKILL)
    begun.wait()
    assert study.Study(folder).result() is None
    return run(load(path), folder, jobs=1)


def test_the_pick_meets_every_budget_with_its_trained_weights(resumed: Outcome) -> None:
    pick = resumed.result.pick
    assert pick is not None and resumed.exit_code == EXIT_PASS
    assert {item.key: item.state for item in pick.judgements} == dict.fromkeys(
        ("deadline", "flash", "ram", "accuracy"), "met"
    )
    assert resumed.result.met == len({record.candidate for record in resumed.records if record.state == "met"})
    best = max(record.accuracy or 0 for record in resumed.records)
    assert pick.training.accuracy.fraction == best
    assert (resumed.folder / pick.model).is_file()
    counted = pick.measurements[0].row
    assert (
        counted.run_id is not None and store.load(counted.run_id).identity.elf_sha256 == pick.measurements[0].elf_sha256
    )


def test_the_test_part_is_used_for_the_picks_on_host_and_device(resumed: Outcome) -> None:
    pick = resumed.result.pick
    assert pick is not None and pick.test is not None
    assert pick.test.low < pick.test.correct / pick.test.images < pick.test.high
    (device,) = pick.device
    assert (device.images, device.correct, device.different) == (pick.test.images, pick.test.correct, 0)


def test_random_weights_cost_what_trained_ones_do_but_for_the_softmax(resumed: Outcome) -> None:
    pick = resumed.result.pick
    assert pick is not None
    (change,) = pick.changes
    assert {layer.op for layer in change.layers} <= {"SOFTMAX"}
    assert set(change.metrics) <= {"instructions"}


def test_a_killed_study_does_nothing_twice_and_asks_for_what_an_undisturbed_one_does(
    resumed: Outcome, place: Path
) -> None:
    work = resumed.result.work
    assert (work.measured_before, work.trained_before) == (0, 0)
    runs = stored(place)
    finals = {pick.model_sha256 for pick in (resumed.result.pick, resumed.result.runner_up) if pick is not None}
    assert len(runs) == work.measured + len(finals)
    undisturbed = run(load(written(place, "again")), place / "again", jobs=1)
    assert [record.params for record in undisturbed.records] == [record.params for record in resumed.records]
    assert [record.objectives for record in undisturbed.records] == [record.objectives for record in resumed.records]
    assert (undisturbed.result.work.measured, undisturbed.result.work.trained) == (0, 0)
    assert undisturbed.result.work.measured_before == work.measured
    assert stored(place) == runs


def test_the_same_command_again_has_nothing_to_do(resumed: Outcome, place: Path) -> None:
    again = run(load(place / "killed.toml"), resumed.folder, jobs=1)
    assert again.result == resumed.result


def test_a_study_is_replayed_candidate_by_candidate(resumed: Outcome) -> None:
    found = replay(resumed.folder, jobs=1, reuse=True)
    assert (found.equal, found.trials) == (True, 3)


def test_another_scenario_needs_another_folder(resumed: Outcome, place: Path) -> None:
    other = load(written(place, "other", EASY.replace("96 KiB", "95 KiB")))
    with pytest.raises(BadInputError, match=r"budgets\.flash = 96 KiB, not 95 KiB"):
        run(other, resumed.folder)


def test_where_nothing_fits_the_nearest_miss_is_named_and_the_exit_code_is_1(resumed: Outcome, place: Path) -> None:
    path = written(place, "impossible", IMPOSSIBLE, trials=8)
    ended = subprocess.run(
        [*COMMAND, str(path), "--jobs", "1"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == EXIT_VERDICT_NO, ended.stderr
    assert "NO PICK  small: proved: each of the 4 candidates of the space misses a budget" in ended.stdout
    assert "flash" in ended.stdout and "would do" in ended.stdout
    result = study.Study(study.find("small")).result()
    assert result is not None and result.pick is None and result.proved
    assert result.work.measured + result.work.measured_before == 4
    assert {item.key for item in result.nearest[0].judgements} == {"flash", "accuracy"}
    assert not result.nearest[0].unknown


def test_a_wrong_unit_is_exit_2_in_one_line(place: Path) -> None:
    path = written(place, "wrong", 'flash = "96 KB"')
    ended = subprocess.run([*COMMAND, str(path)], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True,
                           text=True)  # fmt: skip
    assert ended.returncode == EXIT_BAD_INPUT
    assert ended.stderr.splitlines() == [
        f"error: {path}: budgets.flash 96 KB: unknown unit 'KB'",
        "hint: units: B, KiB, MiB; for example 64 KiB",
    ]
