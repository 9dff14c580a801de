"""Load and validate platforms/<name>/platform.toml, the files that own every number about a board or a machine."""

from __future__ import annotations

import difflib
import hashlib
from pathlib import Path
from typing import Literal, NoReturn

import msgspec

from harness import cores
from harness.errors import BadInputError
from harness.paths import data_folder
from harness.records import FlashInterface, Lines, Machine, Platform, Region, Uart

UART_KINDS = (
    "cmsdk",
    "nrf51",
    "nrf52_uarte",
    "pl011",
    "stm32_lpuart",
    "stm32_usart_v1",
    "stm32_usart_v2",
)

_KIB = 1024
_ADDRESS_SPACE = 1 << 32
_ALIGNMENT = 1024
_VECTORS_ALIGNMENT = 256  # a vector table of up to 64 entries is aligned to its size
_LINE_BYTES = (4, 8, 16, 32, 64)
_MOST_LINES = 32768
_INTERFACE = ("read_bytes", "prefetch", "instructions")  # what makes a flash interface; "data" may be one with the last
_INTERRUPTS = 496  # the most that an NVIC takes


class _Table(msgspec.Struct, forbid_unknown_fields=True):
    """Base of the tables of a platform.toml: a key that is not known is an error, not a default."""


class _Cpu(_Table, kw_only=True):
    core: str
    fpu: str | None = None
    dsp: bool
    mve: bool
    clock_hz: int
    vectors: int | None = None


class _Ram(_Table, kw_only=True):
    origin: int
    size_kib: int


class _Lines(_Table, kw_only=True):
    line_bytes: int
    lines: int
    ways: int


class _Flash(_Ram, kw_only=True):
    wait_states: int | None = None
    read_bytes: int | None = None
    prefetch: bool | None = None
    instructions: _Lines | None = None
    data: _Lines | None = None


class _Console(_Table, kw_only=True):
    name: str
    kind: str
    base: int
    interrupts: tuple[int, ...]


class _Machine(_Table, kw_only=True):
    qemu: str


class _Sources(_Table, kw_only=True):
    cpu: str
    clock: str
    flash: str
    ram: str
    console: str
    wait_states: str | None = None
    flash_interface: str | None = None
    machine: str | None = None


class _File(_Table, kw_only=True):
    title: str
    kind: Literal["board", "machine"]
    stand_ins: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    cpu: _Cpu
    flash: _Flash
    ram: _Ram
    console: _Console
    machine: _Machine | None = None
    sources: _Sources


def names(folder: Path | None = None) -> tuple[str, ...]:
    """Names of the platforms, sorted: the folders of ``folder`` (default: platforms/) that hold a platform.toml."""
    root = folder or data_folder("platforms")
    return tuple(sorted(path.parent.name for path in root.glob("*/platform.toml")))


def load(name: str, folder: Path | None = None) -> Platform:
    """The platform of that name, with the machines that may stand in checked too.

    Raises:
        BadInputError: there is no such platform, or a platform.toml is not valid; the message names file and key.
    """
    root = folder or data_folder("platforms")
    known = names(root)
    if name not in known:
        raise BadInputError(f"unknown platform {name!r}{_nearest(name, known)}", hint="harness platforms lists them")
    platform = _load_alone(root, name)
    for stand_in in platform.machines:
        if stand_in != name:
            _check_stand_in(root, platform, stand_in, known)
    return platform


def all(folder: Path | None = None) -> tuple[Platform, ...]:
    """Every platform, boards before machines, then by name.

    Raises:
        BadInputError: as ``load``.
    """
    return tuple(sorted((load(name, folder) for name in names(folder)), key=lambda found: (found.kind, found.name)))


def _nearest(name: str, known: tuple[str, ...]) -> str:
    wanted = name.lower()
    near = [candidate for candidate in known if len(wanted) >= 3 and wanted in candidate]
    near += [close for close in difflib.get_close_matches(wanted, known, n=3, cutoff=0.5) if close not in near]
    return f"; nearest: {', '.join(near[:3])}" if near else ""


def _load_alone(root: Path, name: str) -> Platform:
    path = root / name / "platform.toml"
    data = path.read_bytes()
    try:
        file = msgspec.toml.decode(data, type=_File)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path}: {error}", hint="compare it with another platform.toml") from error
    _check(path, file)
    flash = Region(origin=file.flash.origin, size_bytes=file.flash.size_kib * _KIB)
    ram = Region(origin=file.ram.origin, size_bytes=file.ram.size_kib * _KIB)
    machine = Machine(
        name=name,
        qemu=None if file.machine is None else file.machine.qemu,
        core=file.cpu.core,
        clock_hz=file.cpu.clock_hz,
        vectors=flash.origin if file.cpu.vectors is None else file.cpu.vectors,
        flash=flash,
        ram=ram,
        uart=Uart(
            name=file.console.name,
            kind=file.console.kind,
            base=file.console.base,
            interrupts=file.console.interrupts,
        ),
    )
    return Platform(
        name=name,
        title=file.title,
        kind=file.kind,
        core=file.cpu.core,
        fpu=file.cpu.fpu,
        dsp=file.cpu.dsp,
        mve=file.cpu.mve,
        clock_hz=file.cpu.clock_hz,
        flash=flash,
        ram=ram,
        wait_states=file.flash.wait_states,
        flash_interface=_interface(file.flash),
        machines=file.stand_ins if machine.qemu is None else (name, *file.stand_ins),
        machine=machine,
        sources={key: text for key, text in msgspec.structs.asdict(file.sources).items() if text is not None},
        notes=file.notes,
        sha256=hashlib.sha256(data).hexdigest(),
    )


def _interface(flash: _Flash) -> FlashInterface | None:
    """What was checked already; None where the file does not describe it."""
    if flash.wait_states is None or flash.read_bytes is None or flash.prefetch is None or flash.instructions is None:
        return None
    return FlashInterface(
        wait_states=flash.wait_states,
        read_bytes=flash.read_bytes,
        prefetch=flash.prefetch,
        instructions=_lines(flash.instructions),
        data=None if flash.data is None else _lines(flash.data),
    )


def _lines(table: _Lines) -> Lines:
    return Lines(line_bytes=table.line_bytes, lines=table.lines, ways=table.ways)


def _refuse(path: Path, key: str, why: str, hint: str | None = None) -> NoReturn:
    raise BadInputError(f"{path}: {key}: {why}", hint=hint)


def _check(path: Path, file: _File) -> None:
    """What the types cannot say about one file."""
    if not file.title.strip():
        _refuse(path, "title", "is empty")
    _check_cpu(path, file.cpu)
    for key, region in (("flash", file.flash), ("ram", file.ram)):
        _check_region(path, key, region)
    flash, ram = file.flash, file.ram
    if flash.origin < ram.origin + ram.size_kib * _KIB and ram.origin < flash.origin + flash.size_kib * _KIB:
        _refuse(path, "ram", f"overlaps flash: ram at {ram.origin:#010x}, flash at {flash.origin:#010x}")
    if flash.wait_states is not None and not 0 <= flash.wait_states <= 15:
        _refuse(path, "flash.wait_states", f"{flash.wait_states} is not in 0..15")
    if (file.machine is not None) != (file.kind == "machine"):
        _refuse(path, "machine", f'a table [machine] belongs to kind = "machine"; this is kind = {file.kind!r}')
    if file.machine is None and not file.stand_ins:
        _refuse(path, "stand_ins", "a board needs at least one machine that stands in for it")
    if file.machine is not None and not file.machine.qemu.strip():
        _refuse(path, "machine.qemu", "is empty")
    _check_vectors(path, file)
    _check_console(path, file)
    _check_sources(path, file)
    _check_interface(path, file.flash)


def _check_interface(path: Path, flash: _Flash) -> None:
    """The flash interface is described as a whole, or not at all."""
    if any(getattr(flash, key) is not None for key in (*_INTERFACE, "data")):
        for key in (*_INTERFACE, "wait_states"):
            if getattr(flash, key) is None:
                _refuse(path, f"flash.{key}", "is missing", "what describes the flash interface is given as a whole")
    for key, lines in (("instructions", flash.instructions), ("data", flash.data)):
        if lines is None or flash.read_bytes is None:
            continue
        if lines.line_bytes not in _LINE_BYTES:
            _refuse(path, f"flash.{key}.line_bytes", f"{lines.line_bytes} is not one of {_LINE_BYTES}")
        if flash.read_bytes <= 0 or lines.line_bytes % flash.read_bytes:
            _refuse(path, "flash.read_bytes", f"{flash.read_bytes} does not divide lines of {lines.line_bytes} bytes")
        if not 1 <= lines.ways <= lines.lines <= _MOST_LINES or lines.lines % lines.ways:
            _refuse(path, f"flash.{key}", f"{lines.lines} lines cannot be in sets of {lines.ways}")


def _check_cpu(path: Path, cpu: _Cpu) -> None:
    try:
        core = cores.get(cpu.core)
        cores.check_fpu(cpu.core, cpu.fpu)
    except BadInputError as error:
        _refuse(path, "cpu.core" if cpu.core not in cores.CORES else "cpu.fpu", error.message, error.hint)
    for key, stated, fact in (("dsp", cpu.dsp, core.dsp), ("mve", cpu.mve, core.mve)):
        if stated != fact:
            _refuse(path, f"cpu.{key}", f"{str(stated).lower()}, but {cpu.core} has {'it' if fact else 'none'}")
    if cpu.clock_hz <= 0:
        _refuse(path, "cpu.clock_hz", f"{cpu.clock_hz} is not above 0")


def _check_region(path: Path, key: str, region: _Ram) -> None:
    if region.size_kib <= 0:
        _refuse(path, f"{key}.size_kib", f"{region.size_kib} is not above 0")
    _check_address(path, f"{key}.origin", region.origin)
    if region.origin + region.size_kib * _KIB > _ADDRESS_SPACE:
        _refuse(path, f"{key}.size_kib", f"{region.size_kib} KiB at {region.origin:#010x} end beyond 32-bit addresses")


def _check_address(path: Path, key: str, address: int, alignment: int = _ALIGNMENT) -> None:
    if not 0 <= address < _ADDRESS_SPACE:
        _refuse(path, key, f"{address:#x} is not a 32-bit address")
    if address % alignment:
        _refuse(path, key, f"{address:#010x} is not a multiple of {alignment}")


def _check_vectors(path: Path, file: _File) -> None:
    if file.cpu.vectors is not None:
        _check_address(path, "cpu.vectors", file.cpu.vectors, _VECTORS_ALIGNMENT)
        if _holds(file.ram, file.cpu.vectors):
            _refuse(path, "cpu.vectors", f"{file.cpu.vectors:#010x} lies in ram")


def _check_console(path: Path, file: _File) -> None:
    console = file.console
    if not console.name.isidentifier():
        _refuse(path, "console.name", f"{console.name!r} is not a name of letters and digits")
    if console.kind not in UART_KINDS:
        _refuse(path, "console.kind", f"unknown UART {console.kind!r}", f"one of {', '.join(UART_KINDS)}")
    _check_address(path, "console.base", console.base)
    for key, region in (("flash", file.flash), ("ram", file.ram)):
        if _holds(region, console.base):
            _refuse(path, "console.base", f"{console.base:#010x} lies in {key}")
    numbers = console.interrupts
    if len(numbers) not in (1, 2) or not 0 <= min(numbers) <= max(numbers) < _INTERRUPTS:
        _refuse(path, "console.interrupts", f"one or two numbers below {_INTERRUPTS} are needed")


def _holds(region: _Ram, address: int) -> bool:
    return region.origin <= address < region.origin + region.size_kib * _KIB


def _check_sources(path: Path, file: _File) -> None:
    """Every group of numbers names its source, and no source is named for numbers that are not there."""
    for key, present in (
        ("cpu", True),
        ("clock", True),
        ("flash", True),
        ("ram", True),
        ("console", True),
        ("wait_states", file.flash.wait_states is not None),
        ("flash_interface", any(getattr(file.flash, key) is not None for key in (*_INTERFACE, "data"))),
        ("machine", file.machine is not None),
    ):
        text: str | None = getattr(file.sources, key)
        if present and not (text or "").strip():
            _refuse(path, f"sources.{key}", "says nothing; every number needs its source")
        if not present and text is not None:
            _refuse(path, f"sources.{key}", "names a source for a number that is not there")


def _check_stand_in(root: Path, platform: Platform, stand_in: str, known: tuple[str, ...]) -> None:
    path = root / platform.name / "platform.toml"
    if stand_in not in known:
        _refuse(path, "stand_ins", f"no platform {stand_in!r}{_nearest(stand_in, known)}")
    machine = _load_alone(root, stand_in)
    if machine.machine.qemu is None:
        _refuse(path, "stand_ins", f"{stand_in!r} is a board; an emulator's machine is needed")
    if machine.core not in cores.get(platform.core).runs_on:
        _refuse(path, "stand_ins", f"{stand_in!r} has a {machine.core}, which does not run {platform.core} code")
    if not cores.fpu_executes(machine.fpu, platform.fpu):
        _refuse(path, "stand_ins", f"{stand_in!r} has FPU {machine.fpu}, which does not run {platform.fpu} code")
