"""Profile a model: the stages one after the other, each a plain call on frozen records."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness import assemble, cache, cores, image, inputs, library, platforms, profile, reference, store, wire
from harness.elf import Elf
from harness.emulators import BACKENDS
from harness.errors import DoesNotFitError, EmulationError, HarnessError
from harness.inputs import Inputs
from harness.library import Library, Progress, silent
from harness.records import Job, Machine, Platform, Record, Trace
from harness.result import Difference, Result
from harness.setup import DEFAULT_TIME_LIMIT_S, Options, Setup, prepare


def run(
    model_path: str | Path,
    platform: str,
    *,
    kernels: str = "reference",
    optimisation: str = "-O2",
    fpu: bool | None = None,
    input_paths: Sequence[str | Path] = (),
    emulator: str = "qemu",
    time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    progress: Progress = silent,
    command: tuple[str, ...] = (),
) -> Result:
    """Profile one inference of a network on a platform, check its outputs, store the result.

    Args:
        model_path: a .tflite file.
        platform: a name that ``harness platforms`` lists.
        kernels: "reference" or "cmsis-nn".
        optimisation: "-Os", "-O2", "-O3" or "-Ofast".
        fpu: False builds floating point in software; None takes what the platform has.
        input_paths: one .npy file per model input; none takes a stated deterministic input.
        emulator: a name in ``harness.emulators.BACKENDS``.
        time_limit_s: wall-clock limit of each start of the emulator, in seconds.
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
    options = Options(kernels=kernels, optimisation=optimisation, fpu=fpu, emulator=emulator, time_limit_s=time_limit_s)
    setup = prepare(Path(model_path), platform, options)
    paths = [Path(path) for path in input_paths]
    data = inputs.load(paths, setup.model) if paths else inputs.deterministic(setup.model)
    libraries = library.for_core(setup.arch, optimisation, setup.arm, progress)
    host = library.for_host(progress)
    progress("computing the reference on the host", None, None)
    golden = reference.compute(setup.model, data, host)
    progress("sizing the arena", None, None)
    machine, arena = fit(setup, libraries, data)
    progress(f"running on {machine.name}", None, None)
    elf, trace, console = execute(setup, libraries, data, _machine(machine), arena.needed)
    difference = None
    if console.crcs != golden.crcs or console.outputs != golden.outputs:
        progress("looking for the first difference", None, None)
        difference = _first_difference(setup, libraries, host, data, machine, arena.needed, console, golden)
    result = assemble.result(
        assemble.Measured(
            setup=setup,
            machine=machine,
            libraries=libraries,
            host=host,
            inputs=data,
            arena_bytes=arena.needed,
            arena_used_bytes=arena.used,
            elf=elf,
            trace=trace,
            console=console,
            reference=golden,
            difference=difference,
        ),
        profile.Profiler(trace, elf, cores.get(setup.platform.core).architecture.startswith("ARMv8")),
    )
    return store.save(result, elf.path, trace.uart, command)


class Arena(Record, frozen=True):
    """Bytes: the smallest arena that works, and what TFLM says it uses of it."""

    needed: int
    used: int


def fit(setup: Setup, libraries: Library, data: Inputs) -> tuple[Platform, Arena]:
    """The first machine that holds the firmware, and the size of its arena, found by the firmware itself on it.

    Raises:
        DoesNotFitError: no machine holds it, and neither would the board.
        HarnessError: no machine holds it, though the board might; or the firmware failed otherwise.
    """
    reasons = []
    for name in setup.platform.machines:
        machine = platforms.load(name)
        try:
            return machine, _size_arena(setup, libraries, data, _machine(machine))
        except _TooSmall as error:
            reasons.append(f"{name}: {error.message}")
    board, needed = setup.platform, setup.model.size_bytes
    if needed > board.flash.size_bytes:
        raise DoesNotFitError(
            f"{setup.model.path.name} does not fit {board.name}: the model alone needs {assemble.kib(needed)} of "
            f"{assemble.kib(board.flash.size_bytes)} flash",
            "a smaller network, or a board with more flash",
        )
    if board.machine is not None:
        raise DoesNotFitError(f"{setup.model.path.name} does not fit {'; '.join(reasons)}")
    raise HarnessError(
        f"{setup.model.path.name} is larger than the machines that stand in for {board.name}: {'; '.join(reasons)}",
        "harness platforms lists machines and their sizes",
    )


class _TooSmall(HarnessError):
    """A machine's memory is too small for the firmware."""


def _size_arena(setup: Setup, libraries: Library, data: Inputs, machine: Machine) -> Arena:
    spec = image.Spec(
        model=setup.model,
        inputs=data.data,
        kernels=setup.options.kernels,
        machine=machine,
        arena_bytes=None,
        app=image.APP_SIZE_ARENA,
    )
    try:
        path = image.link(spec, libraries, setup.arm)
    except image.ImageError as error:
        raise _TooSmall(error.message) from error
    cached = cache.path("arenas", f"{path.stem}-{setup.options.emulator}")
    if cached.is_file():
        return msgspec.json.decode(cached.read_bytes(), type=Arena)
    _, console = _emulate(setup, Elf(path), machine)
    if console.failure is not None and console.failure.stage == "allocate":
        raise _TooSmall(
            f"the arena needs more than the RAM that the program leaves ({assemble.kib(machine.ram.size_bytes)})"
        )
    _require_success(setup, console)
    if console.arena_needed is None or console.arena_used is None:
        raise EmulationError("the firmware did not report the size of its arena", detail="\n".join(console.log) or None)
    arena = Arena(needed=console.arena_needed, used=console.arena_used)
    cache.write(cached, msgspec.json.encode(arena))
    return arena


def execute(
    setup: Setup, libraries: Library, data: Inputs, machine: Machine, arena_bytes: int, dump_node: int = -1
) -> tuple[Elf, Trace, wire.Console]:
    """Link the profiling firmware with an arena of exactly that size and run it.

    Raises:
        EmulationError: it failed on the machine.
    """
    spec = image.Spec(
        model=setup.model,
        inputs=data.data,
        kernels=setup.options.kernels,
        machine=machine,
        arena_bytes=arena_bytes,
        app=image.APP_PROFILE,
        dump_node=dump_node,
    )
    elf = Elf(image.link(spec, libraries, setup.arm))
    trace, console = _emulate(setup, elf, machine)
    _require_success(setup, console)
    return elf, trace, console


def _emulate(setup: Setup, elf: Elf, machine: Machine) -> tuple[Trace, wire.Console]:
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        trace = BACKENDS[setup.options.emulator].run(
            Job(
                elf=elf.path,
                machine=machine,
                mark_address=elf.symbols[image.MARK_SYMBOL],
                end_address=elf.symbols[image.END_SYMBOL],
                uart_log=Path(folder) / "uart.log",
                time_limit_s=setup.options.time_limit_s,
                work=Path(folder),
                stop_texts=(wire.HALTED,),
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


def _machine(platform: Platform) -> Machine:
    assert platform.machine is not None, "the loader checks that stand-ins are machines"
    return platform.machine


def _first_difference(
    setup: Setup,
    libraries: Library,
    host: Library,
    data: Inputs,
    machine: Platform,
    arena_bytes: int,
    console: wire.Console,
    golden: reference.Reference,
) -> Difference | None:
    """Run device and host once more, printing the outputs of the first operator whose CRC differs."""
    for index, (mine, theirs) in enumerate(zip(console.crcs, golden.crcs, strict=False)):
        if mine != theirs:
            _, _, device = execute(setup, libraries, data, _machine(machine), arena_bytes, dump_node=index)
            native = reference.run_host(setup.model, data, host, dump_node=index)
            return assemble.difference(setup.model, index, device.dumps[index], native.dumps[index])
    return None
