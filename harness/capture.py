"""Read what firmware of ``harness build --flashable`` prints on its board: cycles per layer, outputs to compare."""

from __future__ import annotations

import contextlib
import csv
import errno
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness import inputs, library, model, reference, wire
from harness.errors import BadInputError, HarnessError
from harness.library import Progress, silent
from harness.records import Model, Platform, Record
from harness.setup import Options, prepare

if TYPE_CHECKING:
    import serial

BAUD = 115200
DEFAULT_TIMEOUT_S = 60.0
CSV_COLUMNS = ("index", "op", "cycles", "clock_hz", "full_clock", "overhead_cycles")

_BEGIN, _END = b"@begin ", b"@end "
_POLL_S = 0.1
# So many bytes, most of them unprintable, and then so long a silence: the speed is wrong.
_GARBAGE_BYTES = 32
_GARBAGE_SILENCE_S = 3.0
_COUNTER = 2**32


class Line(Record, frozen=True):
    """A line of the console and when it was complete, in seconds of a monotonic clock."""

    text: str
    seconds: float


class CapturedLayer(Record, frozen=True):
    """One operator: cycles between the marks around its Eval, CRC-32 of its outputs and whether that is the host's.

    ``op`` and ``exact`` are None where the network is not known.
    """

    index: int
    op: str | None
    cycles: int
    output_crc32: str
    exact: bool | None


class Capture(Record, frozen=True):
    """One inference on a board, in cycles of its core.

    Each count holds ``overhead`` cycles of the marks themselves, the same in every segment but for caches: a layer's
    own are ``cycles - overhead``. ``between`` is the sum of the segments between the operators. ``full_clock`` is False
    where the board did not get to its full clock, and ran on the one after reset.
    """

    port: str
    platform: str | None
    model: str | None
    model_sha256: str | None
    input: str | None
    tflm: str | None
    kernels: str | None
    clock_hz: int
    full_clock: bool
    overhead: int
    between: int
    layers: tuple[CapturedLayer, ...]
    stack_used: int | None
    outputs: tuple[str, ...]
    output_exact: bool | None

    @property
    def total(self) -> int:
        """Cycles of the inference: layers and what lies between them, less the marks."""
        segments = 2 * len(self.layers) + 1
        return sum(layer.cycles for layer in self.layers) + self.between - segments * self.overhead

    @property
    def seconds(self) -> float:
        """How long the inference took, by the clock that the board says it has."""
        return self.total / self.clock_hz


class Network(Record, frozen=True):
    """What is known of what the board runs: the network, the platform, and the outputs that there must be."""

    model: Model
    platform: Platform
    input: str
    golden: reference.Reference


def capture(
    port: str,
    *,
    baud: int = BAUD,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    model_path: str | Path | None = None,
    platform: str | None = None,
    fpu: bool | None = None,
    input_paths: Sequence[str | Path] = (),
    progress: Progress = silent,
) -> Capture:
    """Wait for one run of a board and read it.

    Args:
        port: the serial port, as "/dev/ttyACM0".
        baud: its speed in bits a second.
        timeout_s: how long the board may be silent, in seconds.
        model_path, platform, fpu, input_paths: what was built for the board, to name its layers and to compare its
            outputs with the host's; no model: neither is done.
        progress: told what is being done.

    Raises:
        BadInputError: the port or an argument cannot be used, or the board runs another network or has another clock.
        HarnessError: nothing came, or nothing that makes sense; or the board reports an error.
    """
    if not timeout_s > 0:
        raise BadInputError(f"a time limit of {timeout_s:g} s cannot be kept", "give more than 0")
    network = _network(model_path, platform, fpu, input_paths, progress)
    with _open(port, baud) as device:
        progress(f"waiting on {port}: press the board's reset button", None, None)
        lines = listen(device, timeout_s, progress)
    return interpret(lines, port, network)


def _network(
    model_path: str | Path | None,
    platform: str | None,
    fpu: bool | None,
    input_paths: Sequence[str | Path],
    progress: Progress,
) -> Network | None:
    if model_path is None:
        if platform is not None or input_paths:
            raise BadInputError("--platform and --input say nothing without --model", "give all that was built from")
        return None
    if platform is None:
        known = model.load(Path(model_path))
        raise BadInputError(
            f"{known.path.name} alone does not say what the outputs must be: that depends on the core's FPU",
            "give --platform",
        )
    setup = prepare(Path(model_path), platform, Options(fpu=fpu))
    paths = [Path(path) for path in input_paths]
    data = inputs.load(paths, setup.model) if paths else inputs.deterministic(setup.model)
    host = library.for_host(progress)
    progress("computing the reference on the host", None, None)
    golden = reference.compute(setup.model, data, host, setup.fpu)
    return Network(model=setup.model, platform=setup.platform, input=data.origin, golden=golden)


@contextlib.contextmanager
def _open(port: str, baud: int) -> Iterator[serial.Serial]:
    import serial

    try:
        device = serial.Serial(port, baud, timeout=_POLL_S, write_timeout=1.0, exclusive=True)
    except ValueError as error:
        raise BadInputError(f"{baud} bits a second cannot be set: {error}", f"the firmware talks at {BAUD}") from error
    except serial.SerialException as error:
        raise _not_opened(port, error) from error
    with device:
        try:
            yield device
        except serial.SerialException as error:
            raise HarnessError(f"{port} went away: {error}", "is the cable still in?") from error


def _not_opened(port: str, error: serial.SerialException) -> HarnessError:
    if error.errno == errno.ENOENT:
        from serial.tools import list_ports

        found = ", ".join(sorted(item.device for item in list_ports.comports()))
        return BadInputError(f"there is no port {port}", f"found: {found}" if found else "no serial port was found")
    if error.errno in (errno.EACCES, errno.EPERM):
        return BadInputError(
            f"{port}: permission denied", 'sudo usermod -a -G dialout "$USER", and log in again (uucp on some systems)'
        )
    if error.errno in (errno.EBUSY, errno.EAGAIN):
        return BadInputError(f"{port} is busy", "end the program that has it open (a terminal, another capture)")
    return BadInputError(f"{port} cannot be used as a serial port: {error}")


def listen(device: serial.Serial, timeout_s: float, progress: Progress = silent) -> tuple[Line, ...]:
    """The lines of one whole run, from "@begin" to "@end".

    What comes before a beginning is passed over; a run that begins anew in the middle, as after a reset, is taken from
    there. A byte is sent first: a board that has ended its run starts another one for it.

    Raises:
        HarnessError: silence for ``timeout_s`` seconds, garbage, or a firmware that has stopped for good.
    """
    import serial

    with contextlib.suppress(serial.SerialTimeoutException):  # then the button must do
        device.write(b"\n")
    lines: list[Line] = []
    seen, rest = bytearray(), b""
    heard = time.monotonic()
    while True:
        data = device.read(max(1, device.in_waiting))
        now = time.monotonic()
        if not data:
            _check_silence(now - heard, timeout_s, bytes(seen), lines)
            continue
        heard = now
        if not lines:
            seen += data
        *whole, rest = (rest + data).split(b"\n")
        for raw in whole:
            begin = raw.rfind(_BEGIN)
            if begin >= 0:
                lines = [Line(text=raw[begin:].decode(errors="replace"), seconds=now)]
                progress("the board has begun", None, None)
            elif lines:
                lines.append(Line(text=raw.decode(errors="replace").rstrip("\r"), seconds=now))
                if raw.startswith(_END):
                    return tuple(lines)
                if wire.HALTED in raw:
                    raise HarnessError("TFLM stopped on the board with HALTED: a check of one of its kernels failed")


def _check_silence(silent_s: float, timeout_s: float, seen: bytes, lines: list[Line]) -> None:
    """Raises:
    HarnessError: it has lasted too long for what was heard before.
    """
    printable = sum(byte in b"\r\n\t" or 0x20 <= byte < 0x7F for byte in seen)
    garbage = not lines and len(seen) >= _GARBAGE_BYTES and printable < 0.7 * len(seen)
    if garbage and silent_s >= min(_GARBAGE_SILENCE_S, timeout_s):
        raise HarnessError(
            f"the board sends {len(seen)} bytes that make no sense: its speed is another",
            f"the firmware talks at {BAUD} bits a second; is another one flashed?",
        )
    if silent_s < timeout_s:
        return
    if lines:
        raise HarnessError(
            f"the board fell silent for {timeout_s:g} s in the middle of its run",
            f"its last line: {lines[-1].text[:200]}; a longer --timeout, where the network is that slow",
        )
    if seen:
        text = seen.decode(errors="replace").strip().splitlines()
        last = f": {text[-1][:100]!r}" if text else ""
        raise HarnessError(
            f"what came in {timeout_s:g} s is not from firmware of the harness{last}", "press reset after the start"
        )
    raise HarnessError(
        f"nothing came in {timeout_s:g} s",
        "press the board's reset button; is the firmware flashed, the port the right one?",
    )


def interpret(lines: Sequence[Line], port: str, network: Network | None) -> Capture:
    """What the lines of a whole run say.

    Raises:
        BadInputError: the board runs another network than the one named, or its clock is not the platform's.
        HarnessError: a line is damaged, the board reports an error, or it does not count cycles.
    """
    try:
        console = wire.parse("\n".join(line.text for line in lines))
    except wire.WireError as error:
        raise HarnessError(f"a line was damaged on its way: {error}", "capture again") from error
    if console.fault is not None or console.failure is not None or console.status != wire.STATUS_OK:
        raise HarnessError(f"the board reports: {_describe(console, network)}", detail="\n".join(console.log) or None)
    board = console.board
    if board is None or not console.cycles:
        raise HarnessError("the firmware on the board counts no cycles", "harness build MODEL --platform P --flashable")
    operators = len(console.crcs)
    if network is not None:
        _check_same(network, operators, board)
    if len(console.cycles) != 1 + 3 * operators:
        raise HarnessError(
            f"{len(console.cycles)} segments for {operators} operators: lines were lost", "capture again"
        )
    _check_not_wrapped(lines, console.cycles, board.clock_hz)
    golden = None if network is None else network.golden
    return Capture(
        port=port,
        platform=None if network is None else network.platform.name,
        model=None if network is None else network.model.path.name,
        model_sha256=None if network is None else network.model.sha256,
        input=None if network is None else network.input,
        tflm=console.tflm,
        kernels=console.kernels,
        clock_hz=board.clock_hz,
        full_clock=board.full,
        overhead=board.overhead,
        between=console.cycles[0] + sum(console.cycles[3::3]),
        layers=tuple(
            CapturedLayer(
                index=index,
                op=None if network is None else network.model.operators[index].op,
                cycles=cycles,
                output_crc32=f"{crc:08x}",
                exact=None if golden is None else crc == golden.crcs[index],
            )
            for index, (cycles, crc) in enumerate(zip(console.cycles[1::3], console.crcs, strict=True))
        ),
        stack_used=console.stack_used,
        outputs=tuple(output.hex() for output in console.outputs),
        output_exact=None if golden is None else console.outputs == golden.outputs and console.crcs == golden.crcs,
    )


def _describe(console: wire.Console, network: Network | None) -> str:
    if network is not None:
        return reference.describe_failure(console, network.model)
    if console.fault is not None:
        return console.fault.describe()
    if console.failure is None:
        return f"it ended with status {console.status}"
    where = "" if console.failure.node is None else f" at operator {console.failure.node}"
    return f"an error of stage {console.failure.stage!r}{where}" + (f": {console.log[-1]}" if console.log else "")


def _check_same(network: Network, operators: int, board: wire.Board) -> None:
    expected = len(network.model.operators)
    if operators != expected:
        raise BadInputError(
            f"the board runs a network of {operators} operators; {network.model.path.name} has {expected}",
            "name the network that was flashed",
        )
    if board.full and board.clock_hz != network.platform.clock_hz:
        raise BadInputError(
            f"the board's clock is {board.clock_hz / 1e6:g} MHz; {network.platform.name} has "
            f"{network.platform.clock_hz / 1e6:g}",
            "name the platform that was built for",
        )


def _check_not_wrapped(lines: Sequence[Line], cycles: Sequence[int], clock_hz: int) -> None:
    """The counter has 32 bits, so that a segment loses 2^32 cycles without a word: the time that passed shows it."""
    started = next(line.seconds for line in lines if line.text.startswith("@board "))
    ended = next(line.seconds for line in lines if line.text.startswith("@cycles "))
    missing = ended - started - sum(cycles) / clock_hz
    if missing > _COUNTER / clock_hz / 2:
        raise HarnessError(
            f"the inference took {ended - started:.1f} s, {missing:.1f} more than the counted cycles: a layer of "
            f"{_COUNTER / clock_hz:.0f} s and more is beyond the counter's 32 bits",
            "a smaller network, or faster kernels; or the port was read too late: capture again",
        )


def write_csv(captured: Capture, path: Path) -> None:
    """One row for each layer: index, op (empty where the network is not known), cycles between its marks, the clock in
    Hz, 1 where that is the board's full one, and the cycles of the marks that every count holds.

    Raises:
        BadInputError: the file cannot be written.
    """
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(CSV_COLUMNS)
            for layer in captured.layers:
                rows.writerow(
                    (
                        layer.index,
                        layer.op or "",
                        layer.cycles,
                        captured.clock_hz,
                        int(captured.full_clock),
                        captured.overhead,
                    )
                )
    except OSError as error:
        raise BadInputError(f"{path}: cannot be written: {error.strerror}", "name another --output") from error
