"""Whether a library's code fits the platform's firmware, by its members' build attributes, before it is linked."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from harness import process, toolchain
from harness.errors import BadInputError, BuildError
from harness.user_library import archive, found, objects
from harness.user_library.found import Brought, UserLibrary
from harness.user_library.objects import Object

# Values of Tag_CPU_arch of M-profile cores, by what executes what: a core runs code of its own rank and below.
_CORES = {11: (1, "Armv6-M"), 12: (1, "Armv6S-M"), 10: (2, "Armv7-M"), 13: (3, "Armv7E-M"), 17: (4, "Armv8-M.main"),
          21: (5, "Armv8.1-M.main")}  # fmt: skip
_BASELINE = 16  # Armv8-M.base: of the cores here, those of rank 4 and above run it
_OTHER = {0: "Pre-v4", 1: "Armv4", 2: "Armv4T", 3: "Armv5T", 4: "Armv5TE", 5: "Armv5TEJ", 6: "Armv6", 7: "Armv6KZ",
          8: "Armv6T2", 9: "Armv6K", 14: "Armv8-A", 15: "Armv8-R", _BASELINE: "Armv8-M.base"}  # fmt: skip
_M_PROFILE = 77  # "M"
_FPUS = {0: 0, 6: 1, 8: 2}  # none, FPv4 (VFPv4-D16), FPv5
_ENUMS = {1: "as small as they can be", 2: "32 bits", 3: "32 bits where they are visible"}


def read(brought: Brought, arm: toolchain.Toolchain, arch: tuple[str, ...], hard_float: bool) -> UserLibrary:
    """A user's library for a core, as far as it can be checked before anything is built.

    Args:
        brought: what the user names.
        arm: the compiler of the firmware.
        arch: its flags for core and FPU.
        hard_float: whether firmware uses the FPU.

    Raises:
        BadInputError: archives or headers cannot be used, do not fit the core, or hold other kernels than is said.
    """

    def check_core(path: Path, kinds: Sequence[Object]) -> None:
        check(path, kinds, own(arm, arch), arch, hard_float)

    library = found.read(brought, arm.tool("g++"), arch, check_core)
    if brought.kernels is not None and brought.kernels != library.kernels:
        calling = ", ".join(library.optimised[:3])
        raise BadInputError(
            f"{library.name} holds {library.kernels} kernels"
            + (f" ({calling})" if calling else "")
            + f", not {brought.kernels}",
            "leave --kernels out: a library brings its own",
        )
    return library


def read_host(brought: Brought) -> UserLibrary:
    """The user's library for this machine, of the same headers.

    Raises:
        BadInputError: archives or headers cannot be used, or the archives are for another machine.
    """
    compiler = toolchain.host().gxx
    native = own_host(compiler)

    def check_host(path: Path, kinds: Sequence[Object]) -> None:
        for kind in kinds:
            if (kind.machine, kind.bits) != (native.machine, native.bits):
                raise BadInputError(
                    f"{path}: {kind.member} is for {_machine(kind)}, the reference runs on this host",
                    "--tflm-host-lib takes a build of the same release for this machine",
                )

    return found.read(msgspec.structs.replace(brought, archives=brought.host), compiler, (), check_host)


def own_host(compiler: str) -> Object:
    """An object file as this machine's compiler makes it.

    Raises:
        BuildError: it makes none.
    """
    return _compiled(compiler, ())


def own(arm: toolchain.Toolchain, arch: tuple[str, ...]) -> Object:
    """An object file as the platform's firmware is made of, to compare with.

    Raises:
        BuildError: the compiler makes none.
    """
    return _compiled(arm.gcc, arch)


def _compiled(compiler: str, arch: tuple[str, ...]) -> Object:
    with tempfile.TemporaryDirectory(prefix="harness-") as name:
        source, made = Path(name) / "own.c", Path(name) / "own.o"
        source.write_text("float own(float value) { return value + 1.0f; }\n")
        run = process.run([compiler, *arch, "-x", "c", "-c", source, "-o", made], time_limit_s=60)
        member = objects.read(archive.Member(name="own.o", content=made.read_bytes())) if made.is_file() else None
    if member is None:
        raise BuildError(f"{compiler} makes no object file for {' '.join(arch)}", detail=run.stderr.strip() or None)
    return member


def check(path: Path, members: Sequence[Object], firmware: Object, arch: tuple[str, ...], hard_float: bool) -> None:
    """Refuse a library whose code cannot be linked with the firmware, or does not run on its core.

    Args:
        path: the archive, for messages.
        members: its object files.
        firmware: an object of ``own``.
        arch: GCC's flags for the firmware.
        hard_float: whether the firmware uses the FPU.

    Raises:
        BadInputError: it does not fit; the message says in what, and what to do.
    """
    for member in members:
        if member.machine != firmware.machine or member.bits != firmware.bits:
            raise BadInputError(
                f"{path}: {member.member} is for {_machine(member)}, the platform's core is an Arm Cortex-M",
                f"build the library for the core: arm-none-eabi-g++ {' '.join(arch)}",
            )
        problem = _problem(member.attributes, firmware.attributes, arch, hard_float)
        if problem is not None:
            what, hint = problem
            raise BadInputError(f"{path}: {member.member}: {what}", hint)


def _machine(member: Object) -> str:
    known = {"EM_X86_64": "x86-64 (this host?)", "EM_386": "x86", "EM_AARCH64": "64-bit Arm", "EM_RISCV": "RISC-V",
             "EM_XTENSA": "Xtensa"}  # fmt: skip
    return known.get(member.machine, member.machine)


def _problem(
    mine: Mapping[str, int], firmware: Mapping[str, int], arch: tuple[str, ...], hard_float: bool
) -> tuple[str, str] | None:
    """What does not fit, and what to do; an object without attributes (of assembly, for example) fits."""
    if not mine:
        return None
    rebuild = f"rebuild the library with {' '.join(arch)}"
    core = _core(mine, firmware)
    if core is not None:
        return core, rebuild
    theirs, ours = mine.get("TAG_ABI_VFP_ARGS", 0), firmware.get("TAG_ABI_VFP_ARGS", 0)
    if theirs != ours and 3 not in (theirs, ours):  # 3: fits both
        if hard_float:
            return (
                "the library is soft-float (it passes floats in core registers), the platform's firmware is built "
                "hard-float", f"{rebuild}, or run with --no-fpu",
            )  # fmt: skip
        return (
            "the library is hard-float (it passes floats in FPU registers), the platform's firmware is built "
            "soft-float",
            f"{rebuild}, or leave --no-fpu out where the platform has an FPU",
        )
    return _fpu(mine, firmware, rebuild) or _enums(mine, firmware)


def _core(mine: Mapping[str, int], firmware: Mapping[str, int]) -> str | None:
    theirs, ours = mine.get("TAG_CPU_ARCH"), firmware.get("TAG_CPU_ARCH")
    if theirs is None or ours is None:
        return None
    if theirs not in _CORES and theirs != _BASELINE:
        return f"the library is built for {_OTHER.get(theirs, f'architecture {theirs}')}, which is no Cortex-M"
    if theirs == 10 and mine.get("TAG_CPU_ARCH_PROFILE", _M_PROFILE) != _M_PROFILE:
        return "the library is built for Armv7-A or Armv7-R, which is no Cortex-M"
    rank, name = _CORES[ours]
    needed, wanted = (4, _OTHER[theirs]) if theirs == _BASELINE else _CORES[theirs]
    return f"the library is built for {wanted}, the platform's core executes {name}" if needed > rank else None


def _fpu(mine: Mapping[str, int], firmware: Mapping[str, int], rebuild: str) -> tuple[str, str] | None:
    """An integer file may be compiled for any FPU; whether it uses it cannot be seen, so that all count."""
    theirs, ours = mine.get("TAG_FP_ARCH", 0), firmware.get("TAG_FP_ARCH", 0)
    if _FPUS.get(theirs, 3) > _FPUS.get(ours, 3):
        what = "which the platform's firmware leaves off" if ours == 0 else "which is newer than the platform's"
        return f"the library is built for an FPU ({_fpu_name(theirs)}), {what}", rebuild
    if ours and theirs and firmware.get("TAG_ABI_HARDFP_USE") == 1 and mine.get("TAG_ABI_HARDFP_USE", 3) != 1:
        return "the library is built for an FPU with double precision, the platform's has single precision", rebuild
    return None


def _fpu_name(value: int) -> str:
    return {6: "FPv4", 8: "FPv5"}.get(value, f"FP architecture {value}")


def _enums(mine: Mapping[str, int], firmware: Mapping[str, int]) -> tuple[str, str] | None:
    theirs, ours = mine.get("TAG_ABI_ENUM_SIZE", 0), firmware.get("TAG_ABI_ENUM_SIZE", 0)
    if 0 in (theirs, ours) or theirs == ours:
        return None
    return (
        f"its enumerations are {_ENUMS.get(theirs, f'of kind {theirs}')}, the firmware's {_ENUMS.get(ours, 'others')}",
        "rebuild the library without -fno-short-enums",
    )
