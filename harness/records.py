"""The frozen records that pass between the stages. Units are in the names; missing is None, never 0."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    IntArray = NDArray[np.int64]


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all records: immutable, keyword-only."""


# --- model -----------------------------------------------------------------------------------------------------------


class Tensor(Record, frozen=True):
    """One tensor of the model's only subgraph.

    ``type`` is the TFLite type in lower case ("int8", "float32", ...); ``shape`` is in elements;
    ``bytes`` is the size of the data; ``scales`` and ``zero_points`` are empty where the tensor is not quantised.
    """

    index: int
    name: str
    type: str
    shape: tuple[int, ...]
    bytes: int
    is_constant: bool
    is_variable: bool
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    quantized_dimension: int


class Operator(Record, frozen=True):
    """One operator: builtin name as in the TFLite schema, tensor indices (-1: optional and absent), MACs.

    ``macs`` counts multiply-accumulates of convolutions, fully connected layers and SVDF; 0 for the other operators.
    """

    index: int
    op: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: dict[str, Any]
    macs: int


class Model(Record, frozen=True):
    """A checked .tflite file that the packaged TFLM can run.

    ``content`` are the bytes that were checked: whoever runs the model takes these, as the file may change meanwhile.
    """

    path: Path
    content: bytes
    sha256: str
    size_bytes: int
    description: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(operator.macs for operator in self.operators)

    @property
    def builtins(self) -> tuple[str, ...]:
        """Names of the distinct operators, sorted."""
        return tuple(sorted({operator.op for operator in self.operators}))


# --- platform --------------------------------------------------------------------------------------------------------


class Region(Record, frozen=True):
    """A memory region: first address and size in bytes."""

    origin: int
    size_bytes: int


class Uart(Record, frozen=True):
    """The console: its name on the chip ("lpuart1"), its driver, first register and interrupts.

    ``kind`` names the driver, firmware/targets/cortex_m/uart_<kind>.c; ``interrupts`` are the numbers at the NVIC, of
    receive and transmit where they are two.
    """

    name: str
    kind: str
    base: int
    interrupts: tuple[int, ...]


class Machine(Record, frozen=True):
    """What firmware is linked for and runs on: core, memory and console of a platform.

    ``name`` is the platform's; ``qemu`` is QEMU's name of the machine, None for a board, which QEMU does not have.
    ``vectors`` is the address of the vector table that the core boots from: ``flash.origin``, except where a boot
    loader lies in front of it, or where the core boots from a small memory and the code lies in a larger one.
    """

    name: str
    qemu: str | None
    core: str
    clock_hz: int
    vectors: int
    flash: Region
    ram: Region
    uart: Uart


class Lines(Record, frozen=True):
    """A store of lines of the flash, a cache or a buffer: lines of ``line_bytes`` in sets of ``ways``.

    Of a line that is longer than one access to the flash brings, only those parts are read that are asked for.
    """

    line_bytes: int
    lines: int
    ways: int


class FlashInterface(Record, frozen=True):
    """How the core reads the flash that its program and constants lie in, as far as the cost model knows it.

    ``read_bytes`` is what one access brings, after ``wait_states``; ``data`` None: instructions and data share a store.
    ``prefetch``: whether the line behind the one that is executed is fetched ahead.
    """

    wait_states: int
    read_bytes: int
    prefetch: bool
    instructions: Lines
    data: Lines | None


class Platform(Record, frozen=True):
    """A board or an emulator's machine, as its platform.toml says.

    ``kind`` is "board" or "machine"; ``fpu`` is GCC's -mfpu name or None; ``ram`` is what a program can use as one
    piece for data, arena and stack; ``wait_states`` are those of the flash at ``clock_hz``, None where no source was
    found. ``machine`` is the platform itself as something to link for. ``machines`` names the platforms of kind
    "machine" that may run its firmware on QEMU, the preferred one first (a machine names itself first).
    ``flash_interface`` is None where no source was found.
    """

    name: str
    title: str
    kind: str
    core: str
    fpu: str | None
    dsp: bool
    mve: bool
    clock_hz: int
    flash: Region
    ram: Region
    wait_states: int | None
    flash_interface: FlashInterface | None
    machines: tuple[str, ...]
    machine: Machine
    sources: dict[str, str]
    notes: tuple[str, ...]
    sha256: str


# --- emulation -------------------------------------------------------------------------------------------------------


class Job(Record, frozen=True):
    """One run of firmware on an emulator.

    A segment begins at each execution of the instruction at ``mark_address`` (of the mark function, Thumb bit or not).
    None: nothing is counted, and the machine's timers go by what is executed alone, never by the host's clock.
    The run ends before the instruction at ``end_address`` is executed, or, once the UART is quiet, when one of
    ``stop_texts`` is on it, or after ``instruction_limit`` instructions, which not every emulator offers. ``uart_log``
    and ``work`` (an existing folder for the run's own files) are overwritten. ``watch`` asks for more than counts,
    which QEMU alone offers.
    """

    elf: Path
    machine: Machine
    mark_address: int | None
    end_address: int | None
    uart_log: Path
    time_limit_s: float
    work: Path
    stop_texts: tuple[bytes, ...] = ()
    instruction_limit: int | None = None
    watch: Watch | None = None


class Watch(Record, frozen=True):
    """What to record besides the counts: edges, unaligned accesses, and lines of the flash if an interface is given."""

    flash: Region
    interface: FlashInterface | None


class FlashUse(Record, frozen=True):
    """Accesses to the flash in a segment, as simulated. A part is what one access brings: a line, or some of it.

    ``fetched``: parts of instruction lines that the code went to from another part; ``jump_misses`` and
    ``onward_misses``: those of them that had to be read, by whether they lie directly behind the part before.
    ``loads``: accesses of loads to the flash; ``load_misses``: parts of data lines that had to be read for them.
    """

    fetched: int
    jump_misses: int
    onward_misses: int
    loads: int
    load_misses: int


class Segment(Record, frozen=True, eq=False):
    """What ran between two marks: executed instructions, and an int64 array of the entries of each block of the trace.

    ``instructions`` is the sum of entries x the blocks' instructions. ``executions`` is empty where the emulator counts
    instructions only. ``taken`` says how often each block was left to somewhere else than its end; ``unaligned`` how
    many accesses more a 32-bit bus makes of unaligned halfwords (1) and words (1, at odd addresses 2). Both, and
    ``flash``, are None unless the job asked for them.
    """

    instructions: int
    executions: IntArray
    taken: IntArray | None = None
    unaligned: int | None = None
    flash: FlashUse | None = None


class EmulatorInfo(Record, frozen=True):
    """Which emulator ran: "qemu" or "renode", its version, the machine, the counter's interface version.

    ``description_sha256`` is of the files that describe the machine to the emulator, None where it is built in.
    """

    name: str
    version: str
    machine: str
    counter: str | None
    description_sha256: str | None = None


class Trace(Record, frozen=True, eq=False):
    """One emulated run. Segment 0 runs from reset to the first mark, segment N from mark N to mark N+1 (or the end).

    The mark's first instruction belongs to the segment that it begins. Block i is straight-line code: its first
    instruction is at ``block_addresses[i]`` and it holds ``block_instructions[i]`` instructions (int64 arrays).
    ``ended_by`` is "end mark", "stop text" or "exit"; ``uart`` is everything that the firmware printed; ``log`` is the
    emulator's own, None where it keeps none. An emulator that counts instructions only has no blocks.
    """

    emulator: EmulatorInfo
    block_addresses: IntArray
    block_instructions: IntArray
    segments: tuple[Segment, ...]
    ended_by: str
    uart: str
    log: str | None = None
