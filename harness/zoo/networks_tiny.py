"""The four reference networks of MLPerf Tiny: keyword spotting, anomaly detection, visual wake words, image classes.

Written after the benchmark's description; with default parameters their MACs are those of its reference models, and
dense layers have one scale for all weights, as there.
"""

from __future__ import annotations

from typing import Any

from harness.zoo.networks_heim import WIDTH, scaled
from harness.zoo.spec import Network, Parameter, Values
from harness.zoo.training import Training

PAPER = "Banbury et al. 2021, MLPerf Tiny Benchmark, arXiv:2106.07597"


def _normalised(keras: Any, layer: Any) -> list[Any]:
    return [layer, keras.layers.BatchNormalization(), keras.layers.ReLU()]


def _separable(keras: Any, channels: int, stride: int = 1) -> list[Any]:
    """A depthwise convolution of 3x3, then a pointwise one to ``channels``."""
    layers = keras.layers
    depthwise = layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)
    pointwise = layers.Conv2D(channels, 1, use_bias=False)
    return [*_normalised(keras, depthwise), *_normalised(keras, pointwise)]


def _kws(keras: Any, values: Values, batch: int | None) -> Any:
    layers, channels = keras.layers, scaled(64, values["width"])
    first = layers.Conv2D(channels, (10, 4), strides=2, padding="same", use_bias=False)
    return keras.Sequential(
        [
            keras.Input((49, 10, 1), batch_size=batch, name="mfcc"),
            *_normalised(keras, first),
            *(layer for _ in range(values["blocks"]) for layer in _separable(keras, channels)),
            layers.AveragePooling2D((25, 5)),
            layers.Flatten(),
            layers.Dense(12, activation="softmax"),
        ],
        name="kws",
    )


def _ad(keras: Any, values: Values, batch: int | None) -> Any:
    layers, hidden = keras.layers, scaled(128, values["width"])
    side = [hidden] * values["depth"]
    return keras.Sequential(
        [
            keras.Input((640,), batch_size=batch, name="spectrum"),
            *(
                layer
                for units in (*side, 8, *side)
                for layer in _normalised(keras, layers.Dense(units, use_bias=False))
            ),
            layers.Dense(640),
        ],
        name="ad",
    )


# Channels and stride of MobileNetV1's separable blocks at width 1.
_MOBILENET = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))


def _vww(keras: Any, values: Values, batch: int | None) -> Any:
    layers, width, size = keras.layers, values["width"], values["size"]
    first = layers.Conv2D(scaled(32, width), 3, strides=2, padding="same", use_bias=False)
    return keras.Sequential(
        [
            keras.Input((size, size, 3), batch_size=batch, name="image"),
            *_normalised(keras, first),
            *(layer for channels, stride in _MOBILENET for layer in _separable(keras, scaled(channels, width), stride)),
            layers.AveragePooling2D(size // 32),
            layers.Flatten(),
            layers.Dense(2, activation="softmax"),
        ],
        name="vww",
    )


def _ic(keras: Any, values: Values, batch: int | None) -> Any:
    """Three stages; where a stage begins with a stride, a convolution of 1x1 carries the shortcut."""
    layers = keras.layers

    def convolution(value: Any, channels: int, stride: int) -> Any:
        value = layers.Conv2D(channels, 3, strides=stride, padding="same", kernel_initializer="he_normal")(value)
        return layers.BatchNormalization()(value)

    image = keras.Input((32, 32, 3), batch_size=batch, name="image")
    stages = [scaled(channels, values["width"]) for channels in (16, 32, 64)]
    value = layers.ReLU()(convolution(image, stages[0], 1))
    for stage, channels in enumerate(stages):
        for block in range(values["blocks"]):
            stride = 2 if stage > 0 and block == 0 else 1
            inner = layers.ReLU()(convolution(value, channels, stride))
            inner = convolution(inner, channels, 1)
            if stride > 1:
                value = layers.Conv2D(channels, 1, strides=stride, kernel_initializer="he_normal")(value)
            value = layers.ReLU()(layers.Add()([value, inner]))
    value = layers.Flatten()(layers.AveragePooling2D(8)(value))
    return keras.Model(image, layers.Dense(10, activation="softmax")(value), name="ic")


def _blocks(default: int, maximum: int, what: str) -> Parameter:
    return Parameter(name="blocks", default=default, kind="int", minimum=1, maximum=maximum, help=what)


NETWORKS = (
    Network(
        name="kws",
        title="Keyword spotting: depthwise-separable CNN on 49x10 spectral features",
        source=PAPER,
        parameters=(WIDTH, _blocks(4, 16, "depthwise-separable blocks")),
        input_shape=lambda _values: (49, 10, 1),
        build=_kws,
        per_channel_dense=False,
        untrainable="its data (Speech Commands) comes with no package",
    ),
    Network(
        name="ad",
        title="Anomaly detection: dense autoencoder of 640 features",
        source=PAPER,
        parameters=(
            WIDTH,
            Parameter(
                name="depth", default=4, kind="int", minimum=1, maximum=16, help="layers on each side of the narrowest"
            ),
        ),
        input_shape=lambda _values: (640,),
        build=_ad,
        per_channel_dense=False,
        untrainable="its data (ToyADMOS) comes with no package",
    ),
    Network(
        name="vww",
        title="Visual wake words: MobileNetV1",
        source=PAPER,
        parameters=(
            Parameter(name="width", default=0.25, kind="float", minimum=0.05, maximum=1.0, help=WIDTH.help),
            Parameter(
                name="size", default=96, kind="int", minimum=32, maximum=224, help="height and width of the image"
            ),
        ),
        input_shape=lambda values: (values["size"], values["size"], 3),
        build=_vww,
        per_channel_dense=False,
        untrainable="its data (COCO) comes with no package",
    ),
    Network(
        name="ic",
        title="Image classification: ResNet-8 for CIFAR-10",
        source=PAPER,
        parameters=(WIDTH, _blocks(1, 8, "residual blocks of a stage")),
        input_shape=lambda _values: (32, 32, 3),
        build=_ic,
        per_channel_dense=False,
        dataset="cifar10",
        training=Training(epochs=60, batch=128, label_smoothing=0.0),
    ),
)
