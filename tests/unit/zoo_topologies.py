"""Small Keras networks, one for each way in which channels reach the layers that read them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = Any


def chain(k: Any) -> Any:
    """Convolution, depthwise-separable block, pooling, Flatten over several positions, two dense layers."""
    layers = k.layers
    return k.Sequential(
        [
            k.Input((8, 8, 2), batch_size=1, name="image"),
            layers.Conv2D(5, 3, padding="same", use_bias=False, name="first"),
            layers.BatchNormalization(name="first_bn"),
            layers.ReLU(),
            layers.DepthwiseConv2D(3, padding="same", name="depthwise"),
            layers.BatchNormalization(name="depthwise_bn"),
            layers.ReLU(6.0),
            layers.Conv2D(7, 1, activation="relu", name="pointwise"),
            layers.MaxPooling2D(2),
            layers.ZeroPadding2D(1),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(6, activation="relu", name="hidden"),
            layers.Dense(3, activation="softmax", name="classes"),
        ],
        name="chain",
    )


def residual(k: Any) -> Any:
    """Two blocks with additions, the second with a projection; the first group has three producers."""
    layers = k.layers
    image = k.Input((8, 8, 3), batch_size=1, name="image")
    value = stem = layers.Conv2D(5, 3, padding="same", activation="relu", name="stem")(image)
    for name in ("a", "b"):
        value = layers.Conv2D(6, 3, padding="same", activation="relu", name=f"{name}1")(value)
        value = layers.Conv2D(5, 3, padding="same", use_bias=False, name=f"{name}2")(value)
        value = layers.BatchNormalization(name=f"{name}_bn")(value)
        value = stem = layers.ReLU()(layers.Add()([value, stem]))
    value = layers.Conv2D(9, 3, strides=2, padding="same", name="wide")(value)
    shortcut = layers.Conv2D(9, 1, strides=2, name="projection")(stem)
    value = layers.GlobalAveragePooling2D()(layers.Add()([value, shortcut]))
    return k.Model(image, layers.Dense(4, name="classes")(value), name="residual")


def branches(k: Any) -> Any:
    """Concatenated channels, read by a depthwise convolution with multiplier 2, a convolution, and a dense layer."""
    layers = k.layers
    image = k.Input((6, 6, 2), batch_size=1, name="image")
    left = layers.Conv2D(3, 3, padding="same", activation="relu", name="left")(image)
    right = layers.Conv2D(5, 1, activation="relu", name="right")(image)
    both = layers.Concatenate()([left, right, image])
    value = layers.DepthwiseConv2D(3, depth_multiplier=2, name="double")(both)
    value = layers.BatchNormalization(name="double_bn")(value)
    value = layers.Conv2D(4, 1, activation="relu", name="mix")(layers.ReLU()(value))
    flat = layers.Concatenate()([layers.Flatten()(value), layers.Flatten()(both)])
    return k.Model(image, layers.Dense(3, name="classes")(flat), name="branches")


def gated(k: Any) -> Any:
    """Squeeze and excite: channels are multiplied by what dense layers make of their averages."""
    layers = k.layers
    image = k.Input((6, 6, 2), batch_size=1, name="image")
    value = layers.Conv2D(6, 3, activation="relu", name="features")(image)
    squeezed = layers.GlobalAveragePooling2D(keepdims=True)(value)
    gate = layers.Dense(3, activation="relu", name="squeeze")(squeezed)
    gate = layers.Dense(6, activation="sigmoid", name="excite")(gate)
    value = layers.AveragePooling2D(2)(layers.Multiply()([value, gate]))
    return k.Model(image, layers.Dense(4, name="classes")(layers.Reshape((2 * 2 * 6,))(value)), name="gated")


def series(k: Any) -> Any:
    """One dimension, an input of any batch size, two inputs and two outputs."""
    layers = k.layers
    first, second = k.Input((12, 3), name="first"), k.Input((4,), name="second")
    value = layers.Conv1D(5, 3, activation="relu", name="conv")(first)
    value = layers.Conv1D(7, 3, padding="causal", activation="tanh", name="causal")(layers.MaxPooling1D(2)(value))
    value = layers.Concatenate()([layers.GlobalMaxPooling1D()(value), layers.Dense(5, name="side")(second)])
    hidden = layers.Dense(6, activation="relu", name="hidden")(value)
    outputs = [layers.Dense(3, name="one")(hidden), layers.Dense(2, name="two")(hidden)]
    return k.Model([first, second], outputs, name="series")


TOPOLOGIES: dict[str, Callable[[Any], Any]] = {
    "chain": chain,
    "residual": residual,
    "branches": branches,
    "gated": gated,
    "series": series,
}


def randomise(model: Any, seed: int) -> None:
    """Random values for every weight, biases and normalisations too; variances are positive."""
    generator = np.random.default_rng(seed)
    for layer in model.layers:
        for variable in layer.weights:
            values = generator.normal(0.0, 0.5, variable.shape)
            variable.assign(np.abs(values) + 0.1 if variable.name == "moving_variance" else values)


def outputs(model: Any, seed: int = 0) -> list[Array]:
    """What the network makes of one random input."""
    generator = np.random.default_rng(seed)
    inputs = [generator.normal(size=(1, *tensor.shape[1:])).astype(np.float32) for tensor in model.inputs]
    found = model(inputs if len(inputs) > 1 else inputs[0], training=False)
    return [np.asarray(array) for array in (found if isinstance(found, list) else [found])]
