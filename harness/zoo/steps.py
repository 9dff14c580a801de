"""Follows a recipe, step by step, from the architecture to the bytes of the file and what is recorded of them."""

from __future__ import annotations

import hashlib
import tempfile
import zlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from harness.model import load as load_model
from harness.records import Model
from harness.zoo import convert, data, evaluate, networks, optimise, training, weights
from harness.zoo.data import Data
from harness.zoo.evaluate import Accuracy
from harness.zoo.recipe import DataSource, Metadata, Recipe, Step
from harness.zoo.spec import Network

REPRESENTATIVE = 200  # training inputs that the ranges of a trained network are measured on
RANDOM_REPRESENTATIVE = 16
# What is trained on after channels were removed, and while weights become zero, against the training itself.
FINE_TUNING_SHARE = 0.5
FINE_TUNING_RATE = 0.25


def follow(recipe: Recipe, tools: dict[str, str]) -> tuple[bytes, Metadata]:
    """The .tflite file of a checked recipe, and its metadata.

    Raises:
        BadInputError: the network cannot be built, optimised or converted so, or TFLM does not run it.
        MissingToolError: the data is not here.
    """
    network = networks.NETWORKS[recipe.spec.network]
    found = _data(network, recipe)
    making = _Making(recipe, network, found)
    making.weights()
    making.channels()
    making.zeros()
    content, samples = making.convert()
    description = recipe.description
    content = weights.describe(content, description)
    model = _checked(content, recipe)
    accuracy = making.evaluate(content)
    return content, Metadata(
        name=recipe.label,
        description=description,
        recipe=recipe,
        weights=recipe.weights,
        seed=recipe.seed,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        compressed_bytes=len(zlib.compress(content, 9)),
        macs=model.macs,
        operators=tuple(operator.op for operator in model.operators),
        steps=tuple(making.steps),
        conversion={**convert.settings(making.type, recipe.io, network.per_channel_dense), "representative": samples},
        tools=tools,
        data=None if found is None else DataSource(name=found.name, source=found.source, split=found.split),
        accuracy=accuracy,
        float_accuracy=making.accuracy,
    )


def _data(network: Network, recipe: Recipe) -> Data | None:
    if not recipe.train or network.dataset is None:
        return None
    return data.load(network.dataset).padded(networks.input_shape(recipe.spec))


def _checked(content: bytes, recipe: Recipe) -> Model:
    with tempfile.TemporaryDirectory(prefix="harness-zoo-") as folder:
        path = Path(folder) / f"{recipe.slug}.tflite"
        path.write_bytes(content)
        return load_model(path)


class _Making:
    """A Keras model on its way, with the steps that were done and its accuracy so far."""

    def __init__(self, recipe: Recipe, network: Network, found: Data | None) -> None:
        self.recipe, self.data, self.network = recipe, found, network
        self.type: convert.Type = "float32" if recipe.type == "float32" else "int8"
        self.settings = network.training
        if recipe.epochs is not None:
            self.settings = msgspec.structs.replace(self.settings, epochs=recipe.epochs)
        self.keras = convert.begin(recipe.seed)
        self.model = networks.build(self.keras, recipe.spec, None)
        self.accuracy: Accuracy | None = None
        self.steps: list[Step] = []

    def weights(self) -> None:
        """Random ones, or trained ones."""
        if self.data is None:
            weights.randomise(self.model, self.recipe.seed)
            self._done("build", f"random weights, seed {self.recipe.seed}")
            return
        self._done("build", f"initial weights, seed {self.recipe.seed}")
        self.model = training.train(self.keras, self.model, self.data, self.settings)
        settings = self.settings
        self._done(
            "train",
            f"{settings.epochs} epochs, batches of {settings.batch}, Adam, learning rate {settings.learning_rate:g}, "
            f"cosine decay to 0, label smoothing {settings.label_smoothing:g}",
        )

    def channels(self) -> None:
        """Fewer channels, and rounded numbers of them; rounding up adds zeros, which change no output."""
        recipe = self.recipe
        if recipe.channel_pruning:
            before = self.model
            self.model = optimise.prune_channels(self.keras, before, recipe.channel_pruning, recipe.multiple_of)
            self._done("prune channels", optimise.summary(self.keras, before, self.model))
        if recipe.multiple_of > 1:
            before = self.model
            self.model = optimise.round_channels(self.keras, before, recipe.multiple_of)
            self._done("round channels", optimise.summary(self.keras, before, self.model))
        if recipe.channel_pruning and self.data is not None:
            tuning = self._fine_tuning()
            self.model = optimise.fine_tune(self.keras, self.model, self._examples(), tuning)
            self._done("fine-tune", _in_words(tuning))

    def zeros(self) -> None:
        """The smallest weights become zero."""
        if not self.recipe.sparsity:
            return
        before, tuning = self.model, self._fine_tuning()
        examples = None if self.data is None else self._examples()
        self.model = optimise.prune_magnitude(
            self.keras, before, examples, sparsity=self.recipe.sparsity, tuning=tuning
        )
        done = optimise.summary(self.keras, before, self.model)
        self._done("prune weights", done if examples is None else f"{done}; {_in_words(tuning)}")

    def convert(self) -> tuple[bytes, str]:
        """The file, and what its ranges were measured on."""
        shape = (1, *networks.input_shape(self.recipe.spec))
        single = optimise.with_batch(self.keras, self.model, 1)
        if self.type == "float32":
            return convert.convert(single, None, dtype="float32"), "none: float32"
        if self.data is None:
            samples = convert.random_samples([shape], RANDOM_REPRESENTATIVE, self.recipe.seed)
            content = self._int8(single, samples)
            return content, f"{RANDOM_REPRESENTATIVE} random inputs in [-1, 1), seed {self.recipe.seed}"
        images = self.data.train_inputs[:REPRESENTATIVE, np.newaxis]
        return self._int8(single, images), f"the first {len(images)} training inputs"

    def _int8(self, model: Any, samples: Any) -> bytes:
        return convert.convert(model, samples, io=self.recipe.io, per_channel_dense=self.network.per_channel_dense)

    def evaluate(self, content: bytes) -> Accuracy | None:
        """Of the file, on the test set, by tflite-micro."""
        if self.data is None:
            self.steps.append(Step(name="convert", detail=f"to {self.recipe.type}"))
            return None
        after = evaluate.accuracy(content, self.data.test_inputs, self.data.test_labels)
        detail = f"to {self.recipe.type}; after: run by tflite-micro"
        self.steps.append(Step(name="convert", detail=detail, before=self.accuracy, after=after))
        return after

    def _done(self, name: str, detail: str) -> None:
        before = self.accuracy
        if self.data is not None and name != "build":
            count = optimise.correct(self.keras, self.model, self.data.test_inputs, self.data.test_labels)
            self.accuracy = Accuracy(correct=count, images=len(self.data.test_labels))
        self.steps.append(Step(name=name, detail=detail, before=before, after=self.accuracy))

    def _examples(self) -> tuple[Any, Any]:
        assert self.data is not None, "only trained networks are trained on"
        return self.data.train_inputs, self.data.train_labels

    def _fine_tuning(self) -> optimise.FineTuning:
        settings = self.settings
        return optimise.FineTuning(
            epochs=max(round(settings.epochs * FINE_TUNING_SHARE), 1),
            batch=settings.batch,
            learning_rate=settings.learning_rate * FINE_TUNING_RATE,
            label_smoothing=settings.label_smoothing,
            seed=self.recipe.seed,
        )


def _in_words(tuning: optimise.FineTuning) -> str:
    return f"{tuning.epochs} epochs, batches of {tuning.batch}, Adam, learning rate {tuning.learning_rate:g}"
