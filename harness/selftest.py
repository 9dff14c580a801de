"""Checks the counter against hand-counted assembly: any difference is a fault of the counter.

The code is firmware/selftest/selftest.S, where each count is derived beside the instructions. Here stands what each
segment must count; segment N runs from the N-th mark to the next one.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from harness import platforms, process
from harness.emulators import Emulator
from harness.errors import BuildError, EmulationError, MissingToolError
from harness.paths import data_folder
from harness.records import Job, Machine, Record, Trace

# Each segment: mark's return, the call, the body, the next call of mark.
_AROUND = 3


class Core(Record, frozen=True):
    """A core that code is built for: GCC's flags, the platform whose machine runs it, and its groups of segments."""

    name: str
    flags: tuple[str, ...]
    platform: str
    groups: tuple[str, ...]


class Result(Record, frozen=True):
    """One segment on one core: what it must count, and what was counted."""

    core: str
    segment: str
    expected: int
    counted: int

    @property
    def exact(self) -> bool:
        return self.expected == self.counted


class Built(Record, frozen=True):
    """The self-test linked for one core: names of the segments in order, and addresses of the mark and the end."""

    elf: Path
    segments: tuple[str, ...]
    mark_address: int
    end_address: int


_HARD = "-mfloat-abi=hard"
CORES = (
    Core(name="cortex-m0", flags=("-mcpu=cortex-m0",), platform="mps2-an385", groups=("all",)),
    Core(name="cortex-m3", flags=("-mcpu=cortex-m3",), platform="mps2-an385", groups=("all", "v7")),
    Core(
        name="cortex-m4",
        flags=("-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", _HARD),
        platform="mps2-an386",
        groups=("all", "v7", "dsp", "fp"),
    ),
    Core(
        name="cortex-m7",
        flags=("-mcpu=cortex-m7", "-mfpu=fpv5-d16", _HARD),
        platform="mps2-an500",
        groups=("all", "v7", "dsp", "fp"),
    ),
    Core(
        name="cortex-m33",
        flags=("-mcpu=cortex-m33", "-mfpu=fpv5-sp-d16", _HARD),
        platform="mps2-an505",
        groups=("all", "v7", "dsp", "fp"),
    ),
    Core(
        name="cortex-m55",
        flags=("-mcpu=cortex-m55", _HARD),
        platform="mps3-an547",
        groups=("all", "v7", "dsp", "fp", "mve"),
    ),
)

# Bodies, as derived in selftest.S.
BODIES: dict[str, dict[str, int]] = {
    "all": {
        "loop": 1 + 2 * 1_000_000 + 1,
        "nested": 1 + 50 * (1 + 2 * 20 + 2) + 1,
        "calls": 3 + 100 * (3 + 6 + 1 + 3 + 2) + 1,
        "branches": 1 + 5 * 100 + 2 * 50 + 1,
        "memory": 2 + 16 * 100 + 1,
        "page_end": 1 + 8 * 100 + 1,
        "page_straddle": 1 + 5 * 100 + 1,
        "page_last": 1 + 3 * 100 + 1,
        "page_single": 3 + 3 * 100 + 1,
        "svc": 1 + 100 * (5 + 3) + 1,
        "udf": 1 + 10 * (5 + 4) + 1,
        "pendsv": 4 + 20 * (6 + 1) + 1,
        "device": 2 + 8 * 100 + 1,
        "device_only": 2 + 4 * 100 + 3 + 1,
        "device_page": 2 + 6 * 100 + 1,
        "fall_early": 2 + 4,
        "fall_late": 3 + 1,
        "after_fall": 2,
        "wfi": 10 + 11 + 2,
        "interrupt": 11 + 11 + 3,  # and 4 in each of the rounds that the firmware prints
        "print": 6 + 6 * 8 + 3,
    },
    "v7": {
        "it_taken": 1 + 7 * 100 + 1,
        "it_not_taken": 1 + 7 * 100 + 1,
        "it_else": 2 + 8 * 100 + 1,
        "it_branch": 1 + 4 * 100 - 1,
        "it_device": 2 + 9 * 100 + 1,
        "table": 1 + 4 * 40 + (1 + 2 + 3 + 3) * 10 + 1,
        "cbz": 1 + 3 * 100 - 1 + 1,
        "mac": 2 + 9 * 100 + 1,
        "wide_memory": 2 + 9 * 100 + 1,
        "wide_straddle": 1 + 5 * 100 + 1,
        "wide_load_straddle": 2 + 5 * 100 + 1,
        "wide_device": 2 + 8 * 100 + 1,
        "exclusive": 2 + 7 * 100 + 1,
    },
    "dsp": {"dsp": 1 + 9 * 100 + 1},
    "fp": {"fp_enable": 7, "fp": 2 + 14 * 100 + 1, "fp_exception": 5 + 20 * (7 + 2) + 1},
    "mve": {"lob": 3 + 3 * 50 + 1, "tail": 4 + 4 * 7 + 1, "vpt": 2 + 7 * 10 + 1},
}
_ROUND = 4


def run(emulator: Emulator, repeats: int = 1, cores: Sequence[Core] = CORES) -> list[Result]:
    """Build and run the self-test for each of the cores; one result per core, repeat and segment, in order.

    Raises:
        MissingToolError, BuildError, EmulationError: it cannot be built or run.
    """
    results = []
    with tempfile.TemporaryDirectory(prefix="harness-selftest-") as folder:
        for core in cores:
            machine = machine_of(core)
            built = build(core, machine, Path(folder))
            for _ in range(repeats):
                results += compare(core, built, trace(emulator, built, machine, Path(folder)))
    return results


def machine_of(core: Core) -> Machine:
    """The machine that runs the core's code."""
    return platforms.load(core.platform).machine


def build(core: Core, machine: Machine, folder: Path) -> Built:
    """Assemble and link the self-test for a core into ``folder``.

    Raises:
        MissingToolError: there is no arm-none-eabi-gcc.
        BuildError: it failed.
    """
    compiler = shutil.which("arm-none-eabi-gcc")
    if compiler is None:
        raise MissingToolError("arm-none-eabi-gcc is not installed", "apt-get install gcc-arm-none-eabi")
    source = data_folder("firmware") / "selftest"
    elf = folder / f"{core.name}.elf"
    places = {"CODE": machine.vectors, "RAM": machine.ram.origin, "UART": machine.uart.base}
    defines = (f"-Wl,--defsym={name}={address:#x}" for name, address in places.items())
    built = process.run(
        [
            *(compiler, *core.flags, "-mthumb", "-nostdlib", "-Wl,--fatal-warnings", *defines),
            *("-T", source / "selftest.ld", source / "selftest.S", "-o", elf),
        ]
    )
    if built.returncode != 0:
        raise BuildError(f"the self-test does not build for {core.name}", detail=built.stderr.strip())
    addresses = symbols(elf)
    labels = sorted((address, name) for name, address in addresses.items() if name.startswith("segment_"))
    return Built(
        elf=elf,
        segments=tuple(name.removeprefix("segment_") for _, name in labels),
        mark_address=addresses["mark"],
        end_address=addresses["end"],
    )


def symbols(elf: Path) -> dict[str, int]:
    """Values of an ELF file's symbols by name; functions have the Thumb bit."""
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import SymbolTableSection

    with elf.open("rb") as file:
        tables = ELFFile(file).iter_sections("SHT_SYMTAB")
        return {
            symbol.name: symbol["st_value"]
            for table in tables
            if isinstance(table, SymbolTableSection)
            for symbol in table.iter_symbols()
        }


def trace(emulator: Emulator, built: Built, machine: Machine, folder: Path) -> Trace:
    """Run a built self-test."""
    return emulator.run(
        Job(
            elf=built.elf,
            machine=machine,
            mark_address=built.mark_address,
            end_address=built.end_address,
            uart_log=folder / "uart.log",
            time_limit_s=60.0,
            work=folder,
        )
    )


def compare(core: Core, built: Built, trace: Trace) -> list[Result]:
    """One result per segment.

    Raises:
        EmulationError: the segments are not those of the table, or the firmware did not print its rounds.
    """
    expected = {name: body + _AROUND for group in core.groups for name, body in BODIES[group].items()}
    if set(expected) != set(built.segments) or len(trace.segments) != len(built.segments) + 1:
        raise EmulationError(
            f"the self-test on {core.name} has {len(trace.segments) - 1} segments, {len(expected)} are expected"
        )
    expected["interrupt"] += _ROUND * rounds(trace.uart)
    expected["reset"] = 1  # the call of mark
    return [
        Result(core=core.name, segment=name, expected=expected[name], counted=segment.instructions)
        for name, segment in zip(("reset", *built.segments), trace.segments, strict=True)
    ]


def rounds(uart: str) -> int:
    """The loop's rounds until the timer interrupted it, as the firmware prints them: eight letters from a to p."""
    line = uart.strip()
    if len(line) != 8 or not all("a" <= letter <= "p" for letter in line):
        raise EmulationError(f"the self-test printed {uart!r} instead of eight letters from a to p")
    return int("".join(f"{ord(letter) - ord('a'):x}" for letter in line), 16)
