"""Instruction classes: by table, of assembled instructions, and capstone against the toolchain's own disassembler."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import isa, sources
from harness.elf import Elf

PREFIX = "arm-none-eabi-"
needs_toolchain = pytest.mark.skipif(
    shutil.which(f"{PREFIX}gcc") is None, reason=f"{PREFIX}gcc is not installed: nothing to assemble with"
)
CONDITIONS = ("eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le")


@pytest.mark.parametrize(
    ("mnemonic", "operands", "expected"),
    [
        ("adds", "r0, r1, r2", "alu"),
        ("teq", "r0, r1", "alu"),
        ("lsls", "r0, r1, #2", "alu"),
        ("mulls", "r0, r1, r0", "mac"),  # MUL if lower or same
        ("smlals", "r0, r1, r2, r3", "mac"),
        ("smlalbb", "r0, r1, r2, r3", "dsp"),
        ("usada8", "r0, r1, r2, r3", "dsp"),
        ("popeq", "{r4, pc}", "load"),
        ("vldrvs", "s0, [r0]", "load"),
        ("strd", "r0, r1, [r2]", "store"),
        ("bls", "0x10", "branch"),
        ("bl", "0x10", "branch"),
        ("blle", "0x10", "branch"),
        ("letp", "lr, 0x10", "branch"),
        ("udivne", "r0, r1, r2", "division"),
        ("vmov.f32", "s0, #1.000000e+00", "fp"),
        ("vmov.32", "q3[3], r1", "mve"),
        ("vctp.8", "r0", "mve"),
        ("itete", "ge", "other"),
        ("svcvc", "#0", "other"),
    ],
)
def test_classes(mnemonic: str, operands: str, expected: str) -> None:
    assert isa.classify(mnemonic, operands) == expected


@pytest.mark.parametrize("mnemonic", ["frobnicate", "addition", "ldx", ".byte", "wfx"])
def test_an_unknown_mnemonic_is_of_no_class(mnemonic: str) -> None:
    with pytest.raises(isa.UnknownInstruction, match=mnemonic):
        isa.classify(mnemonic, "")


BASE = {
    "alu": """
        adds r0, r1, r2; add.w r8, r9, r10, lsl #3; add sp, #16; adcs r0, r1; sbc r0, r1, r2; subs r0, #1; sub sp, #8
        rsbs r0, r1, #0; and r0, r1, #255; orr r0, r1, r2; orn r0, r1, r2; eors r0, r1; bic r0, r1, #7; mov r0, r8
        movs r0, #1; movw r0, #4660; movt r0, #4660; mvns r0, r1; lsl r0, r1, r2; lsrs r0, r1, #3; asr r0, r1, #4
        ror r0, r1, #5; rrx r0, r1; cmp r0, r1; cmp.w r0, #256; cmn r0, r1; tst r0, #4; teq r0, r1; clz r0, r1
        rbit r0, r1; rev r0, r1; rev16 r0, r1; revsh r0, r1; bfc r0, #3, #4; bfi r0, r1, #3, #4; sbfx r0, r1, #3, #4
        ubfx r0, r1, #3, #4; sxtb r0, r1; sxth r0, r1; uxtb r0, r1; uxth r0, r1; ssat r0, #8, r1; usat r0, #8, r1
        addw r0, r1, #1365; subw r0, r1, #1365; adr.w r0, .+8
    """,
    "mac": """
        muls r0, r1, r0; mul r0, r1, r2; mla r0, r1, r2, r3; mls r0, r1, r2, r3; smull r0, r1, r2, r3
        umull r0, r1, r2, r3; smlal r0, r1, r2, r3; umlal r0, r1, r2, r3
    """,
    "dsp": """
        smlabb r0, r1, r2, r3; smlatt r0, r1, r2, r3; smlalbt r0, r1, r2, r3; smulbb r0, r1, r2; smulwt r0, r1, r2
        smlawb r0, r1, r2, r3; smlad r0, r1, r2, r3; smladx r0, r1, r2, r3; smlsd r0, r1, r2, r3; smlald r0, r1, r2, r3
        smlaldx r0, r1, r2, r3; smlsld r0, r1, r2, r3; smuad r0, r1, r2; smusdx r0, r1, r2; smmul r0, r1, r2
        smmulr r0, r1, r2; smmla r0, r1, r2, r3; smmlsr r0, r1, r2, r3; umaal r0, r1, r2, r3; qadd r0, r1, r2
        qsub r0, r1, r2; qdadd r0, r1, r2; qdsub r0, r1, r2; qadd8 r0, r1, r2; qsub16 r0, r1, r2; uqadd8 r0, r1, r2
        uqsub16 r0, r1, r2; sadd8 r0, r1, r2; uadd16 r0, r1, r2; shadd8 r0, r1, r2; uhsub16 r0, r1, r2; sasx r0, r1, r2
        uasx r0, r1, r2; ssax r0, r1, r2; shasx r0, r1, r2; uhsax r0, r1, r2; qasx r0, r1, r2; uqsax r0, r1, r2
        usub8 r0, r1, r2; sel r0, r1, r2; usad8 r0, r1, r2; usada8 r0, r1, r2, r3; ssat16 r0, #8, r1; usat16 r0, #8, r1
        pkhbt r0, r1, r2; pkhtb r0, r1, r2, asr #16; sxtb16 r0, r1; uxtb16 r0, r1; uxtab16 r0, r1, r2; sxtab r0, r1, r2
        uxtah r0, r1, r2
    """,
    "load": """
        ldr r0, [r1]; ldr r0, [sp, #4]; ldr r0, [pc, #4]; ldr.w r0, [r1, r2, lsl #2]; ldrb r0, [r1, #1]; ldrh r0, [r1]
        ldrsb r0, [r1, r2]; ldrsh.w r0, [r1], #2; ldrd r0, r1, [r2]; ldrt r0, [r1]; ldm r0!, {r1, r2}
        ldmdb r0, {r1, r2}; ldrex r0, [r1]; ldrexb r0, [r1]; pop {r4, pc}; pop.w {r4, r8}; ldr pc, [r0]; pld [r0]
        pli [r0]; vldr s0, [r1]; vldmia r0!, {s0-s3}; vpop {s16-s17}
    """,
    "store": """
        str r0, [r1]; str r0, [sp, #4]; strb r0, [r1, #1]; strh.w r0, [r1, #-2]; strd r0, r1, [r2]; strt r0, [r1]
        stm r0!, {r1, r2}; stmdb r0!, {r1, r2}; strex r0, r1, [r2]; strexh r0, r1, [r2]; push {r4, lr}; push.w {r4, r8}
        vstr s0, [r1]; vstmdb r0!, {s0-s3}; vpush {s16-s17}
    """,
    "branch": "b .; b.w .; bl .; bx lr; blx r0; cbz r0, .+8; cbnz r1, .+8; tbb [pc, r0]; tbh [pc, r0, lsl #1]",
    "division": "sdiv r0, r1, r2; udiv r0, r1, r2",
    "fp": """
        vadd.f32 s0, s1, s2; vsub.f32 s0, s1, s2; vmul.f32 s0, s1, s2; vnmul.f32 s0, s1, s2; vdiv.f32 s0, s1, s2
        vsqrt.f32 s0, s1; vabs.f32 s0, s1; vneg.f32 s0, s1; vmla.f32 s0, s1, s2; vfma.f32 s0, s1, s2
        vfnms.f32 s0, s1, s2; vcmp.f32 s0, s1; vcmpe.f32 s0, #0.0; vmrs apsr_nzcv, fpscr; vmsr fpscr, r0; vmov r0, s0
        vmov s0, r0; vmov r0, r1, s0, s1; vmov.f32 s0, s1; vmov.f32 s0, #1.0; vcvt.s32.f32 s0, s1; vcvtr.s32.f32 s0, s1
        vcvtb.f32.f16 s0, s1
    """,
    "other": """
        nop; nop.w; wfi; wfe; sev; yield; isb; dmb; dsb; mrs r0, msp; msr primask, r0; svc #0; bkpt #0; udf #0; cpsie i
        cpsid f; clrex; dbg #0
    """,
}
# Everything may be conditional; a name with its condition can look like another one (BL + S, MUL + LS, B + LE).
CONDITIONAL = {
    "add{} r0, r1, r2": "alu",
    "mul{} r0, r1, r0": "mac",
    "smlal{} r0, r1, r2, r3": "mac",
    "smlabb{} r0, r1, r2, r3": "dsp",
    "ldr{} r0, [r1]": "load",
    "vldr{} s0, [r1]": "load",
    "pop{} {{r4, pc}}": "load",
    "stm{} r0, {{r1, r2}}": "store",
    "bx{} lr": "branch",
    "bl{} .": "branch",
    "udiv{} r0, r1, r2": "division",
    "vadd{}.f32 s0, s1, s2": "fp",
    "nop{}": "other",
}
# Coprocessors are custom extensions on Armv8-M, and capstone does not decode them there; no emulated machine has any.
ARMV7 = {"other": "mcr p0, 0, r0, c0, c0, 0; mrc p0, 0, r0, c0, c0, 0; cdp p0, 0, c0, c0, c0, 0"}
ARMV8 = {
    "alu": """
        cset r0, eq; csetm r0, eq; csel r0, r1, r2, eq; csinc r0, r1, r2, ne; csinv r0, r1, r2, ne
        csneg r0, r1, r2, ne; cinc r0, r1, eq; cinv r0, r1, eq; cneg r0, r1, eq; lsll r0, r1, #5; lsll r0, r1, r2
        lsrl r0, r1, #5; asrl r0, r1, #5; asrl r0, r1, r2; sqrshr r0, r1; sqrshrl r0, r1, #64, r2; sqshl r0, #3
        sqshll r0, r1, #3; srshr r0, #3; srshrl r0, r1, #3; uqrshl r0, r1; uqrshll r0, r1, #64, r2; uqshl r0, #3
        uqshll r0, r1, #3; urshr r0, #3; urshrl r0, r1, #3; clrm {r0, r1, apsr}
    """,
    "load": """
        lda r0, [r1]; ldab r0, [r1]; ldah r0, [r1]; ldaex r0, [r1]; ldaexb r0, [r1]; vldr d0, [r0]; vpop {d8-d9}
        .inst.w 0xed902f80;  vlldm r0
    """,
    "store": """
        stl r0, [r1]; stlb r0, [r1]; stlh r0, [r1]; stlex r0, r1, [r2]; stlexh r0, r1, [r2]; vstr d0, [r0]
        vpush {d8-d9}; .inst.w 0xed802f80; vlstm r0
    """,
    "branch": """
        dls lr, r0; wls lr, r0, .+8; le lr, .-8; le .-8; dlstp.8 lr, r0; wlstp.32 lr, r0, .+8; letp lr, .-8; lctp
        bxns lr; blxns r0
    """,
    "fp": """
        vadd.f64 d0, d1, d2; vadd.f16 s0, s1, s2; vselge.f32 s0, s1, s2; vmaxnm.f32 s0, s1, s2; vrinta.f32 s0, s1
        vcvta.s32.f32 s0, s1; vmov r0, r1, d0; vmov.f16 s0, r0; vins.f16 s0, s1; vmovx.f16 s0, s1
        vscclrm {s0-s3, vpr}
    """,
    "mve": """
        vldrb.u8 q0, [r0]; vldrb.s16 q0, [r0, #4]; vldrw.u32 q0, [r0], #16; vldrw.u32 q0, [r0, q1, uxtw #2]
        vldrw.u32 q0, [q1, #4]; vstrb.8 q0, [r0]; vstrh.16 q0, [r0, q1]; vld20.8 {q0, q1}, [r0]
        vst43.32 {q0, q1, q2, q3}, [r0]!; vadd.i32 q0, q1, q2; vadd.i8 q0, q1, r0; vadd.f32 q0, q1, q2
        vsub.i16 q0, q1, q2; vmul.i32 q0, q1, r0; vmla.s32 q0, q1, r0; vmlas.s32 q0, q1, r0; vmladava.s8 r0, q0, q1
        vmlaldavax.s16 r0, r1, q0, q1; vrmlaldavh.s32 r0, r1, q0, q1; vmlsdav.s16 r0, q0, q1; vmullb.s8 q0, q1, q2
        vqdmullt.s16 q0, q1, q2; vqrdmulh.s32 q0, q1, q2; vaddv.s32 r0, q0; vaddva.u8 r0, q0; vaddlv.s32 r0, r1, q0
        vmaxv.s8 r0, q0; vminav.s8 r0, q0; vabav.s8 r0, q0, q1; vctp.8 r0; vctp.32 r0; vpsel q0, q1, q2; vpnot
        vmrs r0, p0; vmsr p0, r0; vmov q0, q1; vmov.32 q0[1], r0; vmov.s8 r0, q0[3]; vmov q0[2], q0[0], r0, r1
        vmov r0, r1, q0[2], q0[0]; vmov.i32 q0, #0; vdup.32 q0, r0; vidup.u32 q0, r0, #1; vdwdup.u8 q0, r0, r1, #1
        vshlc q0, r0, #4; vshl.s32 q0, q1, #3; vshl.s32 q0, r0; vrshl.s32 q0, q1, q2; vshrnt.i32 q0, q1, #4
        vqmovnb.s16 q0, q1; vmovlb.s8 q0, q1; vrev64.8 q0, q1; vcls.s8 q0, q1; vmvn q0, q1; vbrsr.8 q0, q1, r0
        vand q0, q1, q2; vorr.i32 q0, #1; vcmp.i32 eq, q0, q1; vcmp.f32 ge, q0, r0; vcadd.i32 q0, q1, q2, #90
        vcmla.f32 q0, q1, q2, #90; vhcadd.s8 q0, q1, q2, #90; vfma.f32 q0, q1, q2; vfmas.f32 q0, q1, r0
        vmax.s8 q0, q1, q2; vmaxnm.f32 q0, q1, q2; vcvt.f32.s32 q0, q1; vabs.s8 q0, q1; vhadd.s8 q0, q1, q2
        vadc.i32 q0, q1, q2; .inst.w 0xedd0af80
        vpst; vaddt.i32 q0, q1, q2; vpste; vldrbt.u8 q0, [r0]; vstrbe.8 q0, [r1]
        vpt.s32 ge, q0, q1; vmaxt.s8 q0, q1, q2; vpte.f32 eq, q0, r0; vfmat.f32 q0, q1, q2; vfmae.f32 q0, q1, q2
    """,
    "other": "sg; tt r0, r1; ttt r0, r1; tta r0, r1; ttat r0, r1",
}
CORES = {
    "cortex-m4": (["-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16"], [BASE, ARMV7], False),
    "cortex-m55": (["-march=armv8.1-m.main+dsp+mve.fp+fp.dp", "-mfloat-abi=hard"], [BASE, ARMV8], True),
}


def instructions(tables: list[dict[str, str]]) -> Iterator[tuple[str, str]]:
    """Assembly and class, one instruction each."""
    for table in tables:
        for name, text in table.items():
            for line in re.split(r"[;\n]", text):
                if line.strip():
                    yield line.strip(), name
    for condition in CONDITIONS:
        yield f"b{condition} .", "branch"
        for pattern, name in CONDITIONAL.items():
            yield f"it {condition}", "other"
            yield pattern.format(condition), name


def assemble(lines: list[str], flags: list[str], folder: Path) -> bytes:
    source = folder / "code.s"
    source.write_text("\n".join([".syntax unified", ".thumb", ".text", *lines]) + "\n")
    subprocess.run([f"{PREFIX}gcc", "-c", *flags, "-mthumb", source, "-o", folder / "code.o"], check=True)
    return Elf(folder / "code.o").code(0, 1 << 20)


@needs_toolchain
@pytest.mark.parametrize("core", CORES)
def test_classes_of_assembled_instructions(core: str, tmp_path: Path) -> None:
    flags, tables, armv8 = CORES[core]
    wanted = list(instructions(tables))
    code = assemble([line for line, _ in wanted], flags, tmp_path)
    decoded = list(isa.disassembler(armv8).disasm_lite(code, 0))
    found = [(mnemonic, operands, isa.classify(mnemonic, operands)) for _, _, mnemonic, operands in decoded]
    wrong = [
        f"{line}: {name}, capstone has {mnemonic} {operands}: {classified}"
        for (line, name), (mnemonic, operands, classified) in zip(wanted, found, strict=False)
        if classified != name
    ]
    assert wrong == []
    assert len(found) == len(wanted)
    assert {name for _, name in wanted} >= set(isa.CLASSES) - {"mve"}


# Names that the two disassemblers write otherwise, for the same class.
ALIASES = {"neg": "rsb"}


def disassembled(objects: list[Path], architecture: str) -> Iterator[list[tuple[int, bytes, str, str]]]:
    """Runs of instructions by objdump: address, bytes, mnemonic, operands; data and gaps end a run."""
    text = subprocess.run(
        [f"{PREFIX}objdump", "-d", f"-m{architecture}", *objects], check=True, capture_output=True, text=True
    ).stdout
    run: list[tuple[int, bytes, str, str]] = []
    for line in text.splitlines():
        fields = re.match(r"\s*([0-9a-f]+):\t([0-9a-f ]+?)\s*\t([^\s.]\S*)(?:\t(.*))?$", line)
        if fields is None:
            if run:
                yield run
            run = []
        else:
            code = b"".join(int(half, 16).to_bytes(2, "little") for half in fields[2].split())
            run.append((int(fields[1], 16), code, fields[3], re.sub(r"\s*[;@].*", "", fields[4] or "")))
    if run:
        yield run


def disagreement(one: tuple[int, bytes, str, str], other: tuple[int, int, str, str]) -> str | None:
    address, code, mnemonic, operands = one
    stem = re.sub(r"^(neg)", lambda match: ALIASES[match[1]], mnemonic)
    expected = isa.classify(stem, re.sub(r"\bd\d+\[", "q0[", operands))
    if (address, len(code)) != other[:2]:
        return f"{address:#x} {mnemonic} {operands}: {len(code)} bytes, capstone has {other}"
    if isa.classify(*other[2:]) != expected:
        return f"{mnemonic} {operands}: {expected}, capstone has {other[2]} {other[3]}: {isa.classify(*other[2:])}"
    return None


@needs_toolchain
@pytest.mark.parametrize(
    ("flags", "architecture", "armv8"),
    [
        (["-mcpu=cortex-m55", "-mfloat-abi=hard"], "armv8.1-m.main", True),
        (["-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"], "armv7e-m", False),
    ],
    ids=["cortex-m55", "cortex-m4"],
)
def test_capstone_agrees_with_objdump_on_cmsis_nn(
    flags: list[str], architecture: str, armv8: bool, tmp_path: Path
) -> None:
    root = sources.cmsis_nn_folder()
    files = sorted((root / "cmsis_nn" / "Source").rglob("*.c"))
    subprocess.run(
        [f"{PREFIX}gcc", *flags, "-mthumb", "-O2", "-w", f"-I{root / 'cmsis_nn' / 'Include'}",
         f"-I{root / 'cmsis_core' / 'Include'}", "-c", *files],
        cwd=tmp_path,
        check=True,
    )  # fmt: skip
    decoder = isa.disassembler(armv8)
    classes: Counter[str] = Counter()
    wrong = []
    for run in disassembled(sorted(tmp_path.glob("*.o")), architecture):
        decoded = list(decoder.disasm_lite(b"".join(code for _, code, _, _ in run), run[0][0]))
        assert len(decoded) == len(run), f"capstone stops at {decoded[-1]}, objdump goes on with {run[len(decoded)]}"
        wrong += [text for one, other in zip(run, decoded, strict=True) if (text := disagreement(one, other))]
        classes.update(isa.classify(*other[2:]) for other in decoded)
    assert wrong == []
    assert sum(classes.values()) > 4000
    assert classes["mve" if armv8 else "dsp"] > 100
