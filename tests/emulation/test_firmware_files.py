"""Firmware files of every board: vectors, load addresses, and that BIN, HEX and UF2 hold what the ELF loads."""

from __future__ import annotations

import struct
from pathlib import Path

import msgspec
import pytest
from elftools.elf.elffile import ELFFile

from harness import flashable, image, inputs, library, platforms, process, toolchain
from harness.elf import Elf
from harness.errors import DoesNotFitError
from harness.paths import data_folder
from harness.records import Region
from harness.setup import Options, prepare
from tests.conftest import DIGITS
from tests.unit.test_flashable import unpack

BOARDS = tuple(flashable.BOARDS)
KERNELS = ("reference", "cmsis-nn")


def segments(path: Path) -> list[tuple[int, int, bytes]]:
    """Load address, run address and content of what an ELF file loads."""
    with path.open("rb") as file:
        return [
            (segment["p_paddr"], segment["p_vaddr"], segment.data())
            for segment in ELFFile(file).iter_segments()
            if segment["p_type"] == "PT_LOAD" and segment["p_filesz"]
        ]


def loaded(path: Path) -> tuple[int, bytes]:
    """What an ELF file writes to flash as one piece, gaps being zero: first address and content."""
    parts = [(address, content) for address, _, content in segments(path)]
    start = min(address for address, _ in parts)
    whole = bytearray(max(address + len(content) for address, content in parts) - start)
    for address, content in parts:
        whole[address - start : address - start + len(content)] = content
    return start, bytes(whole)


def from_hex(path: Path) -> dict[int, int]:
    """Bytes by address of an Intel HEX file, its checksums checked."""
    found, base = {}, 0
    for line in path.read_text().split():
        record = bytes.fromhex(line.removeprefix(":"))
        assert sum(record) % 256 == 0
        size, address, kind = record[0], int.from_bytes(record[1:3], "big"), record[3]
        data = record[4 : 4 + size]
        if kind == 4:
            base = int.from_bytes(data, "big") << 16
        elif kind == 2:
            base = int.from_bytes(data, "big") << 4
        elif kind == 0:
            found |= {base + address + index: byte for index, byte in enumerate(data)}
    return found


def inside(region: Region, start: int, size: int) -> bool:
    return region.origin <= start and start + size <= region.origin + region.size_bytes


def check_elf(path: Path, platform: str) -> Elf:
    """Vector table, addresses and entry point of a firmware for a platform's own map."""
    machine = platforms.load(platform).machine
    elf = Elf(path)
    for load, run, content in segments(path):
        assert inside(machine.flash, load, len(content))
        assert inside(machine.flash, run, len(content)) or inside(machine.ram, run, len(content))
    start, content = loaded(path)
    assert start == machine.flash.origin
    at = machine.vectors - start
    stack, reset, *others = struct.unpack_from("<16I", content, at)
    assert stack == elf.symbols["link_stack_top"] and stack % 8 == 0
    assert inside(machine.ram, elf.symbols["link_stack_bottom"], stack - elf.symbols["link_stack_bottom"])
    assert reset == elf.symbols["reset_handler"] | 1 and inside(machine.flash, reset & ~1, 2)
    fault = elf.symbols["fault_handler"] | 1
    assert [entry for entry in others[:-1] if entry] == [fault] * 9  # NMI to SecureFault, SVCall, DebugMonitor, PendSV
    assert others[-1] == elf.symbols["systick_handler"] | 1
    return elf


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("board", BOARDS)
def test_files_of_a_board(board: str, kernels: str, tmp_path: Path) -> None:
    built = flashable.build(DIGITS, board, flashable=True, kernels=kernels, output=tmp_path / "out")
    elf = check_elf(built.elf, board)
    platform = platforms.load(board)
    assert built.bin is not None and built.hex is not None
    start, content = loaded(built.elf)
    assert built.bin.read_bytes() == content
    hex_bytes = from_hex(built.hex)
    assert all(content[address - start] == byte for address, byte in hex_bytes.items())
    assert not any(byte for index, byte in enumerate(content) if start + index not in hex_bytes)  # between sections
    assert elf.function_at(elf.symbols["board_init"]) == "board_init"
    # On a core without a cycle counter SysTick has a handler of its own.
    counts_rounds = elf.symbols["systick_handler"] != elf.symbols["fault_handler"]
    assert counts_rounds == (platform.core == "cortex-m0plus")
    assert built.capture[-4:] == ("--model", str(DIGITS), "--platform", board)
    assert built.steps and str(tmp_path) in " ".join(built.steps)
    assert built.arena_bytes % 16 == 0 and built.flash_bytes <= platform.flash.size_bytes
    if board == "rp2040":
        assert built.uf2 is not None
        address, unpacked = unpack(built.uf2.read_bytes())
        assert (address, unpacked[: len(content)]) == (start, content)
        boot = content[:256]
        assert int.from_bytes(boot[252:], "little") == flashable.boot_crc(boot[:252])
        assert platform.machine.vectors.to_bytes(4, "little") in boot[:252]  # where it goes on
    else:
        assert built.uf2 is None


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("board", BOARDS)
def test_the_emulated_firmware_of_a_board(board: str, kernels: str, tmp_path: Path) -> None:
    built = flashable.build(DIGITS, board, kernels=kernels, output=tmp_path)
    elf = check_elf(built.elf, board)
    assert [path.name for path in tmp_path.iterdir()] == ["firmware.elf"]
    assert built.steps == () and built.bin is None
    assert elf.symbols["systick_handler"] == elf.symbols["fault_handler"]
    # The mark is one return instruction, so that what the counter sees does not depend on it.
    assert elf.code(elf.symbols[image.MARK_SYMBOL], 2) == bytes.fromhex("7047")


def test_a_machines_own_map_can_be_built_for_too(tmp_path: Path) -> None:
    built = flashable.build(DIGITS, "mps2-an386", output=tmp_path)
    check_elf(built.elf, "mps2-an386")


@pytest.mark.parametrize("board", BOARDS)
def test_the_boards_code_compiles_without_a_warning(board: str, tmp_path: Path) -> None:
    setup = prepare(DIGITS, board, Options())
    code = flashable.board_code(setup)
    firmware = data_folder("firmware")
    for source in code.sources:
        finished = process.run(
            [
                *(setup.arm.gcc, *setup.arch, "-O2", "-std=c11", "-Wall", "-Wextra", "-Werror", "-c"),
                *(f"-I{firmware / folder}" for folder in ("app", "hal", "targets/cortex_m")),
                *(f"-D{macro}" for macro in code.macros),
                *(firmware / "targets" / "boards" / source, "-o", tmp_path / "object.o"),
            ]
        )
        assert finished.returncode == 0, finished.stderr


def test_a_wrong_clock_does_not_compile(tmp_path: Path) -> None:
    """The PLL's constants and the platform's clock are held together by the compiler, too."""
    setup = prepare(DIGITS, "stm32f446re", Options())
    wrong = msgspec.structs.replace(setup.platform, clock_hz=168_000_000)
    code = flashable.board_code(msgspec.structs.replace(setup, platform=wrong))
    firmware = data_folder("firmware")
    finished = process.run(
        [
            *(setup.arm.gcc, *setup.arch, "-c", "-o", tmp_path / "object.o"),
            *(f"-I{firmware / folder}" for folder in ("app", "hal", "targets/cortex_m")),
            *(f"-D{macro}" for macro in code.macros),
            firmware / "targets" / "boards" / "stm32f4.c",
        ]
    )
    assert finished.returncode != 0
    assert "the PLL does not make the platform's clock" in finished.stderr


def small(board: str, flash: int | None = None, ram: int | None = None) -> tuple[image.Spec, flashable.Setup]:
    """The digits network for a board that is made smaller."""
    setup = prepare(DIGITS, board, Options())
    machine = setup.platform.machine
    if flash is not None:
        machine = msgspec.structs.replace(machine, flash=Region(origin=machine.flash.origin, size_bytes=flash))
    if ram is not None:
        machine = msgspec.structs.replace(machine, ram=Region(origin=machine.ram.origin, size_bytes=ram))
    setup = msgspec.structs.replace(setup, platform=msgspec.structs.replace(setup.platform, machine=machine))
    data = inputs.deterministic(setup.model)
    return flashable._spec(setup, data, 4096, flashable.board_code(setup)), setup


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"flash": 32 * 1024}, r"digits.tflite does not fit stm32l496zg: needs \d+ KiB of 32 KiB flash"),
        ({"ram": 4 * 1024}, r"digits.tflite does not fit stm32l496zg: needs [67] KiB of 4 KiB RAM"),
    ],
)
def test_a_network_that_does_not_fit(sizes: dict[str, int], message: str) -> None:
    spec, setup = small("stm32l496zg", **sizes)
    libraries = library.for_core(setup.arch, "-O2", setup.arm)
    with pytest.raises(DoesNotFitError, match=message) as caught:
        flashable._link(spec, libraries, setup)
    assert caught.value.exit_code == 1


def test_the_stack_gives_way_before_the_network_does_not_fit() -> None:
    """Of 16 KiB, 4 of arena and one of static data leave no room for a stack of 14."""
    spec, setup = small("stm32l496zg", ram=16 * 1024)
    libraries = library.for_core(setup.arch, "-O2", setup.arm)
    assert flashable._link(spec, libraries, setup)[1].stack_bytes == 4 * 1024
    greedy = msgspec.structs.replace(spec, stack_override=14 * 1024)
    elf, used = flashable._link(greedy, libraries, setup)
    assert flashable.LEAST_STACK_BYTES <= used.stack_bytes < 14 * 1024
    assert elf.symbols["link_stack_top"] - elf.symbols["link_stack_bottom"] == used.stack_bytes


def test_the_boot_loader_is_position_independent() -> None:
    """The boot ROM copies it to the end of RAM: it may only load what lies in it, relative to itself."""
    arm = toolchain.arm()
    boot = flashable.boot_loader("rp2040_boot.S", arm)
    assert len(boot) == 256
    folder = data_folder("firmware") / "targets" / "boards"
    assert ".word boot" not in (folder / "rp2040_boot.S").read_text()
    # SSI off, then on again last, then the vector table.
    assert struct.unpack_from("<H", boot)[0] >> 11 == 0b01001  # ldr r3, [pc, ...]
