"""How networks of the zoo are written and checked, without making any of them."""

import subprocess
import sys
from typing import Any

import msgspec
import pytest

from harness.errors import BadInputError
from harness.zoo import convert, data, make, networks
from harness.zoo.networks import NETWORKS, parse, spec
from harness.zoo.recipe import Recipe, check, recipe

needs_tensorflow = pytest.mark.skipif(convert.tensorflow_version() is None, reason="TensorFlow is not installed")

WRITTEN = (
    "lenet",
    "lenet:width=0.5",
    "vww:width=0.1,size=64",
    "conv:channels=8,kernel=5,stride=2,padding=valid,activation=none",
    "depthwise:multiplier=2",
    "heim-conv-stack:filters=16,kernel=7",
    "kws:width=0.123456789",
)


def test_the_zoo_holds_the_networks_that_are_promised() -> None:
    assert set(NETWORKS) == {
        *("lenet", "resnet20", "kws", "ad", "vww", "ic", "digits", "wrist", "dense", "conv", "depthwise"),
        *("heim-dense", "heim-conv", "heim-depthwise", "heim-conv-stack"),
    }
    for network in NETWORKS.values():
        assert (network.dataset is None) != (network.untrainable is None)
        assert network.dataset is None or network.dataset in data.names()


def test_importing_it_imports_nothing_heavy() -> None:
    heavy = "{'tensorflow', 'keras', 'sklearn', 'pandas', 'mlxtend', 'seglearn'}"
    code = f"import harness.zoo.make, harness.zoo.data, sys; raise SystemExit(bool({heavy} & {{*sys.modules}}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("written", WRITTEN)
def test_a_label_is_how_it_is_written(written: str) -> None:
    assert parse(written).label == written


@pytest.mark.parametrize("name", NETWORKS)
def test_defaults_are_allowed_and_left_out_of_the_label(name: str) -> None:
    chosen = spec(name)
    assert chosen.label == name
    assert chosen == spec(name, chosen.values)
    assert networks.input_shape(chosen)
    assert msgspec.json.decode(msgspec.json.encode(chosen), type=networks.Spec) == chosen


def test_equal_networks_are_equal_however_they_are_written() -> None:
    assert (
        parse("conv:kernel=5,channels=8")
        == parse(" conv: channels=8 , kernel = 5")
        == spec("conv", {"channels": 8, "kernel": 5.0})
    )
    assert parse("lenet:width=1") == parse("lenet:width=1.0") == spec("lenet", {"width": 1}) == parse("lenet")


@pytest.mark.parametrize(
    ("written", "message", "hint"),
    [
        ("lenett", "there is no network 'lenett' in the zoo", "lenet"),
        ("", "there is no network ''", "lenet, resnet20"),
        ("conv:channel=8", "conv has no parameter 'channel'", "it has size, inputs, channels"),
        ("digits:width=2", "digits has no parameter 'width'", "it has none"),
        ("conv:channels=0", "channels of conv is '0', not a whole number from 1 to 512", "channels of the output"),
        ("conv:channels=1e9", "channels of conv is '1e9'", "channels of the output"),
        ("conv:channels=2.5", "channels of conv is '2.5'", "channels of the output"),
        ("lenet:width=nan", "width of lenet is 'nan', not a number from 0.1 to 4", "multiplies"),
        ("conv:padding=full", "padding of conv is 'full', not same or valid", "edges"),
        ("conv:", "'' in 'conv:' is no PARAMETER=VALUE", "conv:size=16"),
        ("conv:channels", "'channels' in 'conv:channels' is no PARAMETER=VALUE", "conv:size=16"),
        ("conv:channels=8,", "'' in 'conv:channels=8,' is no PARAMETER=VALUE", "conv:size=16"),
        ("conv:channels=8,channels=9", "channels is given twice", None),
    ],
)
def test_what_is_written_wrong_is_named(written: str, message: str, hint: str | None) -> None:
    with pytest.raises(BadInputError) as caught:
        parse(written)
    assert message in caught.value.message
    assert hint is None or hint in str(caught.value.hint)


@pytest.mark.parametrize("value", [True, None, [8], "8 "])
def test_only_numbers_are_numbers(value: object) -> None:
    if value == "8 ":
        assert spec("conv", {"channels": value}) == spec("conv", {"channels": 8})
        return
    with pytest.raises(BadInputError, match="channels of conv is"):
        spec("conv", {"channels": value})


@pytest.mark.parametrize(
    ("settings", "label", "description"),
    [
        ({}, "lenet int8", "lenet int8, random weights, seed 1"),
        ({"io": "int8"}, "lenet int8", "lenet int8, random weights, seed 1"),
        (
            {"io": "float32", "seed": 7},
            "lenet int8 io=float32 seed=7",
            "lenet int8 io=float32 seed=7, random weights, seed 7",
        ),
        ({"type": "float32", "sparsity": 0.8}, "lenet float32 sparsity=0.8", None),
        (
            {"train": True, "epochs": 3, "channel_pruning": 0.25, "multiple_of": 4},
            "lenet int8 trained epochs=3 channel_pruning=0.25 multiple_of=4",
            "lenet int8 trained epochs=3 channel_pruning=0.25 multiple_of=4, trained weights, seed 1",
        ),
    ],
)
def test_labels_say_what_differs(settings: dict[str, Any], label: str, description: str | None) -> None:
    found = recipe(parse("lenet"), **settings)
    assert found.label == label
    assert description is None or found.description == description
    assert all(character.isalnum() or character in "-." for character in found.slug)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("lenet", {"type": "hybrid"}, "hybrid"),
        ("lenet", {"type": "int4"}, "'int4'"),
        ("lenet", {"type": "float32", "io": "int8"}, "a float32 network cannot have int8 inputs"),
        ("lenet", {"epochs": 3}, "epochs are given for a network that is not trained"),
        ("lenet", {"train": True, "epochs": 0}, "epochs is 0, not a whole number from 1"),
        ("lenet", {"seed": -1}, "seed is -1"),
        ("lenet", {"seed": "one"}, "lenet: "),
        ("lenet", {"sparsity": 80.0}, "sparsity is 80, not a share from 0 to less than 1"),
        ("lenet", {"channel_pruning": -0.1}, "channel_pruning is -0.1"),
        ("lenet", {"multiple_of": 0}, "multiple_of is 0"),
        ("kws", {"train": True}, "kws cannot be trained: its data (Speech Commands) comes with no package"),
        ("conv", {"train": True}, "conv cannot be trained: it is a single layer"),
    ],
)
def test_recipes_that_cannot_be_made_are_refused_at_once(name: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInputError) as caught:
        recipe(parse(name), **settings)
    assert message in caught.value.message


def test_an_incomplete_spec_is_refused() -> None:
    with pytest.raises(BadInputError, match="is not complete"):
        check(Recipe(spec=networks.Spec(network="conv", parameters=(("channels", 8),))))


@needs_tensorflow
def test_each_setting_decides_the_key() -> None:
    base = recipe(parse("lenet"), train=True)
    others = [
        recipe(parse("lenet:width=2"), train=True),
        *(
            recipe(parse("lenet"), **{"train": True, **change})
            for change in (
                {"train": False},
                {"type": "float32"},
                {"io": "float32"},
                {"epochs": 20},
                {"seed": 2},
                {"sparsity": 0.5},
                {"channel_pruning": 0.5},
                {"multiple_of": 4},
            )
        ),
    ]
    keys = [make.key(item) for item in (base, *others)]
    assert len(set(keys)) == len(keys)
    assert make.key(recipe(parse("lenet"), train=True)) == keys[0]


def test_without_tensorflow_nothing_can_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert, "_DISTRIBUTIONS", ("no-such-distribution",))
    (outcome,) = make.attempt([recipe(parse("lenet"))])
    assert "TensorFlow is not installed" in str(outcome)
