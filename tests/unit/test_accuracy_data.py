"""Test sets as they come from users: what fits is taken as it is meant, everything else is one clear line."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import accuracy, model
from harness.accuracy import load
from harness.errors import BadInputError
from harness.records import Model
from harness.zoo.evaluate import HostInterpreter
from tests.conftest import DIGITS

LABELS = np.arange(4) % 10


@pytest.fixture(scope="module")
def digits() -> Model:
    return model.load(DIGITS)


def saved(folder: Path, images: np.ndarray, labels: np.ndarray = LABELS) -> tuple[Path, Path]:
    paths = folder / "x.npy", folder / "y.npy"
    for path, array in zip(paths, (images, labels), strict=True):
        np.save(path, array)
    return paths


@pytest.mark.parametrize("shape", [(4, 8, 8, 1), (4, 1, 8, 8, 1)])
def test_the_models_own_type_is_taken_as_it_is(tmp_path: Path, digits: Model, shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(1).integers(-128, 128, shape).astype(np.int8)
    found = load(*saved(tmp_path, images, LABELS.astype(np.uint8)), digits)
    assert found.images.dtype == np.int8
    assert [image.tobytes() for image in found.images] == [image.tobytes() for image in images]
    assert found.labels.tolist() == LABELS.tolist()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
def test_real_numbers_are_quantised_as_by_the_zoo(tmp_path: Path, digits: Model, dtype: str) -> None:
    images = np.random.default_rng(2).uniform(-0.2, 1.2, (4, 8, 8, 1)).astype(dtype)
    wanted = HostInterpreter(DIGITS.read_bytes()).quantise(images.astype(np.float32))
    found = load(*saved(tmp_path, images), digits)
    if dtype == np.float64:  # rounded once more, so that it may differ where a value lies in the middle
        assert np.abs(found.images.astype(int) - wanted.astype(int)).max() <= 1
    else:
        assert np.array_equal(found.images, wanted)
    assert {int(found.images.min()), int(found.images.max())} == {-128, 127}


def test_the_first_so_many(tmp_path: Path, digits: Model) -> None:
    paths = saved(tmp_path, np.zeros((4, 8, 8, 1), np.int8))
    assert len(load(*paths, digits, limit=3).images) == len(load(*paths, digits, limit=3).labels) == 3
    assert len(load(*paths, digits, limit=100).images) == 4


GOOD = np.zeros((4, 8, 8, 1), np.int8)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (GOOD[..., 0], LABELS, r"x.npy: shape \(4, 8, 8\), digits.tflite takes \(count, 8, 8, 1\) or \(count, 1, 8, 8"),
        (np.zeros((), np.int8), LABELS, r"shape \(\)"),
        (GOOD.astype(np.uint8), LABELS, "x.npy: type uint8, the model's input is int8"),
        (GOOD.astype(np.int32), LABELS, "x.npy: type int32, the model's input is int8"),
        (GOOD.astype(bool), LABELS, "x.npy: type bool, the model's input is int8"),
        (GOOD.astype(complex), LABELS, "x.npy: type complex128"),
        (np.full((4, 8, 8, 1), np.nan), LABELS, "x.npy: holds values that are no numbers"),
        (np.full((4, 8, 8, 1), np.inf), LABELS, "x.npy: holds values that are no numbers"),
        (GOOD, LABELS[:3], "4 images in .*x.npy, but 3 labels in .*y.npy"),
        (GOOD[:0], LABELS[:0], "x.npy holds no image"),
        (GOOD, np.eye(4, 10, dtype=int), r"y.npy: shape \(4, 10\) of int64, expected \(count,\) whole numbers"),
        (GOOD, LABELS.astype(float), r"y.npy: shape \(4,\) of float64"),
        (GOOD, np.array([0, 9, 10, 1]), "y.npy: label 10 of image 2, the network has 10 classes"),
        (GOOD, np.array([0, -1, 10, 1]), "y.npy: label -1 of image 1, the network has 10 classes"),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, digits: Model, images: np.ndarray, labels: np.ndarray, message: str
) -> None:
    with pytest.raises(BadInputError, match=message):
        load(*saved(tmp_path, images, labels), digits)


def test_files_that_are_none_are_refused(tmp_path: Path, digits: Model) -> None:
    images, labels = saved(tmp_path, GOOD)
    with pytest.raises(BadInputError, match=r"absent.npy: there is no such file"):
        load(tmp_path / "absent.npy", labels, digits)
    (tmp_path / "text.npy").write_text("no array")
    with pytest.raises(BadInputError, match=r"text.npy: not a .npy file$"):
        load(images, tmp_path / "text.npy", digits)
    with pytest.raises(BadInputError, match=r"cannot be read \(Is a directory\)"):
        load(tmp_path, labels, digits)
    whole = images.read_bytes()
    for size in (0, 3, 10, 40, 100, len(whole) - 1):
        (tmp_path / "cut.npy").write_bytes(whole[:size])
        with pytest.raises(BadInputError, match=r"cut.npy: (not|a damaged) .*\.npy file"):
            load(tmp_path / "cut.npy", labels, digits)
    np.savez(tmp_path / "z.npz", images=GOOD)
    with pytest.raises(BadInputError, match=r"an .npz archive"):
        load(tmp_path / "z.npz", labels, digits)
    np.save(tmp_path / "objects.npy", np.array([None]), allow_pickle=True)
    with pytest.raises(BadInputError, match=r"a damaged .npy file, or not one of numbers \(Object arrays cannot be"):
        load(tmp_path / "objects.npy", labels, digits)


def test_values_that_were_clipped_are_told(tmp_path: Path, digits: Model) -> None:
    images = np.zeros((4, 8, 8, 1))
    images[0], images[1, 0] = 255.0, -3.0
    assert load(*saved(tmp_path, images), digits).clipped == pytest.approx((64 + 8) / 256)
    # The largest value of the scale's range may be a step beyond the type's: that is how converters choose scales.
    assert load(*saved(tmp_path, np.ones((4, 8, 8, 1))), digits).clipped == 0.0
    assert load(*saved(tmp_path, GOOD), digits).clipped == 0.0


@pytest.mark.parametrize(("value", "message"), [(np.nan, "no numbers"), (-np.inf, "no numbers"), (1e300, "too large")])
def test_float_networks_take_numbers_only(tmp_path: Path, digits: Model, value: float, message: str) -> None:
    taken = msgspec.structs.replace(digits.tensors[digits.inputs[0]], type="float32", scales=(), zero_points=())
    tensors = tuple(taken if index == digits.inputs[0] else tensor for index, tensor in enumerate(digits.tensors))
    network = msgspec.structs.replace(digits, tensors=tensors)
    images = np.zeros((4, 8, 8, 1))
    assert load(*saved(tmp_path, images), network).images.dtype == np.float32
    images[2, 3, 4, 0] = value
    with pytest.raises(BadInputError, match=message):
        load(*saved(tmp_path, images), network)
    if not np.isfinite(value):
        with pytest.raises(BadInputError, match=message):
            load(*saved(tmp_path, images.astype(np.float32)), network)


def test_limits_and_networks_that_have_no_test_set(tmp_path: Path, digits: Model) -> None:
    paths = saved(tmp_path, GOOD)
    with pytest.raises(BadInputError, match="0 images are no test set"):
        load(*paths, digits, limit=0)
    with pytest.raises(BadInputError, match="has 2 inputs; a test set of images needs a network with one"):
        load(*paths, msgspec.structs.replace(digits, inputs=(0, 1)))


@given(st.binary(min_size=10, max_size=10), st.binary(min_size=10, max_size=10))
@settings(deadline=None)
def test_elements_that_differ_are_counted(digits: Model, device: bytes, host: bytes) -> None:
    expected = sum(mine != theirs for mine, theirs in zip(device, host, strict=True))
    assert accuracy._elements_different((device,), (host,), digits) == expected


def test_the_class_is_the_first_of_the_largest(digits: Model) -> None:
    assert accuracy._class_of((bytes([0, 5, 127, 127, 128, 255, 0, 0, 0, 0]),), digits) == 2
    assert accuracy._class_of((bytes([128] * 10),), digits) == 0
