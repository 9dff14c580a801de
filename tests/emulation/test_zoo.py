"""Networks of the zoo in firmware: bit-exact, layer by layer, and recorded as what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import harness
from harness.zoo import convert
from harness.zoo.make import Made, many
from harness.zoo.networks import parse
from harness.zoo.recipe import recipe

pytestmark = pytest.mark.skipif(convert.tensorflow_version() is None, reason="TensorFlow is not installed")

# Shortcuts without weights (one pixel of four, channels of zeros), float ends, 1-D convolutions, pruned channels.
NETWORKS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("lenet", {"io": "float32"}),
    ("resnet20:blocks=1", {}),
    ("resnet20:blocks=1,width=0.5", {"type": "float32"}),
    ("wrist", {}),
    ("lenet", {"channel_pruning": 0.3, "multiple_of": 4}),
)


@pytest.fixture(scope="module")
def networks() -> list[Made]:
    """All at once, as each start of TensorFlow takes seconds."""
    return many([recipe(parse(text), **settings) for text, settings in NETWORKS])


@pytest.mark.parametrize("kernels", ["reference", "cmsis-nn"])
@pytest.mark.parametrize("number", range(len(NETWORKS)), ids=[" ".join((text, *more)) for text, more in NETWORKS])
def test_networks_of_the_zoo_are_exact(number: int, kernels: str, networks: list[Made], results: Path) -> None:
    made = networks[number]
    found = harness.run(made.path, "mps2-an386", kernels=kernels)
    assert found.check.first_difference is None
    assert found.check.layers_exact
    assert found.check.output_exact
    assert found.check.tflite_micro_exact is True
    assert found.verdict.passed, found.verdict.reasons
    assert [layer.op for layer in found.layers] == list(made.metadata.operators)
    assert sum(layer.macs for layer in found.layers) == made.metadata.macs
