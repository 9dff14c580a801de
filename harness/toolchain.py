"""Compilers: where they are, which version, what they are called in messages."""

from __future__ import annotations

import functools
import shutil

from harness import process
from harness.errors import MissingToolError
from harness.records import Record


class Toolchain(Record, frozen=True):
    """GCC for Arm: ``prefix`` stands before "gcc" ("arm-none-eabi-"), ``version`` is its first line of --version."""

    prefix: str
    gcc: str
    version: str

    def tool(self, name: str) -> str:
        """The path of another program of this toolchain: "nm", "c++filt", ..."""
        return self.gcc.removesuffix("gcc") + name


@functools.cache
def arm(prefix: str = "arm-none-eabi-") -> Toolchain:
    """The Arm compiler.

    Raises:
        MissingToolError: it is not installed.
    """
    gcc = shutil.which(f"{prefix}gcc")
    if gcc is None:
        raise MissingToolError(
            f"{prefix}gcc is not installed",
            "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi libstdc++-arm-none-eabi-newlib",
        )
    return Toolchain(prefix=prefix, gcc=gcc, version=_first_line(gcc))


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
