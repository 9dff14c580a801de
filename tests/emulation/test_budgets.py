"""The shipped network is held to budgets on the boards that have baselines, with the harness' own plugin for pytest."""

from __future__ import annotations

import pytest

from harness.pytest_plugin import Emulate
from tests.conftest import DIGITS

budget = pytest.mark.budget


@pytest.mark.budget(flash=106_496, arena=8_192, stack=1_024)
@pytest.mark.parametrize(
    "platform",
    [
        pytest.param("rp2040", marks=budget(instructions=770_000)),
        pytest.param("stm32l496zg", marks=budget(instructions=260_000)),
        pytest.param("stm32f767zi", marks=budget(instructions=260_000)),
    ],
)
def test_digits(emulate: Emulate, platform: str) -> None:
    result = emulate(DIGITS, platform, kernels="cmsis-nn")
    assert result.check.output_exact
    assert sum(layer.macs for layer in result.layers) == 26_816


@pytest.mark.budget(latency=10, energy=500)
def test_estimates_have_budgets(emulate: Emulate) -> None:
    """In milliseconds and microjoules; without ``cycles`` there is no value, and the budget fails."""
    result = emulate(DIGITS, "stm32l496zg", kernels="cmsis-nn", cycles=True)
    assert result.estimate is not None and 1 < result.estimate.latency_ms.value < 10
