"""Two emulators compared: equal counts are silent, the first segment that differs is named."""

from __future__ import annotations

import msgspec
import pytest
import result_maker

from harness import agreement, cli, pipeline
from harness.emulators import BACKENDS
from harness.errors import EmulationError
from harness.report import tables
from harness.result import MarksPart, Result

SEQUENCE = ("setup", "between", "layer 0", "check 0", "between", "layer 1", "check 1", "between", "end")


def counted(emulator: str, *segments: int) -> Result:
    made = result_maker.result(emulator=emulator, run_id=f"kws-{emulator}")
    return msgspec.structs.replace(
        made,
        marks=MarksPart(symbol="harness_mark", address=0x1234, segments=segments, sequence=SEQUENCE),
        identity=msgspec.structs.replace(made.identity, emulator=emulator, emulator_version="1.0"),
    )


QEMU = counted("qemu", 5000, 3, 900, 70, 4, 90, 20, 3, 400)


def test_equal_counts_are_equal() -> None:
    renode = counted("renode", *QEMU.marks.segments)
    agreement.check(QEMU, renode)
    assert "qemu 1.0 and renode 1.0: the same count in each of 9 segments" in str(tables.agreement(QEMU, renode))


@pytest.mark.parametrize(
    ("index", "where"),
    [(0, "segment 0, setup: 5,000 and 5,001"), (5, "segment 5, layer 1 (SOFTMAX): 90 and 91"), (8, "segment 8, end:")],
)
def test_the_first_difference_is_named(index: int, where: str) -> None:
    segments = list(QEMU.marks.segments)
    for later in range(index, len(segments)):
        segments[later] += 1
    with pytest.raises(EmulationError) as caught:
        agreement.check(QEMU, counted("renode", *segments))
    assert caught.value.exit_code == 3
    assert where in caught.value.message
    assert "on mps2-an386" in caught.value.message
    assert "kws-qemu and kws-renode" in (caught.value.hint or "")


def test_another_number_of_segments_is_no_silent_success() -> None:
    with pytest.raises(ValueError, match="argument 3 is"):
        agreement.check(QEMU, counted("renode", *QEMU.marks.segments[:-1]))


@pytest.mark.parametrize("emulator", ["qemu", "both"])
def test_qemu_has_no_limit_of_instructions(emulator: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", "x.tflite", "-p", "mps2-an386", "-e", emulator, "--max-instructions", "5"])
    assert ended.value.code == 2
    assert "QEMU has no limit of instructions" in capsys.readouterr().err


def test_an_emulator_that_there_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", "x.tflite", "-p", "mps2-an386", "-e", "unicorn"])
    assert ended.value.code == 2
    printed = capsys.readouterr().err
    assert "unknown emulator 'unicorn'" in printed
    assert all(name in printed for name in (*BACKENDS, "both"))


def test_json_of_both_is_a_list_of_both(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    pair = (QEMU, counted("renode", *QEMU.marks.segments))
    monkeypatch.setattr(pipeline, "run_on_both", lambda *_, **__: pair)
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", "x.tflite", "-p", "mps2-an386", "-e", "both", "--json"])
    assert ended.value.code == 0
    assert msgspec.json.decode(capfdbinary.readouterr().out, type=tuple[Result, Result]) == pair


def test_ctrl_c_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "run_on_both", interrupted)
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", "x.tflite", "-p", "mps2-an386", "-e", "both"])
    assert ended.value.code == 130
    assert "interrupted: " in capsys.readouterr().err


def test_calls_are_for_qemu_alone(capsys: pytest.CaptureFixture[str]) -> None:
    for emulator in ("both", "renode"):
        with pytest.raises(SystemExit) as ended:
            cli.main(["run", "x.tflite", "-p", "mps2-an386", "-e", emulator, "--calls"])
        assert ended.value.code == 2
        assert "calls" in capsys.readouterr().err
