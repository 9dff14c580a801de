"""The executor of a Dask cluster: outcomes, dead workers, a dead scheduler, and what a newcomer does wrong."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sweep_maker

from harness import cli
from harness.errors import BadInputError, HarnessError, MissingToolError
from harness.sweep import cluster, remote
from harness.sweep.cluster import Cluster, differing_versions
from harness.sweep.executor import WorkerError
from tests.dask_cluster import Local, do

pytest.importorskip("distributed")


def test_outcomes_come_and_whatever_dies_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []

    def numbers(count: int) -> Iterator[str]:
        for number in range(count):
            taken.append(number)
            yield str(number)

    with (
        Local(tmp_path, 2, {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}) as local,
        Cluster(do, local.address, patience_s=2.0) as workers,
    ):
        outcomes = []
        for task, outcome in workers.map(numbers(20)):
            outcomes.append((task, outcome))
            assert len(taken) <= len(outcomes) + 2  # one each is under way, and no more are taken
        assert sorted(int(task) for task, _ in outcomes) == list(range(20))
        pids = {str(outcome).split()[-1] for _, outcome in outcomes}
        assert len(pids) == 2 and str(os.getpid()) not in pids

        fault = dict(workers.map(["1", "raise", "2"]))
        assert isinstance(fault["raise"], WorkerError) and "ValueError: planted" in (fault["raise"].detail or "")
        assert str(fault["1"]).startswith("1 by") and str(fault["2"]).startswith("2 by")

        local.kill("worker-0")
        assert str(dict(workers.map(["3"]))["3"]).startswith("3 by")
        local.start_worker("worker-2")
        local.wait_for("worker-2")
        deadly: dict[str, object] = {}
        with pytest.raises(HarnessError) as gone:
            deadly.update(workers.map(["die"]))
            assert isinstance(deadly["die"], WorkerError)
            assert deadly["die"].message.startswith("the worker process died, 2 times")
            deadly.update(workers.map(["5"]))  # nobody is left to do it
        assert "no workers at" in gone.value.message and "dask worker tcp://" in (gone.value.hint or "")
        assert [*deadly] == ["die"]

        local.start_worker("worker-3")
        local.wait_for("worker-3")
        threading.Timer(3, local.kill, ["scheduler"]).start()
        with pytest.raises(HarnessError, match="does not answer any more"):
            list(workers.map(["sleep"]))


def test_a_new_connection_needs_somebody_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CONNECT_S", 1.0)
    with pytest.raises(HarnessError, match="no Dask scheduler answers at"):
        Cluster(do, "tcp://127.0.0.1:9").__enter__()
    with Local(tmp_path, 0) as local, pytest.raises(HarnessError) as refused:
        Cluster(do, local.address).__enter__()
    assert "has no workers" in refused.value.message
    assert refused.value.hint == f"dask worker {local.address} --nworkers 2 --nthreads 1 starts two"


@pytest.mark.parametrize("address", ["", "here", "127.0.0.1", "tcp://127.0.0.1", "tcp://host:0", "http://host:8786"])
def test_what_is_no_address_is_refused(address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BadInputError, match="no address of a Dask scheduler"):
        remote.executor(address)
    with pytest.raises(SystemExit) as ended:
        cli.main(["sweep", str(sweep_maker.write(tmp_path)), "--scheduler", address])
    assert ended.value.code == 2
    assert "tcp://127.0.0.1:8786" in capsys.readouterr().err


def test_without_dask_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingToolError) as missing:
        Cluster(do, cluster.EXAMPLE).__enter__()
    assert missing.value.hint == "pip install 'tflm-harness[cluster]'"


def test_other_versions_are_named() -> None:
    def versions(**packages: str) -> dict[str, Any]:
        return {"packages": {"python": "3.11.7.final.0", "dask": "2026.8.0", "distributed": "2026.8.0", **packages}}

    mine = versions()
    assert differing_versions(mine, {"a": versions(python="3.11.2.final.0"), "b": versions(numpy="1")}) is None
    assert differing_versions(mine, {"a": mine, "b": versions(python="3.13.5.final.0")}) == (
        "b runs Python 3.13; this command runs 3.11"
    )
    assert differing_versions(mine, {"a": versions(distributed="2025.1.0"), "b": mine}) == (
        "a runs distributed 2025.1.0; this command runs 2026.8.0"
    )
    here = {"packages": {**mine["packages"], "tflm-harness": "0.1.0"}}
    assert differing_versions(here, {"a": here, "b": mine}) == (
        "b has no tflm-harness, or does not say which version; this command runs 0.1.0"
    )
    assert "a has no Python" in (differing_versions(mine, {"a": None}) or "")


def test_differences_are_named_and_hashes_left_out() -> None:
    mine = {"compiler": "gcc 12", "model": "a" * 64, "emulator": ("qemu", "7.2", "b" * 64), "code": "c" * 64}
    assert remote.differences(mine, {**mine, "compiler": "gcc 13"}) == "the Arm compiler (gcc 13 there, gcc 12 here)"
    assert remote.differences(mine, {**mine, "model": "d" * 64, "emulator": ["qemu", "8.0", "b" * 64]}) == (
        "the network's file; the emulator (8.0 there, 7.2 here)"
    )
    assert remote.differences(mine, {**mine, "emulator": ["qemu", "7.2", "e" * 64], "code": ""}) == (
        "the harness' own code; the emulator"
    )
