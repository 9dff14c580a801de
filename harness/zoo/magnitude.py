"""Magnitude pruning: the smallest weights become 0 while the others are trained on, and the zeros stay zeros.

The share of zeros rises during the fine-tuning as Zhu and Gupta propose ("To prune, or not to prune", 2017): fast at
first, then ever more slowly. Kernels of convolutions, depthwise convolutions and dense layers are pruned, each to the
same share; biases and normalisations are not.

TFLM stores and multiplies zeros like other weights, so this makes a network neither faster nor smaller in flash. It
makes the file compress better, for an update over the air, for example.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.errors import BadInputError
from harness.records import Record
from harness.zoo.channels import functional
from harness.zoo.resize import with_batch

Array = npt.NDArray[Any]
Examples = tuple[Array, Array]

_KERNELS = ("Conv1D", "Conv2D", "DepthwiseConv1D", "DepthwiseConv2D", "Dense")


class FineTuning(Record, frozen=True):
    """How weights are trained on: Adam at a constant rate; the order of the examples comes from ``seed``.

    ``label_smoothing`` is that of the cross-entropy, where targets are classes.
    """

    epochs: int = 10
    batch: int = 32
    learning_rate: float = 1e-3
    label_smoothing: float = 0.0
    seed: int = 1


class Schedule(Record, frozen=True):
    """When weights become 0: the sparsity rises from ``initial`` at ``begin`` to its target at ``end``.

    Both are shares of the fine-tuning's batches; between them it is target + (initial - target) x (1 - progress)^power,
    applied every ``every`` batches. What is left of the fine-tuning repairs what the last zeros have done.
    """

    initial: float = 0.0
    begin: float = 0.0
    end: float = 0.75
    power: float = 3.0
    every: int = 10

    def sparsity(self, progress: float, target: float) -> float:
        """The sparsity after ``progress`` of all batches, 0 to 1."""
        if progress < self.begin:
            return 0.0
        done = 1.0 if progress >= self.end else (progress - self.begin) / (self.end - self.begin)
        return target + (self.initial - target) * math.pow(1.0 - done, self.power)


def prune_magnitude(
    keras: Any,
    model: Any,
    data: Examples | None,
    sparsity: float = 0.8,
    schedule: Schedule | None = None,
    tuning: FineTuning | None = None,
) -> Any:
    """A copy of a network in whose kernels the given share of the weights is 0.

    Args:
        keras: from :func:`harness.zoo.convert.begin`.
        model: a functional or Sequential network; it stays as it is.
        data: examples to train on, as :func:`fine_tune` takes them. None: all at once and no training, for networks
            whose accuracy does not matter.
        sparsity: share of zeros in each kernel, above 0 and below 1, rounded to whole weights.
        schedule: when they become 0.
        tuning: how the others are trained.

    Raises:
        BadInputError: an unusable network, example, sparsity, schedule or setting.
    """
    schedule = schedule or Schedule()
    _check(sparsity, schedule)
    source = functional(keras, model)
    if not kernels(keras, source):
        raise BadInputError(
            f"{source.name!r} has nothing to prune",
            "magnitude pruning needs a convolution or a dense layer",
        )
    if data is not None:
        callback = _callback(keras, sparsity, schedule)
        return fine_tune(keras, source, data, tuning, callbacks=(callback,))
    copy = with_batch(keras, source, source.inputs[0].shape[0])
    for _, kernel in kernels(keras, copy):
        array = kernel.numpy()
        kernel.assign(array * mask(array, sparsity))
    return copy


def fine_tune(
    keras: Any, model: Any, data: Examples, tuning: FineTuning | None = None, *, callbacks: tuple[Any, ...] = ()
) -> Any:
    """A copy of a network, trained on; the same settings and examples give the same weights on the same machine.

    Args:
        keras: from :func:`harness.zoo.convert.begin`.
        model: a functional or Sequential network with one input and one output; it stays as it is.
        data: inputs (count, ...) and targets: integer classes (count,), trained with cross-entropy, or real numbers of
            the output's shape (count, ...), trained with the mean squared error.
        tuning: how.
        callbacks: Keras callbacks that watch the training.

    Raises:
        BadInputError: a network with several inputs or outputs, or examples that do not fit it.
    """
    tuning = tuning or FineTuning()
    if tuning.epochs < 1 or tuning.batch < 1 or not tuning.learning_rate > 0.0:
        raise BadInputError(
            f"fine-tuning of {tuning.epochs} epochs, batches of {tuning.batch}, learning rate {tuning.learning_rate}",
            "epochs and batch are at least 1, the learning rate is above 0",
        )
    trained = with_batch(keras, model, None)
    inputs, targets = _examples(trained, data)
    keras.utils.set_random_seed(tuning.seed)
    if np.issubdtype(targets.dtype, np.integer):
        loss = keras.losses.CategoricalCrossentropy(not _softmax(keras, trained), tuning.label_smoothing)
        targets = np.eye(trained.outputs[0].shape[-1], dtype=np.float32)[targets]
    else:
        loss = keras.losses.MeanSquaredError()
    trained.compile(optimizer=keras.optimizers.Adam(tuning.learning_rate), loss=loss)
    trained.fit(inputs, targets, batch_size=tuning.batch, epochs=tuning.epochs, callbacks=list(callbacks), verbose=0)
    _settle(keras, trained, inputs, tuning.batch)
    copy = with_batch(keras, model, model.inputs[0].shape[0])
    copy.set_weights(trained.get_weights())
    return copy


def mask(array: Array, sparsity: float) -> Array:
    """1 where a weight stays, 0 for the round(sparsity x size) smallest magnitudes; of equal ones, the first go."""
    zeros = int(sparsity * array.size + 0.5)
    flat = np.ones(array.size, array.dtype)
    flat[np.argsort(np.abs(array), axis=None, kind="stable")[:zeros]] = 0
    return flat.reshape(array.shape)


def kernels(keras: Any, model: Any) -> list[tuple[str, Any]]:
    """Names of the layers that magnitude pruning prunes, with their kernels as Keras variables, nested models too."""
    classes: Any = tuple(getattr(keras.layers, name) for name in _KERNELS)
    return [(layer.name, layer.kernel) for layer in _layers(keras, model) if isinstance(layer, classes)]


def zeros(keras: Any, model: Any) -> dict[str, float]:
    """The share of weights that are 0, by layer."""
    return {name: float(np.mean(kernel.numpy() == 0.0)) for name, kernel in kernels(keras, model)}


def _layers(keras: Any, model: Any) -> list[Any]:
    """All layers, those of nested models in their place."""
    found: list[Any] = []
    for layer in model.layers:
        found += _layers(keras, layer) if isinstance(layer, keras.Model) else [layer]
    return found


def _settle(keras: Any, model: Any, inputs: Array, batch: int) -> None:
    """Set the normalisations' averages to those of the examples.

    They follow so slowly (Keras: 1 % a batch) that after a short fine-tuning they still are the old weights'.
    """
    normalisations = [layer for layer in _layers(keras, model) if isinstance(layer, keras.layers.BatchNormalization)]
    whole = len(inputs) // batch
    for number in range(max(whole, 1) if normalisations else 0):
        for layer in normalisations:
            layer.momentum = number / (number + 1)  # the mean of all batches so far
        model(inputs[number * batch : (number + 1) * batch], training=True)


def _callback(keras: Any, target: float, schedule: Schedule) -> Any:
    """A Keras callback that raises the sparsity by the schedule, and puts zeros back after each batch."""

    class Pruning(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_begin(self, logs: Any = None) -> None:
            self.kernels = [kernel for _, kernel in kernels(keras, self.model)]
            self.masks: list[Any] = [None] * len(self.kernels)
            self.batches = 0
            self.total = self.params["epochs"] * self.params["steps"]

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.batches += 1
            # Zeros have the smallest magnitude, so they are among the smallest again: masks only grow.
            self._apply()
            if self.batches % schedule.every == 0 or self.batches == self.total:
                self._raise(schedule.sparsity(self.batches / self.total, target))

        def _raise(self, sparsity: float) -> None:
            self.masks = [mask(kernel.numpy(), sparsity) for kernel in self.kernels]
            self._apply()

        def _apply(self) -> None:
            for kernel, kept in zip(self.kernels, self.masks, strict=True):
                if kept is not None:
                    kernel.assign(kernel * kept)

    return Pruning()


def _check(sparsity: float, schedule: Schedule) -> None:
    if not 0.0 < sparsity < 1.0:
        raise BadInputError(f"a sparsity of {sparsity}", "give a share above 0 and below 1, such as 0.8")
    if not 0.0 <= schedule.begin < schedule.end <= 1.0:
        raise BadInputError(
            f"a schedule from {schedule.begin} to {schedule.end}", "begin and end are shares of the batches, 0 to 1"
        )
    if not 0.0 <= schedule.initial <= sparsity or not schedule.power > 0.0 or schedule.every < 1:
        raise BadInputError(
            f"a schedule with initial {schedule.initial}, power {schedule.power}, every {schedule.every}",
            f"initial is 0 to the sparsity ({sparsity}), power above 0, every at least 1",
        )


def _examples(model: Any, data: Examples) -> Examples:
    inputs, targets = (np.asarray(array) for array in data)
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise BadInputError(
            f"{model.name!r} has {len(model.inputs)} inputs and {len(model.outputs)} outputs",
            "fine-tuning takes networks with one of each",
        )
    shape, output = tuple(model.inputs[0].shape[1:]), tuple(model.outputs[0].shape[1:])
    if not len(inputs) or len(inputs) != len(targets) or inputs.shape[1:] != shape:
        raise BadInputError(
            f"{len(inputs)} inputs of shape {inputs.shape[1:]} and {len(targets)} targets",
            f"{model.name!r} takes inputs of shape {shape}, and as many targets",
        )
    if np.issubdtype(targets.dtype, np.integer):
        if targets.ndim != 1 or len(output) != 1 or not 0 <= targets.min() <= targets.max() < output[0]:
            raise BadInputError(
                f"classes {targets.min()} to {targets.max()} of shape {targets.shape} for an output of shape {output}",
                "give one class per input, counted from 0",
            )
    elif targets.shape[1:] != output:
        raise BadInputError(f"targets of shape {targets.shape[1:]}, the output has {output}")
    return inputs, targets


def _softmax(keras: Any, model: Any) -> bool:
    """Whether the output is probabilities, else it is their logits."""
    last = model.outputs[0]._keras_history.operation
    return (
        isinstance(last, keras.layers.Softmax)
        or getattr(getattr(last, "activation", None), "__name__", None) == "softmax"
    )
