"""What --cycles costs: firmware on QEMU with the plugin counting alone, and recording edges and lines of flash, too.

    python tests/benchmarks/cycles.py kws.tflite ad.tflite [--platform stm32l496zg] [--runs 7]

Runs in turns; prints the median CPU time of QEMU (user and system, start included) of each, and the ratio. The goal is
at most 3.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness import image, inputs, library, pipeline
from harness.elf import Elf
from harness.emulators import qemu
from harness.records import Job, Platform, Watch
from harness.setup import Options, prepare


def build(model: Path, platform: str, kernels: str) -> tuple[Elf, Platform, Watch]:
    """The profiling firmware, the machine that it is for, and what --cycles asks for."""
    setup = prepare(model, platform, Options(kernels=kernels))
    data = inputs.of(setup.model, [])
    libraries = library.for_core(setup.arch, setup.options.optimisation, setup.arm)
    machine, arena = pipeline.fit(setup, libraries, data)
    elf, _, _ = pipeline.execute(setup, libraries, data, machine.machine, arena.needed)
    return elf, machine, Watch(flash=machine.flash, interface=setup.platform.flash_interface)


def seconds(elf: Elf, machine: Platform, watch: Watch | None) -> float:
    """CPU time of one run."""
    with tempfile.TemporaryDirectory() as folder:
        job = Job(
            elf=elf.path,
            machine=machine.machine,
            mark_address=elf.symbols[image.MARK_SYMBOL],
            end_address=elf.symbols[image.END_SYMBOL],
            uart_log=Path(folder) / "uart.log",
            time_limit_s=300.0,
            work=Path(folder),
            watch=watch,
        )
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        qemu.run(job)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--platform", default="stm32l496zg")
    parser.add_argument("--runs", type=int, default=7)
    arguments = parser.parse_args()
    for model in arguments.models:
        for kernels in ("reference", "cmsis-nn"):
            elf, machine, watch = build(model, arguments.platform, kernels)
            counting, recording = [], []
            for _ in range(arguments.runs):
                counting.append(seconds(elf, machine, None))
                recording.append(seconds(elf, machine, watch))
            plain, more = statistics.median(counting), statistics.median(recording)
            least = min(recording) / min(counting)
            print(
                f"{model.name:24} {kernels:9} {plain:.3f} s counting, {more:.3f} s with --cycles,"
                f" ratio {more / plain:.2f} (of the least: {least:.2f})",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
