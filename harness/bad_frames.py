"""Frames that are none, sent to firmware that serves: what it answers, and whether it serves on."""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path

from cobs import cobs

from harness import inputs, serving, wire
from harness.errors import BadInputError, EmulationError
from harness.frames import Frame, Splitter, parse_error
from harness.library import Progress, silent
from harness.setup import DEFAULT_TIME_LIMIT_S

_SEQUENCE = 77


def _wrong_crc() -> bytes:
    content = struct.pack("<BBH", wire.FRAME_HELLO, _SEQUENCE, 0)
    return _between_zeros(content + struct.pack("<I", zlib.crc32(content) ^ 1))


def _short() -> bytes:
    return _between_zeros(struct.pack("<BB", wire.FRAME_HELLO, _SEQUENCE))


def _long() -> bytes:
    return _between_zeros(bytes([wire.FRAME_WRITE]) * (wire.FRAME_PAYLOAD + wire.FRAME_OVERHEAD + 1))


def _unknown_type() -> bytes:
    unused = next(value for value in range(1, 256) if value not in wire.FRAME_NAMES)
    return Frame(type=unused, sequence=_SEQUENCE, payload=b"").encode()


def _bad_argument() -> bytes:
    return Frame(type=wire.FRAME_READ, sequence=_SEQUENCE, payload=struct.pack("<HIH", 0xFFFF, 0, 1)).encode()


def _between_zeros(content: bytes) -> bytes:
    return b"\0" + bytes(cobs.encode(content)) + b"\0"


KINDS: dict[str, Callable[[], bytes]] = {
    "wrong CRC": _wrong_crc,
    "too short": _short,
    "too long": _long,
    "unknown type": _unknown_type,
    "bad argument": _bad_argument,
}


def send(
    kind: str,
    model_path: str | Path,
    platform: str,
    *,
    kernels: str = "reference",
    optimisation: str = "-O2",
    emulator: str = "qemu",
    time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    progress: Progress = silent,
) -> str:
    """Send one bad frame between two inferences.

    Args:
        kind: one of KINDS.
        model_path, platform, kernels, optimisation, emulator, time_limit_s, progress: as in ``serving.serve``.

    Returns:
        What the firmware's error frame says.

    Raises:
        BadInputError: unknown kind, or as ``serving.serve``.
        EmulationError: no error frame came, or the second inference did not give what the first one gave.
        HarnessError: as ``serving.serve``.
    """
    if kind not in KINDS:
        raise BadInputError(f"unknown kind of bad frame {kind!r}", f"one of {', '.join(KINDS)}")
    with serving.serve(
        model_path,
        platform,
        kernels=kernels,
        optimisation=optimisation,
        emulator=emulator,
        time_limit_s=time_limit_s,
        progress=progress,
    ) as device:
        data = inputs.deterministic(device.model).data
        before = device.infer(data)
        device.session.write(KINDS[kind]())
        answer = _await_frame(device, time_limit_s)
        if answer.type != wire.FRAME_ERROR:
            raise EmulationError(
                f"the firmware answered a bad frame ({kind}) by {answer.describe()}, expected an ERROR"
            )
        try:
            said = parse_error(answer.payload).describe()
        except wire.WireError as error:
            raise EmulationError(f"the firmware answered a bad frame ({kind}) by {error}") from error
        after = device.infer(data)
        if after.outputs != before.outputs:
            raise EmulationError(f"after a bad frame ({kind}) an inference gives other outputs than before it")
        return said


def _await_frame(device: serving.Device, time_limit_s: float) -> Frame:
    splitter, deadline = Splitter(), time.monotonic() + time_limit_s
    while True:
        remaining = deadline - time.monotonic()
        frames = splitter.feed(device.session.read(max(remaining, 0.0)))
        if frames:
            return frames[0]
        if remaining <= 0:
            raise EmulationError(
                f"the firmware on {device.machine.name} did not answer a bad frame in {time_limit_s:g} s"
            )
