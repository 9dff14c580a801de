"""Instructions as the timing of a pipeline sees them: what they are, which registers they need and set."""

from __future__ import annotations

import functools
import re

import capstone
from capstone import arm as operands

from harness.records import Record

# Kinds, as regular expressions of mnemonics separated by spaces, conditions and widths cut off. The first that matches
# decides; what none matches is "alu" or, beginning with v, "fp".
_KINDS = {
    "it": "it[te]*",
    "table": "tb[bh]",
    "loop": "dls wls le dlstp wlstp letp lctp",
    "call": "bl",
    "return": "blx bx bxns blxns",
    "branch": "b cbn?z",
    "load_many": "ldm[a-z]* pop vldm[a-z]* vpop vlldm",
    "store_many": "stm[a-z]* push vstm[a-z]* vpush vlstm",
    "load_pair": "ldrd",
    "store_pair": "strd",
    "load": "ldr[a-z]* lda[a-z]* vldr pld[a-z]* pli",
    "store": "str[a-z]* stl[a-z]* vstr",
    "divide": "[su]div",
    "multiply_long": "[su]mulls? [su]mlals? umaal smlald?x? smlsld?x? smlal[bt][bt] smlald smlsld",
    "accumulate": "ml[as] smla[bt][bt] smlaw[bt] sml[as]dx? smml[as]r?",
    "multiply": "muls? smul[bt][bt] smulw[bt] smu[as]dx? smmulr?",
    "simd": (
        "q(?:add|sub)(?:8|16)? qd(?:add|sub) uq(?:add|sub)(?:8|16) [su]h?(?:add|sub)(?:8|16) (?:[su]h?|u?q)(?:asx|sax)"
        " sel usada?8 [su]sat(?:16)? pkh(?:bt|tb) [su]xta?b16 [su]xta?[bh] rbit rev rev16 revsh"
    ),
    "field": "[su]bfx bfc bfi",
    "shift": "lsls? lsrs? asrs? rors? rrxs?",
    "system": "mrs msr svc bkpt udf isb dsb dmb cps(?:i[ed])? wfi wfe sevl? clrex sg",
    "nop": "nop yield hint",
    "fp_divide": "vdiv vsqrt",
    "fp_accumulate": "v(?:n?ml[as]|fn?m[as])",
    "fp_move": "vmov vmrs vmsr",
}
_CONDITIONS = "eq|ne|cs|hs|cc|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le|al"
_PATTERNS = {
    name: re.compile(rf"(?:{'|'.join(mnemonics.split())})(?:{_CONDITIONS})?") for name, mnemonics in _KINDS.items()
}
_VECTOR = re.compile(r"\b(?:q[0-7]|p0)\b")
_LOADS = ("load", "load_pair", "load_many")
_STORES = ("store", "store_pair", "store_many")
_MVE_MEMORY = re.compile(r"v(?:ld|st)")


class Instruction(Record, frozen=True, eq=False):
    """One instruction.

    ``kind`` is a key of ``_KINDS``, "alu", "fp", or, with Helium, "mve" or "mve_memory". ``reads`` and ``writes`` are
    capstone's numbers of registers; ``address`` those of ``reads`` that make an address. ``registers`` is how many a
    load or store of several moves, else 1. ``single`` of the floating-point kinds: not double precision. ``target``:
    the address that a branch goes to, where it is fixed.
    """

    kind: str
    mnemonic: str
    size: int
    reads: frozenset[int]
    writes: frozenset[int]
    address: frozenset[int]
    registers: int = 1
    base_update: bool = False
    register_offset: bool = False
    literal: bool = False
    shifted: bool = False
    to_pc: bool = False
    narrow_memory: bool = False
    single: bool = True
    target: int | None = None

    @property
    def is_load(self) -> bool:
        """Whether it reads memory into registers."""
        return self.kind in _LOADS

    @property
    def is_store(self) -> bool:
        """Whether it writes registers to memory."""
        return self.kind in _STORES

    @property
    def is_fp(self) -> bool:
        """Whether it is floating-point arithmetic."""
        return self.kind in ("fp", "fp_divide", "fp_accumulate")


@functools.cache
def _kind(stem: str) -> str:
    for name, pattern in _PATTERNS.items():
        if pattern.fullmatch(stem):
            return name
    return "fp" if stem.startswith("v") else "alu"


def _kind_of(mnemonic: str, text: str) -> str:
    stem = mnemonic.split(".")[0]
    if stem.startswith("v") and _VECTOR.search(text):
        return "mve_memory" if _MVE_MEMORY.match(stem) else "mve"
    return _kind(stem)


@functools.cache
def _decoder(armv8: bool) -> capstone.Cs:
    mode = capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS | (capstone.CS_MODE_V8 if armv8 else 0)
    made = capstone.Cs(capstone.CS_ARCH_ARM, mode)
    made.detail = True
    return made


_PC = operands.ARM_REG_PC
_SP = operands.ARM_REG_SP
_REGISTER, _MEMORY = operands.ARM_OP_REG, operands.ARM_OP_MEM


def instructions(code: bytes, address: int, count: int, armv8: bool) -> tuple[Instruction, ...]:
    """The first ``count`` instructions of some code; fewer where it does not decode.

    Args:
        code: bytes of Thumb code.
        address: where they lie.
        count: how many instructions.
        armv8: whether the core is of Armv8-M.
    """
    return tuple(_instruction(found) for found in _decoder(armv8).disasm(code, address, count))


def _instruction(found: capstone.CsInsn) -> Instruction:
    kind = _kind_of(found.mnemonic, found.op_str)
    reads, writes = (frozenset(registers) for registers in found.regs_access())
    memory = next((operand.mem for operand in found.operands if operand.type == _MEMORY), None)
    several = kind in ("load_many", "store_many")
    moved = 1
    if several:
        listed = [operand for operand in found.operands if operand.type == _REGISTER]
        moved = len(listed) - (0 if found.mnemonic.split(".")[0] in ("pop", "push", "vpop", "vpush") else 1)
        moved *= 2 if re.search(r"\bd\d", found.op_str) else 1
    if memory is not None:
        used = {memory.base, memory.index} & reads
    else:
        used = {_SP} & reads if found.mnemonic.startswith(("pop", "push", "vpop", "vpush")) else set()
        if several and not used:
            used = {found.operands[0].reg}
    return Instruction(
        kind=kind,
        mnemonic=found.mnemonic,
        size=found.size,
        reads=reads,
        writes=writes,
        address=frozenset(used),
        registers=max(moved, 1),
        base_update=memory is not None and bool(found.writeback),
        register_offset=memory is not None and memory.index in reads,
        literal=memory is not None and memory.base == _PC,
        shifted=any(operand.shift.type for operand in found.operands if operand.type == _REGISTER),
        to_pc=_PC in writes,
        narrow_memory=bool(re.match(r"(?:ldr|str)s?[bh]", found.mnemonic)),
        target=_target(found) if kind in ("branch", "loop") else None,
        single=not re.search(r"\.f64|\bd\d", f"{found.mnemonic} {found.op_str}"),
    )


def _target(found: capstone.CsInsn) -> int | None:
    fixed = [operand.imm for operand in found.operands if operand.type == operands.ARM_OP_IMM]
    return fixed[-1] if fixed else None
