"""Accuracy in sweeps: whose is known, how it is computed and remembered, and how it decides; inputs of the user's."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import sweep_maker

from harness.errors import BadInputError
from harness.library import silent
from harness.sweep import accuracy, expand, file, metrics, models, pareto, run, tables
from harness.sweep.file import Objective
from harness.sweep.plan import Plan
from harness.sweep.run import Outcome
from harness.sweep.tables import PointRow
from harness.zoo import evaluate, make
from harness.zoo.evaluate import Accuracy
from harness.zoo.networks import spec
from harness.zoo.recipe import DataSource, Metadata, Recipe
from tests.conftest import DIGITS

COUNT = 24
TEST_SET = "[test_set]\ninputs = 'x.npy'\nlabels = 'y.npy'\n"


@pytest.fixture
def right(tmp_path: Path, private_cache: Path) -> Accuracy:
    """Random images, labelled as the shipped network classifies them, but for each third; what is right of them."""
    images = np.random.default_rng(3).uniform(0, 1, (COUNT, 8, 8, 1)).astype(np.float32)
    interpreter = evaluate.HostInterpreter(DIGITS.read_bytes())
    classes = [int(np.argmax(interpreter.run([interpreter.quantise(image[None])])[0])) for image in images]
    labels = np.array([(label + (index % 3 == 0)) % 10 for index, label in enumerate(classes)])
    np.save(tmp_path / "x.npy", images)
    np.save(tmp_path / "y.npy", labels)
    found = evaluate.accuracy(DIGITS.read_bytes(), images, labels)
    assert found.correct == COUNT - COUNT // 3
    return found


def plan_of(folder: Path, text: str = "", axes: str = "") -> Plan:
    return expand.expand(file.load(sweep_maker.write(folder, text, axes)), make=True)


def accuracies(plan: Plan) -> set[tuple[float | None, int | None, str | None]]:
    facts = [point.facts.model for point in plan.points if point.facts is not None]
    return {(item.accuracy, item.accuracy_images, item.accuracy_data) for item in facts}


def sweep(path: Path) -> tuple[Outcome, tuple[PointRow, ...]]:
    found = run.run(path, measure=sweep_maker.measure, build=sweep_maker.build_nothing, jobs=1)
    return found, tables.point_rows(found.plan, found.rows)


def test_the_test_set_of_the_file(tmp_path: Path, right: Accuracy) -> None:
    plan = plan_of(tmp_path, axes=TEST_SET)
    assert accuracies(plan) == {(right.fraction, COUNT, "x.npy")}
    without = plan_of(tmp_path)
    assert accuracies(without) == {(None, None, None)}
    assert [point.identity for point in plan.points] == [point.identity for point in without.points]


def test_a_dry_run_computes_nothing(tmp_path: Path, right: Accuracy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accuracy, "of_test_set", None)
    plan = expand.expand(file.load(sweep_maker.write(tmp_path, axes=TEST_SET)))
    assert accuracies(plan) == {(None, None, None)}


def test_it_is_computed_once_for_a_model_and_data(
    tmp_path: Path, right: Accuracy, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, int | None, int | None]] = []

    def watch(what: str, done: int | None, total: int | None) -> None:
        seen.append((what, done, total))

    data = (tmp_path / "x.npy", tmp_path / "y.npy")
    first = accuracy.of_test_set(DIGITS, data, watch)
    assert seen[-1] == ("computing the accuracy of digits.tflite", COUNT - 1, COUNT)
    assert len(seen) == COUNT
    with monkeypatch.context() as patch:
        patch.setattr(accuracy, "HostInterpreter", None)
        assert accuracy.of_test_set(DIGITS, data, watch) == first
        copy = tmp_path / "copy.tflite"
        shutil.copyfile(DIGITS, copy)
        assert accuracy.of_test_set(copy, data, watch) == first
    np.save(data[1], (np.load(data[1]) + 1) % 10)
    assert accuracy.of_test_set(DIGITS, data, watch)["accuracy"] != first["accuracy"]


def test_values_in_the_networks_own_type_count_the_same(tmp_path: Path, right: Accuracy) -> None:
    interpreter = evaluate.HostInterpreter(DIGITS.read_bytes())
    np.save(tmp_path / "own.npy", interpreter.quantise(np.load(tmp_path / "x.npy")))
    data = (tmp_path / "own.npy", tmp_path / "y.npy")
    assert accuracy.of_test_set(DIGITS, data, silent)["accuracy"] == right.fraction


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        (lambda folder: (folder / "x.npy").unlink(), "test_set.inputs: there is no file 'x.npy'"),
        (lambda folder: (folder / "y.npy").unlink(), "test_set.labels: there is no file 'y.npy'"),
        (lambda folder: (folder / "x.npy").write_text("1,2,3"), "test_set: "),
        (lambda folder: np.save(folder / "x.npy", np.zeros((COUNT, 7))), "takes (count, 8, 8, 1)"),
        (lambda folder: np.save(folder / "y.npy", np.full(COUNT, 10)), "the network has 10 classes"),
    ],
)
def test_a_test_set_that_cannot_be_used(tmp_path: Path, right: Accuracy, change: Any, fragment: str) -> None:
    change(tmp_path)
    with pytest.raises(BadInputError) as refused:
        plan_of(tmp_path, axes=TEST_SET)
    assert refused.value.message.startswith(f"{tmp_path / 'made.toml'}: test_set")
    assert fragment in refused.value.message


def candidate(trained: bool, path: Path, found: Accuracy | None) -> models.Candidate:
    """As of a file that the zoo made."""
    recipe = Recipe(spec=spec("digits"), train=trained)
    metadata = Metadata(
        name="n", description="d", recipe=recipe, weights=recipe.weights, seed=1, sha256="", size_bytes=1,
        compressed_bytes=1, macs=1, operators=(), steps=(), conversion={}, tools={},
        data=DataSource(name="digits", source="s", split="p"), accuracy=found,
    )  # fmt: skip
    return models._made(models.Candidate(name="n", path=None, recipe=recipe), make.Made(path=path, metadata=metadata))


def test_random_weights_have_no_accuracy_and_trained_ones_keep_their_own(tmp_path: Path, right: Accuracy) -> None:
    data = (tmp_path / "x.npy", tmp_path / "y.npy")
    known = Accuracy(correct=3, images=4)
    items = [candidate(False, DIGITS, known), candidate(True, DIGITS, known), candidate(True, DIGITS, None)]
    found, notes = models.with_accuracy(items, data, silent)
    assert [item.facts and item.facts.accuracy for item in found] == [None, 0.75, right.fraction]
    assert notes == ()


def test_a_model_that_does_not_fit_the_test_set_has_none_and_a_note(tmp_path: Path, right: Accuracy) -> None:
    fits = candidate(True, DIGITS, None)
    assert fits.facts is not None
    other = msgspec.structs.replace(fits, name="other", path=tmp_path / "gone.tflite")
    found, notes = models.with_accuracy([fits, other], (tmp_path / "x.npy", tmp_path / "y.npy"), silent)
    assert [item.facts and item.facts.accuracy for item in found] == [right.fraction, None]
    assert len(notes) == 1 and notes[0].startswith("other: no accuracy: ")


def test_accuracy_is_an_objective_and_a_least_budget(tmp_path: Path, right: Accuracy, marks: Path) -> None:
    budget = "[budgets]\naccuracy = 0.9\n"
    path = sweep_maker.write(tmp_path, "objectives = [{ metric = 'accuracy' }]", TEST_SET + budget)
    found, rows = sweep(path)
    assert (found.exit_code, {row.state for row in rows}) == (1, {"over budget"})
    assert rows[0].reason == "accuracy under the budget by 23.33 points"
    assert rows[0].over == {"accuracy": pytest.approx(0.9 - right.fraction)}
    path = sweep_maker.write(tmp_path, "objectives = [{ metric = 'accuracy' }]", TEST_SET + budget.replace("9", "6"))
    found, rows = sweep(path)
    assert (found.exit_code, found.ran) == (0, 0)
    ranking = pareto.choose(found.plan, rows, [Objective(metric="accuracy"), Objective(metric="instructions")])
    assert [(goal.metric, goal.direction) for goal in ranking.goals] == [("accuracy", "max"), ("instructions", "min")]
    assert ranking.best is not None and ranking.best.values == (right.fraction, 1010)


def test_without_accuracy_a_budget_is_not_kept_and_a_point_takes_no_part(tmp_path: Path, marks: Path) -> None:
    found, rows = sweep(sweep_maker.write(tmp_path, axes="[budgets]\naccuracy = 0.1"))
    assert (found.exit_code, {row.state for row in rows}) == (1, {"over budget"})
    assert rows[0].over == {"accuracy": None}
    assert rows[0].reason == "no value for accuracy, which has a budget: there is no test set for it"
    found, rows = sweep(sweep_maker.write(tmp_path))
    ranking = pareto.choose(found.plan, rows, [Objective(metric="accuracy")])
    assert ranking.best is None
    assert {row.reason for row in ranking.out} == {"no value for accuracy: there is no test set for it"}


@pytest.mark.parametrize("value", ["0", "1.01", "-0.5", "'high'"])
def test_a_budget_of_accuracy_is_a_share(tmp_path: Path, value: str) -> None:
    with pytest.raises(BadInputError, match=r"budgets\.accuracy"):
        plan_of(tmp_path, axes=f"[budgets]\naccuracy = {value}")


def test_differences_of_accuracy_are_in_points() -> None:
    rule = metrics.get("accuracy")
    assert (rule.text(0.975), rule.change(-0.0125), rule.beyond(0.9, 0.95)) == (
        "97.50 %",
        "-1.25 points",
        pytest.approx(0.05),
    )
    flash = metrics.get("flash")
    assert (flash.text(65536), flash.change(12), flash.beyond(10, 12)) == ("65,536 B", "+12 B", -2)


def test_inputs_of_the_user_decide_the_result(tmp_path: Path, marks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = plan_of(tmp_path).points[0]
    np.save(tmp_path / "in.npy", np.zeros((1, 8, 8, 1), np.int8))
    given = plan_of(tmp_path, "inputs = ['in.npy']")
    assert given.inputs == (str(tmp_path / "in.npy"),)
    assert None not in (plain.identity, given.points[0].identity) and plain.identity != given.points[0].identity
    np.save(tmp_path / "in.npy", np.ones((1, 8, 8, 1), np.int8))
    assert plan_of(tmp_path, "inputs = ['in.npy']").points[0].identity != given.points[0].identity
    with pytest.raises(BadInputError, match=r"inputs\[0\]: there is no file 'out\.npy'"):
        plan_of(tmp_path, "inputs = ['out.npy']")
    np.save(tmp_path / "in.npy", np.ones((8, 8, 1), np.int8))
    with pytest.raises(BadInputError, match=r"none of 4 points is possible.*shape"):
        plan_of(tmp_path, "inputs = ['in.npy']")
