"""What lies in the arena while which operator runs: where TFLM's planner put the buffers, and how long they are alive.

The firmware that sizes the arena prints the planner's places. Lifetimes are not printed: they follow from the graph, by
the planner's own rule. A tensor is alive from the operator that writes it, or the first one if it is an input of the
model, to the last one that reads it, or the last of all if it is an output of the model; a scratch buffer is while its
operator runs. Places and lifetimes together are checked: two buffers that are alive at once never overlap.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from harness.records import Model
from harness.result import ArenaBuffer, ArenaPart
from harness.wire import Planned, Scratch

_ALIGNMENT = 16
_NO_PLAN = "the firmware told no plan"
_LACKING = "the planner left out tensors that the operators need, so its rule is another"
_OVERLAP = "the planner's buffers overlap by these lifetimes, so its rule is another"
_SCRATCH = "an operator asked for scratch buffers in a way that the firmware cannot see"


def part(model: Model, tensors: Sequence[Planned], scratch: Sequence[Scratch | None], used: int) -> ArenaPart:
    """The arena over the run of a network.

    Args:
        model: the network.
        tensors: what lies in the arena, as the firmware printed it; empty where it printed no plan.
        scratch: its scratch buffers by their numbers.
        used: what TFLM says it uses of the arena, in bytes.

    Returns:
        "measured" where places and lifetimes agree, else "derived" from the network alone, with the reason.
    """
    alive = lifetimes(model)
    places = {item.index: item for item in tensors if item.index in alive}
    if places.keys() != alive.keys():
        return _derived(model, alive, _LACKING if tensors else _NO_PLAN)
    buffers = [_tensor(model, index, item.size, item.offset, alive[index]) for index, item in places.items()]
    for item in scratch:
        if item is None or item.offset is None:
            return _derived(model, alive, _SCRATCH)
        buffers.append(_scratch(item))
    ordered = _ordered(buffers)
    if any(_overlaps(ordered, index) for index in range(len(model.operators))):
        return _derived(model, alive, _OVERLAP)
    planned = max((buffer.offset or 0) + buffer.size for buffer in ordered)
    return ArenaPart(origin="measured", planned=planned, persistent=used - planned, buffers=ordered, note=None)


def alive_at(arena: ArenaPart, operator: int) -> int:
    """Bytes of the buffers that are alive while an operator runs."""
    return sum(buffer.size for buffer in arena.buffers if buffer.first <= operator <= buffer.last)


def lifetimes(model: Model) -> dict[int, tuple[int, int]]:
    """First and last operator at which each tensor is alive that the planner places: neither constant nor variable."""
    first = dict.fromkeys(model.inputs, 0)
    last: dict[int, int] = {}
    for operator in model.operators:
        for index in operator.outputs:
            first.setdefault(index, operator.index)
        for index in (*operator.inputs, *operator.outputs):
            last[index] = operator.index
    last |= dict.fromkeys(model.outputs, len(model.operators) - 1)
    return {
        index: (first[index], last.get(index, first[index]))
        for index in sorted(first)
        if model.tensors[index].bytes and not (model.tensors[index].is_constant or model.tensors[index].is_variable)
    }


def _derived(model: Model, alive: dict[int, tuple[int, int]], reason: str) -> ArenaPart:
    buffers = [_tensor(model, index, model.tensors[index].bytes, None, life) for index, life in alive.items()]
    return ArenaPart(origin="derived", planned=None, persistent=None, buffers=_ordered(buffers), note=reason)


def _tensor(model: Model, index: int, size: int, offset: int | None, alive: tuple[int, int]) -> ArenaBuffer:
    return ArenaBuffer(
        tensor=index,
        name=model.tensors[index].name,
        size=_aligned(size),
        offset=offset,
        first=alive[0],
        last=alive[1],
    )


def _scratch(item: Scratch) -> ArenaBuffer:
    return ArenaBuffer(
        tensor=None, name=None, size=_aligned(item.size), offset=item.offset, first=item.node, last=item.node
    )


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _ordered(buffers: Sequence[ArenaBuffer]) -> tuple[ArenaBuffer, ...]:
    return tuple(sorted(buffers, key=lambda item: (item.first, item.tensor is None, item.offset or 0)))


def _overlaps(buffers: Sequence[ArenaBuffer], operator: int) -> bool:
    """Whether two buffers that are alive at an operator share memory."""
    places = sorted(_places(buffers, operator))
    return any(end > start for (_, end), (start, _) in itertools.pairwise(places))


def _places(buffers: Sequence[ArenaBuffer], operator: int) -> Iterator[tuple[int, int]]:
    for buffer in buffers:
        if buffer.first <= operator <= buffer.last and buffer.offset is not None:
            yield buffer.offset, buffer.offset + buffer.size
