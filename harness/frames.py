"""Frames of the console (firmware/app/wire.h describes them): their codec, what is between them, what they hold."""

from __future__ import annotations

import re
import struct
import zlib

from cobs import cobs

from harness import wire
from harness.records import Record

_ERRORS = {
    wire.FRAME_ERROR_SHORT: "the frame was too short",
    wire.FRAME_ERROR_LONG: "the frame was too long",
    wire.FRAME_ERROR_CRC: "the frame's CRC was wrong",
    wire.FRAME_ERROR_TYPE: "no request has this type",
    wire.FRAME_ERROR_ARGUMENT: "an argument is out of range",
    wire.FRAME_ERROR_INFERENCE: "an inference failed",
}

_HEADER = struct.Struct("<BBH")
_CRC = struct.Struct("<I")
_COUNTS = struct.Struct("<BIHH")
# No frame in COBS is longer: one byte is added for each 254.
_LONGEST_CHUNK = wire.FRAME_PAYLOAD + wire.FRAME_OVERHEAD + 2
# More text than this between two zeros is no line of ours.
_LONGEST_TEXT = 64 * 1024
_LINE = re.compile(rb"@(?:" + "|".join(wire.WORDS).encode() + rb")(?![^ \n])[^\n]*\n?")


class Frame(Record, frozen=True):
    """A frame: its type (wire.FRAME_HELLO ...), the sequence of the request, the payload."""

    type: int
    sequence: int
    payload: bytes

    def describe(self) -> str:
        """Its type and sequence, and what an ERROR frame says."""
        text = f"{wire.FRAME_NAMES.get(self.type, f'type {self.type:#04x}')} {self.sequence}"
        if self.type != wire.FRAME_ERROR:
            return text
        try:
            return f"{text} ({parse_error(self.payload).describe()})"
        except wire.WireError as error:
            return f"{text} ({error})"

    def encode(self) -> bytes:
        """As it goes over the console, with a zero on both sides.

        Raises:
            ValueError: the payload is longer than wire.FRAME_PAYLOAD.
        """
        if len(self.payload) > wire.FRAME_PAYLOAD:
            raise ValueError(f"a payload of {len(self.payload)} bytes, at most {wire.FRAME_PAYLOAD} fit")
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
    if len(content) < wire.FRAME_OVERHEAD:
        return None
    kind, sequence, size = _HEADER.unpack_from(content)
    checked, crc = content[: -_CRC.size], content[-_CRC.size :]
    if len(content) != size + wire.FRAME_OVERHEAD or _CRC.pack(zlib.crc32(checked)) != crc:
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

    @property
    def halted(self) -> bool:
        """Whether TFLM has said that it stopped (wire.HALTED): the firmware spins, and no frame follows."""
        return wire.HALTED in self._chunk or wire.HALTED.decode() in self.text

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
        wire.WireError: it is another version's, or not what an INFO frame holds.
    """
    try:
        version, operators, inputs, outputs, arena = struct.unpack_from("<HHHHI", payload)
        if version != wire.VERSION:
            raise wire.WireError(f"the firmware speaks version {version} of the wire, expected {wire.VERSION}")
        sizes = struct.unpack_from(f"<{inputs + outputs}I", payload, 12)
        tflm, kernels = payload[12 + 4 * len(sizes) :].decode("ascii").split(" ")
    except (struct.error, ValueError) as error:
        if isinstance(error, wire.WireError):
            raise
        raise wire.WireError(f"no INFO frame: {error}") from error
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
        wire.WireError: it is not what an ERROR frame holds.
    """
    try:
        if payload[:1] != bytes([wire.FRAME_ERROR_INFERENCE]):
            (code,) = struct.unpack("<B", payload)
            return FrameError(code=code)
        code, node, done = struct.unpack("<BiI", payload)
    except struct.error as error:
        raise wire.WireError(f"no ERROR frame: {error}") from error
    return FrameError(code=code, node=None if node < 0 else node, done=done)


def counts_frames(sequence: int, unit: int, inference: int, values: tuple[int, ...]) -> list[Frame]:
    """COUNTS frames for one inference: its total, then its operators."""
    room = (wire.FRAME_PAYLOAD - _COUNTS.size) // 8
    return [
        Frame(
            type=wire.FRAME_COUNTS,
            sequence=sequence,
            payload=_COUNTS.pack(unit, inference, first, len(values))
            + struct.pack(f"<{len(values[first : first + room])}Q", *values[first : first + room]),
        )
        for first in range(0, len(values), room)
    ]


def parse_counts(payload: bytes) -> CountsPart:
    """Of a COUNTS frame.

    Raises:
        wire.WireError: it is not what a COUNTS frame holds.
    """
    try:
        unit, inference, first, total = _COUNTS.unpack_from(payload)
        values = struct.unpack(f"<{(len(payload) - _COUNTS.size) // 8}Q", payload[_COUNTS.size :])
    except struct.error as error:
        raise wire.WireError(f"no COUNTS frame: {error}") from error
    return CountsPart(unit=unit, inference=inference, first=first, total=total, values=values)
