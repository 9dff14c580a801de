"""What an object file says of itself: for which core, by which rules of calls, which symbols it has and wants."""

from __future__ import annotations

import io
from collections.abc import Iterator

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import ARMAttributesSection, SymbolTableSection

from harness.records import Record
from harness.user_library.archive import Member

# Of the build attributes (Addenda to, and Errata in, the ABI for the Arm Architecture), those that decide whether code
# fits together, by pyelftools' names.
ATTRIBUTES = (
    "TAG_CPU_ARCH",
    "TAG_CPU_ARCH_PROFILE",
    "TAG_FP_ARCH",
    "TAG_ABI_HARDFP_USE",
    "TAG_ABI_VFP_ARGS",
    "TAG_ABI_ENUM_SIZE",
)


class Object(Record, frozen=True):
    """A member of an archive that is an object file.

    ``machine`` is pyelftools' name ("EM_ARM"); ``attributes`` holds those of ATTRIBUTES that are there; ``compiler`` is
    what the compiler left of itself, None where it left nothing. Symbols are mangled names.
    """

    member: str
    machine: str
    bits: int
    attributes: dict[str, int]
    compiler: str | None
    defined: tuple[str, ...]
    undefined: tuple[str, ...]
    link_time: bool


def read(member: Member) -> Object | None:
    """A member as an object file, None where it is none, or damaged."""
    try:
        elf = ELFFile(io.BytesIO(member.content))
        symbols = list(_symbols(elf))
        return Object(
            member=member.name,
            machine=str(elf["e_machine"]),
            bits=int(elf.elfclass),
            attributes=_attributes(elf),
            compiler=_compiler(elf),
            defined=tuple(name for name, is_defined in symbols if is_defined),
            undefined=tuple(name for name, is_defined in symbols if not is_defined),
            link_time=any(section.name.startswith(".gnu.lto_") for section in elf.iter_sections()),
        )
    # pyelftools fails in its own and in Python's ways where a file is not what its headers say.
    except (ELFError, ArithmeticError, AssertionError, AttributeError, LookupError, OSError, RecursionError, TypeError,
            ValueError):  # fmt: skip
        return None


def _symbols(elf: ELFFile) -> Iterator[tuple[str, bool]]:
    """Global and weak symbols: the name, and whether it is defined here."""
    for table in elf.iter_sections():
        if isinstance(table, SymbolTableSection):
            for symbol in table.iter_symbols():
                if symbol.name and symbol["st_info"]["bind"] in ("STB_GLOBAL", "STB_WEAK"):
                    yield symbol.name, symbol["st_shndx"] != "SHN_UNDEF"


def _attributes(elf: ELFFile) -> dict[str, int]:
    found: dict[str, int] = {}
    for section in elf.iter_sections():
        if isinstance(section, ARMAttributesSection):
            for subsection in section.iter_subsections():
                for part in subsection.iter_subsubsections():
                    for attribute in part.iter_attributes():
                        if attribute.tag in ATTRIBUTES:
                            found[attribute.tag] = int(attribute.value)
    return found


def _compiler(elf: ELFFile) -> str | None:
    section = elf.get_section_by_name(".comment")
    if section is None:
        return None
    text = section.data().split(b"\0")
    words = next((part for part in text if part), b"").decode("utf-8", "replace")
    return "".join(character for character in words if character.isprintable())[:80] or None
