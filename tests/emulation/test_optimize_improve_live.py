"""A wasteful network improved for a scenario, on scikit-learn's digits, emulated."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import EXIT_PASS, EXIT_VERDICT_NO, BadInputError
from harness.optimize.improve import Improved, Start, improve
from harness.optimize.scenario import Scenario, load
from harness.zoo import convert
from tests.emulation.optimize_maker import DENSE, own_place

pytestmark = pytest.mark.skipif(convert.tensorflow_version() is None, reason="TensorFlow is not installed")
pytest.importorskip("optuna", reason="Optuna is not installed")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache and results of this module's own; built libraries are those of the user's cache."""
    folder = tmp_path_factory.mktemp("improve")
    with own_place(folder):
        yield folder


def written(place: Path, name: str, budgets: str, space: str) -> Scenario:
    path = place / f"{name}.toml"
    path.write_text(DENSE.format(budgets=budgets, space=space))
    return load(path)


@pytest.fixture(scope="module")
def wasteful(place: Path) -> Path:
    """An odd number of channels, trained for a moment."""
    from harness.zoo import data, training

    keras = convert.begin(1)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(5, 3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    trained = training.train(keras, model, data.load("digits"), training.Training(epochs=6))
    path = place / "wasteful.keras"
    trained.save(path)
    return path


@pytest.fixture(scope="module")
def improved(place: Path, wasteful: Path) -> Improved:
    scenario = written(place, "improve", "instructions = 21000\naccuracy = 0.5", 'optimisation = ["-O2"]')
    return improve(wasteful, scenario, Start(optimisation="-O2"), folder=place / "improved", jobs=1)


def test_steps_are_taken_until_the_scenario_is_met(improved: Improved, place: Path) -> None:
    assert (improved.exit_code, improved.missed) == (EXIT_PASS, ())
    steps = [done.taken.step for done in improved.rounds if done.taken is not None]
    assert steps and len(steps) == len(improved.rounds)
    for done in improved.rounds:
        able = [item for item in done.tried if item.reason is None]
        assert done.taken == able[0] and (done.taken.worth or 0) == max(item.worth or 0 for item in able)
    first, last = improved.start.values["instructions"].value, improved.final.values["instructions"].value
    assert last <= 21_000 < first
    kept = json.loads((place / "improved" / "improve.json").read_bytes())
    assert kept["final"]["variant"]["sha256"] == improved.final.variant.sha256
    assert (place / "improved" / "network.tflite").read_bytes()[4:8] == b"TFL3"


def test_channels_rounded_up_change_no_output(improved: Improved) -> None:
    (up,) = [item for item in improved.rounds[0].tried if item.step.startswith("channels up")]
    assert up.after is not None and "5 to 8" in up.summary
    assert up.after.accuracy == improved.start.accuracy


def test_what_cannot_be_met_says_what_is_still_missed(place: Path, wasteful: Path) -> None:
    scenario = written(
        place, "hopeless", 'flash = "8 KiB"\naccuracy = 0.5', 'optimisation = ["-O2"]\ntypes = ["float32"]'
    )
    start = Start(optimisation="-O2", kernels="cmsis-nn")
    found = improve(wasteful, scenario, start, folder=place / "hopeless", jobs=1)
    assert found.exit_code == EXIT_VERDICT_NO
    assert [item.key for item in found.missed] == ["flash"] and "flash missed" in found.reasons[0]


def test_networks_that_are_none_for_the_data_are_bad_input(place: Path) -> None:
    scenario = written(place, "improve", "instructions = 21000", 'optimisation = ["-O2"]')
    keras = convert.begin(1)
    layers = keras.layers
    shapes = keras.Sequential([keras.Input((9, 9, 1)), layers.Flatten(), layers.Dense(10, activation="softmax")])
    classes = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(7, activation="softmax")])
    operator = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Reshape((8, 8)), layers.GRU(4), layers.Dense(10, activation="softmax")]
    )
    for name, model, words in (
        ("shapes", shapes, r"inputs of shape \(9, 9, 1\), digits has \(8, 8, 1\)"),
        ("classes", classes, r"output has shape \(7,\), digits has 10 classes"),
        ("operator", operator, r"operator\.keras: "),
    ):
        path = place / f"{name}.keras"
        model.save(path)
        with pytest.raises(BadInputError, match=words):
            improve(path, scenario, Start(optimisation="-O2"), jobs=1)
    (place / "broken.keras").write_bytes(b"PK\x03\x04 and nothing else")
    with pytest.raises(BadInputError, match="no Keras network that can be loaded"):
        improve(place / "broken.keras", scenario, Start(optimisation="-O2"), jobs=1)
