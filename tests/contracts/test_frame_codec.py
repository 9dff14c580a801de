"""firmware/app/frame.c against harness/frames.py: the same frames come and go, and the same bytes are no frames."""

from __future__ import annotations

import ctypes
import random
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import wire
from harness.frames import Frame, Splitter, decode_frame
from harness.paths import data_folder

APP = data_folder("firmware") / "app"
HAL = data_folder("firmware") / "hal"

SHIM = r"""
#include <string.h>
#include "frame.h"
#include "hal.h"

static unsigned char written[1024];
static size_t written_size;
static struct frame_reader reader;

void hal_write(const char *bytes, size_t size) {
  memcpy(written + written_size, bytes, size);
  written_size += size;
}
size_t send(int type, int sequence, const uint8_t *payload, size_t size) {
  written_size = 0;
  frame_send((uint8_t)type, (uint8_t)sequence, payload, size);
  return written_size;
}
const unsigned char *sent(void) { return written; }
void reset(void) { memset(&reader, 0, sizeof reader); }
int take(int byte) { return frame_take(&reader, (uint8_t)byte); }
int type(void) { return frame_type(&reader); }
int sequence(void) { return frame_sequence(&reader); }
int size(void) { return (int)frame_payload_size(&reader); }
const uint8_t *payload(void) { return frame_payload(&reader); }
"""

Verdict = Frame | int


class Codec:
    """The firmware's codec, in this process."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        for name in ("sent", "payload"):
            getattr(library, name).restype = ctypes.POINTER(ctypes.c_uint8)
        library.send.restype = ctypes.c_size_t
        library.send.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t]

    def encode(self, frame: Frame) -> bytes:
        size = self._library.send(frame.type, frame.sequence, frame.payload, len(frame.payload))
        return bytes(self._library.sent()[:size])

    def decode(self, stream: bytes) -> list[Verdict]:
        """What each chunk is: a frame, or the code of an error."""
        found: list[Verdict] = []
        self._library.reset()
        for byte in stream:
            result = self._library.take(byte)
            if result == 0:
                payload = bytes(self._library.payload()[: self._library.size()])
                found.append(Frame(type=self._library.type(), sequence=self._library.sequence(), payload=payload))
            elif result > 0:
                found.append(result)
        return found


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> Codec:
    folder = tmp_path_factory.mktemp("codec")
    source, library = folder / "shim.c", folder / "codec.so"
    source.write_text(SHIM)
    _build(["-shared", "-fPIC"], source, library)
    return Codec(ctypes.CDLL(str(library)))


def _build(options: list[str], source: Path, target: Path) -> None:
    subprocess.run(
        ["gcc", "-O1", "-g", "-Wall", "-Wextra", "-Werror", *options, f"-I{APP}", f"-I{HAL}", source, APP / "frame.c",
         APP / "crc32.c", "-o", target],
        check=True,
    )  # fmt: skip


frames = st.builds(
    Frame,
    type=st.integers(0, 255),
    sequence=st.integers(0, 255),
    payload=st.one_of(
        st.binary(max_size=wire.FRAME_PAYLOAD),
        # COBS has its borders at 254 bytes without a zero.
        st.integers(0, wire.FRAME_PAYLOAD).map(lambda size: b"\x01" * size),
        st.integers(0, wire.FRAME_PAYLOAD).map(bytes),
    ),
)
# Zeros are common, so that there are many chunks.
streams = st.lists(st.one_of(st.just(0), st.integers(0, 255)), max_size=700).map(bytes)


@given(frames)
@settings(deadline=None)
def test_both_sides_encode_and_decode_the_same(codec: Codec, frame: Frame) -> None:
    encoded = frame.encode()
    assert codec.decode(encoded) == [frame]
    (found,) = Splitter().feed(codec.encode(frame))
    assert found == frame
    assert 0 not in encoded[1:-1]


def expected(stream: bytes) -> list[Frame | None]:
    *chunks, _ = stream.split(b"\0")
    return [decode_frame(chunk) for chunk in chunks if chunk]


def agree(codec: Codec, stream: bytes) -> None:
    found = codec.decode(stream)
    assert [item if isinstance(item, Frame) else None for item in found] == expected(stream)


@given(streams)
@settings(deadline=None)
def test_both_sides_judge_any_bytes_the_same(codec: Codec, stream: bytes) -> None:
    agree(codec, stream)


@given(st.lists(st.one_of(frames.map(Frame.encode), streams), max_size=5), st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_both_sides_judge_damaged_frames_the_same(codec: Codec, parts: list[bytes], chance: random.Random) -> None:
    stream = bytearray(b"".join(parts))
    for _ in range(chance.randrange(4)):
        if stream:
            at = chance.randrange(len(stream))
            choice = chance.randrange(3)
            if choice == 0:
                stream[at] ^= 1 << chance.randrange(8)
            elif choice == 1:
                del stream[at : at + chance.randrange(40)]
            else:
                stream[at:at] = chance.randbytes(chance.randrange(40))
    agree(codec, bytes(stream))


HELLO = Frame(type=wire.FRAME_HELLO, sequence=7, payload=b"")
FULL = Frame(type=wire.FRAME_WRITE, sequence=8, payload=b"\x05" * wire.FRAME_PAYLOAD)


def stuffed(content: bytes) -> bytes:
    """Content that need not be a frame, as it goes over the console."""
    from cobs import cobs

    return b"\0" + bytes(cobs.encode(content)) + b"\0"


def content(frame: Frame) -> bytes:
    from cobs import cobs

    return bytes(cobs.decode(frame.encode()[1:-1]))


@pytest.mark.parametrize(
    ("damaged", "errors"),
    [
        (b"\0" + HELLO.encode()[1:6] + b"\0", [wire.FRAME_ERROR_SHORT]),  # cut in the middle of COBS
        (stuffed(b"1234567"), [wire.FRAME_ERROR_SHORT]),
        (stuffed(content(FULL)[:-1]), [wire.FRAME_ERROR_SHORT]),
        (stuffed(content(HELLO) + b"\1"), [wire.FRAME_ERROR_LONG]),
        (stuffed(content(FULL) + b"\1"), [wire.FRAME_ERROR_LONG]),
        (stuffed(bytes(100_000)), [wire.FRAME_ERROR_LONG]),
        (b"\0" + b"\1" * 100_000 + b"\0", [wire.FRAME_ERROR_LONG]),
        (stuffed(content(HELLO)[:-1] + b"!"), [wire.FRAME_ERROR_CRC]),
        (FULL.encode()[:100] + HELLO.encode() + FULL.encode()[100:], [wire.FRAME_ERROR_SHORT, HELLO, "any"]),
        (b"\0\0\0\0", []),
    ],
    ids=["cut", "seven", "short", "long", "too long", "far too long", "far too long codes", "crc", "inside", "zeros"],
)
def test_what_is_wrong_is_told_and_the_next_frame_is_read(codec: Codec, damaged: bytes, errors: list[object]) -> None:
    *found, last = codec.decode(damaged + FULL.encode())
    assert last == FULL
    assert len(found) == len(errors)
    assert all(wanted in ("any", got) for got, wanted in zip(found, errors, strict=True))


def test_a_frame_that_lost_its_end_costs_itself_only(codec: Codec) -> None:
    assert codec.decode(HELLO.encode()[:-1] + FULL.encode()) == [HELLO, FULL]
    assert codec.decode(HELLO.encode()[:-2] + FULL.encode()) == [wire.FRAME_ERROR_SHORT, FULL]


SANITISED_MAIN = r"""
#include <stdio.h>
int take(int byte);
int main(void) {
  long frames = 0, errors = 0;
  for (int byte; (byte = getchar()) != EOF;) {
    int result = take(byte);
    frames += result == 0;
    errors += result > 0;
  }
  printf("%ld %ld\n", frames, errors);
  return 0;
}
"""


def test_the_decoder_is_clean_under_sanitizers(tmp_path: Path) -> None:
    chance = random.Random(5)
    stream = b""
    for _ in range(3000):
        frame = bytearray(Frame(type=2, sequence=1, payload=chance.randbytes(chance.randrange(257))).encode())
        for _ in range(chance.randrange(3)):
            frame[chance.randrange(len(frame))] = chance.randrange(256)
        stream += bytes(frame)
    source, program = tmp_path / "main.c", tmp_path / "main"
    source.write_text(SHIM + SANITISED_MAIN.replace("int take(int byte);", ""))
    _build(["-fsanitize=address,undefined", "-fno-sanitize-recover=all"], source, program)
    done = subprocess.run([program], input=stream, capture_output=True, check=True)
    found = expected(stream)
    good = sum(frame is not None for frame in found)
    assert done.stdout.split() == [b"%d" % good, b"%d" % (len(found) - good)]
    assert 500 < good < len(found) - 500
