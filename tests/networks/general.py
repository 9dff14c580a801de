"""Other int8 networks: fully connected, activations, element-wise operators, several inputs, float32 ends."""

from __future__ import annotations

from typing import Any

from tests.networks.registry import Layers, network, sequence


@network()
def dense_chain(k: Layers) -> Any:
    """Per-channel fully connected layers, the converter's default."""
    vector = k.input(33)
    return k.model(
        vector,
        sequence(
            vector, k.dense(40, activation="relu"), k.dense(24, activation="relu"), k.dense(7), k.layers.Softmax()
        ),
    )


@network()
def dense_autoencoder(k: Layers) -> Any:
    """Fully connected with batch normalisation, as the anomaly detector of MLPerf Tiny."""
    vector = k.input(64)
    value = vector
    for units in (32, 8, 32):
        value = sequence(value, k.dense(units), k.layers.BatchNormalization(), k.layers.ReLU())
    return k.model(vector, k.dense(64)(value))


@network()
def sigmoid(k: Layers) -> Any:
    vector = k.input(20)
    return k.model(vector, sequence(vector, k.dense(24, activation="sigmoid"), k.dense(9, activation="sigmoid")))


@network()
def tanh(k: Layers) -> Any:
    vector = k.input(20)
    return k.model(vector, sequence(vector, k.dense(24, activation="tanh"), k.dense(9, activation="tanh")))


@network()
def softmax_rows(k: Layers) -> Any:
    """A softmax over each of several rows."""
    image = k.input(6, 6, 3)
    return k.model(image, sequence(image, k.conv(5, 3), k.layers.Softmax()))


@network(io="float32")
def float_io(k: Layers) -> Any:
    """An int8 network with float32 input and output: QUANTIZE and DEQUANTIZE."""
    image = k.input(10, 10, 2)
    features = sequence(image, k.conv(6, 3, activation="relu"), k.layers.MaxPooling2D(2), k.layers.Flatten())
    return k.model(image, k.dense(5, activation="softmax")(features))


@network()
def two_inputs(k: Layers) -> Any:
    """An image and a vector; the converter orders inputs by its own rule."""
    image, vector = k.input(8, 8, 2, name="image"), k.input(6, name="vector")
    features = sequence(image, k.conv(4, 3, activation="relu"), k.layers.Flatten())
    joined = k.layers.Concatenate()([features, k.dense(8, activation="relu")(vector)])
    return k.model([image, vector], k.dense(5)(joined))


@network()
def two_outputs(k: Layers) -> Any:
    """A class and a position from shared features."""
    image = k.input(10, 10, 2)
    features = sequence(image, k.conv(6, 3, strides=2, activation="relu"), k.layers.Flatten())
    return k.model(image, [k.dense(5, activation="softmax")(features), k.dense(2)(features)])


@network()
def subtraction(k: Layers) -> Any:
    first, second = k.input(6, 5, 3, name="first"), k.input(6, 5, 3, name="second")
    return k.model([first, second], k.layers.Subtract()([k.conv(4, 1)(first), k.conv(4, 1)(second)]))


@network()
def extrema(k: Layers) -> Any:
    """MAXIMUM and MINIMUM."""
    first, second = k.input(6, 5, 3, name="first"), k.input(6, 5, 3, name="second")
    pair = [k.conv(4, 1)(first), k.conv(4, 1)(second)]
    return k.model([first, second], k.layers.Concatenate()([k.layers.Maximum()(pair), k.layers.Minimum()(pair)]))


@network()
def reshapes(k: Layers) -> Any:
    """RESHAPE between ranks 2, 3 and 4."""
    vector = k.input(48)
    features = sequence(
        vector,
        k.layers.Reshape((4, 4, 3)),
        k.conv(6, 2, activation="relu"),
        k.layers.Reshape((9, 6)),
        k.layers.Reshape((-1,)),
        k.dense(12),
        k.layers.Reshape((3, 4)),
    )
    return k.model(vector, features)


@network()
def cropping(k: Layers) -> Any:
    """STRIDED_SLICE of an int8 tensor."""
    image = k.input(10, 9, 3)
    return k.model(image, sequence(image, k.layers.Cropping2D(((1, 2), (0, 3))), k.conv(5, 3)))


@network()
def slicing(k: Layers) -> Any:
    """STRIDED_SLICE with strides over one."""
    image = k.input(9, 8, 3)
    return k.model(image, k.conv(4, 1)(k.conv(6, 3)(image)[:, 1:6:2, ::2, :5]))


@network()
def stacking(k: Layers) -> Any:
    """UNPACK of rows and PACK of results."""
    rows = k.input(3, 8)
    first, second, third = k.keras.ops.unstack(rows, axis=1)
    results = [k.dense(5, activation="relu")(first), k.dense(5)(second), k.dense(5, activation="relu6")(third)]
    return k.model(rows, k.dense(4)(k.layers.Flatten()(k.keras.ops.stack(results, axis=1))))


@network()
def recurrent_unrolled(k: Layers) -> Any:
    """Three steps of a simple recurrent layer as fully connected layers, ADD and TANH."""
    rows = k.input(3, 5)
    return k.model(rows, k.dense(4)(k.layers.SimpleRNN(6, unroll=True)(rows)))


@network()
def negation(k: Layers) -> Any:
    """A float32 operator inside an int8 network, between DEQUANTIZE and QUANTIZE."""
    vector = k.input(12)
    return k.model(vector, k.dense(3)(k.keras.ops.negative(k.dense(8)(vector))))


@network()
def comparison(k: Layers) -> Any:
    """A bool output."""
    vector = k.input(12)
    return k.model(vector, k.keras.ops.greater(k.dense(9)(vector), 0.1))


@network()
def int8_mean_of_rank_3(k: Layers) -> Any:
    signal = k.input(20, 3)
    return k.model(signal, sequence(signal, k.conv1d(8, 5), k.layers.GlobalAveragePooling1D(), k.dense(4)))


@network()
def mean_of_channels(k: Layers) -> Any:
    image = k.input(8, 6, 3)
    return k.model(image, k.keras.ops.mean(k.conv(6, 3)(image), axis=-1))


@network()
def mean_of_rows_and_channels(k: Layers) -> Any:
    image = k.input(8, 6, 3)
    return k.model(image, k.keras.ops.mean(k.conv(6, 3)(image), axis=(1, 3)))


@network()
def requantised_branches(k: Layers) -> Any:
    """Branches of different scales that meet: the converter puts a QUANTIZE from int8 to int8 in front."""
    image = k.input(8, 8, 2)
    gate = k.conv(4, 3, activation="sigmoid")(image)
    signal = k.conv(4, 3, activation="relu")(image)
    joined = k.layers.Concatenate()([gate, signal])
    return k.model(image, sequence(joined, k.layers.Flatten(), k.dense(5)))
