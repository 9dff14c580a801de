"""The tree of calls of one segment, or of several together, with small subtrees put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.calltree.result import CallNode
from harness.emulators.flows import Flow, Segment

if TYPE_CHECKING:
    from harness.records import IntArray


class Counts:
    """Instructions and calls of each calling context in some segments.

    Args:
        flow: the run.
        segments: those that are added up.
    """

    def __init__(self, flow: Flow, segments: Sequence[Segment]) -> None:
        self.exclusive = np.zeros(len(flow.nodes), dtype=np.int64)
        self.calls = np.zeros(len(flow.nodes), dtype=np.int64)
        for segment in segments:
            node, part, executions = segment.cells.T
            np.add.at(self.exclusive, node, executions * flow.instructions[part])
            np.add.at(self.calls, segment.calls[:, 0], segment.calls[:, 1])
        self.inclusive = self.exclusive.copy()
        for number in range(len(flow.nodes) - 1, -1, -1):  # a context comes after the one that it was called in
            parent = flow.nodes[number].parent
            if parent is not None:
                self.inclusive[parent] += self.inclusive[number]


def nodes(flow: Flow, counts: Counts, most: int, share: float, number: Callable[[int], int]) -> tuple[CallNode, ...]:
    """The tree of what ran, from the innermost context that holds all of it.

    Args:
        flow: the run.
        counts: of the segments.
        most: how many contexts are kept, the ones with the most instructions.
        share: contexts with less than this part of all instructions are not kept.
        number: gives a function's number by its address.
    """
    total = int(counts.inclusive.max(initial=0))
    if not total:
        return ()
    root = int(np.flatnonzero(counts.inclusive == total).max())  # contexts of the same chain, the innermost is the last
    kept = _kept(flow, counts.inclusive, root, most, max(1, int(share * total)))
    places = {context: place for place, context in enumerate(kept)}
    listed = [
        CallNode(
            function=number(flow.nodes[context].function),
            parent=None if context == root else places[flow.nodes[context].parent or 0],
            calls=int(counts.calls[context]),
            inclusive=int(counts.inclusive[context]),
            exclusive=int(counts.exclusive[context]),
        )
        for context in kept
    ]
    return (*listed, *_others(flow, counts, places, root))


def _kept(flow: Flow, inclusive: IntArray, root: int, most: int, least: int) -> list[int]:
    """The largest contexts below the root with it; callers are never smaller than what they call, and come first."""
    inside = {root}
    for context in range(root + 1, len(flow.nodes)):
        if flow.nodes[context].parent in inside:
            inside.add(context)
    large = [context for context in inside if inclusive[context] >= least]
    kept: set[int] = set()
    for context in sorted(large, key=lambda item: (-int(inclusive[item]), item)):
        if len(kept) < most and (context == root or flow.nodes[context].parent in kept):
            kept.add(context)
    return sorted(kept)


def _others(flow: Flow, counts: Counts, places: dict[int, int], root: int) -> list[CallNode]:
    """One node for all that each kept context calls and that is not kept itself."""
    calls: dict[int, int] = {}
    instructions: dict[int, int] = {}
    for context in range(root + 1, len(flow.nodes)):
        parent = flow.nodes[context].parent
        if parent in places and context not in places and counts.inclusive[context]:
            place = places[parent]
            calls[place] = calls.get(place, 0) + int(counts.calls[context])
            instructions[place] = instructions.get(place, 0) + int(counts.inclusive[context])
    return [
        CallNode(function=None, parent=place, calls=calls[place], inclusive=count, exclusive=count)
        for place, count in instructions.items()
    ]
