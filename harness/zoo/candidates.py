"""Makes one network of a search: with random weights, to be measured, or trained, to be judged by its accuracy.

TensorFlow works on one thread: several of these run at once, and the order of additions must not depend on how many.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from harness.errors import HarnessError
from harness.model import load as load_model
from harness.records import Record
from harness.zoo import convert, data, evaluate, families, optimise, training, weights
from harness.zoo.data import Data
from harness.zoo.evaluate import Accuracy
from harness.zoo.families import Architecture
from harness.zoo.training import Training

REPRESENTATIVE = 200  # training inputs that the ranges of a trained network are measured on
RANDOM_REPRESENTATIVE = 16
# What is trained on after channels were removed, against the training itself.
FINE_TUNING_SHARE = 0.5
FINE_TUNING_RATE = 0.25


class Wanted(Record, frozen=True):
    """A network to make; ``pruning`` is the share of channels that are removed, 0 for none."""

    architecture: Architecture
    type: convert.Type
    pruning: float
    seed: int


class Built(Record, frozen=True):
    """A .tflite file, its SHA-256, and its multiply-accumulates."""

    content: bytes
    sha256: str
    macs: int


class Trained(Record, frozen=True):
    """A trained network: ``validation`` is the accuracy of ``built``, run by tflite-micro, on the validation part.

    ``seconds`` is the processor time that making it took.
    """

    built: Built
    epochs: int
    validation: Accuracy
    seconds: float


def random(wanted: Wanted) -> Built:
    """The network with random weights: its sizes and counts are to be those of the trained one.

    Raises:
        BadInputError: it cannot be built, pruned or converted, or TFLM does not run it.
        MissingToolError: TensorFlow is not installed.
        HarnessError: the file has other multiply-accumulates than the network.
    """
    keras = begin(wanted.seed)
    model = families.build(keras, wanted.architecture)
    weights.randomise(model, wanted.seed)
    if wanted.pruning:
        model = optimise.prune_channels(keras, model, wanted.pruning)
    samples = convert.random_samples([(1, *wanted.architecture.shape)], RANDOM_REPRESENTATIVE, wanted.seed)
    return _converted(keras, model, wanted, samples, "random")


def trained(wanted: Wanted, dataset: str, settings: Training) -> Trained:
    """The network, trained on the training part of a data set; the test part is not looked at.

    Pruned channels are followed by half as many epochs again, at a quarter of the learning rate.

    Raises:
        MissingToolError: the data is not here, or TensorFlow is not installed. Others as ``random``.
    """
    started = time.process_time()
    found = data.load(dataset)
    keras = begin(wanted.seed)
    model = training.train(keras, families.build(keras, wanted.architecture), found, settings)
    if wanted.pruning:
        pruned = optimise.prune_channels(keras, model, wanted.pruning)
        model = optimise.fine_tune(keras, pruned, (found.train_inputs, found.train_labels), _tuning(wanted, settings))
    samples = found.train_inputs[:REPRESENTATIVE, np.newaxis]
    built = _converted(keras, model, wanted, samples, "trained")
    return Trained(
        built=built,
        epochs=settings.epochs,
        validation=validated(built.content, found),
        seconds=round(time.process_time() - started, 3),
    )


def validated(content: bytes, found: Data) -> Accuracy:
    """The accuracy of a .tflite file on the validation part, by tflite-micro."""
    return evaluate.accuracy(content, found.validation_inputs, found.validation_labels)


def _tuning(wanted: Wanted, settings: Training) -> optimise.FineTuning:
    return optimise.FineTuning(
        epochs=max(round(settings.epochs * FINE_TUNING_SHARE), 1),
        batch=settings.batch,
        learning_rate=settings.learning_rate * FINE_TUNING_RATE,
        label_smoothing=settings.label_smoothing,
        seed=wanted.seed,
    )


def begin(seed: int) -> Any:
    """``convert.begin`` with TensorFlow on one thread.

    Raises:
        HarnessError: it runs on several in this process already.
    """
    os.environ["OMP_NUM_THREADS"] = "1"  # read when TensorFlow is imported
    keras = convert.begin(seed)
    import tensorflow

    try:
        tensorflow.config.threading.set_intra_op_parallelism_threads(1)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError as error:
        raise HarnessError(
            "TensorFlow runs on several threads in this process already, and its sums would depend on them",
            "call this first, or in a process of its own",
        ) from error
    return keras


def _converted(keras: Any, model: Any, wanted: Wanted, samples: Any, kind: str) -> Built:
    single = optimise.with_batch(keras, model, 1)
    content = convert.convert(single, samples if wanted.type == "int8" else None, dtype=wanted.type)
    pruned = f", {wanted.pruning:g} of its channels pruned" if wanted.pruning else ""
    text = f"{wanted.architecture.label}{pruned}, {wanted.type}, {kind} weights, seed {wanted.seed}"
    content = weights.describe(content, text)
    counted, expected = macs_of(content), optimise.macs(keras, single)
    if counted != expected:
        raise HarnessError(
            f"{wanted.architecture.label}: the file has {counted:,} multiply-accumulates, the network {expected:,}"
        )
    return Built(content=content, sha256=hashlib.sha256(content).hexdigest(), macs=counted)


def macs_of(content: bytes) -> int:
    """Multiply-accumulates of a file, as the reader of models counts them; it refuses what TFLM does not run."""
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        path = Path(folder) / "network.tflite"
        path.write_bytes(content)
        return load_model(path).macs


def settings(epochs: int, batch: int, learning_rate: float) -> Training:
    """The training of that many epochs."""
    return msgspec.structs.replace(Training(), epochs=epochs, batch=batch, learning_rate=learning_rate)
