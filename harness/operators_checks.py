"""Checks of the operators that have neither weights nor windows; see operators_layers for their purpose."""

from __future__ import annotations

from collections.abc import Sequence

from harness.operators_layers import ACTIVATIONS
from harness.operators_node import Node, elements, label, text
from harness.records import Tensor

# Numbers of element types in options; old converters left this one out.
_UNSET, _INT32 = 0, 2
# What this TFLM's options of RESHAPE hold.
_MAX_NEW_SHAPE = 8
_MAX_COUNT = 2**31 - 1


def same_shape(node: Node) -> None:
    """One input, one output of its type and shape."""
    node.type_is(node.output, node.input(0).type)
    node.shape_is(node.output, node.input(0).shape)


def relu(node: Node) -> None:
    same_shape(node)
    data = node.input(0)
    if data.type == "int8" and (data.scales, data.zero_points) != (node.output.scales, node.output.zero_points):
        node.fail(
            "input and output have different scales or zero points, this TFLM does not convert between them",
            "fuse the activation into the layer before it",
        )


def logistic(node: Node) -> None:
    same_shape(node)
    _saturating(node, 1.0 / 256.0, -128)


def tanh(node: Node) -> None:
    same_shape(node)
    _saturating(node, 1.0 / 128.0, 0)


def softmax(node: Node) -> None:
    same_shape(node)
    data, beta = node.input(0), node.options["beta"]
    if not data.shape:
        node.fail(f"{label(data)} is a scalar")
    if not 0.0 < beta < float("inf"):
        node.fail(f"beta of {beta:g}")
    if data.type == "int8":
        node.quantization_is(node.output, 1.0 / 256.0, -128)
        # Five integer bits; the kernel stops the firmware unless its multiplier exceeds 1.
        if not beta * node.scale(data) * (1 << 26) > 1.0:
            node.fail(f"beta {beta:g} and input scale {node.scale(data):.3g} are too small")


def l2_normalization(node: Node) -> None:
    same_shape(node)
    if not node.input(0).shape:
        node.fail(f"{label(node.input(0))} is a scalar")
    node.activation_is("NONE")
    if node.input(0).type == "int8":
        node.quantization_is(node.output, 1.0 / 128.0, 0)


def add_or_subtract(node: Node) -> None:
    _broadcast(node)
    node.type_is(node.output, node.input(0).type)
    node.activation_is(*ACTIVATIONS)
    if node.input(0).type == "int8":
        largest = max(node.scale(node.input(0)), node.scale(node.input(1)))
        # The kernels add at 20 extra bits; multipliers of 1 or more, or of 0, stop the firmware.
        if not 2.0**-31 < 2.0 * largest / (2.0**20 * node.scale(node.output)) < 1.0:
            node.fail(f"output scale {node.scale(node.output):.3g} against an input scale of {largest:.3g}")


def multiply(node: Node) -> None:
    _broadcast(node)
    node.type_is(node.output, node.input(0).type)
    node.activation_is(*ACTIVATIONS)
    if node.input(0).type == "int8":
        node.multiplier(node.scale(node.input(0)) * node.scale(node.input(1)) / node.scale(node.output))


def maximum_or_minimum(node: Node) -> None:
    _broadcast(node)
    node.type_is(node.output, node.input(0).type)


def compare(node: Node) -> None:
    _broadcast(node)
    node.type_is(node.output, "bool")
    if node.input(0).type == "int8":
        for tensor in (node.input(0), node.input(1)):
            # The scale itself is the multiplier; 1 or more stops the firmware.
            if node.scale(tensor) >= 1.0:
                node.fail(f"{label(tensor)} has a scale of {node.scale(tensor):.3g}, this TFLM needs less than 1")


def logical(node: Node) -> None:
    _broadcast(node)
    node.type_is(node.output, "bool")


def prelu(node: Node) -> None:
    _broadcast(node)
    data, alpha = node.input(0), node.input(1)
    node.type_is(node.output, data.type)
    node.shape_is(node.output, data.shape)
    if data.type == "int8":
        node.multiplier(node.scale(data) / node.scale(node.output))
        node.multiplier(node.scale(data) * node.scale(alpha) / node.scale(node.output))


def arg_min_or_max(node: Node) -> None:
    data, output = node.input(0), node.output
    (axis,) = node.integers(1, "axis", 1)
    axis = node.axis(axis, len(data.shape))
    node.type_is(output, "int32")
    if node.options.get("output_type", _INT32) not in (_UNSET, _INT32):
        node.fail(f"its options want an output of type {node.options['output_type']}, this TFLM writes int32")
    node.shape_is(output, data.shape[:axis] + data.shape[axis + 1 :])


def quantize(node: Node) -> None:
    data = node.input(0)
    node.type_is(node.output, "int8")
    node.shape_is(node.output, data.shape)
    if data.type == "int8":
        node.multiplier(node.scale(data) / node.scale(node.output))


def dequantize(node: Node) -> None:
    data = node.input(0)
    node.type_is(node.output, "float32")
    node.shape_is(node.output, data.shape)


def mean(node: Node) -> None:
    data, output = node.input(0), node.output
    node.type_is(output, data.type)
    axes = node.integers(1, "axes")
    rank = len(data.shape)
    if data.type == "int8":
        # The own kernel: any axes of up to four, summed up in 32 bits.
        axes = tuple(node.axis(axis, rank) for axis in axes)
        if rank > 4:
            node.fail(f"mean of {text(data.shape)}, at most 4 dimensions are supported")
        count = elements([size for axis, size in enumerate(data.shape) if axis in axes])
        if count > _MAX_COUNT >> 8:
            node.fail(f"mean of {count} elements, at most {_MAX_COUNT >> 8} are supported")
        node.multiplier(node.scale(data) / node.scale(output))
    elif rank != 4 or sorted(axes) != [1, 2]:
        node.fail(
            f"mean of {text(data.shape)} over axes {list(axes)}, this TFLM needs 4 dimensions and axes [1, 2]",
            "use GlobalAveragePooling2D (reshape to 1 x 1 x length x channels for one dimension)",
        )
    keep = node.options["keep_dims"]
    node.shape_is(
        output, [1 if axis in axes else size for axis, size in enumerate(data.shape) if keep or axis not in axes]
    )


def reshape(node: Node) -> None:
    data, output = node.input(0), node.output
    node.type_is(output, data.type)
    if elements(data.shape) != elements(output.shape):
        node.fail(f"from {text(data.shape)} to {text(output.shape)}: different numbers of elements")
    if len(node.options.get("new_shape") or ()) > _MAX_NEW_SHAPE:
        node.fail(
            f"its options name {len(node.options['new_shape'])} dimensions, at most {_MAX_NEW_SHAPE} are possible"
        )


def concatenation(node: Node) -> None:
    output = node.output
    node.activation_is("NONE")
    if not 1 <= len(output.shape) <= 4:
        node.fail(f"{label(output)} has shape {text(output.shape)}, this TFLM needs 1 to 4 dimensions here")
    axis = node.axis(node.options["axis"], len(output.shape))
    total = 0
    for position in range(len(node.inputs)):
        part = node.input(position)
        node.type_is(part, output.type)
        if len(part.shape) != len(output.shape):
            node.fail(f"{label(part)} has shape {text(part.shape)}, {label(output)} has {text(output.shape)}")
        node.shape_is(part, _with(output.shape, axis, part.shape[axis]))
        total += part.shape[axis]
        if output.type == "int8" and (part.scales, part.zero_points) != (output.scales, output.zero_points):
            node.fail(f"{label(part)} and {label(output)} have different scales or zero points")
    if total != output.shape[axis]:
        node.fail(f"its inputs have {total} elements along axis {axis}, its output {output.shape[axis]}")


def split(node: Node) -> None:
    (axis,) = node.integers(0, "axis", 1)
    data = node.input(1)
    node.type_is(data, "float32", "int8", "int32")
    axis = node.axis(axis, len(data.shape))
    parts = len(node.outputs)
    if node.options.get("num_splits", parts) != parts or data.shape[axis] % parts:
        node.fail(f"{label(data)} of shape {text(data.shape)} into {parts} outputs along axis {axis}")
    for output in node.outputs:
        node.type_is(output, data.type)
        node.shape_is(output, _with(data.shape, axis, data.shape[axis] // parts))


def pack(node: Node) -> None:
    output, count = node.output, len(node.inputs)
    if node.options["values_count"] != count:
        node.fail(f"{count} inputs, but its options say {node.options['values_count']}")
    axis = node.axis(node.options["axis"], len(output.shape))
    if output.shape[axis] != count:
        node.fail(f"{count} inputs, but {label(output)} has {output.shape[axis]} elements along axis {axis}")
    for position in range(count):
        node.type_is(node.input(position), output.type)
        node.shape_is(node.input(position), output.shape[:axis] + output.shape[axis + 1 :])


def unpack(node: Node) -> None:
    data, count = node.input(0), len(node.outputs)
    axis = node.axis(node.options["axis"], len(data.shape))
    if node.options["num"] != count or data.shape[axis] != count:
        node.fail(
            f"{count} outputs from {data.shape[axis]} elements along axis {axis} (options: {node.options['num']})"
        )
    for output in node.outputs:
        node.type_is(output, data.type)
        node.shape_is(output, data.shape[:axis] + data.shape[axis + 1 :])


def pad(node: Node) -> None:
    data, output = node.input(0), node.output
    rank = len(data.shape)
    if not 1 <= rank <= 4:
        node.fail(f"{label(data)} has shape {text(data.shape)}, this TFLM needs 1 to 4 dimensions here")
    amounts = node.integers(1, "paddings", 2 * rank)
    if min(amounts) < 0:
        node.fail(f"negative paddings {list(amounts)}")
    node.type_is(output, data.type)
    node.shape_is(output, [size + sum(amounts[2 * i : 2 * i + 2]) for i, size in enumerate(data.shape)])
    if data.type == "int8":
        node.quantization_is(output, node.scale(data), node.zero_point(data))
    value = node.optional(2)
    if value is not None:
        node.type_is(value, data.type)
        if elements(value.shape) != 1:
            node.fail(f"{label(value)} has {elements(value.shape)} elements, expected one value to pad with")
        if data.type == "int8":
            node.quantization_is(value, node.scale(output), node.zero_point(output))


def resize_nearest_neighbor(node: Node) -> None:
    data, output = node.input(0), node.output
    node.rank_is(data, 4)
    if node.options.get("half_pixel_centers"):
        node.fail("half_pixel_centers is ignored by this TFLM", "resize without half-pixel centers")
    height, width = node.integers(1, "size", 2)
    node.type_is(output, data.type)
    node.shape_is(output, (data.shape[0], height, width, data.shape[3]))


def strided_slice(node: Node) -> None:
    data, options, rank = node.input(0), node.options, len(node.input(0).shape)
    if not 1 <= rank <= 4:
        node.fail(f"{label(data)} has shape {text(data.shape)}, this TFLM needs 1 to 4 dimensions here")
    for what in ("ellipsis_mask", "new_axis_mask", "offset"):
        if options[what]:
            node.fail(f"{what} is ignored by this TFLM")
    begins, ends, strides = (
        node.integers(position, what, rank) for position, what in ((1, "begin"), (2, "end"), (3, "strides"))
    )
    shape = []
    for axis, size in enumerate(data.shape):
        begin = None if options["begin_mask"] >> axis & 1 else begins[axis]
        end = None if options["end_mask"] >> axis & 1 else ends[axis]
        # The kernel counts in 32 bits, in elements of the whole tensor.
        if strides[axis] == 0 or (abs(strides[axis]) + 1) * elements(data.shape) > _MAX_COUNT:
            node.fail(f"a stride of {strides[axis]} along axis {axis}")
        if not options["shrink_axis_mask"] >> axis & 1:
            shape.append(len(range(*slice(begin, end, strides[axis]).indices(size))))
            continue
        # The kernel takes the one element before it looks at the end mask, and only for ascending strides.
        if strides[axis] < 0 or begin is None or end is None or not -size <= begin < size:
            node.fail(f"one element of axis {axis} by begin {begin}, end {end}, stride {strides[axis]}")
    node.type_is(node.output, data.type)
    node.shape_is(node.output, shape)


def _saturating(node: Node, scale: float, zero_point: int) -> None:
    """int8 LOGISTIC and TANH have a fixed output range, and inputs with four integer bits."""
    if node.input(0).type != "int8":
        return
    node.quantization_is(node.output, scale, zero_point)
    if not 2.0**-27 <= node.scale(node.input(0)) < 16.0:
        node.fail(f"an input scale of {node.scale(node.input(0)):.3g}, expected 2^-27 to 16")


def _broadcast(node: Node) -> None:
    """Two inputs of one type; the output has the shape that both are broadcast to."""
    first, second = node.input(0), node.input(1)
    node.type_is(second, first.type)
    rank = max(len(first.shape), len(second.shape))
    if first.shape != second.shape and rank > 4:
        node.fail(f"broadcast of {text(first.shape)} and {text(second.shape)}, this TFLM needs at most 4 dimensions")
    a, b = _extended(first, rank), _extended(second, rank)
    if any(x != y and 1 not in (x, y) for x, y in zip(a, b, strict=True)):
        node.fail(f"{text(first.shape)} and {text(second.shape)} cannot be broadcast")
    node.shape_is(node.output, [max(x, y) for x, y in zip(a, b, strict=True)])


def _extended(tensor: Tensor, rank: int) -> tuple[int, ...]:
    return (1,) * (rank - len(tensor.shape)) + tensor.shape


def _with(shape: Sequence[int], axis: int, size: int) -> tuple[int, ...]:
    return (*shape[:axis], size, *shape[axis + 1 :])
