"""The command reproduce: what it says, exit codes, a newcomer's mistakes; one experiment from network to line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from reproduce_frames import proportional

from harness import cli, model
from harness.reproduce import compare, emulated, measured, plots, reproduction, sawtooth
from harness.reproduce.emulated import Emulated, RunSweep
from harness.sweep import run as sweeps
from harness.zoo import convert

# Four widths of one residue each modulo 4, with the kernels that read four weights at a time.
TINY = """
name = "tiny"
[axes]
platforms = ["stm32l496zg"]
kernels = ["cmsis-nn"]
optimisation = ["-O2"]
[[networks]]
name = "heim-dense"
parameters.units = [440, 441, 442, 443]
types = ["int8"]
io = ["float32"]
"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["reproduce", *arguments])
        assert isinstance(ended.value.code, int)
        shown = capsys.readouterr()
        return ended.value.code, shown.out, shown.err

    return call


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Emulated:
    """Nothing runs, nothing is drawn: counts in proportion to the measurements."""
    monkeypatch.setattr(plots, "draw", lambda _joined: {})
    frames = proportional()
    monkeypatch.setattr(emulated, "run", lambda _quick, _run: frames)
    return frames


def test_a_page_is_made_where_results_are(counted: Emulated, command: Run, results: Path) -> None:
    code, out, _ = command("heim2021")
    assert code == 0
    assert (results / "reproduce" / "heim2021" / "README.md").is_file()
    assert "every one of 111 lines is reproduced" in out
    assert "rank correlation of instructions and latency over the layers: reference 1.0000, cmsis-nn 1.0000" in out
    code, _, _ = command("heim2021", "--quick")
    assert code == 0
    assert (results / "reproduce" / "heim2021-quick" / "README.md").is_file()


def test_an_effect_that_is_not_there_ends_with_1(counted: Emulated, command: Run, tmp_path: Path) -> None:
    points = counted.points
    float32 = (points["type"] == "float32") & (points["fpu"] == "yes")
    points.loc[float32, "instructions"] = points.loc[float32, "instructions"] * 100
    code, out, _ = command("heim2021", "--output", str(tmp_path / "page"))
    assert code == 1
    assert "exit 1: " in out
    assert (tmp_path / "page" / "README.md").is_file()


def test_json_has_every_line_and_nothing_else(counted: Emulated, command: Run, tmp_path: Path) -> None:
    code, out, _ = command("heim2021", "--json", "--output", str(tmp_path))
    shown = json.loads(out)
    assert (code, shown["exit_code"], shown["missing"]) == (0, 0, 0)
    assert {"figure", "case", "measured", "emulated", "deviation", "reproduced"} <= set(shown["lines"][0])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("heim2022",), "unknown publication 'heim2022'"),
        (("heim2021", "--jobs", "0"), "--jobs"),
        (("heim2021", "--output", __file__), "is no folder"),
        ((), "Missing argument"),
    ],
)
def test_mistakes_are_said_and_end_with_2(command: Run, arguments: tuple[str, ...], said: str) -> None:
    code, _, err = command(*arguments)
    assert code == 2
    assert said in err
    assert "Traceback" not in err


def test_what_is_not_installed_is_said_with_the_command_that_installs_it(
    command: Run, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convert, "tensorflow_version", lambda: None)
    code, _, err = command("heim2021")
    assert code == 3
    assert "TensorFlow is not installed" in err
    assert "pip install" in err
    assert not (results / "reproduce").exists()


def test_ctrl_c_says_that_the_same_command_goes_on(
    command: Run, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_quick: bool, _run: RunSweep) -> Emulated:
        raise KeyboardInterrupt

    monkeypatch.setattr(emulated, "run", interrupted)
    code, _, err = command("heim2021")
    assert code == 130
    assert "the same command goes on" in err


def test_one_experiment_from_networks_to_lines(results: Path, tmp_path: Path) -> None:
    """Four dense networks are made, built, emulated and compared: each width that is no multiple of 4 costs more."""
    pytest.importorskip("tensorflow")
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    outcome = sweeps.run(path)
    assert outcome.exit_code == 0
    network = model.load(Path(next(point.choice.path or "" for point in outcome.plan.points)))
    dense = [network.tensors[operator.inputs[1]] for operator in network.operators if operator.op == "FULLY_CONNECTED"]
    assert [len(weights.scales) for weights in dense] == [1] * 5  # as the boards' were
    counts = emulated.read((outcome.plan.name,))
    joined = compare.join(measured.load(), counts)
    assert compare.missing(joined) == 0
    assert len(joined.layers) == 4 * 8
    compared = counts.layers[counts.layers["index"].isin(sawtooth.TYPES["dense"][1])]
    assert (compared["macs"] == sawtooth.macs("dense", compared)).all()
    lines = sawtooth.modulo_lines(joined.layers)
    found = {line.effect: line for line in lines if line.case == "dense cmsis-nn"}
    assert {line.effect for line in lines} == set(found)
    for line in found.values():
        assert line.emulated is not None
        assert line.measured > 1.05
        assert 1 < line.emulated < line.measured
    assert reproduction.all_lines(joined, sawtooth.table_4(joined.layers))
