"""Checks and MACs of the operators that have weights or windows.

They take the place of the kernels' debug checks, which are compiled out, so each output shape is computed anew: a
kernel must not read or write outside of its tensors.
"""

from __future__ import annotations

from harness.operators_node import HYBRID, HYBRID_HINT, TYPE_HINTS, Node, elements, label, text
from harness.records import Tensor

ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6")
# Strides, dilations and paddings are 16-bit numbers in the kernels' parameters.
MAX_INT16 = 32767
# What TensorFlow Lite tolerates between the scales of a pooling layer's input and output.
MAX_SCALE_DIFFERENCE = 1e-6


def convolution_2d(node: Node) -> None:
    data, weights, output = node.input(0), node.input(1), node.output
    _ranks(node, data, weights)
    if weights.shape[3] != data.shape[3]:
        hint = "grouped convolutions are not supported: use groups=1" if data.shape[3] % weights.shape[3] == 0 else None
        node.fail(f"weights of {weights.shape[3]} channels for an input of {data.shape[3]}", hint)
    _types(node, data, weights)
    channels = weights.shape[0]
    _bias(node, channels)
    _scales(node, data, weights, channels, 0)
    height, width = _window(node, weights.shape[1], weights.shape[2])
    node.shape_is(output, (data.shape[0], height, width, channels))


def convolution_2d_macs(node: Node) -> int:
    """Output elements x filter height x filter width x input channels; taps on the padding count."""
    return elements(node.output.shape) * elements(node.input(1).shape[1:])


def depthwise_convolution_2d(node: Node) -> None:
    data, weights, output = node.input(0), node.input(1), node.output
    _ranks(node, data, weights)
    _types(node, data, weights)
    channels = weights.shape[3]
    if weights.shape[0] != 1:
        node.fail(f"{label(weights)} has shape {text(weights.shape)}, the first dimension must be 1")
    multiplier = node.options["depth_multiplier"]
    if multiplier < 1 or channels != data.shape[3] * multiplier:
        node.fail(f"depth multiplier {multiplier} with {data.shape[3]} input and {channels} output channels")
    _bias(node, channels)
    _scales(node, data, weights, channels, 3)
    height, width = _window(node, weights.shape[1], weights.shape[2])
    node.shape_is(output, (data.shape[0], height, width, channels))


def depthwise_convolution_2d_macs(node: Node) -> int:
    """Output elements x filter height x filter width; taps on the padding count."""
    return elements(node.output.shape) * elements(node.input(1).shape[1:3])


def fully_connected(node: Node) -> None:
    data, weights, output = node.input(0), node.input(1), node.output
    _types(node, data, weights)
    hint = "put Flatten or Reshape in front of the Dense layer"
    if node.options["keep_num_dims"]:
        node.fail(f"the input's dimensions ({text(data.shape)}) are kept, this TFLM needs 2 dimensions here", hint)
    node.rank_is(output, 2, hint)
    node.rank_is(weights, 2)
    if node.options["weights_format"] != 0:
        node.fail(f"weights in the shuffled format {node.options['weights_format']} are not supported")
    channels, depth = weights.shape
    if elements(data.shape) % depth:
        node.fail(f"{label(data)} has {elements(data.shape)} elements, no multiple of the {depth} weights a unit")
    node.shape_is(output, (elements(data.shape) // depth, channels))
    node.activation_is(*ACTIVATIONS)
    _bias(node, channels)
    _scales(node, data, weights, channels, 0)
    bias = node.optional(2)
    if data.type == "int8" and bias is not None and len(weights.scales) == 1:
        # The stock kernel refuses what deviates more, when it is prepared.
        deviation = abs(data.scales[0] * weights.scales[0] - (bias.scales or (0.0,))[0]) / output.scales[0]
        if not deviation <= 0.02:
            node.fail(f"the scale of {label(bias)} is not the product of those of input and weights")


def fully_connected_macs(node: Node) -> int:
    """Output elements x weights of a unit."""
    return elements(node.output.shape) * node.input(1).shape[1]


def pool_2d(node: Node) -> None:
    data, output = node.input(0), node.output
    node.rank_is(data, 4)
    node.type_is(output, data.type)
    height, width = _window(node, node.options["filter_height"], node.options["filter_width"])
    node.shape_is(output, (data.shape[0], height, width, data.shape[3]))
    if data.type == "int8":
        same = abs(node.scale(data) - node.scale(output)) <= MAX_SCALE_DIFFERENCE
        if not same or node.zero_point(data) != node.zero_point(output):
            node.fail("input and output have different scales or zero points, the kernel does not convert between them")


def svdf(node: Node) -> None:
    data, feature, time, state, output = node.input(0), node.input(1), node.input(2), node.input(4), node.output
    for tensor in (data, feature, time, state, output):
        node.rank_is(tensor, 2)
    quantised = data.type == "int8"
    if data.type == "float32" and feature.type == "int8":
        node.fail(HYBRID, HYBRID_HINT)
    node.type_is(feature, data.type)
    node.type_is(output, data.type)
    for tensor in (time, state):
        node.type_is(tensor, "int16" if quantised else "float32")
    filters, size = feature.shape
    memory, rank, batch = time.shape[1], node.options["rank"], data.shape[0]
    if rank < 1 or filters % rank:
        node.fail(f"rank {rank} with {filters} filters")
    node.shape_is(data, (batch, size))
    node.shape_is(time, (filters, memory))
    node.shape_is(state, (batch, memory * filters))
    node.shape_is(output, (batch, filters // rank))
    if not state.is_variable:
        node.fail(f"{label(state)} is its state, but not variable")
    _bias(node, filters // rank, position=3)
    node.activation_is(*(("RELU",) if quantised else ACTIVATIONS))
    if quantised:
        node.multiplier(node.scale(data) * node.scale(feature) / node.scale(state))
        node.multiplier(node.scale(state) * node.scale(time) / node.scale(output))


def svdf_macs(node: Node) -> int:
    """Per batch and filter: the input's length (feature) plus the memory's (time)."""
    filters, size = node.input(1).shape
    return node.input(0).shape[0] * filters * (size + node.input(2).shape[1])


def _ranks(node: Node, data: Tensor, weights: Tensor) -> None:
    node.rank_is(data, 4)
    node.rank_is(weights, 4)


def _types(node: Node, data: Tensor, weights: Tensor) -> None:
    if data.type == "float32" and weights.type == "int8":
        node.fail(HYBRID, HYBRID_HINT)
    node.type_is(weights, data.type)
    node.type_is(node.output, data.type)


def _bias(node: Node, channels: int, position: int = 2) -> None:
    bias = node.optional(position)
    if bias is None:
        return
    if bias.type == "int64":
        node.fail(f"{label(bias)} is an int64 bias (int16x8)", TYPE_HINTS["int16"])
    node.type_is(bias, "int32" if node.input(0).type == "int8" else "float32")
    node.shape_is(bias, (channels,))


def _scales(node: Node, data: Tensor, weights: Tensor, channels: int, dimension: int) -> None:
    """The weights have one scale, or one for each output channel along ``dimension``, and zero points of 0."""
    if data.type != "int8":
        return
    if len(weights.scales) not in (1, channels):
        node.fail(f"{label(weights)} has {len(weights.scales)} scales, expected 1 or {channels}")
    if len(weights.scales) > 1 and weights.quantized_dimension != dimension:
        node.fail(f"{label(weights)} has scales along dimension {weights.quantized_dimension}, expected {dimension}")
    if any(weights.zero_points):
        node.fail(
            f"{label(weights)} has a zero point other than 0, which this TFLM ignores",
            "int8 weights are symmetric: were they made at run time, or by an old converter?",
        )
    unscaled = node.scale(data) / node.scale(node.output)
    node.multiplier(unscaled * max(weights.scales))
    node.multiplier(unscaled * min(weights.scales))


def _window(node: Node, filter_height: int, filter_width: int) -> tuple[int, int]:
    """Height and width of the output of a window that slides over input 0."""
    node.activation_is(*ACTIVATIONS)
    options = node.options
    sizes = []
    for side, size, window in (
        ("h", node.input(0).shape[1], filter_height),
        ("w", node.input(0).shape[2], filter_width),
    ):
        stride, dilation = options["stride_" + side], options.get(f"dilation_{side}_factor", 1)
        for what, value in (("filter", window), ("stride", stride), ("dilation", dilation)):
            if not 0 < value <= MAX_INT16:
                node.fail(f"{what} of {value}, expected 1 to {MAX_INT16}")
        extent = (window - 1) * dilation + 1
        if extent > MAX_INT16:
            node.fail(f"a filter of {window} with dilation {dilation} spans {extent} pixels, at most {MAX_INT16}")
        if options["padding"] == "SAME":
            sizes.append(-(-size // stride))
        elif extent > size:
            node.fail(f"a filter that spans {extent} pixels does not fit an input of {size} without padding")
        else:
            sizes.append((size - extent) // stride + 1)
    return sizes[0], sizes[1]
