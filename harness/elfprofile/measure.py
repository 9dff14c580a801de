"""Profiles a firmware: checks it, runs it under the plugin that follows calls, and puts the result together."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from harness import cores, platforms
from harness.elfprofile import fits, image, notes, regions
from harness.elfprofile.image import Image
from harness.elfprofile.names import Functions, Named
from harness.elfprofile.result import SCHEMA, ElfProfile, Ended, Firmware, Ran, Total
from harness.elfprofile.tree import Stack, Tree
from harness.emulators import flows, qemu_flow, renode_flow
from harness.emulators.flows import Flow, Function
from harness.emulators.qemu_flow import FlowJob, FlowRun
from harness.errors import BadInputError, EmulationError
from harness.records import Machine, Platform, Record

DEFAULT_TIME_LIMIT_S = 60.0
BACKENDS: dict[str, Callable[[FlowJob], FlowRun]] = {"qemu": qemu_flow.run, "renode": renode_flow.run}


class Request(Record, frozen=True):
    """What to profile.

    ``regions`` are "NAME=FUNCTION" or "FUNCTION" as ``names.Functions.find`` takes it; ``presets`` of
    ``names.PRESETS``. The run ends where ``stop_at``, a function, begins, once ``stop_on`` is on the UART, after
    ``instruction_limit`` instructions, or after ``time_limit_s`` seconds of the host's. ``semihosting``: let the
    firmware use the host's files and shell. ``emulator``: "qemu" follows all calls on the machine that stands in for a
    board; "renode" those of regions alone, on the board's own memory map.
    """

    path: Path
    platform: str
    regions: tuple[str, ...] = ()
    presets: tuple[str, ...] = ()
    stop_at: str | None = None
    stop_on: str | None = None
    instruction_limit: int | None = None
    time_limit_s: float = DEFAULT_TIME_LIMIT_S
    semihosting: bool = False
    emulator: str = "qemu"


class Measured(Record, frozen=True):
    """A profile, and the stacks of calls that flame graphs are made of; None where only regions are followed."""

    profile: ElfProfile
    stacks: tuple[Stack, ...] | None


class Checked(Record, frozen=True, eq=False):
    """A request that can be run: the firmware, its machine, its functions, and its regions with their names."""

    request: Request
    image: Image
    platform: Platform
    machine: Machine
    functions: Functions
    regions: tuple[tuple[str, Named], ...]
    table: tuple[Function, ...]


def run(request: Request) -> Measured:
    """Profile a firmware.

    Raises:
        BadInputError: the firmware does not fit the platform, a function is not in it, or an option is wrong.
        MissingToolError, BuildError: what the measurement needs is not there.
        EmulationError: the core locked up, QEMU died, or the firmware asks for semihosting and may not.
    """
    checked = check(request)
    with tempfile.TemporaryDirectory(prefix="harness-profile-") as folder:
        job = FlowJob(
            elf=request.path,
            machine=checked.machine,
            functions=checked.table,
            work=Path(folder),
            time_limit_s=request.time_limit_s,
            stop_texts=(request.stop_on.encode(),) if request.stop_on else (),
            instruction_limit=request.instruction_limit,
            semihosting=request.semihosting,
        )
        return _measured(checked, BACKENDS[request.emulator](job))


def check(request: Request) -> Checked:
    """Everything that can be said without running the firmware.

    Raises:
        BadInputError: as ``run``.
    """
    if request.emulator not in BACKENDS:
        raise BadInputError(f"unknown emulator {request.emulator!r}", f"one of {', '.join(BACKENDS)}")
    if request.emulator == "renode" and not (request.regions or request.presets):
        raise BadInputError(
            "Renode follows chosen functions only, and none is given",
            "give --region NAME=FUNCTION or --regions; QEMU, the default, follows all",
        )
    if request.time_limit_s <= 0:
        raise BadInputError(f"a time limit of {request.time_limit_s:g} s leaves no time", "give --timeout SECONDS")
    if request.instruction_limit is not None and request.instruction_limit <= 0:
        raise BadInputError(f"a limit of {request.instruction_limit} instructions leaves nothing to run")
    if request.stop_on is not None and not request.stop_on:
        raise BadInputError("an empty text is on every UART", "give --stop-on TEXT")
    platform = platforms.load(request.platform)
    stands_in = request.emulator == "qemu"
    machine = platforms.load(platform.machines[0]).machine if stands_in else platform.machine
    read = image.read(request.path)
    vectors = fits.check(read, platform, machine, request.emulator)
    functions = Functions(read)
    chosen = regions.choose(functions, request.regions, request.presets)
    stop = functions.find(request.stop_at) if request.stop_at is not None else None
    return Checked(
        request=request,
        image=read,
        platform=platform,
        machine=machine,
        functions=functions,
        regions=chosen,
        table=_table(read, vectors, functions, chosen, stop),
    )


def _table(
    read: Image,
    vectors: fits.Vectors,
    functions: Functions,
    chosen: Sequence[tuple[str, Named]],
    stop: Named | None,
) -> tuple[Function, ...]:
    """What the plugin is told. A function of unknown size ends where the next one or its segment does."""
    known = {item.address: item for item in functions.all}
    flags: dict[int, int] = dict.fromkeys(known, flows.RANGED)
    numbers: dict[int, int] = {}
    for handler in vectors.handlers:
        flags[handler] = flags.get(handler, 0) | flows.HANDLER
    for handler in vectors.switchers:
        flags[handler] |= flows.SWITCHER
    for number, (_, item) in enumerate(chosen):
        flags[item.address] = flags.get(item.address, 0) | flows.REGION
        numbers[item.address] = number
    if stop is not None:
        flags[stop.address] = flags.get(stop.address, 0) | flows.STOP
    starts = sorted(flags)
    table = []
    for start, following in zip(starts, [*starts[1:], 1 << 32], strict=True):
        size = known[start].size_bytes if start in known else 0
        end = start + size if size else min(following, _segment_end(read, start))
        sized = flows.SIZED if size else 0
        table.append(Function(start=start, end=end, flags=flags[start] | sized, region=numbers.get(start, 0)))
    return tuple(table)


def _segment_end(read: Image, address: int) -> int:
    ends = (part.address + len(part.content) for part in read.segments if part.address <= address)
    return max((end for end in ends if end > address), default=address + 2)


def _measured(checked: Checked, ran: FlowRun) -> Measured:
    request, functions, flow = checked.request, checked.functions, ran.flow
    if ran.ended_by == "semihosting":
        allow = "--allow-semihosting" if request.emulator == "qemu" else "--allow-semihosting on QEMU"
        raise EmulationError(
            f"the firmware asks for semihosting (BKPT 0xAB at {flow.ended_at:#x}), which is off",
            f"build it without (no rdimon.specs), or give {allow}: the firmware can then read and write this machine's"
            " files and start its programs, as you can",
        )
    armv8 = cores.get(checked.platform.core).architecture.startswith("ARMv8")
    tree = Tree(flow, armv8) if flow.nodes else None
    executed = flow.notes
    profile = ElfProfile(
        schema=SCHEMA,
        firmware=firmware(checked.image),
        ran=Ran(
            platform=request.platform,
            machine=checked.machine.name,
            stands_in=checked.machine.name != request.platform,
            emulator=ran.emulator.name,
            emulator_version=ran.emulator.version,
            counter=ran.emulator.counter,
        ),
        ended=Ended(by=ran.ended_by, partial=_is_partial(request, ran.ended_by), exit_code=ran.exit_code),
        total=Total(
            instructions=executed.executed,
            interrupts=executed.in_exceptions,
            exceptions=executed.exceptions,
            threads=executed.threads,
            switches=executed.switches,
            classes=None if tree is None else tree.classes,
        ),
        regions=regions.results(flow, checked.regions),
        functions=None if tree is None else tree.functions(functions.at),
        notes=(
            *notes.of(checked.image, checked.machine, flow, ran.ended_by, place(flow, functions)),
            *([notes.SEMIHOSTING] if request.semihosting else []),
        ),
        uart=ran.uart,
        console=ran.console,
    )
    stacks = None if tree is None else tuple(tree.stacks(lambda address: functions.at(address).name))
    return Measured(profile=profile, stacks=stacks)


def _is_partial(request: Request, ended_by: str) -> bool:
    """Whether a run ended before what was asked for."""
    asked = {"stop function": request.stop_at is not None, "stop text": request.stop_on is not None}
    return ended_by == "time limit" or (ended_by in ("reset", "semihosting exit") and any(asked.values()))


def place(flow: Flow, functions: Functions) -> str:
    """Where the run ended, in words: the innermost function, and the exception whose handler it is or was called by."""
    containing = functions.containing(flow.ended_at)
    handlers = {node.function for node in flow.nodes if node.kind == flows.INTERRUPT}
    start = containing.address if containing else flow.ended_at
    name = containing.name if containing else f"{flow.ended_at:#x}"
    return f"{name}, a handler of exceptions (did the firmware fault?)" if start in handlers else name


def firmware(read: Image) -> Firmware:
    """What the result says of the file."""
    return Firmware(
        file=read.path.name,
        sha256=read.sha256,
        stripped=not any(symbol.is_function for symbol in read.symbols),
        built_for=fits.built_for(read),
    )
