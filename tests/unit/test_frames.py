"""Frames on the host's side: any bytes in any pieces, lines in between, payloads that are none."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import wire
from harness.frames import Frame, FrameError, Info, Splitter, counts_frames, parse_counts, parse_error, parse_info

frames = st.builds(
    Frame, type=st.integers(0, 255), sequence=st.integers(0, 255), payload=st.binary(max_size=wire.FRAME_PAYLOAD)
)
HELLO = Frame(type=wire.FRAME_HELLO, sequence=1, payload=b"")
DATA = Frame(type=wire.FRAME_DATA, sequence=2, payload=bytes(range(100)))
BEGIN = b"@begin wire=1 tflm=2020-07 kernels=reference\n"
FAULT = (
    b"@fault exception=3 pc=00000100 lr=00000000 xpsr=00000000 sp=20000000 cfsr=00000000 hfsr=00000000 "
    b"mmfar=00000000 bfar=00000000 overflow=0\n@end status=2\n"
)


@given(st.lists(frames, max_size=5))
@settings(deadline=None)
def test_frames_come_out_as_they_went_in(sent: list[Frame]) -> None:
    splitter = Splitter()
    assert splitter.feed(b"".join(frame.encode() for frame in sent)) == sent
    assert splitter.text == ""
    assert splitter.noise == 0


@given(st.binary(max_size=600), st.lists(frames, max_size=3), st.lists(st.integers(0, 2000), max_size=20))
@settings(deadline=None)
def test_pieces_make_no_difference(garbage: bytes, sent: list[Frame], cuts: list[int]) -> None:
    stream = garbage + b"".join(frame.encode() for frame in sent) + BEGIN + b"\0" + garbage
    whole, pieces = Splitter(), Splitter()
    expected = whole.feed(stream)
    found = []
    borders = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    for start, end in itertools.pairwise(borders):
        found += pieces.feed(stream[start:end])
    assert found == expected
    assert (pieces.text, pieces.noise, pieces.pending) == (whole.text, whole.noise, whole.pending)


@given(st.binary(max_size=2000))
@settings(deadline=None)
def test_any_bytes_are_taken_and_the_next_frame_is_read(garbage: bytes) -> None:
    splitter = Splitter()
    assert splitter.feed(garbage + DATA.encode())[-1] == DATA


def test_lines_between_frames_are_text() -> None:
    splitter = Splitter()
    stream = BEGIN + b"\0" + HELLO.encode() + b"@log text=one\n@log text=two\n" + DATA.encode()
    assert splitter.feed(stream) == [HELLO, DATA]
    assert wire.parse(splitter.text).log == ("one", "two")
    assert wire.parse(splitter.text).kernels == "reference"
    assert splitter.noise == 0


def test_a_fault_in_the_middle_of_a_frame_is_read() -> None:
    splitter = Splitter()
    half = DATA.encode()[:50]
    assert splitter.feed(half + FAULT) == []
    assert splitter.text == ""
    splitter.end()
    fault = wire.parse(splitter.text).fault
    assert fault is not None
    assert fault.pc == 0x100
    assert splitter.noise == 49  # the zero in front is none


def test_what_is_neither_is_counted() -> None:
    splitter = Splitter()
    assert splitter.feed(b"garbage\0@nonsense word\n\0" + HELLO.encode()) == [HELLO]
    assert splitter.noise == len("garbage") + len("@nonsense word\n")
    assert splitter.text == ""


def test_endless_bytes_without_a_zero_are_not_kept() -> None:
    splitter = Splitter()
    for _ in range(100):
        assert splitter.feed(b"\xff" * 10_000) == []
    assert len(splitter.pending) < 100_000
    assert splitter.noise + len(splitter.pending) == 1_000_000
    assert splitter.feed(b"\0" + HELLO.encode()) == [HELLO]


def test_frames_are_not_longer_than_the_firmware_takes() -> None:
    with pytest.raises(ValueError, match="a payload of 257 bytes, at most 256 fit"):
        Frame(type=1, sequence=1, payload=bytes(257)).encode()


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_payloads_that_are_none_are_refused(payload: bytes) -> None:
    for parse in (parse_info, parse_error, parse_counts):
        with contextlib.suppress(wire.WireError):
            parse(payload)


def test_info() -> None:
    payload = bytes.fromhex("0100 0a00 0100 0200 00020000 40000000 0a000000 14000000") + b"2020-07 cmsis-nn"
    assert parse_info(payload) == Info(
        operators=10, arena_bytes=512, input_bytes=(64,), output_bytes=(10, 20), tflm="2020-07", kernels="cmsis-nn"
    )
    with pytest.raises(wire.WireError, match="speaks version 2 of the wire, expected 1"):
        parse_info(b"\2" + payload[1:])
    with pytest.raises(wire.WireError, match="no INFO frame"):
        parse_info(payload[:20])


def test_errors() -> None:
    assert parse_error(b"\3") == FrameError(code=wire.FRAME_ERROR_CRC)
    assert parse_error(bytes.fromhex("06 ffffffff 02000000")) == FrameError(code=6, node=None, done=2)
    assert parse_error(bytes.fromhex("06 03000000 00000000")) == FrameError(code=6, node=3, done=0)
    with pytest.raises(wire.WireError, match="no ERROR frame"):
        parse_error(b"\6")
    with pytest.raises(wire.WireError, match="no ERROR frame"):
        parse_error(b"")
    assert Frame(type=wire.FRAME_ERROR, sequence=9, payload=b"\3").describe() == ("ERROR 9 (the frame's CRC was wrong)")


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=200).map(tuple), st.integers(0, 1023))
@settings(deadline=None)
def test_counts_are_divided_and_put_together(values: tuple[int, ...], inference: int) -> None:
    parts = []
    for frame in counts_frames(7, wire.FRAME_UNIT_INSTRUCTIONS, inference, values):
        (found,) = Splitter().feed(frame.encode())
        assert (found.type, found.sequence) == (wire.FRAME_COUNTS, 7)
        parts.append(parse_counts(found.payload))
    assert sum((part.values for part in parts), ()) == values
    at = 0
    for part in parts:
        assert (part.unit, part.inference, part.total, part.first) == (1, inference, len(values), at)
        at += len(part.values)
