"""What instructions do to the stack pointer, by hand; and functions that are followed piece by piece."""

from __future__ import annotations

import pytest

from harness.calltree.frames import Depths, Piece, follow
from harness.calltree.stack_code import Exit, Stack, Unknown, leaving


def no_word(_: int) -> int | None:
    return None


def depth_after(*code: str, word: int | None = None) -> int:
    stack = Stack()
    for line in code:
        mnemonic, _, operands = line.partition(" ")
        stack.execute(0x100, mnemonic, operands, lambda _: word)
    return stack.depth


@pytest.mark.parametrize(
    ("code", "depth"),
    [
        (("push {r4, lr}",), 8),
        (("push.w {r4, r5, r6, r7, r8, sb, sl, fp, lr}",), 36),
        (("vpush {d8, d9}",), 16),
        (("vpush {s16, s17, s18}",), 12),
        (("push {r3, lr}", "sub sp, #0x1fc"), 516),
        (("sub.w sp, sp, #0x1000", "add sp, sp, #0xff0"), 16),
        (("subw sp, sp, #0x404",), 1028),
        (("push {r4, r5}", "pop {r4, r5}"), 0),
        (("str r4, [sp, #-8]!",), 8),
        (("str r4, [sp, #-8]!", "ldr r4, [sp], #8"), 0),
        (("strd r4, r5, [sp, #-0x10]!",), 16),
        (("stmdb sp!, {r0, r1, r2}", "ldm sp!, {r0, r1}"), 4),
        (("push {r4}", "ldm sp, {r0}", "vpop {d8}"), -4),
        # A frame pointer, which an epilogue returns by.
        (("push {r7, lr}", "sub sp, #16", "add r7, sp, #0", "adds r7, #16", "mov sp, r7"), 8),
        (("add r7, sp, #8", "sub sp, #100", "vldr d0, [sp]", "vldr s1, [r7]", "sub.w sp, r7, #8"), 0),
        # Frames too large for an immediate.
        (("movw r3, #0x1234", "movt r3, #1", "sub sp, sp, r3"), 0x11234),
        (("movs r4, #129", "lsls r4, r4, #3", "rsbs r4, r4, #0", "add sp, r4"), 1032),
        # Nothing of these touches it.
        (("str r0, [sp, #4]", "ldr r1, [sp, #8]", "add r0, sp, #12", "str r0, [r1], #4", "cmp r0, sp"), 0),
        # The returning instruction leaves the function: what it pops is nobody's any more.
        (("push {r4, lr}", "pop {r4, pc}"), 8),
        (("str lr, [sp, #-4]!", "ldr pc, [sp], #4"), 4),
    ],
)
def test_depths(code: tuple[str, ...], depth: int) -> None:
    assert depth_after(*code) == depth


def test_a_constant_comes_from_the_literals_behind_the_code() -> None:
    asked = []

    def word(address: int) -> int:
        asked.append(address)
        return 2**32 - 1044

    stack = Stack()
    stack.execute(0x102, "ldr", "r4, [pc, #0x20]", word)
    stack.execute(0x104, "add", "sp, r4", word)
    assert (stack.depth, asked) == (1044, [0x124])


@pytest.mark.parametrize(
    "code",
    [
        ("sub sp, sp, r3",),
        ("ldr r3, [r0]", "sub sp, sp, r3"),
        ("movs r3, #8", "mul r3, r0, r3", "sub sp, sp, r3"),
        ("add r7, sp, #8", "ldr r7, [r0]", "mov sp, r7"),
        ("add r7, sp, #8", "ldm r7!, {r0}", "mov sp, r7"),
        ("add r3, sp, #8", "umull r0, r3, r1, r2", "mov sp, r3"),
        ("bic sp, sp, #7",),
        ("msr msp, r0",),
        ("ldr r4, [pc, #8]", "add sp, r4"),  # of no word there
    ],
)
def test_what_is_known_only_while_it_runs_is_refused(code: tuple[str, ...]) -> None:
    with pytest.raises(Unknown, match=r"frame is known only while it runs|sets the stack pointer of the core"):
        depth_after(*code)


def test_a_call_leaves_the_registers_that_it_may_not_change() -> None:
    stack = Stack(0, {"r3": ("constant", 8), "r7": ("stack", 16)})
    stack.called()
    assert stack.known == {"r7": ("stack", 16)}


@pytest.mark.parametrize(
    ("code", "way"),
    [
        ("bl 0x200", Exit(target=0x200, is_call=True)),
        ("blx r3", Exit(open=True, is_call=True)),
        ("b.w 0x200", Exit(target=0x200, behind=False)),
        ("bls 0x200", Exit(target=0x200)),
        ("ble #0x200", Exit(target=0x200)),
        ("cbnz r0, 0x200", Exit(target=0x200)),
        ("le lr, 0x200", Exit(target=0x200)),
        ("wls lr, r0, 0x200", Exit(target=0x200)),
        ("tbb [pc, r0]", Exit(behind=False, open=True)),
        ("bx lr", Exit(behind=False)),
        ("bxeq lr", Exit()),
        ("bx r3", Exit(behind=False, open=True)),
        ("mov pc, r3", Exit(behind=False, open=True)),
        ("ldr pc, [pc, r0, lsl #2]", Exit(behind=False, open=True)),
        ("pop {r4, pc}", Exit(behind=False)),
        ("popne {r4, pc}", Exit()),
        ("ldr pc, [sp], #4", Exit(behind=False)),
        ("bic r0, r0, #1", Exit()),
        ("ldr r0, [pc, #4]", Exit()),
        ("pop {r4, r5}", Exit()),
        ("svc #0", Exit()),
    ],
)
def test_ways_on(code: str, way: Exit) -> None:
    mnemonic, _, operands = code.partition(" ")
    assert leaving(0x100, 2, mnemonic, operands) == way


def piece(start: int, *code: str) -> Piece:
    listed = tuple((start + 2 * at, 2, *line.partition(" ")[::2]) for at, line in enumerate(code))
    return Piece(start=start, end=start + 2 * len(code), instructions=listed, exit=leaving(*listed[-1]))


def test_a_function_is_followed_over_branches_calls_and_a_table() -> None:
    pieces = {
        0: piece(0x100, "push {r4, lr}", "beq 0x140"),
        1: piece(0x104, "sub sp, #8", "bl 0x500"),
        2: piece(0x108, "tbb [pc, r0]"),
        3: piece(0x120, "push {r0}", "pop {r1}", "add sp, #8", "b 0x140"),
        4: piece(0x140, "pop {r4, pc}"),
    }
    assert follow({0x100}, pieces, no_word) == {
        0: Depths(at_end=8, most=8),
        1: Depths(at_end=16, most=16),
        2: Depths(at_end=16, most=16),
        3: Depths(at_end=8, most=20),
        4: Depths(at_end=8, most=8),
    }


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        # Pushed on one of two ways to the same place.
        ({0: piece(0x100, "beq 0x110"), 1: piece(0x102, "push {r0}", "b 0x110"), 2: piece(0x110, "bx lr")}, "differs"),
        ({0: piece(0x100, "bx lr"), 1: piece(0x110, "bx lr")}, "cannot be followed"),
        ({0: Piece(start=0x100, end=0x104, instructions=None, exit=Exit())}, "does not decode"),
    ],
)
def test_functions_that_cannot_be_followed(pieces: dict[int, Piece], reason: str) -> None:
    with pytest.raises(Unknown, match=reason):
        follow({0x100}, pieces, no_word)


def test_entered_in_the_middle_and_far_jumps_of_armv6() -> None:
    middle = {0: piece(0x120, "sub sp, #4", "bl 0x200"), 1: piece(0x200, "add sp, #4", "bx lr")}
    assert follow({0x120}, middle, no_word)[1] == Depths(at_end=0, most=4)
