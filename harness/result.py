"""The result of a run as it is stored, printed and compared. Everything but ``Result.estimate`` is measured."""

from __future__ import annotations

from typing import Any

import msgspec

from harness import json_schema
from harness.calltree.result import CallsPart
from harness.cost.features import Features
from harness.records import Record

SCHEMA = "tflm-harness/run/2"


class ModelPart(Record, frozen=True):
    """The network: file name, SHA-256, size, multiply-accumulates of one inference."""

    file: str
    sha256: str
    size_bytes: int
    macs: int


class MachinePart(Record, frozen=True):
    """The machine that the firmware is linked for and ran on: its memory map and console are those of that platform.

    ``stands_in`` is false where it is the platform itself. Between two maps, counts may differ by what depends on
    addresses and alignment.
    """

    name: str
    core: str
    stands_in: bool
    notes: tuple[str, ...]


class CountsPart(Record, frozen=True):
    """Executed instructions of one inference.

    ``total`` = sum of the layers + ``overhead``, exactly: the overhead is what the interpreter and the marks execute
    around the operators. ``setup`` is what ran from reset to the inference, which is not part of ``total``.
    ``classes`` is None where the emulator counts instructions without telling them apart.
    """

    total: int
    overhead: int
    layers: int
    setup: int
    macs: int
    instructions_per_mac: float | None
    classes: dict[str, int] | None


class Layer(Record, frozen=True):
    """One operator: ``name`` is that of its first output tensor; classes and functions each sum to ``instructions``.

    Both are None where the emulator counts instructions without telling them apart. ``arena`` is the bytes of the arena
    that are alive while it runs, as ``ArenaPart`` says; None in results that were stored without it.
    """

    index: int
    op: str
    name: str
    output_shape: tuple[int, ...]
    instructions: int
    share: float
    macs: int
    instructions_per_mac: float | None
    classes: dict[str, int] | None
    functions: dict[str, int] | None
    output_crc32: str
    output_exact: bool
    arena: int | None = None


class Function(Record, frozen=True):
    """A function's instructions during the inference, exclusive of what it calls."""

    name: str
    instructions: int
    share: float


class MemoryPart(Record, frozen=True):
    """Bytes. ``flash``: everything the program carries but the test input. ``ram``: static data with the arena, without
    the stack. ``stack``: its high-water mark since reset.

    The budgets are the board's; ``flash_free`` and ``ram_free`` are negative where it does not fit, and ``ram_free``
    is what static data and the measured stack leave.
    """

    flash: int
    ram: int
    arena: int
    stack: int
    model: int
    code: int
    static: int
    arena_used: int
    flash_budget: int
    ram_budget: int
    flash_free: int
    ram_free: int


class ArenaBuffer(Record, frozen=True):
    """A piece of the arena: a tensor, by its index and name in the network, or a scratch buffer of one operator, which
    has neither.

    ``size`` is the bytes that it takes: its own, rounded up to TFLM's alignment of 16. ``offset`` is where it lies, in
    bytes from the arena's start; None where that was not told. It is alive from operator ``first`` to ``last``.
    """

    tensor: int | None
    name: str | None
    size: int
    offset: int | None
    first: int
    last: int


class ArenaPart(Record, frozen=True):
    """What lies in the arena while which operator runs: the buffers in the order of ``first``, tensors in front.

    ``origin`` "measured": TFLM's planner decided so, as the firmware printed it; the arena is then ``planned`` bytes of
    these buffers, which share their memory in turn, and ``persistent`` bytes that are alive all the time (TFLM's own
    tables, the operators' parameters, variable tensors), together what TFLM says it uses (``MemoryPart.arena_used``).
    What the arena is larger, TFLM needs while it plans. ``origin`` "derived": from the lifetimes of the network's
    tensors, without scratch buffers, offsets and the persistent part, for the reason that ``note`` gives.

    ``Layer.arena`` is the sum of the buffers that are alive at that operator. The largest of these is less than
    ``planned`` where the planner leaves gaps.
    """

    origin: str
    planned: int | None
    persistent: int | None
    buffers: tuple[ArenaBuffer, ...]
    note: str | None


class Difference(Record, frozen=True):
    """The first operator whose outputs differ from the reference: elements that differ, and by how much at most.

    ``largest`` is None where an element is infinite or no number. ``index`` is None where only the final outputs differ
    from those of tflite-micro.
    """

    index: int | None
    op: str | None
    name: str
    elements: int
    differing: int
    largest: float | None
    reference: str


class ReferencePart(Record, frozen=True):
    """What outputs were compared with where the user brought a TFLM.

    ``name`` is "tflite-micro" (the PyPI package, of another release than the library) or "host library" (the user's own
    build of the same release for this machine). ``date`` is that of the package's release, None where nobody says.
    ``rounding``: what differs is a difference between the two releases, no larger than their rounding makes it.
    """

    name: str
    version: str
    date: str | None
    rounding: bool


class CheckPart(Record, frozen=True):
    """Bit-for-bit comparison with the host build (every operator, final outputs) and tflite-micro (final outputs).

    ``tflite_micro_exact`` is None where that package cannot run the model; ``tflite_micro_reason`` says why.
    ``expf`` is "single" or "single-fused" where the model depends on the exponential of a C library that computes it in
    single precision, as newlib does for cores without a double-precision FPU: the host build then computes it so too,
    and it is the host build with the host's own expf that is compared with tflite-micro.
    """

    output_exact: bool
    layers_exact: bool
    expf: str
    first_difference: Difference | None
    tflite_micro_exact: bool | None
    tflite_micro_reason: str | None
    input: str
    input_sha256: str
    outputs: tuple[str, ...]
    reference: ReferencePart | None = None


class MarksPart(Record, frozen=True):
    """The mark function, and the instructions between its calls: the first segment runs from reset to the first call.

    ``sequence`` names what each segment is: setup, between, layer N, check N, end.
    """

    symbol: str
    address: int
    segments: tuple[int, ...]
    sequence: tuple[str, ...]


class Identity(Record, frozen=True):
    """Everything that decides the numbers. ``git_*`` are of the harness' checkout, None outside of one.

    ``machine_description_sha256`` is of the files that describe the machine to the emulator, None where it has it built
    in. ``cost_model`` is None where nothing was estimated; ``calibration`` is the hash of the family of the calibration
    that the estimate is by, None without one. ``calls`` is the plugin that followed them, None where none did.
    """

    model_sha256: str
    elf_sha256: str
    platform_sha256: str
    machine_sha256: str
    input_sha256: str
    compiler: str
    flags: tuple[str, ...]
    optimisation: str
    tflm: str
    cmsis_nn: str
    emulator: str
    emulator_version: str
    machine_description_sha256: str | None
    counter: str | None
    host_compiler: str
    tflite_micro: str
    harness_version: str
    git_commit: str | None
    git_dirty: bool | None
    cost_model: str | None = None
    calibration: str | None = None
    calls: str | None = None


class LibraryPart(Record, frozen=True):
    """The user's TFLM that firmware was linked with: the archive's name and the SHA-256 of what it holds.

    ``headers_sha256`` is of the headers that the application was compiled with; ``api`` and ``flatbuffers`` are what
    they define, ``source`` what git says of their checkout, None outside of one. ``compilers`` made the archive, as far
    as it says; ``optimised`` are the operators whose kernels call a library such as CMSIS-NN.
    """

    name: str
    sha256: str
    headers_sha256: str
    api: str
    flatbuffers: str | None
    source: str | None
    compilers: tuple[str, ...]
    optimised: tuple[str, ...]


class Verdict(Record, frozen=True):
    """Whether everything that was judged holds; a reason for each thing that does not."""

    passed: bool
    reasons: tuple[str, ...]


class Artifacts(Record, frozen=True):
    """Paths of the run's files: relative to its folder where stored, absolute where loaded or printed.

    ``functions_csv`` and ``emulator_log`` are None where the emulator tells no functions apart, or keeps no log.
    """

    elf: str
    uart_log: str
    layers_csv: str
    functions_csv: str | None
    emulator_log: str | None


class Interval(Record, frozen=True):
    """An estimate with its bounds. ``high`` None: nothing is known that bounds it above; ``low`` None: nor below."""

    value: float
    low: float | None
    high: float | None


class LayerEstimate(Record, frozen=True):
    """One operator's part of an estimate, and what it was made of. ``index`` None: what runs around the operators."""

    index: int | None
    cycles: int
    latency_ms: float
    features: Features


class CalibrationPart(Record, frozen=True):
    """The calibration that an estimate is by: its file's name, and its family for the build, with the SHA-256 of that.

    ``cost_model`` made the features that the coefficients are applied to. ``carried`` says what the run's build differs
    in from the calibrated one, where the user had it used nevertheless; empty: nothing.
    """

    file: str
    family: str
    sha256: str
    cost_model: str
    carried: tuple[str, ...]


class EstimatePart(Record, frozen=True):
    """What a cost model says that one inference takes on the board. Nothing of it is measured, ``features`` included,
    apart from the instructions in them.

    ``tier`` says what the model rests on: "uncalibrated", or "calibrated on BOARD, COMPILER, LIBRARY". ``coverage`` is
    the share of cases in which the truth is to lie between ``low`` and ``high``, ``basis`` the evidence for the bounds.
    ``cycles`` = sum of the layers + overhead. ``type`` is what most multiply-accumulates are in, "int8" or "float32",
    on which power depends; None in results that were stored without it. ``calibration`` is None where the estimate is
    by no calibration.
    """

    model: str
    tier: str
    clock_hz: int
    cycles: Interval
    latency_ms: Interval
    coverage: float
    basis: str
    notes: tuple[str, ...]
    layers: tuple[LayerEstimate, ...]
    overhead: LayerEstimate
    type: str | None = None
    calibration: CalibrationPart | None = None


class Result(Record, frozen=True):
    """One run. ``tflm`` says the vintage of the runtime that was measured.

    ``functions`` is None where the emulator counts instructions without telling them apart. ``estimate`` is None unless
    it was asked for, ``library`` unless the user brought a TFLM; ``kernels`` are then those that it holds. ``arena`` is
    None in results that were stored without it, ``calls`` unless they were asked for.
    """

    schema: str
    run_id: str
    verdict: Verdict
    model: ModelPart
    platform: str
    platform_title: str
    core: str
    fpu: str | None
    machine: MachinePart
    emulator: str
    kernels: str
    optimisation: str
    tflm: str
    counts: CountsPart
    layers: tuple[Layer, ...]
    functions: tuple[Function, ...] | None
    memory: MemoryPart
    check: CheckPart
    marks: MarksPart
    identity: Identity
    artifacts: Artifacts
    estimate: EstimatePart | None = None
    library: LibraryPart | None = None
    arena: ArenaPart | None = None
    calls: CallsPart | None = None

    def to_json(self) -> bytes:
        """The result as indented JSON with a final newline."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


def per_mac(instructions: int, macs: int) -> float | None:
    """Instructions per multiply-accumulate, None where there are none of the latter."""
    return round(instructions / macs, 4) if macs else None


def schema() -> dict[str, Any]:
    """The JSON schema of a stored result."""
    return json_schema.of(Result)
