"""How a network of the zoo is made into a .tflite file, and what is recorded of one that was made."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import msgspec

from harness.errors import BadInputError
from harness.records import Record
from harness.zoo import convert, networks
from harness.zoo.evaluate import Accuracy
from harness.zoo.spec import Spec, text

FORMAT = 1


class Recipe(Record, frozen=True, kw_only=True):
    """Everything that decides the bytes of a network's file, besides the versions of the tools.

    Steps are done in this order: build, train, prune channels, round channels, fine-tune (of a trained network), prune
    weights by magnitude, convert. ``io`` of None is the type itself; ``epochs`` of None is what the network needs;
    ``sparsity`` is the share of weights that become zero, ``channel_pruning`` the share of channels that are removed, 0
    for neither; channels are rounded up to multiples of ``multiple_of``.
    """

    spec: Spec
    type: Literal["int8", "float32", "hybrid"] = "int8"
    io: Literal["int8", "float32"] | None = None
    train: bool = False
    epochs: int | None = None
    seed: int = 1
    sparsity: float = 0.0
    channel_pruning: float = 0.0
    multiple_of: int = 1

    @property
    def label(self) -> str:
        """One line that names it: "lenet int8", "conv:channels=8 float32 sparsity=0.8"; defaults are left out."""
        parts = [self.spec.label, self.type]
        if self.io is not None and self.io != self.type:
            parts.append(f"io={self.io}")
        if self.train:
            parts.append("trained")
        if self.epochs is not None:
            parts.append(f"epochs={self.epochs}")
        if self.seed != 1:
            parts.append(f"seed={self.seed}")
        if self.channel_pruning:
            parts.append(f"channel_pruning={text(self.channel_pruning)}")
        if self.multiple_of != 1:
            parts.append(f"multiple_of={self.multiple_of}")
        if self.sparsity:
            parts.append(f"sparsity={text(self.sparsity)}")
        return " ".join(parts)

    @property
    def slug(self) -> str:
        """The label as the name of a file: "conv-channels-8-float32"."""
        return re.sub(r"[^A-Za-z0-9.]+", "-", self.label)

    @property
    def weights(self) -> Literal["random", "trained"]:
        """What its weights are worth."""
        return "trained" if self.train else "random"

    @property
    def description(self) -> str:
        """What the file says of itself, in the field that the format has for it."""
        return f"{self.label}, {self.weights} weights, seed {self.seed}"


def recipe(spec: Spec, **settings: Any) -> Recipe:
    """A checked recipe of settings that a user wrote.

    Raises:
        BadInputError: a setting's type or value cannot be used.
    """
    try:
        convert.check_types(settings.get("type", "int8"), settings.get("io"))
        found = msgspec.convert({"spec": msgspec.to_builtins(spec), **settings}, Recipe)
    except msgspec.ValidationError as error:
        raise BadInputError(f"{spec.label}: {error}") from error
    check(found)
    return found


class Step(Record, frozen=True, kw_only=True):
    """One step of the making, with the accuracy on the test set before and after it; None where there is none."""

    name: str
    detail: str
    before: Accuracy | None = None
    after: Accuracy | None = None


class DataSource(Record, frozen=True, kw_only=True):
    """What a network was trained and evaluated on."""

    name: str
    source: str
    split: str


class Metadata(Record, frozen=True, kw_only=True):
    """What is known of a made file.

    ``size_bytes`` is its size, ``compressed_bytes`` that of its zlib compression at level 9. ``accuracy`` is that of
    this file on the held-out test set, run by tflite-micro on the host; ``float_accuracy`` that of the Keras network
    before its conversion. Both are None where weights are random.
    """

    format: int = FORMAT
    name: str
    description: str
    recipe: Recipe
    weights: Literal["random", "trained"]
    seed: int
    sha256: str
    size_bytes: int
    compressed_bytes: int
    macs: int
    operators: tuple[str, ...]
    steps: tuple[Step, ...]
    conversion: dict[str, Any]
    tools: dict[str, str]
    data: DataSource | None = None
    accuracy: Accuracy | None = None
    float_accuracy: Accuracy | None = None


class Made(Record, frozen=True, kw_only=True):
    """A made .tflite file and what is known of it."""

    path: Path
    metadata: Metadata


def check(recipe: Recipe) -> None:
    """Everything about a recipe that can be known without making it.

    Raises:
        BadInputError: TFLM cannot run it, there is nothing to train it on, or a number is out of its range.
    """
    network = networks.named(recipe.spec.network)
    normal = networks.spec(recipe.spec.network, recipe.spec.values)
    if normal != recipe.spec:
        raise BadInputError(f"{recipe.spec} is not complete", "make it with harness.zoo.networks.spec or parse")
    convert.check_types(recipe.type, recipe.io)
    if recipe.train and network.dataset is None:
        raise BadInputError(
            f"{network.name} cannot be trained: {network.untrainable}",
            "without training its weights are random, which is enough for counts and sizes",
        )
    if recipe.epochs is not None and not recipe.train:
        raise BadInputError("epochs are given for a network that is not trained", "set train, too (--train)")
    for name, value, low, high in (
        ("epochs", recipe.epochs, 1, 10_000),
        ("seed", recipe.seed, 0, 2**32 - 1),
        ("multiple_of", recipe.multiple_of, 1, 64),
    ):
        if value is not None and not low <= value <= high:
            raise BadInputError(f"{name} is {value}, not a whole number from {low} to {high}")
    for name, share in (("sparsity", recipe.sparsity), ("channel_pruning", recipe.channel_pruning)):
        if not 0.0 <= share < 1.0:
            raise BadInputError(f"{name} is {share:g}, not a share from 0 to less than 1")
