"""Emulated frames for tests of the reproduction: counts that follow from the measurements, without any firmware."""

from __future__ import annotations

from typing import Any

import pandas

from harness.reproduce import measured
from harness.reproduce.emulated import Emulated

_VERSIONS = {"compiler": "arm-none-eabi-gcc 12.2", "emulator_version": "7.2", "reason": None}


def proportional(per_us: float = 64.0) -> Emulated:
    """Every count is the measured microseconds times a number: each ratio and each rank is the measured one."""
    boards = measured.load()
    inferences = boards.lenet.assign(instructions=boards.lenet["latency_ms"] * 1000 * per_us)
    lenet = boards.lenet_layers.assign(
        instructions=boards.lenet_layers["latency_ms"] * 1000 * per_us, fpu="yes", optimisation="-Ofast"
    )
    layers = boards.layers.assign(instructions=boards.layers["latency_us"] * per_us)
    layers = layers.assign(platform=measured.SWEEP_BOARD, type="int8", fpu="yes", optimisation="-Ofast")
    networks = layers[["network", "width", "kernel", "kernels", "platform", "type", "fpu", "optimisation"]]
    points = networks.drop_duplicates().assign(instructions=1.0)
    points = _typed(pandas.concat([_lenet(inferences), points], ignore_index=True))
    points = points.assign(state="ok", output_exact=True, model=points["network"], **_VERSIONS)
    return Emulated(
        points=points.astype({"output_exact": "boolean", "reason": "string", "state": "string"}),
        layers=_typed(pandas.concat([_lenet(lenet), layers], ignore_index=True)),
    )


def _lenet(frame: Any) -> Any:
    kept = frame.drop(columns="latency_ms")
    return kept.assign(network="lenet", width=pandas.array([None] * len(kept), dtype="Int64"),
                       kernel=pandas.array([None] * len(kept), dtype="Int64"))  # fmt: skip


def _typed(frame: Any) -> Any:
    """The types that the tables of a sweep have; counts stay real, so that nothing is rounded."""
    whole = {name: "Int64" for name in ("width", "kernel", "index") if name in frame}
    return frame.astype({**whole, "instructions": "Float64"})
