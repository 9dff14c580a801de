"""Trains networks of the zoo: fixed seeds, cosine decay, the weights of the last epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import BadInputError
from harness.records import Record

if TYPE_CHECKING:
    from harness.zoo.data import Data


class Training(Record, frozen=True, kw_only=True):
    """How a network is trained: Adam, cosine decay of the learning rate to 0, categorical cross-entropy.

    ``label_smoothing`` keeps the softmax from saturating at int8 resolution.
    """

    epochs: int = 20
    batch: int = 32
    learning_rate: float = 2e-3
    label_smoothing: float = 0.05


def train(keras: Any, model: Any, data: Data, settings: Training) -> Any:
    """A trained copy of a classifier, for batches of any size; the same seed of ``keras`` gives the same weights.

    Args:
        keras: from :func:`harness.zoo.convert.begin`, whose seed decides the order of the examples.
        model: a Keras model that ends in a softmax, with its initial weights; it stays as it is.
        data: its training part is trained on, nothing else is looked at.
        settings: how.

    Raises:
        BadInputError: the data's shape or number of classes is not the network's.
    """
    from harness.zoo.resize import with_batch

    shape, classes = tuple(model.inputs[0].shape[1:]), int(model.outputs[0].shape[-1])
    found = data.train_inputs.shape[1:], len(data.classes)
    if found != (shape, classes):
        raise BadInputError(
            f"{data.name} has inputs of shape {found[0]} and {found[1]} classes, {model.name!r} {shape} and {classes}",
            "choose a network that was made for this data",
        )
    network = with_batch(keras, model, None)
    steps = settings.epochs * -(-len(data.train_inputs) // settings.batch)
    network.compile(
        optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps)),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=settings.label_smoothing),
    )
    targets = np.eye(classes, dtype=np.float32)[data.train_labels]
    network.fit(data.train_inputs, targets, batch_size=settings.batch, epochs=settings.epochs, verbose=0)
    trained = with_batch(keras, model, None)
    trained.set_weights(network.get_weights())
    return trained
