"""What optimisations of LeNet and of a depthwise-separable network change on the emulator, and what they do not."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.result import Result
from harness.zoo import convert, networks, optimise, weights

pytestmark = pytest.mark.skipif(convert.tensorflow_version() is None, reason="TensorFlow is not installed")

KERNELS = ("reference", "cmsis-nn")
SPARSITY = 0.8


class Variant:
    """A converted network and its results by kernel set, each measured when it is asked for."""

    def __init__(self, path: Path, macs: int) -> None:
        self.path, self.macs = path, macs
        self.content = path.read_bytes()
        self._results: dict[str, Result] = {}

    def __getitem__(self, kernels: str) -> Result:
        if kernels not in self._results:
            self._results[kernels] = harness.run(self.path, "mps2-an386", kernels=kernels)
            assert self._results[kernels].check.output_exact
        return self._results[kernels]


def separable(keras: Any) -> Any:
    """15 channels: a convolution, a depthwise and a pointwise one, average pooling, a classifier."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((16, 16, 1), batch_size=1, name="image"),
            layers.Conv2D(15, 3, padding="same", activation="relu", name="conv"),
            layers.DepthwiseConv2D(3, padding="same", activation="relu", name="depthwise"),
            layers.Conv2D(15, 1, activation="relu", name="pointwise"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10, name="classes"),
        ],
        name="separable",
    )


@pytest.fixture(scope="module")
def variants(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Variant]:
    folder = tmp_path_factory.mktemp("variants")
    keras = convert.begin(1)
    made: dict[str, Variant] = {}

    def add(network: Any, changes: dict[str, Callable[[Any], Any]]) -> None:
        weights.randomise(network, 1)
        samples = convert.random_samples([network.inputs[0].shape], 16, 1)
        for name, change in changes.items():
            changed = change(network)
            path = folder / f"{name}.tflite"
            path.write_bytes(convert.convert(changed, samples))
            made[name] = Variant(path, optimise.macs(keras, changed))

    add(
        networks.build(keras, networks.parse("lenet")),
        {
            "lenet": lambda network: network,
            "sparse": lambda network: optimise.prune_magnitude(keras, network, None, SPARSITY),
            "narrow": lambda network: optimise.prune_channels(keras, network, 0.5),
        },
    )
    add(
        separable(keras),
        {"15": lambda network: network, "16": lambda network: optimise.round_channels(keras, network)},
    )
    return made


@pytest.fixture(autouse=True)
def own_results(results: Path) -> None:
    """Stored results stay out of the checkout."""


def test_zeros_save_neither_instructions_nor_flash_but_compress(variants: dict[str, Variant]) -> None:
    dense, sparse = variants["lenet"], variants["sparse"]
    for kernels in KERNELS:
        before, after = dense[kernels], sparse[kernels]
        assert after.memory.flash == before.memory.flash
        assert after.memory.arena == before.memory.arena
        # Roundings and clamps take other branches for other sums: a few instructions an output, in either direction.
        assert abs(after.counts.total - before.counts.total) < 0.001 * before.counts.total
    # CMSIS-NN's kernels round and clamp without branches; SOFTMAX is the reference kernel in both sets.
    for mine, theirs in zip(sparse["cmsis-nn"].layers, dense["cmsis-nn"].layers, strict=True):
        assert mine.op == "SOFTMAX" or mine.instructions == theirs.instructions
    assert len(sparse.content) == len(dense.content)
    assert len(zlib.compress(sparse.content, 9)) < 0.45 * len(zlib.compress(dense.content, 9))


@pytest.mark.parametrize("kernels", KERNELS)
def test_fewer_channels_save_instructions_and_flash(kernels: str, variants: dict[str, Variant]) -> None:
    before, after = variants["lenet"], variants["narrow"]
    assert (before.macs, after.macs) == (274_656, 81_024)
    assert before[kernels].model.macs == before.macs
    assert after[kernels].model.macs == after.macs
    assert after[kernels].counts.total < {"reference": 0.4, "cmsis-nn": 0.6}[kernels] * before[kernels].counts.total
    assert after[kernels].memory.flash < before[kernels].memory.flash - 50_000


def test_rounding_up_pays_where_the_kernel_works_on_four_channels(variants: dict[str, Variant]) -> None:
    """CMSIS-NN's depthwise and pointwise kernels are faster with 16 channels than with 15, the reference's slower."""
    layers = {
        (width, kernels): {layer.op: layer.instructions for layer in variants[width][kernels].layers[1:]}
        for width in ("15", "16")
        for kernels in KERNELS
    }
    for op in ("DEPTHWISE_CONV_2D", "CONV_2D"):
        assert layers["16", "cmsis-nn"][op] < 0.95 * layers["15", "cmsis-nn"][op]
        assert layers["16", "reference"][op] > 1.04 * layers["15", "reference"][op]
    assert variants["16"]["cmsis-nn"].counts.total < variants["15"]["cmsis-nn"].counts.total
    assert variants["16"]["reference"].counts.total > variants["15"]["reference"].counts.total
