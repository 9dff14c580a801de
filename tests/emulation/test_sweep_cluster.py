"""Sweeps on a real Dask cluster: the same rows and the same runs as here, also where a worker is killed on the way."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness import store
from harness.errors import HarnessError
from harness.sweep import measure, points, remote, run, tables
from harness.sweep.plan import Point, Row
from tests.conftest import DIGITS
from tests.dask_cluster import Local

pytest.importorskip("distributed")

FILE = f"""
name = "real"
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


def stored(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[Row], list[bytes], dict[str, dict[str, bytes]]]:
    """A sweep's rows without their seconds, its tables, and the files of its runs."""
    monkeypatch.setenv("HARNESS_RESULTS", str(results))
    rows = [msgspec.structs.replace(row, seconds=0.0) for row in points.read("real").values()]
    csvs = [(points.folder("real") / f"{name}.csv").read_bytes() for name in ("points", "layers")]
    runs = {item.run_id: store.contents(item.run_id) for item in store.stored() if item.damage is None}
    return sorted(rows, key=lambda row: row.identity), csvs, runs


def test_rows_and_runs_are_those_of_a_local_sweep_though_a_worker_is_killed(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    monkeypatch.setenv("HARNESS_RESULTS", str(here))
    assert run.run(file, jobs=2).exit_code == 0
    killed: list[str] = []

    with Local(tmp_path, 2) as local:

        def kill_one(_point: Point, _row: Row, _done: int, _total: int) -> None:
            busy = local.measuring()
            if busy and not killed:
                local.kill(busy[0])
                killed.append(busy[0])

        monkeypatch.setenv("HARNESS_RESULTS", str(there))
        outcome = run.run(
            file, executor=remote.executor(local.address), build=remote.build_there, on_point=kill_one, command=("it",)
        )
        assert (outcome.exit_code, outcome.ran, len(killed)) == (0, 6, 1)
        assert len((there / "sweeps" / "real" / "points.jsonl").read_bytes().splitlines()) == 6
        rows, csvs, runs = stored(there, monkeypatch)
        assert len(runs) == 6
        assert (rows, csvs, runs) == stored(here, monkeypatch)

        # A worker with another compiler would measure something else, so the sweep does not even begin.
        fake = tmp_path / "fake"
        fake.mkdir()
        (fake / "arm-none-eabi-gcc").write_text("#!/bin/sh\necho 'arm-none-eabi-gcc (another) 99.1'\n")
        (fake / "arm-none-eabi-gcc").chmod(0o755)
        local.start_worker("other", {"PATH": f"{fake}:/usr/local/bin:/usr/bin:/bin"})
        local.wait_for("other")
        monkeypatch.setenv("HARNESS_RESULTS", str(tmp_path / "none"))
        with pytest.raises(HarnessError) as refused:
            run.run(file, executor=remote.executor(local.address), build=remote.build_there)
        assert "would measure something else: the Arm compiler (arm-none-eabi-gcc (another) 99.1 there" in str(
            refused.value
        )
        assert not (tmp_path / "none" / "runs").exists() and points.read("real") == {}


def test_a_worker_that_finds_another_identity_gives_no_numbers(
    file: Path, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = run.outlook(file).plan
    point = plan.points[-1]
    task = measure.Task(identity=point.identity or "", choice=point.choice, time_limit_s=60.0, command=())
    parcel = remote.Parcel(task=task, files={task.choice.path: DIGITS.read_bytes()}, code=remote.code_sha256())

    def fail(_task: measure.Task) -> Row:
        raise AssertionError("it must not be measured")

    for other in (
        msgspec.structs.replace(parcel, code="another"),
        msgspec.structs.replace(parcel, task=msgspec.structs.replace(task, identity="another")),
    ):
        delivery = remote.deliver(fail, other)
        assert delivery.row is None and delivery.parts is not None and delivery.files == {}
    damaged = msgspec.structs.replace(parcel, files={task.choice.path: b""})
    row = remote.deliver(fail, damaged).row
    assert row is not None and row.failure is not None and "the file is empty" in row.failure.message
    assert row.failure.kind == "not measured"
    assert tables.point_rows(plan, {})[-1].state != "ok"
