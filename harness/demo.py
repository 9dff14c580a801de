"""The main job on a network that the project ships."""

from __future__ import annotations

from pathlib import Path

from harness.library import KERNEL_SETS, Progress
from harness.pipeline import run
from harness.result import Result

MODEL = Path(__file__).parent / "zoo" / "digits.tflite"
# A Cortex-M4F, an M7F and an M0+: with and without DSP instructions.
PLATFORMS = ("stm32l496zg", "stm32f767zi", "rp2040")


def run_demo(progress: Progress) -> tuple[Result, ...]:
    """Profile the digits network on PLATFORMS with both kernel sets; results in that order, CMSIS-NN first.

    Calls are followed, too, which takes a second more, so that the report of one of them shows all that a run can tell.
    """
    return tuple(
        run(MODEL, platform, kernels=kernels, calls=True, progress=progress, command=("harness", "demo"))
        for platform in PLATFORMS
        for kernels in reversed(KERNEL_SETS)
    )


def write_report(result: Result) -> Path:
    """Write the report of one of the runs where ``harness report`` writes it; returns the file."""
    from harness.page import named, write  # which nothing else here needs

    name, page = named.run_page(result)
    return write.write(page, write.place(name))
