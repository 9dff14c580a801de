"""The arena over a run: lifetimes by the planner's rule, and what the firmware said of its places."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import arena, wire
from harness.records import Model, Operator, Tensor
from harness.result import ArenaBuffer
from harness.wire import Planned, Scratch


def tensor(index: int, size: int, constant: bool = False, variable: bool = False) -> Tensor:
    return Tensor(
        index=index,
        name=f"t{index}",
        type="int8",
        shape=(size,),
        bytes=size,
        is_constant=constant,
        is_variable=variable,
        scales=(),
        zero_points=(),
        quantized_dimension=0,
    )


def operator(index: int, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> Operator:
    return Operator(index=index, op="ADD", version=1, inputs=inputs, outputs=outputs, options={}, macs=0)


@pytest.fixture
def branched() -> Model:
    """An input of 100 bytes is read by operators 0 and 2: 0 -> 1 -> 2, beside a constant and a variable."""
    return Model(
        path=Path("branched.tflite"),
        content=b"",
        sha256="",
        size_bytes=0,
        description="",
        tensors=(
            tensor(0, 100),
            tensor(1, 30),
            tensor(2, 16),
            tensor(3, 50),
            tensor(4, 7, constant=True),
            tensor(5, 9, variable=True),
        ),
        operators=(operator(0, (0, 4, -1), (1,)), operator(1, (1, 5), (2,)), operator(2, (2, 0), (3,))),
        inputs=(0,),
        outputs=(3,),
    )


PLACES = (
    Planned(index=0, offset=0, size=100),
    Planned(index=1, offset=112, size=30),
    Planned(index=2, offset=144, size=16),
    Planned(index=3, offset=160, size=50),
    Planned(index=5, offset=4000, size=9),
)


def test_lifetimes_reach_from_the_writer_to_the_last_reader(branched: Model) -> None:
    assert arena.lifetimes(branched) == {0: (0, 2), 1: (0, 1), 2: (1, 2), 3: (2, 2)}


def test_an_output_of_the_model_is_alive_to_the_end_and_what_nobody_reads_where_it_is_written(branched: Model) -> None:
    early = Model(
        **{name: getattr(branched, name) for name in branched.__struct_fields__ if name != "outputs"}, outputs=(1, 3)
    )
    assert arena.lifetimes(early)[1] == (0, 2)
    assert arena.lifetimes(branched)[3] == (2, 2)


def test_the_planners_places_are_what_is_measured(branched: Model) -> None:
    part = arena.part(branched, PLACES, (Scratch(node=1, size=20, offset=208),), used=1000)
    assert (part.origin, part.note) == ("measured", None)
    # 100, 30 and 50 bytes take 112, 32 and 64; the scratch buffer takes 32.
    assert [arena.alive_at(part, index) for index in range(3)] == [112 + 32, 112 + 32 + 16 + 32, 112 + 16 + 64]
    assert part.planned == 240
    assert part.persistent == 1000 - 240
    assert part.buffers[0] == ArenaBuffer(tensor=0, name="t0", size=112, offset=0, first=0, last=2)
    assert part.buffers[3] == ArenaBuffer(tensor=None, name=None, size=32, offset=208, first=1, last=1)


@pytest.mark.parametrize(
    ("places", "scratch", "reason"),
    [
        ((), (), "told no plan"),
        (PLACES[:3], (), "left out tensors"),
        (PLACES, (None, Scratch(node=1, size=20, offset=208)), "cannot see"),
        (PLACES, (Scratch(node=1, size=20),), "cannot see"),
        # Tensor 2 is written into the place of tensor 0, which operator 2 still reads.
        ((*PLACES[:2], Planned(index=2, offset=96, size=16), PLACES[3]), (), "overlap"),
    ],
)
def test_a_plan_that_does_not_agree_with_the_graph_is_said_to_be_derived(
    branched: Model, places: tuple[Planned, ...], scratch: tuple[Scratch | None, ...], reason: str
) -> None:
    part = arena.part(branched, places, scratch, used=1000)
    assert part.origin == "derived"
    assert reason in (part.note or "")
    assert (part.planned, part.persistent) == (None, None)
    assert [(item.tensor, item.size, item.offset) for item in part.buffers] == [
        (0, 112, None), (1, 32, None), (2, 16, None), (3, 64, None)
    ]  # fmt: skip
    assert [arena.alive_at(part, index) for index in range(3)] == [144, 160, 192]


def test_memory_that_buffers_use_in_turn_is_no_overlap(branched: Model) -> None:
    reused = (*PLACES[:3], Planned(index=3, offset=112, size=32))
    assert arena.part(branched, reused, (), used=1000).planned == 160


def test_what_the_firmware_prints_of_its_plan() -> None:
    console = wire.parse(
        "@scratch index=0 node=3 size=20\n@scratch index=2 node=4 size=1\n@tensor index=7 offset=16 size=5\n"
        "@placed index=0 offset=64\n@placed index=1 offset=80\n@placed index=2 offset=96\n"
    )
    assert console.tensors == (Planned(index=7, offset=16, size=5),)
    assert console.scratch == (Scratch(node=3, size=20, offset=64), None, Scratch(node=4, size=1, offset=96))
