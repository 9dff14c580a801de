"""The firmware's console vocabulary (firmware/app/wire.h): lines and their parser, frames and their codec."""

from __future__ import annotations

import re
import struct
import zlib

import msgspec
from cobs import cobs

from harness.records import Record

VERSION = 1
WORDS = (
    "begin",
    "log",
    "error",
    "arena",
    "needed",
    "node",
    "dump",
    "output",
    "data",
    "stack",
    "board",
    "cycles",
    "fault",
    "end",
)
STAGES = ("allocate", "prepare", "input", "invoke")
STATUS_OK, STATUS_ERROR, STATUS_FAULT = 0, 1, 2
STACK_UNKNOWN = 2**32 - 1

# Printed by TFLM where a check fails that cannot return an error; the firmware then spins.
HALTED = b"HALTED"

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


class Console(Record, frozen=True):
    """Everything that a firmware printed, in its terms.

    ``crcs`` has one CRC-32 per operator in the order of execution; ``outputs`` the bytes of each model output;
    ``dumps`` the bytes of all outputs of an operator that was asked for; ``cycles`` those of each segment between two
    marks, where ``board`` counts them; ``status`` is None where the last line is missing.
    """

    tflm: str | None = None
    kernels: str | None = None
    log: tuple[str, ...] = ()
    failure: Failure | None = None
    fault: Fault | None = None
    arena_used: int | None = None
    arena_needed: int | None = None
    crcs: tuple[int, ...] = ()
    outputs: tuple[bytes, ...] = ()
    dumps: dict[int, bytes] = msgspec.field(default_factory=dict)
    stack_used: int | None = None
    stack_reserved: int | None = None
    board: Board | None = None
    cycles: tuple[int, ...] = ()
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

    def _fault(self, pairs: dict[str, str]) -> None:
        registers = {name: int(pairs[name], 16) for name in ("pc", "lr", "sp", "cfsr", "hfsr", "mmfar", "bfar")}
        self._fields["fault"] = Fault(exception=int(pairs["exception"]), overflow=pairs["overflow"] != "0", **registers)

    def _end(self, pairs: dict[str, str]) -> None:
        self._fields["status"] = int(pairs["status"])


def _pairs(rest: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in rest.split())


# --- frames ----------------------------------------------------------------------------------------------------------

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

FRAME_UNIT_INSTRUCTIONS, FRAME_UNIT_CYCLES = 1, 2

FRAME_ERROR_SHORT = 1
FRAME_ERROR_LONG = 2
FRAME_ERROR_CRC = 3
FRAME_ERROR_TYPE = 4
FRAME_ERROR_ARGUMENT = 5
FRAME_ERROR_INFERENCE = 6

_ERRORS = {
    FRAME_ERROR_SHORT: "the frame was too short",
    FRAME_ERROR_LONG: "the frame was too long",
    FRAME_ERROR_CRC: "the frame's CRC was wrong",
    FRAME_ERROR_TYPE: "no request has this type",
    FRAME_ERROR_ARGUMENT: "an argument is out of range",
    FRAME_ERROR_INFERENCE: "an inference failed",
}

# Bytes of a WRITE frame in front of the data.
FRAME_WRITE_HEADER = 6

_HEADER = struct.Struct("<BBH")
_CRC = struct.Struct("<I")
_COUNTS = struct.Struct("<BIHH")
# No frame in COBS is longer: one byte is added for each 254.
_LONGEST_CHUNK = FRAME_PAYLOAD + FRAME_OVERHEAD + 2
# More text than this between two zeros is no line of ours.
_LONGEST_TEXT = 64 * 1024
_LINE = re.compile(rb"@(?:" + "|".join(WORDS).encode() + rb")(?: [^\n]*)?\n?")


class Frame(Record, frozen=True):
    """A frame: its type (FRAME_HELLO ...), the sequence of the request, the payload."""

    type: int
    sequence: int
    payload: bytes

    def describe(self) -> str:
        """Its type and sequence, and what an ERROR frame says."""
        text = f"{FRAME_NAMES.get(self.type, f'type {self.type:#04x}')} {self.sequence}"
        if self.type != FRAME_ERROR:
            return text
        try:
            return f"{text} ({parse_error(self.payload).describe()})"
        except WireError as error:
            return f"{text} ({error})"

    def encode(self) -> bytes:
        """As it goes over the console, with a zero on both sides.

        Raises:
            ValueError: the payload is longer than FRAME_PAYLOAD.
        """
        if len(self.payload) > FRAME_PAYLOAD:
            raise ValueError(f"a payload of {len(self.payload)} bytes, at most {FRAME_PAYLOAD} fit")
        content = _HEADER.pack(self.type, self.sequence, len(self.payload)) + self.payload
        stuffed: bytes = cobs.encode(content + _CRC.pack(zlib.crc32(content)))
        return b"\0" + stuffed + b"\0"


def decode_frame(chunk: bytes) -> Frame | None:
    """The frame that stood between two zeros, or None: it is none."""
    if len(chunk) > _LONGEST_CHUNK:
        return None
    try:
        content = cobs.decode(chunk)
    except cobs.DecodeError:
        return None
    if len(content) < FRAME_OVERHEAD:
        return None
    kind, sequence, size = _HEADER.unpack_from(content)
    checked, crc = content[: -_CRC.size], content[-_CRC.size :]
    if len(content) != size + FRAME_OVERHEAD or _CRC.pack(zlib.crc32(checked)) != crc:
        return None
    return Frame(type=kind, sequence=sequence, payload=checked[_HEADER.size :])


class Splitter:
    """Takes the bytes of a console apart: frames, lines, and what is neither.

    ``text`` collects the lines, ``noise`` counts the bytes that were passed over.
    """

    def __init__(self) -> None:
        self.text = ""
        self.noise = 0
        self._chunk = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that these bytes complete."""
        frames = []
        *whole, rest = data.split(b"\0")
        for part in whole:
            self._chunk += part
            frame = self._close()
            if frame is not None:
                frames.append(frame)
        self._chunk += rest
        if len(self._chunk) > _LONGEST_TEXT:
            self._close()
        return frames

    @property
    def pending(self) -> bytes:
        """What has come since the last zero."""
        return bytes(self._chunk)

    def end(self) -> None:
        """Nothing follows: what is pending is text or noise."""
        self._close()

    def _close(self) -> Frame | None:
        chunk = bytes(self._chunk)
        self._chunk.clear()
        frame = decode_frame(chunk) if chunk else None
        if frame is None:
            # A fault may be reported in the middle of a frame: its lines begin behind what was sent of that.
            lines = _LINE.findall(chunk)
            self.noise += len(chunk) - sum(map(len, lines))
            self.text += "".join(line.decode(errors="replace").rstrip("\n") + "\n" for line in lines)
        return frame


class Info(Record, frozen=True):
    """What a firmware says of itself: sizes in bytes, ``arena_bytes`` without the copies of the inputs."""

    operators: int
    arena_bytes: int
    input_bytes: tuple[int, ...]
    output_bytes: tuple[int, ...]
    tflm: str
    kernels: str


class FrameError(Record, frozen=True):
    """An ERROR frame: its code; of a failed inference the operator (None: none in particular) and how many succeeded
    before it."""

    code: int
    node: int | None = None
    done: int = 0

    def describe(self) -> str:
        """What was wrong, in words."""
        return _ERRORS.get(self.code, f"error {self.code}")


class CountsPart(Record, frozen=True):
    """A COUNTS frame: values of inference number ``inference`` of a request, from value ``first`` of ``total`` on."""

    unit: int
    inference: int
    first: int
    total: int
    values: tuple[int, ...]


def parse_info(payload: bytes) -> Info:
    """Of an INFO frame.

    Raises:
        WireError: it is another version's, or not what an INFO frame holds.
    """
    try:
        version, operators, inputs, outputs, arena = struct.unpack_from("<HHHHI", payload)
        if version != VERSION:
            raise WireError(f"the firmware speaks version {version} of the wire, expected {VERSION}")
        sizes = struct.unpack_from(f"<{inputs + outputs}I", payload, 12)
        tflm, kernels = payload[12 + 4 * len(sizes) :].decode("ascii").split(" ")
    except (struct.error, ValueError) as error:
        if isinstance(error, WireError):
            raise
        raise WireError(f"no INFO frame: {error}") from error
    return Info(
        operators=operators,
        arena_bytes=arena,
        input_bytes=sizes[:inputs],
        output_bytes=sizes[inputs:],
        tflm=tflm,
        kernels=kernels,
    )


def parse_error(payload: bytes) -> FrameError:
    """Of an ERROR frame.

    Raises:
        WireError: it is not what an ERROR frame holds.
    """
    try:
        if payload[:1] != bytes([FRAME_ERROR_INFERENCE]):
            (code,) = struct.unpack("<B", payload)
            return FrameError(code=code)
        code, node, done = struct.unpack("<BiI", payload)
    except struct.error as error:
        raise WireError(f"no ERROR frame: {error}") from error
    return FrameError(code=code, node=None if node < 0 else node, done=done)


def counts_frames(sequence: int, unit: int, inference: int, values: tuple[int, ...]) -> list[Frame]:
    """COUNTS frames for one inference: its total, then its operators."""
    room = (FRAME_PAYLOAD - _COUNTS.size) // 8
    return [
        Frame(
            type=FRAME_COUNTS,
            sequence=sequence,
            payload=_COUNTS.pack(unit, inference, first, len(values))
            + struct.pack(f"<{len(values[first : first + room])}Q", *values[first : first + room]),
        )
        for first in range(0, len(values), room)
    ]


def parse_counts(payload: bytes) -> CountsPart:
    """Of a COUNTS frame.

    Raises:
        WireError: it is not what a COUNTS frame holds.
    """
    try:
        unit, inference, first, total = _COUNTS.unpack_from(payload)
        values = struct.unpack(f"<{(len(payload) - _COUNTS.size) // 8}Q", payload[_COUNTS.size :])
    except struct.error as error:
        raise WireError(f"no COUNTS frame: {error}") from error
    return CountsPart(unit=unit, inference=inference, first=first, total=total, values=values)
