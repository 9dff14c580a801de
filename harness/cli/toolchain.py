"""The option --toolchain, which the commands that build firmware share."""

from __future__ import annotations

import os
from typing import Annotated

import typer

Toolchain = Annotated[
    str | None,
    typer.Option(
        "--toolchain",
        help="GCC for Arm to build with, instead of $HARNESS_TOOLCHAIN or arm-none-eabi-gcc: a prefix, path or folder.",
        show_default=False,
    ),
]


def choose_toolchain(given: str | None) -> None:
    """Let every build take this compiler; None leaves the choice as it is.

    Raises:
        BadInputError: it is no GCC for bare-metal Arm.
    """
    if given is None:
        return
    from harness import toolchain

    os.environ[toolchain.VARIABLE] = str(toolchain.arm(given).gcc)
    toolchain.arm.cache_clear()
