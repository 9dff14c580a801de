"""Toolchains that are wrappers around the installed one: another version, and what is wrong with it."""

from __future__ import annotations

import shutil
from pathlib import Path

NAMES = ("gcc", "g++", "ar", "ranlib", "c++filt", "objcopy")
VERSION = "arm-none-eabi-gcc (tests' own) 99.1.0"


def make(folder: Path, gcc: str = "", names: tuple[str, ...] = NAMES) -> Path:
    """Put scripts into a folder that call the real programs and note it in calls.log.

    Args:
        folder: where they are put; made.
        gcc: lines of a shell script that stand in front of the call in gcc and g++.
        names: the programs there are.
    """
    folder.mkdir(parents=True)
    for name in names:
        real = shutil.which(f"arm-none-eabi-{name}")
        assert real is not None
        script = folder / f"arm-none-eabi-{name}"
        lines = ["#!/bin/sh", f"echo {name} >> {folder}/calls.log"]
        if name in ("gcc", "g++"):
            lines += [f'[ "$1" = --version ] && {{ echo "{VERSION}"; exit 0; }}', gcc]
        script.write_text("\n".join([*lines, f'exec {real} "$@"']) + "\n")
        script.chmod(0o755)
    return folder


def calls(folder: Path) -> list[str]:
    """Programs in the order in which they were called."""
    return (folder / "calls.log").read_text().split()
