"""Timing of the cores that issue one instruction after the other, from published tables, at zero wait states.

Sources:

* Cortex-M3 and M4: Arm's Technical Reference Manuals (DDI 0337, DDI 0439), instruction set summary and load/store
  timings, as copied in TI SWCU185 and SWCU192, table 3-25 and "Load/Store Timings": P, the cycles to refill the
  pipeline, is 1 to 3, "depending on the alignment and width of the target instruction, and whether the processor
  manages to speculate the address early": 1 is taken where the address stands in the branch, 2 where it comes from a
  register or memory. SDIV and UDIV take 2 to 12; SMULL 3 to 5 and SMLAL 4 to 7 on the M3. Of these ranges the middle is
  taken. Each access more that an unaligned load or store makes takes a cycle.
* Cortex-M0: Arm DDI 0432, table 3-1; Cortex-M0+: Arm DDI 0484, table 3-1; both with the multiplier of one cycle, which
  the nRF51 and the RP2040 have.
* Cortex-M33: Arm publishes no table. LLVM schedules it with its model of the M4 (ARM.td, "cortex-m33"); so does this.
* Cortex-M55: no table either; stated as rough. As the M33, but loads take one cycle unless the next instruction needs
  them, the branch of a low-overhead loop is free, and a vector instruction takes two cycles (two beats a cycle), one of
  which overlaps with a vector instruction of the other sort, memory or arithmetic, before it (Arm DDI 0553, "Beats").

What data decide (early ends of divisions, alignment) and contention on buses are not known.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.cost.decode import Instruction
from harness.records import Record

_DATA_PROCESSING = ("alu", "shift", "field", "simd", "multiply", "multiply_long", "accumulate")


class Table(Record, frozen=True):
    """Cycles of a core: see the module.

    ``refill`` is added when a branch to a fixed address is taken, ``call`` where it links, ``indirect`` where the
    address comes from a register or memory, ``pop_refill`` where it is popped.

    ``pipelined``: a load directly after a load takes one cycle less, and so on (the rules of the M3 and M4).
    """

    refill: float
    call: float
    indirect: float
    pop_refill: float
    load: float
    store: float
    accumulate: float
    multiply_long: float
    accumulate_long: float
    divide: float
    pipelined: bool
    unaligned: float = 0
    fp_accumulate: float = 3
    fp_divide: float = 14
    helium: bool = False


_M4 = Table(
    refill=1,
    call=1,
    indirect=2,
    pop_refill=2,
    load=2,
    store=1,
    accumulate=1,
    multiply_long=1,
    accumulate_long=1,
    divide=7,
    pipelined=True,
    unaligned=1,
)
TABLES = {
    "cortex-m0": Table(
        refill=2, call=3, indirect=2, pop_refill=3, load=2, store=2, accumulate=1, multiply_long=1, accumulate_long=1,
        divide=1, pipelined=False,
    ),
    "cortex-m0plus": Table(
        refill=1, call=2, indirect=1, pop_refill=2, load=2, store=2, accumulate=1, multiply_long=1, accumulate_long=1,
        divide=1, pipelined=False,
    ),
    "cortex-m3": Table(
        refill=1, call=1, indirect=2, pop_refill=2, load=2, store=1, accumulate=2, multiply_long=4, accumulate_long=5.5,
        divide=7, pipelined=True, unaligned=1,
    ),
    "cortex-m4": _M4,
    "cortex-m33": _M4,
    "cortex-m55": Table(
        refill=1, call=1, indirect=2, pop_refill=2, load=1, store=1, accumulate=1, multiply_long=1, accumulate_long=1,
        divide=7, pipelined=False, fp_accumulate=1, helium=True,
    ),
}  # fmt: skip


def cycles(table: Table, block: Sequence[Instruction]) -> float:
    """Cycles of a block that is left at its end, by a branch that is not taken or none."""
    total = 0.0
    before: Instruction | None = None
    for instruction in block:
        total += _cost(table, instruction, before)
        before = instruction
    return total


def taken(table: Table, last: Instruction) -> float:
    """Cycles more where a block is left by its last instruction."""
    if last.kind == "loop":
        return 0.0 if table.helium else table.refill
    if last.kind == "call":
        return table.call
    if last.kind == "load_many":
        return table.pop_refill
    return table.refill if last.kind == "branch" else table.indirect


def _cost(table: Table, instruction: Instruction, before: Instruction | None) -> float:
    if table.helium:
        return _helium_cost(table, instruction, before)
    base = _base(table, instruction)
    if table.pipelined:
        return base + _load_store_rules(instruction, before) + _fp_stall(instruction, before)
    return base


def _base(table: Table, instruction: Instruction) -> float:
    kind = instruction.kind
    if kind == "it":
        return 1.0
    if kind == "load":
        return table.load + (0.0 if instruction.single else 1.0) + (1.0 if instruction.to_pc else 0.0)
    if kind == "store":
        return table.store + _vector_store(instruction)
    if kind in ("load_many", "store_many"):
        return 1.0 + instruction.registers
    if kind in ("load_pair", "store_pair"):
        return 3.0
    return {
        "table": 4.0,
        "divide": table.divide,
        "accumulate": table.accumulate if instruction.mnemonic.startswith("ml") else 1.0,
        "multiply_long": _long(table, instruction),
        "system": 2.0,
        "fp_accumulate": table.fp_accumulate,
        "fp_divide": table.fp_divide,
        "fp_move": 1.0 if instruction.single else 2.0,
    }.get(kind, 1.0)


def _vector_store(instruction: Instruction) -> float:
    """VSTR takes 2 cycles, 3 for double precision."""
    if not instruction.mnemonic.startswith("v"):
        return 0.0
    return 1.0 if instruction.single else 2.0


def _long(table: Table, instruction: Instruction) -> float:
    return table.accumulate_long if "la" in instruction.mnemonic[1:4] else table.multiply_long


def _load_store_rules(instruction: Instruction, before: Instruction | None) -> float:
    """The pairing rules of the M3 and M4."""
    if instruction.kind == "it":
        return -1.0 if before is not None and before.size == 2 else 0.0  # folded onto an instruction of 16 bits
    if not (instruction.is_load or instruction.is_store):
        return 0.0
    extra = 0.0
    if before is not None and before.kind in _DATA_PROCESSING and before.writes & instruction.address:
        extra += 1.0  # no forwarding from the result to an address
    chained = (
        before is not None
        and before.kind == "load"
        and not before.to_pc
        and not before.base_update
        and not before.writes & instruction.address
    )
    if instruction.kind == "load" and chained:
        extra -= 1.0
    if instruction.kind == "store" and instruction.register_offset and not chained:
        extra += 1.0
    return extra


def _fp_stall(instruction: Instruction, before: Instruction | None) -> float:
    """The result of floating-point arithmetic is there a cycle late for arithmetic that follows directly."""
    if before is None or not before.is_fp or not instruction.is_fp:
        return 0.0
    return 1.0 if before.writes & instruction.reads else 0.0


def _helium_cost(table: Table, instruction: Instruction, before: Instruction | None) -> float:
    if instruction.kind in ("mve", "mve_memory"):
        overlaps = before is not None and before.kind in ("mve", "mve_memory") and before.kind != instruction.kind
        return 1.0 if overlaps else 2.0
    late = before is not None and before.kind == "load" and bool(before.writes & instruction.reads)
    return _base(table, instruction) + (1.0 if late else 0.0)
