"""Firmware images: a model, its operators and a test input, linked with the libraries for one machine."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
import zlib
from pathlib import Path

import msgspec

from harness import cache, process, toolchain
from harness.elf import Elf
from harness.errors import BadInputError, BuildError
from harness.library import Library
from harness.paths import cache_folder, data_folder
from harness.records import Machine, Model, Record

MARK_SYMBOL = "harness_mark"
END_SYMBOL = "harness_end"
APP_PROFILE = "app_profile"
APP_SIZE_ARENA = "app_size_arena"
APP_REALTIME = "app_realtime"
APP_HANG = "app_hang"
APP_OVERFLOW = "app_overflow"

_STACK_MOST_BYTES = 64 * 1024
_ALIGNMENT = 16


class ImageError(BuildError):
    """The image does not fit the machine: ``overflow`` is how many bytes its region ("FLASH" or "RAM") lacks."""

    def __init__(self, region: str, overflow: int) -> None:
        super().__init__(f"the firmware overflows the machine's {region} by {overflow} bytes")
        self.region = region
        self.overflow = overflow


class BoardCode(Record, frozen=True):
    """What firmware for a real board has besides: C sources below firmware/targets/boards, macros to compile them with,
    and the boot loader that fills the room in front of the vector table, where there is such room."""

    sources: tuple[str, ...]
    macros: tuple[str, ...]
    boot: bytes = b""


class Schedule(Record, frozen=True):
    """When samples come: ``ticks`` of the timer between its interrupts, ``interrupts`` for a whole input, ``frames``
    whole inputs in all."""

    ticks: int
    interrupts: int
    frames: int


class Spec(Record, frozen=True):
    """Everything that an image is made of. ``arena_bytes`` None: all the RAM that the rest leaves. ``board`` None: for
    an emulator, which knows no clocks and pins. ``stack_override`` is the room for the stack, None for the usual one.
    ``schedule`` is for applications that need one.
    """

    model: Model
    inputs: tuple[bytes, ...]
    kernels: str
    machine: Machine
    arena_bytes: int | None
    app: str
    dump_node: int = -1
    board: BoardCode | None = None
    stack_override: int | None = None
    schedule: Schedule | None = None

    @property
    def boot(self) -> bytes:
        """What lies in flash in front of the vector table: a boot loader, or as many erased bytes."""
        flash, vectors = self.machine.flash, self.machine.vectors
        room = vectors - flash.origin if flash.origin <= vectors < flash.origin + flash.size_bytes else 0
        content = b"" if self.board is None else self.board.boot
        return content.ljust(room, b"\xff")

    @property
    def stack_bytes(self) -> int:
        """A quarter of the RAM, at most 64 KiB: the stack's high-water mark is measured, its room only must suffice."""
        if self.stack_override is not None:
            return self.stack_override
        return min(_STACK_MOST_BYTES, self.machine.ram.size_bytes // 4)


def aligned(size_bytes: int) -> int:
    """A size rounded up to the alignment of TFLM's buffers."""
    return -(-size_bytes // _ALIGNMENT) * _ALIGNMENT


def link(spec: Spec, library: Library, arm: toolchain.Toolchain) -> Elf:
    """Compile and link the image, or take it from the cache.

    An ELF that did not survive a crash of the machine is linked anew.

    Raises:
        ImageError: it does not fit the machine's flash or RAM.
        BuildError: the compiler or linker failed otherwise.
    """
    key = _key(spec, library)
    elf = cache_folder() / "images" / f"{key}.elf"
    known = _cached(elf)
    if known is not None:
        return known
    with cache.writing():
        elf.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f"{key}.", dir=elf.parent))
        try:
            return Elf(_link(spec, library, arm, work).replace(elf))
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _cached(path: Path) -> Elf | None:
    """A linked image, or None: it is not there, or not whole."""
    if not path.is_file():
        return None
    try:
        elf = Elf(path)
    except BadInputError:
        return None
    return elf if MARK_SYMBOL in elf.symbols else None


def _key(spec: Spec, library: Library) -> str:
    template = (data_folder("firmware") / "templates" / "link.ld.in").read_bytes()
    parts = {
        "library": library.key,
        "model": spec.model.sha256,
        "inputs": [hashlib.sha256(data).hexdigest() for data in spec.inputs],
        "spec": msgspec.to_builtins(
            {name: getattr(spec, name) for name in spec.__struct_fields__ if name not in ("model", "inputs")}
        ),
        "template": hashlib.sha256(template + Path(__file__).read_bytes()).hexdigest(),
    }
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:32]


def _link(spec: Spec, library: Library, arm: toolchain.Toolchain, work: Path) -> Path:
    (work / "model.tflite").write_bytes(spec.model.content)
    for index, data in enumerate(spec.inputs):
        (work / f"input{index}.bin").write_bytes(data)
    (work / "boot.bin").write_bytes(spec.boot)
    (work / "image.c").write_text(_render_image_c(spec))
    (work / "image.S").write_text(_render_image_s(spec))
    (work / "link.ld").write_text(render_linker_script(spec.machine, spec.stack_bytes, spec.arena_bytes))
    command: list[str | Path] = [arm.tool("g++"), *library.arch, library.optimisation]
    firmware = data_folder("firmware")
    options: list[str] = ["-ffunction-sections", "-fdata-sections", f"-I{firmware / 'app'}"]
    options += [f"-D{macro}" for macro in library.macros]
    files: list[str | Path] = ["image.c"]
    if spec.board is not None:
        # Before the libraries, which hold what these take the place of.
        options += ["-Wall", "-Wextra", f"-I{firmware / 'hal'}", f"-I{firmware / 'targets' / 'cortex_m'}"]
        options += [f"-D{macro}" for macro in spec.board.macros]
        files += [firmware / "targets" / "boards" / source for source in spec.board.sources]
    command += options
    if arm.clang is not None:
        command += _compiled(arm, library, options, files, work)
    else:
        for file in files:  # g++ takes each C file for C++ that has no -x of its own in front of it
            command += ["-x", "c", file]
    command += ["-x", "assembler-with-cpp", "image.S", "-x", "none"]
    command += ["-nostartfiles", "--specs=nano.specs", "-Wl,-T,link.ld,--gc-sections,--strip-debug"]
    command += ["-Wl,--start-group"]
    command += [library.application / f"lib{name}.a" for name in ("app", "target", f"uart-{spec.machine.uart.kind}")]
    if library.archives:  # the table of the operators is one, whatever kernels stand behind it
        command += [library.application / "libkernels-reference.a", *library.archives]
    else:
        command += [library.application / f"libkernels-{spec.kernels}.a", library.runtime / "libtflm.a"]
        command += [library.runtime / "libcmsis-nn.a"] if spec.kernels == "cmsis-nn" else []
    command += ["-lc", "-lm", "-lgcc", "-Wl,--end-group", "-o", "firmware.elf"]
    linked = process.run(command, cwd=work, time_limit_s=120)
    if linked.returncode != 0:
        raise _failure(linked.stderr, library)
    return work / "firmware.elf"


def _compiled(
    arm: toolchain.Toolchain, library: Library, options: list[str], files: list[str | Path], work: Path
) -> list[str]:
    """Objects of C files, where what compiles is not what links."""
    objects = []
    for number, file in enumerate(files):
        objects.append(f"{number}.o")
        compiler = [*arm.compiling("c", library.arch), library.optimisation, *options]
        made = process.run([*compiler, "-c", file, "-o", objects[-1]], cwd=work, time_limit_s=120)
        if made.returncode != 0:
            raise _failure(made.stderr, library)
    return objects


def _failure(stderr: str, library: Library) -> BuildError | BadInputError:
    overflow = re.search(r"region `(FLASH|RAM|VECTORS)' overflowed by (\d+) bytes", stderr)
    if overflow:
        return ImageError(overflow[1], int(overflow[2]))
    if "No space left on device" in stderr:
        return BuildError("linking failed: the disk is full", cache.ROOM_HINT)
    wanted = list(dict.fromkeys(re.findall(r"undefined reference to `([^']+)'", stderr)))
    if library.archives and wanted:
        more = f" and {len(wanted) - 3} more" if len(wanted) > 3 else ""
        return BadInputError(
            f"the library and its headers do not belong together, or an archive is missing: it lacks "
            f"{', '.join(wanted[:3])}{more}",
            "give the include folders of the sources that it was built of, and with --tflm-lib every archive",
            detail=stderr.strip(),
        )
    instructions = [name for name in wanted if re.fullmatch(r"__sm(la|ul)\w+", name)]
    if instructions:  # the compiler took them for functions
        return BuildError(
            f"linking the firmware failed: CMSIS-NN calls {' and '.join(instructions)}, instructions that this "
            f"compiler's arm_acle.h does not have",
            "--kernels reference, or a newer compiler: GCC 12 has them",
            detail=stderr.strip(),
        )
    errors = [line for line in stderr.splitlines() if "error" in line or "undefined" in line]
    return BuildError("linking the firmware failed" + (f": {errors[0]}" if errors else ""), detail=stderr.strip())


def render_linker_script(machine: Machine, stack_bytes: int, arena_bytes: int | None) -> str:
    """The linker script for a machine; ``arena_bytes`` None gives the arena all the RAM that is left."""
    flash, ram = machine.flash, machine.ram
    split = not flash.origin <= machine.vectors < flash.origin + flash.size_bytes
    values = {
        "FLASH_ORIGIN": f"{flash.origin:#x}",
        "FLASH_BYTES": str(flash.size_bytes),
        "RAM_ORIGIN": f"{ram.origin:#x}",
        "RAM_BYTES": str(ram.size_bytes),
        "VECTORS_ORIGIN": f"{machine.vectors:#x}",
        "VECTORS_REGION": "VECTORS" if split else "FLASH",
        "UART_BASE": f"{machine.uart.base:#x}",
        "CLOCK_HZ": str(machine.clock_hz),
        "STACK_BYTES": str(stack_bytes),
        "ARENA_BYTES": "LENGTH(RAM) - (ABSOLUTE(.) - ORIGIN(RAM))" if arena_bytes is None else str(arena_bytes),
    }
    template = (data_folder("firmware") / "templates" / "link.ld.in").read_text()
    return re.sub(r"@([A-Z_]+)@", lambda match: values[match[1]], template)


def _render_image_c(spec: Spec) -> str:
    builtins = spec.model.builtins
    checked = spec.app != APP_REALTIME  # which is to spend its time as a product does
    lines = [
        '#include "image.h"',
        "extern const uint8_t image_model[];",
        *(f"extern const uint8_t image_input{index}[];" for index in range(len(spec.inputs))),
        *(f"extern const struct harness_op harness_op_{name};" for name in builtins),
        "static const struct harness_op *const ops[] = {",
        *(f"  &harness_op_{name}," for name in builtins),
        "};",
        "static const struct harness_input inputs[] = {",
        *(f"  {{image_input{index}, {len(data)}}}," for index, data in enumerate(spec.inputs)),
        "};",
        f"static uint32_t crcs[{len(spec.model.operators)}];" if checked else "",
        f"static void *wrappers[{len(builtins)}][HARNESS_WRAPPER_POINTERS];",
        "static const struct harness_image image = {",
        f"  image_model, {len(spec.model.content)}, {zlib.crc32(spec.model.content):#x},",
        f"  ops, {len(builtins)}, wrappers, inputs, {len(spec.inputs)},",
        f"  {'crcs' if checked else '0'}, {len(spec.model.operators)}, {spec.dump_node},",
        "};",
        "const struct harness_image *firmware_image(void) { return &image; }",
        f"int harness_app(void) {{ return {spec.app}(); }}",
    ]
    if spec.schedule is not None:
        numbers = f"{spec.schedule.ticks}, {spec.schedule.interrupts}, {spec.schedule.frames}"
        lines += [
            f"static const struct harness_schedule schedule = {{{numbers}}};",
            "const struct harness_schedule *firmware_schedule(void) { return &schedule; }",
        ]
    return "\n".join(lines) + "\n"


def _render_image_s(spec: Spec) -> str:
    lines = [
        '.file "image.S"',  # else the object's temporary name becomes a symbol, and no two links are the same
        '.section .model, "a"',
        f".balign {_ALIGNMENT}",
        ".global image_model",
        "image_model:",
        '.incbin "model.tflite"',
        '.section .boot, "a"',
        '.incbin "boot.bin"',
        '.section .test_input, "a"',
    ]
    for index in range(len(spec.inputs)):
        lines += [
            f".balign {_ALIGNMENT}",
            f".global image_input{index}",
            f"image_input{index}:",
            f'.incbin "input{index}.bin"',
        ]
    return "\n".join(lines) + "\n"
