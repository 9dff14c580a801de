"""The shipped network is the one that digits.json describes."""

import hashlib
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from harness.model import load
from harness.zoo import digits
from harness.zoo.evaluate import accuracy

METADATA = json.loads(digits.METADATA.read_text())

needs_sklearn = pytest.mark.skipif(
    importlib.util.find_spec("sklearn") is None, reason="the images come with scikit-learn, which is not installed"
)


def test_the_file_is_the_described_one() -> None:
    data = digits.TFLITE.read_bytes()
    assert hashlib.sha256(data).hexdigest() == METADATA["sha256"]
    assert len(data) == METADATA["size_bytes"] < 20_000


def test_macs_and_operators_are_those_of_the_architecture() -> None:
    model = load(digits.TFLITE)
    assert [operator.op for operator in model.operators] == METADATA["operators"]
    # Output positions x channels x kernel: 3x3 conv, depthwise and pointwise at 8x8; the same pair at 4x4; the dense.
    convolution, classifier = 8 * 8 * 8 * 9, 2 * 2 * 24 * 10
    blocks = 8 * 8 * (8 * 9 + 8 * 16) + 4 * 4 * (16 * 9 + 16 * 24)
    assert model.macs == METADATA["macs"] == convolution + blocks + classifier


def test_recorded_accuracy_is_good_enough_to_ship() -> None:
    for kind in ("float32", "int8"):
        recorded = METADATA["accuracy"][kind]
        assert recorded["images"] == METADATA["data"]["test_images"] == 360
        assert recorded["fraction"] == round(recorded["correct"] / recorded["images"], 4) > 0.95


@needs_sklearn
def test_the_split_is_stratified_and_as_recorded() -> None:
    data = digits.split()
    assert len(data.train_images) == METADATA["data"]["train_images"]
    assert len(data.test_images) == METADATA["data"]["test_images"]
    counts = np.bincount(data.test_labels) / np.bincount(np.concatenate([data.train_labels, data.test_labels]))
    assert np.all(np.abs(counts - digits.TEST_SHARE) < 0.01)
    assert data.train_images.min() == 0.0
    assert data.train_images.max() == 1.0
    trained_on = {image.tobytes() for image in data.train_images}
    assert not any(image.tobytes() in trained_on for image in data.test_images)


@needs_sklearn
def test_accuracy_is_what_was_recorded() -> None:
    data = digits.split()
    found = accuracy(digits.TFLITE.read_bytes(), data.test_images, data.test_labels)
    recorded = METADATA["accuracy"]["int8"]
    assert (found.correct, found.images) == (recorded["correct"], recorded["images"])


@needs_sklearn
def test_the_test_set_is_written_where_it_is_asked_for(tmp_path: Path) -> None:
    images, labels = tmp_path / "x", tmp_path / "y.npy"
    digits.main(["--test-set", f"{images},{labels}"])
    data = digits.split()
    assert np.array_equal(np.load(images), data.test_images)
    assert np.array_equal(np.load(labels), data.test_labels)


@pytest.mark.parametrize("names", ["x.npy", ",y.npy", "x.npy,"])
def test_a_test_set_has_two_files(names: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        digits.main(["--test-set", names])
    assert ended.value.code == 2
    assert f"--test-set takes two files, X.NPY,Y.NPY, not '{names}'" in capsys.readouterr().err


@needs_sklearn
def test_a_test_set_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        digits.main(["--test-set", f"{tmp_path / 'absent' / 'x.npy'},{tmp_path / 'y.npy'}"])
    assert ended.value.code == 2
    assert "x.npy: cannot be written (No such file or directory)" in capsys.readouterr().err
