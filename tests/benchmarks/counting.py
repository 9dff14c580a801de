"""What counting costs: the same firmware on QEMU with and without the counting plugin, in turns; prints the ratios.

    python tests/benchmarks/counting.py [--runs 15] [--instructions 400000000]
    python tests/benchmarks/counting.py --elf FIRMWARE --machine mps2-an386

The first form runs three synthetic kernels (counting.S), which end by a reset under -no-reboot. The second runs a
network's firmware until its end line is on the UART. The ratio is of medians of the CPU time (user and system) of the
whole process, start included; wall time is printed beside it. The goal is at most 1.05.
"""

from __future__ import annotations

import argparse
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from elftools.elf.elffile import ELFFile

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness.emulators import counts, plugin
from harness.emulators.thumb import Code
from harness.paths import data_folder

KERNELS = {
    1: ("count loop, 2 instructions in a block", 2),
    2: ("branchy, short blocks", 22),
    3: ("unrolled, 24 instructions in a block", 24),
}
END_LINE = b"@end "
_HERE = Path(__file__).resolve().parent


def build(kernel: int, rounds: int, folder: Path) -> Path:
    """The kernel's firmware for mps2-an386."""
    elf = folder / f"kernel{kernel}.elf"
    flags = ("-mcpu=cortex-m4", "-mthumb", "-nostdlib", f"-DKERNEL={kernel}", f"-DLOOPS={rounds}")
    places = ("-Wl,--defsym=CODE=0,--defsym=RAM=0x20000000", "-T", data_folder("firmware") / "selftest" / "selftest.ld")
    subprocess.run(["arm-none-eabi-gcc", *flags, *places, _HERE / "counting.S", "-o", elf], check=True)
    return elf


def mark_of(elf: Path) -> int:
    """The address of the mark function: harness_mark in a network's firmware, mark in counting.S."""
    with elf.open("rb") as file:
        symbols = {
            symbol.name: symbol["st_value"] for symbol in ELFFile(file).get_section_by_name(".symtab").iter_symbols()
        }
    return (symbols["harness_mark"] if "harness_mark" in symbols else symbols["mark"]) & ~1


def run(command: list[str], uart: Path | None) -> tuple[float, float]:
    """CPU and wall seconds of one run, to its own end or to the end line on the UART."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if uart is not None:
        while process.poll() is None and not (uart.exists() and END_LINE in uart.read_bytes()):
            time.sleep(0.002)
        process.send_signal(signal.SIGTERM)
    if process.wait() != 0:
        raise SystemExit(f"{command[0]} ended with exit code {process.returncode}")
    after, ended = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, ended - started


def measure(title: str, elf: Path, machine: str, runs: int, by_uart: bool, folder: Path) -> None:
    """Run in turns, print the medians and their ratios."""
    qemu = plugin.find_qemu()
    counter = plugin.get(qemu)
    out, uart, mark = folder / "counts.bin", folder / "uart.log", mark_of(elf)
    quiet = ["-nographic", "-monitor", "none", "-nic", "none", "-no-reboot", "-serial", f"file:{uart}"]
    plain = [str(qemu), "-M", machine, *quiet, "-kernel", str(elf)]
    counting = [*plain, "-plugin", f"{counter.path},out={out},mark={mark:#x}"]
    times: dict[str, list[tuple[float, float]]] = {"plain": [], "counting": []}
    for number in range(runs):
        order = [("plain", plain), ("counting", counting)]
        for label, command in order if number % 2 == 0 else reversed(order):
            uart.unlink(missing_ok=True)
            times[label].append(run(command, uart if by_uart else None))
    segments = counts.read(out, Code(elf).after_access, frozenset({mark})).segments
    counted = sum(segment.instructions for segment in segments)
    cpu, wall = (
        {label: statistics.median(pair[which] for pair in pairs) for label, pairs in times.items()} for which in (0, 1)
    )
    print(
        f"{title:38} {counted:,} instructions: CPU {cpu['plain']:.3f} s plain, {cpu['counting']:.3f} s counting,"
        f" ratio {cpu['counting'] / cpu['plain']:.3f}; wall ratio {wall['counting'] / wall['plain']:.3f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--instructions", type=int, default=400_000_000)
    parser.add_argument("--elf", type=Path)
    parser.add_argument("--machine", default="mps2-an386")
    options = parser.parse_args()
    counter = plugin.get(plugin.find_qemu())
    print(f"QEMU {counter.qemu_version}, plugin API {counter.api}, medians of {options.runs} runs in turns", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.elf is not None:
            measure(options.elf.name[:38], options.elf, options.machine, options.runs, True, folder)
            return
        for kernel, (title, per_round) in KERNELS.items():
            elf = build(kernel, options.instructions // per_round, folder)
            measure(title, elf, "mps2-an386", options.runs, False, folder)


if __name__ == "__main__":
    main()
