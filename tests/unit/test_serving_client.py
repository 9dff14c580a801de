"""The client against a firmware that is played here: every lost, late or wrong answer is an error that says what was
expected."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from harness import model, serving, wire
from harness.client import Client, InferenceError
from harness.errors import BadInputError, EmulationError
from harness.frames import Frame, Splitter
from harness.records import EmulatorInfo, Model, Segment
from tests.conftest import DIGITS

BEGIN = b"@begin wire=1 tflm=2020-07 kernels=reference\n\0"
FAULT = (
    b"@fault exception=3 pc=00000100 lr=00000000 xpsr=00000000 sp=20000000 cfsr=02000000 hfsr=00000000 "
    b"mmfar=00000000 bfar=00000000 overflow=0\n@end status=2\n"
)
INPUT = (bytes(range(64)),)
OUTPUT = bytes(range(10))


@pytest.fixture(scope="module")
def digits() -> Model:
    return model.load(Path(DIGITS))


def answer(request: Frame) -> bytes:
    """What the firmware answers when all is well."""
    kind, payload = {
        wire.FRAME_HELLO: (
            wire.FRAME_INFO,
            struct.pack("<HHHHIII", 1, 10, 1, 1, 6656, 64, 10) + b"2020-07 reference",
        ),
        wire.FRAME_WRITE: (wire.FRAME_WRITTEN, b""),
        wire.FRAME_INFER: (wire.FRAME_RESULT, request.payload + struct.pack("<I", zlib.crc32(OUTPUT))),
        wire.FRAME_READ: (wire.FRAME_DATA, OUTPUT),
    }[request.type]
    return Frame(type=kind, sequence=request.sequence, payload=payload).encode()


def error(request: Frame, payload: bytes, sequence: int | None = None) -> bytes:
    number = request.sequence if sequence is None else sequence
    return Frame(type=wire.FRAME_ERROR, sequence=number, payload=payload).encode()


class Played:
    """A session whose firmware answers as it is told: ``changes`` by type of request; None: it ends at that request."""

    info = EmulatorInfo(name="played", version="1", machine="stage", counter=None)

    def __init__(self, begin: bytes | None = BEGIN, **changes: Callable[[Frame], bytes | None]) -> None:
        self._changes = {getattr(wire, f"FRAME_{name}"): change for name, change in changes.items()}
        self._out = begin or b""
        self._ended = begin is None
        self._splitter = Splitter()
        self.requests: list[Frame] = []
        self.segments_asked: list[int] = []

    def write(self, data: bytes) -> None:
        for request in self._splitter.feed(data):
            self.requests.append(request)
            out = self._changes.get(request.type, answer)(request)
            self._out += out or b""
            self._ended = out is None or out.endswith(b"status=2\n")

    def read(self, timeout_s: float) -> bytes:
        if not self._out and self._ended:
            raise EmulationError("the stage is empty")
        out, self._out = self._out[:7], self._out[7:]  # in pieces
        return out

    def segments(self, count: int, timeout_s: float) -> tuple[Segment, ...]:
        self.segments_asked.append(count)
        none = np.zeros(0, dtype=np.int64)
        return tuple(Segment(instructions=10**index % 7, executions=none) for index in range(count))

    def __enter__(self) -> Played:
        return self

    def __exit__(self, *_raised: object) -> None:
        pass


def client(digits: Model, session: Played) -> Client:
    return Client(session, digits, 0.2, "stage")


def infer(digits: Model, session: Played) -> tuple[bytes, ...]:
    made = client(digits, session)
    made.write(INPUT)
    return made.read(made.infer(1))


def test_a_whole_inference(digits: Model) -> None:
    session = Played()
    assert infer(digits, session) == (OUTPUT,)
    assert [frame.type for frame in session.requests] == [1, 2, 3, 4]
    assert [frame.sequence for frame in session.requests] == [1, 2, 3, 4]
    assert session.requests[1].payload == struct.pack("<HI", 0, 0) + INPUT[0]


def test_what_the_firmware_has_already_is_not_sent_again(digits: Model) -> None:
    # Two inputs of 300 and 4 bytes, written in three parts.
    sizes = struct.pack("<HHHHIIII", 1, 10, 2, 1, 6656, 300, 4, 10)
    session = Played(
        HELLO=lambda asked: Frame(type=0x81, sequence=asked.sequence, payload=sizes + b"2020-07 reference").encode(),
        WRITE=lambda asked: error(asked, b"\5") if b"refused" in asked.payload else answer(asked),
    )
    made = client(with_inputs(digits, 300, 4), session)
    first, second, mutable = bytes(300), bytes(299) + b"x", bytearray(300)

    def written(*inputs: bytes) -> list[tuple[int, int]]:
        before = len(session.requests)
        made.write(inputs)
        return [struct.unpack_from("<HI", frame.payload) for frame in session.requests[before:]]

    assert written(first, b"1234") == [(0, 0), (0, 250), (1, 0)]
    assert written(first, b"1234") == []
    assert written(second, b"1234") == [(0, 250)]
    assert written(second, b"1235") == [(1, 0)]
    assert written(mutable, b"1235") == [(0, 250)]
    mutable[0] = 1
    assert written(mutable, b"1235") == [(0, 0)]
    # After a write that failed nobody knows what the firmware has.
    with pytest.raises(EmulationError):
        made.write((bytes(mutable[:250]) + b"refused".ljust(50), b"1235"))
    assert written(mutable, b"1235") == [(0, 250)]


def with_inputs(digits: Model, *sizes: int) -> Model:
    tensors = [msgspec.structs.replace(digits.tensors[digits.inputs[0]], bytes=size) for size in sizes]
    inputs = tuple(range(len(digits.tensors), len(digits.tensors) + len(sizes)))
    return msgspec.structs.replace(digits, tensors=(*digits.tensors, *tensors), inputs=inputs)


def test_sequences_go_round_without_zero(digits: Model) -> None:
    session = Played()
    made = client(digits, session)
    for _ in range(300):
        made.infer(1)
    assert [frame.sequence for frame in session.requests[253:258]] == [254, 255, 1, 2, 3]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"WRITE": lambda _: b""}, "the firmware on stage took longer than 0.2 s to answer WRITE 2"),
        (
            {"WRITE": lambda asked: error(asked, b"\3", 0)},
            r"answered WRITE 2 by ERROR 0 \(the frame's CRC was wrong\), expected WRITTEN 2",
        ),
        ({"WRITE": lambda asked: error(asked, b"\5")}, r"WRITE 2 by ERROR 2 \(an argument is out of range\)"),
        ({"WRITE": lambda asked: error(asked, b"")}, r"WRITE 2 by ERROR 2 \(no ERROR frame"),
        (
            {"WRITE": lambda _: Frame(type=wire.FRAME_WRITTEN, sequence=9, payload=b"").encode()},
            "answered WRITE 2 by WRITTEN 9, expected WRITTEN 2",
        ),
        ({"INFER": lambda asked: answer(asked)[:-3] + b"\0"}, "took longer than 0.2 s to answer INFER 3"),
        (
            {"INFER": lambda asked: Frame(type=0x83, sequence=3, payload=bytes(8)).encode()},
            "ran 0 of 1 inferences",
        ),
        ({"INFER": lambda asked: Frame(type=0x83, sequence=3, payload=b"").encode()}, "sent no RESULT"),
        (
            {"READ": lambda _: Frame(type=0x84, sequence=4, payload=bytes(10)).encode()},
            "the outputs that came from stage have CRC e38a6876, those that were computed 456cd746",
        ),
        ({"READ": lambda _: Frame(type=0x84, sequence=4, payload=b"").encode()}, "sent 0 of 10 bytes of output"),
        ({"READ": lambda _: None}, "the stage is empty"),
        ({"INFER": lambda _: FAULT}, r"the firmware failed on stage: HardFault \(division by zero\) at PC 0x00000100"),
        ({"READ": lambda asked: answer(asked)[:9] + FAULT}, r"HardFault \(division by zero\)"),
        ({"INFER": lambda _: b"@log text=HALTED\n"}, "TFLM stopped with HALTED on stage"),
        ({"INFER": lambda _: b"@log text=HALTED"}, "TFLM stopped with HALTED on stage"),
        ({"HELLO": lambda asked: error(asked, b"\4")}, r"HELLO 1 by ERROR 1 \(no request has this type\)"),
        (
            {"HELLO": lambda _: Frame(type=0x81, sequence=1, payload=b"").encode()},
            "does not say what it is: no INFO frame",
        ),
        (
            {"HELLO": lambda asked: answer(asked).replace(b"\x0a", b"\x0b")},
            "took longer than 0.2 s to answer HELLO 1",  # its CRC is wrong, so it is noise
        ),
        (
            {
                "HELLO": lambda _: Frame(
                    type=0x81, sequence=1, payload=struct.pack("<HHHHIII", 1, 10, 1, 1, 1, 65, 10) + b"a b"
                ).encode()
            },
            "does not serve digits.tflite",
        ),
        ({"begin": b""}, "the firmware on stage took longer than 0.2 s to begin"),
        ({"begin": None}, "the stage is empty"),
        ({"begin": BEGIN + answer(Frame(type=1, sequence=4, payload=b""))},
         "answered HELLO 1 by INFO 4, expected INFO 1"),
    ],
)  # fmt: skip
def test_wrong_answers(digits: Model, changes: dict[str, object], message: str) -> None:
    with pytest.raises(EmulationError, match=message):
        infer(digits, Played(**changes))  # type: ignore[arg-type]


def test_a_failed_inference_says_where_and_the_device_goes_on(digits: Model) -> None:
    failing = True

    def fail(asked: Frame) -> bytes:
        if not failing:
            return answer(asked)
        text = b"\0@log text=no good\n@error stage=invoke node=2\n\0"
        return text + error(asked, struct.pack("<BiI", wire.FRAME_ERROR_INFERENCE, 2, 3))

    session = Played(INFER=fail)
    device = serving.Device(session, digits, None, _Stage, 0.2)  # type: ignore[arg-type]
    with pytest.raises(InferenceError, match=r"failed on stage: .* \(operator 2, CONV_2D\): no good") as caught:
        device.infer(INPUT, repeat=5)
    assert (caught.value.frame.node, caught.value.frame.done) == (2, 3)
    assert session.segments_asked == [3 * 32 + 3 * 3 + 2]
    failing = False
    assert device.infer(INPUT).outputs == (OUTPUT,)


class _Stage:
    name = "stage"


def test_large_requests_are_made_in_parts(digits: Model) -> None:
    session = Played()
    device = serving.Device(session, digits, None, _Stage, 0.2)  # type: ignore[arg-type]
    found = device.infer(INPUT, repeat=40)
    assert sum(struct.unpack("<I", frame.payload)[0] for frame in session.requests if frame.type == 3) == 40
    assert len(found.instructions) == len(found.layers) == 40
    assert all(len(layers) == 10 for layers in found.layers)
    assert sum(session.segments_asked) == 40 * 32


def test_wrong_inputs_are_refused_before_they_are_sent(digits: Model) -> None:
    session = Played()
    device = serving.Device(session, digits, None, _Stage, 0.2)  # type: ignore[arg-type]
    for inputs, message in (
        ((), "inputs of no bytes for digits.tflite, whose inputs have 64"),
        ((bytes(63),), "inputs of 63 bytes"),
        ((bytes(64), bytes(64)), "inputs of 64, 64 bytes"),
    ):
        with pytest.raises(BadInputError, match=message):
            device.infer(inputs)
    with pytest.raises(BadInputError, match="0 inferences"):
        device.infer(INPUT, repeat=0)
    assert [frame.type for frame in session.requests] == [wire.FRAME_HELLO]


def test_segments_of_an_inference() -> None:
    none = np.zeros(0, dtype=np.int64)
    # Before it; way, Eval and check of each of two operators; the way out.
    counts = [1000, 5, 300, 70, 6, 400, 80, 7]
    segments = [Segment(instructions=count, executions=none) for count in counts]
    assert len(segments) == serving.segments_of(2)
    assert serving.values(segments) == (300 + 400 + 5 + 6 + 7, 300, 400)
