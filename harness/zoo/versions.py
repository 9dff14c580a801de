"""Versions of a user's Keras network: what a step makes of it, as a .keras and a .tflite file with its accuracy.

Each is made in a process where TensorFlow works on one thread, so that it does not depend on how many run at once.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any, Literal

import numpy as np

from harness.errors import BadInputError, HarnessError
from harness.records import Record
from harness.zoo import candidates, convert, data, optimise, training
from harness.zoo.candidates import Built
from harness.zoo.channels import functional
from harness.zoo.data import Data
from harness.zoo.evaluate import Accuracy
from harness.zoo.quiet import quiet
from harness.zoo.training import Training

Change = Literal["none", "up", "down", "prune", "narrow"]
MULTIPLE = 4
PRUNED_SHARE, NARROWED_SHARE = 0.25, 0.5


class Asked(Record, frozen=True):
    """A version to make of a network: ``content`` is its .keras file, ``type`` what it is converted to.

    ``change`` "up" and "down" bring the channels to multiples of 4, "prune" removes a quarter of them and trains on for
    half of the epochs, "narrow" removes half of them and trains for all of the epochs.
    """

    content: bytes
    change: Change
    type: convert.Type
    dataset: str
    settings: Training
    seed: int


class Made(Record, frozen=True):
    """A version: its .keras file, its .tflite file, the accuracy of the latter on the validation part by tflite-micro.

    ``summary`` says what changed: widths and multiply-accumulates.
    """

    content: bytes
    built: Built
    validation: Accuracy
    summary: str


def make(asked: Asked) -> Made:
    """Make a version; the test part is not looked at.

    Raises:
        BadInputError: the file is no Keras network, or none for this data; or it cannot be changed or converted so, or
            TFLM does not run it.
        MissingToolError: TensorFlow or the data is not here.
    """
    found = data.load(asked.dataset)
    keras = candidates.begin(asked.seed)
    model = _load(keras, asked.content)
    _check(model, found)
    changed = _changed(keras, model, asked, found)
    samples = found.train_inputs[: candidates.REPRESENTATIVE, np.newaxis]
    single = optimise.with_batch(keras, changed, 1)
    content = convert.convert(single, samples if asked.type == "int8" else None, dtype=asked.type)
    built = Built(content=content, sha256=hashlib.sha256(content).hexdigest(), macs=candidates.macs_of(content))
    return Made(
        content=_saved(single),
        built=built,
        validation=candidates.validated(content, found),
        summary=optimise.summary(keras, functional(keras, model), changed),
    )


def _changed(keras: Any, model: Any, asked: Asked, found: Data) -> Any:
    if asked.change == "none":
        return functional(keras, model)
    if asked.change in ("up", "down"):
        direction: Literal["up", "down"] = "up" if asked.change == "up" else "down"
        made = optimise.round_channels(keras, model, MULTIPLE, direction)
        if not optimise.changes(functional(keras, model), made):
            raise BadInputError(f"every layer has a multiple of {MULTIPLE} channels already, or cannot change")
        # Zeros that were added change no output: only what lost channels is trained on.
        return made if asked.change == "up" else _tuned(keras, made, asked, found, candidates.FINE_TUNING_SHARE)
    if asked.change == "prune":
        made = optimise.prune_channels(keras, model, PRUNED_SHARE)
        return _tuned(keras, made, asked, found, candidates.FINE_TUNING_SHARE)
    return training.train(keras, optimise.prune_channels(keras, model, NARROWED_SHARE), found, asked.settings)


def _tuned(keras: Any, model: Any, asked: Asked, found: Data, share: float) -> Any:
    settings = asked.settings
    tuning = optimise.FineTuning(
        epochs=max(round(settings.epochs * share), 1),
        batch=settings.batch,
        learning_rate=settings.learning_rate * candidates.FINE_TUNING_RATE,
        label_smoothing=settings.label_smoothing,
        seed=asked.seed,
    )
    return optimise.fine_tune(keras, model, (found.train_inputs, found.train_labels), tuning)


def _load(keras: Any, content: bytes) -> Any:
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        path = Path(folder) / f"network{suffix(content)}"
        path.write_bytes(content)
        with quiet():
            try:
                return keras.models.load_model(path, compile=False)
            except Exception as error:  # Keras raises its own, ValueError, TypeError and what h5py does
                lines = str(error).strip().splitlines() or [type(error).__name__]
                raise BadInputError(
                    f"no Keras network that can be loaded: {lines[0]}",
                    'a file of model.save("model.keras"); layers of your own need Keras\'s own in their place',
                    detail=str(error),
                ) from error


def suffix(content: bytes) -> str:
    """What such a file is called.

    Raises:
        BadInputError: it is none of Keras.
    """
    if content[:4] == b"PK\x03\x04":
        return ".keras"
    if content[:8] == b"\x89HDF\r\n\x1a\n":
        return ".h5"
    if content[4:8] == b"TFL3":
        raise BadInputError("a .tflite file, which cannot be trained on", "give the Keras network that it was made of")
    raise BadInputError("no Keras network", 'a file of model.save("model.keras")')


def _saved(model: Any) -> bytes:
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        path = Path(folder) / "network.keras"
        model.save(path)
        return path.read_bytes()


def _check(model: Any, found: Data) -> None:
    """Refuse what does not take the data, or does not tell its classes apart."""
    inputs, outputs = getattr(model, "inputs", None) or [], getattr(model, "outputs", None) or []
    if len(inputs) != 1 or len(outputs) != 1:
        raise BadInputError(
            f"the network has {len(inputs)} inputs and {len(outputs)} outputs",
            "one of each is needed, with keras.Input",
        )
    shape, wanted = tuple(inputs[0].shape[1:]), found.train_inputs.shape[1:]
    if shape != wanted:
        raise BadInputError(f"the network takes inputs of shape {shape}, {found.name} has {wanted}",
                            "name other data in the scenario, or build the network for it")  # fmt: skip
    classes = tuple(outputs[0].shape[1:])
    if classes != (len(found.classes),):
        raise BadInputError(f"the network's output has shape {classes}, {found.name} has {len(found.classes)} classes",
                            "name other data in the scenario, or build the network for it")  # fmt: skip


class Refused(Record, frozen=True):
    """Why a version was not made: a kind of ``harness.errors`` by its name, and what it says."""

    kind: str
    message: str
    hint: str | None
    detail: str | None


def attempt(asked: Asked) -> Made | Refused:
    """``make``, in whatever process this is."""
    try:
        return make(asked)
    except HarnessError as error:
        return Refused(kind=type(error).__name__, message=error.message, hint=error.hint, detail=error.detail)
