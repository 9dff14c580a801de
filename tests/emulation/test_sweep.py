"""Real sweeps of the shipped network: the same tables whatever is killed, however many points run at once."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from harness import run as run_one
from harness.emulators import renode_find
from harness.sweep import points
from harness.zoo import convert
from tests.conftest import DIGITS

# Two platforms, two kernel sets, with the FPU and without where there is one, and twice the same.
FILE = f"""
name = "real"
objectives = [{{ metric = "instructions" }}, {{ metric = "flash" }}]
[axes]
models = ["{DIGITS}"]
platforms = ["mps2-an385", "stm32l496zg"]
kernels = ["reference", "cmsis-nn"]
fpu = [true, false]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "real.toml"
    path.write_text(FILE)
    return path


def start(results: Path, *arguments: object) -> subprocess.Popen[bytes]:
    """The command in a group of its own, as a shell starts it."""
    temporary(results).mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", "harness", "sweep", *map(str, arguments)],
        env={**os.environ, "HARNESS_RESULTS": str(results), "TMPDIR": str(temporary(results))},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def temporary(results: Path) -> Path:
    """Temporary files of the command, in whose names its emulators are recognised."""
    return results.with_name(f"{results.name}-tmp")


def finish(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    out, _ = process.communicate(timeout=300)
    return process.returncode, out.decode()


def wait_for_points(results: Path, number: int) -> None:
    deadline = time.monotonic() + 240
    log = results / "sweeps" / "real" / "points.jsonl"
    while not log.exists() or log.read_bytes().count(b"\n") < number:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def tables(results: Path) -> list[bytes]:
    return [(results / "sweeps" / "real" / f"{name}.csv").read_bytes() for name in ("points", "layers")]


def left_of(session: int, results: Path) -> list[str]:
    """Command lines of the processes of a session, and of emulators, which have their own, with these results."""
    left = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (FileNotFoundError, ProcessLookupError):
            continue
        # One that is just ending has given its memory back already, and has no command line.
        if command and fields[0] != "Z" and (int(fields[3]) == session or str(temporary(results)) in command):
            left.append(command)
    return left


def test_the_table_is_the_same_whatever_is_killed(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    undisturbed, killed, interrupted = (tmp_path / name for name in ("undisturbed", "killed", "interrupted"))
    code, out = finish(start(undisturbed, file, "--jobs", 2))
    assert code == 0, out
    assert "PASS  real: 8 points: 6 ok, 2 impossible; 6 run now" in out

    process = start(killed, file, "--jobs", 1)
    wait_for_points(killed, 2)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 20
    while left := left_of(process.pid, killed):  # the worker ends itself and its emulator
        assert time.monotonic() < deadline, left
        time.sleep(0.05)
    monkeypatch.setenv("HARNESS_RESULTS", str(killed))
    stored = points.read("real")
    assert 2 <= len(stored) < 6
    code, out = finish(start(killed, file, "--jobs", 1))
    assert code == 0, out
    assert f"{6 - len(stored)} run now" in out
    lines = (killed / "sweeps" / "real" / "points.jsonl").read_bytes().splitlines()
    identities = [json.loads(line)["identity"] for line in lines]
    assert len(identities) == len(set(identities)) == 6

    process = start(interrupted, file, "--jobs", 2)
    wait_for_points(interrupted, 1)
    os.killpg(process.pid, signal.SIGINT)
    code, out = finish(process)
    assert code == 130, out
    assert "points were measured and are stored; the same command goes on" in out and "Traceback" not in out
    assert left_of(process.pid, interrupted) == []
    assert list(temporary(interrupted).iterdir()) == []
    assert finish(start(interrupted, file))[0] == 0

    assert tables(killed) == tables(undisturbed) == tables(interrupted)
    started = time.monotonic()
    code, out = finish(start(undisturbed, file))
    assert (code, "0 run now" in out) == (0, True)
    assert time.monotonic() - started < 10  # goal: 5 s on a machine that does nothing else
    assert tables(undisturbed) == tables(killed)


def test_rows_are_what_single_runs_give_and_a_failing_point_is_one(
    file: Path, tmp_path: Path, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(renode_find.VARIABLE, str(tmp_path / "no-renode"))
    text = FILE.replace("fpu = [true, false]", 'emulator = ["qemu", "renode"]').replace('"mps2-an385", ', "")
    file.write_text(text + "[budgets]\ninstructions = 500_000\n")
    code, out = finish(start(results, file, "--jobs", 1))
    assert code == 3, out
    assert "1 ok" in out and "1 over budget" in out and "2 not measured" in out
    with (results / "sweeps" / "real" / "points.csv").open() as opened:
        rows = {(row["kernels"], row["emulator"]): row for row in csv.DictReader(opened)}
    assert {key: row["state"] for key, row in rows.items()} == {
        ("reference", "qemu"): "over budget",
        ("reference", "renode"): "not measured",
        ("cmsis-nn", "qemu"): "ok",
        ("cmsis-nn", "renode"): "not measured",
    }
    assert "Renode not found" in rows["cmsis-nn", "renode"]["reason"]
    single = run_one(DIGITS, "stm32l496zg", kernels="cmsis-nn")
    row = rows["cmsis-nn", "qemu"]
    assert (row["run_id"], row["instructions"], row["flash"], row["arena"]) == (
        single.run_id,
        str(single.counts.total),
        str(single.memory.flash),
        str(single.memory.arena),
    )
    with (results / "sweeps" / "real" / "layers.csv").open() as opened:
        layers = [int(item["instructions"]) for item in csv.DictReader(opened) if item["point"] == row["point"]]
    assert layers == [layer.instructions for layer in single.layers]


def test_the_inputs_of_the_file_are_what_runs_take(tmp_path: Path, results: Path) -> None:
    image = tmp_path / "image.npy"
    np.save(image, np.full((1, 8, 8, 1), 17, np.int8))
    path = tmp_path / "real.toml"
    path.write_text(
        f'name = "real"\ninputs = ["image.npy"]\n[axes]\nmodels = ["{DIGITS}"]\nplatforms = ["stm32l496zg"]\n'
    )
    code, out = finish(start(results, path))
    assert code == 0, out
    (row,) = points.read("real").values()
    assert row.run_id == run_one(DIGITS, "stm32l496zg", input_paths=[image]).run_id
    assert row.run_id != run_one(DIGITS, "stm32l496zg").run_id


NETWORKS = """
name = "real"
[axes]
platforms = ["stm32l496zg"]
kernels = ["cmsis-nn"]
[[networks]]
name = "conv"
parameters = { size = 4, inputs = 4, channels = [3, 4], kernel = [3, 5], padding = "valid" }
types = ["int8", "hybrid"]
[[exclude]]
networks = ["*channels=4*kernel=5*"]
"""


@pytest.mark.skipif(convert.tensorflow_version() is None, reason="TensorFlow is not installed")
def test_networks_are_made_once_and_those_that_cannot_be_are_rows(
    tmp_path: Path, private_cache: Path, results: Path
) -> None:
    path = tmp_path / "real.toml"
    path.write_text(NETWORKS)
    code, out = finish(start(results, path, "--dry-run"))
    assert code == 0 and "3 networks to make before\n" in out, out
    assert not (private_cache / "zoo").exists()
    code, out = finish(start(results, path))
    assert code == 0, out
    assert "PASS  real: 6 points: 4 impossible, 2 ok; 2 run now" in out
    with (results / "sweeps" / "real" / "points.csv").open() as opened:
        rows = {row["model"].removeprefix("conv:size=4,inputs=4,"): row for row in csv.DictReader(opened)}
    made = [rows[f"channels={channels},padding=valid int8"] for channels in (3, 4)]
    assert [(row["state"], row["type"], row["weights"], row["accuracy"]) for row in made] == [
        ("ok", "int8", "random", "")
    ] * 2
    assert [int(row["macs"]) for row in made] == [2 * 2 * 3 * 3 * 4 * channels for channels in (3, 4)]
    assert {row["state"] for name, row in rows.items() if "kernel=5" in name or "hybrid" in name} == {"impossible"}
    assert "cannot be built" in rows["channels=3,kernel=5,padding=valid int8"]["reason"]
    assert "hybrid" in rows["channels=4,padding=valid hybrid"]["reason"]
    path.write_text(NETWORKS.replace("kernel = [3, 5]", "kernel = 3").replace('"*channels=4*kernel=5*"', '"dense"'))
    code, out = finish(start(results, path, "--dry-run"))
    assert "networks to make" not in out and "2 stored already, 0 to run" in out
