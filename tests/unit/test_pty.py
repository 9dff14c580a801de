"""harness.pty: what a client of the pseudo-terminal sees."""

from __future__ import annotations

import os
import threading
import time

import pytest

from harness.pty import PseudoTerminal
from tests.conftest import needs_terminals

pytestmark = needs_terminals


def _open(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_NOCTTY)


def _read(client: int, count: int) -> None:
    """Read so many bytes with a pause now and then, during which the terminal's buffer fills."""
    while count:
        count -= len(os.read(client, 65536))
        time.sleep(0.001)


def test_every_byte_passes_unchanged_both_ways() -> None:
    everything = bytes(range(256))
    with PseudoTerminal() as terminal:
        client = _open(terminal.path)
        assert os.write(client, everything) == 256
        assert terminal.read(1.0) == everything
        assert terminal.write(everything) == 0
        received = b""
        while len(received) < 256:
            received += os.read(client, 256)
        assert received == everything
        assert terminal.read(0.0) == b"", "what we send must not come back as an echo"
        os.close(client)


def test_nothing_comes_in_time() -> None:
    with PseudoTerminal() as terminal:
        started = time.monotonic()
        assert terminal.read(0.05) == b""
        assert 0.04 < time.monotonic() - started < 1.0


def test_clients_come_and_go() -> None:
    with PseudoTerminal() as terminal:
        for word in (b"one", b"two"):
            client = _open(terminal.path)
            os.write(client, word)
            assert terminal.read(1.0) == word
            os.close(client)
            assert terminal.read(0.0) == b""
        assert terminal.write(b"kept for the next") == 0
        client = _open(terminal.path)
        assert os.read(client, 100) == b"kept for the next"
        os.close(client)


def test_a_client_that_does_not_read_delays_once_and_loses_the_rest() -> None:
    flood = b"x" * 1_000_000
    with PseudoTerminal() as terminal:
        client = _open(terminal.path)
        started = time.monotonic()
        lost = terminal.write(flood)
        assert 0 < lost < len(flood)
        assert terminal.write(b"more") == 4
        assert time.monotonic() - started < 3.0, "only the first loss is waited for"
        received = 0
        while received < len(flood) - lost:
            received += len(os.read(client, 65536))
        assert terminal.write(b"again") == 0, "a client that reads again is served again"
        assert os.read(client, 100) == b"again"
        reader = threading.Thread(target=_read, args=(client, len(flood)))
        reader.start()
        assert terminal.write(flood) == 0, "and is waited for again"
        reader.join(timeout=10.0)
        assert not reader.is_alive()
        os.close(client)


def test_leaving_closes_it() -> None:
    with PseudoTerminal() as terminal:
        client = _open(terminal.path)
    assert os.read(client, 1) == b"", "its client sees the end"
    os.close(client)
    with pytest.raises(OSError):
        terminal.read(0.0)
