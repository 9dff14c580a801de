"""harness.relay: bytes both ways between a terminal and a device that is played here."""

from __future__ import annotations

import struct
import time

import pytest

from harness import relay, wire
from harness.errors import EmulationError
from harness.frames import Frame
from harness.pty import PseudoTerminal
from tests.conftest import needs_terminals


class Played:
    """A device, and its session and machine, that says these pieces one after the other."""

    name = "stage"

    def __init__(self, *pieces: bytes) -> None:
        self.session = self.machine = self
        self.taken = b""
        self._pieces = list(pieces)

    def write(self, data: bytes) -> None:
        self.taken += data

    def read(self, _timeout_s: float) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    def counts(self, inferences: int) -> list[tuple[int, ...]]:
        return [(100 + index, 40, 50) for index in range(inferences)]


def serve(device: Played, terminal: PseudoTerminal) -> None:
    end = time.monotonic() + 10.0
    relay.serve(device, terminal, report=str, stop=lambda: time.monotonic() > end)  # type: ignore[arg-type]


@needs_terminals
@pytest.mark.parametrize(
    "pieces", [(b"@log text=HALTED\n",), (b"@log te", b"xt=HAL", b"TED\n\0")], ids=["in a piece", "in pieces, closed"]
)
def test_firmware_that_stopped_itself_ends_it(pieces: tuple[bytes, ...]) -> None:
    with (
        PseudoTerminal() as terminal,
        pytest.raises(EmulationError, match="TFLM stopped with HALTED on stage: a check of one of its kernels failed"),
    ):
        serve(Played(*pieces), terminal)


@needs_terminals
@pytest.mark.parametrize(
    ("kind", "payload"),
    [(wire.FRAME_RESULT, b""), (wire.FRAME_ERROR, b""), (wire.FRAME_ERROR, struct.pack("<BI", 6, 1))],
)
def test_an_answer_that_cannot_be_read_is_named(kind: int, payload: bytes) -> None:
    answer = Frame(type=kind, sequence=5, payload=payload).encode()
    with PseudoTerminal() as terminal, pytest.raises(EmulationError, match=r"sent (RESULT|ERROR) 5.*cannot be read"):
        serve(Played(answer), terminal)
