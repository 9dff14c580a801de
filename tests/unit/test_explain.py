"""The difference of two results: every change is in it, and the parts add up."""

from __future__ import annotations

import msgspec
import pytest
import result_maker
from gate_maker import plain, replaced, slower
from hypothesis import given
from hypothesis import strategies as st

from harness import explain
from harness.result import Layer

OPS = st.lists(st.sampled_from(["CONV_2D", "ADD", "SOFTMAX", "RESHAPE"]), min_size=1, max_size=8)


def layers(ops: list[str]) -> tuple[Layer, ...]:
    return tuple(result_maker.layer(index, op, 100 + 7 * index, 1000) for index, op in enumerate(ops))


def test_equal_results_do_not_differ() -> None:
    found = explain.difference(plain(), plain())
    assert (found.functions, found.classes, found.instructions.change, found.outputs_equal) == ((), (), 0, True)
    assert [item.change for item in found.layers] == [0, 0]
    assert found.first_output is None


def test_a_layer_that_grew() -> None:
    found = explain.difference(plain(), slower(plain(), 1, by=20))
    (grown,) = (item for item in found.layers if item.change)
    assert grown.functions is not None and grown.classes is not None
    assert (grown.layer.op, grown.change) == ("SOFTMAX", 20)
    assert [(item.name, item.before, item.after) for item in grown.functions] == [("waste", 0, 20)]
    assert [(item.name, item.change) for item in grown.classes] == [("load", 20)]


@pytest.mark.parametrize("metric", ["flash", "ram", "arena"])
def test_the_parts_of_memory_add_up(metric: str) -> None:
    memory = plain().memory
    after = replaced(plain(), "memory", arena=memory.arena + 32, ram=memory.ram + 48, static=memory.static + 16,
                     flash=memory.flash - 8, code=memory.code - 8)  # fmt: skip
    parts = explain.difference(plain(), after).parts(metric)
    assert [(item.name, item.change) for item in parts] == {
        "flash": [("code", -8)], "ram": [("arena", 32), ("static", 16)], "arena": []
    }[metric]  # fmt: skip


@given(OPS, OPS)
def test_every_layer_is_paired_once_and_changes_add_up(before: list[str], after: list[str]) -> None:
    first, second = (result_maker.result(layers(ops)) for ops in (before, after))
    found = explain.difference(first, second)
    assert [item.before for item in found.layers if item.before] == [*first.layers]
    assert [item.after for item in found.layers if item.after] == [*second.layers]
    assert all(item.before.op == item.after.op for item in found.layers if item.before and item.after)
    assert sum(item.change for item in found.layers) + found.overhead.change == found.instructions.change
    assert found.same_operators == (before == after)


def test_an_inserted_layer_is_the_new_one() -> None:
    found = explain.difference(
        result_maker.result(layers(["CONV_2D", "ADD", "SOFTMAX"])),
        result_maker.result(layers(["CONV_2D", "RESHAPE", "ADD", "SOFTMAX"])),
    )
    assert [(item.before and item.before.op, item.after and item.after.op) for item in found.layers] == [
        ("CONV_2D", "CONV_2D"), (None, "RESHAPE"), ("ADD", "ADD"), ("SOFTMAX", "SOFTMAX")
    ]  # fmt: skip


def test_what_an_emulator_does_not_tell_is_not_known() -> None:
    without = msgspec.structs.replace(plain(), functions=None)
    assert explain.difference(plain(), without).functions is None
