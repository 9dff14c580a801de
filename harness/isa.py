"""Instruction classes of Armv6-M to Armv8.1-M, by mnemonic.

=========  ============================================================================================================
class      what is in it
=========  ============================================================================================================
alu        integer arithmetic, logic, shifts, moves, compares, bit fields, extensions
mac        multiplications of the base instruction set, with or without accumulation
dsp        the DSP extension: SIMD on halves and bytes, 16-bit and dual multiplications, saturating arithmetic
load       LDR and LDM in all forms, POP, PLD, and their FPU counterparts (VLDR, VLDM, VPOP)
store      STR and STM in all forms, PUSH, and their FPU counterparts
branch     B, BL, BX, BLX, CBZ, CBNZ, TBB, TBH, and the low-overhead loops (DLS, WLS, LE)
division   SDIV, UDIV
fp         arithmetic, conversions and moves of the FPU
mve        Helium: everything that works on vector registers, and vector predication
other      IT, hints, barriers, system registers, supervisor calls
=========  ============================================================================================================

A load into the PC is a load; a POP that returns is one too. An instruction whose IT condition fails counts in its class
all the same.
"""

from __future__ import annotations

import functools
import re

import capstone

from harness.errors import HarnessError

CLASSES = ("alu", "mac", "dsp", "load", "store", "branch", "division", "fp", "mve", "other")
_COLUMN = {name: index for index, name in enumerate(CLASSES)}

_CONDITIONS = "eq|ne|cs|hs|cc|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le|al"


# Mnemonics of each class, as regular expressions separated by spaces. The first class that matches decides; a condition
# may follow each of them, and a width or type (".w", ".f32") is cut off before.
_MNEMONICS = {
    "division": "[su]div",
    "branch": "bl?x? bl?xns cbn?z tb[bh] dls wls le dlstp wlstp letp lctp",
    "load": "ldr[a-z]* ldm[a-z]* lda(?:ex)?[bh]? pop pldw? pli vldr vldm[a-z]* vpop vlldm fldmx",
    "store": "str[a-z]* stm[a-z]* stl(?:ex)?[bh]? push vstr vstm[a-z]* vpush vlstm fstmx",
    "mac": "muls? ml[as] [su]mulls? [su]mlals?",
    "dsp": (
        "sm(?:la|lal|ul)[bt][bt] sm(?:la|ul)w[bt] sm(?:la|ls|lal|lsl|ua|us)dx? smm(?:la|ls|ul)r? umaal"
        " q(?:add|sub)(?:8|16)? qd(?:add|sub) uq(?:add|sub)(?:8|16) [su]h?(?:add|sub)(?:8|16)"
        " (?:[su]h?|u?q)(?:asx|sax) sel usada?8 [su]sat16 pkh(?:bt|tb) [su]xta?b16 [su]xta[bh]"
    ),
    "other": (
        "it[te]* nop yield wf[ei] sevl? [di][sm]b csdb p?ssbb esb dbg cps(?:i[ed])? mrs msr svc bkpt udf hlt clrex sg"
        " tta?t? mcrr?2? mrrc2? mrc2? cdp2? ldc2?l? stc2?l? bf bfl bfx bflx bfcsel pac[a-z]* aut[a-z]* bxaut hint"
    ),
    "alu": (
        "ad[cd]s? addw adr ands? asrs? bfc bfi bics? clz cm[np] eors? ls[lr]s? movs? mov[wt] mvns? or[nr]s? rbit rev"
        " rev16 revsh rors? rrxs? rsbs? sbcs? subs? subw [su]bfx [su]xt[bh] [su]sat teq tst neg cset csetm cinc cinv"
        " cneg csel csinc csinv csneg clrm lsll lsrl asrl [su]q?rshrl? [su]qshll? [su]qrsh[lr]l?"
    ),
}
_PATTERNS = {
    name: re.compile(rf"(?:{'|'.join(mnemonics.split())})(?:{_CONDITIONS})?") for name, mnemonics in _MNEMONICS.items()
}

# Helium's predication, and loads and stores of vectors whose registers are given as q. VSCCLRM, which clears registers
# of the FPU, has VPR at the end of its list.
_MVE = re.compile(r"(?:vp(?:t|st|sel|not)[te]*|vctp|vmrs_vpr)")
_VECTOR = re.compile(r"\b(?:q[0-7]|p0|vpr(?!}))\b")


class UnknownInstruction(ValueError):
    """A mnemonic that no class covers."""


@functools.cache
def _by_mnemonic(mnemonic: str) -> str:
    stem = mnemonic.split(".")[0]
    for name, pattern in _PATTERNS.items():
        if pattern.fullmatch(stem):
            return name
    if stem.startswith("v"):
        return "fp"
    raise UnknownInstruction(mnemonic)


def classify(mnemonic: str, operands: str) -> str:
    """The class of one instruction as capstone writes it.

    Raises:
        UnknownInstruction: no class covers the mnemonic.
    """
    if mnemonic.startswith("v") and (_VECTOR.search(operands) or _MVE.match(mnemonic)):
        return "mve"
    return _by_mnemonic(mnemonic)


def count_classes(code: bytes, address: int, length: int, armv8: bool) -> tuple[list[int], int]:
    """Counts of each class, in the order of ``CLASSES``, among the first ``length`` instructions of some code.

    Returns:
        The counts, and how many instructions decode: fewer than ``length`` where capstone does not know one.

    Raises:
        HarnessError: an instruction is of no known class.
    """
    counts, decoded = [0] * len(CLASSES), 0
    for _, _, mnemonic, operands in disassembler(armv8).disasm_lite(code, address, length):
        try:
            counts[_COLUMN[classify(mnemonic, operands)]] += 1
        except UnknownInstruction as error:
            raise HarnessError(f"the instruction {error} near {address:#x} is of no known class") from error
        decoded += 1
    return counts, decoded


@functools.cache
def disassembler(armv8: bool) -> capstone.Cs:
    """capstone for M-profile Thumb code; ``armv8`` for the cores from M23 on."""
    mode = capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS | (capstone.CS_MODE_V8 if armv8 else 0)
    return capstone.Cs(capstone.CS_ARCH_ARM, mode)
