"""Families of small classifiers, built from a handful of numbers: what a search for a network varies.

Keras comes as an argument, from :func:`harness.zoo.convert.begin`, so that importing this costs nothing.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from harness.records import Record

# The numbers that each family is built from, by the fields of Architecture.
FAMILIES: dict[str, tuple[str, ...]] = {
    "dense": ("channels", "depth", "growth"),
    "cnn": ("channels", "depth", "kernel", "stride", "pool", "growth", "head"),
    "ds-cnn": ("channels", "depth", "kernel", "stride", "pool", "growth", "head"),
    "residual": ("channels", "depth", "kernel", "stride", "pool", "growth", "head"),
    "conv1d": ("channels", "depth", "kernel", "stride", "pool", "growth", "head"),
}
# Of the averages that normalisations keep. Keras' own 0.99 has not settled after the hundred steps of a short training,
# by which networks are to be told apart.
_MOMENTUM = 0.9
_IMAGES = ("dense", "cnn", "ds-cnn", "residual")
_SERIES = ("dense", "conv1d")


def families_for(shape: tuple[int, ...]) -> tuple[str, ...]:
    """The families that take inputs of that shape: (height, width, channels), or (time, axes)."""
    return _IMAGES if len(shape) == 3 else _SERIES if len(shape) == 2 else ("dense",)


class Architecture(Record, frozen=True):
    """A network of a family. ``shape`` is that of an input without the batch; the rest as ``optimize.space.Space``.

    Fields that mean nothing for the family, or that change nothing at this depth, are None.
    """

    family: str
    shape: tuple[int, ...]
    classes: int
    channels: int
    depth: int
    growth: float | None
    kernel: int | None = None
    stride: int | None = None
    pool: int | None = None
    head: str | None = None

    @property
    def label(self) -> str:
        """In one line: "cnn channels=8 depth=2 growth=1.5 kernel=3 stride=1 pool=2 head=average"."""
        names = ("channels", "depth", "growth", "kernel", "stride", "pool", "head")
        given = [(name, getattr(self, name)) for name in names]
        return " ".join([self.family, *(f"{name}={_text(value)}" for name, value in given if value is not None)])

    @property
    def widths(self) -> tuple[int, ...]:
        """Filters (or units) of each block."""
        return tuple(max(1, round(self.channels * (self.growth or 1.0) ** block)) for block in range(self.depth))

    def normalised(self) -> Architecture:
        """The same network with what changes nothing left out: growth of a single block, pooling that never happens."""
        changed: dict[str, Any] = {}
        if self.depth == 1:
            changed["growth"] = None
        if self.pool is not None and all(step == 1 for step in self.pools):
            changed["pool"] = None
        if self.head is not None and all(size == 1 for size in self.sizes[-1]):
            changed["head"] = None
        return msgspec.structs.replace(self, **changed)

    @property
    def pools(self) -> tuple[int, ...]:
        """The step behind each block: ``pool`` as long as the smallest side of the map has room for it, then 1."""
        sides = [math.ceil(size / (self.stride or 1)) for size in self.shape[:-1]]
        found = []
        for block in range(self.depth):
            # Blocks with strides do without one in the first block, as the stem has it.
            skipped = self.family == "residual" and block == 0
            step = 1 if skipped or self.pool is None or min(sides, default=0) < 2 * self.pool else self.pool
            found.append(step)
            sides = [_after(side, step, self.family) for side in sides]
        return tuple(found)

    @property
    def sizes(self) -> tuple[tuple[int, ...], ...]:
        """Sides of the map behind the stem or first convolution, and behind each block with its pooling."""
        sides = [math.ceil(size / (self.stride or 1)) for size in self.shape[:-1]]
        found = [tuple(sides)]
        for step in self.pools:
            sides = [_after(side, step, self.family) for side in sides]
            found.append(tuple(sides))
        return tuple(found)


def _after(side: int, step: int, family: str) -> int:
    """Pooling drops what is left over at the edge, a stride with padding does not."""
    return -(-side // step) if family in ("ds-cnn", "residual") else side // step


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def build(keras: Any, chosen: Architecture, batch: int | None = None) -> Any:
    """The Keras model, which ends in a softmax; its weights are those of the seed of :func:`harness.zoo.convert.begin`.

    Convolutions have no bias of their own, a normalisation follows each: the converter folds it into them.
    """
    entry = keras.Input(chosen.shape, batch_size=batch, name="values")
    value = _BUILDERS[chosen.family](keras, chosen, entry)
    return keras.Model(entry, keras.layers.Dense(chosen.classes, activation="softmax", name="classes")(value),
                       name=chosen.family.replace("-", "_"))  # fmt: skip


def _dense(keras: Any, chosen: Architecture, value: Any) -> Any:
    value = keras.layers.Flatten(name="flatten")(value)
    for block, units in enumerate(chosen.widths):
        value = keras.layers.Dense(units, activation="relu", kernel_initializer="he_normal", name=f"dense{block}")(
            value
        )
    return value


def _normalised(keras: Any, value: Any, name: str, active: bool = True) -> Any:
    value = keras.layers.BatchNormalization(momentum=_MOMENTUM, name=f"{name}_norm")(value)
    return keras.layers.ReLU(name=f"{name}_relu")(value) if active else value


def _convolution(
    keras: Any, chosen: Architecture, value: Any, name: str, filters: int, stride: int = 1, kernel: int | None = None,
    active: bool = True,
) -> Any:  # fmt: skip
    layer = keras.layers.Conv1D if len(chosen.shape) == 2 else keras.layers.Conv2D
    made = layer(filters, kernel or chosen.kernel, strides=stride, padding="same", use_bias=False,
                 kernel_initializer="he_normal", name=name)  # fmt: skip
    return _normalised(keras, made(value), name, active)


def _plain(keras: Any, chosen: Architecture, value: Any) -> Any:
    """Convolutions with pooling behind each: families cnn and conv1d."""
    pooling = keras.layers.MaxPooling1D if len(chosen.shape) == 2 else keras.layers.MaxPooling2D
    for block, (filters, step) in enumerate(zip(chosen.widths, chosen.pools, strict=True)):
        stride = chosen.stride if block == 0 and chosen.stride else 1
        value = _convolution(keras, chosen, value, f"conv{block}", filters, stride)
        if step > 1:
            value = pooling(step, name=f"pool{block}")(value)
    return _head(keras, chosen, value)


def _separable(keras: Any, chosen: Architecture, value: Any) -> Any:
    """A convolution, then depthwise-separable blocks."""
    value = _convolution(keras, chosen, value, "stem", chosen.channels, chosen.stride or 1)
    for block, (filters, step) in enumerate(zip(chosen.widths, chosen.pools, strict=True)):
        depthwise = keras.layers.DepthwiseConv2D(
            chosen.kernel, strides=step, padding="same", use_bias=False, depthwise_initializer="he_normal",
            name=f"depthwise{block}",
        )  # fmt: skip
        value = _normalised(keras, depthwise(value), f"depthwise{block}")
        value = _convolution(keras, chosen, value, f"pointwise{block}", filters, kernel=1)
    return _head(keras, chosen, value)


def _residual(keras: Any, chosen: Architecture, value: Any) -> Any:
    """A convolution, then blocks of two with a way around them, a 1x1 convolution where the shape changes."""
    value = _convolution(keras, chosen, value, "stem", chosen.channels, chosen.stride or 1)
    filters = chosen.channels
    for block, (wanted, step) in enumerate(zip(chosen.widths, chosen.pools, strict=True)):
        inner = _convolution(keras, chosen, value, f"block{block}_a", wanted, step)
        inner = _convolution(keras, chosen, inner, f"block{block}_b", wanted, active=False)
        if step > 1 or wanted != filters:
            value = _convolution(keras, chosen, value, f"block{block}_way", wanted, step, kernel=1, active=False)
        value = keras.layers.ReLU(name=f"block{block}_relu")(keras.layers.Add(name=f"block{block}_add")([value, inner]))
        filters = wanted
    return _head(keras, chosen, value)


def _head(keras: Any, chosen: Architecture, value: Any) -> Any:
    sides = tuple(int(side) for side in value.shape[1:-1])
    if chosen.head == "average" and max(sides) > 1:
        pooling = keras.layers.AveragePooling1D if len(sides) == 1 else keras.layers.AveragePooling2D
        value = pooling(sides[0] if len(sides) == 1 else sides, name="average")(value)
    return keras.layers.Flatten(name="flatten")(value)


_BUILDERS = {"dense": _dense, "cnn": _plain, "conv1d": _plain, "ds-cnn": _separable, "residual": _residual}
