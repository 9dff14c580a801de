"""Operators that kernels of our own compute and no converter of today makes, against tflite-micro."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import run
from tests.unit.model_writer import M, Op, T

CHANNELS = 6


def _random(count: int, low: int, high: int) -> list[int]:
    source = random.Random(count * 1000 + high)
    return [source.randint(low, high) for _ in range(count)]


def _depthwise(inputs: list[int], output_scale: float, output_zero_point: int, **options: object) -> M:
    """8x8 image, 3x3 filters, SAME."""
    return M(
        tensors=[
            T((1, 8, 8, CHANNELS), scales=[0.05], zero_points=[3], name="image"),
            T(
                (1, 3, 3, CHANNELS),
                data=_random(9 * CHANNELS, -127, 127),
                scales=[0.01 * (1 + i) for i in range(CHANNELS)],
                zero_points=[0] * CHANNELS,
                dimension=3,
                name="weights",
            ),
            T(
                (CHANNELS,),
                "int32",
                data=_random(CHANNELS, -500, 500),
                scales=[0.0005 * (1 + i) for i in range(CHANNELS)],
                zero_points=[0] * CHANNELS,
                name="bias",
            ),
            T((1, 8, 8, CHANNELS), scales=[output_scale], zero_points=[output_zero_point], name="out"),
        ],
        operators=[
            Op("DEPTHWISE_CONV_2D", inputs, [3], {"stride_w": 1, "stride_h": 1, "depth_multiplier": 1, **options}, 3)
        ],
        inputs=[0],
        outputs=[3],
    )


CASES: dict[str, Callable[[], M]] = {
    "absent bias": lambda: _depthwise([0, 1, -1], 0.4, -5),
    "no bias": lambda: _depthwise([0, 1], 0.4, -5),
    # The scale reaches to 25, so that the clamp at 6 lies inside of the type's range.
    "activation inside of the range": lambda: _depthwise([0, 1, 2], 0.1, -128, fused_activation_function=3),
    "dilated": lambda: _depthwise([0, 1, 2], 0.4, -5, dilation_w_factor=2, dilation_h_factor=2),
}


@pytest.mark.parametrize("kernels", ["reference", "cmsis-nn"])
@pytest.mark.parametrize("platform", ["rp2040", "stm32l496zg", "mps3-an547"])
@pytest.mark.parametrize("case", CASES)
def test_equals_tflite_micro(case: str, platform: str, kernels: str, tmp_path: Path, results: Path) -> None:
    result = run(CASES[case]().save(tmp_path), platform, kernels=kernels)
    assert result.check.layers_exact, result.verdict.reasons
    if case == "absent bias":  # it crashes tflite-micro too; it must give what no bias at all gives
        (tmp_path / "other").mkdir()
        other = run(CASES["no bias"]().save(tmp_path / "other"), platform, kernels=kernels)
        assert other.check.tflite_micro_exact is True
        assert result.check.outputs == other.check.outputs
    else:
        assert result.check.tflite_micro_exact is True, result.check.tflite_micro_reason
    outputs = bytes.fromhex(result.check.outputs[0])
    assert len(set(outputs)) > 20  # a saturated output would hide what is wrong
