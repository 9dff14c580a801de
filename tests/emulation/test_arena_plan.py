"""The arena over a run, as the firmware of real networks tells its planner's decisions."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import arena, model, run
from harness.result import Result
from tests.conftest import DIGITS


@pytest.fixture(scope="module", params=["cmsis-nn", "reference"])
def measured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Result:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_RESULTS", str(tmp_path_factory.mktemp("results")))
        return run(DIGITS, "mps2-an386", kernels=request.param)


def test_the_plan_of_the_digits_network_closes_with_the_arena(measured: Result) -> None:
    plan = measured.arena
    assert plan is not None
    assert (plan.origin, plan.note) == ("measured", None)
    assert plan.planned is not None and plan.persistent is not None
    assert plan.planned + plan.persistent == measured.memory.arena_used <= measured.memory.arena
    assert all(item.size % 16 == 0 and item.offset is not None for item in plan.buffers)
    alive = [layer.arena for layer in measured.layers]
    assert alive == [arena.alive_at(plan, index) for index in range(len(measured.layers))]
    # The third operator reads 8x8x8 and writes 8x8x16 bytes; it has nothing else, and no other needs as much.
    assert alive[2] == 512 + 1024 == plan.planned == max(value or 0 for value in alive)
    # The softmax has its input and its output, ten bytes each, of which each takes 16.
    assert alive[-1] == 32


def test_scratch_buffers_are_what_the_kernels_of_cmsis_nn_ask_for(measured: Result) -> None:
    assert measured.arena is not None
    scratch = [item for item in measured.arena.buffers if item.tensor is None]
    assert all(item.first == item.last and item.name is None for item in scratch)
    if measured.kernels == "reference":
        assert scratch == []
    else:
        # Two columns of im2col in 16 bits, of 3x3 patches of one channel; a column of 3x3x8 in the depthwise one.
        assert [item.size for item in scratch if item.first == 0] == [48]  # 36, aligned
        assert [item.size for item in scratch if item.first == 1] == [144]


def test_names_are_those_of_the_network(measured: Result) -> None:
    assert measured.arena is not None
    tensors = model.load(Path(DIGITS)).tensors
    for item in measured.arena.buffers:
        if item.tensor is not None:
            assert item.name == tensors[item.tensor].name
            assert item.size == -(-tensors[item.tensor].bytes // 16) * 16
