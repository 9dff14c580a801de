"""Firmware that serves, on a pseudo-terminal: its bytes as they are, and COUNTS frames, which the harness makes."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable
from pathlib import Path

from harness import wire
from harness.client import halted
from harness.errors import EmulationError
from harness.frames import Frame, Splitter, counts_frames, parse_error
from harness.pty import PseudoTerminal
from harness.serving import Device

# How long one side is waited for before the other is looked at, while both may have something to say.
_TURN_S = 0.002
# With nothing under way only the client is waited for.
_IDLE_S = 0.1
_IDLE_TURNS = 50


class OneClient(PseudoTerminal):
    """A pseudo-terminal for one client: once that has sent something and closed it, it says so."""

    def __init__(self) -> None:
        super().__init__()
        self._seen = self._left = False

    def read(self, timeout_s: float) -> bytes:
        try:
            data = super().read(timeout_s)
        except OSError as error:
            if error.errno != errno.EIO:  # what Linux says where nobody has the other side open
                raise
            self._left = True
            return b""
        if data and not self._seen:
            self._seen = True
            # This side had it open, so that settings stay. From here on the client does; another file stands there.
            with Path(os.devnull).open() as nothing:
                os.dup2(nothing.fileno(), self._theirs)
        return data

    def left(self) -> bool:
        """Whether the client has closed it."""
        return self._left


def serve(
    device: Device,
    terminal: PseudoTerminal,
    *,
    report: Callable[[str], None],
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Pass bytes both ways until ``stop`` (asked at least ten times a second), or until it is interrupted.

    Behind each RESULT stand COUNTS frames, one or more for each inference: its instructions, then those of each
    operator. ``report`` is told, one line at a time, of lost output.

    Raises:
        EmulationError: the emulator has ended, TFLM stopped, or counts or the firmware's answers cannot be read.
    """
    relay = _Relay(device)
    quiet = _IDLE_TURNS
    losing = False
    while not stop():
        idle = quiet >= _IDLE_TURNS
        asked = terminal.read(_IDLE_S if idle else _TURN_S)
        if asked:
            device.session.write(asked)
        answered = relay.take(device.session.read(0.0 if idle and not asked else _TURN_S))
        quiet = 0 if asked or answered else quiet + 1
        lost = terminal.write(answered) if answered else 0
        if lost and not losing:
            report("the client does not read: what it was sent is lost")
        losing = (losing and not answered) or lost > 0


class _Relay:
    """Adds COUNTS frames to what the firmware sends."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._splitter = Splitter()

    def take(self, data: bytes) -> bytes:
        """What goes to the client for these bytes of the firmware."""
        out = b""
        while data:
            # A frame ends at a zero: after each of them may have to stand something of ours.
            at = data.find(0) + 1 or len(data)
            piece, data = data[:at], data[at:]
            out += piece
            for frame in self._splitter.feed(piece):
                out += self._after(frame)
        if self._splitter.halted:
            raise halted(self._device.machine.name)
        return out

    def _after(self, frame: Frame) -> bytes:
        try:
            return self._counts(frame)
        except (wire.WireError, struct.error) as error:
            raise EmulationError(f"the firmware sent {frame.describe()}, which cannot be read: {error}") from error

    def _counts(self, frame: Frame) -> bytes:
        if frame.type == wire.FRAME_RESULT:
            done, _ = struct.unpack("<II", frame.payload)
            return b"".join(
                part.encode()
                for inference, values in enumerate(self._device.counts(done))
                for part in counts_frames(frame.sequence, wire.FRAME_UNIT_INSTRUCTIONS, inference, values)
            )
        if frame.type == wire.FRAME_ERROR:
            error = parse_error(frame.payload)
            if error.code == wire.FRAME_ERROR_INFERENCE:
                self._device.pass_over(error)
        return b""
