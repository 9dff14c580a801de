"""harness.mlperf: the protocol of MLPerf Tiny's device under test, byte by byte, and its pseudo-terminal."""

from __future__ import annotations

import random
import re
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import mlperf
from harness.errors import BadInputError, EmulationError
from harness.pty import PseudoTerminal
from harness.relay import OneClient
from tests.conftest import DIGITS, needs_terminals
from tests.mlperf_client import Port, lap_times, load_commands
from tests.unit.mlperf_device import AD, CLOCK_HZ, IC, KWS, FakeDevice, model, tensor

READY = "m-ready"


class Client:
    """Sends commands straight into the protocol; answers come as lines without the last, which must be m-ready."""

    def __init__(self, device: FakeDevice | None = None, model_id: str | None = None) -> None:
        self.device = device or FakeDevice()
        self.reports: list[str] = []
        self.dut = mlperf.Dut(self.device, model_id, self.reports.append)

    def send(self, command: str | bytes) -> list[str]:
        data = command.encode() if isinstance(command, str) else command
        answer = b"".join(self.dut.feed(data + b"%")).decode("ascii")
        assert answer.endswith("\r\n")
        lines = answer.removesuffix("\r\n").split("\r\n")
        assert lines.pop() == READY
        return lines

    def load(self, data: bytes) -> list[str]:
        return [line for command in load_commands(data) for line in self.send(command)]


# --- commands --------------------------------------------------------------------------------------------------------


def test_the_device_starts_as_a_board_does() -> None:
    boot = Client().dut.boot()
    assert boot == b"m-timestamp-mode-performance\r\nm-lap-us-0\r\nm-init-done\r\nm-ready\r\n"


def test_name_and_profile() -> None:
    client = Client()
    assert client.send("name") == ["m-name-dut-[stm32l4r5zi-emulated]"]
    assert client.send("profile") == ["m-profile-[ULPMark for tinyML Firmware V0.0.1]", "m-model-[kws01]"]
    assert Client(model_id="mine-2").send("profile")[1] == "m-model-[mine-2]"
    assert Client(FakeDevice(model([tensor((4,))], [tensor((4,))]))).send("profile")[1] == "m-model-[other]"


def test_help_names_every_command() -> None:
    lines = Client().send("help")
    assert lines[0] == "ULPMark for tinyML Firmware V0.0.1"
    for command in ("help", "name", "profile", "timestamp", "db load", "db HH", "db print", "infer", "results"):
        assert any(line.startswith(command) for line in lines)
    assert not any(READY in line for line in lines), "its reader takes that for the end"


def test_a_whole_session_of_kws() -> None:
    scores = struct.pack("12b", *[-128] * 7, 127, *[-128] * 4)
    device = FakeDevice(KWS, outputs=lambda _inputs: (scores,), instructions=lambda _index: 600_000)
    client = Client(device)
    data = random.Random(5).randbytes(490)
    assert client.load(data) == ["m-[Expecting 490 bytes]", "m-load-done"]
    assert client.send("infer 20 5") == [
        "m-warmup-start-5",
        "m-warmup-done",
        "m-infer-start-20",
        "m-lap-us-25000",
        "m-lap-us-125000",
        "m-infer-done",
        "m-results-[0.000,0.000,0.000,0.000,0.000,0.000,0.000,0.996,0.000,0.000,0.000,0.000]",
    ]
    assert device.requests == [((data,), 5), ((data,), 20)]
    assert client.send("results")[0].startswith("m-results-[0.000,0.000")
    assert client.send("timestamp") == ["m-lap-us-125000"]


def test_pixels_reach_the_device_less_128() -> None:
    device = FakeDevice(IC)
    client = Client(device)
    client.load(bytes(range(256)) * 12)
    client.send("infer 1 0")
    assert device.requests == [((bytes((value - 128) % 256 for value in range(256)) * 12,), 1)]


def test_ad_gives_one_number() -> None:
    client = Client(FakeDevice(AD, outputs=lambda _inputs: (struct.pack("b", 96) * 640,)))
    client.load(struct.pack("<640f", *[2.0] * 640))
    assert client.send("infer 1 0")[-1] == "m-results-[4.000]"


def test_counts_default_to_one_after_ten() -> None:
    client = Client()
    client.load(bytes(490))
    assert client.send("infer")[0] == "m-warmup-start-10"
    assert client.send("infer 3")[:3] == ["m-warmup-start-10", "m-warmup-done", "m-infer-start-3"]
    assert client.device.done == 24


def test_many_inferences_go_in_bounded_requests() -> None:
    client = Client()
    client.load(bytes(490))
    lines = client.send("infer 100000 0")
    assert client.device.done == 100_000
    assert max(repeat for _, repeat in client.device.requests) <= 1024
    start, end = lap_times(lines)
    assert end - start == 100_000 * 1_000 * 1_000_000 // CLOCK_HZ


def test_lines_come_while_the_inferences_run() -> None:
    client = Client()
    client.load(bytes(490))
    answer = client.dut.feed(b"infer 2 1%")
    assert next(answer) == b"m-warmup-start-1\r\n"
    assert client.device.done == 0
    assert next(answer) == b"m-warmup-done\r\n"
    assert client.device.done == 1


@settings(deadline=None)
@given(st.integers(1, 2_000_000), st.integers(1, 40), st.integers(0, 12), st.lists(st.integers(0, 500_000), max_size=9))
def test_laps_are_instructions_over_clock_within_a_microsecond(
    base: int, count: int, warmups: int, jitter: list[int]
) -> None:
    def instructions(index: int) -> int:
        return base + (jitter[index % len(jitter)] if jitter else 0)

    client = Client(FakeDevice(instructions=instructions))
    client.send("infer 7 3")
    start, end = lap_times(client.send(f"infer {count} {warmups}"))
    first = 10 + warmups
    exact = [
        Fraction(sum(map(instructions, range(*bounds))) * 1_000_000, CLOCK_HZ)
        for bounds in ((0, first), (first, first + count))
    ]
    assert abs(start - exact[0]) < 1
    assert abs(end - start - exact[1]) < 1
    assert lap_times(client.send("timestamp")) == [end], "time stands still between inferences"


# --- the buffer ------------------------------------------------------------------------------------------------------


def test_print_shows_eight_bytes_a_line() -> None:
    client = Client()
    assert client.send("db print") == []
    client.load(bytes(range(0xA0, 0xAA)))
    assert client.send("db print") == ["m-buffer-a0-a1-a2-a3-a4-a5-a6-a7", "m-buffer-a8-a9"]
    assert client.send("db print 3") == ["m-buffer-a0-a1-a2"]
    assert client.send("db print 3 8") == ["m-buffer-a8-a9"]
    assert client.send("db print 16 9") == ["m-buffer-a9"]


def test_an_announcement_restarts_the_load() -> None:
    client = Client()
    client.send("db load 4")
    client.send("db 0102")
    assert client.send("db load 2") == ["m-[Expecting 2 bytes]"]
    assert client.send("db 0a0B") == ["m-load-done"]
    assert client.send("db print") == ["m-buffer-0a-0b"]


def test_digits_after_the_last_byte_are_disregarded() -> None:
    client = Client()
    client.send("db load 2")
    assert client.send("db 0102zz") == ["m-load-done"]
    assert client.send("db 03") == ["e-[No bytes are expected: announce them by 'db load']"]
    assert client.send("db print") == ["m-buffer-01-02"]


def test_bytes_before_a_bad_digit_stay() -> None:
    client = Client()
    client.send("db load 3")
    assert client.send("db 01020g") == ["e-[Invalid hex digit '0g']"]
    assert client.send("db 03") == ["m-load-done"]
    assert client.send("db print") == ["m-buffer-01-02-03"]


def test_more_than_the_network_takes_may_be_loaded() -> None:
    client = Client()
    client.load(b"\x01" * 490 + b"\x02" * 10)
    assert not client.send("infer 1 0")[0].startswith("e-")
    assert client.device.requests == [((b"\x01" * 490,), 1)]


def test_the_buffer_holds_the_largest_network() -> None:
    assert Client().send("db load 27648") == ["m-[Expecting 27648 bytes]"]
    large = FakeDevice(model([tensor((1, 200, 200, 1))], [tensor((1, 2))]))
    assert Client(large).send("db load 40000") == ["m-[Expecting 40000 bytes]"]
    assert Client(large).send("db load 40001") == ["e-[Supplied buffer size 40001 exceeds maximum of 40000]"]


def test_too_few_bytes_are_said_so_and_leave_the_input_before() -> None:
    client = Client()
    message = "e-[The buffer holds {} bytes of an input's 490: the one before is used]"
    lines = client.send("infer 1 0")
    assert lines[0] == message.format(0)
    assert lines[-1].startswith("m-results-[")
    client.load(b"\x07" * 490)
    client.send("infer 1 0")
    client.load(b"\x09" * 489)
    assert client.send("infer 1 0")[0] == message.format(489)
    assert [request[0] for request in client.device.requests] == [(bytes(490),), (b"\x07" * 490,), (b"\x07" * 490,)]


# --- what is malformed -----------------------------------------------------------------------------------------------

MALFORMED = {
    "": "Unknown command: ",
    "   ": "Unknown command: ",
    "\0name": "Unknown command: ",
    "nme": "Unknown command: nme",
    "NAME": "Unknown command: NAME",
    "names": "Unknown command: names",
    "\r\nname": "Unknown command: \\x0d\\x0aname",
    "name\n": "Unknown command: name\\x0a",
    "é": "Unknown command: \\xc3\\xa9",
    "m-ready": "Unknown command: m-ready",
    "db": "Command 'db' requires a subcommand",
    "db load": "Command 'db load' requires the # of bytes",
    "db load 0": "Command 'db load' must be >0 bytes",
    "db load -5": "Command 'db load' must be >0 bytes",
    "db load x": "Command 'db load' must be >0 bytes",
    "db load 0x10": "Command 'db load' must be >0 bytes",
    "db load 27649": "Supplied buffer size 27649 exceeds maximum of 27648",
    "db load 99999999999999999999": "Supplied buffer size 2147483647 exceeds maximum of 27648",
    "db loader": "Invalid hex digit 'lo'",
    "db 0": "Insufficent number of hex digits",
    "db 012": "Insufficent number of hex digits",
    "db 0g": "Invalid hex digit '0g'",
    "db +1": "Invalid hex digit '+1'",
    "db 0\r": "Invalid hex digit '0\\x0d'",
    "db print 0": "Command 'db print' takes >0 bytes at an offset below the 2 announced",
    "db print -1": "Command 'db print' takes >0 bytes at an offset below the 2 announced",
    "db print 1 2": "Command 'db print' takes >0 bytes at an offset below the 2 announced",
    "db print 1 -1": "Command 'db print' takes >0 bytes at an offset below the 2 announced",
    "infer 0": "Inference iterations must be >0",
    "infer -3": "Inference iterations must be >0",
    "infer ten": "Inference iterations must be >0",
    "infer -99999999999999999999": "Inference iterations must be >0",
    "infer 1 -1": "Inference warmup must be >=0",
    "results": "No results: there has been no inference, or the last one failed",
}


@pytest.mark.parametrize("command", MALFORMED, ids=ascii)
def test_malformed_commands_are_answered(command: str) -> None:
    client = Client()
    client.send("db load 2")
    assert client.send(command) == [f"e-[{MALFORMED[command]}]"]
    assert not client.device.requests


def test_words_are_parted_by_spaces_and_too_many_are_ignored() -> None:
    client = Client()
    assert client.send("  name   of the device ") == client.send("name")
    assert client.send("name\0 after the end") == client.send("name")
    assert client.send("infer 2x 1y")[1:4] == ["m-warmup-start-1", "m-warmup-done", "m-infer-start-2"]
    assert client.send("db load +3") == ["m-[Expecting 3 bytes]"]
    assert client.send("db 01 02") == []
    assert client.send("db 0203") == ["m-load-done"]


def test_of_an_over_long_command_the_first_eighty_bytes_count() -> None:
    client = Client()
    client.load(bytes(490))
    client.send("db load 40")
    assert client.send("db " + "ab" * 39) == ["e-[Insufficent number of hex digits]"]
    assert client.send("db  " + "ab" * 39) == [], "38 bytes were within the 80"
    assert client.send("db 01") == []
    assert client.send("db 02") == ["m-load-done"]
    assert client.send("x" * 1_000_000) == [f"e-[Unknown command: {'x' * 80}]"]
    assert client.send("name" + " " * 500) == client.send("name")


def test_a_failed_inference_is_answered_and_reported() -> None:
    client = Client(FakeDevice(fails_at=3))
    client.load(bytes(490))
    assert client.send("infer 1 0")[-1].startswith("m-results-[")
    assert client.send("infer 2 1") == [
        "m-warmup-start-1",
        "m-warmup-done",
        "m-infer-start-2",
        "m-lap-us-16",
        "e-[operator 3 failed:\\x0asee the [log]]",
    ]
    assert client.reports == ["inference failed: operator 3 failed:\nsee the [log]"]
    assert client.send("results")[0].startswith("e-[No results")
    assert client.send("infer 1 0")[-1].startswith("m-results-["), "the device goes on"


def test_a_device_that_ends_is_said_so_and_ends_the_command() -> None:
    client = Client(FakeDevice(ends_at=3))
    assert client.send("infer 1 0")[-1].startswith("m-results-[")
    lines: list[bytes] = []
    with pytest.raises(EmulationError, match="the emulator has ended"):
        lines.extend(client.dut.feed(b"infer 2 1%name%"))
    assert lines[-1] == b"e-[the emulator has ended]\r\n"


# --- any bytes -------------------------------------------------------------------------------------------------------

# Numbers begin with a space, so that no two of them make one that would take all day.
_WORDS = (b"name", b"profile", b"timestamp", b"help", b"db", b"load", b"print", b"infer", b"results", b" ", b"  ", b"%",
          b"%", b" 0", b" 1", b" 3", b" 490", b" -1", b" 27649", b"a0", b"ff", b"FFfe", b"0g", b"\r\n", b"\0",
          b"m-ready", b"db load 2%", b"db f0%", b"infer 2 1%")  # fmt: skip


def _random_input(source: random.Random) -> bytes:
    if source.random() < 0.3:
        return source.randbytes(source.randrange(200))
    pieces = source.choices(_WORDS, k=source.randrange(40))
    if source.random() < 0.3:
        pieces.insert(source.randrange(len(pieces) + 1), source.randbytes(source.randrange(120)))
    return b"".join(pieces)


def test_ten_thousand_random_inputs_get_one_ready_a_command() -> None:
    source = random.Random(20260501)
    client = Client(FakeDevice(fails_at=50))
    inferences = 0
    for _ in range(10_000):
        data = _random_input(source)
        answer = b"".join(client.dut.feed(data))
        lines = answer.split(b"\r\n")
        assert lines.pop() == b"", "every line ends in CR LF"
        assert lines.count(b"m-ready") == data.count(b"%")
        assert not lines or lines[-1] == b"m-ready"
        assert all(re.fullmatch(rb"[ -~]*", line) for line in lines)
        inferences += lines.count(b"m-infer-done")
    assert inferences > 100, "the random inputs must reach the inferences"


@settings(deadline=None)
@given(st.lists(st.sampled_from(_WORDS), max_size=30).map(b"".join), st.randoms(use_true_random=False))
def test_it_does_not_matter_how_the_bytes_are_cut(data: bytes, source: random.Random) -> None:
    whole = b"".join(Client().dut.feed(data))
    client, pieces = Client(), b""
    while data:
        cut = source.randrange(1, len(data) + 1)
        pieces += b"".join(client.dut.feed(data[:cut]))
        data = data[cut:]
    assert pieces == whole


# --- on a pseudo-terminal --------------------------------------------------------------------------------------------


@contextmanager
def served(device: FakeDevice, model_id: str | None = None) -> Iterator[tuple[str, list[str]]]:
    """The path of a terminal that a device is served on, and what is reported meanwhile."""
    reports: list[str] = []
    ended = threading.Event()
    with PseudoTerminal() as terminal:
        options = {"model_id": model_id, "report": reports.append, "stop": ended.is_set}
        server = threading.Thread(target=mlperf.serve, args=(device, terminal), kwargs=options)
        server.start()
        try:
            yield terminal.path, reports
        finally:
            ended.set()
            server.join(timeout=10.0)
            assert not server.is_alive()


@needs_terminals
def test_clients_on_the_terminal_come_and_go() -> None:
    device = FakeDevice()
    with served(device) as (path, reports):
        with Port(path) as port:
            assert port.answer() == ["m-timestamp-mode-performance", "m-lap-us-0", "m-init-done"]
            port.write(b"na")
        with Port(path) as port:
            port.write(b"me%")
            assert port.answer() == ["m-name-dut-[stm32l4r5zi-emulated]"]
            port.write(b"infer 2 1%timestamp%" + b"%" * 100)
            assert port.answer()[-2:] == ["m-infer-done", f"m-results-[{','.join(['0.500'] * 12)}]"]
            assert port.answer() == ["m-lap-us-25"]
            for _ in range(100):
                assert port.answer() == ["e-[Unknown command: ]"]
    assert device.done == 3
    assert reports == [
        "model kws01; lap times are executed instructions of the inferences at one a cycle of 120 MHz, not an estimate "
        "of the board's latency"
    ]


@needs_terminals
def test_a_client_that_does_not_read_is_not_waited_for() -> None:
    with served(FakeDevice(), "mine") as (path, reports), Port(path) as port:
        port.write(b"db load 27648%")
        port.write(b"db print%" * 5)  # 600 KB of answers
        for _ in range(100):
            if len(reports) > 1:
                break
            time.sleep(0.1)
        assert reports[1:] == ["the client does not read: what it was sent is lost"]


@needs_terminals
def test_a_client_that_leaves_in_the_middle_ends_a_terminal_for_one() -> None:
    with OneClient() as terminal:
        with Port(terminal.path) as port:
            port.write(b"infer 100000 0%db load 27648%" + b"db print%" * 9)
            server = threading.Thread(
                target=mlperf.serve, args=(FakeDevice(), terminal), kwargs={"report": str, "stop": terminal.left}
            )
            server.start()
            port.answer()
        server.join(timeout=20.0)
        assert not server.is_alive()


@needs_terminals
def test_a_device_that_ends_while_nobody_asks_ends_the_command() -> None:
    device = FakeDevice()
    with PseudoTerminal() as terminal:
        device.alive = False
        with pytest.raises(EmulationError, match="the emulator has ended"):
            mlperf.serve(device, terminal, report=str, stop=Deadline(10.0))


class Deadline:
    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def __call__(self) -> bool:
        return time.monotonic() > self._at


@needs_terminals
def test_a_model_that_is_none_of_the_four_is_said_so() -> None:
    with served(FakeDevice(model([tensor((4,))], [tensor((4,))]))) as (path, reports), Port(path) as port:
        port.answer()
    assert reports[0].startswith("model other (none of the benchmark's four; input bytes as the network takes them);")


def test_what_cannot_be_served_is_refused_before_anything_is_built() -> None:
    mlperf.check(DIGITS, None)
    mlperf.check(DIGITS, "ic01")
    with pytest.raises(BadInputError, match="ad01 compares output and input"):
        mlperf.check(DIGITS, "ad01")
