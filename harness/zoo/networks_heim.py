"""The networks of Heim, Biri, Qu, Thiele, "Measuring what Really Matters: Optimizing Neural Networks for TinyML", 2021.

LeNet on MNIST digits padded to 32x32, ResNet-20, and four families of networks whose layers were timed against their
length, channels and kernel. They were measured with ``io`` float32 around int8 layers, and with one scale for all
weights of a dense layer, as TensorFlow 2.2 quantised them: CMSIS-NN has other kernels for a scale per channel.
"""

from __future__ import annotations

from typing import Any

from harness.zoo.spec import Network, Parameter, Values
from harness.zoo.training import Training

PAPER = "Heim, Biri, Qu, Thiele 2021, arXiv:2104.10645"
NO_DATA = "its layers were timed with random weights, there is nothing to learn"

WIDTH = Parameter(
    name="width", default=1.0, kind="float", minimum=0.1, maximum=4.0, help="multiplies the channels of every layer"
)


def scaled(channels: int, width: float) -> int:
    """Channels times the width multiplier, rounded to a whole number, at least 1."""
    return max(round(channels * width), 1)


def _lenet(keras: Any, values: Values, batch: int | None) -> Any:
    layers, width = keras.layers, values["width"]
    return keras.Sequential(
        [
            keras.Input((32, 32, 1), batch_size=batch, name="image"),
            layers.Conv2D(scaled(6, width), 3, activation="relu"),
            layers.AveragePooling2D(2),
            layers.Conv2D(scaled(16, width), 3, activation="relu"),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dense(scaled(120, width), activation="relu"),
            layers.Dense(scaled(84, width), activation="relu"),
            layers.Dense(10, activation="softmax"),
        ],
        name="lenet",
    )


def _resnet(keras: Any, values: Values, batch: int | None) -> Any:
    """3 stages of blocks of two convolutions; shortcuts have no weights (option A of the paper)."""
    layers = keras.layers
    stages = [scaled(channels, values["width"]) for channels in (16, 32, 64)]

    def convolution(value: Any, channels: int, stride: int) -> Any:
        value = layers.Conv2D(
            channels, 3, strides=stride, padding="same", use_bias=False, kernel_initializer="he_normal"
        )(value)
        return layers.BatchNormalization()(value)

    def shortcut(value: Any, channels: int, stride: int) -> Any:
        """The input itself, of a new stage every second pixel of it, with channels of zeros added on both sides."""
        if stride > 1:
            value = layers.AveragePooling2D(1, strides=stride)(value)
        added = channels - value.shape[-1]
        if added > 0:
            value = keras.ops.pad(value, ((0, 0), (0, 0), (0, 0), (added // 2, added - added // 2)))
        return value

    image = keras.Input((32, 32, 3), batch_size=batch, name="image")
    value = layers.ReLU()(convolution(image, stages[0], 1))
    for stage, channels in enumerate(stages):
        for block in range(values["blocks"]):
            stride = 2 if stage > 0 and block == 0 else 1
            inner = layers.ReLU()(convolution(value, channels, stride))
            inner = convolution(inner, channels, 1)
            value = layers.ReLU()(layers.Add()([inner, shortcut(value, channels, stride)]))
    value = layers.Flatten()(layers.AveragePooling2D(8)(value))
    return keras.Model(image, layers.Dense(10, activation="softmax")(value), name="resnet20")


def _dense(keras: Any, values: Values, batch: int | None) -> Any:
    layers, units = keras.layers, values["units"]
    return keras.Sequential(
        [
            keras.Input((10, 10, 1), batch_size=batch, name="image"),
            layers.Flatten(),
            *(layers.Dense(length, activation="relu") for length in (units, 450, units, 450)),
            layers.Dense(10),
        ],
        name="heim-dense",
    )


def _ending(keras: Any) -> list[Any]:
    return [keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]


def _conv(keras: Any, values: Values, batch: int | None) -> Any:
    return keras.Sequential(
        [
            keras.Input((32, 32, 1), batch_size=batch, name="image"),
            *(
                keras.layers.Conv2D(channels, values["kernel"], padding="same", activation="relu")
                for channels in (values["filters"], 60)
            ),
            *_ending(keras),
        ],
        name="heim-conv",
    )


def _depthwise(keras: Any, values: Values, batch: int | None) -> Any:
    layers, kernel = keras.layers, values["kernel"]
    return keras.Sequential(
        [
            keras.Input((24, 24, 1), batch_size=batch, name="image"),
            layers.Conv2D(values["filters"], kernel, padding="same", activation="relu"),
            layers.DepthwiseConv2D(kernel, padding="same", activation="relu"),
            *_ending(keras),
        ],
        name="heim-depthwise",
    )


def _conv_stack(keras: Any, values: Values, batch: int | None) -> Any:
    return keras.Sequential(
        [
            keras.Input((64, 64, 1), batch_size=batch, name="image"),
            *(
                keras.layers.Conv2D(values["filters"], values["kernel"], padding="same", activation="relu")
                for _ in range(4)
            ),
            *_ending(keras),
        ],
        name="heim-conv-stack",
    )


def _filters(default: int, maximum: int, what: str) -> Parameter:
    return Parameter(name="filters", default=default, kind="int", minimum=1, maximum=maximum, help=what)


def _kernel(default: int, maximum: int) -> Parameter:
    return Parameter(
        name="kernel", default=default, kind="int", minimum=1, maximum=maximum, help="height and width of each kernel"
    )


NETWORKS = (
    Network(
        name="lenet",
        title="LeNet: two convolutions, average pooling, three dense layers",
        source=PAPER,
        parameters=(WIDTH,),
        input_shape=lambda _values: (32, 32, 1),
        build=_lenet,
        dataset="mnist-5k",
        per_channel_dense=False,
        training=Training(epochs=20),
    ),
    Network(
        name="resnet20",
        title="ResNet-20 for CIFAR-10, shortcuts without weights; depth is 6 blocks + 2",
        source=f"He, Zhang, Ren, Sun 2016, arXiv:1512.03385, section 4.2; measured by {PAPER}",
        parameters=(
            WIDTH,
            Parameter(name="blocks", default=3, kind="int", minimum=1, maximum=18, help="residual blocks of a stage"),
        ),
        input_shape=lambda _values: (32, 32, 3),
        build=_resnet,
        dataset="cifar10",
        training=Training(epochs=60, batch=128, label_smoothing=0.0),
    ),
)

SWEEPS = (
    Network(
        name="heim-dense",
        title="Dense layers between lengths of UNITS and 450; measured at 440 to 499",
        source=f"{PAPER}, networks 01ec",
        parameters=(
            Parameter(
                name="units", default=450, kind="int", minimum=1, maximum=4096, help="length of the layers between"
            ),
        ),
        input_shape=lambda _values: (10, 10, 1),
        build=_dense,
        untrainable=NO_DATA,
        per_channel_dense=False,
    ),
    Network(
        name="heim-conv",
        title="A convolution of FILTERS channels, then one of 60; measured at 100 to 120, kernels 1 and 3",
        source=f"{PAPER}, networks 01dg",
        parameters=(_filters(100, 512, "channels between both convolutions"), _kernel(3, 11)),
        input_shape=lambda _values: (32, 32, 1),
        build=_conv,
        untrainable=NO_DATA,
        per_channel_dense=False,
    ),
    Network(
        name="heim-depthwise",
        title="A convolution, then a depthwise one, of FILTERS channels; measured at 100 to 120, kernels 1, 3, 5",
        source=f"{PAPER}, networks 01f",
        parameters=(_filters(100, 512, "channels of both convolutions"), _kernel(3, 11)),
        input_shape=lambda _values: (24, 24, 1),
        build=_depthwise,
        untrainable=NO_DATA,
        per_channel_dense=False,
    ),
    Network(
        name="heim-conv-stack",
        title="Four convolutions of FILTERS channels on 64x64 pixels; measured at 1 to 16, kernels 1 to 7",
        source=f"{PAPER}, networks 01de",
        parameters=(_filters(8, 128, "channels of each convolution"), _kernel(3, 11)),
        input_shape=lambda _values: (64, 64, 1),
        build=_conv_stack,
        untrainable=NO_DATA,
        per_channel_dense=False,
    ),
)
