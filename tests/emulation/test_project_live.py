"""A run by the defaults of a project file, and the same run by its record alone, without the file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec

from harness.store import Manifest
from tests.conftest import DIGITS, ROOT


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value for name, value in os.environ.items() if name not in ("HARNESS_PROJECT", "HARNESS_RESULTS")
    }
    environment["PYTHONPATH"] = str(ROOT)
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False)


def recorded(results: Path) -> tuple[str, tuple[str, ...]]:
    (manifest,) = results.glob("runs/*/manifest.json")
    found = msgspec.json.decode(manifest.read_bytes(), type=Manifest)
    return found.run_id, found.command


def test_a_run_can_be_repeated_by_its_record_alone(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "digits.tflite").symlink_to(DIGITS)
    file = tmp_path / "harness.toml"
    file.write_text(
        'platform = "stm32l496zg"\nkernels = "cmsis-nn"\ntoolchain = "arm-none-eabi-"\nresults = "out"\n'
        '[models]\nnumbers = "digits.tflite"\n[run]\ntimeout = 50\ncycles = true\n'
    )
    harness = (sys.executable, "-m", "harness")
    ended = run(tmp_path / "sub", *harness, "run", "numbers", "--no-cycles")
    assert ended.returncode == 0, ended.stderr
    run_id, command = recorded(tmp_path / "out")
    assert command[:4] == ("env", "HARNESS_TOOLCHAIN=arm-none-eabi-", "harness", "--no-project")
    file.write_text('platform = "rp2040"\nopt = "-Os"\n')  # whatever becomes of it
    again = [word for item in command for word in (harness if item == "harness" else (item,))]
    again.insert(1, f"HARNESS_RESULTS={tmp_path / 'again'}")
    ended = run(tmp_path / "sub", *again)
    assert ended.returncode == 0, ended.stderr
    assert recorded(tmp_path / "again")[0] == run_id
