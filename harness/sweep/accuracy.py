"""The accuracy of a sweep's models: as the zoo recorded it, or computed on the host with the sweep file's test set.

It is the model's own, the same on every platform and with all kernels whose outputs are exact; so it is part of what is
known of a point before it runs, and another test set costs no run.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from pathlib import Path
from typing import TypedDict

import msgspec
import numpy as np

from harness import cache, model
from harness.accuracy import TestSet, load
from harness.library import Progress
from harness.records import Model
from harness.zoo.evaluate import Accuracy, HostInterpreter
from harness.zoo.recipe import Metadata


class Fields(TypedDict):
    """Those of ``plan.ModelFacts`` that are about accuracy."""

    accuracy: float | None
    accuracy_images: int | None
    accuracy_data: str | None


def of_metadata(metadata: Metadata) -> Fields:
    """The accuracy that the zoo measured; none of a network with random weights."""
    found = metadata.accuracy
    if found is None or metadata.weights != "trained":
        return Fields(accuracy=None, accuracy_images=None, accuracy_data=None)
    return _fields(found, "?" if metadata.data is None else metadata.data.name)


def of_test_set(path: Path, data: tuple[Path, Path], progress: Progress) -> Fields:
    """The accuracy of a model's file with a test set, computed once: the cache keeps it.

    Args:
        path: a .tflite file with one input.
        data: .npy files of inputs and labels, see ``harness.accuracy.load``.
        progress: told how many images are done.

    Raises:
        BadInputError: model and test set do not go together, or one of them cannot be read.
    """
    checked = model.load(path)
    hashes = [hashlib.sha256(item.read_bytes()).hexdigest() for item in data]
    key = hashlib.sha256(
        msgspec.json.encode([checked.sha256, *hashes, importlib.metadata.version("tflite-micro")])
    ).hexdigest()
    cached = cache.path("accuracies", key[:32])
    found = cache.read(cached, Accuracy)
    if found is None:
        found = _computed(checked, load(*data, checked), progress)
        cache.write(cached, msgspec.json.encode(found))
    return _fields(found, data[0].name)


def _computed(checked: Model, data: TestSet, progress: Progress) -> Accuracy:
    """By tflite-micro: the class is the index of the first output's largest element, the first of equals."""
    interpreter = HostInterpreter(checked.content)
    shape = checked.tensors[checked.inputs[0]].shape
    correct = 0
    for index, (image, label) in enumerate(zip(data.images, data.labels, strict=True)):
        progress(f"computing the accuracy of {checked.path.name}", index, len(data.images))
        correct += int(np.argmax(interpreter.run([image.reshape(shape)])[0])) == int(label)
    return Accuracy(correct=correct, images=len(data.images))


def _fields(found: Accuracy, data: str) -> Fields:
    return Fields(accuracy=found.fraction, accuracy_images=found.images, accuracy_data=data)
