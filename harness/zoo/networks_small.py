"""Small networks for the data that comes with packages: handwritten digits, and motion of the wrist."""

from __future__ import annotations

from typing import Any

from harness.zoo import digits
from harness.zoo.networks_heim import WIDTH, scaled
from harness.zoo.spec import Network, Values
from harness.zoo.training import Training


def _digits(keras: Any, _values: Values, batch: int | None) -> Any:
    return digits.build(keras, batch)


def _wrist(keras: Any, values: Values, batch: int | None) -> Any:
    layers, width = keras.layers, values["width"]

    def block(channels: int, size: int) -> list[Any]:
        convolution = layers.Conv1D(
            scaled(channels, width), size, padding="same", use_bias=False, kernel_initializer="he_uniform"
        )
        return [convolution, layers.BatchNormalization(), layers.ReLU(), layers.MaxPooling1D(4)]

    return keras.Sequential(
        [
            keras.Input((128, 6), batch_size=batch, name="motion"),
            *block(16, 5),
            *block(24, 5),
            *block(32, 3),
            layers.Flatten(),
            layers.Dense(7, activation="softmax"),
        ],
        name="wrist",
    )


NETWORKS = (
    Network(
        name="digits",
        title="Handwritten digits of 8x8 pixels: the network that is shipped",
        source="this project",
        parameters=(),
        input_shape=lambda _values: (8, 8, 1),
        build=_digits,
        dataset="digits",
        training=Training(
            epochs=digits.EPOCHS,
            batch=digits.BATCH,
            learning_rate=digits.LEARNING_RATE,
            label_smoothing=digits.LABEL_SMOOTHING,
        ),
    ),
    Network(
        name="wrist",
        title="Exercises from six axes of a wrist's motion: 1-D convolutions on windows of 128 samples",
        source="this project",
        parameters=(WIDTH,),
        input_shape=lambda _values: (128, 6),
        build=_wrist,
        dataset="wrist",
        training=Training(epochs=12, batch=64),
    ),
)
