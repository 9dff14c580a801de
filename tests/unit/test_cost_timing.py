"""Timing of blocks: assembled sequences, and cycles added up by hand from the published tables that modules name."""

from __future__ import annotations

import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from harness import cores
from harness.cost import blocks, decode, dual
from harness.cost.decode import Instruction
from harness.cost.inorder import TABLES

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed: nothing to assemble with"
)
ADDRESS = 0x1000


@functools.cache
def assemble(core: str, source: str) -> bytes:
    """Code of lines that ";" separates, for a core with its largest FPU."""
    known = cores.get(core)
    fpu = known.fpus[-1] if known.fpus else None
    lines = "\n".join((".syntax unified", ".thumb", *source.replace(";", "\n").splitlines()))
    with tempfile.TemporaryDirectory() as folder:
        listing, elf, raw = (Path(folder) / name for name in ("a.S", "a.elf", "a.bin"))
        listing.write_text(lines + "\n")
        flags = cores.flags(core, fpu, fpu is not None)
        places = ("-nostdlib", f"-Wl,-Ttext={ADDRESS:#x},-e0,--no-warn-mismatch")
        subprocess.run(["arm-none-eabi-gcc", *flags, *places, listing, "-o", elf], check=True, capture_output=True)
        subprocess.run(["arm-none-eabi-objcopy", "-O", "binary", "-j", ".text", elf, raw], check=True)
        return raw.read_bytes()


def block(core: str, source: str) -> tuple[Instruction, ...]:
    count = source.count(";") + 1
    made = decode.instructions(assemble(core, source), ADDRESS, count, core in ("cortex-m33", "cortex-m55"))
    assert len(made) == count, source
    return made


def at_end(core: str, source: str) -> float:
    """Cycles where the block is left at its end."""
    return blocks.timing(core, block(core, source), ADDRESS)[0]


def left(core: str, source: str) -> float:
    """Cycles where it is left by a branch."""
    end, taken, _ = blocks.timing(core, block(core, source), ADDRESS)
    return end + taken


@pytest.mark.parametrize(
    ("source", "cycles"),
    [
        ("adds r0, r1, r2; eors r0, r1", 2),
        ("ldr r0, [r1]", 2),
        # The four examples of the manual's "Load/store timings".
        ("ldr r0, [r1]; ldr r1, [r2]", 3),
        ("ldr r0, [r1, r2]; str r0, [r3, #20]", 3),
        ("ldr r0, [r1, r2]; str r1, [r3, r2]", 3),
        ("ldr r0, [r1, r5]; ldr r1, [r2]; ldr r2, [r3, #4]", 4),
        ("ldr r0, [r1]; ldr r2, [r0]", 4),  # the address depends on the load before
        ("adds r1, #4; ldr r0, [r1]", 4),  # an address of data processing: one more
        ("str r0, [r1, #4]", 1),
        ("str r0, [r1, r2]", 2),  # only an immediate offset is always one cycle
        ("adds r3, #1; str r0, [r1, r2]", 3),
        ("str r0, [r1]; ldr r2, [r3]", 3),  # nothing is pipelined after a store
        ("ldr r0, [r1], #4; ldr r2, [r3]", 4),  # nor after a base update
        ("ldrd r0, r1, [r2]", 3),
        ("ldmia r0, {r1, r2, r3, r4}", 5),
        ("push {r4, r5, lr}", 4),
        ("stmia r0!, {r1, r2}", 3),
        ("muls r0, r1; mla r0, r1, r2, r3", 2),
        ("smlad r0, r1, r2, r3; smull r0, r1, r2, r3; smlal r0, r1, r2, r3", 3),
        ("udiv r0, r1, r2", 7),  # the middle of 2 to 12
        ("cmp r0, #0; it eq; moveq r1, r2", 2),  # IT folded onto an instruction of 16 bits
        ("add.w r8, r9, r10; it eq; moveq r1, r2", 3),
        ("vadd.f32 s0, s1, s2; vmul.f32 s3, s4, s5", 2),
        ("vadd.f32 s0, s1, s2; vmul.f32 s3, s0, s5", 3),  # the result is used at once
        ("vfma.f32 s0, s1, s2", 3),
        ("vdiv.f32 s0, s1, s2", 14),
        ("vldr s0, [r0]", 2),
        ("vldmia r0!, {s0-s3}", 5),
        ("vpush {d8-d9}", 5),
    ],
)
def test_m4(source: str, cycles: float) -> None:
    assert at_end("cortex-m4", source) == cycles


@pytest.mark.parametrize(
    ("core", "source", "cycles"),
    [
        ("cortex-m4", "1: subs r0, #1; bne 1b", 2),
        ("cortex-m3", "mla r0, r1, r2, r3", 2),
        ("cortex-m3", "smull r0, r1, r2, r3", 4),
        ("cortex-m3", "umlal r0, r1, r2, r3", 5.5),
        ("cortex-m0", "ldr r0, [r1]; ldr r1, [r2]", 4),
        ("cortex-m0", "str r0, [r1]; muls r0, r1", 3),
        ("cortex-m0plus", "push {r4, lr}", 3),
        ("cortex-m33", "ldr r0, [r1]; ldr r1, [r2]", 3),
        ("cortex-m55", "vldrw.32 q0, [r0]; vmul.i32 q1, q2, q3", 3),  # one of the second's cycles overlaps
        ("cortex-m55", "vmul.i32 q0, q2, q3; vmul.i32 q1, q2, q3", 4),
        ("cortex-m55", "ldr r0, [r1]; adds r2, r0, #1", 3),
        ("cortex-m55", "ldr r0, [r1]; adds r2, r3, #1", 2),
    ],
)
def test_other_cores(core: str, source: str, cycles: float) -> None:
    assert at_end(core, source) == cycles


@pytest.mark.parametrize(
    ("core", "source", "cycles"),
    [
        ("cortex-m4", "1: subs r0, #1; bne 1b", 3),  # 1 + 1 + P, of 1 where the address is known early
        ("cortex-m4", "bl .", 2),
        ("cortex-m4", "bx lr", 3),
        ("cortex-m4", "pop {r4, pc}", 5),  # 1 + N + P
        ("cortex-m4", "ldr pc, [r0]", 5),  # the manual: at least five
        ("cortex-m4", "tbb [pc, r0]", 6),  # at least six
        ("cortex-m0", "1: subs r0, #1; bne 1b", 4),
        ("cortex-m0", "bl .", 4),
        ("cortex-m0", "blx r0", 3),
        ("cortex-m0", "pop {r4, pc}", 6),  # 4 + N
        ("cortex-m0plus", "1: subs r0, #1; bne 1b", 3),
        ("cortex-m0plus", "bl .", 3),
        ("cortex-m0plus", "bx lr", 2),
        ("cortex-m0plus", "pop {r4, pc}", 5),  # 3 + N
        ("cortex-m55", "1: adds r0, #1; le lr, 1b", 2),  # a low-overhead loop
    ],
)
def test_branches_taken(core: str, source: str, cycles: float) -> None:
    assert left(core, source) == cycles


@pytest.mark.parametrize(
    ("source", "cycles"),
    [
        ("adds r0, r1, r2; adds r3, r4, r5", 1),  # a pair
        ("adds r0, r1, r2; adds r3, r0, r5", 2),  # the second needs the first
        ("ldr r0, [r1]; ldr r2, [r3]", 1),  # two loads
        ("str r0, [r1]; str r2, [r3]", 2),  # one store
        ("muls r0, r1; muls r2, r3", 2),  # one multiplier
        ("adds r1, #4; ldr r0, [r1]", 3),  # addresses are needed a cycle earlier
        ("ldr r0, [r1]; adds r2, r0, #1", 2),
        ("ldrb r0, [r1]; adds r2, r0, #1", 3),  # bytes arrive a cycle later
        ("mla r0, r1, r2, r0; mla r0, r3, r4, r0", 2),  # the sum is needed late
        ("muls r0, r1; adds r0, r2", 3),
        ("adds r0, r1, r2; sxtb r3, r4", 2),  # extensions are the first of a pair, or alone
        ("sxtb r3, r4; adds r0, r1, r2", 1),
        ("udiv r0, r1, r2; adds r3, #1", 8),
        ("vadd.f32 s0, s1, s2; vadd.f32 s3, s0, s1", 4),  # three cycles of latency
    ],
)
def test_m7(source: str, cycles: float) -> None:
    assert dual.time(block("cortex-m7", source), loops=False).whole == cycles


def test_m7_loop_waits_for_itself() -> None:
    body = block("cortex-m7", "1: vfma.f32 s0, s1, s2; subs r0, #1; bne 1b")
    # A sum needs its accumulator 3 cycles after it begins: 6 - 3 between one round and the next.
    assert dual.time(body, loops=False).whole == 2
    assert dual.time(body, loops=True).whole == 3
    assert blocks.timing("cortex-m7", body, ADDRESS) == (2.5, 0.5, dual.MISPREDICTED)


def test_every_core_has_a_timing() -> None:
    assert {*TABLES, "cortex-m7"} == set(cores.CORES)


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("bls .", "branch"), ("bl .", "call"), ("blx r0", "return"), ("cbz r0, .+4", "branch"), ("ite eq", "it"),
        ("mul r0, r1, r2", "multiply"), ("smlalbb r0, r1, r2, r3", "multiply_long"), ("smuad r0, r1, r2", "multiply"),
        ("pkhbt r0, r1, r2", "simd"), ("ubfx r0, r1, #3, #4", "field"), ("vmov r0, s0", "fp_move"),
        ("vnmls.f32 s0, s1, s2", "fp_accumulate"), ("vcvt.s32.f32 s0, s1", "fp"), ("pop {r4, r5}", "load_many"),
        ("strh r0, [r1]", "store"), ("mls r0, r1, r2, r3", "accumulate"), ("asrs r0, r1, #3", "shift"),
    ],
)  # fmt: skip
def test_kinds(source: str, kind: str) -> None:
    assert block("cortex-m4", source)[0].kind == kind
