"""From what was measured to the stored result: sums that must close, sizes, checks, identity, verdict."""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from harness import arena, cores, git, tensors
from harness.breakdown import Breakdown, Counter, share
from harness.calibrate import use
from harness.cost import estimate
from harness.cost.blocks import Blocks
from harness.elf import Elf
from harness.energy import network
from harness.errors import HarnessError
from harness.image import MARK_SYMBOL
from harness.inputs import Inputs
from harness.library import FIXED_FLAGS, Library
from harness.paths import checkout
from harness.records import Model, Platform, Record, Segment, Trace
from harness.reference import Reference
from harness.result import (
    SCHEMA,
    ArenaPart,
    CheckPart,
    CountsPart,
    Difference,
    EstimatePart,
    Identity,
    Layer,
    MachinePart,
    MarksPart,
    MemoryPart,
    ModelPart,
    Result,
    Verdict,
    per_mac,
)
from harness.setup import Setup
from harness.sources import TFLM_VINTAGE
from harness.store import ARTIFACTS, EMULATOR_LOG, FUNCTIONS_CSV
from harness.user_library import reference as library_reference
from harness.wire import Console

if TYPE_CHECKING:
    from harness.calltree.measure import Followed

_TEST_INPUT = ".test_input"
_STACK = ".stack"


class Measured(Record, frozen=True):
    """Everything that a run brought, before it is put in order."""

    setup: Setup
    machine: Platform
    libraries: Library
    host: Library | None
    inputs: Inputs
    arena_bytes: int
    arena_used_bytes: int
    arena: ArenaPart
    elf: Elf
    trace: Trace
    console: Console
    reference: Reference
    difference: Difference | None
    scale: float | None = None
    followed: Followed | None = None


class _Segments(Record, frozen=True):
    """The trace's segments by meaning: the mark function is called around Invoke, and thrice for each operator."""

    setup: Segment
    layers: tuple[Segment, ...]
    overhead: tuple[Segment, ...]
    sequence: tuple[str, ...]


def result(measured: Measured) -> Result:
    """Put a run in order.

    Raises:
        HarnessError: counts that must add up do not.
    """
    setup = measured.setup
    segments = _segments(measured.trace, len(setup.model.operators))
    armv8 = cores.get(setup.platform.core).architecture.startswith("ARMv8")
    counter = Counter(measured.trace, measured.elf, armv8, setup.arm.tool("c++filt"))
    invocation = counter.counts((*segments.layers, *segments.overhead))
    overhead = counter.counts(segments.overhead)
    per_layer = [counter.counts((segment,)) for segment in segments.layers]
    if sum(counts.instructions for counts in per_layer) + overhead.instructions != invocation.instructions:
        raise HarnessError("layers and overhead do not add up to the invocation")
    layers = tuple(_layer(measured, index, counts, invocation) for index, counts in enumerate(per_layer))
    memory = _memory(measured)
    check = _check(measured)
    identity = _identity(measured)
    platform, options = setup.platform, setup.options
    made = Result(
        schema=SCHEMA,
        run_id=_run_id(setup, identity),
        verdict=_verdict(measured, memory, check),
        model=ModelPart(
            file=setup.model.path.name,
            sha256=setup.model.sha256,
            size_bytes=setup.model.size_bytes,
            macs=setup.model.macs,
        ),
        platform=platform.name,
        platform_title=platform.title,
        core=platform.core,
        fpu=setup.fpu,
        machine=_machine_part(measured),
        emulator=measured.trace.emulator.name,
        kernels=options.kernels,
        optimisation=options.optimisation,
        tflm=TFLM_VINTAGE if setup.tflm is None else setup.tflm.text,
        counts=CountsPart(
            total=invocation.instructions,
            overhead=overhead.instructions,
            layers=sum(layer.instructions for layer in layers),
            setup=segments.setup.instructions,
            macs=setup.model.macs,
            instructions_per_mac=per_mac(invocation.instructions, setup.model.macs),
            classes=invocation.classes,
        ),
        layers=layers,
        functions=invocation.functions,
        memory=memory,
        check=check,
        marks=MarksPart(
            symbol=MARK_SYMBOL,
            address=measured.elf.symbols[MARK_SYMBOL],
            segments=tuple(segment.instructions for segment in measured.trace.segments),
            sequence=segments.sequence,
        ),
        identity=identity,
        artifacts=msgspec.structs.replace(
            ARTIFACTS,
            functions_csv=None if invocation.functions is None else FUNCTIONS_CSV,
            emulator_log=None if measured.trace.log is None else EMULATOR_LOG,
        ),
        estimate=_estimate(measured, segments) if options.estimates else None,
        library=None if setup.tflm is None else setup.tflm.part,
        arena=measured.arena,
        calls=None if measured.followed is None else measured.followed.part(measured.trace, segments.sequence, memory),
    )
    return made if setup.calibration is None else _calibrated(made, setup, setup.calibration)


def _calibrated(made: Result, setup: Setup, known: use.Given) -> Result:
    """The same run, estimated by a calibration, which is then part of what it is."""
    found = use.estimate(made, known)
    identity = msgspec.structs.replace(made.identity, calibration=found.calibration and found.calibration.sha256)
    return msgspec.structs.replace(made, run_id=_run_id(setup, identity), identity=identity, estimate=found)


def _estimate(measured: Measured, segments: _Segments) -> EstimatePart:
    platform = measured.setup.platform
    blocks = Blocks(measured.trace, measured.elf, platform.core)
    found = estimate.estimate(
        [blocks.features((segment,)) for segment in segments.layers],
        blocks.features(segments.overhead),
        platform,
        _kernels(measured.setup),
        measured.setup.arm.version,
    )
    return msgspec.structs.replace(found, type=network.type_of(measured.setup.model))


def _kernels(setup: Setup) -> str:
    """The kernel set that runs: CMSIS-NN has no kernels for a network without int8 tensors."""
    quantised = any(tensor.type == "int8" for tensor in setup.model.tensors)
    return setup.options.kernels if quantised else "reference"


def _segments(trace: Trace, operators: int) -> _Segments:
    """Setup, the way to the first operator; for each operator its Eval, its check, the way to the next; the end."""
    expected = 3 + 3 * operators
    if len(trace.segments) != expected:
        raise HarnessError(f"{len(trace.segments)} segments counted, expected {expected} for {operators} operators")
    layers = trace.segments[2:-1:3]
    overhead = (trace.segments[1], *trace.segments[4:-1:3])
    sequence = ["setup", "between"]
    for index in range(operators):
        sequence += [f"layer {index}", f"check {index}", "between"]
    return _Segments(setup=trace.segments[0], layers=layers, overhead=overhead, sequence=(*sequence, "end"))


def _layer(measured: Measured, index: int, counts: Breakdown, invocation: Breakdown) -> Layer:
    model = measured.setup.model
    operator = model.operators[index]
    output = model.tensors[operator.outputs[0]]
    crc = measured.console.crcs[index]
    return Layer(
        index=index,
        op=operator.op,
        name=output.name,
        output_shape=output.shape,
        instructions=counts.instructions,
        share=share(counts.instructions, invocation.instructions),
        macs=operator.macs,
        instructions_per_mac=per_mac(counts.instructions, operator.macs),
        classes=counts.classes,
        functions=None if counts.functions is None else {item.name: item.instructions for item in counts.functions},
        output_crc32=f"{crc:08x}",
        output_exact=crc == measured.reference.crcs[index],
        arena=arena.alive_at(measured.arena, index),
    )


def _machine_part(measured: Measured) -> MachinePart:
    platform, machine = measured.setup.platform, measured.machine
    notes = []
    if machine.core != platform.core:
        notes.append(f"code built for {platform.core} ran on the {machine.core} model")
    if machine.kind == "board":
        notes.append("the emulator has the board's memory and console, no clock tree, caches or wait states")
    return MachinePart(
        name=machine.name, core=machine.core, stands_in=machine.name != platform.name, notes=tuple(notes)
    )


def _memory(measured: Measured) -> MemoryPart:
    sections = [section for section in measured.elf.sections if section.name != _TEST_INPUT]
    flash = sum(section.size_bytes for section in sections if section.in_flash)
    static = sum(section.size_bytes for section in sections if section.writable and section.name != _STACK)
    stack = measured.console.stack_used
    if stack is None:
        raise HarnessError("the firmware did not report its stack")
    board = measured.setup.platform
    model = measured.elf.size_bytes((".model",))
    return MemoryPart(
        flash=flash,
        ram=static,
        arena=measured.arena_bytes,
        stack=stack,
        model=model,
        code=flash - model,
        static=static - measured.arena_bytes,
        arena_used=measured.arena_used_bytes,
        flash_budget=board.flash.size_bytes,
        ram_budget=board.ram.size_bytes,
        flash_free=board.flash.size_bytes - flash,
        ram_free=board.ram.size_bytes - static - stack,
    )


def _check(measured: Measured) -> CheckPart:
    console, reference = measured.console, measured.reference
    second = reference.tflite_micro_outputs
    # Where the device's expf rounds otherwise than the host's, the host build stands between: with the one it must
    # equal the device, with the other tflite-micro.
    comparable = console.outputs if reference.expf == "host" else reference.host_outputs
    tflite_micro_exact = None if second is None else comparable == second
    first = measured.difference
    if first is None and tflite_micro_exact is False and second is not None:
        first = _output_difference(measured.setup.model, comparable, second)
    return CheckPart(
        output_exact=console.outputs == reference.outputs and tflite_micro_exact is not False,
        expf=reference.expf,
        layers_exact=console.crcs == reference.crcs,
        first_difference=first,
        tflite_micro_exact=tflite_micro_exact,
        tflite_micro_reason=reference.tflite_micro_reason,
        input=measured.inputs.origin,
        input_sha256=measured.inputs.sha256,
        outputs=tuple(output.hex() for output in console.outputs),
        reference=None
        if measured.setup.tflm is None
        else library_reference.part(reference, measured.host, measured.difference, measured.scale),
    )


def difference(model: Model, index: int, device: bytes, host: bytes, name: str = "host build") -> Difference:
    """How the outputs of one operator differ between the device and the reference of that name."""
    operator = model.operators[index]
    first = model.tensors[operator.outputs[0]]
    return _difference(index, operator.op, first.name, first.type, device, host, name)


def _output_difference(model: Model, device: tuple[bytes, ...], second: tuple[bytes, ...]) -> Difference | None:
    for position, (mine, theirs) in enumerate(zip(device, second, strict=True)):
        if mine != theirs:
            tensor = model.tensors[model.outputs[position]]
            return _difference(None, None, tensor.name, tensor.type, mine, theirs, "tflite-micro")
    return None


def _difference(
    index: int | None, op: str | None, name: str, kind: str, device: bytes, other: bytes, reference: str
) -> Difference:
    if len(device) != len(other):
        raise HarnessError(f"{name}: {len(device)} bytes on the device, {len(other)} by {reference}")
    dtype = np.dtype(np.uint8) if kind == "bool" else tensors.dtype(kind)  # a bool's byte may be any
    mine, theirs = (np.frombuffer(data, dtype=dtype) for data in (device, other))
    distance = np.abs(mine.astype(np.float64) - theirs.astype(np.float64))
    return Difference(
        index=index,
        op=op,
        name=name,
        elements=mine.size,
        differing=tensors.differing(device, other, dtype.itemsize),
        largest=float(distance.max()) if np.isfinite(distance).all() else None,
        reference=reference,
    )


def _identity(measured: Measured) -> Identity:
    setup, trace = measured.setup, measured.trace
    commit, dirty = _git()
    return Identity(
        model_sha256=setup.model.sha256,
        elf_sha256=measured.elf.sha256,
        platform_sha256=setup.platform.sha256,
        machine_sha256=measured.machine.sha256,
        input_sha256=measured.inputs.sha256,
        compiler=measured.libraries.compiler,
        flags=(*measured.libraries.arch, *FIXED_FLAGS),
        optimisation=setup.options.optimisation,
        tflm=measured.libraries.tflm,
        cmsis_nn=measured.libraries.cmsis_nn,
        emulator=trace.emulator.name,
        emulator_version=trace.emulator.version,
        machine_description_sha256=trace.emulator.description_sha256,
        counter=trace.emulator.counter,
        host_compiler="none" if measured.host is None else measured.host.compiler,
        tflite_micro=measured.reference.tflite_micro_version,
        harness_version=importlib.metadata.version("tflm-harness"),
        git_commit=commit,
        git_dirty=dirty,
        cost_model=estimate.MODEL if setup.options.estimates else None,
        calls=None if measured.followed is None else measured.followed.ran.emulator.counter,
    )


def _git() -> tuple[str | None, bool | None]:
    """Commit of the harness' own checkout and whether it has changes."""
    root = checkout()
    if root is None or not (root / ".git").exists():
        return None, None
    return git.state(root)


def _run_id(setup: Setup, identity: Identity) -> str:
    """Readable, and equal for equal identities. The harness' own commit is not part of it: what it built is."""
    fields = msgspec.structs.asdict(identity)
    for name in ("git_commit", "git_dirty", "harness_version"):
        del fields[name]
    for name in ("cost_model", "calibration", "calls"):
        if fields[name] is None:
            del fields[name]
    digest = hashlib.sha256(msgspec.json.encode(fields)).hexdigest()[:12]
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "_", setup.model.path.stem).strip("._-")[:40] or "model"
    float_abi = "" if setup.hard_float or setup.platform.fpu is None else "-nofpu"
    emulator = "" if identity.emulator == "qemu" else f"-{identity.emulator}"
    options = setup.options
    return f"{stem}-{setup.platform.name}-{options.kernels}{options.optimisation}{float_abi}{emulator}-{digest}"


def _verdict(measured: Measured, memory: MemoryPart, check: CheckPart) -> Verdict:
    board = measured.setup.platform.name
    reasons = []
    if memory.flash_free < 0:
        reasons.append(f"does not fit {board}: needs {kib(memory.flash)} of {kib(memory.flash_budget)} flash")
    if memory.ram_free < 0:
        reasons.append(
            f"does not fit {board}: needs {kib(memory.ram + memory.stack)} of {kib(memory.ram_budget)} RAM "
            f"({kib(memory.arena)} of it arena)"
        )
    releases_differ = check.reference is not None and check.reference.rounding
    if not (check.output_exact and check.layers_exact) and not releases_differ:
        reasons.append(describe_difference(check))
    return Verdict(passed=not reasons, reasons=tuple(reasons))


def describe_difference(check: CheckPart) -> str:
    """The first difference in one line."""
    first = check.first_difference
    if first is None:
        return "the outputs differ from the reference"
    where = "the final output" if first.index is None else f"layer {first.index} ({first.op})"
    by = first.reference if first.reference == library_reference.TFLITE_MICRO else f"the {first.reference}"
    return f"{where} differs from {by} in {first.differing} of {first.elements} elements, " + (
        "infinities or NaNs among them" if first.largest is None else f"by {first.largest:g} at most"
    )


def kib(size_bytes: int) -> str:
    """A size for messages, rounded up to whole KiB."""
    return f"{-(-size_bytes // 1024)} KiB"
