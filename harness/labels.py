"""A run in one line, as every report names it."""

from __future__ import annotations


def run(model: str, platform: str, kernels: str, optimisation: str, fpu: bool, emulator: str) -> str:
    """The network's file, the platform, the axes; of FPU and emulator only what is not as usual. ``fpu``: it is used,
    or nothing was said of it."""
    without = "" if fpu else ", no FPU"
    other = "" if emulator == "qemu" else f", {emulator}"
    return f"{model} on {platform} ({kernels}, {optimisation}{without}{other})"
