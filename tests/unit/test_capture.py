"""Reading a board over a pseudo-terminal that a thread talks on: runs, damaged ones, ports that do not open."""

from __future__ import annotations

import csv
import errno
import fcntl
import os
import threading
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
import serial

from harness import capture, cli, model, platforms, reference
from harness.errors import BadInputError, HarnessError
from tests.conftest import DIGITS, needs_terminals

pytestmark = needs_terminals

CLOCK_HZ = 80_000_000
OPERATORS = len(model.load(DIGITS).operators)
OVERHEAD = 12
# As the firmware counts: before the first operator; of each its Eval, the check of its outputs, the way on.
SEGMENTS = [100] + [value for index in range(OPERATORS) for value in (1000 * (index + 1), 500, 50)]
CRCS = [0x1000_0000 + index for index in range(OPERATORS)]
OUTPUT = bytes(range(10))

BEGIN = "@begin wire=1 tflm=2020-07 kernels=cmsis-nn\n"
END = "@end status=0\n"
FAULT = (
    "@fault exception=3 pc=08000100 lr=08000200 xpsr=61000000 sp=20001fe0 cfsr=00010000 hfsr=40000000 mmfar=e000ed34"
    " bfar=e000ed38 overflow=0\n@end status=2\n"
)


def board(clock_hz: int = CLOCK_HZ, full: int = 1) -> str:
    return f"@board clock_hz={clock_hz} full={full} overhead={OVERHEAD}\n"


def run(head: str = BEGIN, first: str | None = None, segments: list[int] | None = None) -> str:
    """What a board prints."""
    lines = [head, board() if first is None else first]
    lines += [f"@cycles index={index} count={count}\n" for index, count in enumerate(segments or SEGMENTS)]
    lines.append("@stack used=680 reserved=65536\n")
    lines += [f"@node index={index} crc32={crc:08x}\n" for index, crc in enumerate(CRCS)]
    lines += [f"@output index=0 size={len(OUTPUT)}\n", f"@data {OUTPUT.hex()}\n", END]
    return "".join(lines)


Talk = Callable[["Board"], None]


class Board:
    """The other end of a serial port."""

    def __init__(self) -> None:
        self.handle, slave = os.openpty()
        tty.setraw(slave)
        self.port = os.ttyname(slave)
        self._slave = slave
        self._thread: threading.Thread | None = None

    def say(self, text: str | bytes) -> None:
        os.write(self.handle, text if isinstance(text, bytes) else text.encode())

    def hear(self) -> bytes:
        return os.read(self.handle, 100)

    def talk(self, what: Talk) -> None:
        """In the background, once somebody has opened the port and asked."""

        def begin() -> None:
            assert self.hear() == b"\n"
            what(self)

        self._thread = threading.Thread(target=begin, daemon=True)
        self._thread.start()

    def close(self) -> None:
        if self._thread is not None:
            self._thread.join(timeout=10)
        os.close(self.handle)
        os.close(self._slave)


@pytest.fixture
def device() -> Iterator[Board]:
    made = Board()
    yield made
    made.close()


def captured(device: Board, *said: str | bytes, timeout_s: float = 5.0) -> capture.Capture:
    def talk(board: Board) -> None:
        for part in said:
            board.say(part)

    device.talk(talk)
    return capture.capture(device.port, timeout_s=timeout_s)


def test_a_run_is_read(device: Board) -> None:
    result = captured(device, run())
    assert (result.clock_hz, result.full_clock, result.overhead) == (CLOCK_HZ, True, OVERHEAD)
    assert [layer.cycles for layer in result.layers] == SEGMENTS[1::3]
    assert [layer.output_crc32 for layer in result.layers] == [f"{crc:08x}" for crc in CRCS]
    assert result.between == 100 + 50 * OPERATORS
    assert result.total == sum(SEGMENTS[1::3]) + result.between - (2 * OPERATORS + 1) * OVERHEAD
    assert result.seconds == result.total / CLOCK_HZ
    assert (result.tflm, result.kernels, result.stack_used) == ("2020-07", "cmsis-nn", 680)
    assert result.outputs == (OUTPUT.hex(),)
    assert result.output_exact is None and result.layers[0].exact is None and result.layers[0].op is None


def test_bytes_that_come_one_by_one_are_put_together(device: Board) -> None:
    text = run().replace("\n", "\r\n")
    assert captured(device, *(text[at : at + 1] for at in range(len(text)))).clock_hz == CLOCK_HZ


def test_a_port_opened_in_the_middle_waits_for_the_next_run(device: Board) -> None:
    before = run(segments=[7] * len(SEGMENTS))
    result = captured(device, before[len(before) // 2 :], b"\0\xff", run())
    assert result.layers[0].cycles == SEGMENTS[1]


def test_a_reset_in_the_middle_begins_anew(device: Board) -> None:
    before = run(segments=[7] * len(SEGMENTS))
    result = captured(device, before[:-40], run())
    assert result.layers[0].cycles == SEGMENTS[1]


def test_the_clock_after_a_reset_is_named(device: Board) -> None:
    result = captured(device, run(first=board(4_000_000, 0)))
    assert (result.clock_hz, result.full_clock) == (4_000_000, False)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ((), r"nothing came in 0\.3 s"),
        ((b"\x00\xfe\x82\xff" * 40,), "make no sense: its speed is another"),
        (("hello from another firmware\r\n",), "not from firmware of the harness: 'hello from another firmware'"),
        ((run()[:200],), r"fell silent for 0\.3 s in the middle of its run"),
        ((BEGIN + FAULT,), r"the board reports: HardFault \(undefined instruction\) at PC 0x08000100"),
        ((BEGIN + board() + "@log text=too small\n@error stage=allocate node=-1\n@end status=1\n",),
         "the board reports: an error of stage 'allocate': too small"),
        ((BEGIN + board() + "@error stage=prepare node=2\n@end status=1\n",), "stage 'prepare' at operator 2"),
        ((BEGIN + "@log text=HALTED\n",), "TFLM stopped on the board with HALTED"),
        ((BEGIN + "@stack used=1 reserved=2\n" + END,), "counts no cycles"),
        ((run().replace("@node index=1", "@nose index=1"),), "a line was damaged on its way"),
        ((run().replace(f"@cycles index={len(SEGMENTS) - 1} count=50\n", ""),), "segments for .* operators"),
        ((BEGIN.replace("wire=1", "wire=9") + board() + END,), "wire version 9, expected 1"),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_named(device: Board, said: tuple[str | bytes, ...], message: str) -> None:
    with pytest.raises(HarnessError, match=message) as caught:
        captured(device, *said, timeout_s=0.3)
    assert caught.value.exit_code == 3


def test_a_segment_beyond_the_counter_is_noticed() -> None:
    texts = run().splitlines()
    wrap_s = 2**32 / CLOCK_HZ
    lines = [
        capture.Line(text=text, seconds=0.0 if text.startswith(("@begin", "@board")) else 1.0 + wrap_s)
        for text in texts
    ]
    with pytest.raises(HarnessError, match="beyond the counter's 32 bits"):
        capture.interpret(lines, "port", None)
    in_time = [msgspec.structs.replace(line, seconds=min(line.seconds, 0.4 * wrap_s)) for line in lines]
    assert capture.interpret(in_time, "port", None).clock_hz == CLOCK_HZ


def network(platform: str = "stm32l496zg", crcs: list[int] | None = None) -> capture.Network:
    golden = reference.Reference(
        crcs=tuple(crcs or CRCS),
        outputs=(OUTPUT,),
        expf="host",
        host_outputs=(OUTPUT,),
        tflite_micro_outputs=None,
        tflite_micro_reason=None,
        tflite_micro_version="0",
    )
    return capture.Network(model=model.load(DIGITS), platform=platforms.load(platform), input="x", golden=golden)


def lines(text: str) -> list[capture.Line]:
    return [capture.Line(text=line, seconds=0.0) for line in text.splitlines()]


def test_layers_get_names_and_outputs_are_compared() -> None:
    result = capture.interpret(lines(run()), "port", network())
    assert [layer.op for layer in result.layers] == [item.op for item in model.load(DIGITS).operators]
    assert result.output_exact is True and all(layer.exact for layer in result.layers)
    assert (result.platform, result.model) == ("stm32l496zg", "digits.tflite")
    other = capture.interpret(lines(run()), "port", network(crcs=[CRCS[0], 1, *CRCS[2:]]))
    assert other.output_exact is False
    assert [layer.exact for layer in other.layers[:3]] == [True, False, True]


def test_another_network_or_board_is_refused() -> None:
    fewer = run().replace(f"@node index={OPERATORS - 1} crc32={CRCS[-1]:08x}\n", "")
    with pytest.raises(BadInputError, match=f"a network of {OPERATORS - 1} operators; digits.tflite has {OPERATORS}"):
        capture.interpret(lines(fewer), "port", network())
    with pytest.raises(BadInputError, match="the board's clock is 80 MHz; stm32f446re has 180"):
        capture.interpret(lines(run()), "port", network("stm32f446re"))
    assert capture.interpret(lines(run(first=board(full=0))), "port", network("stm32f446re")).full_clock is False


def test_the_csv_has_a_row_for_each_layer(tmp_path: Path) -> None:
    path = tmp_path / "cycles.csv"
    capture.write_csv(capture.interpret(lines(run()), "port", network()), path)
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == capture.CSV_COLUMNS
    assert [int(row["cycles"]) for row in rows] == SEGMENTS[1::3]
    assert rows[0] == {
        "index": "0",
        "op": "CONV_2D",
        "cycles": "1000",
        "clock_hz": str(CLOCK_HZ),
        "full_clock": "1",
        "overhead_cycles": str(OVERHEAD),
    }
    with pytest.raises(BadInputError, match="cannot be written"):
        capture.write_csv(capture.interpret(lines(run()), "port", None), tmp_path)


# --- ports -----------------------------------------------------------------------------------------------------------


def test_a_port_that_is_not_there() -> None:
    with pytest.raises(BadInputError, match="there is no port /dev/ttyNOTHING"):
        capture.capture("/dev/ttyNOTHING")


def test_a_file_is_no_port(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(BadInputError, match="cannot be used as a serial port"):
        capture.capture(str(path))


def test_a_port_that_somebody_has_open(device: Board) -> None:
    with Path(device.port).open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(BadInputError, match="is busy"):
            capture.capture(device.port)


def test_a_port_without_permission(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise serial.SerialException(errno.EACCES, "could not open port /dev/ttyACM0")

    monkeypatch.setattr(serial, "Serial", refuse)
    with pytest.raises(BadInputError, match="/dev/ttyACM0: permission denied") as caught:
        capture.capture("/dev/ttyACM0")
    assert caught.value.hint is not None and "dialout" in caught.value.hint


def test_a_port_that_goes_away() -> None:
    device = Board()

    def pull_the_cable(board: Board) -> None:
        board.say(BEGIN)
        time.sleep(0.2)
        os.close(board.handle)
        os.close(board._slave)

    device.talk(pull_the_cable)
    with pytest.raises(HarnessError, match="went away"):
        capture.capture(device.port, timeout_s=5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeout_s": 0.0}, "time limit of 0 s"),
        ({"platform": "stm32l496zg"}, "say nothing without --model"),
        ({"model_path": DIGITS}, "alone does not say"),
        ({"baud": -5}, "-5 bits a second cannot be set"),
    ],
)
def test_arguments_that_cannot_be_used(device: Board, options: dict[str, object], message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        capture.capture(device.port, **options)  # type: ignore[arg-type]


# --- the command -----------------------------------------------------------------------------------------------------


def test_the_command_shows_a_table_and_writes_the_csv(
    device: Board, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    device.talk(lambda board: board.say(run()))
    path = tmp_path / "cycles.csv"
    with pytest.raises(SystemExit) as ended:
        cli.main(["capture", "--port", device.port, "--timeout", "5", "--output", str(path)])
    out, err = capsys.readouterr()
    assert ended.value.code == 0
    assert f"waiting on {device.port}: press the board's reset button" in err
    assert "80 MHz" in out and "988" in out and "outputs not compared" in out
    assert len(path.read_text().splitlines()) == 1 + OPERATORS


def test_the_command_prints_json(device: Board, capsys: pytest.CaptureFixture[str]) -> None:
    device.talk(lambda board: board.say(run()))
    with pytest.raises(SystemExit) as ended:
        cli.main(["capture", "--port", device.port, "--timeout", "5", "--json"])
    assert ended.value.code == 0
    shown = msgspec.json.decode(capsys.readouterr().out)
    assert shown["clock_hz"] == CLOCK_HZ and len(shown["layers"]) == OPERATORS
    assert shown["total"] == sum(SEGMENTS[1::3]) + shown["between"] - (2 * OPERATORS + 1) * OVERHEAD


def test_the_command_refuses_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["capture", "--port", "/dev/null", "--output", str(tmp_path / "no" / "cycles.csv")])
    assert ended.value.code == 2
