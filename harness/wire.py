"""The firmware's console vocabulary (firmware/app/wire.h): its words and frames, and the parser of its lines.

Frames are taken apart in harness/frames.py.
"""

from __future__ import annotations

import msgspec

from harness.records import Record

VERSION = 1
WORDS = (
    "begin",
    "log",
    "error",
    "arena",
    "needed",
    "tensor",
    "scratch",
    "placed",
    "node",
    "dump",
    "output",
    "data",
    "stack",
    "board",
    "cycles",
    "schedule",
    "time",
    "fault",
    "end",
)
STAGES = ("allocate", "prepare", "input", "invoke", "model", "watchdog")
STATUS_OK, STATUS_ERROR, STATUS_FAULT = 0, 1, 2
STACK_UNKNOWN = 2**32 - 1

# Printed by TFLM where a check fails that cannot return an error; the firmware then spins.
HALTED = b"HALTED"

# How the last line begins.
ENDED = b"@end status="

# Frames: most bytes of a payload, bytes besides it, most inputs and outputs, most inferences of a request.
FRAME_PAYLOAD = 256
FRAME_OVERHEAD = 8
FRAME_TENSORS = 48
FRAME_REPEATS = 1024

FRAME_HELLO, FRAME_WRITE, FRAME_INFER, FRAME_READ = 0x01, 0x02, 0x03, 0x04
FRAME_INFO, FRAME_WRITTEN, FRAME_RESULT, FRAME_DATA, FRAME_COUNTS, FRAME_ERROR = 0x81, 0x82, 0x83, 0x84, 0x85, 0xFF

FRAME_NAMES = {
    FRAME_HELLO: "HELLO",
    FRAME_WRITE: "WRITE",
    FRAME_INFER: "INFER",
    FRAME_READ: "READ",
    FRAME_INFO: "INFO",
    FRAME_WRITTEN: "WRITTEN",
    FRAME_RESULT: "RESULT",
    FRAME_DATA: "DATA",
    FRAME_COUNTS: "COUNTS",
    FRAME_ERROR: "ERROR",
}

# Units of COUNTS, and codes of ERROR.
FRAME_UNIT_INSTRUCTIONS, FRAME_UNIT_CYCLES = 1, 2
FRAME_ERROR_SHORT = 1
FRAME_ERROR_LONG = 2
FRAME_ERROR_CRC = 3
FRAME_ERROR_TYPE = 4
FRAME_ERROR_ARGUMENT = 5
FRAME_ERROR_INFERENCE = 6

_EXCEPTIONS = {
    2: "NMI",
    3: "HardFault",
    4: "MemManage",
    5: "BusFault",
    6: "UsageFault",
    7: "SecureFault",
    11: "SVCall",
    12: "DebugMonitor",
    14: "PendSV",
    15: "SysTick",
}

# Bits of the Configurable Fault Status Register (Armv7-M and Armv8-M Architecture Reference Manuals).
_CFSR = {
    0: "instruction access violation",
    1: "data access violation",
    3: "memory fault while returning from an exception",
    4: "memory fault while stacking",
    5: "memory fault while saving FPU state",
    8: "bus error on an instruction fetch",
    9: "bus error on a data access",
    10: "imprecise bus error",
    11: "bus error while returning from an exception",
    12: "bus error while stacking",
    13: "bus error while saving FPU state",
    16: "undefined instruction",
    17: "invalid state (a jump to an address without the Thumb bit)",
    18: "invalid exception return",
    19: "no coprocessor: FPU or Helium used while off or absent",
    20: "stack limit exceeded",
    24: "unaligned access",
    25: "division by zero",
}
_STACK_BITS = (4, 12, 20)


class Fault(Record, frozen=True):
    """Registers of a fault as the firmware printed them; ``overflow`` tells that the stack had run out."""

    exception: int
    pc: int
    lr: int
    sp: int
    cfsr: int
    hfsr: int
    mmfar: int
    bfar: int
    overflow: bool

    def describe(self) -> str:
        """One line: the exception, its causes, the program counter."""
        name = _EXCEPTIONS.get(self.exception, f"exception {self.exception}")
        causes = [text for bit, text in _CFSR.items() if self.cfsr >> bit & 1]
        if self.cfsr >> 7 & 1:
            causes.append(f"address 0x{self.mmfar:08x}")
        if self.cfsr >> 15 & 1:
            causes.append(f"address 0x{self.bfar:08x}")
        if self.overflow or any(self.cfsr >> bit & 1 for bit in _STACK_BITS):
            causes.insert(0, "stack overflow")
        return f"{name} ({', '.join(causes) or 'no cause recorded'}) at PC 0x{self.pc:08x}, LR 0x{self.lr:08x}"


class Failure(Record, frozen=True):
    """What the firmware reported instead of a result: the stage and the operator (None: none in particular)."""

    stage: str
    node: int | None


class Board(Record, frozen=True):
    """A board that counts cycles: its core's clock, whether that is its full one, cycles of a segment that is empty.

    Where ``full`` is false something did not get ready in time, and the clock is the one after reset.
    """

    clock_hz: int
    full: bool
    overhead: int


class Kept(Record, frozen=True):
    """How firmware kept up with a schedule: inputs that were processed, of these the late ones and those whose output
    was another; inputs that were lost."""

    done: int
    missed: int
    dropped: int
    wrong: int


class Times(Record, frozen=True):
    """Ticks of the timer of firmware with a schedule: in all, asleep, in the timer's interrupt; the worst latency from
    an input's arrival to the end of its inference."""

    total: int
    asleep: int
    handler: int
    worst: int


class Planned(Record, frozen=True):
    """A tensor of the model that lies in the arena: bytes from the arena's start, and its own size."""

    index: int
    offset: int
    size: int


class Scratch(Record, frozen=True):
    """A buffer that an operator asked for while it runs; ``offset`` is None until the arena is planned."""

    node: int
    size: int
    offset: int | None = None


class Console(Record, frozen=True):
    """Everything that a firmware printed, in its terms.

    ``crcs`` has one CRC-32 per operator in the order of execution; ``outputs`` the bytes of each model output;
    ``tensors`` and ``scratch`` are what the memory planner decided, the latter by their numbers (None: one that the
    firmware did not see being asked for); ``dumps`` the bytes of all outputs of an operator that was asked for;
    ``cycles`` those of each segment between two marks, where ``board`` counts them; ``kept`` and ``times`` are of
    firmware with a schedule; ``status`` is None where the last line is missing.
    """

    tflm: str | None = None
    kernels: str | None = None
    log: tuple[str, ...] = ()
    failure: Failure | None = None
    fault: Fault | None = None
    arena_used: int | None = None
    arena_needed: int | None = None
    tensors: tuple[Planned, ...] = ()
    scratch: tuple[Scratch | None, ...] = ()
    crcs: tuple[int, ...] = ()
    outputs: tuple[bytes, ...] = ()
    dumps: dict[int, bytes] = msgspec.field(default_factory=dict)
    stack_used: int | None = None
    stack_reserved: int | None = None
    board: Board | None = None
    cycles: tuple[int, ...] = ()
    kept: Kept | None = None
    times: Times | None = None
    status: int | None = None


class WireError(ValueError):
    """A line that is not of the vocabulary."""


def parse(text: str) -> Console:
    """Parse what a firmware printed. Lines that do not begin with "@" are not the application's and are passed over.

    Raises:
        WireError: an unknown word, a missing key, a number that is none, data of the wrong length.
    """
    reader = _Reader()
    for line in text.splitlines():
        if line.startswith("@"):
            reader.line(line.rstrip())
    return reader.console()


class _Reader:
    """Collects lines; data lines belong to the last output or dump."""

    def __init__(self) -> None:
        self._fields: dict[str, object] = {}
        self._log: list[str] = []
        self._tensors: list[Planned] = []
        self._buffers: dict[int, Scratch] = {}
        self._crcs: list[int] = []
        self._segments: list[int] = []
        self._outputs: list[tuple[int, bytearray]] = []
        self._dumps: dict[int, tuple[int, bytearray]] = {}
        self._data: bytearray | None = None

    def line(self, line: str) -> None:
        word, _, rest = line[1:].partition(" ")
        if word not in WORDS:
            raise WireError(f"unknown word in line {line!r}")
        try:
            if word == "log":
                self._log.append(rest.removeprefix("text="))
            elif word == "data":
                self._add_data(rest)
            else:
                getattr(self, f"_{word}")(_pairs(rest))
        except (KeyError, ValueError, IndexError) as error:
            raise WireError(f"malformed line {line!r}: {error}") from error

    def console(self) -> Console:
        for index, (size, data) in [*enumerate(self._outputs), *self._dumps.items()]:
            if len(data) != size:
                raise WireError(f"output {index} has {len(data)} of {size} bytes")
        return Console(
            log=tuple(self._log),
            tensors=tuple(self._tensors),
            scratch=tuple(self._buffers.get(index) for index in range(max(self._buffers, default=-1) + 1)),
            crcs=tuple(self._crcs),
            cycles=tuple(self._segments),
            outputs=tuple(bytes(data) for _, data in self._outputs),
            dumps={index: bytes(data) for index, (_, data) in self._dumps.items()},
            **self._fields,  # type: ignore[arg-type]
        )

    def _begin(self, pairs: dict[str, str]) -> None:
        if int(pairs["wire"]) != VERSION:
            raise ValueError(f"wire version {pairs['wire']}, expected {VERSION}")
        self._fields |= {"tflm": pairs["tflm"], "kernels": pairs["kernels"]}

    def _error(self, pairs: dict[str, str]) -> None:
        if pairs["stage"] not in STAGES:
            raise ValueError(f"unknown stage {pairs['stage']!r}")
        node = int(pairs["node"])
        self._fields["failure"] = Failure(stage=pairs["stage"], node=None if node < 0 else node)

    def _arena(self, pairs: dict[str, str]) -> None:
        self._fields["arena_used"] = int(pairs["used"])

    def _needed(self, pairs: dict[str, str]) -> None:
        self._fields["arena_needed"] = int(pairs["size"])

    def _tensor(self, pairs: dict[str, str]) -> None:
        numbers = {name: int(pairs[name]) for name in ("index", "offset", "size")}
        self._tensors.append(Planned(**numbers))

    def _scratch(self, pairs: dict[str, str]) -> None:
        self._buffers[int(pairs["index"])] = Scratch(node=int(pairs["node"]), size=int(pairs["size"]))

    def _placed(self, pairs: dict[str, str]) -> None:
        index, offset = int(pairs["index"]), int(pairs["offset"])
        if index in self._buffers:
            self._buffers[index] = msgspec.structs.replace(self._buffers[index], offset=offset)

    def _node(self, pairs: dict[str, str]) -> None:
        if int(pairs["index"]) != len(self._crcs):
            raise ValueError("operators out of order")
        self._crcs.append(int(pairs["crc32"], 16))

    def _output(self, pairs: dict[str, str]) -> None:
        if int(pairs["index"]) != len(self._outputs):
            raise ValueError("outputs out of order")
        self._data = bytearray()
        self._outputs.append((int(pairs["size"]), self._data))

    def _dump(self, pairs: dict[str, str]) -> None:
        self._data = bytearray()
        self._dumps[int(pairs["index"])] = (int(pairs["size"]), self._data)

    def _add_data(self, rest: str) -> None:
        if self._data is None:
            raise ValueError("data without an output")
        self._data += bytes.fromhex(rest)

    def _stack(self, pairs: dict[str, str]) -> None:
        used, reserved = int(pairs["used"]), int(pairs["reserved"])
        if used != STACK_UNKNOWN:
            self._fields |= {"stack_used": used, "stack_reserved": reserved}

    def _board(self, pairs: dict[str, str]) -> None:
        self._fields["board"] = Board(
            clock_hz=int(pairs["clock_hz"]), full=pairs["full"] != "0", overhead=int(pairs["overhead"])
        )

    def _cycles(self, pairs: dict[str, str]) -> None:
        if int(pairs["index"]) != len(self._segments):
            raise ValueError("segments out of order")
        self._segments.append(int(pairs["count"]))

    def _schedule(self, pairs: dict[str, str]) -> None:
        counts = {name: int(pairs[name]) for name in ("done", "missed", "dropped", "wrong")}
        self._fields["kept"] = Kept(**counts)

    def _time(self, pairs: dict[str, str]) -> None:
        ticks = {name: int(pairs[name], 16) for name in ("total", "asleep", "handler", "worst")}
        self._fields["times"] = Times(**ticks)

    def _fault(self, pairs: dict[str, str]) -> None:
        registers = {name: int(pairs[name], 16) for name in ("pc", "lr", "sp", "cfsr", "hfsr", "mmfar", "bfar")}
        self._fields["fault"] = Fault(exception=int(pairs["exception"]), overflow=pairs["overflow"] != "0", **registers)

    def _end(self, pairs: dict[str, str]) -> None:
        self._fields["status"] = int(pairs["status"])


def _pairs(rest: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in rest.split())
