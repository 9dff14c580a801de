"""An ELF file that somebody else built, read with distrust: segments, functions, build attributes.

Every offset of its tables is checked before a library sees them, so that a damaged file gives an error and no more.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.errors import BadInputError
from harness.records import Record

_HEADER = struct.Struct("<16sHHIIIIIHHHHHH")
_PROGRAM_HEADER = struct.Struct("<8I")
_SECTION_HEADER = struct.Struct("<10I")
_SYMBOL_BYTES = 16
_ARM = 40
_MACHINES = {3: "x86", 8: "MIPS", 62: "x86-64", 83: "AVR", 94: "Xtensa", 183: "AArch64", 243: "RISC-V"}
_TYPES = {
    1: ("an object file, not linked", "link it first: the profile is of firmware that runs"),
    3: ("a shared object", "link it with -static, at fixed addresses"),
    4: ("a core dump", "give the firmware itself"),
}
_ADDRESS_SPACE = 1 << 32
_LOAD, _NOBITS, _SYMTAB = 1, 8, 2
_EXECUTABLE = 1
_MOST_BYTES = 1 << 28


class Segment(Record, frozen=True):
    """What is loaded: where it is executed and where it lies, its bytes in the file, its size in memory."""

    address: int
    load_address: int
    content: bytes
    size_bytes: int
    executable: bool


class Symbol(Record, frozen=True):
    """A symbol of code, Thumb bit cut off; ``file`` is the source of a local one, None where that is not said.

    ``size_bytes`` is 0 where it is not known, as of most assembly; ``rank`` orders names of one address.
    """

    name: str
    address: int
    size_bytes: int
    is_function: bool
    file: str | None
    rank: int


class Image(Record, frozen=True):
    """A checked file. ``attributes`` are those of Arm's build attributes, by name, empty where there are none."""

    path: Path
    sha256: str
    segments: tuple[Segment, ...]
    symbols: tuple[Symbol, ...]
    attributes: dict[str, int | str]

    def executes(self, address: int) -> bool:
        """Whether an address is in executable content."""
        return any(
            part.executable and part.address <= address < part.address + len(part.content) for part in self.segments
        )

    def word(self, load_address: int) -> int | None:
        """The 32 bits that are loaded at an address, None where there are none."""
        for part in self.segments:
            offset = load_address - part.load_address
            if 0 <= offset <= len(part.content) - 4:
                return int.from_bytes(part.content[offset : offset + 4], "little")
        return None


def read(path: Path) -> Image:
    """Read an ELF file and check it, by itself.

    Raises:
        BadInputError: it cannot be read, is no linked 32-bit ELF of Arm, or is damaged.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise BadInputError(f"{path}: {path.stat().st_size:,} bytes are too many for a microcontroller's firmware")
        content = path.read_bytes()
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read ({error.strerror})") from error
    return parse(path, content)


def parse(path: Path, content: bytes) -> Image:
    """As ``read``, of bytes that were read; ``path`` is for messages.

    Raises:
        BadInputError: as ``read``.
    """
    _check_header(path, content)
    header = _HEADER.unpack_from(content)
    segments = tuple(_segments(path, content, header))
    if not any(part.executable for part in segments):
        raise BadInputError(f"{path}: nothing in it is loaded as code", "is it the file that the linker made?")
    _check_sections(path, content, header)
    try:
        symbols, attributes = _read_sections(content)
    except BadInputError:
        raise
    except Exception as error:  # the library raises whatever a damaged file makes it to
        raise _damaged(path, f"its sections cannot be read: {type(error).__name__}: {error}") from error
    return Image(
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        segments=segments,
        symbols=symbols,
        attributes=attributes,
    )


def _damaged(path: Path, why: str) -> BadInputError:
    return BadInputError(f"{path}: damaged: {why}", "is the file complete? Build it again")


def _check_header(path: Path, content: bytes) -> None:
    if content[:4] != b"\x7fELF":
        hint = "give the .elf (or .axf, .out) that the linker made, not a .bin or .hex"
        raise BadInputError(f"{path}: not an ELF file", hint)
    if len(content) < _HEADER.size:
        raise _damaged(path, f"{len(content)} bytes are no ELF header")
    identity, kind, machine, *_ = _HEADER.unpack_from(content)
    if identity[4] == 2:
        raise BadInputError(f"{path}: a 64-bit ELF file; Cortex-M is 32-bit", "build it with arm-none-eabi-gcc")
    if identity[4] != 1 or identity[5] not in (1, 2):
        raise _damaged(path, f"class {identity[4]}, data encoding {identity[5]}")
    if identity[5] == 2:
        raise BadInputError(
            f"{path}: big-endian; the emulated cores are little-endian", "build it without -mbig-endian"
        )
    if machine != _ARM:
        name = _MACHINES.get(machine, f"machine {machine}")
        raise BadInputError(f"{path}: built for {name}, not for Arm", "build it with arm-none-eabi-gcc")
    if kind != 2:
        what, hint = _TYPES.get(kind, (f"of ELF type {kind}", "give linked firmware"))
        raise BadInputError(f"{path}: {what}", hint)


def _segments(path: Path, content: bytes, header: tuple[Any, ...]) -> Iterator[Segment]:
    _, _, _, _, _, offset, _, _, _, size, count, *_ = header
    if count and (size != _PROGRAM_HEADER.size or offset + count * size > len(content)):
        raise _damaged(path, f"{count} program headers of {size} bytes at {offset} do not fit its {len(content)} bytes")
    for number in range(count):
        at = offset + number * size
        kind, start, address, load_address, file_bytes, memory_bytes, flags, _ = _PROGRAM_HEADER.unpack_from(
            content, at
        )
        if kind != _LOAD or not memory_bytes:
            continue
        where = f"segment {number}"
        if start + file_bytes > len(content):
            raise _damaged(path, f"{where} ends at byte {start + file_bytes} of {len(content)}")
        if memory_bytes < file_bytes:
            raise _damaged(path, f"{where} is smaller in memory than in the file")
        if max(address, load_address) + memory_bytes > _ADDRESS_SPACE:
            raise _damaged(path, f"{where} ends beyond 32-bit addresses")
        yield Segment(
            address=address,
            load_address=load_address,
            content=content[start : start + file_bytes],
            size_bytes=memory_bytes,
            executable=bool(flags & _EXECUTABLE) and file_bytes > 0,
        )


def _check_sections(path: Path, content: bytes, header: tuple[Any, ...]) -> None:
    offset, size, count, names = header[6], header[11], header[12], header[13]
    if not count:
        return
    if size != _SECTION_HEADER.size or offset + count * size > len(content):
        raise _damaged(path, f"{count} section headers of {size} bytes at {offset} do not fit its {len(content)} bytes")
    if names >= count:
        raise _damaged(path, f"section {names} with the sections' names does not exist")
    for number in range(count):
        _, kind, _, _, start, length, link, _, _, entry = _SECTION_HEADER.unpack_from(content, offset + number * size)
        if kind not in (0, _NOBITS) and start + length > len(content):
            raise _damaged(path, f"section {number} ends at byte {start + length} of {len(content)}")
        if kind == _SYMTAB and (entry != _SYMBOL_BYTES or link >= count or length % entry):
            raise _damaged(path, f"section {number} is no table of symbols")


def _read_sections(content: bytes) -> tuple[tuple[Symbol, ...], dict[str, int | str]]:
    import io

    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import ARMAttributesSection, SymbolTableSection

    symbols: list[Symbol] = []
    attributes: dict[str, int | str] = {}
    for section in ELFFile(io.BytesIO(content)).iter_sections():
        if isinstance(section, SymbolTableSection):
            symbols += _symbols(section)
        elif isinstance(section, ARMAttributesSection):
            attributes |= _attributes(section)
    return tuple(symbols), attributes


def _symbols(table: Any) -> Iterator[Symbol]:
    """Functions, and other symbols of sections (labels of assembly)."""
    source: str | None = None
    ranks = {"STB_GLOBAL": 0, "STB_WEAK": 1}
    for symbol in table.iter_symbols():
        kind, binding = symbol["st_info"]["type"], symbol["st_info"]["bind"]
        if kind == "STT_FILE":
            source = symbol.name or None
            continue
        if not symbol.name or symbol.name.startswith("$") or symbol["st_shndx"] in ("SHN_UNDEF", "SHN_ABS"):
            continue
        if kind in ("STT_FUNC", "STT_NOTYPE"):
            yield Symbol(
                name=symbol.name,
                address=symbol["st_value"] & ~1,
                size_bytes=symbol["st_size"],
                is_function=kind == "STT_FUNC",
                file=source if binding == "STB_LOCAL" else None,
                rank=ranks.get(binding, 2),
            )


def _attributes(section: Any) -> dict[str, int | str]:
    found: dict[str, int | str] = {}
    for vendor in section.iter_subsections():
        for part in vendor.iter_subsubsections():
            for attribute in part.iter_attributes():
                if isinstance(attribute.value, int | str):
                    found[attribute.tag] = attribute.value
    return found
