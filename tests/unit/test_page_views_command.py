"""The command that writes reports of sweeps, comparisons and calibrations: what may be named, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import views_maker
from gate_maker import plain, slower

from harness import cli
from harness.errors import EXIT_BAD_INPUT, EXIT_PASS

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_RESULTS", str(tmp_path / "results"))


def report(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(["report", *words])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_a_sweep_by_name_and_by_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    views_maker.mixed()
    for what in ("made", str(tmp_path / "results" / "sweeps" / "made")):
        assert report(what) == EXIT_PASS
        assert capsys.readouterr().out.endswith("made.html\n")
    html = (tmp_path / "results" / "reports" / "made.html").read_text(encoding="utf-8")
    assert 'id="point-6"' in html and "Sweep made" in html


def test_a_run_beside_another_one_with_a_policy(tmp_path: Path) -> None:
    for name, result in (("a.json", plain()), ("b.json", slower(plain(), 1, 18))):
        (tmp_path / name).write_bytes(result.to_json())
    policy = tmp_path / "pr.toml"
    policy.write_text('name = "pr"\n[[rules]]\nmetric = "instructions"\nunit = "instructions"\nallowed_percent = 1\n')
    out = tmp_path / "out.html"
    a, b = (str(tmp_path / name) for name in ("a.json", "b.json"))
    assert report(b, "--compare", a, "--policy", str(policy), "-o", str(out)) == EXIT_PASS
    html = out.read_text(encoding="utf-8")
    assert "instructions +1.80 % against a limit of 1 %" in html and 'id="compare-layers"' in html
    assert 'class="verdict fail"' in html


def test_a_calibration_by_its_file(tmp_path: Path) -> None:
    out = tmp_path / "out.html"
    file = ROOT / "results" / "calibration" / "stm32l4r5zi.json"
    assert report(str(file), "-o", str(out)) == EXIT_PASS
    assert "Calibration of stm32l4r5zi" in out.read_text(encoding="utf-8")


def test_a_damaged_calibration_and_a_comparison_of_one_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "board.json"
    file.write_text('{"schema": "tflm-harness/calibration/1"}')
    assert report(str(file)) == EXIT_BAD_INPUT
    assert "board.json: no calibration" in capsys.readouterr().err
    assert report(str(file), "--compare", "x") == EXIT_BAD_INPUT
    assert "is a calibration, and --compare puts a run beside a run" in capsys.readouterr().err


def test_what_is_not_there_is_refused_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert report("nothing-of-that-name") == EXIT_BAD_INPUT
    said = capsys.readouterr().err
    assert "no run, sweep or study of that name" in said and "Traceback" not in said
