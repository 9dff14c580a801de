"""Trees of calls that stay small, and close; two starts that counted differently are refused."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from harness.calltree import measure, tree
from harness.calltree.result import CallNode
from harness.emulators import counts
from harness.emulators.flows import CALL, THREAD, Flow, Node, Notes, Segment
from harness.errors import EmulationError
from harness.records import EmulatorInfo, Trace
from harness.records import Segment as Counted

# Contexts: 0 -> 1 -> 2; 1 -> 3 to 12. Of context N the function is at 16 N, and its one part, N, has one instruction.
PARENTS = (None, 0, 1, *[1] * 10)
OWN = {0: 4, 1: 10, 2: 50, **{context: context for context in range(3, 13)}}


def flow(*segments: dict[int, int]) -> Flow:
    """A run of segments in which contexts are called once and execute their parts so often."""
    return Flow(
        addresses=np.arange(len(PARENTS), dtype=np.int64) * 16,
        instructions=np.ones(len(PARENTS), dtype=np.int64),
        codes=(b"\x00\xbf",) * len(PARENTS),
        nodes=tuple(
            Node(parent=parent, function=16 * context, kind=CALL if context else THREAD, calls=1, jumps=0)
            for context, parent in enumerate(PARENTS)
        ),
        cells=rows((context, context, count) for segment in segments for context, count in segment.items()),
        regions=(),
        notes=Notes(**dict.fromkeys(Notes.__struct_fields__, 0)),
        ended_by="stop function",
        ended_at=0,
        segments=tuple(
            Segment(
                calls=rows((context, 1) for context in segment if context),
                cells=rows((context, context, count) for context, count in segment.items()),
            )
            for segment in segments
        ),
    )


def rows(items: object) -> np.ndarray:
    return np.array(list(items), dtype=np.int64)  # type: ignore[call-overload]


def nodes(made: Flow, segments: Sequence[Segment], most: int, share: float) -> tuple[CallNode, ...]:
    return tree.nodes(made, tree.Counts(made, segments), most, share, lambda address: address // 16)


def test_small_calls_of_one_caller_are_put_together() -> None:
    made = flow(OWN)
    found = nodes(made, made.segments, 40, 0.05)
    # 139 in all: a twentieth is 6, so the contexts 3, 4 and 5 are below it.
    assert [node.function for node in found] == [0, 1, 2, *range(6, 13), None]
    assert found[0] == CallNode(function=0, parent=None, calls=0, inclusive=139, exclusive=4)
    assert found[1] == CallNode(function=1, parent=0, calls=1, inclusive=135, exclusive=10)
    assert found[-1] == CallNode(function=None, parent=1, calls=3, inclusive=12, exclusive=12)
    assert sum(node.exclusive for node in found) == 139


@pytest.mark.parametrize("most", [1, 2, 3, 5])
def test_no_more_than_so_many_are_kept_and_the_tree_closes(most: int) -> None:
    made = flow(OWN)
    found = nodes(made, made.segments, most, 0.0)
    kept = [node for node in found if node.function is not None]
    assert len(kept) == most
    assert len(found) - most <= most
    assert sum(node.exclusive for node in found) == found[0].inclusive == 139
    assert [node.function for node in kept] == sorted([0, 1, 2, 12, 11][:most])


def test_the_root_is_the_innermost_context_that_holds_all() -> None:
    made = flow({2: 7}, {1: 1, 3: 2}, {1: 1, 4: 5})
    assert nodes(made, made.segments[:1], 40, 0.0) == (
        CallNode(function=2, parent=None, calls=1, inclusive=7, exclusive=7),
    )
    # Two segments together: the calls of both, in their own trees.
    both = nodes(made, made.segments[1:], 40, 0.0)
    assert [(node.function, node.parent, node.calls, node.inclusive, node.exclusive) for node in both] == [
        (1, None, 2, 9, 2), (3, 0, 1, 2, 2), (4, 0, 1, 5, 5)
    ]  # fmt: skip


def test_nothing_ran() -> None:
    made = flow({0: 1})
    assert nodes(made, (), 40, 0.0) == ()


@pytest.mark.parametrize(
    ("counted", "message"),
    [
        ((4, 10, 51), None),  # behind the end the counter goes on
        ((4, 11, 50), r"layer 0: 10 instructions were followed, 11 counted"),
        ((4, 10), r"3 segments were followed, 2 counted"),
    ],
)
def test_two_starts_that_counted_differently_are_refused(counted: tuple[int, ...], message: str | None) -> None:
    made, sequence = flow({0: 4}, {1: 10}, {2: 50}), ("setup", "layer 0", "end")
    trace = Trace(
        emulator=EmulatorInfo(name="qemu", version="7.2.22", machine="mps2-an386", counter="plugin"),
        block_addresses=counts.no_blocks(),
        block_instructions=counts.no_blocks(),
        segments=tuple(Counted(instructions=count, executions=counts.no_blocks()) for count in counted),
        ended_by="end mark",
        uart="",
    )
    if message is None:
        measure._compare(made, trace, sequence)
    else:
        with pytest.raises(EmulationError, match=message):
            measure._compare(made, trace, sequence)
