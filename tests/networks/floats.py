"""float32 networks."""

from __future__ import annotations

from typing import Any

from tests.networks.registry import Layers, network, sequence


@network(dtype="float32")
def float_cnn(k: Layers) -> Any:
    image = k.input(12, 12, 2)
    features = sequence(
        image,
        k.conv(6, 3, activation="relu"),
        k.layers.MaxPooling2D(2),
        k.depthwise(3, padding="same", activation="relu6"),
        k.conv(7, 1),
        k.layers.AveragePooling2D(2, padding="same"),
        k.layers.Flatten(),
    )
    return k.model(image, k.dense(5)(features))


@network(dtype="float32")
def float_dense(k: Layers) -> Any:
    vector = k.input(20)
    return k.model(
        vector,
        sequence(vector, k.dense(24, activation="relu"), k.dense(16, activation="relu6"), k.dense(3)),
    )


@network(dtype="float32")
def float_residual(k: Layers) -> Any:
    """float ADD, CONCATENATION, PAD and a MEAN of rank 4."""
    image = k.input(8, 8, 3)
    first = k.conv(6, 3, padding="same", activation="relu")(image)
    joined = k.layers.Add()([first, k.conv(6, 3, padding="same")(first)])
    padded = k.layers.ZeroPadding2D(1)(k.layers.Concatenate()([joined, image]))
    return k.model(image, sequence(padded, k.conv(8, 3, strides=2), k.layers.GlobalAveragePooling2D(keepdims=True)))


@network(dtype="float32")
def float_global_average(k: Layers) -> Any:
    """float MEAN of a rank-4 tensor without keepdims."""
    image = k.input(8, 8, 3)
    return k.model(image, sequence(image, k.conv(6, 3), k.layers.GlobalAveragePooling2D(), k.dense(3)))


@network(dtype="float32")
def float_dilated(k: Layers) -> Any:
    image = k.input(11, 10, 3)
    return k.model(
        image,
        sequence(
            image,
            k.conv(5, 3, dilation_rate=2, padding="same"),
            k.depthwise(3, dilation_rate=2, padding="same", activation="relu"),
            k.depthwise(3, dilation_rate=2),
        ),
    )


@network(dtype="float32")
def float_elementwise(k: Layers) -> Any:
    """The operators of one argument that this TFLM has."""
    vector = k.input(7)
    ops = k.keras.ops
    return k.model(
        vector,
        k.layers.Concatenate()(
            [
                ops.abs(vector),
                ops.negative(vector),
                ops.square(vector),
                ops.sqrt(ops.abs(vector)),
                ops.rsqrt(ops.abs(vector) + 0.5),
                ops.floor(3.0 * vector),
                ops.ceil(3.0 * vector),
                ops.round(3.0 * vector),
                ops.relu(vector),
                ops.relu6(8.0 * vector),
            ]
        ),
    )


@network(dtype="float32")
def float_softmax(k: Layers) -> Any:
    image = k.input(10, 10, 2)
    features = sequence(image, k.conv(6, 3, activation="relu"), k.layers.MaxPooling2D(2), k.layers.Flatten())
    return k.model(image, k.dense(40, activation="softmax")(features))


@network(dtype="float32", c_library=True)
def float_transcendental(k: Layers) -> Any:
    vector = k.input(60)
    ops = k.keras.ops
    functions = [
        ops.sin(vector),
        ops.cos(vector),
        ops.log(ops.abs(vector) + 0.5),
        ops.tanh(vector),
        ops.sigmoid(2.0 * vector),
    ]
    return k.model(vector, k.layers.Concatenate()(functions))
