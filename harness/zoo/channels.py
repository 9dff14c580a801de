"""Which channels of a Keras network can be removed or added without changing what the rest of it computes.

Channels that are made by one layer form a group. Groups follow their channels through the layers that treat each
channel by itself (depthwise convolutions, normalisation, activations, pooling, padding), through Flatten and through
concatenation. Channels that meet in an element-wise operation (a residual addition, for example) become one group, so
they stay aligned. Whatever this module does not know keeps all channels that go in and come out: they are *fixed*, with
the reason.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any, NamedTuple

from harness.errors import BadInputError
from harness.records import Record

# Activations that compute each channel by itself.
ELEMENTWISE = frozenset(
    {
        *("elu", "exponential", "gelu", "hard_sigmoid", "hard_silu", "leaky_relu", "linear", "mish", "relu", "relu6"),
        *("selu", "sigmoid", "silu", "softplus", "softsign", "tanh"),
    }
)
_PRODUCERS = ("Conv1D", "Conv2D", "Dense")
_DEPTHWISE = ("DepthwiseConv1D", "DepthwiseConv2D")
_CHANNEL_BY_CHANNEL = (
    *("ReLU", "LeakyReLU", "ELU", "Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianNoise"),
    *("MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D"),
    *("GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalAveragePooling1D", "GlobalAveragePooling2D"),
    *("ZeroPadding1D", "ZeroPadding2D", "Cropping1D", "Cropping2D", "UpSampling1D", "UpSampling2D"),
)
_MERGES = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")


class Segment(NamedTuple):
    """A stretch of a tensor's last axis: all channels of ``group`` in order, each ``each`` times in a row."""

    group: int
    each: int


Axis = tuple[Segment, ...]


class Group(Record, frozen=True):
    """Channels that stay or go together.

    ``size`` is their number, ``layers`` names the layers whose filters or units they are, in the network's order;
    ``fixed`` is why they must all stay, None where they need not.
    """

    size: int
    layers: tuple[str, ...]
    fixed: str | None


class Step(Record, frozen=True):
    """What a layer does to channels: the last axes of its first input and of its output.

    ``kind`` is "producer" (Conv, Dense), "depthwise", "normalisation", "flatten" or "other" (weights stay as they are).
    """

    kind: str
    input: Axis
    output: Axis


class Layout(Record, frozen=True):
    """The groups by number, and what each layer of the network does, by its name."""

    groups: dict[int, Group]
    steps: dict[str, Step]

    @property
    def free(self) -> dict[int, Group]:
        """The groups whose size may change."""
        return {number: group for number, group in self.groups.items() if group.fixed is None}

    def positions(self, axis: Axis, kept: dict[int, list[int]]) -> list[int]:
        """Old positions along an axis in their new order, -1 for a new one; ``kept`` has those of each group."""
        found: list[int] = []
        start = 0
        for group, each in axis:
            size = self.groups[group].size
            for channel in kept.get(group, range(size)):
                found += [-1 if channel < 0 else start + channel * each + copy for copy in range(each)]
            start += size * each
        return found


def functional(keras: Any, model: Any) -> Any:
    """The same layers as a functional model.

    Raises:
        BadInputError: a subclassed model, or one without inputs.
    """
    if isinstance(model, keras.Sequential) and model.built and model.inputs:
        return keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    if isinstance(model, keras.Model) and getattr(model, "inputs", None) and hasattr(model, "operations"):
        return keras.Model(model.input, model.output, name=model.name)
    name = getattr(model, "name", type(model).__name__)
    raise BadInputError(
        f"{name!r} is no functional or Sequential Keras network with an Input",
        "build it with keras.Input(shape, batch_size=1) and keras.Model or keras.Sequential",
    )


def analyse(keras: Any, model: Any) -> Layout:
    """Follow the channels of a functional model from its inputs to its outputs."""
    return _Analysis(keras, model).layout()


class _Analysis:
    def __init__(self, keras: Any, model: Any) -> None:
        self._keras = keras
        self._parents: list[int] = []
        self._sizes: list[int] = []
        self._producers: list[list[str]] = []
        self._fixed: list[str | None] = []
        self._axes: dict[int, Axis] = {}  # by identity of the tensor
        self._steps: dict[str, Step] = {}
        depths = model._nodes_by_depth
        nodes = [node for depth in sorted(depths, reverse=True) for node in depths[depth]]
        uses = Counter(id(node.operation) for node in nodes)
        for node in nodes:
            self._visit(node, uses[id(node.operation)] > 1)
        for tensor in model.outputs:
            for group, _ in self._axes[id(tensor)]:  # whatever else fixes them, this is the reason to name
                self._fixed[self._root(group)] = "its channels are the network's output"

    def layout(self) -> Layout:
        def settled(axis: Axis) -> Axis:
            return tuple(Segment(self._root(group), each) for group, each in axis)

        groups = {
            number: Group(size=self._sizes[number], layers=tuple(self._producers[number]), fixed=self._fixed[number])
            for number in range(len(self._parents))
            if self._root(number) == number
        }
        steps = {
            name: Step(kind=step.kind, input=settled(step.input), output=settled(step.output))
            for name, step in self._steps.items()
        }
        return Layout(groups=groups, steps=steps)

    def _visit(self, node: Any, shared: bool) -> None:
        layer = node.operation
        inputs = [self._axes[id(tensor)] for tensor in node.input_tensors]
        step = None if shared or node.is_input else self._follow(layer, inputs, node)
        if step is None:
            step = self._leave_alone(layer, inputs, node, shared)
        self._axes[id(node.outputs[0])] = step.output
        self._steps[layer.name] = step

    def _leave_alone(self, layer: Any, inputs: list[Axis], node: Any, shared: bool) -> Step:
        """Fix all channels that go into a layer and that come out of it."""
        reason = f"{layer.name!r} is used several times" if shared else f"{layer.name!r} needs all of its channels"
        for axis in inputs:
            self._fix(axis, reason)
        for tensor in node.outputs:
            size = (tensor.shape or (1,))[-1]
            has_width = hasattr(layer, "units") or hasattr(layer, "filters")
            self._axes[id(tensor)] = self._group(1 if size is None else size, layer.name if has_width else None, reason)
        return Step(kind="other", input=inputs[0] if inputs else (), output=self._axes[id(node.outputs[0])])

    def _follow(self, layer: Any, inputs: list[Axis], node: Any) -> Step | None:
        """What a layer does to channels, or None where that is not known."""
        name = type(layer).__name__
        # A user's own class may compute something else than the layer that it is derived from or named after.
        if type(layer) is not getattr(self._keras.layers, name, None):
            return None
        if getattr(layer, "data_format", "channels_last") != "channels_last":
            return None
        first, shape = inputs[0], node.input_tensors[0].shape
        if name in _PRODUCERS:
            return self._producer(layer, first)
        if name in _DEPTHWISE:
            output = tuple(Segment(group, each * layer.depth_multiplier) for group, each in first)
            return self._activated(layer, Step(kind="depthwise", input=first, output=output))
        if name == "BatchNormalization":
            last = layer.axis in (-1, len(shape) - 1)
            return Step(kind="normalisation", input=first, output=first) if last else None
        if name in _CHANNEL_BY_CHANNEL or (name == "Activation" and _elementwise(layer)):
            return Step(kind="other", input=first, output=first)
        if name == "Flatten" or (name == "Reshape" and len(node.outputs[0].shape) == 2):
            return Step(kind="flatten", input=first, output=first * math.prod(shape[1:-1]))
        if name in _MERGES:
            return self._merge(layer, inputs, "meets")
        if name == "Concatenate":
            if layer.axis in (-1, len(shape) - 1):
                return Step(kind="other", input=first, output=tuple(part for axis in inputs for part in axis))
            return self._merge(layer, inputs, "is concatenated with")
        return None

    def _producer(self, layer: Any, first: Axis) -> Step | None:
        if getattr(layer, "groups", 1) != 1 or {variable.name for variable in layer.weights} - {"kernel", "bias"}:
            return None
        size = layer.units if hasattr(layer, "units") else layer.filters
        return self._activated(layer, Step(kind="producer", input=first, output=self._group(size, layer.name, None)))

    def _activated(self, layer: Any, step: Step) -> Step:
        if not _elementwise(layer):
            self._fix(step.output, f"the activation of {layer.name!r} needs all of its channels")
        return step

    def _merge(self, layer: Any, inputs: list[Axis], how: str) -> Step:
        """Make the inputs' channels one group where they correspond one to one, else fix them all."""
        first = inputs[0]
        for other in inputs[1:]:
            same = len(first) == len(other) and all(
                (a.each, self._sizes[self._root(a.group)]) == (b.each, self._sizes[self._root(b.group)])
                for a, b in zip(first, other, strict=False)
            )
            if not same:
                for axis in inputs:
                    self._fix(axis, f"in {layer.name!r} it {how} channels that are arranged otherwise")
                break
            for a, b in zip(first, other, strict=True):
                self._unite(a.group, b.group)
        # Broadcasting one channel over many: the output has the channels of the longest.
        longest = max(inputs, key=lambda axis: sum(self._sizes[self._root(part.group)] * part.each for part in axis))
        return Step(kind="other", input=first, output=longest)

    def _group(self, size: int, producer: str | None, fixed: str | None) -> Axis:
        self._parents.append(len(self._parents))
        self._sizes.append(size)
        self._producers.append([] if producer is None else [producer])
        self._fixed.append(fixed)
        return (Segment(len(self._parents) - 1, 1),)

    def _root(self, group: int) -> int:
        while self._parents[group] != group:
            group = self._parents[group]
        return group

    def _unite(self, first: int, second: int) -> None:
        keep, drop = self._root(first), self._root(second)
        if keep == drop:
            return
        self._parents[drop] = keep
        self._producers[keep] += self._producers[drop]
        if self._fixed[drop] is not None and self._fixed[keep] is None:
            self._fixed[keep] = f"it meets channels that are fixed: {self._fixed[drop]}"

    def _fix(self, axis: Axis, reason: str) -> None:
        for group, _ in axis:
            root = self._root(group)
            if self._fixed[root] is None:
                self._fixed[root] = reason


def _elementwise(layer: Any) -> bool:
    return getattr(layer.activation, "__name__", None) in ELEMENTWISE
