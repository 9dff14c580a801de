"""The option --toolchain, which the commands that build firmware share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

Toolchain = Annotated[
    str | None,
    typer.Option(
        "--toolchain",
        help="Compiler for Arm, instead of $HARNESS_TOOLCHAIN or arm-none-eabi-gcc: a GCC by prefix, path or folder; "
        "or a clang by name or path.",
        show_default=False,
    ),
]
Sysroot = Annotated[
    str | None,
    typer.Option(
        "--sysroot",
        metavar="FOLDER",
        help="GNU toolchain whose libraries clang takes, instead of $HARNESS_SYSROOT or that of arm-none-eabi-gcc.",
        show_default=False,
    ),
]


def choose_toolchain(given: str | None, sysroot: str | None = None) -> None:
    """Let every build take this compiler, with the libraries of that sysroot; None leaves the choice as it is.

    Raises:
        BadInputError: it is no compiler for bare-metal Arm, or a sysroot is given to a GCC.
    """
    if given is None and sysroot is None:
        return
    from harness import toolchain

    if sysroot is not None:
        os.environ[toolchain.SYSROOT] = str(Path(sysroot).expanduser().absolute())
    toolchain.arm.cache_clear()
    if given is not None:
        found = toolchain.arm(given)
        os.environ[toolchain.VARIABLE] = found.clang or found.gcc
        toolchain.arm.cache_clear()
    else:
        toolchain.arm()  # refuses a sysroot that is not for it
