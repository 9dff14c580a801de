"""The one place where Keras networks become .tflite files that the packaged TFLM (July 2020) runs.

Every setting that matters to that runtime is stated by :func:`settings` and stored with what was converted:

- ``from_keras_model``: converting from concrete functions leaves READ_VARIABLE operators behind.
- a fixed batch of 1: an unknown batch makes the converter compute shapes at run time (SHAPE, STRIDED_SLICE, PACK).
- resource variables off: TFLM of July 2020 has no VAR_HANDLE.
- full-integer post-training quantisation with int8 activations and per-channel weights. Weights of dense layers stay
  per-channel, the converter's default; the firmware has its own kernel for them.

TensorFlow is imported by the functions, never by the module.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from harness.errors import BadInputError, HarnessError, MissingToolError
from harness.operators_node import HYBRID
from harness.zoo.quiet import quiet, text_of

Type = Literal["int8", "float32"]
Array = npt.NDArray[Any]
Sample = Array | Sequence[Array]

_TYPES = ("int8", "float32")
_DISTRIBUTIONS = ("tensorflow", "tensorflow-cpu")


def tensorflow_version() -> str | None:
    """The installed TensorFlow's version without importing it, or None where there is none."""
    for distribution in _DISTRIBUTIONS:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(distribution)
    return None


def begin(seed: int) -> Any:
    """Import TensorFlow without its log, start a fresh Keras session with fixed seeds and return the ``keras`` module.

    Networks built after it have the same initial weights and the same layer names, hence the same .tflite, every time.

    Raises:
        MissingToolError: TensorFlow is not installed.
    """
    tensorflow = _tensorflow()
    keras = tensorflow.keras
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    tensorflow.config.experimental.enable_op_determinism()
    return keras


def random_samples(shapes: Sequence[Sequence[int]], count: int, seed: int) -> list[list[Array]]:
    """``count`` samples, each with a float32 array of values in [-1, 1) for every shape.

    Every channel (the last axis) of every sample is uniform between bounds of its own, so that averages over an image
    differ between samples as they do between real images.
    """
    generator = np.random.default_rng(seed)

    def array(shape: Sequence[int]) -> Array:
        bounds = np.sort(generator.uniform(-1.0, 1.0, size=(2, shape[-1])), axis=0)
        return generator.uniform(bounds[0], bounds[1], size=tuple(shape)).astype(np.float32)

    return [[array(shape) for shape in shapes] for _ in range(count)]


def check_types(dtype: str, io: str | None) -> Type:
    """The type of inputs and outputs; ``io`` of None is the same as ``dtype``.

    Raises:
        BadInputError: a type that the packaged TFLM cannot run, or integer inputs of a float network.
    """
    io = io or dtype
    if dtype == "hybrid":
        raise BadInputError(f"the type is hybrid: {HYBRID}", 'take "int8", weights and activations, or "float32"')
    for role, value in (("dtype", dtype), ("io", io)):
        if value not in _TYPES:
            raise BadInputError(f"{role} is {value!r}", f"the packaged TFLM runs {' and '.join(_TYPES)} networks")
    if dtype == "float32" and io != "float32":
        raise BadInputError(f"a float32 network cannot have {io} inputs and outputs", 'leave io out, or set "float32"')
    return "float32" if io == "float32" else "int8"


def settings(dtype: Type = "int8", io: Type | None = None, per_channel_dense: bool = True) -> dict[str, Any]:
    """The converter's settings, as stored with a converted network; ``io`` of None is the same as ``dtype``.

    ``per_channel_dense`` false gives the weights of a dense layer one scale, as converters did up to 2021.

    Raises:
        BadInputError: a type that the packaged TFLM cannot run, or integer inputs of a float network.
        MissingToolError: TensorFlow is not installed.
    """
    io = check_types(dtype, io)
    version = tensorflow_version()
    if version is None:
        raise _missing()
    quantised = dtype == "int8"
    return {
        "converter": "tf.lite.TFLiteConverter.from_keras_model",
        "tensorflow": version,
        "keras": importlib.metadata.version("keras"),
        "dtype": dtype,
        "io": io,
        "optimizations": ["DEFAULT"] if quantised else [],
        "supported_ops": ["TFLITE_BUILTINS_INT8"] if quantised else ["TFLITE_BUILTINS"],
        "per_channel_weights": quantised,
        "per_channel_dense_weights": quantised and per_channel_dense,
        "resource_variables": False,
    }


def convert(
    model: Any,
    representative: Iterable[Sample] | None,
    *,
    dtype: Type = "int8",
    io: Type | None = None,
    per_channel_dense: bool = True,
) -> bytes:
    """Convert a Keras model to the bytes of a .tflite file; the same model and samples give the same bytes.

    Where a model has several inputs or outputs, the converter chooses their order in the file.

    Args:
        model: a ``keras.Model`` whose inputs have batch size 1 (``Input(batch_size=1)``).
        representative: what the activations' ranges are measured on. Each sample is a float32 array of shape (1, ...),
            or a sequence of them in the order of ``model.inputs``. Needed for int8, not used for float32.
        dtype: type of weights and activations.
        io: type of inputs and outputs; "float32" gives an int8 network QUANTIZE and DEQUANTIZE at its ends.
        per_channel_dense: whether each output of a dense layer has a scale of its own.

    Raises:
        BadInputError: an unusable type, batch size, representative sample, or a network that cannot be converted.
        MissingToolError: TensorFlow is not installed.
    """
    stated = settings(dtype, io, per_channel_dense)
    tensorflow = _tensorflow()
    shapes = _input_shapes(model)
    converter = tensorflow.lite.TFLiteConverter.from_keras_model(model)
    converter.experimental_enable_resource_variables = stated["resource_variables"]
    converter.optimizations = [getattr(tensorflow.lite.Optimize, name) for name in stated["optimizations"]]
    converter.target_spec.supported_ops = [getattr(tensorflow.lite.OpsSet, name) for name in stated["supported_ops"]]
    if dtype == "int8":
        # The only way to say it; the converter's default is one scale a channel.
        converter._experimental_disable_per_channel_quantization_for_dense_layers = not per_channel_dense
        if _loops(tensorflow.keras, model):
            raise BadInputError(
                f"{model.name!r} has a recurrent layer that runs as a loop",
                "set unroll=True: TensorFlow's calibrator crashes the process on loops, and the packaged TFLM has none",
            )
        samples = _samples(model, shapes, representative)
        converter.representative_dataset = lambda: iter(samples)
        converter.inference_input_type = converter.inference_output_type = getattr(tensorflow, stated["io"])
    with quiet() as log:
        try:
            return bytes(converter.convert())
        except Exception as error:  # the converter raises its own, RuntimeError and ValueError alike
            raise BadInputError(
                f"TensorFlow cannot convert {model.name!r} to {dtype}: {_first_line(error)}",
                "use layers that have a TensorFlow Lite builtin",
                detail=f"{error}\n{text_of(log)}",
            ) from error


def _tensorflow() -> Any:
    """Import TensorFlow with its log off and with float results that do not depend on the CPU's vector extensions."""
    if "tensorflow" not in sys.modules:
        if tensorflow_version() is None:
            raise _missing()
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    with quiet() as log:
        try:
            import tensorflow
        except ImportError as error:
            raise HarnessError(
                f"TensorFlow is installed but cannot be imported: {_first_line(error)}", detail=text_of(log)
            ) from error
    return tensorflow


def _missing() -> MissingToolError:
    return MissingToolError("TensorFlow is not installed", "pip install 'tflm-harness[zoo]'")


def _input_shapes(model: Any) -> list[tuple[int, ...]]:
    shapes = [tuple(tensor.shape) for tensor in model.inputs]
    for tensor, shape in zip(model.inputs, shapes, strict=True):
        if shape[0] != 1 or None in shape:
            raise BadInputError(
                f"input {tensor.name!r} of {model.name!r} has shape {shape}",
                "give the batch and every other dimension a size: Input(shape, batch_size=1)",
            )
    return shapes


def _loops(keras: Any, layer: Any) -> bool:
    """Whether the layer, or one within it (models, wrappers, bidirectional layers), becomes a WHILE operator."""
    if isinstance(layer, keras.layers.RNN):
        return not layer.unroll
    inner = [*getattr(layer, "layers", ()), getattr(layer, "layer", None), getattr(layer, "forward_layer", None)]
    return any(_loops(keras, child) for child in inner if child is not None)


def _samples(
    model: Any, shapes: list[tuple[int, ...]], representative: Iterable[Sample] | None
) -> list[list[Array] | dict[str, Array]]:
    """The samples as the converter wants them: a list for one input, by name for several (it reorders the inputs)."""
    names = [tensor.name for tensor in model.inputs]
    samples: list[list[Array] | dict[str, Array]] = []
    for number, sample in enumerate(() if representative is None else representative):
        arrays = [np.asarray(a, np.float32) for a in ([sample] if isinstance(sample, np.ndarray) else sample)]
        found = [array.shape for array in arrays]
        if found != shapes:
            raise BadInputError(f"representative sample {number} has shapes {found}, {model.name!r} needs {shapes}")
        samples.append(arrays if len(arrays) == 1 else dict(zip(names, arrays, strict=True)))
    if not samples:
        raise BadInputError(
            f"no representative samples to quantise {model.name!r} with",
            "pass some tens of typical inputs, as float32 arrays of shape (1, ...)",
        )
    return samples


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
