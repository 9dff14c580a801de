"""int8 convolutional networks: padding, strides, dilation, pooling, residuals, odd channel counts."""

from __future__ import annotations

from typing import Any

from tests.networks.registry import Layers, network, sequence


@network()
def plain_cnn(k: Layers) -> Any:
    image = k.input(16, 16, 3)
    features = sequence(
        image,
        k.conv(8, 3, activation="relu"),
        k.layers.MaxPooling2D(2),
        k.conv(16, 3, padding="same", activation="relu"),
        k.layers.MaxPooling2D(2),
        k.layers.Flatten(),
    )
    return k.model(image, k.dense(10, activation="softmax")(features))


@network()
def lenet(k: Layers) -> Any:
    image = k.input(28, 28, 1)
    features = sequence(
        image,
        k.conv(6, 5, activation="tanh"),
        k.layers.AveragePooling2D(2),
        k.conv(16, 5, activation="tanh"),
        k.layers.AveragePooling2D(2),
        k.layers.Flatten(),
        k.dense(60, activation="tanh"),
        k.dense(42, activation="tanh"),
    )
    return k.model(image, k.dense(10, activation="softmax")(features))


@network()
def residual(k: Layers) -> Any:
    """Three blocks; ADD of two ReLU outputs (zero point -128) and of a strided 1x1 shortcut."""
    image = k.input(12, 12, 3)
    first = k.conv(8, 3, padding="same", activation="relu")(image)
    second = sequence(
        first, k.conv(8, 3, padding="same", activation="relu"), k.conv(8, 3, padding="same", activation="relu")
    )
    joined = k.layers.Add()([first, second])
    main = sequence(joined, k.conv(12, 3, strides=2, padding="same", activation="relu"), k.conv(12, 3, padding="same"))
    third = k.layers.ReLU()(k.layers.Add()([main, k.conv(12, 1, strides=2, padding="same")(joined)]))
    return k.model(image, sequence(third, k.layers.AveragePooling2D(6), k.layers.Flatten(), k.dense(6)))


@network()
def mobilenet(k: Layers) -> Any:
    """Depthwise-separable blocks with stride 2 and SAME padding on even and odd sizes."""
    image = k.input(22, 22, 3)
    features = k.conv(8, 3, strides=2, padding="same", activation="relu")(image)
    for channels, stride in ((12, 1), (16, 2), (24, 2)):
        features = sequence(
            features,
            k.depthwise(3, strides=stride, padding="same", use_bias=False),
            k.layers.BatchNormalization(),
            k.layers.ReLU(),
            k.conv(channels, 1, activation="relu"),
        )
    return k.model(image, sequence(features, k.layers.GlobalAveragePooling2D(), k.dense(5)))


@network()
def depth_multiplier(k: Layers) -> Any:
    image = k.input(10, 8, 3)
    features = sequence(
        image,
        k.depthwise(3, depth_multiplier=2, padding="same", activation="relu"),
        k.depthwise((3, 2), depth_multiplier=2, strides=2, activation="relu"),
        k.layers.Flatten(),
    )
    return k.model(image, k.dense(4)(features))


@network()
def depth_multiplier_one_channel(k: Layers) -> Any:
    """A convolution of one channel as a depthwise one, as in keyword spotters."""
    image = k.input(20, 10, 1)
    features = sequence(
        image,
        k.depthwise((8, 4), depth_multiplier=8, strides=2, padding="same", activation="relu"),
        k.layers.Flatten(),
    )
    return k.model(image, k.dense(4, activation="softmax")(features))


@network()
def global_average(k: Layers) -> Any:
    """int8 MEAN without keepdims."""
    image = k.input(9, 7, 4)
    features = sequence(image, k.conv(12, 3, activation="relu"), k.layers.GlobalAveragePooling2D())
    return k.model(image, k.dense(6)(features))


@network()
def global_average_keepdims(k: Layers) -> Any:
    """int8 MEAN with keepdims, then a 1x1 convolution as the classifier and a softmax over rank 4."""
    image = k.input(9, 7, 4)
    features = sequence(
        image, k.conv(12, 3, activation="relu"), k.layers.GlobalAveragePooling2D(keepdims=True), k.conv(6, 1)
    )
    return k.model(image, k.layers.Softmax()(features))


@network()
def dilated_valid(k: Layers) -> Any:
    image = k.input(14, 12, 3)
    return k.model(
        image, sequence(image, k.conv(6, 3, dilation_rate=2, activation="relu"), k.conv(5, 3, dilation_rate=(1, 2)))
    )


@network()
def dilated_same(k: Layers) -> Any:
    image = k.input(11, 12, 3)
    return k.model(
        image,
        sequence(
            image,
            k.conv(6, 3, dilation_rate=2, padding="same", activation="relu"),
            k.conv(5, 3, dilation_rate=3, padding="same"),
        ),
    )


@network()
def dilated_depthwise_valid(k: Layers) -> Any:
    image = k.input(12, 12, 5)
    return k.model(image, sequence(image, k.depthwise(3, dilation_rate=2, activation="relu"), k.conv(4, 1)))


@network()
def dilated_depthwise_same(k: Layers) -> Any:
    image = k.input(11, 12, 5)
    return k.model(
        image,
        sequence(image, k.depthwise(3, dilation_rate=2, padding="same", activation="relu"), k.conv(4, 1)),
    )


@network()
def conv1d(k: Layers) -> Any:
    """Becomes RESHAPE and CONV_2D over a height of 1."""
    signal = k.input(40, 3)
    features = sequence(
        signal,
        k.conv1d(8, 5, activation="relu"),
        k.layers.MaxPooling1D(2),
        k.conv1d(12, 3, strides=2, padding="same", activation="relu"),
        k.layers.AveragePooling1D(3),
        k.layers.Flatten(),
    )
    return k.model(signal, k.dense(4, activation="softmax")(features))


@network()
def conv1d_dilated(k: Layers) -> Any:
    signal = k.input(32, 4)
    features = sequence(
        signal,
        k.conv1d(8, 3, dilation_rate=2, activation="relu"),
        k.conv1d(8, 3, dilation_rate=4, padding="same", activation="relu"),
        k.layers.Flatten(),
    )
    return k.model(signal, k.dense(4)(features))


@network()
def bias_free(k: Layers) -> Any:
    image = k.input(10, 10, 3)
    features = sequence(
        image,
        k.conv(8, 3, use_bias=False, activation="relu"),
        k.depthwise(3, use_bias=False, activation="relu"),
        k.layers.Flatten(),
        k.dense(12, use_bias=False, activation="relu"),
    )
    return k.model(image, k.dense(5, use_bias=False)(features))


@network()
def pooling_same(k: Layers) -> Any:
    """Max and average pooling with SAME padding on odd sizes, overlapping windows, unequal strides."""
    image = k.input(11, 9, 5)
    features = sequence(
        image,
        k.layers.MaxPooling2D(3, strides=2, padding="same"),
        k.conv(6, 3, padding="same", activation="relu"),
        k.layers.AveragePooling2D(3, strides=(2, 1), padding="same"),
        k.conv(5, 1),
        k.layers.AveragePooling2D((2, 3), strides=1, padding="same"),
    )
    return k.model(image, features)


@network()
def odd_channels(k: Layers) -> Any:
    """Channel counts that no vector width divides."""
    image = k.input(9, 9, 5)
    features = sequence(
        image,
        k.conv(7, 3, activation="relu"),
        k.depthwise(3, padding="same", activation="relu"),
        k.conv(11, 1, activation="relu"),
        k.conv(13, (3, 1), activation="relu"),
        k.layers.Flatten(),
        k.dense(17, activation="relu"),
    )
    return k.model(image, k.dense(3)(features))


@network()
def concatenation(k: Layers) -> Any:
    """An inception block: branches of different scales joined along the channels."""
    image = k.input(10, 10, 3)
    branches = [
        k.conv(4, 1, activation="relu")(image),
        k.conv(6, 3, padding="same", activation="relu")(image),
        k.layers.MaxPooling2D(3, strides=1, padding="same")(image),
        k.conv(5, 5, padding="same")(image),
    ]
    return k.model(image, sequence(k.layers.Concatenate()(branches), k.conv(6, 3, strides=2)))


@network()
def padding(k: Layers) -> Any:
    """PAD before strided convolutions, as in MobileNet and ResNet."""
    image = k.input(12, 12, 3)
    features = sequence(
        image,
        k.layers.ZeroPadding2D(((0, 1), (0, 1))),
        k.conv(8, 3, strides=2, activation="relu"),
        k.layers.ZeroPadding2D((1, 2)),
        k.depthwise(3, strides=2),
    )
    return k.model(image, features)


@network()
def relu6(k: Layers) -> Any:
    image = k.input(10, 10, 3)
    features = sequence(
        image,
        k.conv(8, 3, use_bias=False),
        k.layers.BatchNormalization(gamma_initializer=k.keras.initializers.Constant(3.0)),
        k.layers.ReLU(6.0),
        k.depthwise(3, padding="same", activation="relu6"),
        k.layers.Flatten(),
        k.dense(12, activation="relu6"),
    )
    return k.model(image, k.dense(4)(features))


@network()
def standalone_relu(k: Layers) -> Any:
    """RELU and RELU6 that nothing can fuse, because their input is read twice."""
    image = k.input(8, 8, 3)
    value = k.conv(6, 3)(image)
    return k.model(image, k.layers.Concatenate()([value, k.layers.ReLU()(value), k.layers.ReLU(6.0)(value)]))


@network()
def wide_kernel(k: Layers) -> Any:
    """Kernels as large as the image, unequal strides, one output channel."""
    image = k.input(9, 12, 2)
    return k.model(image, sequence(image, k.conv(9, (9, 3), strides=(1, 2), activation="relu"), k.conv(1, (1, 3))))


@network()
def squeeze_excite(k: Layers) -> Any:
    """Channels scaled by a gate: MUL with a broadcast operand."""
    image = k.input(8, 8, 3)
    value = k.conv(8, 3, activation="relu")(image)
    gate = sequence(
        value,
        k.layers.GlobalAveragePooling2D(keepdims=True),
        k.conv(4, 1, activation="relu"),
        k.conv(8, 1, activation="sigmoid"),
    )
    return k.model(image, k.conv(4, 3)(k.layers.Multiply()([value, gate])))


@network()
def swish(k: Layers) -> Any:
    """LOGISTIC and MUL, as in EfficientNet."""
    image = k.input(8, 8, 3)
    return k.model(image, sequence(image, k.conv(7, 3, activation="swish"), k.conv(4, 1, activation="swish")))


@network()
def prelu(k: Layers) -> Any:
    image = k.input(8, 8, 3)
    return k.model(image, sequence(image, k.conv(6, 3), k.layers.PReLU(k.normal(), shared_axes=[1, 2]), k.conv(3, 1)))


@network()
def rescaled_input(k: Layers) -> Any:
    """MUL and ADD with scalar operands."""
    image = k.input(8, 8, 3)
    return k.model(image, sequence(image, k.layers.Rescaling(2.0, -0.5), k.layers.ReLU(), k.conv(5, 3)))


@network()
def clipping(k: Layers) -> Any:
    """MINIMUM and MAXIMUM with scalar operands."""
    image = k.input(8, 8, 3)
    return k.model(image, k.keras.ops.clip(k.conv(5, 3)(image), -1.0, 1.5))


@network()
def splitting(k: Layers) -> Any:
    """Channels split into three, each convolved, joined again in another order."""
    image = k.input(8, 8, 3)
    parts = k.keras.ops.split(k.conv(6, 3)(image), 3, axis=-1)
    convolved = [k.conv(channels, 1, activation="relu")(part) for channels, part in zip((3, 2, 4), parts, strict=True)]
    return k.model(image, k.conv(4, 1)(k.layers.Concatenate()(convolved[::-1])))


@network()
def normalised_input(k: Layers) -> Any:
    """Batch normalisation of the input: MUL and ADD with constant per-channel operands."""
    image = k.input(8, 8, 3)
    return k.model(
        image,
        sequence(
            image,
            k.layers.BatchNormalization(gamma_initializer=k.normal(), beta_initializer=k.normal()),
            k.layers.ReLU(),
            k.conv(5, 3),
        ),
    )
