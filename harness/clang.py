"""clang as a compiler for bare-metal Arm: it compiles, and a GNU toolchain gives headers and libraries, and links.

That GNU toolchain is the sysroot: its GCC knows which of its builds of newlib, libstdc++ and libgcc belong to a core,
and where their headers are; it is asked. Its own headers are left out, as clang has its own of these.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
from pathlib import Path

from harness import cores, process
from harness.errors import BadInputError, MissingToolError

INSTALL = "apt-get install clang"
TARGET = "--target=arm-none-eabi"
LIBRARIES = ", with libraries of "  # in the version of clang, before that of the GNU toolchain

# GCC's defaults for bare-metal Arm that are not clang's: the size of enumerations is part of newlib's interface.
# Unwind tables would only be ballast, and GCC makes none.
_FLAGS = (TARGET, "-fshort-enums", "-fno-unwind-tables", "-fno-asynchronous-unwind-tables", "-nostdlibinc")
# What decides which code kernels choose, and how functions call each other. Of the FPU's precisions, half is left out:
# clang counts conversions from and to it.
_MACROS = ("__ARM_ARCH", "__ARM_FEATURE_DSP", "__ARM_FEATURE_MVE", "__ARM_FEATURE_SAT", "__ARM_FEATURE_UNALIGNED",
           "__ARM_FP", "__ARM_PCS_VFP", "__ARM_SIZEOF_MINIMAL_ENUM", "__SIZEOF_WCHAR_T__")  # fmt: skip
_HALF = 2


def is_named(given: str) -> bool:
    """Whether what a user names is a clang: "clang", "clang-19", the path of one."""
    return not given.endswith("-") and re.match(r"clang(-\d+)?$", Path(given).name) is not None


def find(given: str) -> tuple[str, str]:
    """The absolute path of a clang that compiles for Arm, and the first line of its --version.

    Raises:
        BadInputError: there is none there, or it cannot.
        MissingToolError: it is named without a folder, and is not installed.
    """
    found = shutil.which(str(Path(given).expanduser()))
    if found is None:
        if "/" in given:
            raise BadInputError(f"toolchain {given}: there is no such program", "give the path of a clang")
        raise MissingToolError(f"{given} is not installed", INSTALL)
    program = str(Path(found).absolute())
    said = process.run([program, "--version"], time_limit_s=30)
    if said.returncode != 0 or "clang" not in said.stdout.splitlines()[0]:
        raise BadInputError(f"toolchain {given}: {program} is no clang: --version failed or says another name", INSTALL)
    tried = process.run(
        [program, TARGET, "-mcpu=cortex-m0", "-x", "c", "-c", os.devnull, "-o", os.devnull], time_limit_s=30
    )
    if tried.returncode != 0:
        raise BadInputError(f"toolchain {given}: it cannot compile for Arm: {_error(tried.stderr)}", INSTALL)
    if not os.access(_plus(program), os.X_OK):
        raise BadInputError(f"toolchain {given}: {Path(_plus(program)).name} is not beside it", INSTALL)
    return program, said.stdout.splitlines()[0]


def _plus(program: str) -> str:
    """The C++ compiler beside it: clang-19 has clang++-19."""
    path = Path(program)
    return str(path.with_name(path.name.replace("clang", "clang++", 1)))


def compiler(program: str, language: str) -> str:
    """The program for "c" or "c++"."""
    return _plus(program) if language == "c++" else program


def gcc_of(sysroot: str) -> str:
    """The GCC of a GNU toolchain, by its folder or by that of its libraries.

    Raises:
        BadInputError: there is none.
    """
    folder = Path(sysroot).expanduser().absolute()
    places = (folder, folder / "bin", folder.parent / "bin", folder.parent.parent / "bin")
    found = next((path for place in places if os.access(path := place / "arm-none-eabi-gcc", os.X_OK)), None)
    if not folder.is_dir() or found is None:
        what = "no arm-none-eabi-gcc in it, in its bin/ or beside it" if folder.is_dir() else "there is no such folder"
        raise BadInputError(
            f"sysroot {sysroot}: {what}",
            "name the folder of a GNU toolchain for Arm: clang takes its newlib, libstdc++ and libgcc, and links by it",
        )
    return str(found)


def arch(gcc_arch: tuple[str, ...]) -> tuple[str, ...]:
    """GCC's flags for core and FPU as clang has them.

    It takes the FPU from -mcpu where there is no -mfpu, and is told that cores from ARMv7-M on load from any address.
    """
    core = cores.get(re.sub(r"^-mcpu=|\+.*$", "", gcc_arch[0]))
    unaligned = ("-munaligned-access",) if core.thumb > 1 else ()
    return (*(flag for flag in gcc_arch if flag != "-mfpu=auto"), *unaligned)


@functools.cache
def flags(gcc: str, gcc_arch: tuple[str, ...], language: str) -> tuple[str, ...]:
    """What clang compiles with besides ``arch``, so that headers and their build are those that GCC would take.

    Args:
        gcc: the GNU toolchain's GCC.
        gcc_arch: its flags for core and FPU.
        language: "c" or "c++".

    Raises:
        MissingToolError: it does not say where its headers are.
    """
    asked = [gcc, *gcc_arch, "--specs=nano.specs", "-x", language, "-E", "-v", os.devnull]
    said = process.run(asked, time_limit_s=30)
    listed = re.search(r"#include <\.\.\.> search starts here:\n(.*?)\nEnd of search list", said.stderr, re.DOTALL)
    if said.returncode != 0 or listed is None:
        raise MissingToolError(f"{gcc} does not say where its headers are: {_error(said.stderr)}", "name a --sysroot")
    own = Path(os.path.normpath(_said(gcc, "-print-libgcc-file-name"))).parent
    root = next((item for item in own.parents if re.match(r"\d+\.", item.name)), own)
    found = [os.path.normpath(line.strip()) for line in listed[1].splitlines()]
    folders = [folder for folder in found if not Path(folder).is_relative_to(root)]
    without = ("-nostdinc++",) if language == "c++" else ()
    return (*_FLAGS, *without, *(part for folder in folders for part in ("-isystem", folder)))


def _said(gcc: str, question: str) -> str:
    return process.run([gcc, question], time_limit_s=30).stdout.strip()


def keyed(compiler: str) -> str:
    """A compiler's version as keys of caches have it: of clang, with how it is called here."""
    if LIBRARIES not in compiler:
        return compiler
    return f"{compiler} {hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]}"


def check(program: str, gcc: str, gcc_arch: tuple[str, ...]) -> None:
    """Whether clang builds for a core what GCC would: it knows core and FPU, and means the same by them.

    Raises:
        MissingToolError: it does not.
    """
    mine = _defined([program, TARGET, *arch(gcc_arch), "-fshort-enums"])
    theirs = _defined([gcc, *gcc_arch])
    core = " ".join(gcc_arch)
    differing = [
        f"{name} is {mine.get(name, 'not set')}, not {theirs.get(name, 'not set')}"
        for name in _MACROS
        if mine.get(name) != theirs.get(name)
    ]
    if differing:
        raise MissingToolError(
            f"{Path(program).name} means something else than GCC by {core}: {'; '.join(differing)}",
            "another clang may not; or build with GCC",
        )


def _defined(command: list[str]) -> dict[str, str]:
    """The macros that a compiler defines."""
    said = process.run([*command, "-x", "c", "-dM", "-E", os.devnull], time_limit_s=30)
    if said.returncode != 0:
        raise MissingToolError(f"{Path(command[0]).name} cannot compile for this core: {_error(said.stderr)}",
                               "name another --toolchain")  # fmt: skip
    found = dict(re.findall(r"^#define (\w+) (.*)$", said.stdout, re.MULTILINE))
    if "__ARM_FP" in found:
        found["__ARM_FP"] = str(int(found["__ARM_FP"], 0) & ~_HALF)
    return found


def _error(stderr: str) -> str:
    lines = [line for line in stderr.strip().splitlines() if line.strip()]
    return next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "it says nothing")
