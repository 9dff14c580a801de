"""Each builtin: one model that is accepted, and one change at a time that must be refused."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from model_writer import M, Op, T, constant, integers, q

from harness import model, operators
from harness.errors import BadInputError

RELU_RANGE = {"scale": 1 / 256, "zero_point": -128}


def floats(*shape: int, **more: Any) -> T:
    return T(shape, "float32", **more)


def one_op(op: str, tensors: list[T], options: dict[str, Any] | None = None, **more: Any) -> M:
    """A model of one operator: constants are read where they stand, the last tensors are outputs."""
    outputs = more.pop("outputs", 1)
    count = len(tensors)
    order = more.pop("order", range(count - outputs))
    operator = Op(op, list(order), list(range(count - outputs, count)), options, **more)
    return M(
        tensors,
        [operator],
        inputs=[i for i in range(count - outputs) if tensors[i].data is None and not tensors[i].variable],
        outputs=list(range(count - outputs, count)),
    )


def conv(kind: str = "int8", **options: Any) -> M:
    """2x7x9x3 by four filters of 3x2 with bias; per-channel weights where int8."""
    if kind == "int8":
        weights = constant((4, 3, 2, 3), scales=[0.1, 0.2, 0.3, 0.4], zero_points=[0] * 4)
        tensors = [q((2, 7, 9, 3)), weights, constant((4,), "int32"), q((2, 7, 9, 4))]
    else:
        weights = constant((4, 3, 2, 3), "float32")
        tensors = [floats(2, 7, 9, 3), weights, constant((4,), "float32"), floats(2, 7, 9, 4)]
    return one_op("CONV_2D", tensors, {"padding": "SAME", "stride_w": 1, "stride_h": 1, **options}, version=3)


def depthwise(**options: Any) -> M:
    """1x8x8x3 with multiplier 2."""
    weights = constant((1, 3, 3, 6), scales=[0.1] * 6, zero_points=[0] * 6, dimension=3)
    tensors = [q((1, 8, 8, 3)), weights, constant((6,), "int32"), q((1, 6, 6, 6))]
    options = {"padding": "VALID", "stride_w": 1, "stride_h": 1, "depth_multiplier": 2, **options}
    return one_op("DEPTHWISE_CONV_2D", tensors, options, version=3)


def dense(**options: Any) -> M:
    """2x10 to 2x4, per-channel weights."""
    weights = constant((4, 10), scales=[0.1, 0.2, 0.3, 0.4], zero_points=[0] * 4)
    return one_op("FULLY_CONNECTED", [q((2, 10)), weights, constant((4,), "int32"), q((2, 4))], options, version=4)


def pool(op: str = "AVERAGE_POOL_2D", **options: Any) -> M:
    options = {"padding": "VALID", "stride_w": 2, "stride_h": 2, "filter_width": 2, "filter_height": 3, **options}
    return one_op(op, [q((1, 9, 8, 3)), q((1, 4, 4, 3))], options, version=2)


def svdf(kind: str = "int8") -> M:
    """Batch 2, input 5, 6 filters of rank 2, memory 4."""
    inner = "int16" if kind == "int8" else "float32"
    scaled: dict[str, Any] = {"scales": [0.5], "zero_points": [0]} if kind == "int8" else {}
    tensors = [
        T((2, 5), kind, **scaled),
        constant((6, 5), kind, **scaled),
        constant((6, 4), inner, **scaled),
        constant((3,), "int32" if kind == "int8" else "float32"),
        T((2, 24), inner, variable=True, **scaled),
        T((2, 3), kind, **scaled),
    ]
    return one_op("SVDF", tensors, {"rank": 2, "fused_activation_function": "RELU"}, version=3)


def slice_(begin: list[int], end: list[int], strides: list[int], shape: list[int], **masks: int) -> M:
    tensors = [q((4, 5)), integers(*begin), integers(*end), integers(*strides), q(shape)]
    return one_op("STRIDED_SLICE", tensors, masks, version=2)


def concatenation(axis: int = -1, **options: Any) -> M:
    return one_op("CONCATENATION", [q((2, 3)), q((2, 4)), q((2, 7))], {"axis": axis, **options}, version=2)


def split(axis: int = 1, parts: int = 3) -> M:
    outputs = [q((2, 2)) for _ in range(parts)]
    tensors = [integers(axis, shape=[]), q((2, 6)), *outputs]
    return one_op("SPLIT", tensors, {"num_splits": parts}, outputs=parts, version=2)


def mean(axes: tuple[int, ...] = (1, 2), keep: bool = False, kind: str = "int8") -> M:
    shape = (2, 1, 1, 5) if keep else (2, 5)
    scaled: dict[str, Any] = {"scales": [0.5], "zero_points": [1]} if kind == "int8" else {}
    tensors = [T((2, 3, 4, 5), kind, **scaled), integers(*axes), T(shape, kind, **scaled)]
    return one_op("MEAN", tensors, {"keep_dims": keep}, version=2)


def binary(op: str, kind: str = "int8", options: dict[str, Any] | None = None) -> M:
    make = q if kind == "int8" else floats
    shapes: list[Any] = [(2, 3, 1), (1, 4), (2, 3, 4)]
    tensors = [make(shape) if kind == "int8" else make(*shape) for shape in shapes]
    return one_op(op, tensors, options)


ACCEPTED: dict[str, Callable[[], M]] = {
    "conv": conv,
    "conv_float": lambda: conv("float32"),
    "depthwise": depthwise,
    "dense": dense,
    "average_pool": pool,
    "max_pool": lambda: pool("MAX_POOL_2D"),
    "svdf": svdf,
    "svdf_float": lambda: svdf("float32"),
    "softmax": lambda: one_op("SOFTMAX", [q((2, 3)), q((2, 3), **RELU_RANGE)], {"beta": 1.0}, version=2),
    "logistic": lambda: one_op("LOGISTIC", [q((2, 3)), q((2, 3), **RELU_RANGE)], version=2),
    "tanh": lambda: one_op("TANH", [q((2, 3)), q((2, 3), 1 / 128)], version=2),
    "l2": lambda: one_op("L2_NORMALIZATION", [q((2, 3)), q((2, 3), 1 / 128)], {}, version=2),
    "relu": lambda: one_op("RELU", [q((2, 3)), q((2, 3))], version=2),
    "relu6": lambda: one_op("RELU6", [floats(2, 3), floats(2, 3)]),
    "abs": lambda: one_op("ABS", [floats(2, 3), floats(2, 3)]),
    "logical_not": lambda: one_op("LOGICAL_NOT", [T((2,), "bool"), T((2,), "bool")]),
    "logical_or": lambda: one_op("LOGICAL_OR", [T((2,), "bool"), T((1,), "bool"), T((2,), "bool")]),
    "add": lambda: binary("ADD", options={"fused_activation_function": "RELU6"}),
    "sub_float": lambda: binary("SUB", "float32", {}),
    "mul": lambda: binary("MUL", options={}),
    "maximum": lambda: binary("MAXIMUM"),
    "prelu": lambda: one_op("PRELU", [q((1, 4, 4, 3)), q((1, 1, 3), data=[1, 2, 3]), q((1, 4, 4, 3))]),
    "less": lambda: one_op("LESS", [q((2, 3)), q((3,)), T((2, 3), "bool")], version=2),
    "equal_bool": lambda: one_op("EQUAL", [T((2,), "bool"), T((2,), "bool"), T((2,), "bool")]),
    "arg_max": lambda: one_op("ARG_MAX", [q((2, 3, 4)), integers(-2, shape=[]), T((2, 4), "int32")], version=2),
    "quantize": lambda: one_op("QUANTIZE", [floats(2, 3), q((2, 3))]),
    "dequantize": lambda: one_op("DEQUANTIZE", [q((2, 3)), floats(2, 3)], version=2),
    "mean": mean,
    "mean_keep": lambda: mean(keep=True),
    "mean_of_rows": lambda: one_op("MEAN", [q((3, 4)), integers(-1, shape=[]), q((3,))], {}, version=2),
    "mean_of_all": lambda: one_op("MEAN", [q((3, 4)), integers(0, 1), q(())], {}, version=2),
    "mean_float": lambda: mean((2, 1), kind="float32"),
    "reshape": lambda: one_op("RESHAPE", [q((2, 6)), integers(3, -1), q((3, 4))]),
    "reshape_options": lambda: one_op("RESHAPE", [q((2, 6)), q((3, 4))], {"new_shape": [3, 4]}),
    "reshape_to_scalar": lambda: one_op("RESHAPE", [q((1, 1)), T([0], "int32", data=b""), q(())]),
    "concatenation": concatenation,
    "split": split,
    "pack": lambda: one_op("PACK", [q((2, 3)), q((2, 3)), q((2, 2, 3))], {"values_count": 2, "axis": 1}, version=2),
    "unpack": lambda: one_op("UNPACK", [q((2, 3)), q((2,)), q((2,)), q((2,))], {"num": 3, "axis": -1}, outputs=3),
    "pad": lambda: one_op("PAD", [q((2, 3)), integers(0, 1, 2, 0, shape=[2, 2]), q((3, 5))], {}, version=2),
    "padv2": lambda: one_op("PADV2", [q((3,)), integers(1, 1, shape=[1, 2]), q((), data=[-5]), q((5,))], version=2),
    "resize": lambda: one_op(
        "RESIZE_NEAREST_NEIGHBOR",
        [q((1, 2, 3, 4)), integers(4, 5), q((1, 4, 5, 4))],
        {"align_corners": True},
        version=3,
    ),
    "resize_without_options": lambda: one_op(
        "RESIZE_NEAREST_NEIGHBOR", [floats(1, 2, 3, 4), integers(1, 6), floats(1, 1, 6, 4)]
    ),
    "slice": lambda: slice_([1, 0], [3, -1], [1, 2], [2, 2]),
    "slice_masks": lambda: slice_([0, 3], [0, 0], [1, -1], [4, 4], begin_mask=1, end_mask=3),
    "slice_shrink": lambda: slice_([-1, 0], [0, 5], [1, 1], [5], shrink_axis_mask=1),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(name: str, tmp_path: Path) -> None:
    loaded = model.load(ACCEPTED[name]().save(tmp_path))
    assert len(loaded.operators) == 1


@dataclass
class Change:
    """A change to an accepted model, and a fragment of the message that refuses it."""

    base: str | Callable[[], M]
    message: str
    tensor: int | None = None
    to: dict[str, Any] | None = None
    options: dict[str, Any] | None = None
    op: dict[str, Any] | None = None

    def model(self) -> M:
        changed = copy.deepcopy(ACCEPTED[self.base]() if isinstance(self.base, str) else self.base())
        if self.tensor is not None:
            for key, value in (self.to or {}).items():
                setattr(changed.tensors[self.tensor], key, value)
        for key, value in (self.op or {}).items():
            setattr(changed.operators[0], key, value)
        if self.options is not None:
            changed.operators[0].options = {**(changed.operators[0].options or {}), **self.options}
        return changed


INT64_BIAS = {"type": "int64"}
REFUSED = [
    # Windows and weights.
    Change("conv", "tensor 0 (t) has shape 7x9x3, this TFLM needs 4 dimensions", 0, {"shape": (7, 9, 3)}),
    Change("conv", "tensor 3 (t) has shape 2x7x9x5, expected 2x7x9x4", 3, {"shape": (2, 7, 9, 5)}),
    Change("conv", "tensor 3 (t) has shape 1x7x9x4, expected 2x7x9x4", 3, {"shape": (1, 7, 9, 4)}),
    Change("conv", "expected 2x5x8x4", options={"padding": "VALID"}),
    Change("conv", "expected 2x4x9x4", options={"stride_h": 2}),
    Change("conv", "stride of 0", options={"stride_w": 0}),
    Change("conv", "stride of 65536", options={"stride_w": 65536}),
    Change("conv", "dilation of -1", options={"dilation_h_factor": -1}),
    Change("conv", "spans 32769 pixels", options={"dilation_h_factor": 16384}),
    Change("conv", "spans 11 pixels does not fit", options={"padding": "VALID", "dilation_h_factor": 5}),
    Change("conv", "padding 2 is unknown", options={"padding": 2}),
    Change("conv", "fused_activation_function 9 is unknown", options={"fused_activation_function": 9}),
    Change("conv", "fused activation TANH", options={"fused_activation_function": "TANH"}),
    Change("conv", "fused activation SIGN_BIT", options={"fused_activation_function": "SIGN_BIT"}),
    Change("conv", "weights of 3 channels for an input of 6", 0, {"shape": (2, 7, 9, 6)}),
    Change("conv", "tensor 2 (t) has shape 5, expected 4", 2, {"shape": (5,), "data": [1] * 5}),
    Change("conv", "int64 bias (int16x8)", 2, INT64_BIAS),
    Change("conv", "tensor 2 (t) is float32, expected int32", 2, {"type": "float32"}),
    Change(
        "conv", "scales along dimension 1, expected 0", 1, {"dimension": 1, "shape": (4, 4, 2, 3), "data": [1] * 96}
    ),
    Change("conv", "has 2 scales, expected 1 or 4", 1, {"dimension": 2, "scales": [1, 2], "zero_points": [0, 0]}),
    Change("conv", "has 0 scales", 1, {"scales": None, "zero_points": None}),
    Change("conv", "a zero point other than 0", 1, {"zero_points": [0, 0, 1, 0]}),
    Change("conv", "tensor 0 (t) is int8 with no scale", 0, {"scales": None, "zero_points": None}),
    Change("conv", "tensor 3 (t) is float32, expected int8", 3, {"type": "float32"}),
    Change("conv", "a multiplier of", 0, {"scales": [1e18]}),
    Change("conv", "expected Conv2DOptions", op={"options": None}),
    Change("conv", "has Pool2DOptions, expected Conv2DOptions", op={"options": {}, "table": "Pool2DOptions"}),
    Change("conv", "has options of type 100, expected Conv2DOptions", op={"options": {}, "table": 100}),
    Change("conv", "1 inputs, expected 2 to 3", op={"inputs": [0]}),
    Change("conv", "version 9 is newer than this TFLM, which knows up to 8", op={"version": 9}),
    Change("conv", "version 0", op={"version": 0}),
    Change("conv", "input 1 is absent", op={"inputs": [0, -1, 2]}),
    Change("conv_float", "hybrid", 1, {"type": "int8", "scales": [0.1], "zero_points": [0]}),
    Change("depthwise", "depth multiplier 3", options={"depth_multiplier": 3}),
    Change("depthwise", "depth multiplier 0", options={"depth_multiplier": 0}),
    Change("depthwise", "the first dimension must be 1", 1, {"shape": (3, 1, 3, 6)}),
    Change("depthwise", "along dimension 2, expected 3", 1, {"dimension": 2, "shape": (1, 3, 6, 6), "data": [1] * 108}),
    Change("depthwise", "expected 1x2x2x6", options={"dilation_w_factor": 3, "dilation_h_factor": 3}),
    Change("dense", "the input's dimensions (2x10) are kept", options={"keep_num_dims": True}),
    Change("dense", "tensor 3 (t) has shape 2x1x4, this TFLM needs 2 dimensions", 3, {"shape": (2, 1, 4)}),
    Change("dense", "tensor 3 (t) has shape 4x2, expected 2x4", 3, {"shape": (4, 2)}),
    Change("dense", "no multiple of the 10 weights", 0, {"shape": (2, 9)}),
    Change("dense", "shuffled format 1", options={"weights_format": 1}),
    Change(
        "dense",
        "the scale of tensor 2 (t) is not the product",
        1,
        {"scales": [0.1], "zero_points": [0]},
    ),
    Change("average_pool", "expected 1x4x4x3", 1, {"shape": (1, 4, 4, 4)}),
    Change("average_pool", "filter of 0", options={"filter_width": 0}),
    Change("average_pool", "different scales or zero points", 1, {"scales": [0.500002]}),
    Change("max_pool", "different scales or zero points", 1, {"zero_points": [1]}),
    Change("average_pool", "expected int8", 1, {"type": "float32"}),
    Change("max_pool", "spans 10 pixels does not fit an input of 9", options={"filter_height": 10}),
    Change("svdf", "rank 0", options={"rank": 0}),
    Change("svdf", "rank 4 with 6 filters", options={"rank": 4}),
    Change("svdf", "not variable", 4, {"data": [0] * 48, "variable": False}),
    Change("svdf", "expected 2x24", 4, {"shape": (2, 23)}),
    Change("svdf", "is int8, expected int16", 4, {"type": "int8"}),
    Change("svdf", "fused activation NONE", options={"fused_activation_function": "NONE"}),
    # Fixed output ranges and limits of the fixed-point arithmetic.
    Change("softmax", "this TFLM computes with 0.00390625 and -128", 1, {"scales": [0.5]}),
    Change("softmax", "beta of -1", options={"beta": -1.0}),
    Change("softmax", "are too small", 0, {"scales": [1e-9]}),
    Change("logistic", "this TFLM computes with", 1, {"zero_points": [0]}),
    Change("logistic", "an input scale of 16", 0, {"scales": [16.0]}),
    Change("tanh", "this TFLM computes with", 1, {"zero_points": [-128]}),
    Change("l2", "fused activation RELU", options={"fused_activation_function": "RELU"}),
    Change("relu", "different scales or zero points", 1, {"scales": [0.25]}),
    Change("relu", "expected 2x3", 1, {"shape": (3, 2)}),
    Change("abs", "is int8, this TFLM computes ABS of float32 only", 0, {"type": "int8"}),
    Change("abs", "has Pool2DOptions", op={"options": {}, "table": "Pool2DOptions"}),
    # Shapes that meet.
    Change("add", "cannot be broadcast", 1, {"shape": (2, 4)}),
    Change("add", "expected 2x3x4", 2, {"shape": (2, 3, 1)}),
    Change("add", "output scale", 2, {"scales": [1e-9]}),
    Change("add", "output scale", 2, {"scales": [2.0**45]}),
    Change("add", "has a scale of 4.2e+34", 2, {"scales": [4.2e34]}),
    Change("add", "has a scale of 1e-20", 0, {"scales": [1e-20]}),
    Change("add", "with 3 scales (per channel)", 0, {"scales": [1.0] * 3, "zero_points": [0] * 3, "dimension": 1}),
    Change("mul", "a multiplier of", 2, {"scales": [1e-18]}),
    Change("maximum", "expected int8", 1, {"type": "int32"}),
    Change("maximum", "at most 4 dimensions", 0, {"shape": (2, 1, 2, 3, 1)}),
    Change("less", "a scale of 1", 0, {"scales": [1.0]}),
    Change("less", "expected bool", 2, {"type": "int8", "scales": [1], "zero_points": [0]}),
    Change("logical_or", "is int8, this TFLM computes", 0, {"type": "int8"}),
    Change("prelu", "expected 1x4x4x3", 2, {"shape": (1, 4, 3, 4)}),
    Change("arg_max", "axis 3 of a tensor of 3 dimensions", 1, {"data": [3]}),
    Change("arg_max", "expected 2x4", 2, {"shape": (2, 3)}),
    Change("arg_max", "expected int32", 2, {"type": "int64"}),
    Change("arg_max", "want an output of type 4", op={"options": {"output_type": 4}}),
    Change("reshape_options", "name 9 dimensions", options={"new_shape": [3, 4, 1, 1, 1, 1, 1, 1, 1]}),
    Change("quantize", "a multiplier of", 0, {"type": "int8", "scales": [1e18], "zero_points": [0]}),
    Change("dequantize", "is int16", 0, {"type": "int16"}),
    Change("mean", "axis 4 of a tensor of 4 dimensions", 1, {"data": [1, 4]}),
    Change("mean", "expected 2x4", 1, {"data": [1, 3]}),
    Change("mean", "at most 4 dimensions", 0, {"shape": (2, 3, 4, 5, 1)}),
    Change("mean", "mean of 16777216 elements", 0, {"shape": (2, 4096, 4096, 5)}),
    Change("mean_float", "over axes [1, 3]", 1, {"data": [1, 3]}),
    Change("mean_float", "over axes [-3, 2]", 1, {"data": [-3, 2]}),
    Change("mean", "expected 2x1x1x5", options={"keep_dims": True}),
    Change("mean", "is variable", 1, {"data": None, "variable": True}),
    Change("reshape", "from 2x6 to 3x5: different numbers of elements", 2, {"shape": (3, 5)}),
    Change("concatenation", "axis 2 of a tensor of 2 dimensions", options={"axis": 2}),
    Change("concatenation", "expected 2x3", 0, {"shape": (1, 3)}),
    Change("concatenation", "have 8 elements along axis 1, its output 7", 0, {"shape": (2, 4)}),
    Change("concatenation", "different scales or zero points", 0, {"zero_points": [4]}),
    Change("split", "axis 7 of a tensor of 2 dimensions", 0, {"data": [7]}),
    Change("split", "expected 2x2", 4, {"shape": (2, 3)}),
    Change("split", "into 3 outputs", options={"num_splits": 2}),
    Change("pack", "2 inputs, but its options say 3", options={"values_count": 3}),
    Change("pack", "expected 2x3", 1, {"shape": (3, 2)}),
    Change("unpack", "3 outputs from 3 elements", options={"num": 4}),
    Change("unpack", "expected 2", 2, {"shape": (3,)}),
    Change("pad", "negative paddings", 1, {"data": [0, -1, 2, 0]}),
    Change("pad", "has 2 elements, expected 4", 1, {"data": [0, 1], "shape": (1, 2)}),
    Change("pad", "expected 3x5", 2, {"shape": (3, 6)}),
    Change("pad", "this TFLM computes with", 2, {"zero_points": [3]}),
    Change("padv2", "expected one value", 2, {"shape": (2,), "data": [1, 1]}),
    Change("resize", "half_pixel_centers is ignored", options={"half_pixel_centers": True}),
    Change("resize", "expected 1x4x6x4", 1, {"data": [4, 6]}),
    Change("slice", "a stride of 0", 3, {"data": [1, 0]}),
    Change("slice", "a stride of 1952543827", 3, {"data": [1952543827, 2]}),
    Change("slice", "new_axis_mask is ignored", options={"new_axis_mask": 1}),
    Change("slice", "ellipsis_mask is ignored", options={"ellipsis_mask": 1}),
    Change("slice", "expected 2x2", 4, {"shape": (2, 3)}),
    Change("slice", "has 1 elements, expected 2", 1, {"data": [1], "shape": (1,)}),
    Change("slice_shrink", "one element of axis 0 by begin 4", 1, {"data": [4, 0]}),
    Change("slice_shrink", "one element of axis 0", options={"end_mask": 1}),
]


@pytest.mark.parametrize("change", REFUSED, ids=lambda change: f"{change.base}: {change.message}"[:60])
def test_refused(change: Change, tmp_path: Path) -> None:
    with pytest.raises(BadInputError) as caught:
        model.load(change.model().save(tmp_path))
    message = caught.value.message
    assert change.message in message
    assert f"operator 0 ({change.model().operators[0].name})" in message
    assert "\n" not in message


def test_rank_6_is_refused(tmp_path: Path) -> None:
    made = one_op("RELU6", [floats(1, 1, 1, 1, 1, 2), floats(1, 1, 1, 1, 1, 2)])
    with pytest.raises(BadInputError, match="at most 5 dimensions"):
        model.load(made.save(tmp_path))


@pytest.mark.parametrize("op", ["SOFTMAX", "L2_NORMALIZATION"])
def test_scalar_without_a_last_dimension_is_refused(op: str, tmp_path: Path) -> None:
    options = {"beta": 1.0} if op == "SOFTMAX" else {}
    with pytest.raises(BadInputError, match="is a scalar"):
        model.load(one_op(op, [floats(), floats()], options).save(tmp_path))


def test_axes_that_are_computed_are_refused(tmp_path: Path) -> None:
    made = mean()
    made.tensors[1] = T([2], "int32")
    made.inputs = [0, 1]
    with pytest.raises(BadInputError, match="is computed at run time"):
        model.load(made.save(tmp_path))


def test_every_builtin_of_the_schema_outside_of_the_catalogue_is_refused(tmp_path: Path) -> None:
    from harness.model_schema import BUILTINS

    others = [name for name in BUILTINS if name not in operators.CATALOGUE and name != "CUSTOM"]
    assert len(others) > 90
    for name in others:
        made = one_op(name, [floats(2), floats(2)])
        with pytest.raises(BadInputError, match=rf"operator 0 \({name}\) is not supported by TFLM July 2020") as caught:
            model.load(made.save(tmp_path))
        assert caught.value.hint


def macs(made: M, folder: Path) -> int:
    return model.load(made.save(folder)).macs


def test_macs(tmp_path: Path) -> None:
    assert macs(conv(), tmp_path) == 2 * 7 * 9 * 4 * 3 * 2 * 3
    assert macs(depthwise(), tmp_path) == 6 * 6 * 6 * 3 * 3
    assert macs(dense(), tmp_path) == 2 * 4 * 10
    assert macs(svdf(), tmp_path) == 2 * 6 * (5 + 4)
    assert macs(pool(), tmp_path) == 0


def test_options_are_plain_values_with_names(tmp_path: Path) -> None:
    (operator,) = model.load(conv(fused_activation_function="RELU6").save(tmp_path)).operators
    assert operator.options == {
        "padding": "SAME",
        "stride_w": 1,
        "stride_h": 1,
        "fused_activation_function": "RELU6",
        "dilation_w_factor": 1,
        "dilation_h_factor": 1,
    }
    (operator,) = model.load(ACCEPTED["reshape_options"]().save(tmp_path)).operators
    assert operator.options == {"new_shape": [3, 4]}
