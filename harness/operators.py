"""The builtin operators that this project's firmware can run exactly, and what each of them accepts.

The kernels are TFLM's of July 2020 and the own ones of firmware/kernels. A builtin or a version that is not listed is
refused: that TFLM verifies nothing and computes some of what it does not know silently wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from harness import operators_checks as checks
from harness import operators_layers as layers
from harness.errors import BadInputError
from harness.operators_node import MAX_RANK, TYPE_HINTS, Node, label, text

Check = Callable[[Node], None]


class Spec(NamedTuple):
    """What is accepted of one builtin.

    ``version`` is the highest one whose additions the checks know. It exceeds what AllOpsResolver of July 2020
    registers where the additions are types, shapes or options that are checked for one by one: all operators of a model
    that share an operator code have the version of the most demanding one. ``types`` are those of the tensor at
    ``data``, the first input that is computed with. ``options`` is the options table that the kernel cannot do without,
    ``optional_options`` one that may be there; others may not. Inputs in ``optional`` may be absent; those in
    ``weights`` may have one scale per channel.
    """

    version: int
    types: tuple[str, ...]
    check: Check
    inputs: tuple[int, int] = (1, 1)
    outputs: tuple[int, int] = (1, 1)
    options: str | None = None
    optional_options: str | None = None
    optional: tuple[int, ...] = ()
    weights: tuple[int, ...] = ()
    data: int = 0
    macs: Callable[[Node], int] | None = None


_FLOAT = ("float32",)
_BOTH = ("float32", "int8")
_NUMBERS = ("float32", "int8", "int32", "int64")
_ANY = ("float32", "int8", "int32", "int64", "bool")
_MANY = (1, 1_000_000)


def _elementwise(options: str | None = None) -> Spec:
    return Spec(1, _FLOAT, checks.same_shape, optional_options=options)


def _comparison(options: str, *more: str) -> Spec:
    return Spec(2, _NUMBERS + more, checks.compare, inputs=(2, 2), optional_options=options)


CATALOGUE: dict[str, Spec] = {
    "ABS": _elementwise("AbsOptions"),
    "ADD": Spec(2, _BOTH, checks.add_or_subtract, inputs=(2, 2), options="AddOptions"),
    "ARG_MAX": Spec(2, _BOTH, checks.arg_min_or_max, inputs=(2, 2), optional_options="ArgMaxOptions"),
    "ARG_MIN": Spec(2, _BOTH, checks.arg_min_or_max, inputs=(2, 2), optional_options="ArgMinOptions"),
    "AVERAGE_POOL_2D": Spec(2, _BOTH, layers.pool_2d, options="Pool2DOptions"),
    "CEIL": _elementwise(),
    "CONCATENATION": Spec(3, _NUMBERS, checks.concatenation, inputs=(1, 10), options="ConcatenationOptions"),
    # Versions 4 to 8 add int16, hybrid, grouped, int4, and another type of bias.
    "CONV_2D": Spec(
        8,
        _BOTH,
        layers.convolution_2d,
        inputs=(2, 3),
        options="Conv2DOptions",
        optional=(2,),
        weights=(1,),
        macs=layers.convolution_2d_macs,
    ),
    "COS": _elementwise("CosOptions"),
    # Versions 4 to 7 add hybrid, int16, hybrid per channel and int4.
    "DEPTHWISE_CONV_2D": Spec(
        7,
        _BOTH,
        layers.depthwise_convolution_2d,
        inputs=(2, 3),
        options="DepthwiseConv2DOptions",
        optional=(2,),
        weights=(1,),
        macs=layers.depthwise_convolution_2d_macs,
    ),
    "DEQUANTIZE": Spec(2, ("int8",), checks.dequantize, optional_options="DequantizeOptions"),
    "EQUAL": _comparison("EqualOptions", "bool"),
    "FLOOR": _elementwise(),
    # Versions 5 to 12 add keep_num_dims, a missing bias, int16, sparse, hybrid, int4, another type of bias, hybrid per
    # channel.
    "FULLY_CONNECTED": Spec(
        12,
        _BOTH,
        layers.fully_connected,
        inputs=(2, 3),
        options="FullyConnectedOptions",
        optional=(2,),
        weights=(1,),
        macs=layers.fully_connected_macs,
    ),
    "GREATER": _comparison("GreaterOptions"),
    "GREATER_EQUAL": _comparison("GreaterEqualOptions"),
    "L2_NORMALIZATION": Spec(2, _BOTH, checks.l2_normalization, options="L2NormOptions"),
    "LESS": _comparison("LessOptions"),
    "LESS_EQUAL": _comparison("LessEqualOptions"),
    "LOG": _elementwise(),
    "LOGICAL_AND": Spec(1, ("bool",), checks.logical, inputs=(2, 2), optional_options="LogicalAndOptions"),
    "LOGICAL_NOT": Spec(1, ("bool",), checks.same_shape, optional_options="LogicalNotOptions"),
    "LOGICAL_OR": Spec(1, ("bool",), checks.logical, inputs=(2, 2), optional_options="LogicalOrOptions"),
    "LOGISTIC": Spec(2, _BOTH, checks.logistic),
    "MAXIMUM": Spec(2, _NUMBERS, checks.maximum_or_minimum, inputs=(2, 2), optional_options="MaximumMinimumOptions"),
    "MAX_POOL_2D": Spec(2, _BOTH, layers.pool_2d, options="Pool2DOptions"),
    "MEAN": Spec(2, _BOTH, checks.mean, inputs=(2, 2), options="ReducerOptions"),
    "MINIMUM": Spec(2, _NUMBERS, checks.maximum_or_minimum, inputs=(2, 2), optional_options="MaximumMinimumOptions"),
    "MUL": Spec(3, _BOTH, checks.multiply, inputs=(2, 2), options="MulOptions"),
    "NEG": _elementwise("NegOptions"),
    "NOT_EQUAL": _comparison("NotEqualOptions", "bool"),
    "PACK": Spec(2, _NUMBERS, checks.pack, inputs=_MANY, options="PackOptions"),
    "PAD": Spec(2, ("float32", "int8", "int32"), checks.pad, inputs=(2, 2), optional_options="PadOptions"),
    "PADV2": Spec(2, ("float32", "int8", "int32"), checks.pad, inputs=(3, 3), optional_options="PadV2Options"),
    "PRELU": Spec(1, _BOTH, checks.prelu, inputs=(2, 2)),
    "QUANTIZE": Spec(2, _BOTH, checks.quantize, optional_options="QuantizeOptions"),
    "RELU": Spec(2, _BOTH, checks.relu),
    "RELU6": Spec(2, _BOTH, checks.relu),
    "RESHAPE": Spec(1, _ANY, checks.reshape, inputs=(1, 2), optional_options="ReshapeOptions"),
    # Version 3 adds half_pixel_centers and align_corners; without options both are false.
    "RESIZE_NEAREST_NEIGHBOR": Spec(
        3, _BOTH, checks.resize_nearest_neighbor, inputs=(2, 2), optional_options="ResizeNearestNeighborOptions"
    ),
    "ROUND": _elementwise(),
    "RSQRT": _elementwise(),
    "SIN": _elementwise(),
    "SOFTMAX": Spec(2, _BOTH, checks.softmax, options="SoftmaxOptions"),
    "SPLIT": Spec(
        3,
        ("float32", "int8", "int32"),
        checks.split,
        inputs=(2, 2),
        outputs=_MANY,
        optional_options="SplitOptions",
        data=1,
    ),
    "SQRT": _elementwise(),
    "SQUARE": _elementwise("SquareOptions"),
    "STRIDED_SLICE": Spec(2, _BOTH, checks.strided_slice, inputs=(4, 4), options="StridedSliceOptions"),
    "SUB": Spec(2, _BOTH, checks.add_or_subtract, inputs=(2, 2), options="SubOptions"),
    "SVDF": Spec(3, _BOTH, layers.svdf, inputs=(5, 5), options="SVDFOptions", optional=(3,), macs=layers.svdf_macs),
    "TANH": Spec(2, _BOTH, checks.tanh),
    "UNPACK": Spec(2, ("float32", "int8", "int32"), checks.unpack, outputs=_MANY, options="UnpackOptions"),
}

_RECURRENT = "unrolled or not, recurrent layers are beyond this TFLM: use convolutions over time"
_DYNAMIC_BATCH = "fix the batch size, as in Input(shape, batch_size=1), and convert again"
_NOT_INT8 = "leave the layer out, or convert to a float model (without optimizations)"
_GENERAL = "use other layers: docs/reference/operators.md lists the operators of TFLM July 2020"
HINTS = {
    "SHAPE": _DYNAMIC_BATCH,
    "BROADCAST_ARGS": _DYNAMIC_BATCH,
    "BROADCAST_TO": _DYNAMIC_BATCH,
    "LEAKY_RELU": "use ReLU or PReLU",
    "HARD_SWISH": "use ReLU6",
    "GELU": "use ReLU",
    "ELU": "use ReLU",
    "RESIZE_BILINEAR": "resize by nearest neighbour without half-pixel centers, or outside of the network",
    "REDUCE_MAX": "use MaxPooling2D over the whole image",
    "SUM": "use GlobalAveragePooling2D and a scale in the next layer",
    "READ_VARIABLE": "convert with from_keras_model: it leaves no variables behind",
    "VAR_HANDLE": "convert with from_keras_model: it leaves no variables behind",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _RECURRENT,
    "WHILE": _RECURRENT,
}


def unsupported_hint(op: str) -> str:
    """What to do about a builtin that the catalogue lacks."""
    return HINTS.get(op, _GENERAL)


def check(node: Node, options: str | None) -> int:
    """Check an operator of the catalogue whose options table is ``options`` (None: it has none); returns its MACs.

    Raises:
        BadInputError: something the kernels cannot compute, or not exactly; the message names operator and tensor.
    """
    spec = CATALOGUE[node.op]
    _check_count(node, "input", len(node.inputs), spec.inputs)
    _check_count(node, "output", len(node.outputs), spec.outputs)
    if spec.options is not None and options != spec.options:
        node.fail(f"has {options or 'no options'}, expected {spec.options}")
    if spec.options is None and options not in (None, spec.optional_options):
        node.fail(f"has {options}, expected {spec.optional_options or 'no options'}")
    for position, tensor in enumerate(node.inputs):
        if tensor is None and position not in spec.optional:
            node.fail(f"input {position} is absent")
    data = node.input(spec.data)
    if data.type == "int8" and "int8" not in spec.types:
        node.fail(f"{label(data)} is int8, this TFLM computes {node.op} of {' or '.join(spec.types)} only", _NOT_INT8)
    node.type_is(data, *spec.types)
    for position, tensor in enumerate((*node.inputs, *node.outputs)):
        if tensor is None:
            continue
        if len(tensor.shape) > MAX_RANK:
            node.fail(f"{label(tensor)} has shape {text(tensor.shape)}, this TFLM knows at most {MAX_RANK} dimensions")
        if tensor.type == "int8" and position not in spec.weights:
            node.scale(tensor)
        if tensor.type == "int16" and node.op != "SVDF":
            node.fail(f"{label(tensor)} is int16", TYPE_HINTS["int16"])
        if tensor.is_variable and (node.op != "SVDF" or tensor is not node.inputs[4]):
            node.fail(f"{label(tensor)} is variable, only the state of SVDF can be")
    spec.check(node)
    if not 1 <= node.version <= spec.version:
        node.fail(f"version {node.version} is newer than this TFLM, which knows up to {spec.version}")
    return spec.macs(node) if spec.macs else 0


def macs(node: Node) -> int:
    """MACs of an operator that was not checked: 0 where it has none, or tensors that are not known here."""
    spec = CATALOGUE.get(node.op)
    if spec is None or spec.macs is None:
        return 0
    try:
        return spec.macs(node)
    except (BadInputError, IndexError):
        return 0


def _check_count(node: Node, what: str, number: int, allowed: tuple[int, int]) -> None:
    low, high = allowed
    if not low <= number <= high:
        expected = str(low) if low == high else f"{low} to {high}"
        node.fail(f"{number} {what}s, expected {expected}")
