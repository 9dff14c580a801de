"""Families of networks that a search varies: their shapes, and which numbers of them change nothing."""

from __future__ import annotations

from typing import Any

import pytest

from harness.zoo import convert, families
from harness.zoo.families import Architecture

needs_tensorflow = pytest.mark.skipif(convert.tensorflow_version() is None, reason="TensorFlow is not installed")


def architecture(family: str, shape: tuple[int, ...], **changed: Any) -> Architecture:
    values: dict[str, Any] = {"channels": 5, "depth": 3, "growth": 1.5, "kernel": 3, "stride": 1, "pool": 2,
                              "head": "average"}  # fmt: skip
    known = {name: value for name, value in {**values, **changed}.items() if name in families.FAMILIES[family]}
    return Architecture(family=family, shape=shape, classes=10, **known)


NETWORKS = (
    architecture("dense", (8, 8, 1)),
    architecture("cnn", (28, 28, 1)),
    architecture("cnn", (8, 8, 1), stride=2, kernel=5, head="flatten"),
    architecture("ds-cnn", (28, 28, 1), stride=2),
    architecture("ds-cnn", (7, 9, 2), depth=2),
    architecture("residual", (28, 28, 1), growth=1.0),
    architecture("residual", (9, 9, 1), stride=2, pool=3, head="flatten"),
    architecture("conv1d", (128, 6), pool=4),
    architecture("conv1d", (128, 6), stride=2, kernel=7, head="flatten"),
)


@needs_tensorflow
def test_networks_have_the_sizes_and_widths_that_are_worked_out_without_keras() -> None:
    keras = convert.begin(1)
    for chosen in NETWORKS:
        model = families.build(keras, chosen, 1)
        assert model.output_shape == (1, 10)
        producers = [layer for layer in model.layers if layer.name != "classes" and hasattr(layer, "kernel")]
        wide = [layer for layer in producers if layer.name.startswith(("conv", "pointwise", "dense", "block"))]
        wide = [layer for layer in wide if not layer.name.endswith(("_a", "_way"))]
        assert tuple(int(layer.output.shape[-1]) for layer in wide) == chosen.widths, chosen.label
        if chosen.family != "dense":
            last = next(
                layer for layer in reversed(model.layers) if layer.name not in ("flatten", "classes", "average")
            )
            assert tuple(last.output.shape[1:-1]) == chosen.sizes[-1], chosen.label
            assert any(layer.name == "average" for layer in model.layers) == (chosen.head == "average"), chosen.label


@needs_tensorflow
def test_numbers_that_are_left_out_change_nothing() -> None:
    keras = convert.begin(1)
    for chosen in (
        architecture("cnn", (3, 3, 1), depth=1),  # no room to pool, one block does not grow
        architecture("cnn", (8, 8, 1), stride=8, kernel=5, depth=2),  # one position is left
    ):
        same = chosen.normalised()
        assert same != chosen
        shapes = [
            [(layer.name, tuple(layer.output.shape)) for layer in families.build(keras, item, 1).layers
             if layer.name != "average"]
            for item in (chosen, same)
        ]  # fmt: skip
        assert shapes[0] == shapes[1]


def test_what_means_nothing_is_left_out_so_that_equal_networks_are_equal() -> None:
    assert (
        architecture("cnn", (8, 8, 1), depth=1, growth=2.0).normalised()
        == architecture("cnn", (8, 8, 1), depth=1, growth=1.0).normalised()
    )
    assert architecture("cnn", (8, 8, 1)).normalised() == architecture("cnn", (8, 8, 1))
    assert architecture("residual", (8, 8, 1), depth=1).normalised().pool is None
    assert architecture("dense", (8, 8, 1), kernel=3) == architecture("dense", (8, 8, 1), kernel=5)


def test_families_take_images_or_series() -> None:
    assert families.families_for((28, 28, 1)) == ("dense", "cnn", "ds-cnn", "residual")
    assert families.families_for((128, 6)) == ("dense", "conv1d")
    assert architecture("ds-cnn", (28, 28, 1)).label == (
        "ds-cnn channels=5 depth=3 growth=1.5 kernel=3 stride=1 pool=2 head=average"
    )
