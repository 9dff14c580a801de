"""Ten thousand frames that are damaged in every way, at the firmware on QEMU and at the same application on the host:
each gets the answer that it must get, and a whole inference is right after every batch."""

from __future__ import annotations

import random
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path

from cobs import cobs

from harness import inputs, library, model, serving, wire
from harness.emulators import Session
from harness.frames import Frame, Splitter, decode_frame, parse_error
from tests.conftest import DIGITS

FRAMES = 10_000
BATCH = 100
_ANSWER_S = 20.0
_ANSWERS = {
    wire.FRAME_HELLO: wire.FRAME_INFO,
    wire.FRAME_WRITE: wire.FRAME_WRITTEN,
    wire.FRAME_INFER: wire.FRAME_RESULT,
    wire.FRAME_READ: wire.FRAME_DATA,
}
_CHUNK_ERRORS = (wire.FRAME_ERROR_SHORT, wire.FRAME_ERROR_LONG, wire.FRAME_ERROR_CRC)
BARRIER = Frame(type=wire.FRAME_HELLO, sequence=255, payload=b"")


def valid(chance: random.Random) -> Frame:
    """A frame that is whole; its arguments may be wrong. Few are long and few infer, which costs time."""
    kind = chance.choice((1, 2, 2, 2, 4, 4, 4, 3 if chance.random() < 0.2 else 2, chance.randrange(256)))
    index = chance.choice((0, 0, 0, 1, 65535))
    offset = chance.choice((0, chance.randrange(70), 2**32 - 1 - chance.randrange(3)))
    payload = {
        wire.FRAME_WRITE: struct.pack("<HI", index, offset) + chance.randbytes(chance.randrange(20)),
        wire.FRAME_READ: struct.pack("<HIH", index, offset % 12, chance.choice((0, 1, 10, 257, 65535))),
        wire.FRAME_INFER: struct.pack("<I", chance.choice((0, 1, 1, 2, 1025, 2**32 - 1))),
    }.get(kind, b"")
    if chance.random() < 0.1:
        payload = payload[: chance.randrange(len(payload) + 1)] + chance.randbytes(chance.randrange(4))
    return Frame(type=kind, sequence=chance.randrange(1, 255), payload=payload)


def lying(chance: random.Random) -> bytes:
    """A CRC that is right, of a length that is not."""
    payload = chance.randbytes(chance.randrange(12))
    size = chance.choice((len(payload) + 1, max(len(payload) - 1, 0), 0, 256, 257, 65535))
    content = struct.pack("<BBH", chance.randrange(1, 5), chance.randrange(255), size) + payload
    return b"\0" + bytes(cobs.encode(content + struct.pack("<I", zlib.crc32(content)))) + b"\0"


def damaged(chance: random.Random) -> bytes:
    """One damaged frame, or what stands in a frame's place."""
    frame = bytearray(valid(chance).encode())
    at = chance.randrange(len(frame))
    match chance.randrange(12):
        case 0 | 1:
            frame[at] ^= 1 << chance.randrange(8)
        case 2:
            frame[at] = chance.randrange(256)
        case 3:
            del frame[at : at + chance.randrange(1, 8)]
        case 4:
            frame[at:at] = chance.randbytes(chance.randrange(1, 8))
        case 5:  # truncated
            del frame[at:]
        case 6:  # duplicated
            frame *= 2
        case 7:  # interleaved: another one in the middle
            frame[at:at] = valid(chance).encode()
        case 8:  # interleaved byte by byte
            other = valid(chance).encode()
            frame = bytearray(byte for pair in zip(frame, other, strict=False) for byte in pair)
        case 9:
            frame = bytearray(chance.randbytes(chance.randrange(1, 30)))
        case 10:
            frame = bytearray(lying(chance))
        case _:
            if chance.random() < 0.1:  # over-long
                frame = bytearray(b"\0" + bytes([chance.randrange(1, 256)]) * chance.randrange(250, 700) + b"\0")
    return bytes(frame)


def chunks(stream: bytes) -> list[bytes]:
    return [chunk for chunk in stream.split(b"\0") if chunk]


def answers(session: Session, splitter: Splitter) -> list[Frame]:
    """Everything up to the answer to the barrier."""
    found: list[Frame] = []
    deadline = time.monotonic() + _ANSWER_S
    while not any(frame.sequence == BARRIER.sequence for frame in found):
        assert time.monotonic() < deadline, f"no answer to the barrier after {len(found)} others"
        found += splitter.feed(session.read(1.0))
    assert found.pop().type == wire.FRAME_INFO
    return found


def check(chunk: bytes, answer: Frame) -> int:
    """Whether the answer is one to this chunk; returns how many inferences it tells of."""
    request = decode_frame(chunk)
    if request is None:
        assert (answer.type, answer.sequence) == (wire.FRAME_ERROR, 0)
        assert parse_error(answer.payload).code in _CHUNK_ERRORS
        return 0
    assert answer.sequence == request.sequence
    if answer.type == wire.FRAME_ERROR:
        known = request.type in _ANSWERS
        expected = wire.FRAME_ERROR_ARGUMENT if known else wire.FRAME_ERROR_TYPE
        assert parse_error(answer.payload).code == expected
        return 0
    assert answer.type == _ANSWERS[request.type]
    return int(struct.unpack("<II", answer.payload)[0]) if answer.type == wire.FRAME_RESULT else 0


def fuzz(session: Session, infer: Callable[[], object], count: Callable[[int], object]) -> dict[str, int]:
    """Send all frames; ``infer`` runs a whole inference, ``count`` takes the counts of so many others."""
    chance = random.Random(20)
    expected = infer()
    seen = {"frames": 0, "bytes": 0, "answers": 0, "errors": 0, "inferences": 0}
    for _ in range(FRAMES // BATCH):
        splitter = Splitter()
        stream = b"".join(damaged(chance) for _ in range(BATCH))
        session.write(stream + BARRIER.encode())
        found = answers(session, splitter)
        sent = chunks(stream + BARRIER.encode())[:-1]
        # What a damaged end has in common with the barrier's start is a chunk like any other.
        assert len(found) == len(sent)
        done = sum(check(chunk, answer) for chunk, answer in zip(sent, found, strict=True))
        count(done)
        assert splitter.noise == 0
        assert splitter.text == ""
        seen["frames"] += BATCH
        seen["bytes"] += len(stream)
        seen["answers"] += len(found)
        seen["errors"] += sum(frame.type == wire.FRAME_ERROR for frame in found)
        seen["inferences"] += done
        assert infer() == expected
    assert seen["errors"] > FRAMES // 2
    assert seen["inferences"] > 20
    return seen


def test_the_firmware_answers_every_damaged_frame_on_qemu() -> None:
    with serving.serve(DIGITS, "mps2-an386", kernels="cmsis-nn") as device:
        data = inputs.deterministic(device.model).data
        fuzz(device.session, lambda: device.infer(data), device.counts)


def test_the_application_answers_every_damaged_frame_on_the_host() -> None:
    network = model.load(Path(DIGITS))
    data = inputs.deterministic(network).data
    program = library.for_host()

    with serving.host(network, program, "host") as client:

        def infer() -> tuple[bytes, ...]:
            client.write(data)
            return client.read(client.infer(1))

        fuzz(client.session, infer, lambda _done: client.forget())
