"""Timing of the Cortex-M7, which issues up to two instructions a cycle, in order. Approximate: Arm publishes no table.

The rules are LLVM's (llvm/lib/Target/ARM/ARMScheduleM7.td: units, latencies, what is issued alone or first of a pair,
which operands are needed a cycle earlier or later, 6 cycles for a branch that was predicted wrongly), which agree with
what quinapalus.com/cm7cycles.html measured on an STM32H730. Of a branch with two ways the rarer one is taken for
predicted wrongly, since nothing better is known of the predictor. Memory answers at once: caches are counted elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from capstone import arm as operands

from harness.cost.decode import Instruction
from harness.records import Record

MISPREDICTED = 6.0

_CPSR = operands.ARM_REG_CPSR


class Rule(Record, frozen=True):
    """How an instruction is issued.

    ``units`` are needed in the cycle of issue; ``latency`` in cycles; ``late``: cycles by which operands are needed
    after an ALU's; ``early_all``: all are needed one before, as addresses are. ``alone``: nothing else in its cycles,
    of which there are ``occupies``. ``first``: not the second of a pair.
    """

    units: tuple[str, ...] = ()
    latency: int = 1
    late: int = 0
    alone: bool = False
    first: bool = False
    occupies: int = 1
    early_all: bool = False


# How many of each unit there are.
UNITS = {"alu": 2, "load": 2, "store": 1, "mac": 1, "branch": 1, "vfp": 1, "port": 2, "shift": 1, "simd": 1}

_RULES = {
    "alu": Rule(units=("alu",)),
    "shift": Rule(units=("alu", "shift")),
    "field": Rule(units=("alu", "shift", "simd"), first=True, early_all=True),
    "simd": Rule(units=("alu", "simd"), first=True),
    "multiply": Rule(units=("mac",), latency=2),
    "accumulate": Rule(units=("mac",), latency=2),
    "multiply_long": Rule(units=("mac",), latency=2),
    "divide": Rule(units=("alu",), alone=True, occupies=7),
    "load": Rule(units=("load",)),
    "load_pair": Rule(units=("load",), alone=True),
    "store": Rule(units=("store",), late=1),
    "store_pair": Rule(units=("store",), alone=True, late=1),
    "branch": Rule(units=("branch",)),
    "call": Rule(units=("branch",)),
    "return": Rule(units=("branch",)),
    "table": Rule(units=("load",), alone=True, occupies=2),
    "fp": Rule(units=("vfp", "port"), latency=3),
    "fp_accumulate": Rule(units=("vfp", "port"), latency=6),
    "fp_divide": Rule(units=("vfp", "port"), latency=16),
    "fp_move": Rule(units=("port",), latency=3),
    "system": Rule(alone=True, occupies=3),
    "it": Rule(),
    "nop": Rule(),
}
_DOUBLE_LATENCY = {"fp": 4, "fp_accumulate": 11, "fp_divide": 30, "fp_move": 3}


class Time(Record, frozen=True):
    """When a block has been issued: whole cycles where a branch ends it, and counting an empty second slot as half."""

    whole: float
    flowing: float


def time(block: Sequence[Instruction], loops: bool) -> Time:
    """Time of a block. ``loops``: it is mostly followed by itself, so that what is under way at its end matters."""
    state = _State()
    for instruction in block:
        state.issue(instruction)
    first = state.time()
    if not loops:
        return first
    state.next_cycle()
    began = state.cycle
    for instruction in block:
        state.issue(instruction)
    again = state.time()
    return Time(whole=again.whole - began, flowing=again.flowing - began)


class _State:
    """The cycle that is filled, what was issued in it, and when each register will be there."""

    def __init__(self) -> None:
        self.cycle = 0
        self._slots = 0
        self._free = dict(UNITS)
        self._ready: dict[int, int] = {}

    def time(self) -> Time:
        whole = self.cycle + (1 if self._slots else 0)
        return Time(whole=whole, flowing=self.cycle + self._slots / 2)

    def next_cycle(self) -> None:
        """Begin a new cycle, unless nothing was issued in this one."""
        if self._slots:
            self._to(self.cycle + 1)

    def _to(self, cycle: int) -> None:
        self.cycle, self._slots, self._free = cycle, 0, dict(UNITS)

    def issue(self, instruction: Instruction) -> None:
        rule = _rule(instruction)
        wanted = self._wanted(instruction, rule)
        if wanted > self.cycle:
            self._to(wanted)
        if self._slots and (
            self._slots == 2 or rule.alone or rule.first or any(not self._free[unit] for unit in rule.units)
        ):
            self._to(self.cycle + 1)
        for unit in rule.units:
            self._free[unit] -= 1
        for register in instruction.writes:
            self._ready[register] = self.cycle + rule.occupies - 1 + _latency(instruction, rule, register)
        if rule.alone:
            self._to(self.cycle + rule.occupies - 1)
            self._slots = 2
        else:
            self._slots += 1

    def _wanted(self, instruction: Instruction, rule: Rule) -> int:
        """The first cycle in which its operands are there."""
        wanted = self.cycle
        for register in instruction.reads:
            if register not in self._ready or (register == _CPSR and instruction.kind == "branch"):
                continue  # a branch is predicted, and does not wait for the flags
            early = rule.early_all or instruction.shifted or register in instruction.address
            advance = -1 if early else rule.late
            if instruction.kind == "accumulate" and register in instruction.writes:
                advance = 1
            if instruction.kind == "fp_accumulate" and register in instruction.writes:
                advance = 3
            wanted = max(wanted, self._ready[register] - advance)
        return wanted


def _rule(instruction: Instruction) -> Rule:
    kind = instruction.kind
    if kind in ("load_many", "store_many"):
        unit = "load" if kind == "load_many" else "store"
        return Rule(units=(unit,), alone=True, occupies=max((instruction.registers + 1) // 2, 1))
    rule = _RULES.get(kind, _RULES["alu"])
    if kind in ("load", "store") and instruction.mnemonic.startswith("v"):
        double = not instruction.single
        return Rule(units=(*rule.units, "port"), late=2 if kind == "store" else 0, alone=double)
    if kind == "alu" and instruction.shifted:
        return _RULES["shift"]
    return rule


def _latency(instruction: Instruction, rule: Rule, register: int) -> int:
    if register in instruction.address and (instruction.base_update or instruction.kind.endswith("_many")):
        return 0  # an updated base is there at once
    if instruction.kind == "load":
        return 2 if instruction.narrow_memory or not instruction.single else 1
    if not instruction.single:
        return _DOUBLE_LATENCY.get(instruction.kind, rule.latency)
    return rule.latency
