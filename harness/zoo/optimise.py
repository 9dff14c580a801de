"""Ways to make a Keras network smaller or a better fit for the kernels; each takes a network and returns a new one.

They work on functional and Sequential networks, a user's own included, and copy what stays: the network that is given,
its batch size and its layers' names remain. What a layer's channels are bound to is found by
:mod:`harness.zoo.channels`.

Keras comes as an argument, from :func:`harness.zoo.convert.begin`, so that importing this costs nothing.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from harness.errors import BadInputError
from harness.records import Record
from harness.zoo.channels import Group, Layout, analyse, functional
from harness.zoo.magnitude import FineTuning, Schedule, fine_tune, kernels, prune_magnitude, zeros
from harness.zoo.resize import resize, with_batch

__all__ = [
    "Change",
    "FineTuning",
    "Schedule",
    "changes",
    "correct",
    "fine_tune",
    "fixed",
    "macs",
    "prune_channels",
    "prune_magnitude",
    "round_channels",
    "summary",
    "with_batch",
    "zeros",
]

Array = npt.NDArray[Any]

_IMAGES_AT_ONCE = 256


class Change(Record, frozen=True):
    """A layer's number of filters or units, before and after."""

    layer: str
    before: int
    after: int


def prune_channels(keras: Any, model: Any, share: float, multiple_of: int = 1) -> Any:
    """A copy of a network without the weakest filters and units: its layers are really narrower.

    From each group of channels the round(share x size) with the smallest L1 norm go (Li et al., "Pruning Filters for
    Efficient ConvNets", 2017; here with the bias, so that a filter that is all zero goes first). They are taken out of
    the layer that makes them, of what follows (depthwise kernels, normalisations) and of the kernels that read them.
    Channels that meet in an addition go together, by the sum of their norms. The network's outputs, and channels that
    a layer needs for another reason, stay; :func:`fixed` names them.

    Args:
        keras: from :func:`harness.zoo.convert.begin`.
        model: a functional or Sequential network.
        share: above 0 and below 1. At least one channel of each group stays.
        multiple_of: fewer go where that makes the number of those that stay a multiple of it.

    Raises:
        BadInputError: an unusable network or share, or no channel can go.
    """
    if not 0.0 < share < 1.0:
        raise BadInputError(f"a share of {share} of the channels", "give a share above 0 and below 1, such as 0.5")
    source, layout = _laid_out(keras, model, multiple_of)
    kept = {}
    for number, group in layout.free.items():
        stay = max(1, group.size - int(share * group.size + 0.5))
        kept[number] = _strongest(source, group, min(group.size, _up(stay, multiple_of)))
    if all(len(channels) == layout.groups[number].size for number, channels in kept.items()):
        sizes = ", ".join(f"{group.layers[0]} {group.size}" for group in layout.free.values())
        raise BadInputError(
            f"a share of {share} removes no channel of {source.name!r} ({sizes}; multiples of {multiple_of})",
            "give a larger share",
        )
    return resize(keras, source, layout, kept)


def round_channels(keras: Any, model: Any, multiple_of: int = 4, direction: Literal["up", "down"] = "up") -> Any:
    """A copy of a network whose layers have multiples of ``multiple_of`` channels, where they are free to.

    "up" adds channels whose weights are zeros, in their own layer and in those that read them: the outputs stay the
    same, in int8 bit for bit, and the network is larger. CMSIS-NN's kernels work on four channels at a time; whether
    that pays depends on the layer (depthwise and pointwise convolutions take fewer instructions with 16 channels than
    with 15, but more than with 14; a 3x3 convolution took more than with 13 to 15): measure.

    "down" removes the weakest, as :func:`prune_channels` does; groups with fewer than ``multiple_of`` go up. Where all
    are multiples already, the copy is equal.

    Raises:
        BadInputError: an unusable network, multiple or direction, or no layer's number of channels is free.
    """
    if direction not in ("up", "down"):
        raise BadInputError(f"a direction of {direction!r}", 'give "up" or "down"')
    source, layout = _laid_out(keras, model, multiple_of)
    kept = {}
    for number, group in layout.free.items():
        if direction == "down" and group.size >= multiple_of:
            kept[number] = _strongest(source, group, group.size - group.size % multiple_of)
        else:
            kept[number] = [*range(group.size), *[-1] * (_up(group.size, multiple_of) - group.size)]
    return resize(keras, source, layout, kept)


def changes(before: Any, after: Any) -> tuple[Change, ...]:
    """The layers whose number of filters or units differs between two versions of a network."""
    pairs = [(layer.name, _width(layer), _width(after.get_layer(layer.name))) for layer in before.layers]
    return tuple(
        Change(layer=name, before=old, after=new)
        for name, old, new in pairs
        if old is not None and new is not None and old != new
    )


def fixed(keras: Any, model: Any) -> dict[str, str]:
    """Layers whose number of filters or units cannot change, and why.

    Raises:
        BadInputError: a subclassed model, or one without inputs.
    """
    groups = analyse(keras, functional(keras, model)).groups.values()
    return {layer: group.fixed for group in groups if group.fixed is not None for layer in group.layers}


def macs(keras: Any, model: Any) -> int:
    """Multiply-accumulates of one sample in convolutions, depthwise convolutions and dense layers."""
    positions = {layer.name: math.prod(layer.output.shape[1:-1]) for layer in functional(keras, model).layers}
    return sum(positions[name] * math.prod(kernel.shape) for name, kernel in kernels(keras, model))


def summary(keras: Any, before: Any, after: Any) -> str:
    """What an optimisation has changed, in one line: widths, zeros, multiply-accumulates."""
    parts = [f"{change.layer} {change.before} to {change.after}" for change in changes(before, after)]
    text = ", ".join(parts) or "same widths"
    old, new = macs(keras, before), macs(keras, after)
    text += f"; {old:,} to {new:,} MACs" if old != new else f"; {old:,} MACs"
    weights, empty = 0, 0
    for _, kernel in kernels(keras, after):
        weights += math.prod(kernel.shape)
        empty += int(np.sum(kernel.numpy() == 0.0))
    return text + (f"; {empty:,} of {weights:,} weights 0" if empty else "")


def correct(keras: Any, model: Any, inputs: Array, labels: Array) -> int:
    """How many of ``inputs`` (count, ...) the network classifies as ``labels`` (count,) say, in float32."""
    network = with_batch(keras, model, None)
    found = 0
    # Not predict(), which traces a graph for each network, and has TensorFlow warn of it.
    for start in range(0, len(inputs), _IMAGES_AT_ONCE):
        part = slice(start, start + _IMAGES_AT_ONCE)
        outputs = np.asarray(network(inputs[part], training=False))
        found += int(np.sum(np.argmax(outputs, axis=-1) == labels[part]))
    return found


def _laid_out(keras: Any, model: Any, multiple_of: int) -> tuple[Any, Layout]:
    if multiple_of < 1:
        raise BadInputError(f"multiples of {multiple_of} channels", "give a whole number from 1 up, such as 4")
    source = functional(keras, model)
    layout = analyse(keras, source)
    if not layout.free:
        reasons = [f"{layer}: {group.fixed}" for group in layout.groups.values() for layer in group.layers]
        raise BadInputError(
            f"no layer of {source.name!r} can change its number of channels ({'; '.join(reasons) or 'none has any'})",
            "it needs a convolution or dense layer in front of the last one",
        )
    return source, layout


def _strongest(model: Any, group: Group, number: int) -> list[int]:
    """The channels of a group with the largest L1 norms, in their order; of equal ones, the later stay."""
    norms = np.zeros(group.size)
    for name in group.layers:
        for array in model.get_layer(name).get_weights():
            norms += np.abs(array).reshape(-1, group.size).sum(axis=0, dtype=np.float64)
    return sorted(int(channel) for channel in np.argsort(norms, kind="stable")[group.size - number :])


def _up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


def _width(layer: Any) -> int | None:
    width = getattr(layer, "units", getattr(layer, "filters", None))
    return int(width) if width is not None else None
