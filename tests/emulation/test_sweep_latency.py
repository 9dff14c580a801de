"""A real sweep that asks for cycles: its estimates are the run's own, and the fronts of latency are drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import store
from harness.report import plots
from harness.sweep import run, tables
from tests.unit.gate_networks import network

FILE = """
name = "timed"
cycles = true
objectives = [{ metric = "latency" }, { metric = "flash" }]
[axes]
models = ["small.tflite"]
platforms = ["mps2-an385", "stm32l496zg"]
kernels = ["reference", "cmsis-nn"]
"""


def test_a_sweep_with_cycles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_RESULTS", str(tmp_path / "results"))
    network().save(tmp_path, "small.tflite")
    path = tmp_path / "timed.toml"
    path.write_text(FILE)
    outcome = run.run(path, jobs=2)
    assert (outcome.exit_code, outcome.ran) == (0, 4)
    assert run.run(path, jobs=2).ran == 0

    frames = tables.results("timed")
    for _, row in frames.points.iterrows():
        estimate = store.load(row["run_id"]).estimate
        assert estimate is not None
        assert row["latency_ms_estimated"] == estimate.latency_ms.value
        assert row["latency_low_ms"] == estimate.latency_ms.low
        assert (row["latency_model"], row["latency_tier"]) == (estimate.model, estimate.tier)
        own = frames.layers[frames.layers["point"] == row["point"]]
        assert own["cycles_estimated"].tolist() == [layer.cycles for layer in estimate.layers]
    by_platform = frames.points.groupby("platform")["energy_uj_estimated"].count()
    assert by_platform.to_dict() == {"mps2-an385": 0, "stm32l496zg": 2}  # a machine of QEMU draws no power

    drawn = {item.name for item in plots.plot("timed", ["pareto"], ["png"]).drawn}
    assert {"pareto-flash-latency", "pareto-energy-latency"} <= drawn
