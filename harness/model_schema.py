"""The part of the TensorFlow Lite schema that TFLM reads, and the names of its numbers."""

from __future__ import annotations

from typing import NamedTuple

from harness.flatbuffer import (
    BLOB,
    BOOL,
    FLOAT32,
    INT8,
    INT32,
    INT64,
    STRING,
    UINT32,
    UINT64,
    Table,
    UnionKind,
    Vector,
)

FILE_IDENTIFIER = b"TFL3"
SCHEMA_VERSION = 3


class ElementType(NamedTuple):
    """A tensor's element type: its name, and its size in bytes where TFLM of July 2020 knows the type (else None)."""

    name: str
    size: int | None


ELEMENT_TYPES = {
    0: ElementType("float32", 4),
    1: ElementType("float16", None),
    2: ElementType("int32", 4),
    3: ElementType("uint8", 1),
    4: ElementType("int64", 8),
    5: ElementType("string", None),
    6: ElementType("bool", 1),
    7: ElementType("int16", 2),
    8: ElementType("complex64", None),
    9: ElementType("int8", 1),
    10: ElementType("float64", None),
    11: ElementType("complex128", None),
    12: ElementType("uint64", None),
    13: ElementType("resource", None),
    14: ElementType("variant", None),
    15: ElementType("uint32", None),
    16: ElementType("uint16", None),
    17: ElementType("int4", None),
    18: ElementType("bfloat16", None),
    19: ElementType("int2", None),
    20: ElementType("uint4", None),
}

PADDINGS = ("SAME", "VALID")
ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")

CUSTOM = 32
PLACEHOLDER_FOR_GREATER_CODES = 127

_BUILTINS = """
ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP FLOOR
FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM
MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS
SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND
SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN
EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2
GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG
SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT
UNPACK REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU
SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK ELU REVERSE_SEQUENCE
MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND
SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO RFFT2D
CONV_3D IMAG REAL COMPLEX_ABS HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL CONV_3D_TRANSPOSE
VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE RANDOM_UNIFORM MULTINOMIAL
GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM ATAN2
UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT
"""
BUILTINS = tuple(_BUILTINS.split())


def builtin_name(code: int) -> str:
    """The schema's name of a builtin operator, or "builtin N" for a code that it gives no name to here."""
    return BUILTINS[code] if 0 <= code < len(BUILTINS) else f"builtin {code}"


_ACTIVATION = INT8

# Number of each options table in the union BuiltinOptions.
OPTIONS = {
    1: Table(
        "Conv2DOptions",
        padding=(0, INT8),
        stride_w=(1, INT32),
        stride_h=(2, INT32),
        fused_activation_function=(3, _ACTIVATION),
        dilation_w_factor=(4, INT32, 1),
        dilation_h_factor=(5, INT32, 1),
    ),
    2: Table(
        "DepthwiseConv2DOptions",
        padding=(0, INT8),
        stride_w=(1, INT32),
        stride_h=(2, INT32),
        depth_multiplier=(3, INT32),
        fused_activation_function=(4, _ACTIVATION),
        dilation_w_factor=(5, INT32, 1),
        dilation_h_factor=(6, INT32, 1),
    ),
    5: Table(
        "Pool2DOptions",
        padding=(0, INT8),
        stride_w=(1, INT32),
        stride_h=(2, INT32),
        filter_width=(3, INT32),
        filter_height=(4, INT32),
        fused_activation_function=(5, _ACTIVATION),
    ),
    6: Table(
        "SVDFOptions", rank=(0, INT32), fused_activation_function=(1, _ACTIVATION), asymmetric_quantize_inputs=(2, BOOL)
    ),
    8: Table(
        "FullyConnectedOptions",
        fused_activation_function=(0, _ACTIVATION),
        weights_format=(1, INT8),
        keep_num_dims=(2, BOOL),
        asymmetric_quantize_inputs=(3, BOOL),
    ),
    9: Table("SoftmaxOptions", beta=(0, FLOAT32)),
    10: Table("ConcatenationOptions", axis=(0, INT32), fused_activation_function=(1, _ACTIVATION)),
    11: Table("AddOptions", fused_activation_function=(0, _ACTIVATION)),
    12: Table("L2NormOptions", fused_activation_function=(0, _ACTIVATION)),
    17: Table("ReshapeOptions", new_shape=(0, Vector(INT32))),
    21: Table("MulOptions", fused_activation_function=(0, _ACTIVATION)),
    22: Table("PadOptions"),
    27: Table("ReducerOptions", keep_dims=(0, BOOL)),
    28: Table("SubOptions", fused_activation_function=(0, _ACTIVATION)),
    32: Table(
        "StridedSliceOptions",
        begin_mask=(0, INT32),
        end_mask=(1, INT32),
        ellipsis_mask=(2, INT32),
        new_axis_mask=(3, INT32),
        shrink_axis_mask=(4, INT32),
        offset=(5, BOOL),
    ),
    35: Table("SplitOptions", num_splits=(0, INT32)),
    38: Table("DequantizeOptions"),
    39: Table("MaximumMinimumOptions"),
    40: Table("ArgMaxOptions", output_type=(0, INT8)),
    41: Table("LessOptions"),
    42: Table("NegOptions"),
    43: Table("PadV2Options"),
    44: Table("GreaterOptions"),
    45: Table("GreaterEqualOptions"),
    46: Table("LessEqualOptions"),
    53: Table("EqualOptions"),
    54: Table("NotEqualOptions"),
    57: Table("ArgMinOptions", output_type=(0, INT8)),
    59: Table("PackOptions", values_count=(0, INT32), axis=(1, INT32)),
    60: Table("LogicalOrOptions"),
    62: Table("LogicalAndOptions"),
    63: Table("LogicalNotOptions"),
    64: Table("UnpackOptions", num=(0, INT32), axis=(1, INT32)),
    66: Table("SquareOptions"),
    74: Table("ResizeNearestNeighborOptions", align_corners=(0, BOOL), half_pixel_centers=(1, BOOL)),
    78: Table("AbsOptions"),
    84: Table("CosOptions"),
    89: Table("QuantizeOptions"),
}

_QUANTIZATION = Table(
    "QuantizationParameters",
    scale=(2, Vector(FLOAT32)),
    zero_point=(3, Vector(INT64)),
    details=(5, UnionKind(4, {})),
    quantized_dimension=(6, INT32),
)

_TENSOR = Table(
    "Tensor",
    shape=(0, Vector(INT32)),
    type=(1, INT8),
    buffer=(2, UINT32),
    name=(3, STRING),
    quantization=(4, _QUANTIZATION),
    is_variable=(5, BOOL),
    sparsity=(6, Table("SparsityParameters")),
    shape_signature=(7, Vector(INT32)),
    external_buffer=(10, UINT32),
)

_OPERATOR = Table(
    "Operator",
    opcode_index=(0, UINT32),
    inputs=(1, Vector(INT32)),
    outputs=(2, Vector(INT32)),
    options=(4, UnionKind(3, OPTIONS)),
    custom_options=(5, BLOB),
    mutating_variable_inputs=(7, Vector(BOOL)),
    intermediates=(8, Vector(INT32)),
    options_2=(12, UnionKind(11, {})),
)

_SUBGRAPH = Table(
    "SubGraph",
    tensors=(0, Vector(_TENSOR)),
    inputs=(1, Vector(INT32)),
    outputs=(2, Vector(INT32)),
    operators=(3, Vector(_OPERATOR)),
    name=(4, STRING),
)

_OPERATOR_CODE = Table(
    "OperatorCode",
    deprecated_builtin_code=(0, INT8),
    custom_code=(1, STRING),
    version=(2, INT32, 1),
    builtin_code=(3, INT32),
)

_BUFFER = Table("Buffer", data=(0, BLOB), offset=(1, UINT64), size=(2, UINT64))

_TENSOR_MAP = Table("TensorMap", name=(0, STRING), tensor_index=(1, UINT32))

MODEL = Table(
    "Model",
    version=(0, UINT32),
    operator_codes=(1, Vector(_OPERATOR_CODE)),
    subgraphs=(2, Vector(_SUBGRAPH)),
    description=(3, STRING),
    buffers=(4, Vector(_BUFFER)),
    metadata_buffer=(5, Vector(INT32)),
    metadata=(6, Vector(Table("Metadata", name=(0, STRING), buffer=(1, UINT32)))),
    signature_defs=(
        7,
        Vector(
            Table(
                "SignatureDef",
                inputs=(0, Vector(_TENSOR_MAP)),
                outputs=(1, Vector(_TENSOR_MAP)),
                signature_key=(2, STRING),
                subgraph_index=(4, UINT32),
            )
        ),
    ),
)
