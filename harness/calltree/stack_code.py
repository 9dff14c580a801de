"""What an instruction does to the stack pointer, and where the code goes on behind it; Thumb, read as text of capstone.

Registers that hold an address on the stack or a constant are followed as far as compilers use them for the stack: frame
pointers, and the sizes of large frames.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from harness.records import Record

Word = Callable[[int], int | None]

_CONDITION = "(?:eq|ne|cs|hs|cc|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)"
_WIDTH = r"(?:\.w|\.n)?"
_CALL = re.compile(rf"(blx?){_CONDITION}?{_WIDTH}")
_BRANCH = re.compile(rf"b({_CONDITION})?{_WIDTH}")
_JUMPS_ON = re.compile(r"cbn?z|wls(?:tp\.\d+)?|le(?:tp)?")
_LEAVES = re.compile(rf"(?:bx(?:ns)?|mov|add|ldr|ldm(?:ia|db)?|pop)({_CONDITION})?{_WIDTH}")
_TABLE = re.compile(r"tb[bh]")
_IMMEDIATE = re.compile(r"#(-?(?:0x[0-9a-f]+|\d+))")
_PLACE = re.compile(r"\b(0x[0-9a-f]+|\d+)$")  # which stands without a #
_INDEXED = re.compile(r"\[(\w+)(?:, #(-?(?:0x[0-9a-f]+|\d+)))?\](!)?(?:, #(-?(?:0x[0-9a-f]+|\d+)))?")
_ALIASES = {"sb": "r9", "sl": "r10", "fp": "r11", "ip": "r12"}
_CLOBBERED = ("r0", "r1", "r2", "r3", "r12", "lr")
_READS_FIRST = re.compile(
    r"str(?!ex)|stm|push|vst|vpush|cm[pn]|tst|teq|cbn?z|b(?!ic|f)|tb|it|vcmp|vmsr|msr|pld|svc|udf"
)
_TWO_RESULTS = re.compile(r"ldrd|[us]mull|[us]mlal|smlal|smlsl|umaal|vmov|lsll|lsrl|asrl|mrrc|sq|uq")


class Unknown(Exception):
    """The stack pointer cannot be followed, for the reason in words."""


class Exit(Record, frozen=True):
    """Where code goes on behind its last instruction: at ``target``, behind itself, or, ``open``, somewhere that the
    instruction does not say. ``is_call``: the target returns behind it."""

    target: int | None = None
    behind: bool = True
    open: bool = False
    is_call: bool = False


class Stack:
    """The stack pointer while code is followed: ``depth`` is its distance below where it was at the entry, in bytes.

    ``known`` holds, of registers, the distance of an address on the stack as ("stack", bytes), or ("constant", value).
    """

    def __init__(self, depth: int = 0, known: dict[str, tuple[str, int]] | None = None) -> None:
        self.depth = depth
        self.known = dict(known or {})

    def execute(self, address: int, mnemonic: str, operands: str, word: Word) -> None:
        """Follow one instruction; ``word`` gives the 32 bits of the firmware's code at an address.

        Raises:
            Unknown: it sets the stack pointer to what is not known.
        """
        listed = _registers(operands)
        base = mnemonic.split(".")[0]
        if base.startswith(("push", "vpush")):
            self.depth += _bytes_of(operands)
        elif base.startswith(("pop", "vpop")):
            if "pc" not in listed:
                self.depth -= _bytes_of(operands)
            self._forget(listed)
        elif base.startswith(("ldm", "vldm")):
            self.depth -= _bytes_of(operands) if operands.startswith("sp!") and "pc" not in listed else 0
            self._forget(listed)
        elif base == "msr" and operands.startswith(("msp,", "psp,")):
            raise Unknown(f"it sets the stack pointer of the core ({base} {operands})")
        elif _first(operands) == ["sp"] and not _READS_FIRST.match(base):
            self._set_pointer(base, operands, listed)
        else:
            self._index(base, operands, listed)
            self._learn(address, base, operands, listed, word)

    def called(self) -> None:
        """Behind a call: registers that the callee may change are not known any more."""
        self._forget(_CLOBBERED)

    def _set_pointer(self, base: str, operands: str, listed: list[str]) -> None:
        value = self._sum(base, operands, listed)
        if value is None or value[0] != "stack":
            raise Unknown(f"the size of its frame is known only while it runs ({base} {operands})")
        self.depth = value[1]

    def _index(self, base: str, operands: str, listed: list[str]) -> None:
        """Loads and stores that move the stack pointer, or another base, along."""
        found = _INDEXED.search(operands)
        if base.startswith(("stm", "vstm")):
            if operands.startswith("sp!"):
                self.depth += _bytes_of(operands)
            elif "!" in operands:
                self._forget(listed[:1])
        elif found and (found[3] or found[4]):
            moved, distance = _name(found[1]), int(found[2] or found[4] or "0", 0)
            if moved != "sp":
                self._forget([moved])
            elif "pc" not in listed[:1]:
                self.depth -= distance

    def _learn(self, address: int, base: str, operands: str, listed: list[str], word: Word) -> None:
        """What the instruction makes known of its result; what it overwrites is not known any more."""
        if _READS_FIRST.match(base) or not _first(operands):
            return
        value = None
        if base == "ldr" and listed == [listed[0], "pc"]:
            offset = _IMMEDIATE.search(operands)
            loaded = word((address + 4 & ~3) + int(offset[1], 0)) if offset else None
            value = None if loaded is None else ("constant", loaded)
        elif "[" not in operands:
            value = self._sum(base, operands, listed)
        self._forget(listed if "{" in operands else listed[: 2 if _TWO_RESULTS.match(base) else 1])
        if value is not None:
            self.known[listed[0]] = value

    def _sum(self, base: str, operands: str, listed: list[str]) -> tuple[str, int] | None:
        """What MOV, ADD and SUB give of what is known."""
        immediate = _IMMEDIATE.search(operands)
        number = ("constant", int(immediate[1], 0)) if immediate else None
        if base in ("mov", "movs", "movw") and len(listed) + bool(immediate) == 2:
            return self._value(listed[1]) if number is None else number
        if base == "movt" and number is not None and (low := self.known.get(listed[0])):
            return low[0], low[1] & 0xFFFF | number[1] << 16
        if base in ("rsbs", "negs") and number in (None, ("constant", 0)) and (value := self._value(listed[-1])):
            return ("constant", -value[1]) if value[0] == "constant" else None
        if base in ("lsl", "lsls") and number is not None and (value := self._value(listed[-1])):
            return ("constant", value[1] << number[1]) if value[0] == "constant" else None
        if base not in ("add", "adds", "addw", "sub", "subs", "subw") or "," in operands.partition("#")[2]:
            return None
        first = self._value(listed[1] if len(listed) + bool(immediate) == 3 else listed[0])
        second = number or self._value(listed[-1])
        return None if first is None or second is None else _added(first, second, base.startswith("sub"))

    def _value(self, register: str) -> tuple[str, int] | None:
        return ("stack", self.depth) if register == "sp" else self.known.get(register)

    def _forget(self, registers: list[str] | tuple[str, ...]) -> None:
        for register in registers:
            self.known.pop(register, None)


def leaving(address: int, size: int, mnemonic: str, operands: str) -> Exit:
    """Where the code goes on behind an instruction."""
    number = _PLACE.search(operands)
    target = int(number[1], 0) if number else None
    if _TABLE.fullmatch(mnemonic):
        return Exit(behind=False, open=True)
    if call := _CALL.fullmatch(mnemonic):
        return Exit(target=target if call[1] == "bl" else None, open=call[1] == "blx", is_call=True)
    if branch := _BRANCH.fullmatch(mnemonic):
        return Exit(target=target, behind=branch[1] is not None)
    if _JUMPS_ON.fullmatch(mnemonic):
        return Exit(target=target)
    leaves = _LEAVES.fullmatch(mnemonic)
    listed = _registers(operands)
    if leaves is None or not (mnemonic.startswith("bx") or "pc" in (listed if "{" in operands else listed[:1])):
        return Exit()
    returns = mnemonic.startswith(("pop", "ldm")) or operands.endswith("lr") or "[sp]" in operands
    return Exit(behind=leaves[1] is not None, open=not returns)


def _added(first: tuple[str, int], second: tuple[str, int], subtracts: bool) -> tuple[str, int] | None:
    """Sums of constants, and of a constant and a distance below the entry, which grows where addresses fall."""
    number = _signed(second[1])
    if second[0] == "constant":
        grows = subtracts == (first[0] == "stack")
        return first[0], first[1] + (number if grows else -number)
    if first[0] == "constant" and not subtracts:
        return "stack", second[1] - _signed(first[1])
    return None


def _signed(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def _name(register: str) -> str:
    return _ALIASES.get(register, register)


def _first(operands: str) -> list[str]:
    """The core's register that is the first operand; that is the result, unless the instruction only reads it."""
    return _registers(operands.partition(",")[0])


def _registers(operands: str) -> list[str]:
    """The registers in an instruction's text, in their order."""
    return [_name(item) for item in re.findall(r"\b(?:r\d+|s[lbp]|fp|ip|lr|pc)\b", operands)]


def _bytes_of(operands: str) -> int:
    """What a list of registers takes in memory."""
    inside = operands[operands.find("{") :]
    total = 0
    for item in inside.strip("{}").split(","):
        name = item.strip()
        total += 8 if re.fullmatch(r"d\d+", name) else 4
    return total
