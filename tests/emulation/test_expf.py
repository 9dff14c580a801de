"""The host build's expf for devices without a double-precision FPU against newlib's own, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness import run
from harness.result import Result
from tests.unit.model_writer import M, Op, T

ELEMENTS = 20_000


def sigmoid(folder: Path) -> Path:
    """One float32 LOGISTIC: 1 / (1 + e^-x), so that every element calls expf once."""
    return M(
        tensors=[T((1, ELEMENTS), "float32", name="x"), T((1, ELEMENTS), "float32", name="y")],
        operators=[Op("LOGISTIC", [0], [1])],
        inputs=[0],
        outputs=[1],
    ).save(folder)


def profile(folder: Path, values: np.ndarray, platform: str) -> Result:
    path = folder / "x.npy"
    np.save(path, values.reshape(1, ELEMENTS))
    return run(sigmoid(folder), platform, input_paths=[path])


@pytest.mark.parametrize("platform", ["rp2040", "stm32l496zg", "stm32u575", "stm32f767zi"])
@pytest.mark.parametrize("spread", [0.3, 2.0, 40.0, 110.0])
def test_equals_the_device(spread: float, platform: str, tmp_path: Path, results: Path) -> None:
    """Small arguments, ordinary ones, subnormal results, and beyond the range on both sides."""
    values = np.random.default_rng(1).uniform(-spread, spread, ELEMENTS).astype(np.float32)
    values[:8] = [0.0, -0.0, 1e-40, -1e-30, np.log(2) / 2, 88.72283, -103.97208, 1e30]
    result = profile(tmp_path, values, platform)
    assert result.check.expf == {"rp2040": "single", "stm32f767zi": "host"}.get(platform, "single-fused")
    assert result.check.layers_exact, result.verdict.reasons
    assert result.check.output_exact
    assert result.check.tflite_micro_exact


def test_the_two_do_differ(tmp_path: Path, results: Path) -> None:
    """Else there would be nothing to compute otherwise."""
    values = np.random.default_rng(1).uniform(-2, 2, ELEMENTS).astype(np.float32)
    single = profile(tmp_path, values, "stm32l496zg")
    double = profile(tmp_path, values, "stm32f767zi")
    assert single.layers[0].output_crc32 != double.layers[0].output_crc32
