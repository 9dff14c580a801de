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

A load into the PC is a load; a POP that returns is one too. An instruction whose IT condition fails counts in its class.
"""

from __future__ import annotations

import functools
import re

import capstone

CLASSES = ("alu", "mac", "dsp", "load", "store", "branch", "division", "fp", "mve", "other")

_CONDITIONS = "eq|ne|cs|hs|cc|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le|al"


def _pattern(*stems: str) -> re.Pattern[str]:
    return re.compile(rf"(?:{'|'.join(stems)})(?:{_CONDITIONS})?$")


# The first pattern that matches decides; a trailing condition is allowed for, a width suffix (.w, .n) is cut off first.
_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("division", _pattern("[su]div")),
    ("branch", _pattern("bl?x?", "blxns", "bxns", "cbn?z", "tb[bh]", "dls", "wls", "le", "dlstp", "wlstp", "letp", "lctp")),
    ("load", _pattern("ldr[a-z]*?", "ldm[a-z]*?", "ldaex?[bh]?", "ldab", "ldah", "lda", "pop", "pld[w]?", "pli", "vldr", "vldm[a-z]*?", "vpop", "fldmx")),
    ("store", _pattern("str[a-z]*?", "stm[a-z]*?", "stlex?[bh]?", "stlb", "stlh", "stl", "push", "vstr", "vstm[a-z]*?", "vpush", "fstmx")),
    ("mac", _pattern("muls?", "mla", "mls", "[su]mulls?", "[su]mlals?")),
    (
        "dsp",
        _pattern(
            "smla[bt][bt]", "smlal[bt][bt]", "smlalds?x?", "smladx?", "smlaw[bt]", "smlsdx?", "smlsldx?",
            "smmlar?", "smmlsr?", "smmulr?", "smuadx?", "smul[bt][bt]", "smulw[bt]", "smusdx?", "umaal",
            "q(?:add|sub)(?:8|16)?", "qd(?:add|sub)", "q(?:asx|sax)", "[su]h?(?:add|sub)(?:8|16)", "uq(?:add|sub)(?:8|16)",
            "(?:[su]h?|uq)(?:asx|sax)", "sel", "usada?8", "[su]sat16", "pkh(?:bt|tb)", "[su]xta?b16", "[su]xta[bh]",
        ),
    ),
    (
        "other",
        _pattern("it[te]*", "nop", "yield", "wf[ei]", "sevl?", "[di][sm]b", "csdb", "ssbb", "pssbb", "esb", "dbg",
                 "cps(?:ie|id)?", "m[rs][sr]", "svc", "bkpt", "udf", "hlt", "clrex", "sg", "tt[at]*", "[cm]?(?:mcr|mrc)[r2]*",
                 "bf(?:l?x?|csel)?", "pac[a-z]*", "aut[a-z]*", "bxaut", "hint"),
    ),
    (
        "alu",
        _pattern(
            "ad[cdr]s?", "addw", "and?s?", "ands?", "asrs?", "bfc", "bfi", "bics?", "clz", "cm[np]", "eors?", "ls[lr]s?",
            "mov[swt]?", "movs", "mvns?", "orn?s?", "orrs?", "orns?", "rbit", "rev(?:16|sh)?", "rors?", "rrxs?", "rsbs?",
            "sbcs?", "subs?", "subw", "[su]bfx", "[su]xt[bh]", "[su]sat", "teq", "tst", "neg", "cinc", "cinv", "cneg",
            "cset", "csetm", "csel", "csinc", "csinv", "csneg", "lsll", "lsrl", "asrl", "[su]q?rsh[lr]l?", "[su]qshll?",
            "urshrl?", "srshrl?", "sqshll?", "uqshll?", "uqrshll?", "sqrshrl?", "adr",
        ),
    ),
)  # fmt: skip

# Helium's predication, and loads and stores of vectors whose registers are given as q.
_MVE = re.compile(r"(?:vp(?:t|st|sel|not)[te]*|vctp|vmrs_vpr)")
_VECTOR = re.compile(r"\b(?:q[0-7]|p0|vpr)\b")


class UnknownInstruction(ValueError):
    """A mnemonic that no class covers."""


@functools.lru_cache(maxsize=None)
def _by_mnemonic(mnemonic: str) -> str:
    stem = mnemonic.split(".")[0]
    for name, pattern in _PATTERNS:
        if pattern.match(stem):
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


@functools.cache
def disassembler(armv8: bool) -> capstone.Cs:
    """capstone for M-profile Thumb code; ``armv8`` for the cores from M23 on."""
    mode = capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS | (capstone.CS_MODE_V8 if armv8 else 0)
    return capstone.Cs(capstone.CS_ARCH_ARM, mode)
