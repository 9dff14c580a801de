"""The deepest stack on a terminal: what it says, and that it fits."""

from __future__ import annotations

import msgspec
import pytest
import result_maker
from rich.console import Console

from harness.calltree.result import CallNode, CallsPart, LayerCalls, StackFrame, StackPath
from harness.report import tables
from harness.result import Result

EVAL = "TfLiteStatus harness::cmsis_nn::(anonymous namespace)::Eval<harness::cmsis_nn::(anonymous namespace)::Conv>(X*)"
FRAMES = (
    StackFrame(function="reset_handler", bytes=0, reason=None),
    StackFrame(function="start", bytes=8, reason=None),
    StackFrame(function="main", bytes=16, reason=None),
    StackFrame(function=EVAL, bytes=184, reason=None),
    StackFrame(function="arm_convolve_s8", bytes=256, reason=None),
)


def with_calls(frames: tuple[StackFrame, ...] = FRAMES, measured: int = 464, note: str | None = None) -> Result:
    total = sum(frame.bytes or 0 for frame in frames)
    path = StackPath(frames=frames, bytes=total, measured=measured, segment="layer 1", note=note)
    node = CallNode(function=0, parent=None, calls=0, inclusive=900, exclusive=900)
    part = CallsPart(
        functions=("f",),
        layers=(LayerCalls(index=0, nodes=(node,), stack=None),),
        overhead=LayerCalls(index=None, nodes=(), stack=None),
        deepest=path,
        counter="tcg-plugin flow api 1",
    )
    return result_maker.result(calls=part)


def shown(result: Result, width: int = 80) -> str:
    console = Console(width=width, color_system=None, highlight=False)
    with console.capture() as capture:
        console.print(tables.result(result, console))
    return capture.get()


def test_each_large_frame_has_a_line_and_small_ones_share_one() -> None:
    text = shown(with_calls())
    lines = [line.rstrip() for line in text[text.index("deepest stack") :].splitlines()]
    assert lines[0].split() == ["deepest", "stack", "held"]
    assert lines[1].startswith("reset_handler ... main, 3 functions   24 B")
    assert lines[2].startswith("cmsis_nn::Eval<Conv>                 184 B")
    assert lines[3].startswith("arm_convolve_s8                      256 B")
    assert lines[4] == "464 B derived from the code, in layer 1 (SOFTMAX); 464 B measured"


@pytest.mark.parametrize("width", [40, 80, 120])
def test_it_fits(width: int) -> None:
    long = (*FRAMES, StackFrame(function="f" * 300, bytes=100, reason=None))
    table = shown(with_calls(long), width)
    rows = table[table.index("deepest stack") :].splitlines()
    assert all(len(line.rstrip()) <= width for line in rows)
    assert "100 B" in table


def test_what_is_not_known_is_a_dash_with_its_reason() -> None:
    frames = (*FRAMES, StackFrame(function="user", bytes=None, reason="alloca"))
    text = shown(with_calls(frames, note="user: alloca; the sum is without it"))
    (line,) = (line for line in text.splitlines() if line.startswith("user "))
    assert line.split()[1] == "-"
    assert "user: alloca; the sum is without it" in text


def test_two_functions_of_one_short_name_keep_their_namespaces() -> None:
    frames = (
        StackFrame(function="harness::conv::Eval(X*)", bytes=100, reason=None),
        StackFrame(function="tflite::conv::Eval(X*)", bytes=100, reason=None),
    )
    text = shown(with_calls(frames))
    assert "\nharness::conv::Eval " in text
    assert "\ntflite::conv::Eval " in text


def test_without_a_path_it_says_why_and_a_run_without_calls_shows_nothing() -> None:
    made = with_calls()
    assert made.calls is not None
    without = msgspec.structs.replace(made, calls=msgspec.structs.replace(made.calls, deepest=None))
    assert "exceptions ran" in shown(without)
    assert "deepest stack" not in shown(result_maker.result())
