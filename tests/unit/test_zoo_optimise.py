"""Channels: removing dead ones or adding zeros keeps the outputs, sizes are as stated, what must stay is named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import model as reader
from harness.errors import BadInputError
from harness.zoo import channels, convert, optimise
from harness.zoo.evaluate import HostInterpreter
from harness.zoo.resize import resize, with_batch
from tests.unit.zoo_topologies import TOPOLOGIES, outputs, randomise

pytestmark = pytest.mark.skipif(convert.tensorflow_version() is None, reason="TensorFlow is not installed")


@pytest.fixture(scope="module")
def keras() -> Any:
    return convert.begin(1)


@pytest.fixture(scope="module")
def networks(keras: Any) -> dict[str, Any]:
    """The topologies with random weights; nothing changes them."""
    built = {name: build(keras) for name, build in TOPOLOGIES.items()}
    for number, network in enumerate(built.values()):
        randomise(network, number)
    return built


def widths(network: Any) -> dict[str, int]:
    return {layer.name: getattr(layer, "units", 0) or getattr(layer, "filters", 0) for layer in network.layers}


def assert_close(mine: list[Any], theirs: list[Any]) -> None:
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def kill(network: Any, dead: dict[str, list[int]]) -> None:
    """Make filters and units zero, and every normalisation map 0 to 0, so that their channels are 0 everywhere."""
    for layer in network.layers:
        for variable in layer.weights:
            array = variable.numpy()
            array[..., dead.get(layer.name, [])] = 0.0
            if variable.name in ("beta", "moving_mean") or (variable.name == "bias" and layer.name in NO_BIAS):
                array[:] = 0.0
            variable.assign(array)


NO_BIAS = ("depthwise", "double")


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_removing_dead_channels_keeps_the_outputs(name: str, keras: Any, networks: dict[str, Any]) -> None:
    @settings(
        max_examples=3, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
    )
    @given(st.data())
    def check(data: st.DataObject) -> None:
        network = channels.functional(keras, with_batch(keras, networks[name], 1))
        layout = channels.analyse(keras, network)
        kept = {
            number: sorted(data.draw(st.sets(st.integers(0, group.size - 1), min_size=1)))
            for number, group in layout.free.items()
        }
        dead = {
            layer: [channel for channel in range(group.size) if channel not in kept[number]]
            for number, group in layout.free.items()
            for layer in group.layers
        }
        kill(network, dead)
        smaller = resize(keras, network, layout, kept)
        assert widths(smaller) == {
            layer: width - len(dead.get(layer, [])) for layer, width in widths(network).items()
        } | {layer: 0 for layer, width in widths(network).items() if width == 0}
        assert_close(outputs(smaller), outputs(network))

    check()


@pytest.mark.parametrize("multiple", [4, 3])
@pytest.mark.parametrize("name", TOPOLOGIES)
def test_rounding_up_keeps_the_outputs(name: str, multiple: int, keras: Any, networks: dict[str, Any]) -> None:
    network = networks[name]
    before = outputs(network)
    rounded = optimise.round_channels(keras, network, multiple)
    assert_close(outputs(rounded), before)
    fixed = optimise.fixed(keras, network)
    for layer, width in widths(network).items():
        assert widths(rounded)[layer] == (width if layer in fixed else -(-width // multiple) * multiple)
    assert_close(outputs(network), before)


def test_rounding_up_keeps_an_int8_network_bit_for_bit(keras: Any, networks: dict[str, Any]) -> None:
    """Zeros change neither the ranges of activations nor the scales of the channels that were there."""
    network = networks["chain"]
    samples = convert.random_samples([(1, 8, 8, 2)], 20, 1)
    first, second = (
        HostInterpreter(convert.convert(variant, samples))
        for variant in (network, optimise.round_channels(keras, network))
    )
    found = {first.run([first.quantise(sample[0])])[0].tobytes() for sample in samples}
    assert len(found) > 10
    for sample in samples:
        quantised = [first.quantise(sample[0])]
        np.testing.assert_array_equal(first.run(quantised)[0], second.run(quantised)[0])


def test_rounding_down_removes_and_small_layers_go_up(keras: Any, networks: dict[str, Any]) -> None:
    rounded = optimise.round_channels(keras, networks["branches"], 4, "down")
    assert [widths(rounded)[layer] for layer in ("left", "right", "mix", "classes")] == [4, 4, 4, 3]
    assert optimise.changes(networks["branches"], rounded) == (
        optimise.Change(layer="left", before=3, after=4),
        optimise.Change(layer="right", before=5, after=4),
    )


def test_where_all_are_multiples_rounding_changes_nothing(keras: Any, networks: dict[str, Any]) -> None:
    once = optimise.round_channels(keras, networks["residual"])
    twice = optimise.round_channels(keras, once)
    assert optimise.changes(once, twice) == ()
    for mine, theirs in zip(once.get_weights(), twice.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


EXPECTED = {
    # round(share x size) go: 3 of 5 (2.5 up), 4 of 7 (3.5 up), 3 of 6.
    "chain": {"first": 2, "pointwise": 3, "hidden": 3, "classes": 3},
    "residual": {"stem": 2, "a1": 3, "a2": 2, "b1": 3, "b2": 2, "wide": 4, "projection": 4, "classes": 4},
    "branches": {"left": 1, "right": 2, "mix": 2, "classes": 3},
    "gated": {"features": 3, "squeeze": 1, "excite": 3, "classes": 4},
    "series": {"conv": 2, "causal": 3, "side": 2, "hidden": 3, "one": 3, "two": 2},
}


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_half_of_the_channels_go(name: str, keras: Any, networks: dict[str, Any]) -> None:
    pruned = optimise.prune_channels(keras, networks[name], 0.5)
    assert {layer: width for layer, width in widths(pruned).items() if width} == EXPECTED[name]
    assert pruned.name == networks[name].name
    assert [tensor.shape for tensor in pruned.inputs] == [tensor.shape for tensor in networks[name].inputs]
    names = [[layer.name for layer in channels.functional(keras, n).layers] for n in (pruned, networks[name])]
    assert names[0] == names[1]
    assert all(np.isfinite(array).all() for array in outputs(pruned))


@pytest.mark.parametrize("name", ["residual", "branches"])
def test_macs_are_those_of_the_converted_network(
    name: str, keras: Any, networks: dict[str, Any], tmp_path: Path
) -> None:
    pruned = optimise.prune_channels(keras, networks[name], 0.5)
    path = tmp_path / "network.tflite"
    path.write_bytes(convert.convert(pruned, None, dtype="float32"))
    before, after = optimise.macs(keras, networks[name]), reader.load(path).macs
    assert optimise.macs(keras, pruned) == after < before
    assert f"; {before:,} to {after:,} MACs" in optimise.summary(keras, networks[name], pruned)


def test_macs_of_the_chain_by_hand(keras: Any, networks: dict[str, Any]) -> None:
    pruned = optimise.prune_channels(keras, networks["chain"], 0.5)
    # 8x8 positions; two input channels; after pooling and padding 6x6 positions of 3 channels go into the dense layer.
    assert optimise.macs(keras, pruned) == 64 * 9 * 2 * 2 + 64 * 9 * 2 + 64 * 2 * 3 + 36 * 3 * 3 + 3 * 3


def test_the_weakest_filters_go_and_normalisation_is_cut_with_them(keras: Any) -> None:
    network = TOPOLOGIES["chain"](keras)
    randomise(network, 5)
    kernel = network.get_layer("first").kernel
    # L1 norms 5, 1, 4, 2, 3 times 18 weights.
    kernel.assign(np.ones(kernel.shape) * np.array([5.0, -1.0, 4.0, -2.0, 3.0]))
    pruned = optimise.prune_channels(keras, network, 0.4)
    stay = [0, 2, 4]
    np.testing.assert_array_equal(pruned.get_layer("first").kernel, kernel.numpy()[..., stay])
    for name in ("first_bn", "depthwise_bn"):
        for mine, theirs in zip(pruned.get_layer(name).weights, network.get_layer(name).weights, strict=True):
            np.testing.assert_array_equal(mine, theirs.numpy()[stay])
    depthwise, pointwise = network.get_layer("depthwise"), network.get_layer("pointwise")
    np.testing.assert_array_equal(pruned.get_layer("depthwise").kernel, depthwise.kernel.numpy()[:, :, stay])
    np.testing.assert_array_equal(pruned.get_layer("depthwise").bias, depthwise.bias.numpy()[stay])
    assert pruned.get_layer("pointwise").kernel.shape[2] == 3
    rows = pointwise.kernel.numpy()[:, :, stay]
    norms = np.abs(pointwise.kernel.numpy()).sum(axis=(0, 1, 2)) + np.abs(pointwise.bias.numpy())
    columns = sorted(np.argsort(norms)[3:])
    np.testing.assert_array_equal(pruned.get_layer("pointwise").kernel, rows[..., columns])


def test_a_filter_that_is_zero_goes_before_one_that_has_only_a_bias(keras: Any) -> None:
    vector = keras.Input((3,), batch_size=1)
    network = keras.Model(vector, keras.layers.Dense(2)(keras.layers.Dense(2, name="hidden")(vector)))
    network.get_layer("hidden").set_weights([np.zeros((3, 2)), np.array([0.0, 1.0])])
    pruned = optimise.prune_channels(keras, network, 0.5)
    assert pruned.get_layer("hidden").bias.numpy().tolist() == [1.0]
    assert_close(outputs(pruned), outputs(network))


def test_channels_that_meet_in_an_addition_go_by_the_sum_of_their_norms(keras: Any, networks: dict[str, Any]) -> None:
    network = networks["residual"]
    pruned = optimise.prune_channels(keras, network, 0.2)
    norms = sum(
        np.abs(array).reshape(-1, 5).sum(axis=0)
        for name in ("stem", "a2", "b2")
        for array in network.get_layer(name).get_weights()
    )
    stay = [channel for channel in range(5) if channel != np.argmin(norms)]
    for name in ("stem", "a2", "b2"):
        kernel = network.get_layer(name).kernel.numpy()[..., stay]
        np.testing.assert_array_equal(pruned.get_layer(name).kernel.numpy()[0, 0, 0], kernel[0, 0, 0])


def test_a_multiple_lets_more_channels_stay(keras: Any) -> None:
    vector = keras.Input((3,), batch_size=1)
    value = vector
    for width in (16, 6, 3):
        value = keras.layers.Dense(width, name=f"dense_{width}")(value)
    network = keras.Model(vector, keras.layers.Dense(2, name="last")(value))
    pruned = optimise.prune_channels(keras, network, 0.4, multiple_of=4)
    # 16 - 6 = 10, up to 12; 6 - 2 = 4; 3 - 1 = 2, up to 4, which it has not.
    assert [width for width in widths(pruned).values() if width] == [12, 4, 3, 2]


def shared(k: Any) -> Any:
    image = k.Input((4, 4, 3), batch_size=1)
    twice = k.layers.Conv2D(3, 1, name="twice")
    return k.Model(image, k.layers.Conv2D(2, 1)(twice(twice(image))))


def onto_input(k: Any) -> Any:
    image = k.Input((4, 4, 3), batch_size=1)
    value = k.layers.Conv2D(3, 1, name="onto")(image)
    return k.Model(image, k.layers.Conv2D(2, 1)(k.layers.Add()([value, image])))


def grouped(k: Any) -> Any:
    image = k.Input((4, 4, 3), batch_size=1)
    value = k.layers.Conv2D(4, 1, name="before")(image)
    return k.Model(image, k.layers.Conv2D(2, 1)(k.layers.Conv2D(4, 1, groups=2, name="groups")(value)))


def attention(k: Any) -> Any:
    image = k.Input((4, 4, 3), batch_size=1)
    value = k.layers.Conv2D(4, 1, activation="softmax", name="soft")(image)
    return k.Model(image, k.layers.Conv2D(2, 1)(value))


def normalised(k: Any) -> Any:
    image = k.Input((4, 4, 3), batch_size=1)
    value = k.layers.LayerNormalization(name="norm")(k.layers.Conv2D(4, 1, name="before")(image))
    return k.Model(image, k.layers.Conv2D(2, 1)(value))


def unaligned(k: Any) -> Any:
    image = k.Input((4, 4, 3), batch_size=1)
    one, two, four = (k.layers.Conv2D(n, 1, name=name)(image) for n, name in ((1, "one"), (3, "two"), (4, "four")))
    return k.Model(image, k.layers.Conv2D(2, 1)(k.layers.Add()([k.layers.Concatenate()([one, two]), four])))


def operation(k: Any) -> Any:
    vector = k.Input((4,), batch_size=1)
    return k.Model(vector, k.layers.Dense(2)(k.ops.sort(k.layers.Dense(3, name="sorted")(vector))))


def nested(k: Any) -> Any:
    vector, inner = k.Input((4,), batch_size=1), k.Input((4,), batch_size=1)
    block = k.Model(inner, k.layers.Dense(3, name="within")(inner), name="block")
    return k.Model(vector, k.layers.Dense(2)(block(k.layers.Dense(4, name="before")(vector))))


@pytest.mark.parametrize(
    ("build", "layers", "reason"),
    [
        (shared, ["twice"], "'twice' is used several times"),
        (onto_input, ["onto"], "it meets channels that are fixed"),
        (grouped, ["before"], "'groups' needs all of its channels"),
        (attention, ["soft"], "the activation of 'soft' needs all of its channels"),
        (normalised, ["before"], "'norm' needs all of its channels"),
        (unaligned, ["one", "two", "four"], "it meets channels that are arranged otherwise"),
        (operation, ["sorted"], "needs all of its channels"),
        (nested, ["before"], "'block' needs all of its channels"),
    ],
)
def test_what_is_left_alone_is_named_with_the_reason(build: Any, layers: list[str], reason: str, keras: Any) -> None:
    network = build(keras)
    # Nothing is free but a further layer, so that there is something to change.
    last = keras.layers.Dense(5, name="free")(network.outputs[0])
    network = keras.Model(network.inputs[0], keras.layers.Dense(2, name="end")(last))
    fixed = optimise.fixed(keras, network)
    for layer in layers:
        assert reason in fixed[layer]
    assert fixed["end"] == "its channels are the network's output"
    pruned, rounded = optimise.prune_channels(keras, network, 0.5), optimise.round_channels(keras, network)
    assert all(change.layer not in fixed for change in optimise.changes(network, pruned))
    assert optimise.Change(layer="free", before=5, after=2) in optimise.changes(network, pruned)
    assert_close(outputs(rounded), outputs(network))


def test_a_class_of_ones_own_is_left_alone(keras: Any) -> None:
    class Dense(keras.layers.Dense):  # type: ignore[misc]
        """Has the name of a layer that is known, and computes something else."""

        def call(self, inputs: Any, training: Any = None) -> Any:
            return keras.ops.flip(super().call(inputs), axis=-1)

    vector = keras.Input((4,), batch_size=1)
    network = keras.Model(vector, keras.layers.Dense(2)(Dense(3, name="own")(keras.layers.Dense(6)(vector))))
    with pytest.raises(BadInputError, match="can change its number of channels"):
        optimise.prune_channels(keras, network, 0.5)


def test_a_network_where_nothing_can_go_is_an_error(keras: Any) -> None:
    vector = keras.Input((4,), batch_size=1)
    network = keras.Model(vector, keras.layers.Dense(10, activation="softmax", name="only")(vector), name="single")
    for change in (
        lambda: optimise.prune_channels(keras, network, 0.5),
        lambda: optimise.round_channels(keras, network),
    ):
        with pytest.raises(BadInputError) as caught:
            change()
        assert caught.value.message == (
            "no layer of 'single' can change its number of channels (only: its channels are the network's output)"
        )
        assert caught.value.hint == "it needs a convolution or dense layer in front of the last one"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda k, n: optimise.prune_channels(k, n, 0.0), "a share of 0.0 of the channels"),
        (lambda k, n: optimise.prune_channels(k, n, 1.0), "a share of 1.0 of the channels"),
        (lambda k, n: optimise.prune_channels(k, n, 0.05), "a share of 0.05 removes no channel of 'chain'"),
        (lambda k, n: optimise.prune_channels(k, n, 0.5, 0), "multiples of 0 channels"),
        (lambda k, n: optimise.round_channels(k, n, 0), "multiples of 0 channels"),
        (lambda k, n: optimise.round_channels(k, n, 4, "sideways"), "a direction of 'sideways'"),
        (lambda k, n: optimise.round_channels(k, k.Sequential([k.layers.Dense(3)])), "is no functional or Sequential"),
        (lambda k, n: optimise.round_channels(k, object()), "'object' is no functional or Sequential"),
    ],
)
def test_mistakes_are_one_clear_line(change: Any, message: str, keras: Any, networks: dict[str, Any]) -> None:
    with pytest.raises(BadInputError, match=message) as caught:
        change(keras, networks["chain"])
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_another_batch_size_gives_the_same_outputs(keras: Any, networks: dict[str, Any]) -> None:
    many = with_batch(keras, networks["residual"], None)
    assert many.inputs[0].shape[0] is None
    assert_close(outputs(many), outputs(networks["residual"]))


def test_importing_the_optimisations_does_not_import_tensorflow() -> None:
    code = "import harness.zoo.optimise, sys; raise SystemExit(bool({'tensorflow', 'keras'} & {*sys.modules}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
