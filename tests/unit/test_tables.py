"""Tables: never wider than the terminal, numbers whole, plain where there is no terminal, names as they are."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable

import msgspec
import pytest
import result_maker
from rich.cells import cell_len
from rich.console import Console, RenderableType

from harness import isa, platforms
from harness.report import doctor, tables
from harness.result import Result
from harness.store import Stored

LONG_ID = "a-network-with-quite-a-long-name-of-its-own-stm32l4r5zi-reference-Ofast-nofpu-0123456789ab"
HOSTILE = "[bold]x[/bold] [/] [link=http://x.test]y :smile: \x1b[2J\x1b]0;title\x07 a\nb\rc.tflite"
SHOWN = "[bold]x[/bold] [/] [link=http://x.test]y :smile: \ufffd[2J\ufffd]0;title\ufffd a\ufffdb\ufffdc.tflite"


class Stream(io.TextIOWrapper):
    """Standard output that is a terminal, or none."""

    def __init__(self, terminal: bool, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding, write_through=True)
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    def text(self) -> str:
        self.flush()
        content = self.buffer.getvalue()  # type: ignore[attr-defined]
        return str(content.decode(self.encoding))


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "LINES", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


Show = Callable[..., str]


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Show:
    """What a user sees of a renderable, or of what a function of the console renders."""

    def printed(
        what: RenderableType | Callable[[Console], RenderableType],
        width: int | None = 80,
        terminal: bool = False,
        encoding: str = "utf-8",
    ) -> str:
        stream = Stream(terminal, encoding)
        monkeypatch.setattr(sys, "stdout", stream)
        if width is not None:
            monkeypatch.setenv("COLUMNS", str(width))
        console = tables.console()
        console.print(what(console) if callable(what) else what)
        return stream.text()

    return printed


def result_of(run: Result) -> Callable[[Console], RenderableType]:
    return lambda console: tables.result(run, console)


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


ORDINARY = result_maker.result()
LARGE = result_maker.result(
    (
        result_maker.layer(0, "CONV_2D", 11_234_567_890, 12_000_000_000, macs=1_222_333_444),
        result_maker.layer(1, "RESIZE_NEAREST_NEIGHBOR", 123_456, 12_000_000_000, output_exact=False),
        *(
            result_maker.layer(index, "DEPTHWISE_CONV_2D", 45_678_901, 12_000_000_000, macs=12_501_632)
            for index in range(2, 13)
        ),
    ),
    verdict=msgspec.structs.replace(
        ORDINARY.verdict, passed=False, reasons=("layer 1 (RESIZE_NEAREST_NEIGHBOR) differs from the host build", "b")
    ),
    memory=msgspec.structs.replace(
        ORDINARY.memory,
        flash=2_123_456,
        flash_budget=2**21,
        code=1_023_456,
        model=1_100_000,
        arena=4_100_000,
        ram=4_200_000,
    ),
    run_id=LONG_ID,
)
ODD = result_maker.result(
    model=msgspec.structs.replace(ORDINARY.model, file=HOSTILE),
    check=msgspec.structs.replace(
        ORDINARY.check, input=HOSTILE, tflite_micro_exact=None, tflite_micro_reason="[/bold] \x1b[31mno\nkernel"
    ),
    platform="[red]board",
)
RESULTS = {"ordinary": ORDINARY, "large": LARGE, "odd": ODD}
STORED = [
    Stored(run_id=name, created="2026-01-02T03:04:05+00:00", result=ORDINARY, damage=None)
    for name in ("kws-rp2040", LONG_ID, "[bold]x[/]")
] + [Stored(run_id="torn", created=None, result=None, damage="torn: manifest.json: [red]is[/] truncated")]
EVERYTHING: dict[str, RenderableType | Callable[[Console], RenderableType]] = {
    **{name: result_of(run) for name, run in RESULTS.items()},
    "summary": tables.summary(RESULTS.values()),
    "platforms": tables.platforms(platforms.all()),
    "runs": tables.runs(STORED),
    "no runs": tables.runs([]),
}


@pytest.mark.parametrize("terminal", [False, True], ids=["file", "terminal"])
@pytest.mark.parametrize("width", [60, 80, 100, 120, 160])
@pytest.mark.parametrize("name", EVERYTHING)
def test_no_line_is_wider_than_there_is_room(show: Show, name: str, width: int, terminal: bool) -> None:
    lines = plain(show(EVERYTHING[name], width, terminal)).splitlines()
    assert max(map(cell_len, lines)) <= width
    # A number with a digit lost would be another number.
    assert not re.search(r"[\d.,]…|…[\d.,]", "\n".join(lines))


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("name", RESULTS)
def test_numbers_are_whole(show: Show, name: str, width: int) -> None:
    run = RESULTS[name]
    words = show(result_of(run), width).split()
    counts = [layer.instructions for layer in run.layers]
    for number in (*counts, run.counts.overhead, run.counts.total, run.memory.flash, run.memory.ram + run.memory.stack):
        assert f"{number:,}" in words
    if width >= 80:
        for number in (*(layer.macs for layer in run.layers if layer.macs), run.counts.macs, run.memory.arena):
            assert f"{number:,}" in words
    if width >= 120:
        for layer in run.layers:
            assert layer.instructions_per_mac is None or f"{layer.instructions_per_mac:.2f}" in words


@pytest.mark.parametrize("width", [60, 80])
def test_numbers_of_a_comparison_are_whole(show: Show, width: int) -> None:
    words = show(tables.summary(RESULTS.values()), width).split()
    for run in RESULTS.values():
        assert f"{run.counts.total:,}" in words
        assert f"{run.memory.flash:,}" in words
    assert words.count("pass") == 2
    assert words.count("fail") == 1


def test_columns_go_where_there_is_no_room_for_them(show: Show) -> None:
    def header(width: int) -> list[str]:
        return next(line for line in show(result_of(ORDINARY), width).splitlines() if line.startswith("#")).split()

    assert header(120) == ["#", "operator", "output", "instructions", "share", "MACs", "ins/MAC", "instruction", "mix"]
    assert header(80) == ["#", "operator", "output", "instructions", "share", "MACs", "ins/MAC"]
    assert header(25) == ["#", "operator", "instructions"]


def test_a_layer_that_differs_is_marked_at_any_width(show: Show) -> None:
    for width in (60, 80, 120):
        assert "RESIZE_NEAREST_NEIGHBOR differs" in show(result_of(LARGE), width)


def test_a_file_gets_plain_text(show: Show) -> None:
    for what in EVERYTHING.values():
        text = show(what, 120)
        assert "\x1b" not in text
        assert not set(text) & set("▏▎▍▌▋▊▉█")


def test_a_terminal_gets_colours_and_blocks_and_no_colours_where_they_are_not_wanted(
    show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    coloured = show(result_of(ORDINARY), 120, terminal=True)
    colours = r"\x1b\[(?:\d+;)*(?:3[0-7]|38|9[0-7])[;m]"
    assert re.search(colours, coloured)
    assert "█" in coloured
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(colours, show(result_of(ORDINARY), 120, terminal=True))


@pytest.mark.parametrize(
    ("share", "hashes", "blocks"),
    [
        (0.0, "", ""),
        (0.5, "#####", "█████"),
        (1.0, "##########", "██████████"),
        (0.0625, "#", "▋"),
        (0.34, "###", "███▍"),
    ],
)
def test_bars(show: Show, share: float, hashes: str, blocks: str) -> None:
    run = result_maker.result((result_maker.layer(0, "ADD", 900, 1000, share=share),))
    for terminal, encoding, drawn in ((False, "utf-8", hashes), (True, "ascii", hashes), (True, "utf-8", blocks)):
        text = plain(show(result_of(run), 120, terminal, encoding))
        assert f"  {drawn.ljust(10)} {100 * share:5.1f}%" in text


def test_names_are_text_and_not_markup_or_commands_to_the_terminal(show: Show) -> None:
    for terminal in (False, True):
        text = show(result_of(ODD), 160, terminal)
        shown = plain(text)
        assert shown.startswith(f"{SHOWN} on [red]board, ")
        assert f"input: {SHOWN}\n" in shown
        assert "tflite-micro: [/bold] \ufffd[31mno\ufffdkernel)" in shown
        assert "\x1b" not in shown
        assert "\r" not in shown
    assert "[red]board" in show(tables.summary([ODD]), 120)
    shown = show(tables.runs(STORED), 160)
    assert "[bold]x[/]" in shown
    assert "unreadable" in shown and "torn: manifest.json: [red]is[/] truncated" in shown


def test_a_name_that_the_encoding_lacks_is_no_error(show: Show) -> None:
    run = result_maker.result(model=msgspec.structs.replace(ORDINARY.model, file="é.tflite"))
    assert show(result_of(run), 80, encoding="ascii").startswith("?.tflite on stm32l496zg")
    assert show(tables.platforms(platforms.all()), 70, encoding="ascii")  # with an ellipsis


@pytest.mark.parametrize(
    ("columns", "width"), [(None, 160), ("", 160), ("0", 160), ("-3", 160), ("wide", 160), ("90", 90)]
)
def test_how_wide_a_file_is(monkeypatch: pytest.MonkeyPatch, columns: str | None, width: int) -> None:
    monkeypatch.setattr(sys, "stdout", Stream(terminal=False))
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    assert tables.console().width == width


def test_what_stands_around_the_table(show: Show) -> None:
    passing, failing = (show(result_of(run), 160) for run in (ORDINARY, LARGE))
    assert "TFLM July 2020" in passing
    assert "ran on mps2-an386 in its place: same core, other memory map\n" in passing
    assert "PASS  fits stm32l496zg, every layer bit-exact, 1,000 instructions\n" in passing
    assert "FAIL  layer 1 (RESIZE_NEAREST_NEIGHBOR) differs from the host build; b\n" in failing
    assert "PASS" not in failing
    machine = msgspec.structs.replace(ORDINARY.machine, stands_in=False)
    assert "in its place" not in show(result_of(result_maker.result(machine=machine)), 160)
    noted = msgspec.structs.replace(ORDINARY.machine, notes=("code built for cortex-m0",))
    assert "other memory map; code built for cortex-m0\n" in show(result_of(result_maker.result(machine=noted)), 160)
    other = msgspec.structs.replace(ORDINARY.machine, core="cortex-m7")
    assert "in its place: other memory map\n" in show(result_of(result_maker.result(machine=other)), 160)


def test_there_is_no_column_for_what_the_emulator_does_not_tell(show: Show) -> None:
    layers = tuple(msgspec.structs.replace(layer, classes=None, functions=None) for layer in ORDINARY.layers)
    counts = msgspec.structs.replace(ORDINARY.counts, classes=None)
    assert "mix" not in show(result_of(result_maker.result(layers=layers, counts=counts, functions=None)), 160)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_run_id_can_be_read_in_full(show: Show, width: int) -> None:
    for what in (result_of(LARGE), tables.runs(STORED)):
        assert LONG_ID in "".join(show(what, width).split())


def test_the_largest_classes_are_named_and_no_instructions_are_no_mix() -> None:
    counts = dict.fromkeys(isa.CLASSES, 0) | {"mac": 50, "load": 30, "alu": 15, "store": 5}
    assert tables.mix(counts) == "mac 50%  load 30%  alu 15%"
    assert tables.mix(dict.fromkeys(isa.CLASSES, 0) | {"mve": 7}) == "mve 100%"
    assert tables.mix(dict.fromkeys(isa.CLASSES, 0)) == "-"
    assert (tables.number(None), tables.number(0.0)) == ("-", "0.00")


def test_the_doctors_findings(show: Show) -> None:
    from harness.doctor import Finding

    found = [
        Finding(
            name="QEMU", ok=False, required=True, found="[/] not installed", hint="apt-get install qemu-system-arm"
        ),
        Finding(name="Python", ok=True, required=True, found="3.11", hint="not shown"),
        Finding(name="TensorFlow", ok=False, required=False, found="none", hint=None),
    ]
    for terminal in (False, True):
        text = plain(show(doctor.findings(found), 80, terminal))
        lines = [line.split() for line in text.splitlines()]
        assert lines[0] == ["problem", "QEMU", "[/]", "not", "installed"]
        assert lines[1] == ["apt-get", "install", "qemu-system-arm"]
        assert lines[2:] == [["ok", "Python", "3.11"], ["optional", "TensorFlow", "none"]]
