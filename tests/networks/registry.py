"""How a Keras model becomes a named, cached test network."""

from __future__ import annotations

import functools
import hashlib
import json
import math
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from harness import paths
from harness.zoo import convert
from harness.zoo.quiet import quiet

Builder = Callable[[], bytes]
Build = Callable[["Layers"], Any]
Configure = Callable[[Any, ModuleType], None]

NETWORKS: dict[str, Builder] = {}
REFUSED: list[tuple[str, Builder, str]] = []
C_LIBRARY: set[str] = set()

_SAMPLES = 16


class Layers:
    """The Keras layers that the networks are made of, with weights that keep activations spread."""

    def __init__(self, keras: Any) -> None:
        self.keras = keras
        self.layers = keras.layers

    def model(self, inputs: Any, outputs: Any) -> Any:
        """The network between ``inputs`` and ``outputs``."""
        return self.keras.Model(inputs, outputs)

    def input(self, *shape: int, name: str | None = None) -> Any:
        """An input of batch size 1."""
        return self.keras.Input(shape, batch_size=1, name=name)

    def conv(self, channels: int, size: int | tuple[int, int], **options: Any) -> Any:
        """A 2-D convolution."""
        return self.layers.Conv2D(channels, size, **self._weights("kernel", options), **options)

    def conv1d(self, channels: int, size: int, **options: Any) -> Any:
        """A 1-D convolution."""
        return self.layers.Conv1D(channels, size, **self._weights("kernel", options), **options)

    def depthwise(self, size: int | tuple[int, int], **options: Any) -> Any:
        """A depthwise 2-D convolution; Keras' own scaling takes its input channels for summed and makes it vanish."""
        height, width = (size, size) if isinstance(size, int) else size
        weights = {
            **self._weights("depthwise", options),
            "depthwise_initializer": self.keras.initializers.RandomNormal(stddev=math.sqrt(2 / (height * width))),
        }
        return self.layers.DepthwiseConv2D(size, **weights, **options)

    def dense(self, units: int, **options: Any) -> Any:
        """A fully connected layer."""
        return self.layers.Dense(units, **self._weights("kernel", options), **options)

    def normal(self) -> Any:
        """An initialiser with both signs."""
        return self.keras.initializers.RandomNormal(stddev=0.5)

    def _weights(self, kernel: str, options: dict[str, Any]) -> dict[str, Any]:
        weights: dict[str, Any] = {f"{kernel}_initializer": "he_normal"}
        if options.get("use_bias", True):
            weights["bias_initializer"] = self.keras.initializers.RandomNormal(stddev=0.2)
        return weights


def sequence(value: Any, *layers: Any) -> Any:
    """The layers applied one after the other."""
    for layer in layers:
        value = layer(value)
    return value


def network(
    dtype: convert.Type = "int8", io: convert.Type | None = None, c_library: bool = False
) -> Callable[[Build], Build]:
    """Register a function that builds a Keras model, converted with the project's settings, under its name.

    ``c_library`` says that float results come from the C library's log, sin, cos or tanh.
    """

    def register(build: Build) -> Build:
        NETWORKS[build.__name__] = _cached(build.__name__, lambda: _convert(build, dtype, io))
        if c_library:
            C_LIBRARY.add(build.__name__)
        return build

    return register


def refused(
    fragment: str, dtype: convert.Type = "int8", configure: Configure | None = None
) -> Callable[[Build], Build]:
    """Register a Keras model that must be refused with ``fragment`` in the message.

    ``configure`` sets the converter up in a way that the project's own conversion rules out.
    """

    def register(build: Build) -> Build:
        def make() -> bytes:
            return _convert(build, dtype, None) if configure is None else _convert_otherwise(build, configure)

        REFUSED.append((build.__name__, _cached(build.__name__, make), fragment))
        return build

    return register


def _model(build: Build) -> tuple[Any, int]:
    """The Keras model, and the seed of its weights and samples, which only depends on its name."""
    seed = zlib.crc32(build.__name__.encode())
    return build(Layers(convert.begin(seed))), seed


def _convert(build: Build, dtype: convert.Type, io: convert.Type | None) -> bytes:
    model, seed = _model(build)
    samples = convert.random_samples(_shapes(model), _SAMPLES, seed) if dtype == "int8" else None
    return convert.convert(model, samples, dtype=dtype, io=io)


def _convert_otherwise(build: Build, configure: Configure) -> bytes:
    import tensorflow

    model, seed = _model(build)
    samples = convert.random_samples(_shapes(model), _SAMPLES, seed)
    with quiet():
        converter = tensorflow.lite.TFLiteConverter.from_keras_model(model)
        converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: iter(samples)
        configure(converter, tensorflow)
        return bytes(converter.convert())


def _shapes(model: Any) -> list[list[int]]:
    """The shapes of the inputs, an open batch taken as 1."""
    return [[size or 1 for size in tensor.shape] for tensor in model.inputs]


def _cached(name: str, make: Builder) -> Builder:
    """``make``, or what it made before from the same sources with the same TensorFlow."""

    def cached() -> bytes:
        file = paths.cache_folder() / "test-networks" / _key() / f"{name}.tflite"
        if not file.is_file():
            made = make()
            file.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as partial:
                partial.write(made)
            Path(partial.name).replace(file)
        return file.read_bytes()

    return cached


@functools.cache
def _key() -> str:
    sources = [*sorted(Path(__file__).parent.glob("*.py")), Path(convert.__file__)]
    stated = json.dumps(convert.settings()).encode()
    return hashlib.sha256(b"".join([*(source.read_bytes() for source in sources), stated])).hexdigest()[:16]
