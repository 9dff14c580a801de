"""What following calls costs: the same firmware on QEMU without a plugin, counted, and profiled, in turns.

    python tests/benchmarks/profiling.py [--runs 5] [--instructions 100000000]
    python tests/benchmarks/profiling.py --elf FIRMWARE --machine mps2-an386 [--passes 8]

The firmware is that of counting.py. The ratios are of medians of the CPU time (user and system) of the whole process,
start included. Profiling calls the plugin at each block, and at each push and pop: it costs by the block, so that the
ratio is largest where blocks are short.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from counting import KERNELS, build, endless, run, symbols_of

from harness.elfprofile import measure
from harness.elfprofile.measure import Request
from harness.emulators import flows, plugin


def commands(elf: Path, platform: str, folder: Path) -> dict[str, list[str]]:
    """QEMU's command lines: plain, counting, profiling."""
    qemu = plugin.find_qemu()
    symbols = symbols_of(elf)
    mark = (symbols["harness_mark"] if "harness_mark" in symbols else symbols["mark"]) & ~1
    checked = measure.check(Request(path=elf, platform=platform))
    flows.write_functions(folder / "functions.bin", checked.table)
    quiet = ["-nographic", "-monitor", "none", "-nic", "none", "-no-reboot", "-serial", f"file:{folder / 'uart.log'}"]
    plain = [str(qemu), "-M", str(checked.machine.qemu), *quiet, "-kernel", str(elf)]
    counter, flow = plugin.get(qemu), plugin.get(qemu, "flow")
    return {
        "plain": plain,
        "counting": [*plain, "-plugin", f"{counter.path},out={folder / 'counts.bin'},mark={mark:#x}"],
        "profiling": [
            *plain,
            "-plugin",
            f"{flow.path},out={folder / 'flow.bin'},functions={folder / 'functions.bin'}",
        ],
    }


def compare(title: str, elf: Path, platform: str, runs: int, passes: int, folder: Path) -> None:
    """Run in turns, print the medians and their ratios."""
    started = commands(elf, platform, folder)
    seconds: dict[str, list[float]] = {label: [] for label in started}
    for number in range(runs):
        order = list(started.items())
        for label, command in order if number % 2 == 0 else reversed(order):
            (folder / "uart.log").unlink(missing_ok=True)
            seconds[label].append(run(command, folder / "uart.log", passes)[0])
    counted = flows.read(folder / "flow.bin").notes.executed
    median = {label: statistics.median(values) for label, values in seconds.items()}
    times = ", ".join(f"{value:.3f} s {label}" for label, value in median.items())
    print(
        f"{title:38} {counted:,} instructions: CPU {times}; profiling takes {median['profiling'] / median['plain']:.2f}"
        f" of plain, {median['profiling'] / median['counting']:.2f} of counting",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--instructions", type=int, default=100_000_000)
    parser.add_argument("--elf", type=Path)
    parser.add_argument("--machine", default="mps2-an386")
    parser.add_argument("--passes", type=int, default=8)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.elf is not None:
            elf = endless(options.elf, folder)
            compare(
                f"{options.elf.stem} x {options.passes}", elf, options.machine, options.runs, options.passes, folder
            )
            return
        for kernel, (title, per_round) in KERNELS.items():
            elf = build(kernel, options.instructions // per_round, folder)
            compare(title, elf, "mps2-an386", options.runs, 0, folder)


if __name__ == "__main__":
    main()
