"""What the harness reads from an ELF file: sizes, symbols, functions, code."""

from __future__ import annotations

import bisect
import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from harness.errors import BadInputError
from harness.records import Record

_UNKNOWN = "?"


class Section(Record, frozen=True):
    """An allocated section: address, size in bytes, whether it takes room in the file (and so in flash)."""

    name: str
    address: int
    size_bytes: int
    in_flash: bool
    writable: bool


class Elf:
    """A linked firmware file.

    Raises:
        BadInputError: it is no ELF file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        content = path.read_bytes()
        self.sha256 = hashlib.sha256(content).hexdigest()
        try:
            with path.open("rb") as file:
                elf = ELFFile(file)
                self.sections = tuple(
                    Section(
                        name=section.name,
                        address=section["sh_addr"],
                        size_bytes=section["sh_size"],
                        in_flash=section["sh_type"] != "SHT_NOBITS",
                        writable=bool(section["sh_flags"] & SH_FLAGS.SHF_WRITE),
                    )
                    for section in elf.iter_sections()
                    if section["sh_flags"] & SH_FLAGS.SHF_ALLOC and section["sh_size"]
                )
                self._code = [
                    (section["sh_addr"], section.data())
                    for section in elf.iter_sections()
                    if section["sh_flags"] & SH_FLAGS.SHF_EXECINSTR and section["sh_type"] == "SHT_PROGBITS"
                ]
                tables = [section for section in elf.iter_sections() if isinstance(section, SymbolTableSection)]
                self._symbols = [
                    (symbol.name, symbol["st_value"], symbol["st_info"]["type"] == "STT_FUNC")
                    for table in tables
                    for symbol in table.iter_symbols()
                    if symbol.name and symbol["st_shndx"] != "SHN_UNDEF"
                ]
        except ELFError as error:
            raise BadInputError(f"{path}: not an ELF file ({error})") from error

    @cached_property
    def symbols(self) -> dict[str, int]:
        """Address of each symbol, the Thumb bit of functions cut off."""
        return {name: value & ~1 if is_function else value for name, value, is_function in self._symbols}

    @cached_property
    def _functions(self) -> tuple[list[int], list[str]]:
        named = {value & ~1: name for name, value, is_function in self._symbols if is_function}
        addresses = sorted(named)
        return addresses, [named[address] for address in addresses]

    def function_at(self, address: int) -> str:
        """The (mangled) name of the function that holds an address, "?" before the first one."""
        addresses, names = self._functions
        at = bisect.bisect_right(addresses, address) - 1
        return names[at] if at >= 0 else _UNKNOWN

    def code(self, address: int, size: int) -> bytes:
        """Up to ``size`` bytes of code from an address on; empty where the file holds none there."""
        for start, data in self._code:
            if start <= address < start + len(data):
                return data[address - start : address - start + size]
        return b""

    def size_bytes(self, names: Sequence[str]) -> int:
        """Sum of the sizes of the named sections; absent ones count nothing."""
        return sum(section.size_bytes for section in self.sections if section.name in names)
