"""Firmware as files: for the board's own memory map under emulation, or to be flashed on the board itself."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness import image, inputs, library, process, toolchain, uf2
from harness.assemble import kib
from harness.elf import Elf
from harness.errors import BadInputError, BuildError, DoesNotFitError
from harness.inputs import Inputs
from harness.library import Library, Progress, silent
from harness.paths import data_folder
from harness.pipeline import fit
from harness.records import Platform, Record
from harness.setup import DEFAULT_TIME_LIMIT_S, Options, Setup, prepare

# Where the rest leaves no room for the usual stack, down to this much is taken from it. Running over it is a fault that
# the firmware reports; what networks were seen to use is below 2 KiB.
LEAST_STACK_BYTES = 4096

_BOOT_BYTES = 256
_CRC_BYTES = 4
_COMMON_SOURCES = ("flashed.c", "mark_cycles.c")


class Family(Record, frozen=True):
    """Boards that share their code: its sources below firmware/targets/boards, and the files that flashing wants.

    ``steps`` say how to flash: ``{folder}`` is where the files are, ``{address}`` the first address of the flash.
    """

    sources: tuple[str, ...]
    steps: tuple[str, ...]
    boot: str | None = None
    uf2_family: int | None = None


_ST_LINK = (
    "st-flash --reset write {folder}/firmware.bin {address}",
    "or copy {folder}/firmware.bin to the drive that the board shows up as",
)


def _stm32(source: str) -> Family:
    return Family(sources=(source, "reset.c"), steps=_ST_LINK)


FAMILIES = {
    "stm32l4": _stm32("stm32l4.c"),
    "stm32f4": _stm32("stm32f4.c"),
    "stm32f7": _stm32("stm32f7.c"),
    "stm32u5": _stm32("stm32u5.c"),
    "nrf52": Family(
        sources=("nrf52.c", "reset.c"),
        steps=(
            "pyocd load --target nrf52840 {folder}/firmware.hex",
            "or copy {folder}/firmware.hex to the drive JLINK",
        ),
    ),
    "rp2040": Family(
        sources=("rp2040.c",),
        steps=("plug the board in with BOOTSEL pressed, copy {folder}/firmware.uf2 to the drive RPI-RP2",),
        boot="rp2040_boot.S",
        uf2_family=uf2.FAMILY_RP2040,
    ),
}

# The family of each board; what differs within one is in firmware/targets/boards/<platform>.h.
BOARDS = {
    "nrf52840": "nrf52",
    "rp2040": "rp2040",
    "stm32f446re": "stm32f4",
    "stm32f469ni": "stm32f4",
    "stm32f746zg": "stm32f7",
    "stm32f767zi": "stm32f7",
    "stm32l496zg": "stm32l4",
    "stm32l4r5zi": "stm32l4",
    "stm32u575": "stm32u5",
}


class Firmware(Record, frozen=True):
    """Firmware files of one network for one platform, and what they need in bytes.

    Without ``flashable`` there is an ELF only. ``steps`` say how to flash it, ``capture`` is the command that reads the
    board then, but for the port.
    """

    platform: str
    flashable: bool
    kernels: str
    elf: Path
    bin: Path | None
    hex: Path | None
    uf2: Path | None
    arena_bytes: int
    stack_bytes: int
    flash_bytes: int
    static_bytes: int
    clock_hz: int
    input: str
    steps: tuple[str, ...]
    capture: tuple[str, ...]


def build(
    model_path: str | Path,
    platform: str,
    *,
    flashable: bool = False,
    kernels: str = "reference",
    optimisation: str = "-O2",
    fpu: bool | None = None,
    input_paths: Sequence[str | Path] = (),
    output: str | Path | None = None,
    time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    progress: Progress = silent,
) -> Firmware:
    """Build the profiling firmware of a network for the memory map of a platform, as files.

    Args:
        model_path: a .tflite file.
        platform: a name that ``harness platforms`` lists.
        flashable: for the physical board: full clock, pins, a cycle counter. False: for an emulator of it, which models
            none of these.
        kernels, optimisation, fpu, input_paths: as for ``harness.run``.
        output: folder to write to, created where it is missing; None: MODEL-PLATFORM in the current folder.
        time_limit_s: wall-clock limit of the run on an emulator that sizes the arena, in seconds.
        progress: told what is being done.

    Raises:
        BadInputError: model, platform, an option or the folder cannot be used; or the platform cannot be flashed.
        DoesNotFitError: the firmware is larger than the platform's flash or RAM.
        HarnessError: a tool is missing, a build failed, the emulator died.
    """
    options = Options(kernels=kernels, optimisation=optimisation, fpu=fpu, time_limit_s=time_limit_s)
    setup = prepare(Path(model_path), platform, options)
    if flashable:
        check_flashable(setup.platform)
    paths = [Path(path) for path in input_paths]
    data = inputs.load(paths, setup.model) if paths else inputs.deterministic(setup.model)
    folder = _folder(output, setup)
    libraries = library.for_core(setup.arch, optimisation, setup.arm, progress)
    progress("sizing the arena", None, None)
    _, arena = fit(setup, libraries, data)
    progress(f"linking for {platform}", None, None)
    spec = _spec(setup, data, arena.needed, board_code(setup) if flashable else None)
    elf, spec = _link(spec, libraries, setup)
    return _write(elf, spec, setup, folder, data, _capture(setup, paths) if flashable else ())


def check_flashable(platform: Platform) -> None:
    """Refuse what there is no board code for.

    Raises:
        BadInputError: an emulator's machine, or a board whose family is not known.
    """
    if platform.name in BOARDS:
        return
    if platform.kind == "machine":
        raise BadInputError(
            f"{platform.name} is a machine of the emulator: there is no board code that sets up its clock and pins",
            f"one of {', '.join(BOARDS)}; or leave --flashable out",
        )
    raise BadInputError(f"there is no board code for {platform.name} yet", f"one of {', '.join(BOARDS)}")


def marks(operators: int) -> int:
    """How often the profiling application calls the mark: around the inference, and thrice for each operator."""
    return 2 + 3 * operators


def board_code(setup: Setup) -> image.BoardCode:
    """The sources and macros that make firmware of ``setup`` run on its board.

    Raises:
        BuildError: the boot loader does not assemble.
    """
    platform = setup.platform
    family = FAMILIES[BOARDS[platform.name]]
    macros = [
        f'HARNESS_BOARD="{platform.name}.h"',
        f"HARNESS_CLOCK_HZ={platform.clock_hz}",
        f"HARNESS_MARKS={marks(len(setup.model.operators))}",
    ]
    if platform.wait_states is not None:
        macros.append(f"HARNESS_WAIT_STATES={platform.wait_states}")
    return image.BoardCode(
        sources=(*_COMMON_SOURCES, *family.sources),
        macros=tuple(macros),
        boot=b"" if family.boot is None else boot_loader(family.boot, setup.arm),
    )


def boot_loader(source: str, arm: toolchain.Toolchain) -> bytes:
    """The RP2040's second-stage boot loader, assembled, padded to 252 bytes, and its CRC: 256 bytes.

    Raises:
        BuildError: it does not assemble, or is too long.
    """
    with tempfile.TemporaryDirectory(prefix="harness-") as name:
        work = Path(name)
        path = data_folder("firmware") / "targets" / "boards" / source
        _tool([arm.gcc, "-c", path, "-o", work / "boot.o"], f"assembling {source}")
        _tool([arm.tool("objcopy"), "-O", "binary", "-j", ".text", work / "boot.o", work / "boot.bin"], "objcopy")
        code = (work / "boot.bin").read_bytes()
    room = _BOOT_BYTES - _CRC_BYTES
    if len(code) > room:
        raise BuildError(f"{source} is {len(code)} bytes long; the boot ROM reads {room}")
    code = code.ljust(room, b"\0")
    return code + boot_crc(code).to_bytes(_CRC_BYTES, "little")


def boot_crc(code: bytes) -> int:
    """The CRC-32 of the RP2040's boot ROM: polynomial 0x04c11db7, from ones on, neither reflected nor inverted."""
    crc = 0xFFFFFFFF
    for byte in code:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    return crc


def _folder(output: str | Path | None, setup: Setup) -> Path:
    folder = Path(f"{setup.model.path.stem}-{setup.platform.name}" if output is None else output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInputError(f"{folder}: cannot be written to: {error.strerror}", "name another --output") from error
    return folder


def _spec(setup: Setup, data: Inputs, arena_bytes: int, board: image.BoardCode | None) -> image.Spec:
    return image.Spec(
        model=setup.model,
        inputs=data.data,
        kernels=setup.options.kernels,
        machine=setup.platform.machine,
        arena_bytes=arena_bytes,
        app=image.APP_PROFILE,
        board=board,
    )


def _link(spec: image.Spec, libraries: Library, setup: Setup) -> tuple[Elf, image.Spec]:
    """Link, with a smaller stack where the RAM is short of the usual one.

    Raises:
        DoesNotFitError: the flash or the RAM is too small.
    """
    least = min(LEAST_STACK_BYTES, spec.stack_bytes)
    try:
        return image.link(spec, libraries, setup.arm), spec
    except image.ImageError as error:
        region, lacking = error.region, error.overflow
        stack = (spec.stack_bytes - lacking) // 8 * 8
        if region == "RAM" and stack >= least:
            spec = msgspec.structs.replace(spec, stack_override=stack)
            return image.link(spec, libraries, setup.arm), spec
    if region == "RAM":
        lacking -= spec.stack_bytes - least
    room = (spec.machine.ram if region == "RAM" else spec.machine.flash).size_bytes
    memory = "RAM" if region == "RAM" else "flash"
    network, board = setup.model.path.name, setup.platform.name
    raise DoesNotFitError(
        f"{network} does not fit {board}: needs {kib(room + lacking)} of {kib(room)} {memory}",
        f"a smaller network, or a board with more {memory}",
    )


def _capture(setup: Setup, input_paths: Sequence[Path]) -> tuple[str, ...]:
    command = ["harness", "capture", "--port", "/dev/ttyACM0"]
    command += ["--model", str(setup.model.path), "--platform", setup.platform.name]
    command += ["--no-fpu"] if setup.options.fpu is False else []
    return (*command, *(word for path in input_paths for word in ("--input", str(path))))


def _write(elf: Elf, spec: image.Spec, setup: Setup, folder: Path, data: Inputs, capture: tuple[str, ...]) -> Firmware:
    flashable = spec.board is not None
    family = FAMILIES[BOARDS[setup.platform.name]] if flashable else None
    paths = {kind: folder / f"firmware.{kind}" for kind in ("elf", "bin", "hex", "uf2")}
    flash = spec.machine.flash
    try:
        shutil.copyfile(elf.path, paths["elf"])
        if flashable:
            for kind, target in (("bin", "binary"), ("hex", "ihex")):
                _tool([setup.arm.tool("objcopy"), "-O", target, elf.path, paths[kind]], "objcopy")
        if family is not None and family.uf2_family is not None:
            paths["uf2"].write_bytes(uf2.pack(paths["bin"].read_bytes(), flash.origin, family.uf2_family))
    except OSError as error:
        raise BadInputError(f"{folder}: cannot be written to: {error.strerror}", "name another --output") from error
    steps = () if family is None else family.steps
    return Firmware(
        platform=setup.platform.name,
        flashable=flashable,
        kernels=setup.options.kernels,
        elf=paths["elf"],
        bin=paths["bin"] if flashable else None,
        hex=paths["hex"] if flashable else None,
        uf2=paths["uf2"] if family is not None and family.uf2_family is not None else None,
        arena_bytes=spec.arena_bytes or 0,
        stack_bytes=spec.stack_bytes,
        flash_bytes=sum(section.size_bytes for section in elf.sections if section.in_flash),
        static_bytes=elf.size_bytes((".data", ".bss")),
        clock_hz=setup.platform.clock_hz,
        input=data.origin,
        capture=capture,
        steps=tuple(step.format(folder=folder, address=f"{flash.origin:#010x}") for step in steps),
    )


def _tool(command: list[str | Path], what: str) -> None:
    finished = process.run(command, time_limit_s=60)
    if finished.returncode != 0:
        raise BuildError(f"{what} failed", detail=finished.stderr.strip() or None)
