"""Keras networks made anew with other numbers of channels, or another batch size; the weights that stay are copied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.zoo.channels import Layout, Step, functional

Array = npt.NDArray[Any]

# What a new channel of a normalisation gets: with these it passes its input on, and 0 stays 0.
_NEUTRAL = {"gamma": 1.0, "moving_variance": 1.0}


def with_batch(keras: Any, model: Any, batch: int | None) -> Any:
    """A copy of a network, weights included, for ``batch`` samples at once (None: any number).

    Raises:
        BadInputError: a subclassed model, or one without inputs.
    """
    source = functional(keras, model)

    def input_of(tensor: Any) -> Any:
        return _input(keras, tensor, (batch, *tensor.shape[1:]))

    copy = _clone(keras, source, input_of, lambda layer: _copy(keras, layer, {}))
    copy.set_weights(source.get_weights())
    return copy


def resize(keras: Any, model: Any, layout: Layout, kept: dict[int, list[int]]) -> Any:
    """A copy of a functional model with other channels.

    Args:
        keras: from :func:`harness.zoo.convert.begin`.
        model: the functional model that ``layout`` was made of.
        layout: its groups of channels.
        kept: for a group's number its new channels in order: an old channel's index, or -1 for a new one, whose weights
            are zeros on both sides. Groups that are missing stay as they are.
    """

    def changed(layer: Any) -> Any:
        step = layout.steps[layer.name]
        config: dict[str, Any] = {}
        if step.kind == "producer":
            config["units" if hasattr(layer, "units") else "filters"] = len(layout.positions(step.output, kept))
        elif step.kind == "flatten" and hasattr(layer, "target_shape"):
            config["target_shape"] = (-1,)
        return _copy(keras, layer, config)

    copy = _clone(keras, model, lambda tensor: _input(keras, tensor, tensor.shape), changed)
    for layer in model.layers:
        if layer.weights:
            copy.get_layer(layer.name).set_weights(_weights(layer, layout, layout.steps[layer.name], kept))
    return copy


def _clone(keras: Any, model: Any, input_of: Callable[[Any], Any], layer_of: Callable[[Any], Any]) -> Any:
    inputs = keras.tree.map_structure(input_of, model.input)
    return keras.models.clone_model(model, input_tensors=inputs, clone_function=layer_of)


def _input(keras: Any, tensor: Any, shape: Sequence[int | None]) -> Any:
    """A new input; it has the name of the old one's layer, which becomes the input's name in the .tflite file."""
    return keras.Input(batch_shape=tuple(shape), dtype=tensor.dtype, name=tensor._keras_history.operation.name)


def _copy(keras: Any, layer: Any, config: dict[str, Any]) -> Any:
    if not isinstance(layer, keras.layers.Layer):
        return layer  # an operation of keras.ops: it has no weights
    return type(layer).from_config({**layer.get_config(), **config})


def _weights(layer: Any, layout: Layout, step: Step, kept: dict[int, list[int]]) -> list[Array]:
    """The layer's arrays, in its own order, with the channels that are kept."""
    if step.kind not in ("producer", "depthwise", "normalisation"):
        return list(layer.get_weights())
    into, out = layout.positions(step.input, kept), layout.positions(step.output, kept)
    arrays = []
    for variable, array in zip(layer.weights, layer.get_weights(), strict=True):
        if variable.name == "kernel":
            array = _take(array, into, array.ndim - 2, 0.0)
            if step.kind == "producer":
                array = _take(array, out, array.ndim - 1, 0.0)
        else:
            array = _take(array, out, 0, _NEUTRAL.get(variable.name, 0.0))
        arrays.append(array)
    return arrays


def _take(array: Array, positions: Sequence[int], axis: int, fill: float) -> Array:
    """The slices of an array at ``positions`` along an axis; a position of -1 is a slice of ``fill``."""
    padding = [(0, int(number == axis)) for number in range(array.ndim)]
    # The slice that is appended is the last one, where -1 points.
    return np.take(np.pad(array, padding, constant_values=fill), positions, axis=axis)
