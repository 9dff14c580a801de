"""What of Thumb code in an ELF file decides where QEMU's blocks go on."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from harness.errors import EmulationError

# QEMU's pages on M-profile cores. A block ends with the last instruction that begins on its page, or before one that
# lies on both sides of the page's end.
PAGE_BYTES = 1024


class Code:
    """The loadable bytes of an ELF file, read when first asked for."""

    def __init__(self, elf: Path) -> None:
        self._elf = elf

    @cached_property
    def _regions(self) -> list[tuple[int, bytes]]:
        from elftools.elf.elffile import ELFFile

        with self._elf.open("rb") as file:
            segments = ELFFile(file).iter_segments("PT_LOAD")
            return [(segment["p_vaddr"], segment.data()) for segment in segments]

    def halfword(self, address: int) -> int:
        """The 16 bits at an address.

        Raises:
            EmulationError: the address is not in the file.
        """
        for start, data in self._regions:
            if start <= address <= start + len(data) - 2:
                return int.from_bytes(data[address - start : address - start + 2], "little")
        raise EmulationError(f"code was executed at {address:#x}, which {self._elf.name} does not hold")

    def after_access(self, address: int) -> int | None:
        """Where the block of a load or store goes on, None where it ends at the end of the page.

        Raises:
            EmulationError: it is an instruction that may access memory several times (LDM, STM, PUSH, POP, LDRD, STRD,
                coprocessor and vector loads and stores), or it is not in the file.
        """
        first = self.halfword(address)
        if may_access_several_times(first):
            raise EmulationError(
                f"the instruction at {address:#x} accesses a device several times, which cannot be counted exactly",
                "access device registers with single loads and stores",
            )
        following = address + (4 if is_wide(first) else 2)
        left = PAGE_BYTES - address % PAGE_BYTES - (following - address)
        if left <= 0 or (left == 2 and is_wide(self.halfword(following))):
            return None
        return following


def is_wide(first: int) -> bool:
    """Whether this first halfword begins a 32-bit instruction (Armv7-M ARM, A5.1)."""
    return first >> 11 >= 0b11101


def may_access_several_times(first: int) -> bool:
    """Whether a load or store with this first halfword may access memory more than once."""
    if not is_wide(first):
        return first & 0xF000 == 0xC000 or first & 0xF600 == 0xB400  # LDM, STM; PUSH, POP
    if first & 0xFE00 == 0xE800:  # LDM, STM, LDRD, STRD and, with bit 6 set and bits 8 and 5 clear, LDREX, STREX
        return first & 0x0160 != 0x0040
    return first & 0xEE00 == 0xEC00  # coprocessor, floating-point and vector loads and stores
