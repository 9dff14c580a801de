"""Profile a model: the stages one after the other, each a plain call on frozen records."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness import agreement, assemble, cache, image, inputs, library, platforms, reference, store, wire
from harness import arena as plan
from harness.calibrate.use import Given
from harness.elf import Elf
from harness.emulators import BACKENDS
from harness.errors import DoesNotFitError, EmulationError, HarnessError
from harness.inputs import Inputs
from harness.library import Library, Progress, silent
from harness.records import Job, Machine, Platform, Record, Trace, Watch
from harness.result import Difference, Result
from harness.setup import DEFAULT_KERNELS, DEFAULT_TIME_LIMIT_S, Options, Setup, prepare
from harness.user_library import build, fits
from harness.user_library import reference as library_reference
from harness.user_library.found import Brought, UserLibrary

# In what TFLM says where its arena is too small.
_MEMORY = re.compile(r"alloc|resize|too small|arena|memory", re.IGNORECASE)


def run(
    model_path: str | Path,
    platform: str,
    *,
    kernels: str | None = None,
    optimisation: str = "-O2",
    fpu: bool | None = None,
    input_paths: Sequence[str | Path] = (),
    emulator: str = "qemu",
    time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    instruction_limit: int | None = None,
    cycles: bool = False,
    calibration: str | Path | Given | None = None,
    carry: bool = False,
    calls: bool = False,
    tflm: Brought | None = None,
    progress: Progress = silent,
    command: tuple[str, ...] = (),
) -> Result:
    """Profile one inference of a network on a platform, check its outputs, store the result.

    Args:
        model_path: a .tflite file.
        platform: a name that ``harness platforms`` lists.
        kernels: "reference" or "cmsis-nn"; None: the reference kernels, or those that the user's TFLM holds.
        optimisation: "-Os", "-O2", "-O3" or "-Ofast".
        fpu: False builds floating point in software; None takes what the platform has.
        input_paths: one .npy file per model input; none takes a stated deterministic input.
        emulator: a name in ``harness.emulators.BACKENDS``.
        time_limit_s: wall-clock limit of each start of the emulator, in seconds.
        instruction_limit: limit of each start in executed instructions, which QEMU does not offer.
        cycles: whether to estimate the board's cycles and latency, too; QEMU alone tells what that takes.
        calibration: estimate by this one: a file of ``harness calibrate``, or a board whose calibration is stored.
        carry: use it also for a build with another compiler, library, kernel set or flags; the estimate then says so.
        calls: whether to start the firmware once more, on QEMU, for the tree of calls of each layer and the deepest
            stack, frame by frame (``Result.calls``).
        tflm: a TFLM that the user brings, in place of the packaged one.
        progress: told what is being done.
        command: what to record as the command that asked for the run.

    Returns:
        The stored result, with absolute paths of its files. ``result.verdict.passed`` says whether it fits the board
        and is exact.

    Raises:
        BadInputError: the model, an option or an input cannot be used (exit code 2).
        DoesNotFitError: the network is larger than the board and than every machine that could stand in (1).
        HarnessError: a tool is missing, a build failed, the emulator or the firmware died (3).
    """
    options = Options(
        kernels=kernels or DEFAULT_KERNELS,
        tflm=_saying(tflm, kernels),
        optimisation=optimisation,
        fpu=fpu,
        emulator=emulator,
        time_limit_s=time_limit_s,
        instruction_limit=instruction_limit,
        cycles=cycles,
        calibration=calibration,
        carry=carry,
        calls=calls,
    )
    prepared = _prepare(prepare(Path(model_path), platform, options), input_paths, progress)
    progress("sizing the arena", None, None)
    machine, arena = fit(prepared.setup, prepared.libraries, prepared.data)
    return _measure(prepared, prepared.setup, machine, arena, progress, command)


def run_on_both(
    model_path: str | Path,
    platform: str,
    *,
    kernels: str | None = None,
    optimisation: str = "-O2",
    fpu: bool | None = None,
    input_paths: Sequence[str | Path] = (),
    time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    tflm: Brought | None = None,
    progress: Progress = silent,
    command: tuple[str, ...] = (),
) -> tuple[Result, Result]:
    """Run one firmware, linked for a machine that QEMU has, on QEMU and on Renode, and compare every segment.

    Args and errors are those of ``run``.

    Returns:
        Both stored results, QEMU's first.

    Raises:
        EmulationError: the counts of a segment differ; both results are stored nevertheless.
    """
    options = Options(
        kernels=kernels or DEFAULT_KERNELS,
        tflm=_saying(tflm, kernels),
        optimisation=optimisation,
        fpu=fpu,
        emulator="qemu",
        time_limit_s=time_limit_s,
    )
    prepared = _prepare(prepare(Path(model_path), platform, options), input_paths, progress)
    progress("sizing the arena", None, None)
    machine, arena = fit(prepared.setup, prepared.libraries, prepared.data)
    first, second = (
        _measure(prepared, prepared.setup.on(emulator), machine, arena, progress, command)
        for emulator in ("qemu", "renode")
    )
    agreement.check(first, second)
    return first, second


def _saying(tflm: Brought | None, kernels: str | None) -> Brought | None:
    """The user's TFLM, with the kernels that it is said to hold."""
    return None if tflm is None else msgspec.structs.replace(tflm, kernels=kernels or tflm.kernels)


class _Prepared(Record, frozen=True):
    """What runs of one network with one input and one build share."""

    setup: Setup
    data: Inputs
    libraries: Library
    host: Library | None
    golden: reference.Reference


def _prepare(setup: Setup, input_paths: Sequence[str | Path], progress: Progress) -> _Prepared:
    data = inputs.of(setup.model, [Path(path) for path in input_paths])
    if setup.tflm is not None:
        return _prepare_brought(setup, setup.tflm, data, progress)
    libraries = library.for_core(setup.arch, setup.options.optimisation, setup.arm, progress)
    host = library.for_host(progress)
    progress("computing the reference on the host", None, None)
    golden = reference.compute(setup.model, data, host, setup.fpu)
    return _Prepared(setup=setup, data=data, libraries=libraries, host=host, golden=golden)


def _prepare_brought(setup: Setup, found: UserLibrary, data: Inputs, progress: Progress) -> _Prepared:
    """The same with the user's TFLM. Their build for this host gives the reference, without one tflite-micro."""
    host = build.for_host(fits.read_host(found.brought), progress) if found.brought.host else None
    libraries = build.for_core(found, setup.arch, setup.options.optimisation, setup.arm, progress)
    progress("computing the reference on the host", None, None)
    golden = library_reference.compute(setup.model, data, host, setup.fpu)
    return _Prepared(setup=setup, data=data, libraries=libraries, host=host, golden=golden)


def _measure(
    prepared: _Prepared, setup: Setup, machine: Platform, arena: Arena, progress: Progress, command: tuple[str, ...]
) -> Result:
    """Run on the emulator that ``setup`` names, check, store."""
    data, libraries, golden = prepared.data, prepared.libraries, prepared.golden
    progress(f"running on {machine.name} ({setup.options.emulator})", None, None)
    elf, trace, console = execute(setup, libraries, data, machine.machine, arena.needed)
    followed = None
    if setup.options.calls:
        from harness.calltree import measure as calltree  # which nothing else here needs

        progress(f"following calls on {machine.name}", None, None)
        cxxfilt, limit = setup.arm.tool("c++filt"), setup.options.time_limit_s
        followed = calltree.follow(elf, machine, setup.platform.core, cxxfilt, limit)
    difference, scale = None, None
    if console.crcs != golden.crcs or console.outputs != golden.outputs:
        progress("looking for the first difference", None, None)
        difference, scale = _first_difference(setup, prepared, machine, arena.needed, console)
    result = assemble.result(
        assemble.Measured(
            setup=setup,
            machine=machine,
            libraries=libraries,
            host=prepared.host,
            inputs=data,
            arena_bytes=arena.needed,
            arena_used_bytes=arena.used,
            arena=plan.part(setup.model, arena.tensors, arena.scratch, arena.used),
            elf=elf,
            trace=trace,
            console=console,
            reference=golden,
            difference=difference,
            scale=scale,
            followed=followed,
        )
    )
    return store.save(result, elf.path, trace.uart, command, trace.log)


class Arena(Record, frozen=True):
    """Bytes: the smallest arena that works, and what TFLM says it uses of it; what its planner put where in it."""

    needed: int
    used: int
    tensors: tuple[wire.Planned, ...] = ()
    scratch: tuple[wire.Scratch | None, ...] = ()


def fit(setup: Setup, libraries: Library, data: Inputs) -> tuple[Platform, Arena]:
    """The first machine that holds the firmware, and the size of its arena, found by the firmware itself on it.

    Raises:
        DoesNotFitError: no machine holds it, and neither would the board.
        HarnessError: no machine holds it, though the board might; or the firmware failed otherwise.
    """
    board, name = setup.platform, setup.model.path.name
    for candidate in _machines(setup):
        machine = platforms.load(candidate)
        try:
            return machine, _size_arena(setup, libraries, data, machine.machine)
        except _TooSmall as error:
            largest, failure = machine, error
    budget = board.flash.size_bytes if failure.region == "flash" else board.ram.size_bytes
    if failure.needs_bytes > budget:
        raise DoesNotFitError(
            f"{name} does not fit {board.name}: needs at least {assemble.kib(failure.needs_bytes)} of "
            f"{assemble.kib(budget)} {failure.region}",
            f"a smaller network, or a board with more {failure.region}",
        )
    raise HarnessError(
        f"{name} is larger than {largest.name}, which stands in for {board.name}: needs at least "
        f"{assemble.kib(failure.needs_bytes)} {failure.region}",
        "harness platforms lists the machines and their sizes",
    )


def _machines(setup: Setup) -> tuple[str, ...]:
    """Names of the platforms whose map the emulator runs, the preferred one first."""
    board = setup.platform
    if setup.options.emulator == "renode" and board.machine.qemu is None:
        return (board.name, *board.machines)
    return board.machines


class _TooSmall(HarnessError):
    """A machine's memory is too small: ``needs_bytes`` is what the firmware needs at least of ``region``."""

    def __init__(self, region: str, needs_bytes: int) -> None:
        super().__init__(f"needs at least {needs_bytes} bytes of {region}")
        self.region = region
        self.needs_bytes = needs_bytes


def _size_arena(setup: Setup, libraries: Library, data: Inputs, machine: Machine) -> Arena:
    spec = _spec(setup, data, machine, None, image.APP_SIZE_ARENA)
    try:
        elf = image.link(spec, libraries, setup.arm)
    except image.ImageError as error:
        region, memory = ("RAM", machine.ram) if error.region == "RAM" else ("flash", machine.flash)
        raise _TooSmall(region, memory.size_bytes + error.overflow) from error
    cached = cache.path("arenas", f"{elf.path.stem}-{setup.options.emulator}")
    known = cache.read(cached, Arena)
    if known is not None:
        return known
    _, console = emulate(setup, elf, machine)
    if console.failure is not None and console.failure.stage == "allocate" and _ran_out(console):
        # All the RAM but the stack's was there, so the program needs more than that.
        raise _TooSmall("RAM", machine.ram.size_bytes - spec.stack_bytes + 1)
    _require_success(setup, console)
    if console.arena_needed is None or console.arena_used is None:
        raise EmulationError("the firmware did not report the size of its arena", detail="\n".join(console.log) or None)
    arena = Arena(
        needed=console.arena_needed, used=console.arena_used, tensors=console.tensors, scratch=console.scratch
    )
    cache.write(cached, msgspec.json.encode(arena))
    return arena


def _ran_out(console: wire.Console) -> bool:
    """Whether an allocation failed for want of memory. A TFLM that says why it failed may say something else."""
    return not console.log or any(_MEMORY.search(line) for line in console.log)


def execute(
    setup: Setup, libraries: Library, data: Inputs, machine: Machine, arena_bytes: int, dump_node: int = -1
) -> tuple[Elf, Trace, wire.Console]:
    """Link the profiling firmware with an arena of exactly that size and run it.

    Raises:
        EmulationError: it failed on the machine.
    """
    spec = _spec(setup, data, machine, arena_bytes, image.APP_PROFILE, dump_node)
    elf = image.link(spec, libraries, setup.arm)
    watch = None
    if setup.options.estimates:
        watch = Watch(flash=machine.flash, interface=setup.platform.flash_interface)
    trace, console = emulate(setup, elf, machine, watch=watch)
    _require_success(setup, console)
    return elf, trace, console


def _spec(
    setup: Setup, data: Inputs, machine: Machine, arena_bytes: int | None, app: str, dump_node: int = -1
) -> image.Spec:
    return image.Spec(
        model=setup.model,
        inputs=data.data,
        kernels=setup.options.kernels,
        machine=machine,
        arena_bytes=arena_bytes,
        app=app,
        dump_node=dump_node,
    )


def emulate(
    setup: Setup, elf: Elf, machine: Machine, counted: bool = True, watch: Watch | None = None
) -> tuple[Trace, wire.Console]:
    """Run firmware to its end on the emulator that ``setup`` names, and read what it printed.

    ``counted`` False: nothing is counted, and its timers go by what is executed alone. ``watch``: what else to record.

    Raises:
        EmulationError: it does not come to an end, or prints what it should not.
    """
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        trace = BACKENDS[setup.options.emulator].run(
            Job(
                elf=elf.path,
                machine=machine,
                mark_address=elf.symbols[image.MARK_SYMBOL] if counted else None,
                end_address=elf.symbols[image.END_SYMBOL],
                uart_log=Path(folder) / "uart.log",
                time_limit_s=setup.options.time_limit_s,
                work=Path(folder),
                stop_texts=(wire.HALTED,) if counted else (wire.ENDED, wire.HALTED),
                instruction_limit=setup.options.instruction_limit,
                watch=watch,
            )
        )
    try:
        return trace, wire.parse(trace.uart)
    except wire.WireError as error:
        raise EmulationError(f"the firmware printed what it should not: {error}", detail=trace.uart[-4000:]) from error


def _require_success(setup: Setup, console: wire.Console) -> None:
    if any(wire.HALTED.decode() in line for line in console.log):
        raise EmulationError(
            "TFLM stopped with HALTED: a check of one of its kernels failed", detail="\n".join(console.log)
        )
    if console.status != wire.STATUS_OK:
        raise EmulationError(
            f"the firmware failed: {reference.describe_failure(console, setup.model)}",
            detail="\n".join(console.log) or None,
        )
    if console.stack_used is not None and console.stack_used == console.stack_reserved:
        raise EmulationError(f"the firmware used all of its stack ({console.stack_reserved} bytes)")


def _first_difference(
    setup: Setup, prepared: _Prepared, machine: Platform, arena_bytes: int, console: wire.Console
) -> tuple[Difference | None, float | None]:
    """Run device and host once more, printing the outputs of the first operator whose CRC differs.

    Returns:
        The difference, and the largest magnitude of real numbers there, None of integers.
    """
    golden, model = prepared.golden, setup.model
    for index, (mine, theirs) in enumerate(zip(console.crcs, golden.crcs, strict=False)):
        if mine != theirs:
            _, _, device = execute(
                setup, prepared.libraries, prepared.data, machine.machine, arena_bytes, dump_node=index
            )
            expected = library_reference.layer(model, prepared.data, prepared.host, golden.expf, index)
            name = library_reference.TFLITE_MICRO if prepared.host is None else "host build"
            found = assemble.difference(model, index, device.dumps[index], expected, name)
            kind = model.tensors[model.operators[index].outputs[0]].type
            return found, library_reference.largest(kind, expected)
    return None, None
