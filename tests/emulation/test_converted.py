"""Networks that TensorFlow converts: bit-exact on three cores with both kernel sets, or refused with the reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import harness
from harness import model
from harness.errors import BadInputError
from harness.result import Result
from harness.zoo import convert
from tests.networks import C_LIBRARY, NETWORKS, REFUSED

pytestmark = pytest.mark.skipif(convert.tensorflow_version() is None, reason="TensorFlow is not installed")

# Cortex-M0+ (no DSP, no FPU), M4F (DSP, FPU), M55 (Helium).
PLATFORMS = ("rp2040", "stm32l496zg", "mps3-an547")
KERNELS = ("reference", "cmsis-nn")
# float32 results of these depend on the C library, which is newlib on the device and another one on the host: each
# release may round the last bit otherwise. (The host build computes expf as the device does.)
FROM_THE_C_LIBRARY = {"SIN", "COS", "LOG", "TANH"}
EXACT = [(name, platform) for name in NETWORKS if name not in C_LIBRARY for platform in PLATFORMS]
# Not by iterating over C_LIBRARY, whose order differs between pytest-xdist's workers.
ROUNDED = [(name, platform) for name in NETWORKS if name in C_LIBRARY for platform in PLATFORMS]


def write(name: str, build: Callable[[], bytes], folder: Path) -> Path:
    path = folder / f"{name}.tflite"
    path.write_bytes(build())
    return path


def assert_complete(result: Result, path: Path, results: Path) -> None:
    """Every operator is there, the sum closes, the arena's plan fits the graph, and the run is stored."""
    assert [layer.op for layer in result.layers] == [operator.op for operator in model.load(path).operators]
    assert result.counts.total == result.counts.overhead + sum(layer.instructions for layer in result.layers)
    assert result.arena is not None
    assert (result.arena.origin, result.arena.note) == ("measured", None)
    assert max(layer.arena or 0 for layer in result.layers) <= (result.arena.planned or 0) < result.memory.arena
    assert [folder.name for folder in (results / "runs").iterdir() if folder.is_dir()] == [result.run_id]


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize(("name", "platform"), EXACT)
def test_every_output_is_exact(name: str, platform: str, kernels: str, tmp_path: Path, results: Path) -> None:
    path = write(name, NETWORKS[name], tmp_path)
    result = harness.run(path, platform, kernels=kernels)
    assert result.check.first_difference is None
    assert result.check.layers_exact
    assert result.check.output_exact
    assert result.check.tflite_micro_exact is True
    assert result.verdict.passed, result.verdict.reasons
    assert_complete(result, path, results)


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize(("name", "platform"), ROUNDED)
def test_a_difference_of_the_c_library_is_named_and_small(
    name: str, platform: str, kernels: str, tmp_path: Path, results: Path
) -> None:
    path = write(name, NETWORKS[name], tmp_path)
    result = harness.run(path, platform, kernels=kernels)
    assert_complete(result, path, results)
    wrong = [layer.index for layer in result.layers if not layer.output_exact]
    difference = result.check.first_difference
    if difference is None:  # the two libraries agree here
        assert not wrong
        assert result.verdict.passed
        return
    assert not result.verdict.passed
    assert difference.index == wrong[0]
    assert difference.op in FROM_THE_C_LIBRARY
    assert 0 < difference.differing < difference.elements
    # Results are below 1, so one unit in the last place is 2^-24 or less; two are allowed.
    assert 0.0 < difference.largest <= 2.0**-23
    assert {result.layers[index].op for index in wrong} <= FROM_THE_C_LIBRARY | {"CONCATENATION"}


@pytest.mark.parametrize(("name", "build", "fragment"), REFUSED, ids=[entry[0] for entry in REFUSED])
def test_what_cannot_be_exact_is_refused(
    name: str, build: Callable[[], bytes], fragment: str, tmp_path: Path, results: Path
) -> None:
    with pytest.raises(BadInputError) as caught:
        harness.run(write(name, build, tmp_path), PLATFORMS[0])
    assert fragment in caught.value.message
    assert not results.exists()
