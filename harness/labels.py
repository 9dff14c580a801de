"""What a run is of, and that in one line, as every report names it."""

from __future__ import annotations

from typing import Any

from harness.records import Record
from harness.result import Result


class Subject(Record, frozen=True):
    """What a run is of, for records that are more than that."""

    model: str
    model_sha256: str
    platform: str
    kernels: str
    optimisation: str
    fpu: str | None
    emulator: str

    @property
    def label(self) -> str:
        """In one line."""
        return run(self.model, self.platform, self.kernels, self.optimisation, self.fpu is not None, self.emulator)


def subject(result: Result) -> dict[str, Any]:
    """The fields of ``Subject`` of a result."""
    return {
        "model": result.model.file,
        "model_sha256": result.model.sha256,
        "platform": result.platform,
        "kernels": result.kernels,
        "optimisation": result.optimisation,
        "fpu": result.fpu,
        "emulator": result.emulator,
    }


def run(model: str, platform: str, kernels: str, optimisation: str, fpu: bool, emulator: str) -> str:
    """The network's file, the platform, the axes; of FPU and emulator only what is not as usual. ``fpu``: it is used,
    or nothing was said of it."""
    without = "" if fpu else ", no FPU"
    other = "" if emulator == "qemu" else f", {emulator}"
    return f"{model} on {platform} ({kernels}, {optimisation}{without}{other})"
