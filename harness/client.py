"""The client of firmware that serves: requests over a session, answers checked."""

from __future__ import annotations

import contextlib
import struct
import time
import zlib
from collections import deque
from collections.abc import Sequence

from harness import reference, wire
from harness.emulators import Session
from harness.errors import BadInputError, EmulationError
from harness.frames import Frame, FrameError, Info, Splitter, parse_error, parse_info
from harness.records import Model

_WRITE = struct.Struct("<HI")
_WRITE_BYTES = wire.FRAME_PAYLOAD - _WRITE.size


class InferenceError(EmulationError):
    """An inference failed; ``frame`` says where, and how many of the request succeeded before it."""

    def __init__(self, message: str, detail: str | None, frame: FrameError) -> None:
        super().__init__(message, detail=detail)
        self.frame = frame


class Client:
    """Talks to firmware that serves ``model``; nothing is sent a second time.

    Args:
        session: where it runs, from its start.
        model: what it was built with.
        time_limit_s: how long it may take for the start and for each request, in seconds.
        where: what runs it, for messages.

    Raises:
        EmulationError: it failed at its start, does not answer, or is not what was built.
    """

    def __init__(self, session: Session, model: Model, time_limit_s: float, where: str) -> None:
        self.session = session
        self._model = model
        self._limit_s = time_limit_s
        self._where = where
        self._splitter = Splitter()
        self._frames: deque[Frame] = deque()
        self._sequence = 0
        self._text_seen = 0
        self._kept: dict[tuple[int, int], bytes] = {}
        self._await_begin()
        self.info = self._hello()
        """What the firmware says of itself."""

    def write(self, inputs: Sequence[bytes]) -> None:
        """Give the firmware the inputs of the inferences to come: the bytes of each tensor, in the model's order.

        The firmware keeps them, so a part that it has already is not sent again: a byte costs an emulated UART up to
        0.1 ms.

        Raises:
            BadInputError: wrong number of inputs, or of bytes.
            EmulationError: lost or wrong answer.
        """
        expected = self.info.input_bytes
        if tuple(map(len, inputs)) != expected:
            raise BadInputError(
                f"inputs of {', '.join(str(len(data)) for data in inputs) or 'no'} bytes for {self._model.path.name}, "
                f"whose inputs have {', '.join(map(str, expected))}"
            )
        for index, data in enumerate(inputs):
            for offset in range(0, len(data), _WRITE_BYTES):
                piece = bytes(data[offset : offset + _WRITE_BYTES])
                if self._kept.pop((index, offset), None) != piece:
                    self.request(wire.FRAME_WRITE, _WRITE.pack(index, offset) + piece, wire.FRAME_WRITTEN)
                self._kept[index, offset] = piece

    def forget(self) -> None:
        """Send every input anew: somebody else has spoken to the firmware over ``session``."""
        self._kept.clear()

    def infer(self, repeat: int) -> int:
        """Run so many inferences, at most wire.FRAME_REPEATS; returns the CRC-32 of the last one's outputs.

        Raises:
            InferenceError: one failed.
            EmulationError: lost or wrong answer.
        """
        result = self.request(wire.FRAME_INFER, struct.pack("<I", repeat), wire.FRAME_RESULT)
        try:
            done, crc = struct.unpack("<II", result.payload)
        except struct.error as error:
            raise EmulationError(f"the firmware on {self._where} sent no RESULT: {error}") from error
        if done != repeat:
            raise EmulationError(f"the firmware on {self._where} ran {done} of {repeat} inferences")
        return int(crc)

    def read(self, crc: int) -> tuple[bytes, ...]:
        """The outputs of the last inference, which must have this CRC-32.

        Raises:
            EmulationError: they have not; lost or wrong answer.
        """
        outputs = []
        for index, size in enumerate(self.info.output_bytes):
            data = b""
            while len(data) < size:
                count = min(wire.FRAME_PAYLOAD, size - len(data))
                asked = struct.pack("<HIH", index, len(data), count)
                piece = self.request(wire.FRAME_READ, asked, wire.FRAME_DATA).payload
                if len(piece) != count:
                    raise EmulationError(f"the firmware on {self._where} sent {len(piece)} of {count} bytes of output")
                data += piece
            outputs.append(data)
        found = zlib.crc32(b"".join(outputs))
        if found != crc:
            raise EmulationError(
                f"the outputs that came from {self._where} have CRC {found:08x}, those that were computed {crc:08x}"
            )
        return tuple(outputs)

    def request(self, kind: int, payload: bytes, answer: int) -> Frame:
        """Send one request and return its answer, which must be of the type ``answer``.

        Raises:
            InferenceError: the answer says that an inference failed.
            EmulationError: there is no answer in time, another one, or the firmware has died.
        """
        self._sequence = self._sequence % 255 + 1
        asked = Frame(type=kind, sequence=self._sequence, payload=payload)
        try:
            self.session.write(asked.encode())
        except EmulationError as error:
            self._drain()
            raise self._explained(error) from error
        frame = self._receive(asked.describe())
        if frame.type == answer and frame.sequence == asked.sequence:
            return frame
        failed = _failed_inference(frame, asked)
        if failed is not None:
            console = self._console()
            what = reference.describe_failure(console, self._model)
            raise InferenceError(
                f"an inference failed on {self._where}: {what}", "\n".join(console.log) or None, failed
            )
        expected = Frame(type=answer, sequence=asked.sequence, payload=b"").describe()
        raise EmulationError(
            f"the firmware on {self._where} answered {asked.describe()} by {frame.describe()}, expected {expected}"
        )

    def require_alive(self) -> None:
        """Look at what the firmware has said unasked.

        Raises:
            EmulationError: it or what runs it has ended, or it will not answer any more.
        """
        self._take(0.0)

    def _hello(self) -> Info:
        frame = self.request(wire.FRAME_HELLO, b"", wire.FRAME_INFO)
        try:
            info = parse_info(frame.payload)
        except wire.WireError as error:
            raise EmulationError(f"the firmware on {self._where} does not say what it is: {error}") from error
        model = self._model
        sizes = tuple(tuple(model.tensors[index].bytes for index in ends) for ends in (model.inputs, model.outputs))
        if (info.operators, info.input_bytes, info.output_bytes) != (len(model.operators), *sizes):
            raise EmulationError(f"the firmware on {self._where} does not serve {model.path.name}: {info}")
        return info

    def _await_begin(self) -> None:
        """Before its first line a firmware may not listen yet."""
        deadline = time.monotonic() + self._limit_s
        while "@begin" not in self._splitter.text:
            self._advance(deadline, "to begin")

    def _receive(self, asked: str) -> Frame:
        deadline = time.monotonic() + self._limit_s
        while not self._frames:
            self._advance(deadline, f"to answer {asked}")
        return self._frames.popleft()

    def _advance(self, deadline: float, what: str) -> None:
        """Read what there is, until the deadline; everything that no frame can follow is an error."""
        remaining = deadline - time.monotonic()
        if not self._take(max(remaining, 0.0)) and remaining <= 0:
            self._splitter.end()
            raise EmulationError(
                f"the firmware on {self._where} took longer than {self._limit_s:g} s {what}",
                "a longer --timeout" if "answer" in what else None,
                self._splitter.text[-4000:] or None,
            )

    def _take(self, patience_s: float) -> bool:
        """Read what there is or comes in time; returns whether there was anything."""
        try:
            data = self.session.read(patience_s)
        except EmulationError as error:
            self._splitter.end()
            raise self._explained(error) from error
        self._frames.extend(self._splitter.feed(data))
        if self._splitter.halted:
            self._splitter.end()
            raise halted(self._where, self._splitter.text)
        return bool(data)

    def _drain(self) -> None:
        """After a write that failed: take what had come before, which may say why."""
        with contextlib.suppress(EmulationError):  # the session's end, which the caller reports
            while data := self.session.read(0.0):
                self._splitter.feed(data)
        self._splitter.end()

    def _console(self) -> wire.Console:
        """What the firmware has printed since the last call.

        Raises:
            EmulationError: it is not of the vocabulary.
        """
        text = self._splitter.text[self._text_seen :]
        self._text_seen = len(self._splitter.text)
        try:
            return wire.parse(text)
        except wire.WireError as error:
            raise EmulationError(f"the firmware printed what it should not: {error}", detail=text[-4000:]) from error

    def _explained(self, error: EmulationError) -> EmulationError:
        """The error of a session that has ended: by what the firmware printed, where it says why."""
        console = self._console()
        if console.fault is None and console.failure is None:
            return error
        what = reference.describe_failure(console, self._model)
        return EmulationError(f"the firmware failed on {self._where}: {what}", detail="\n".join(console.log) or None)


def halted(where: str, text: str | None = None) -> EmulationError:
    """The error of firmware that spins after a check of TFLM's failed; ``text`` is what it printed."""
    return EmulationError(f"TFLM stopped with HALTED on {where}: a check of one of its kernels failed", detail=text)


def _failed_inference(frame: Frame, asked: Frame) -> FrameError | None:
    """What the answer says of a failed inference, or None: it is another answer."""
    if frame.type != wire.FRAME_ERROR or frame.sequence != asked.sequence:
        return None
    try:
        error = parse_error(frame.payload)
    except wire.WireError:
        return None  # the caller quotes the frame
    return error if error.code == wire.FRAME_ERROR_INFERENCE else None
