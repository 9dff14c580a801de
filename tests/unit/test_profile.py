"""From blocks to functions and classes, with code and executions that are known by hand."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from harness import isa, profile
from harness.elf import Elf
from harness.errors import HarnessError
from harness.records import EmulatorInfo, Segment, Trace

FIRST, SECOND, LAST = 0x100, 0x10C, 0x200
# Encodings by arm-none-eabi-as.
CODE = {
    # push {r4, lr}; movs r0, #0; bl 0x10c; | muls r0, r1
    FIRST: bytes.fromhex("10b5002000f002f84843"),
    # ldr r2, [r1]; sdiv r0, r1, r2; pop {r4, pc}
    SECOND: bytes.fromhex("0a6891fbf2f010bd"),
    # csel r0, r1, r2, eq, which only Armv8.1-M has
    LAST: bytes.fromhex("51ea0280"),
}
FUNCTIONS = {FIRST: "first", SECOND: "_Z6secondi", LAST: "last"}


class Code(Elf):
    """An ELF file's code and functions without the file."""

    def __init__(self) -> None:
        pass

    def code(self, address: int, size: int) -> bytes:
        for start, content in CODE.items():
            if start <= address < start + len(content):
                return content[address - start : address - start + size]
        return b""

    def function_at(self, address: int) -> str:
        return FUNCTIONS[max(start for start in FUNCTIONS if start <= address)]


def trace(blocks: list[tuple[int, int]], *executions: list[int]) -> Trace:
    lengths = [length for _, length in blocks]
    segments = [
        Segment(
            instructions=sum(count * length for count, length in zip(counts, lengths, strict=False)),
            executions=np.array(counts, dtype=np.int64),
        )
        for counts in executions
    ]
    return Trace(
        emulator=EmulatorInfo(name="qemu", version="0", machine="none", counter=None),
        block_addresses=np.array([address for address, _ in blocks], dtype=np.int64),
        block_instructions=np.array(lengths, dtype=np.int64),
        segments=tuple(segments),
        ended_by="end mark",
        uart="",
    )


BLOCKS = [(FIRST, 3), (SECOND, 3), (FIRST + 8, 1), (FIRST + 4, 2)]


def test_classes_and_functions_of_segments() -> None:
    # The second segment saw one more block than the first; the fourth block overlaps the first and third.
    run = trace(BLOCKS, [2, 5, 0], [0, 1, 7, 10])
    profiler = profile.Profiler(run, Code(), armv8=False)
    assert profiler.function_names == ["_Z6secondi", "first"]

    first = profiler.counts(run.segments[:1])
    assert first.instructions == 2 * 3 + 5 * 3
    assert first.functions == {"_Z6secondi": 15, "first": 6}
    assert first.classes == dict.fromkeys(isa.CLASSES, 0) | {
        "store": 2, "alu": 2, "branch": 2, "load": 10, "division": 5
    }  # fmt: skip

    both = profiler.counts(run.segments)
    assert both.instructions == 21 + 3 + 7 + 20
    assert both.functions == {"_Z6secondi": 18, "first": 33}
    assert both.classes == dict.fromkeys(isa.CLASSES, 0) | {
        "store": 2, "alu": 2, "branch": 12, "load": 12, "division": 6, "mac": 17
    }  # fmt: skip
    assert sum(both.classes.values()) == sum(both.functions.values()) == both.instructions


def test_no_segments_count_nothing() -> None:
    counts = profile.Profiler(trace(BLOCKS, [1, 1, 1, 1]), Code(), armv8=False).counts(())
    assert (counts.instructions, counts.functions, sum(counts.classes.values())) == (0, {}, 0)


@pytest.mark.parametrize("error", [-1, 1])
def test_a_total_that_the_blocks_do_not_give_is_an_error(error: int) -> None:
    run = trace(BLOCKS, [2, 5, 0, 0])
    wrong = Segment(instructions=21 + error, executions=run.segments[0].executions)
    with pytest.raises(HarnessError, match=f"does not close: {21 + error} instructions counted, 21 by class, 21 by f"):
        profile.Profiler(run, Code(), armv8=False).counts((wrong,))


def test_counts_of_instructions_alone_are_an_error_and_not_a_profile_of_zeros() -> None:
    run = trace(BLOCKS, [2, 5, 0, 0])
    blind = Segment(instructions=21, executions=np.zeros(0, dtype=np.int64))
    with pytest.raises(HarnessError, match="does not close"):
        profile.Profiler(run, Code(), armv8=False).counts((blind,))


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ((FIRST, 5), r"0x100 \(first\) has 5 instructions, of which 4 decode"),
        ((SECOND, 4), r"0x10c \(_Z6secondi\) has 4 instructions, of which 3 decode"),
        ((0x300, 1), r"0x300 \(last\) has 1 instructions, of which 0 decode"),
        ((LAST, 1), r"0x200 \(last\) has 1 instructions, of which 0 decode"),
    ],
)
def test_a_block_that_does_not_decode_to_what_was_counted_is_an_error(block: tuple[int, int], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        profile.Profiler(trace([(FIRST, 3), block], [1, 1]), Code(), armv8=False)


def test_code_of_armv8_is_decoded_as_such() -> None:
    run = trace([(LAST, 1)], [4])
    assert profile.Profiler(run, Code(), armv8=True).counts(run.segments).classes["alu"] == 4


def test_an_instruction_of_no_class_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(mnemonic: str, operands: str) -> str:
        raise isa.UnknownInstruction(mnemonic)

    monkeypatch.setattr(isa, "classify", refuse)
    with pytest.raises(HarnessError, match="the instruction push near 0x100 is of no known class"):
        profile.Profiler(trace(BLOCKS, [1]), Code(), armv8=False)


def script(path: Path, body: str) -> str:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def test_readable_names_stand_in_the_order_of_the_mangled_ones(tmp_path: Path) -> None:
    fake = script(tmp_path / "c++filt", 'for name; do echo "readable $name"; done')
    names = profile.demangle(["memcpy", "_Z1av", "main", "_Z1bv"], fake)
    assert names == {"memcpy": "memcpy", "_Z1av": "readable _Z1av", "main": "main", "_Z1bv": "readable _Z1bv"}


def test_nothing_to_demangle_needs_no_program() -> None:
    assert profile.demangle(["main", "memcpy"], "/nonexistent/c++filt") == {"main": "main", "memcpy": "memcpy"}


@pytest.mark.parametrize("body", ["echo one; exit 0", "echo why >&2; exit 1", "echo one; echo two; echo three"])
def test_a_failing_demangler_is_an_error(tmp_path: Path, body: str) -> None:
    fake = script(tmp_path / "c++filt", body)
    with pytest.raises(HarnessError, match=r"c\+\+filt failed"):
        profile.demangle(["_Z1av", "_Z1bv"], fake)


@pytest.mark.skipif(shutil.which("c++filt") is None, reason="binutils' c++filt is not installed")
def test_names_as_the_real_demangler_gives_them() -> None:
    found = profile.demangle(["_ZN6tflite4EvalEP13TfLiteContext", "main"], "c++filt")
    assert found == {"_ZN6tflite4EvalEP13TfLiteContext": "tflite::Eval(TfLiteContext*)", "main": "main"}
