"""Checks a firmware against the machine that is to run it, before it runs: core, FPU, memories, vector table."""

from __future__ import annotations

from harness import cores
from harness.elfprofile.image import Image
from harness.errors import BadInputError
from harness.records import Machine, Platform, Record, Region

# Values of Tag_CPU_arch (Arm IHI 0045, "Addenda to, and Errata in, the ABI for the Arm Architecture").
_ARCHITECTURES = {
    10: "ARMv7-M",
    11: "ARMv6-M",
    12: "ARMv6S-M",
    13: "ARMv7E-M",
    16: "ARMv8-M.base",
    17: "ARMv8-M.main",
    21: "ARMv8.1-M.main",
}
_V6, _V7 = (11, 12), (10, 11, 12)
_EXECUTES = {
    "ARMv6-M": _V6,
    "ARMv7-M": _V7,
    "ARMv7E-M": (*_V7, 13),
    "ARMv8-M.main": (*_V7, 13, 16, 17),
    "ARMv8.1-M.main": (*_V7, 13, 16, 17, 21),
}
# Values of Tag_FP_arch: 5 and 6 are VFPv4, as fpv4-sp-d16 has it; 7 and 8 are that of Armv8, fpv5.
_FPU_NAMES = {1: "VFPv1", 2: "VFPv2", 3: "VFPv3", 4: "VFPv3-D16", 5: "VFPv4", 6: "VFPv4-D16", 7: "FPv5", 8: "FPv5-D16"}
_NEWEST_FPU = {None: 0, "fpv4-sp-d16": 6, "fpv5-sp-d16": 8, "fpv5-d16": 8, "auto": 8}
_KIB = 1024
# Memories of QEMU's machines besides those that platform.toml gives to programs: QEMU hw/arm/mps2.c and armsse.c.
_MORE_MEMORIES = {
    "mps2-an385": (Region(origin=0x21000000, size_bytes=16384 * _KIB),),
    "mps2-an386": (Region(origin=0x21000000, size_bytes=16384 * _KIB),),
    "mps2-an500": (Region(origin=0x60000000, size_bytes=16384 * _KIB),),
    "mps3-an547": (
        Region(origin=0x00000000, size_bytes=512 * _KIB),
        Region(origin=0x20000000, size_bytes=512 * _KIB),
    ),
}
_FIRST_HANDLER, _MOST_VECTORS = 2, 16 + 496
_SVC, _PENDSV = 11, 14


class Vectors(Record, frozen=True):
    """The vector table at reset: the first instruction, handlers of exceptions, those of them of SVC and PendSV."""

    reset: int
    handlers: frozenset[int]
    switchers: frozenset[int]


def check(image: Image, platform: Platform, machine: Machine, emulator: str = "qemu") -> Vectors:
    """Refuse a firmware that cannot run on a platform's machine; returns where its exceptions are handled.

    Args:
        image: the firmware.
        platform: what was asked for.
        machine: what runs it, whose memories count.
        emulator: "qemu", whose machines have some more memories, or "renode".

    Raises:
        BadInputError: it is for another core or FPU, loads outside of the memories, or has no vector table.
    """
    _check_core(image, platform)
    _check_fpu(image, platform)
    memories = memories_of(machine, emulator)
    for part in image.segments:
        for address, size in ((part.address, part.size_bytes), (part.load_address, len(part.content))):
            if size and not _hold(memories, address, size):
                raise _outside(image, platform, machine, address, size, memories)
    return _vectors(image, machine, memories)


def memories_of(machine: Machine, emulator: str = "qemu") -> tuple[Region, ...]:
    """What a machine's programs may lie in."""
    return (machine.flash, machine.ram, *(_MORE_MEMORIES.get(machine.name, ()) if emulator == "qemu" else ()))


def built_for(image: Image) -> str | None:
    """What a firmware's build attributes say it is for: "Cortex-M4 (ARMv7E-M)"; None without attributes."""
    architecture = image.attributes.get("TAG_CPU_ARCH")
    if not isinstance(architecture, int):
        return None
    name = _ARCHITECTURES.get(architecture, f"Arm architecture number {architecture}")
    core = image.attributes.get("TAG_CPU_NAME")
    return f"{core} ({name})" if core and str(core).startswith("Cortex") else name


def _hold(memories: tuple[Region, ...], address: int, size: int) -> bool:
    return any(memory.origin <= address and address + size <= memory.origin + memory.size_bytes for memory in memories)


def _check_core(image: Image, platform: Platform) -> None:
    architecture = image.attributes.get("TAG_CPU_ARCH")
    if not isinstance(architecture, int):
        return
    wanted = cores.get(platform.core)
    if image.attributes.get("TAG_CPU_ARCH_PROFILE", ord("M")) not in (0, ord("M")):
        raise BadInputError(
            f"{image.path}: built for a Cortex-A or Cortex-R; {platform.name} is a {platform.core}",
            f"compile with -mcpu={platform.core} -mthumb",
        )
    if architecture not in _EXECUTES[wanted.architecture]:
        raise BadInputError(
            f"{image.path}: built for {built_for(image)}; {platform.name} is a {platform.core} ({wanted.architecture})",
            f"compile with -mcpu={platform.core}, or choose a platform of that core (harness platforms)",
        )


def _check_fpu(image: Image, platform: Platform) -> None:
    fpu, mve = image.attributes.get("TAG_FP_ARCH", 0), image.attributes.get("TAG_MVE_ARCH", 0)
    if isinstance(mve, int) and mve and not platform.mve:
        raise BadInputError(
            f"{image.path}: built for Helium; {platform.name} is a {platform.core} without",
            f"compile with -mcpu={platform.core}",
        )
    if isinstance(fpu, int) and fpu > _NEWEST_FPU[platform.fpu]:
        name = _FPU_NAMES.get(fpu, f"number {fpu}")
        has = f"has the FPU {platform.fpu}" if platform.fpu else "has no FPU"
        raise BadInputError(
            f"{image.path}: built for the FPU {name}; {platform.name}, a {platform.core}, {has}",
            f"compile with -mfpu={platform.fpu}" if platform.fpu else "compile with -mfloat-abi=soft",
        )


def _outside(
    image: Image, platform: Platform, machine: Machine, address: int, size: int, memories: tuple[Region, ...]
) -> BadInputError:
    stands_in = f", which stands in for {platform.name}," if machine.name != platform.name else ""
    known = ", ".join(f"{item.origin:#010x} to {item.origin + item.size_bytes - 1:#010x}" for item in memories)
    own = _hold((platform.flash, platform.ram), address, size) and machine.name != platform.name
    hint = (
        f"QEMU has no machine with {platform.name}'s own memory map: link the firmware for {machine.name}"
        if own
        else f"memories: {known}; check the linker script, or choose another platform"
    )
    return BadInputError(
        f"{image.path}: {size:,} bytes at {address:#010x} are in no memory of {machine.name}{stands_in}"
        f"{f' (memories: {known})' if own else ''}",
        hint,
    )


def _vectors(image: Image, machine: Machine, memories: tuple[Region, ...]) -> Vectors:
    base = machine.vectors
    stack, reset = image.word(base), image.word(base + 4)
    where = f"the vector table at {base:#010x}, where {machine.name} starts,"
    if stack is None or reset is None:
        raise BadInputError(
            f"{image.path}: nothing is loaded at {base:#010x}, where {machine.name} looks for the vector table",
            "place the vector table there: first in flash in most linker scripts",
        )
    if not any(memory.origin < stack <= memory.origin + memory.size_bytes for memory in memories):
        raise BadInputError(
            f"{image.path}: {where} begins with {stack:#010x}, which is no stack in memory",
            "its first word is the initial stack pointer: is the table first in flash, and kept by the linker?",
        )
    if not reset & 1 or not image.executes(reset & ~1):
        why = "has no Thumb bit" if image.executes(reset & ~1) else "is not in the firmware's code"
        raise BadInputError(
            f"{image.path}: {where} gives {reset:#010x} as the reset handler, which {why}",
            "assembly needs .thumb_func, and .type NAME, %function, in front of the handler",
        )
    return _handlers(image, base, reset & ~1)


def _handlers(image: Image, base: int, reset: int) -> Vectors:
    """The table ends at the first word that is neither 0 nor a function of the firmware."""
    functions = {symbol.address for symbol in image.symbols if symbol.is_function}
    handlers, switchers = set(), set()
    for number in range(_FIRST_HANDLER, _MOST_VECTORS):
        word = image.word(base + 4 * number)
        is_code = word is not None and word & 1 and image.executes(word & ~1)
        reserved = number < 16
        if word is None or (word and not is_code and not reserved):
            break
        if not is_code or (functions and word & ~1 not in functions and not reserved):
            if word and not reserved:
                break
            continue
        handlers.add(word & ~1)
        if number in (_SVC, _PENDSV):
            switchers.add(word & ~1)
    return Vectors(reset=reset, handlers=frozenset(handlers - {reset}), switchers=frozenset(switchers))
