"""The difference of two results: layer by layer, and in each by function and by instruction class; memory by its parts.

Everything is counted or measured, so that the parts' changes add up to the whole's.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from harness.records import Record
from harness.result import Layer, MemoryPart, Result

# What the memory metrics consist of.
_PARTS = {"flash": ("code", "model"), "ram": ("arena", "static", "stack")}


class Moved(Record, frozen=True):
    """A count or a size before and after: instructions, or bytes. What was not executed, or not there, has 0."""

    name: str
    before: int
    after: int

    @property
    def change(self) -> int:
        """By how much it grew."""
        return self.after - self.before


class LayerMoved(Record, frozen=True):
    """A layer before and after; None where the network has no such layer.

    Functions and classes that moved, the largest change first; None where an emulator did not tell them apart.
    ``outputs_equal`` is None where only one network has the layer.
    """

    before: Layer | None
    after: Layer | None
    functions: tuple[Moved, ...] | None
    classes: tuple[Moved, ...] | None
    outputs_equal: bool | None

    @property
    def layer(self) -> Layer:
        """The layer as it is, or was."""
        found = self.after or self.before
        assert found is not None, "one of both is there"
        return found

    @property
    def change(self) -> int:
        """By how many instructions it grew."""
        return (self.after.instructions if self.after else 0) - (self.before.instructions if self.before else 0)


class Explanation(Record, frozen=True):
    """The difference of two results, in the second one's order of layers.

    ``instructions`` is that of one inference: the layers' changes and that of ``overhead``. ``functions`` and
    ``classes`` are those of the whole inference, the largest change first, None where an emulator did not tell them
    apart. ``memory`` has each part of flash and RAM. ``same_operators``: both have the same operators in order.
    """

    before: Result
    after: Result
    instructions: Moved
    overhead: Moved
    layers: tuple[LayerMoved, ...]
    functions: tuple[Moved, ...] | None
    classes: tuple[Moved, ...] | None
    memory: tuple[Moved, ...]
    same_operators: bool
    outputs_equal: bool

    @property
    def first_output(self) -> LayerMoved | None:
        """The first layer whose outputs are others, None where only the final outputs are, or none."""
        return next((item for item in self.layers if item.outputs_equal is False), None)

    def parts(self, metric: str) -> tuple[Moved, ...]:
        """The parts of "flash" or "ram" that moved, the largest change first; of another metric there are none."""
        wanted = _PARTS.get(metric, ())
        return _sorted([item for item in self.memory if item.name in wanted])


def difference(before: Result, after: Result) -> Explanation:
    """What moved from one result to the other, whatever they are of."""
    mine, theirs = before.counts, after.counts
    return Explanation(
        before=before,
        after=after,
        instructions=Moved(name="instructions", before=mine.total, after=theirs.total),
        overhead=Moved(name="overhead", before=mine.overhead, after=theirs.overhead),
        layers=tuple(_layer(*pair) for pair in _pairs(before.layers, after.layers)),
        functions=moved(_functions(before), _functions(after)),
        classes=moved(mine.classes, theirs.classes),
        memory=_memory(before.memory, after.memory),
        same_operators=[layer.op for layer in before.layers] == [layer.op for layer in after.layers],
        outputs_equal=before.check.outputs == after.check.outputs,
    )


def moved(before: Mapping[str, int] | None, after: Mapping[str, int] | None) -> tuple[Moved, ...] | None:
    """What moved between two tables of counts, the largest change first; None where one is not known."""
    if before is None or after is None:
        return None
    names = dict.fromkeys([*after, *before])
    return _sorted([Moved(name=name, before=before.get(name, 0), after=after.get(name, 0)) for name in names])


def _sorted(items: list[Moved]) -> tuple[Moved, ...]:
    return tuple(sorted((item for item in items if item.change), key=lambda item: -abs(item.change)))


def _functions(result: Result) -> dict[str, int] | None:
    if result.functions is None:
        return None
    return {function.name: function.instructions for function in result.functions}


def _memory(before: MemoryPart, after: MemoryPart) -> tuple[Moved, ...]:
    names = [name for parts in _PARTS.values() for name in parts]
    return tuple(Moved(name=name, before=getattr(before, name), after=getattr(after, name)) for name in names)


def _layer(before: Layer | None, after: Layer | None) -> LayerMoved:
    if before is None or after is None:
        return LayerMoved(before=before, after=after, functions=None, classes=None, outputs_equal=None)
    return LayerMoved(
        before=before,
        after=after,
        functions=moved(before.functions, after.functions),
        classes=moved(before.classes, after.classes),
        outputs_equal=before.output_crc32 == after.output_crc32,
    )


def _pairs(before: Sequence[Layer], after: Sequence[Layer]) -> list[tuple[Layer | None, Layer | None]]:
    """Layers beside each other: by the sequence of operators, where shapes decide between equally long matches."""
    operators = [layer.op for layer in before], [layer.op for layer in after]
    if operators[0] == operators[1]:
        return list(zip(before, after, strict=True))
    pairs: list[tuple[Layer | None, Layer | None]] = []
    keys = [[(layer.op, layer.output_shape) for layer in layers] for layers in (before, after)]
    matcher = difflib.SequenceMatcher(a=keys[0], b=keys[1], autojunk=False)
    for kind, low, high, start, end in matcher.get_opcodes():
        if kind == "equal":
            pairs += zip(before[low:high], after[start:end], strict=True)
        else:
            pairs += _replaced(before[low:high], after[start:end])
    return pairs


def _replaced(before: Sequence[Layer], after: Sequence[Layer]) -> list[tuple[Layer | None, Layer | None]]:
    """Within what is not the same in operator and shape, the same operators still belong together."""
    pairs: list[tuple[Layer | None, Layer | None]] = []
    matcher = difflib.SequenceMatcher(a=[item.op for item in before], b=[item.op for item in after], autojunk=False)
    for kind, low, high, start, end in matcher.get_opcodes():
        if kind == "equal":
            pairs += zip(before[low:high], after[start:end], strict=True)
        else:
            pairs += [(layer, None) for layer in before[low:high]]
            pairs += [(None, layer) for layer in after[start:end]]
    return pairs
