"""A console on a socket pair with a program of this machine at its other end: nothing waits for ever."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness import process
from harness.emulators.console import Console
from harness.errors import EmulationError

Opened = Callable[..., Console]

HEAD = "import os, sys, time\nconsole, *pipes = map(int, sys.argv[1:])\n"


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Starts a program whose text gets its console's descriptor in ``console``, and a pipe in ``pipes[0]``."""
    made: list[Console] = []

    def start(code: str, take: Callable[[bytes], None] | None = None, patience_s: float = 5.0) -> Console:
        pipe = os.pipe() if take else None
        passed = [] if pipe is None else [pipe[1]]

        def program(console: int) -> process.Running:
            arguments = [sys.executable, "-c", HEAD + code, *map(str, [console, *passed])]
            return process.Running(arguments, pass_fds=[console, *passed])

        made.append(
            Console(
                program,
                pipes={pipe[0]: take} if pipe and take else {},
                patience_s=patience_s,
                death=lambda finished, tail: EmulationError(
                    f"code {finished.returncode} after {tail!r}", detail=finished.stderr
                ),
            )
        )
        for descriptor in passed:
            os.close(descriptor)
        return made[-1]

    yield start
    for console in made:
        console.close()


ECHO = "while data := os.read(console, 65536): os.write(console, data)"


def read_all(console: Console, size: int) -> bytes:
    data = b""
    deadline = time.monotonic() + 10
    while len(data) < size and time.monotonic() < deadline:
        data += console.read(0.1)
    return data


def test_bytes_go_both_ways(opened: Opened) -> None:
    console = opened(ECHO)
    data = bytes(range(256)) * 8
    console.write(data)
    assert read_all(console, len(data)) == data


def test_more_than_the_buffers_hold_goes_both_ways_without_a_deadlock(opened: Opened) -> None:
    console = opened(ECHO)
    data = os.urandom(4 << 20)
    console.write(data)
    assert read_all(console, len(data)) == data


def test_nothing_in_time_is_nothing(opened: Opened) -> None:
    console = opened("time.sleep(60)")
    started = time.monotonic()
    assert console.read(0.2) == b""
    assert 0.15 < time.monotonic() - started < 2.0


def test_a_program_that_takes_nothing_is_not_waited_for_for_ever(opened: Opened) -> None:
    console = opened("time.sleep(60)", patience_s=0.3)
    with pytest.raises(EmulationError, match=r"took no byte for 0.3 s, with \d+ of 8388608 to send"):
        console.write(bytes(8 << 20))


def test_what_was_printed_before_the_end_is_read_first(opened: Opened) -> None:
    console = opened("os.write(console, b'last words'); sys.stderr.write('why'); sys.exit(7)")
    assert read_all(console, 10) == b"last words"
    with pytest.raises(EmulationError, match="code 7 after b'last words'") as caught:
        console.read(10.0)
    assert caught.value.detail == "why"
    with pytest.raises(EmulationError, match="code 7"):
        console.write(b"anybody there?")


def test_an_end_in_the_middle_of_a_write_is_an_error(opened: Opened) -> None:
    console = opened("os.read(console, 10); sys.exit(3)")
    with pytest.raises(EmulationError, match="code 3"):
        console.write(bytes(8 << 20))


def test_a_program_that_closes_its_console_and_goes_on_is_ended(opened: Opened) -> None:
    console = opened("os.close(console); time.sleep(60)")
    started = time.monotonic()
    with pytest.raises(EmulationError, match="code -15"):
        console.read(10.0)
    assert time.monotonic() - started < 9.0


def test_a_pipe_is_served_whatever_is_waited_for(opened: Opened) -> None:
    taken = bytearray()
    code = "for _ in range(100): os.write(pipes[0], bytes(10000))\nos.write(console, b'done')\ntime.sleep(60)"
    console = opened(code, taken.extend)
    assert read_all(console, 4) == b"done"
    assert console.wait(lambda: len(taken) == 1_000_000, 5.0)
    assert not console.wait(lambda: len(taken) > 1_000_000, 0.1)


def test_what_is_left_in_a_pipe_is_taken_at_the_end(opened: Opened) -> None:
    taken = bytearray()
    console = opened("os.write(pipes[0], bytes(50000))", taken.extend)
    with pytest.raises(EmulationError, match="code 0"):
        while True:
            console.read(5.0)
    assert len(taken) == 50000


def test_a_pipe_that_somebody_keeps_is_not_waited_for(opened: Opened) -> None:
    taken = bytearray()
    child = "if os.fork() == 0: os.close(1); os.close(2); os.close(console); time.sleep(20); os._exit(0)"
    code = f"{child}\nos.write(pipes[0], bytes(5000))"
    console = opened(code, taken.extend)
    started = time.monotonic()
    with pytest.raises(EmulationError, match="code 0"):
        console.read(10.0)
    assert time.monotonic() - started < 9.0
    assert len(taken) == 5000


def test_closing_ends_the_program(opened: Opened) -> None:
    console = opened("os.write(console, str(os.getpid()).encode()); time.sleep(60)")
    number = int(console.read(10.0))
    console.close()
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)
    console.close()
    with pytest.raises(EmulationError, match="was ended"):
        console.read(1.0)


def test_a_program_that_does_not_start_leaves_nothing_open() -> None:
    def fail(_console: int) -> process.Running:
        return process.Running(["/nowhere/program"])

    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(FileNotFoundError):
        Console(fail, pipes={}, patience_s=1.0, death=lambda _finished, _tail: EmulationError("dead"))
    assert len(list(Path("/proc/self/fd").iterdir())) <= before  # readers of earlier programs may end meanwhile
