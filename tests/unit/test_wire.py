"""Parsing of the console: whole transcripts, malformed lines, faults in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import wire

TRANSCRIPT = """\
QEMU says hello
@begin wire=1 tflm=2020-07 kernels=cmsis-nn
@log text=a message with  two blanks
@stack used=680 reserved=65536
@dump index=1 size=2
@data 0a0b
@node index=0 crc32=00000000
@node index=1 crc32=deadbeef
@output index=0 size=3
@data 80
@data ff7f
@output index=1 size=0
 @node of somebody else
@end status=0
"""
FAULT = (
    "@fault exception=6 pc=000000d4 lr=000000c1 xpsr=61000000 sp=20001fe0 cfsr=02000000 hfsr=00000000 mmfar=e000ed34"
    " bfar=e000ed38 overflow=0\n"
)


def test_a_transcript() -> None:
    assert wire.parse(TRANSCRIPT) == wire.Console(
        tflm="2020-07",
        kernels="cmsis-nn",
        log=("a message with  two blanks",),
        stack_used=680,
        stack_reserved=65536,
        dumps={1: b"\x0a\x0b"},
        crcs=(0, 0xDEADBEEF),
        outputs=(b"\x80\xff\x7f", b""),
        status=0,
    )


def test_line_ends_of_terminals_do_not_matter() -> None:
    assert wire.parse(TRANSCRIPT.replace("\n", "\r\n")) == wire.parse(TRANSCRIPT)


def test_what_an_arena_search_prints() -> None:
    console = wire.parse(
        "@begin wire=1 tflm=t kernels=k\n@arena size=4096 used=1000\n@needed size=1008\n@end status=0\n"
    )
    assert (console.arena_used, console.arena_needed) == (1000, 1008)


def test_nothing_is_made_up_for_what_was_not_printed() -> None:
    assert wire.parse("") == wire.parse("no line of ours\n") == wire.Console()
    assert wire.Console().status is None
    assert wire.Console().stack_used is None


def test_a_target_that_cannot_measure_its_stack_has_none() -> None:
    console = wire.parse(f"@stack used={2**32 - 1} reserved={2**32 - 1}\n")
    assert (console.stack_used, console.stack_reserved) == (None, None)


@pytest.mark.parametrize(("node", "expected"), [("-1", None), ("0", 0), ("7", 7)])
def test_errors(node: str, expected: int | None) -> None:
    console = wire.parse(f"@error stage=prepare node={node}\n@end status=1\n")
    assert console.failure == wire.Failure(stage="prepare", node=expected)
    assert console.status == wire.STATUS_ERROR


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("@", "unknown word"),
        ("@nonsense a=1", "unknown word"),
        ("@Begin wire=1 tflm=t kernels=k", "unknown word"),
        ("@begin wire=2 tflm=t kernels=k", "wire version 2, expected 1"),
        ("@begin wire=one tflm=t kernels=k", "one"),
        ("@begin tflm=t kernels=k", "wire"),
        ("@error stage=lunch node=0", "unknown stage 'lunch'"),
        ("@error stage=invoke node=", "malformed"),
        ("@arena size=1", "used"),
        ("@needed", "size"),
        ("@needed size=12k", "12k"),
        ("@needed size", "malformed"),
        ("@node index=1 crc32=00000000", "operators out of order"),
        ("@node index=0 crc32=wxyz", "wxyz"),
        ("@output index=1 size=0", "outputs out of order"),
        ("@data 00", "data without an output"),
        ("@output index=0 size=1\n@data 0", "malformed"),
        ("@output index=0 size=1\n@data 0g", "malformed"),
        ("@output index=0 size=2\n@data 00", "output 0 has 1 of 2 bytes"),
        ("@output index=0 size=2\n@data 000000", "output 0 has 3 of 2 bytes"),
        ("@dump index=3 size=1", "output 3 has 0 of 1 bytes"),
        ("@stack used=3", "reserved"),
        (FAULT.replace("cfsr", "cfsx"), "cfsr"),
        (FAULT.replace("exception=6", "exception=six"), "six"),
        ("@end", "status"),
        ("@end status=0x0", "0x0"),
    ],
)
def test_malformed_lines(text: str, complaint: str) -> None:
    with pytest.raises(wire.WireError, match=complaint) as caught:
        wire.parse(f"@begin wire=1 tflm=t kernels=k\n{text}\n")
    assert "\n" not in str(caught.value)


@given(
    st.lists(
        st.sampled_from(TRANSCRIPT.splitlines() + FAULT.splitlines() + ["@error stage=invoke node=1"]), max_size=6
    ),
    st.integers(0, 200),
    st.text(max_size=4),
)
def test_damage_is_a_wire_error_and_nothing_else(lines: list[str], at: int, noise: str) -> None:
    text = "\n".join(lines)
    try:
        wire.parse(text[:at] + noise + text[at + len(noise) :])
    except wire.WireError:
        return


def fault(exception: int, cfsr: int, overflow: bool = False) -> str:
    text = FAULT.replace("exception=6", f"exception={exception}").replace("cfsr=02000000", f"cfsr={cfsr:08x}")
    console = wire.parse(text.replace("overflow=0", f"overflow={int(overflow)}"))
    assert console.fault is not None
    return console.fault.describe()


def test_a_fault_is_one_line_with_its_registers() -> None:
    assert fault(6, 1 << 25) == "UsageFault (division by zero) at PC 0x000000d4, LR 0x000000c1"


# Names and positions of the bits as the Armv7-M and Armv8-M manuals give them.
IACCVIOL, DACCVIOL, MSTKERR, MMARVALID = 1 << 0, 1 << 1, 1 << 4, 1 << 7
IBUSERR, PRECISERR, IMPRECISERR, STKERR, BFARVALID = 1 << 8, 1 << 9, 1 << 10, 1 << 12, 1 << 15
UNDEFINSTR, INVSTATE, INVPC, NOCP, STKOF, UNALIGNED = (1 << bit for bit in (16, 17, 18, 19, 20, 24))


@pytest.mark.parametrize(
    ("exception", "cfsr", "overflow", "expected"),
    [
        (3, 0, False, "HardFault (no cause recorded)"),
        (3, 0, True, "HardFault (stack overflow)"),
        (4, IACCVIOL, False, "MemManage (instruction access violation)"),
        (4, DACCVIOL | MMARVALID, False, "MemManage (data access violation, address 0xe000ed34)"),
        (4, MSTKERR, False, "MemManage (stack overflow, memory fault while stacking)"),
        (5, IBUSERR, False, "BusFault (bus error on an instruction fetch)"),
        (5, PRECISERR | BFARVALID, False, "BusFault (bus error on a data access, address 0xe000ed38)"),
        (5, PRECISERR, False, "BusFault (bus error on a data access)"),
        (5, IMPRECISERR, False, "BusFault (imprecise bus error)"),
        (5, STKERR, True, "BusFault (stack overflow, bus error while stacking)"),
        (6, UNDEFINSTR, False, "UsageFault (undefined instruction)"),
        (6, INVSTATE, False, "UsageFault (invalid state (a jump to an address without the Thumb bit))"),
        (6, INVPC, False, "UsageFault (invalid exception return)"),
        (6, NOCP, False, "UsageFault (no coprocessor: FPU or Helium used while off or absent)"),
        (6, STKOF, False, "UsageFault (stack overflow, stack limit exceeded)"),
        (6, UNALIGNED | UNDEFINSTR, False, "UsageFault (undefined instruction, unaligned access)"),
        (16, 0, False, "exception 16 (no cause recorded)"),
    ],
)
def test_causes_in_words(exception: int, cfsr: int, overflow: bool, expected: str) -> None:
    assert fault(exception, cfsr, overflow) == f"{expected} at PC 0x000000d4, LR 0x000000c1"
