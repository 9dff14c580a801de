"""Magnitude pruning: the schedule, exact sparsity after fine-tuning, accuracy; and that hybrid networks are refused."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import model as reader
from harness.errors import BadInputError
from harness.operators_node import HYBRID, HYBRID_HINT
from harness.zoo import convert, magnitude, optimise
from harness.zoo.optimise import FineTuning, Schedule
from tests.unit.zoo_topologies import chain, series

needs_tensorflow = pytest.mark.skipif(convert.tensorflow_version() is None, reason="TensorFlow is not installed")


@pytest.fixture(scope="module")
def keras() -> Any:
    return convert.begin(1)


@pytest.fixture(scope="module")
def digits() -> Any:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    from harness.zoo.digits import split

    return split()


@pytest.fixture(scope="module")
def trained(keras: Any, digits: Any) -> Any:
    """A small network for the digits, trained for a second or two."""
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((8, 8, 1), batch_size=1),
            layers.Conv2D(8, 3, padding="same", use_bias=False, name="conv"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.DepthwiseConv2D(3, activation="relu", name="depthwise"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(32, activation="relu", name="hidden"),
            layers.Dense(10, activation="softmax", name="classes"),
        ]
    )
    return optimise.fine_tune(
        keras, network, (digits.train_images, digits.train_labels), FineTuning(epochs=8, batch=64, learning_rate=1e-2)
    )


def share_correct(keras: Any, network: Any, digits: Any) -> float:
    return optimise.correct(keras, network, digits.test_images, digits.test_labels) / len(digits.test_labels)


def test_the_schedule_is_a_polynomial() -> None:
    schedule = Schedule(initial=0.2, begin=0.25, end=0.75)
    assert [schedule.sparsity(progress, 0.8) for progress in (0.0, 0.2, 0.25, 0.5, 0.75, 1.0)] == pytest.approx(
        [0.0, 0.0, 0.2, 0.8 - 0.6 * 0.5**3, 0.8, 0.8]
    )
    assert Schedule(end=1.0, power=1.0).sparsity(0.5, 0.8) == pytest.approx(0.4)


def test_a_mask_takes_the_smallest_and_of_equal_ones_the_first() -> None:
    assert magnitude.mask(np.array([[3.0, -1.0], [0.5, -4.0]]), 0.5).tolist() == [[1, 0], [0, 1]]
    assert magnitude.mask(np.ones(10), 0.3).tolist() == [0, 0, 0, *[1] * 7]
    # 0.29 x 100 is 28.999999999999996.
    assert magnitude.mask(np.arange(1.0, 101.0), 0.29).sum() == 71


@needs_tensorflow
def test_sparsity_is_exact_after_fine_tuning_and_accuracy_comes_back(keras: Any, trained: Any, digits: Any) -> None:
    examples = (digits.train_images, digits.train_labels)
    before = [array.copy() for array in trained.get_weights()]
    tuned = optimise.prune_magnitude(
        keras, trained, examples, 0.8, tuning=FineTuning(epochs=5, batch=64, learning_rate=4e-3)
    )
    at_once = optimise.prune_magnitude(keras, trained, None, 0.8)
    sizes = {name: kernel.numpy().size for name, kernel in magnitude.kernels(keras, trained)}
    assert sizes == {"conv": 72, "depthwise": 72, "hidden": 2304, "classes": 320}
    for network in (tuned, at_once):
        empty = {name: int(np.sum(kernel.numpy() == 0)) for name, kernel in magnitude.kernels(keras, network)}
        assert empty == {"conv": 58, "depthwise": 58, "hidden": 1843, "classes": 256}
        assert network.inputs[0].shape[0] == 1
    assert np.all(tuned.get_layer("hidden").bias.numpy() != 0)
    for mine, theirs in zip(before, trained.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    accuracies = [share_correct(keras, network, digits) for network in (trained, at_once, tuned)]
    assert accuracies[0] > 0.88
    assert accuracies[2] > max(0.75, accuracies[1] + 0.1)
    assert "2,215 of 2,768 weights 0" in optimise.summary(keras, trained, tuned)


@needs_tensorflow
def test_fine_tuning_after_channel_pruning_brings_accuracy_back(keras: Any, trained: Any, digits: Any) -> None:
    narrow = optimise.prune_channels(keras, trained, 0.5)
    tuned = optimise.fine_tune(
        keras, narrow, (digits.train_images, digits.train_labels), FineTuning(epochs=5, batch=64, learning_rate=4e-3)
    )
    assert [(change.layer, change.before, change.after) for change in optimise.changes(trained, tuned)] == [
        ("conv", 8, 4),
        ("hidden", 32, 16),
    ]
    assert share_correct(keras, tuned, digits) > max(0.75, share_correct(keras, narrow, digits))


@pytest.fixture(scope="module")
def linear(keras: Any) -> Any:
    vector = keras.Input((40,), batch_size=1)
    return keras.Model(vector, keras.layers.Dense(20, name="linear")(vector), name="linear")


NUMBERS = np.random.default_rng(1).normal(size=(320, 40)).astype(np.float32)


@needs_tensorflow
def test_zeros_rise_by_the_schedule_and_stay_zeros(keras: Any, linear: Any) -> None:
    schedule = Schedule(begin=0.2, end=0.8, every=2)
    callback = magnitude._callback(keras, 0.6, schedule)
    seen: list[np.ndarray[Any, Any]] = []

    class Watch(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            seen.append(self.model.get_layer("linear").kernel.numpy() == 0)

    examples = (NUMBERS, NUMBERS[:, :20])
    optimise.fine_tune(keras, linear, examples, FineTuning(epochs=2), callbacks=(callback, Watch()))
    assert len(seen) == 20
    for earlier, later in itertools.pairwise(seen):
        assert np.all(later[earlier])
    expected = [schedule.sparsity(batches / 20, 0.6) for batches in range(2, 21, 2)]
    assert [zeros.mean() for zeros in seen[1::2]] == pytest.approx(expected, abs=1 / 800)
    assert 0.0 == expected[0] < expected[2] < expected[4] < expected[-1] == 0.6


@needs_tensorflow
def test_a_linear_layer_finds_the_matrix_of_its_targets_and_its_zeros(keras: Any, linear: Any) -> None:
    matrix = np.tile([[0.0, 2.0], [2.0, 0.0]], (20, 10))
    schedule, tuning = Schedule(begin=0.6, end=0.8, every=1), FineTuning(epochs=14, batch=64, learning_rate=0.1)
    pruned = optimise.prune_magnitude(keras, linear, (NUMBERS, NUMBERS @ matrix), 0.5, schedule, tuning)
    found = pruned.get_layer("linear").kernel.numpy()
    np.testing.assert_array_equal(found == 0, matrix == 0)
    np.testing.assert_allclose(found, matrix, atol=0.2)


@needs_tensorflow
def test_the_same_seed_gives_the_same_weights(keras: Any, linear: Any) -> None:
    first, again = (
        optimise.prune_magnitude(
            keras, linear, (NUMBERS, NUMBERS[:, :20]), tuning=FineTuning(epochs=1, batch=64)
        ).get_weights()[0]
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, again)


@needs_tensorflow
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda k, n: optimise.prune_magnitude(k, n, None, 0.0), "a sparsity of 0.0"),
        (lambda k, n: optimise.prune_magnitude(k, n, None, 1.0), "a sparsity of 1.0"),
        (lambda k, n: optimise.prune_magnitude(k, n, None, 0.5, Schedule(begin=0.8, end=0.2)), "schedule from 0.8 to"),
        (lambda k, n: optimise.prune_magnitude(k, n, None, 0.5, Schedule(initial=0.6)), "schedule with initial 0.6"),
        (lambda k, n: optimise.prune_magnitude(k, n, None, 0.5, Schedule(every=0)), "every 0"),
        (lambda k, n: optimise.fine_tune(k, n, images(4), FineTuning(epochs=0)), "fine-tuning of 0 epochs"),
        (lambda k, n: optimise.fine_tune(k, n, (images(4)[0], images(3)[1])), "4 inputs of shape"),
        (
            lambda k, n: optimise.fine_tune(k, n, (np.zeros((4, 8, 8)), images(4)[1])),
            r"4 inputs of shape \(8, 8\)",
        ),
        (lambda k, n: optimise.fine_tune(k, n, (images(4)[0], np.full(4, 3))), "classes 3 to 3 of shape"),
        (lambda k, n: optimise.fine_tune(k, n, (images(4)[0], np.zeros((4, 2)))), r"targets of shape \(2,\)"),
        (lambda k, n: optimise.fine_tune(k, series(k), images(4)), "'series' has 2 inputs and 2 outputs"),
    ],
)
def test_mistakes_are_one_clear_line(change: Any, message: str, keras: Any) -> None:
    with pytest.raises(BadInputError, match=message) as caught:
        change(keras, chain(keras))
    assert "\n" not in caught.value.message


def images(count: int) -> tuple[Any, Any]:
    return np.zeros((count, 8, 8, 2), np.float32), np.zeros(count, np.int64)


@needs_tensorflow
def test_a_network_without_weights_is_an_error(keras: Any) -> None:
    image = keras.Input((4, 4, 1), batch_size=1)
    network = keras.Model(image, keras.layers.MaxPooling2D(2)(image), name="pooling")
    with pytest.raises(BadInputError, match="'pooling' has nothing to prune"):
        optimise.prune_magnitude(keras, network, None)


def test_a_hybrid_network_is_not_made() -> None:
    """Before anything looks for TensorFlow."""
    for refuse in (lambda: convert.settings("hybrid"), lambda: convert.convert(None, None, dtype="hybrid")):  # type: ignore[arg-type]
        with pytest.raises(BadInputError) as caught:
            refuse()
        assert caught.value.message == f"the type is hybrid: {HYBRID}"
        assert caught.value.hint == 'take "int8", weights and activations, or "float32"'


@needs_tensorflow
def test_a_hybrid_file_of_the_converter_is_refused_with_the_reason(keras: Any, tmp_path: Path) -> None:
    import tensorflow

    converter = tensorflow.lite.TFLiteConverter.from_keras_model(
        keras.Sequential(
            [
                keras.Input((8, 8, 4), batch_size=1),
                keras.layers.DepthwiseConv2D(3, depth_multiplier=32, name="depthwise"),
                keras.layers.Flatten(),
                keras.layers.Dense(3),
            ]
        )
    )
    converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
    path = tmp_path / "hybrid.tflite"
    path.write_bytes(converter.convert())
    with pytest.raises(BadInputError) as caught:
        reader.load(path)
    assert caught.value.message == f"{path}: operator 0 (DEPTHWISE_CONV_2D): {HYBRID}"
    assert caught.value.hint == HYBRID_HINT
