"""Networks that must be refused, with a fragment of the message that says why."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from tests.networks.registry import Layers, refused, sequence


def as_default(converter: Any, tensorflow: ModuleType) -> None:
    """int8 as the project does it, for models that its own conversion does not take."""
    converter.target_spec.supported_ops = [tensorflow.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tensorflow.int8


def with_uint8(converter: Any, tensorflow: ModuleType) -> None:
    """uint8 inputs and outputs of an int8 network."""
    converter.target_spec.supported_ops = [tensorflow.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tensorflow.uint8


def with_int16(converter: Any, tensorflow: ModuleType) -> None:
    """int16 activations, int8 weights."""
    mode = tensorflow.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    converter.target_spec.supported_ops = [mode]
    converter.inference_input_type = converter.inference_output_type = tensorflow.int16


def with_dynamic_range(converter: Any, tensorflow: ModuleType) -> None:
    """int8 weights, float activations."""
    converter.representative_dataset = None


def with_float16(converter: Any, tensorflow: ModuleType) -> None:
    """float16 weights, float32 activations."""
    converter.representative_dataset = None
    converter.target_spec.supported_types = [tensorflow.float16]


def with_flex(converter: Any, tensorflow: ModuleType) -> None:
    """TensorFlow's own operators beside the builtins."""
    converter.optimizations = []
    converter.representative_dataset = None
    converter.target_spec.supported_ops = [
        tensorflow.lite.OpsSet.TFLITE_BUILTINS,
        tensorflow.lite.OpsSet.SELECT_TF_OPS,
    ]


@refused("operator 1 (SHAPE) is not supported", configure=as_default)
def dynamic_batch(k: Layers) -> Any:
    image = k.keras.Input((8, 8, 1))
    return k.model(image, sequence(image, k.conv(4, 3, activation="relu"), k.layers.Flatten(), k.dense(3)))


@refused("uint8 tensors are not supported", configure=with_uint8)
def uint8_io(k: Layers) -> Any:
    image = k.input(8, 8, 1)
    return k.model(image, sequence(image, k.conv(4, 3, activation="relu"), k.layers.Flatten(), k.dense(3)))


@refused("is int16, expected float32 or int8", configure=with_int16)
def int16_activations(k: Layers) -> Any:
    image = k.input(8, 8, 1)
    return k.model(image, sequence(image, k.conv(4, 3, activation="relu"), k.layers.Flatten(), k.dense(3)))


@refused("float32 activations with int8 weights (hybrid)", configure=with_dynamic_range)
def dynamic_range_conv(k: Layers) -> Any:
    image = k.input(20, 20, 4)
    return k.model(image, sequence(image, k.conv(16, 3, activation="relu"), k.conv(8, 3)))


@refused("float32 activations with int8 weights (hybrid)", configure=with_dynamic_range)
def dynamic_range_dense(k: Layers) -> Any:
    vector = k.input(64)
    return k.model(vector, sequence(vector, k.dense(64, activation="relu"), k.dense(64)))


@refused("float16 tensors are not supported", configure=with_float16)
def float16_weights(k: Layers) -> Any:
    image = k.input(8, 8, 1)
    return k.model(image, sequence(image, k.conv(4, 3, activation="relu"), k.layers.Flatten(), k.dense(3)))


@refused("custom operator FlexErf is not supported", dtype="float32", configure=with_flex)
def flex_operator(k: Layers) -> Any:
    vector = k.input(6)
    return k.model(vector, k.keras.ops.erf(k.dense(4)(vector)))


@refused("operator 0 (TRANSPOSE_CONV) is not supported")
def transposed_convolution(k: Layers) -> Any:
    image = k.input(5, 5, 3)
    return k.model(image, k.layers.Conv2DTranspose(4, 3, strides=2, padding="same")(image))


@refused("operator 1 (LEAKY_RELU) is not supported")
def leaky_relu(k: Layers) -> Any:
    image = k.input(6, 6, 3)
    return k.model(image, sequence(image, k.conv(4, 3), k.layers.LeakyReLU(0.1)))


@refused("operator 2 (ELU) is not supported")
def elu(k: Layers) -> Any:
    vector = k.input(6)
    return k.model(vector, k.dense(4, activation="elu")(vector))


@refused("operator 1 (HARD_SWISH) is not supported")
def hard_swish(k: Layers) -> Any:
    image = k.input(6, 6, 3)
    return k.model(image, sequence(image, k.conv(4, 3), k.layers.Activation("hard_swish")))


@refused("operator 2 (TILE) is not supported")
def repeated_vector(k: Layers) -> Any:
    vector = k.input(6)
    return k.model(vector, k.layers.RepeatVector(3)(k.dense(4)(vector)))


@refused("operator 1 (REDUCE_MAX) is not supported")
def global_maximum(k: Layers) -> Any:
    image = k.input(6, 6, 3)
    return k.model(image, sequence(image, k.conv(4, 3), k.layers.GlobalMaxPooling2D(), k.dense(2)))


@refused("operator 1 (RESIZE_BILINEAR) is not supported")
def bilinear_upsampling(k: Layers) -> Any:
    image = k.input(6, 6, 3)
    return k.model(image, sequence(image, k.conv(4, 3), k.layers.UpSampling2D(2, interpolation="bilinear")))


@refused("operator 1 (TRANSPOSE) is not supported")
def permuted(k: Layers) -> Any:
    image = k.input(6, 5, 3)
    return k.model(image, sequence(image, k.conv(4, 3), k.layers.Permute((2, 1, 3))))


@refused("operator 5 (BATCH_MATMUL) is not supported")
def attention(k: Layers) -> Any:
    rows = k.input(6, 4)
    return k.model(rows, k.layers.Attention()([k.conv1d(4, 1)(rows), k.conv1d(4, 1)(rows)]))


@refused("2 (SELECT)", dtype="float32")
def embedding(k: Layers) -> Any:
    indices = k.keras.Input((5,), batch_size=1, dtype="int32")
    return k.model(indices, k.layers.Embedding(10, 4)(indices))


@refused("operator 0 (FULLY_CONNECTED): the input's dimensions (1x5x8) are kept")
def dense_on_rows(k: Layers) -> Any:
    """A fully connected layer whose output has rank 3."""
    rows = k.input(5, 8)
    return k.model(rows, k.dense(4)(rows))


@refused("mean of 1x9x4 over axes [1]", dtype="float32")
def float_mean_of_rank_3(k: Layers) -> Any:
    rows = k.input(9, 4)
    return k.model(rows, k.dense(3)(k.layers.GlobalAveragePooling1D()(rows)))


@refused("(SQUARED_DIFFERENCE) is not supported")
def layer_normalisation(k: Layers) -> Any:
    vector = k.input(12)
    return k.model(vector, k.layers.LayerNormalization()(k.dense(8)(vector)))


@refused("nobody reads it (invalid lifetime)", dtype="float32")
def lstm_unrolled(k: Layers) -> Any:
    """Leaves an operator output that nothing reads: "invalid lifetime" in this TFLM."""
    rows = k.input(3, 4)
    return k.model(rows, k.layers.LSTM(6, unroll=True)(rows))


@refused("(CONV_3D) is not supported")
def conv3d(k: Layers) -> Any:
    volume = k.input(5, 5, 5, 1)
    return k.model(volume, k.layers.Conv3D(2, 3)(volume))


@refused("3 subgraphs, this TFLM runs exactly one", dtype="float32")
def lstm(k: Layers) -> Any:
    """A loop: WHILE with subgraphs of its own."""
    rows = k.input(3, 4)
    return k.model(rows, k.layers.LSTM(6)(rows))


@refused("(RELU): input and output have different scales")
def relu_of_another_scale(k: Layers) -> Any:
    """This TFLM's int8 RELU clamps without rescaling."""
    image = k.input(8, 8, 3)
    joined = k.layers.Concatenate()([k.conv(4, 3)(image), k.conv(3, 3)(image)])
    return k.model(image, k.conv(2, 1)(k.layers.ReLU()(joined)))


@refused("(RELU6): input and output have different scales")
def relu6_of_another_scale(k: Layers) -> Any:
    """This TFLM's int8 RELU6 clamps without rescaling."""
    image = k.input(8, 8, 3)
    value = k.conv(4, 3)(image)
    return k.model(image, [value, k.layers.ReLU(6.0)(value)])


@refused("weights of 2 channels for an input of 4")
def grouped_convolution(k: Layers) -> Any:
    """A filter of half the input's channels: this TFLM would read beyond it."""
    image = k.input(8, 8, 3)
    return k.model(image, sequence(image, k.conv(4, 3), k.conv(4, 3, groups=2)))


@refused("half_pixel_centers")
def nearest_resize(k: Layers) -> Any:
    """Half-pixel centres, which this TFLM does not know."""
    image = k.input(8, 8, 3)
    return k.model(image, k.keras.ops.image.resize(k.conv(4, 3)(image), (9, 9), interpolation="nearest"))


@refused("(LOG): tensor")
def int8_logarithm(k: Layers) -> Any:
    vector = k.input(12)
    return k.model(vector, k.keras.ops.log(k.dense(5, activation="sigmoid")(vector)))


@refused("(ABS): tensor")
def int8_absolute_value(k: Layers) -> Any:
    vector = k.input(12)
    return k.model(vector, k.keras.ops.abs(k.dense(5)(vector)))


@refused("at most 4 dimensions")
def multiplication_of_rank_5(k: Layers) -> Any:
    """Broadcast operands of more than four dimensions overrun this TFLM's shapes."""
    vector = k.input(24)
    value = k.layers.Reshape((2, 2, 3, 2))(k.dense(24)(vector))
    return k.model(vector, k.layers.Multiply()([value, k.layers.Reshape((1, 1, 3, 2))(k.dense(6)(vector))]))


@refused("(SPLIT_V) is not supported")
def uneven_split(k: Layers) -> Any:
    image = k.input(6, 6, 3)
    return k.model(image, k.keras.ops.split(k.conv(6, 3)(image), [1, 3], axis=-1))


@refused("(MIRROR_PAD) is not supported")
def mirrored_padding(k: Layers) -> Any:
    image = k.input(6, 6, 3)
    widths = [[0, 0], [1, 1], [1, 1], [0, 0]]
    return k.model(image, k.keras.ops.pad(k.conv(6, 3)(image), widths, mode="reflect"))


@refused("(GELU) is not supported")
def gelu(k: Layers) -> Any:
    vector = k.input(6)
    return k.model(vector, k.dense(4, activation="gelu")(vector))
