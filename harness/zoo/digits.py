"""Generates the network that the project ships: a small int8 CNN for scikit-learn's bundled handwritten digits.

``python -m harness.zoo.digits`` trains it on the CPU (under half a minute) and writes digits.tflite and digits.json
beside this file; with ``--test-set x.npy,y.npy`` it writes the test images and their classes instead. The test images
are drawn once, stratified, and used for nothing but accuracies; the architecture and the training settings were chosen
on a fifth of the training images.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from harness.errors import BadInputError, HarnessError, MissingToolError
from harness.model import load as load_model
from harness.records import Record
from harness.zoo.convert import begin, convert, settings
from harness.zoo.evaluate import Accuracy, accuracy

TFLITE = Path(__file__).with_name("digits.tflite")
METADATA = Path(__file__).with_name("digits.json")

SEED = 1
TEST_SHARE = 0.2
EPOCHS = 60
BATCH = 32
LEARNING_RATE = 5e-3
LABEL_SMOOTHING = 0.05  # keeps the softmax from saturating at int8 resolution
REPRESENTATIVE = 200

Array = npt.NDArray[Any]


class Split(Record, frozen=True, kw_only=True):
    """float32 images (count, 8, 8, 1) with values 0 to 1, and their classes (count,), 0 to 9."""

    train_images: Array
    train_labels: Array
    test_images: Array
    test_labels: Array


def split() -> Split:
    """The 1,797 images of ``sklearn.datasets.load_digits``: 1,437 to train with, 360 held out, stratified by class.

    Raises:
        MissingToolError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise MissingToolError("scikit-learn is not installed", "pip install 'tflm-harness[zoo]'") from error
    digits = load_digits()
    images = (digits.images / 16.0).astype(np.float32)[..., np.newaxis]
    train_images, test_images, train_labels, test_labels = train_test_split(
        images, digits.target, test_size=TEST_SHARE, stratify=digits.target, random_state=SEED
    )
    return Split(train_images=train_images, train_labels=train_labels, test_images=test_images, test_labels=test_labels)


def build(keras: Any, batch: int | None) -> Any:
    """The untrained network: a convolution, two depthwise-separable blocks, max and average pooling, a classifier.

    Batch normalisation makes it train faster; the converter folds it into the convolutions.
    """
    layers = keras.layers

    def normalised(layer: Any) -> list[Any]:
        return [layer, layers.BatchNormalization(), layers.ReLU()]

    def convolution(channels: int, size: int) -> list[Any]:
        return normalised(
            layers.Conv2D(channels, size, padding="same", use_bias=False, kernel_initializer="he_uniform")
        )

    def depthwise() -> list[Any]:
        return normalised(layers.DepthwiseConv2D(3, padding="same", use_bias=False, depthwise_initializer="he_uniform"))

    return keras.Sequential(
        [
            keras.Input((8, 8, 1), batch_size=batch, name="image"),
            *convolution(8, 3),
            *depthwise(),
            *convolution(16, 1),
            layers.MaxPooling2D(2),
            *depthwise(),
            *convolution(24, 1),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ],
        name="digits",
    )


def train(keras: Any, data: Split) -> Any:
    """A trained network with batch size 1, ready to convert. ``keras`` comes from :func:`harness.zoo.convert.begin`."""
    network = build(keras, None)
    steps = EPOCHS * -(-len(data.train_images) // BATCH)
    network.compile(
        optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=LABEL_SMOOTHING),
    )
    classes = np.eye(10, dtype=np.float32)[data.train_labels]
    network.fit(data.train_images, classes, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    single = build(keras, 1)
    single.set_weights(network.get_weights())
    return single


def float_accuracy(network: Any, images: Array, labels: Array) -> Accuracy:
    """Classify ``images`` with the Keras network, before any quantisation."""
    classes = np.argmax(network.predict(images, batch_size=1, verbose=0), axis=1)
    return Accuracy(correct=int(np.sum(classes == labels)), images=len(images))


def write_test_set(images: Path, labels: Path) -> None:
    """Write the 360 held-out images, float32 (360, 8, 8, 1) from 0 to 1, and their classes, int64 (360,), as .npy.

    Raises:
        MissingToolError: scikit-learn is not installed.
        BadInputError: a file cannot be written.
    """
    data = split()
    for path, array in ((images, data.test_images), (labels, data.test_labels)):
        try:
            with path.open("wb") as file:  # numpy.save adds .npy to a name without it
                np.save(file, array)
        except OSError as error:
            raise BadInputError(f"{path}: cannot be written ({error.strerror})") from error


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line says: write the test set, or train, convert, evaluate, and write both files."""
    parser = argparse.ArgumentParser(prog="python -m harness.zoo.digits", description=main.__doc__)
    parser.add_argument("--test-set", metavar="X.NPY,Y.NPY", help="write the test images and their classes, and end")
    test_set = parser.parse_args(arguments).test_set
    if test_set is None:
        make()
        return
    images, _, labels = test_set.partition(",")
    if not images or not labels:
        parser.error(f"--test-set takes two files, X.NPY,Y.NPY, not {test_set!r}")
    try:
        write_test_set(Path(images), Path(labels))
    except HarnessError as error:
        parser.exit(error.exit_code, f"error: {error.message}\n" + (f"hint: {error.hint}\n" if error.hint else ""))


def make() -> None:
    """Train, convert, evaluate, and write both files."""
    data = split()
    network = train(begin(SEED), data)
    tflite = convert(network, data.train_images[:REPRESENTATIVE, np.newaxis])
    TFLITE.write_bytes(tflite)
    model = load_model(TFLITE)
    measured = {
        "float32": (float_accuracy(network, data.test_images, data.test_labels), f"Keras {_version('keras')}"),
        "int8": (accuracy(tflite, data.test_images, data.test_labels), f"tflite-micro {_version('tflite-micro')}"),
    }
    metadata = {
        "name": network.name,
        "sha256": model.sha256,
        "size_bytes": model.size_bytes,
        "macs": model.macs,
        "operators": [operator.op for operator in model.operators],
        "accuracy": {
            name: {**msgspec.to_builtins(found), "fraction": round(found.fraction, 4), "evaluated_with": evaluated_with}
            for name, (found, evaluated_with) in measured.items()
        },
        "data": {
            "source": f"sklearn.datasets.load_digits, scikit-learn {_version('scikit-learn')}",
            "train_images": len(data.train_images),
            "test_images": len(data.test_images),
            "split": f"train_test_split(test_size={TEST_SHARE}, stratify=classes, random_state={SEED})",
            "input": "8x8 grey values divided by 16",
        },
        "training": {
            "seed": SEED,
            "epochs": EPOCHS,
            "batch": BATCH,
            "optimizer": "Adam",
            "learning_rate": LEARNING_RATE,
            "schedule": "cosine decay to 0",
            "loss": f"categorical cross-entropy, label smoothing {LABEL_SMOOTHING}",
            "python": ".".join(map(str, sys.version_info[:3])),
        },
        "conversion": {**settings(), "representative": f"the first {REPRESENTATIVE} training images"},
    }
    METADATA.write_text(json.dumps(metadata, indent=2) + "\n")
    for name, (found, evaluated_with) in measured.items():
        print(f"{name}: {found.correct} of {found.images} test images correct ({evaluated_with})")
    print(f"{TFLITE}: {model.size_bytes:,} bytes, {model.macs:,} MACs")


def _version(distribution: str) -> str:
    return importlib.metadata.version(distribution)


if __name__ == "__main__":
    main()
