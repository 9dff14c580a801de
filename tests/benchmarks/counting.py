"""What counting costs: the same firmware on QEMU with and without the counting plugin, in turns; prints the ratios.

    python tests/benchmarks/counting.py [--runs 15] [--instructions 400000000]
    python tests/benchmarks/counting.py --elf FIRMWARE --machine mps2-an386 [--passes 8]

The first form runs three synthetic kernels (counting.S), which end by a reset under -no-reboot. The second runs a
network's firmware again and again, until it has printed its end line as many times as there are passes: a copy of it
whose end mark jumps back to the reset handler. The ratio is of medians of the CPU time (user and system) of the whole
process, start included; that of the least times, which other load on the machine disturbs less, and wall time are
printed beside it. The goal is at most 1.05.

Counting has a fixed part, since QEMU translates more slowly with any plugin (4 ms of KWS's 100 ms on QEMU 7.2), and one
in proportion to the blocks entered. QEMU 10.0 moreover stores the value of every load and store for plugins that might
ask for it, which costs 4 % in the unrolled kernel with a plugin that counts nothing.
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


def endless(elf: Path, folder: Path) -> Path:
    """A copy of a network's firmware that begins again where it would end."""
    content = bytearray(elf.read_bytes())
    with elf.open("rb") as file:
        parsed = ELFFile(file)
        reset = parsed["e_entry"] & ~1
        end = symbols_of(elf)["harness_end"] & ~1
        place = next(
            part["p_offset"] + end - part["p_vaddr"]
            for part in parsed.iter_segments("PT_LOAD")
            if part["p_vaddr"] <= end < part["p_vaddr"] + part["p_filesz"]
        )
    distance = (reset - (end + 4)) // 2
    if not -1024 <= distance < 1024:
        raise SystemExit("the reset handler is too far from the end mark for a 16-bit branch")
    content[place : place + 2] = (0xE000 | distance & 0x7FF).to_bytes(2, "little")
    copy = folder / "endless.elf"
    copy.write_bytes(content)
    return copy


def symbols_of(elf: Path) -> dict[str, int]:
    """Values of the ELF's symbols by name."""
    with elf.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        return {symbol.name: symbol["st_value"] for symbol in table.iter_symbols()}


def run(command: list[str], uart: Path, passes: int) -> tuple[float, float]:
    """CPU and wall seconds of one run, to its own end or, with passes, to as many end lines on the UART."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if passes:
        while process.poll() is None and not (uart.exists() and uart.read_bytes().count(END_LINE) >= passes):
            time.sleep(0.002)
        process.send_signal(signal.SIGTERM)
    if process.wait() != 0:
        raise SystemExit(f"{command[0]} ended with exit code {process.returncode}")
    after, ended = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, ended - started


def measure(title: str, elf: Path, machine: str, runs: int, passes: int, folder: Path) -> None:
    """Run in turns, print the medians and their ratios."""
    qemu = plugin.find_qemu()
    counter = plugin.get(qemu)
    out, uart, symbols = folder / "counts.bin", folder / "uart.log", symbols_of(elf)
    mark = (symbols["harness_mark"] if "harness_mark" in symbols else symbols["mark"]) & ~1
    quiet = ["-nographic", "-monitor", "none", "-nic", "none", "-no-reboot", "-serial", f"file:{uart}"]
    plain = [str(qemu), "-M", machine, *quiet, "-kernel", str(elf)]
    counting = [*plain, "-plugin", f"{counter.path},out={out},mark={mark:#x}"]
    times: dict[str, list[tuple[float, float]]] = {"plain": [], "counting": []}
    for number in range(runs):
        order = [("plain", plain), ("counting", counting)]
        for label, command in order if number % 2 == 0 else reversed(order):
            uart.unlink(missing_ok=True)
            times[label].append(run(command, uart, passes))
    segments = counts.read(out, Code(elf).after_access, frozenset({mark})).segments
    counted = sum(segment.instructions for segment in segments)
    cpu, wall = ({label: [pair[which] for pair in pairs] for label, pairs in times.items()} for which in (0, 1))
    median, least = (
        {label: statistics.median(seconds) for label, seconds in cpu.items()},
        {label: min(seconds) for label, seconds in cpu.items()},
    )
    wall_ratio = statistics.median(wall["counting"]) / statistics.median(wall["plain"])
    print(
        f"{title:38} {counted:,} instructions: CPU {median['plain']:.3f} s plain, {median['counting']:.3f} s counting,"
        f" ratio {median['counting'] / median['plain']:.3f} (of the least: {least['counting'] / least['plain']:.3f});"
        f" wall ratio {wall_ratio:.3f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--instructions", type=int, default=400_000_000)
    parser.add_argument("--elf", type=Path)
    parser.add_argument("--machine", default="mps2-an386")
    parser.add_argument("--passes", type=int, default=8)
    options = parser.parse_args()
    counter = plugin.get(plugin.find_qemu())
    print(f"QEMU {counter.qemu_version}, plugin API {counter.api}, medians of {options.runs} runs in turns", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.elf is not None:
            elf = endless(options.elf, folder)
            title = f"{options.elf.stem[:24]} x {options.passes}"
            measure(title, elf, options.machine, options.runs, options.passes, folder)
            return
        for kernel, (title, per_round) in KERNELS.items():
            elf = build(kernel, options.instructions // per_round, folder)
            measure(title, elf, "mps2-an386", options.runs, 0, folder)


if __name__ == "__main__":
    main()
