"""Networks of a single layer, to measure what its sizes cost."""

from __future__ import annotations

from typing import Any

from harness.zoo.spec import Network, Parameter, Values

SOURCE = "this project"
UNTRAINABLE = "it is a single layer, there is nothing to learn"

_ACTIVATION = Parameter(
    name="activation", default="relu", kind="choice", choices=("relu", "none"), help="what is fused into the layer"
)
_PADDING = Parameter(
    name="padding", default="same", kind="choice", choices=("same", "valid"), help="what lies beyond the edges"
)


def _whole(name: str, default: int, maximum: int, what: str) -> Parameter:
    return Parameter(name=name, default=default, kind="int", minimum=1, maximum=maximum, help=what)


def _activation(values: Values) -> str | None:
    return None if values["activation"] == "none" else str(values["activation"])


def _single(keras: Any, name: str, shape: tuple[int, ...], batch: int | None, layer: Any) -> Any:
    return keras.Sequential([keras.Input(shape, batch_size=batch, name="values"), layer], name=name)


def _vector(values: Values) -> tuple[int, ...]:
    return (values["inputs"],)


def _image(values: Values) -> tuple[int, ...]:
    return (values["size"], values["size"], values["inputs"])


def _plane(values: Values) -> tuple[int, ...]:
    return (values["size"], values["size"], values["channels"])


def _dense(keras: Any, values: Values, batch: int | None) -> Any:
    layer = keras.layers.Dense(values["channels"], activation=_activation(values))
    return _single(keras, "dense", _vector(values), batch, layer)


def _window(values: Values) -> dict[str, Any]:
    return {
        "kernel_size": values["kernel"],
        "strides": values["stride"],
        "padding": values["padding"],
        "activation": _activation(values),
    }


def _conv(keras: Any, values: Values, batch: int | None) -> Any:
    layer = keras.layers.Conv2D(values["channels"], **_window(values))
    return _single(keras, "conv", _image(values), batch, layer)


def _depthwise(keras: Any, values: Values, batch: int | None) -> Any:
    layer = keras.layers.DepthwiseConv2D(depth_multiplier=values["multiplier"], **_window(values))
    return _single(keras, "depthwise", _plane(values), batch, layer)


_KERNEL = _whole("kernel", 3, 11, "height and width of the kernel")
_SIZE = _whole("size", 16, 256, "height and width of the input")
_STRIDE = _whole("stride", 1, 8, "step of the kernel, down and across")

NETWORKS = (
    Network(
        name="dense",
        title="One fully connected layer",
        source=SOURCE,
        parameters=(
            _whole("inputs", 64, 8192, "length of the input"),
            _whole("channels", 64, 8192, "length of the output"),
            _ACTIVATION,
        ),
        input_shape=_vector,
        build=_dense,
        untrainable=UNTRAINABLE,
    ),
    Network(
        name="conv",
        title="One convolution",
        source=SOURCE,
        parameters=(
            _SIZE,
            _whole("inputs", 16, 512, "channels of the input"),
            _whole("channels", 16, 512, "channels of the output"),
            _KERNEL,
            _STRIDE,
            _PADDING,
            _ACTIVATION,
        ),
        input_shape=_image,
        build=_conv,
        untrainable=UNTRAINABLE,
    ),
    Network(
        name="depthwise",
        title="One depthwise convolution",
        source=SOURCE,
        parameters=(
            _SIZE,
            _whole("channels", 16, 512, "channels of the input"),
            _whole("multiplier", 1, 8, "outputs of each channel"),
            _KERNEL,
            _STRIDE,
            _PADDING,
            _ACTIVATION,
        ),
        input_shape=_plane,
        build=_depthwise,
        untrainable=UNTRAINABLE,
    ),
)
