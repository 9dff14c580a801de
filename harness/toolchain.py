"""Compilers: where they are, which version, what they are called in messages, and whether they can build for a core."""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from pathlib import Path

from harness import clang, process
from harness.errors import BadInputError, MissingToolError
from harness.records import Record

# Names another compiler for Arm: a prefix, a program or a folder, as the option --toolchain does.
VARIABLE = "HARNESS_TOOLCHAIN"
# Names the GNU toolchain whose libraries clang takes, as the option --sysroot does.
SYSROOT = "HARNESS_SYSROOT"

_DEFAULT = "arm-none-eabi-"
_INSTALL = "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi libstdc++-arm-none-eabi-newlib"
_KINDS = "a prefix (arm-none-eabi-), a GCC (/opt/gcc/bin/arm-none-eabi-gcc), a folder that holds one, or a clang"

# What the libraries and the firmware are made with besides GCC itself.
_PROGRAMS = ("g++", "ar", "ranlib", "c++filt", "objcopy")

_C = "#include <math.h>\n#include <stdint.h>\n#include <string.h>\n"
_CXX = "#include <algorithm>\n#include <cstdint>\n#include <type_traits>\n"
_LINKED = (
    "#include <math.h>\n#include <string.h>\nvolatile float value;\nvolatile char text[8];\n"
    "int main(void) { value = expf(value); return (int)strlen((const char *)text); }\n"
)


class Toolchain(Record, frozen=True):
    """GCC for Arm: ``prefix`` stands before "gcc" ("arm-none-eabi-"), ``version`` is its first line of --version.

    Where ``clang`` is the path of one, that compiles: GCC then links, and its libraries are used, as ``version`` says.
    """

    prefix: str
    gcc: str
    version: str
    clang: str | None = None

    def tool(self, name: str) -> str:
        """The path of another program of this toolchain: "nm", "c++filt", ..."""
        return self.gcc.removesuffix("gcc") + name

    @property
    def linker_version(self) -> str:
        """The first line of the --version of what links."""
        return self.version if self.clang is None else _first_line(self.gcc)

    def compiling(self, language: str, arch: tuple[str, ...]) -> list[str]:
        """The command that compiles "c" or "c++" for a core, to which files and options are added.

        Args:
            language: "c" or "c++".
            arch: GCC's flags for core and FPU.

        Raises:
            MissingToolError: GCC does not say where its headers are.
        """
        if self.clang is None:
            return [self.gcc if language == "c" else self.tool("g++"), *arch]
        program = clang.compiler(self.clang, language)
        return [program, *clang.arch(arch), *clang.flags(self.gcc, arch, language)]


@functools.cache
def arm(given: str | None = None) -> Toolchain:
    """The Arm compiler: the one given, else that of $HARNESS_TOOLCHAIN, else arm-none-eabi-gcc on PATH.

    Args:
        given: a prefix, with or without a folder in front; the path of a GCC; a folder that holds one; or a clang, by
            name or path. That takes the libraries of the GNU toolchain that $HARNESS_SYSROOT names, else of
            arm-none-eabi-gcc on PATH.

    Raises:
        MissingToolError: none is given, and none is installed.
        BadInputError: what is given is no compiler for bare-metal Arm, or its other programs are not beside it.
    """
    chosen = given or os.environ.get(VARIABLE) or None
    if chosen is not None and clang.is_named(chosen):
        return _clang(chosen)
    if os.environ.get(SYSROOT):
        raise BadInputError(
            "a sysroot is about clang, and the compiler is a GCC", "add --toolchain clang, or leave it out"
        )
    return _default() if chosen is None else _chosen(chosen)


def _default() -> Toolchain:
    gcc = shutil.which(f"{_DEFAULT}gcc")
    if gcc is None:
        raise MissingToolError(f"{_DEFAULT}gcc is not installed", _INSTALL)
    return Toolchain(prefix=_DEFAULT, gcc=gcc, version=_first_line(gcc))


def _clang(given: str) -> Toolchain:
    """clang with the libraries and the linker of a GNU toolchain."""
    program, version = clang.find(given)
    sysroot = os.environ.get(SYSROOT)
    gnu = _chosen(clang.gcc_of(sysroot)) if sysroot else _default()
    return Toolchain(prefix=gnu.prefix, gcc=gnu.gcc, version=f"{version}{clang.LIBRARIES}{gnu.version}", clang=program)


def _chosen(given: str) -> Toolchain:
    gcc = _find(given)
    try:
        target = process.run([gcc, "-dumpmachine"], time_limit_s=30)
        version = _first_line(gcc)
    except OSError as error:
        raise BadInputError(f"toolchain {given}: {gcc} cannot be run: {error.strerror}", _KINDS) from error
    except MissingToolError as error:
        raise BadInputError(f"toolchain {given}: {error.message}", _KINDS) from error
    machine = target.stdout.strip()
    if "clang" in version.lower():
        raise BadInputError(f"toolchain {given}: this is clang under another name", "name it clang, or clang-19")
    if target.returncode != 0 or not (machine.startswith("arm") and machine.endswith("-eabi")):
        made = f"it compiles for {machine.splitlines()[0]}" if machine else "it does not say what it compiles for"
        raise BadInputError(f"toolchain {given}: not a GCC for bare-metal Arm: {made}", _KINDS)
    found = Toolchain(prefix=Path(gcc).name.removesuffix("gcc"), gcc=gcc, version=version)
    missing = [name for name in _PROGRAMS if not os.access(found.tool(name), os.X_OK)]
    if missing:
        raise BadInputError(
            f"toolchain {given}: {', '.join(Path(found.tool(name)).name for name in missing)} "
            f"{'is' if len(missing) == 1 else 'are'} not beside {Path(gcc).name}",
            "a whole toolchain is needed: compiler and binutils in one folder, by one prefix",
        )
    return found


def _find(given: str) -> str:
    """The absolute path of the gcc that is meant."""
    path = Path(given).expanduser()
    if path.is_dir() and not given.endswith("-"):
        names = [folder / f"{_DEFAULT}gcc" for folder in (path, path / "bin")]
        found = next((name for name in names if os.access(name, os.X_OK)), None)
        if found is None:
            raise BadInputError(f"toolchain {given}: no {_DEFAULT}gcc in this folder, nor in its bin/", _KINDS)
        return str(found.absolute())
    program = shutil.which(f"{path}gcc" if given.endswith("-") else str(path))
    if program is None:
        raise BadInputError(f"toolchain {given}: there is no such program, folder or prefix", _KINDS)
    if not program.endswith("gcc") and "clang" not in Path(program).name:
        raise BadInputError(f"toolchain {given}: {Path(program).name} is not named as a GCC is", _KINDS)
    return str(Path(program).absolute())


def check(compiler: Toolchain, arch: tuple[str, ...]) -> None:
    """Whether a compiler can build for a core: it knows the core, and has newlib and libstdc++, built for it.

    Args:
        compiler: the compiler.
        arch: GCC's flags for core and FPU.

    Raises:
        MissingToolError: it cannot; the message says what is missing.
    """
    core = arch[0].removeprefix("-mcpu=")
    own = compiler.gcc == shutil.which(f"{_DEFAULT}gcc")
    hint = _INSTALL if own else "name a --toolchain with newlib, newlib-nano and libstdc++ for the core"
    name = Path(compiler.gcc).name
    found = process.run([compiler.gcc, *arch, "-print-multi-directory"], time_limit_s=30)
    known = process.run([*_bare(compiler, arch), "-x", "c", "-c", os.devnull, "-o", os.devnull], time_limit_s=30)
    if known.returncode != 0:
        lines = known.stderr.strip().splitlines()
        said = next((line for line in lines if "error" in line.lower()), "it says nothing")
        raise MissingToolError(
            f"{compiler.version} cannot compile for {core}: {said}", "name another --toolchain, newer or whole"
        )
    if compiler.clang is not None:
        clang.check(compiler.clang, compiler.gcc, arch)
    with tempfile.TemporaryDirectory() as work:
        if not _compiles(compiler.compiling("c", arch), "c", _C, Path(work)):
            raise MissingToolError(f"{name} has no C library (newlib): math.h or string.h is missing", hint)
        if not _compiles(compiler.compiling("c++", arch), "c++", _CXX, Path(work)):
            raise MissingToolError(f"{name} has no C++ library (libstdc++): its headers are missing", hint)
        if found.stdout.strip() == ".":
            raise MissingToolError(
                f"{compiler.version} has no libraries built for {core} ({' '.join(arch[1:])})",
                f"{name} -print-multi-lib lists what it has; name another --toolchain",
            )
        linked = ["-nostartfiles", "--specs=nano.specs", "-Wl,-e,main", "-lm"]
        if not _compiles([compiler.gcc, *arch], "c", _LINKED, Path(work), linked):
            raise MissingToolError(f"{name} cannot link with newlib-nano for {core} ({' '.join(arch[1:])})", hint)


def _bare(compiler: Toolchain, arch: tuple[str, ...]) -> list[str]:
    """What compiles C that needs no headers."""
    return [compiler.gcc, *arch] if compiler.clang is None else [compiler.clang, clang.TARGET, *clang.arch(arch)]


def _compiles(command: list[str], language: str, text: str, work: Path, linked: list[str] | None = None) -> bool:
    source = work / "probe.txt"
    source.write_text(text)
    arguments = ["-x", language, str(source), "-o", str(work / "probe"), *(linked or ["-c"])]
    return process.run([*command, *arguments], time_limit_s=60).returncode == 0


class HostCompiler(Record, frozen=True):
    """The C++ compiler of this machine."""

    gxx: str
    version: str


@functools.cache
def host() -> HostCompiler:
    """The host's compiler, which builds the reference and the counter.

    Raises:
        MissingToolError: it is not installed.
    """
    gxx = shutil.which("g++") or shutil.which("c++")
    if gxx is None:
        raise MissingToolError("a host C++ compiler (g++) is not installed", "apt-get install g++")
    return HostCompiler(gxx=gxx, version=_first_line(gxx))


def _first_line(program: str) -> str:
    finished = process.run([program, "--version"], time_limit_s=30)
    if finished.returncode != 0 or not finished.stdout:
        raise MissingToolError(f"{program} --version failed: {finished.stderr.strip()}", "install it anew")
    return finished.stdout.splitlines()[0]
