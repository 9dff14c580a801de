"""MLPerf Tiny's device under test, played by firmware on an emulator: the benchmark's runner drives it as a board.

What a board's UART says is said on a pseudo-terminal. The network's inferences, and nothing else, run on the emulated
device: the protocol itself, and the conversion of inputs and results, which a board does outside of the timed laps, are
the host's. Device time is therefore the executed instructions of the inferences so far, warm-ups included, at one
instruction a cycle of the platform's clock; it stands still between inferences and does not depend on the host.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from harness import mlperf_data, model
from harness.client import InferenceError
from harness.errors import EmulationError
from harness.mlperf_data import OTHER
from harness.pty import PseudoTerminal
from harness.records import Model, Platform

FIRMWARE = "ULPMark for tinyML Firmware V0.0.1"
TERMINATOR = ord("%")
COMMAND_BYTES = 80
BUFFER_BYTES = 96 * 96 * 3
"""What the benchmark's buffer holds, and more where the network takes more."""

_READY = b"m-ready\r\n"
_PRINTED_A_LINE = 8
_WARMUPS = 10
_INT_LIMITS = (-(2**31), 2**31 - 1)
# Inferences of one request to the device, which keeps their counts until it is done.
_BATCH = 256
_POLL_S = 0.2

_HELP = (
    FIRMWARE,
    "",
    "help                 this text",
    "name                 the device's name",
    "profile              the protocol and the model's id",
    "timestamp            microseconds of device time",
    "db load N            expect N bytes",
    "db HH..              the next of them, in hexadecimal",
    "db print [N] [at]    show N bytes of them, all without N",
    "infer [N=1] [W=10]   W inferences to warm up, then N between two timestamps",
    "results              what came of the last inference",
)


class Answer(Protocol):
    """What came of a request to the device."""

    @property
    def outputs(self) -> tuple[bytes, ...]:
        """The bytes of each output tensor after the last inference."""
        ...

    @property
    def instructions(self) -> tuple[int, ...]:
        """Executed instructions of each inference."""
        ...


class Device(Protocol):
    """The serving firmware on an emulator."""

    @property
    def model(self) -> Model:
        """The network that it runs."""
        ...

    @property
    def platform(self) -> Platform:
        """What it stands for; its ``clock_hz`` makes instructions time."""
        ...

    def infer(self, inputs: Sequence[bytes], repeat: int = 1) -> Answer:
        """Run ``repeat`` inferences of one input.

        Raises:
            InferenceError: an inference failed, and others may follow.
            EmulationError: the emulator or the firmware has ended, or does not answer as it should.
        """
        ...

    def require_alive(self) -> None:
        """Do nothing while it can be asked.

        Raises:
            EmulationError: it cannot.
        """
        ...


class Dut:
    """The protocol: bytes of the client in, bytes for the client out. It does no I/O of its own.

    It reads as the benchmark's own code does: a command is what came before a ``%``, its first 80 bytes, to the first
    zero byte; words are parted by spaces alone, so that CR and LF are part of a word; words too many are ignored; a
    number is what ``atoi`` makes of it. Where that code would write outside of its buffer, this one answers an error.

    Args:
        device: what runs the inferences.
        model_id: the id to answer, which chooses the encoding of inputs and results; None takes the network's.
        report: told of a failed inference, besides the client.

    Raises:
        BadInputError: the id does not fit the network.
    """

    def __init__(self, device: Device, model_id: str | None, report: Callable[[str], None]) -> None:
        self.model_id = mlperf_data.identify(device.model) if model_id is None else model_id
        self._device = device
        self._report = report
        self._data = mlperf_data.data(device.model, self.model_id)
        self._command = bytearray()
        self._buffer = bytearray(max(BUFFER_BYTES, self._data.size_bytes))
        self._expected = self._loaded = 0
        self._input = bytes(self._data.size_bytes)
        self._instructions = 0
        self._outputs: tuple[bytes, ...] | None = None
        self._handlers: dict[bytes, Callable[[list[bytes]], Iterator[str]]] = {
            b"name": self._name,
            b"profile": self._profile,
            b"timestamp": self._timestamp,
            b"help": self._help,
            b"db": self._db,
            b"infer": self._infer,
            b"results": self._results,
        }

    def boot(self) -> bytes:
        """What the device says first."""
        lines = ("m-timestamp-mode-performance", self._lap(), "m-init-done")
        return b"".join(_line(text) for text in lines) + _READY

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take what the client sent, in pieces of any length; gives each line of the answers as soon as it is known.

        The inferences run while the lines are taken.

        Raises:
            EmulationError: the device has ended; a line has told the client before.
        """
        for byte in data:
            if byte == TERMINATOR:
                command, self._command = bytes(self._command), bytearray()
                for text in self._answer(command):
                    yield _line(text)
                yield _READY
            elif len(self._command) < COMMAND_BYTES:
                self._command.append(byte)

    def _answer(self, command: bytes) -> Iterator[str]:
        words = [word for word in command.partition(b"\0")[0].split(b" ") if word]
        handler = self._handlers.get(words[0]) if words else None
        if handler is None:
            return iter((_error(f"Unknown command: {_printable(words[0] if words else b'')}"),))
        return handler(words[1:])

    def _name(self, _arguments: list[bytes]) -> Iterator[str]:
        yield f"m-name-dut-[{self._device.platform.name}-emulated]"

    def _profile(self, _arguments: list[bytes]) -> Iterator[str]:
        yield f"m-profile-[{FIRMWARE}]"
        yield f"m-model-[{self.model_id}]"

    def _timestamp(self, _arguments: list[bytes]) -> Iterator[str]:
        yield self._lap()

    def _help(self, _arguments: list[bytes]) -> Iterator[str]:
        yield from _HELP

    def _db(self, arguments: list[bytes]) -> Iterator[str]:
        if not arguments:
            yield _error("Command 'db' requires a subcommand")
        elif arguments[0] == b"load":
            yield from self._load(arguments[1:])
        elif arguments[0] == b"print":
            yield from self._print(arguments[1:])
        else:
            yield from self._take(arguments[0])

    def _load(self, arguments: list[bytes]) -> Iterator[str]:
        """``db load N``; a refused one leaves nothing expected."""
        if not arguments:
            yield _error("Command 'db load' requires the # of bytes")
            return
        size, largest = _number(arguments[0]), len(self._buffer)
        self._expected = self._loaded = 0
        if size <= 0:
            yield _error("Command 'db load' must be >0 bytes")
        elif size > largest:
            yield _error(f"Supplied buffer size {size} exceeds maximum of {largest}")
        else:
            self._expected = size
            yield f"m-[Expecting {size} bytes]"

    def _take(self, digits: bytes) -> Iterator[str]:
        """``db HH..``: the bytes before a bad digit stay taken, digits after the last byte are disregarded."""
        if len(digits) % 2:
            yield _error("Insufficent number of hex digits")
            return
        if self._loaded == self._expected:
            yield _error("No bytes are expected: announce them by 'db load'")
            return
        for at in range(0, len(digits), 2):
            pair = digits[at : at + 2]
            if not re.fullmatch(rb"[0-9a-fA-F]{2}", pair):
                yield _error(f"Invalid hex digit '{_printable(pair)}'")
                return
            self._buffer[self._loaded] = int(pair, 16)
            self._loaded += 1
            if self._loaded == self._expected:
                yield "m-load-done"
                return

    def _print(self, arguments: list[bytes]) -> Iterator[str]:
        """``db print [N] [offset]`` shows what is there of N bytes announced, loaded or not."""
        count = _number(arguments[0]) if arguments else self._expected
        start = _number(arguments[1]) if len(arguments) > 1 else 0
        if arguments and (count <= 0 or not 0 <= start < self._expected):
            yield _error(f"Command 'db print' takes >0 bytes at an offset below the {self._expected} announced")
            return
        shown = self._buffer[start : min(start + count, self._expected)]
        for at in range(0, len(shown), _PRINTED_A_LINE):
            yield "m-buffer-" + shown[at : at + _PRINTED_A_LINE].hex("-")

    def _infer(self, arguments: list[bytes]) -> Iterator[str]:
        count = _number(arguments[0]) if arguments else 1
        warmups = _number(arguments[1]) if len(arguments) > 1 else _WARMUPS
        if count <= 0:
            yield _error("Inference iterations must be >0")
        elif warmups < 0:
            yield _error("Inference warmup must be >=0")
        else:
            yield from self._measure(count, warmups)

    def _measure(self, count: int, warmups: int) -> Iterator[str]:
        """Too few bytes are said so, and the input before is taken, at first zeros: a board does the same."""
        size = self._data.size_bytes
        if self._loaded < size:
            yield _error(f"The buffer holds {self._loaded} bytes of an input's {size}: the one before is used")
        else:
            self._input = bytes(self._buffer[:size])
        try:
            yield f"m-warmup-start-{warmups}"
            self._run(warmups)
            yield "m-warmup-done"
            yield f"m-infer-start-{count}"
            yield self._lap()
            self._run(count)
        except EmulationError as error:
            self._outputs = None
            yield _error(_printable(error.message.encode()))
            if not isinstance(error, InferenceError):
                raise
            self._report(f"inference failed: {error.message}")
            return
        yield self._lap()
        yield "m-infer-done"
        yield from self._results([])

    def _run(self, count: int) -> None:
        while count > 0:
            batch = min(count, _BATCH)
            answer = self._device.infer(self._data.inputs(self._input), batch)
            self._instructions += sum(answer.instructions)
            self._outputs = answer.outputs
            count -= batch

    def _results(self, _arguments: list[bytes]) -> Iterator[str]:
        if self._outputs is None:
            yield _error("No results: there has been no inference, or the last one failed")
        else:
            yield f"m-results-[{self._data.results(self._input, self._outputs)}]"

    def _lap(self) -> str:
        """Device time in microseconds, rounded down: a lap's two ends are off by less than one together."""
        return f"m-lap-us-{self._instructions * 1_000_000 // self._device.platform.clock_hz}"


def check(model_path: Path, model_id: str | None) -> None:
    """Say before anything is built what ``serve`` would refuse.

    Raises:
        BadInputError: the network cannot be used, or the id does not fit it.
    """
    network = model.load(model_path)
    mlperf_data.data(network, mlperf_data.identify(network) if model_id is None else model_id)


def serve(
    device: Device,
    terminal: PseudoTerminal,
    *,
    model_id: str | None = None,
    report: Callable[[str], None],
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Speak the protocol on a terminal until ``stop``, asked five times a second, or until it is interrupted.

    ``report`` is told what the user has to know, one line at a time: what the times mean, failed inferences, lost
    output. What a client does not read is lost; nothing waits for it.

    Raises:
        BadInputError: the id does not fit the network.
        EmulationError: the device has ended, also while nobody asked it anything.
    """
    dut = Dut(device, model_id, report)
    report(describe(dut, device.platform))
    terminal.write(dut.boot())
    losing = False
    while not stop():
        device.require_alive()
        for line in dut.feed(terminal.read(_POLL_S)):
            lost = terminal.write(line)
            if lost and not losing:
                report("the client does not read: what it was sent is lost")
            losing = lost > 0


def describe(dut: Dut, platform: Platform) -> str:
    """What the user has to know once: the model's id and what its times are."""
    unknown = " (none of the benchmark's four; input bytes as the network takes them)" if dut.model_id == OTHER else ""
    return (
        f"model {dut.model_id}{unknown}; lap times are executed instructions of the inferences at one a cycle of "
        f"{platform.clock_hz / 1e6:g} MHz, not an estimate of the board's latency"
    )


def _line(text: str) -> bytes:
    return text.encode("ascii") + b"\r\n"


def _error(text: str) -> str:
    return f"e-[{text}]"


def _printable(text: bytes) -> str:
    """ASCII of one line; what cannot be printed as \\xNN."""
    return "".join(chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}" for byte in text)


def _number(word: bytes) -> int:
    """As C's atoi on a 32-bit device: leading digits, 0 where there are none, limited."""
    digits = re.match(rb"[\t\n\v\f\r]*([+-]?[0-9]+)", word)
    low, high = _INT_LIMITS
    return min(max(int(digits[1]), low), high) if digits else 0
