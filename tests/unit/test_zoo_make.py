"""Networks of the zoo as files: their architectures, what they say of themselves, the cache, training."""

import itertools
import json
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest

from harness import cache, model, process
from harness.errors import BadInputError, HarnessError, MissingToolError
from harness.zoo import convert, data, evaluate, make, optimise, weights
from harness.zoo.make import Made, Recipe, attempt, many, metadata_of
from harness.zoo.networks import NETWORKS, build, input_shape, parse
from harness.zoo.recipe import recipe
from tests.conftest import SHARED_MODELS

pytestmark = pytest.mark.skipif(convert.tensorflow_version() is None, reason="TensorFlow is not installed")

# Of each network that is made here; small variants where only the kinds of operators matter.
SMALL = (
    *("lenet", "resnet20:blocks=1", "kws:blocks=1", "ad:depth=1", "vww:size=32", "ic:width=0.5", "digits", "wrist"),
    *("dense", "conv", "depthwise:multiplier=2"),
    *("heim-dense:units=9", "heim-conv:filters=5", "heim-depthwise:filters=5", "heim-conv-stack:filters=2,kernel=2"),
)
# Multiply-accumulates of the benchmark's reference models, which are counted from their .tflite files where those are.
OFFICIAL = {"kws": 2_656_768, "ad": 264_192, "vww": 7_489_664, "ic": 12_501_632}
REFERENCE_FILES = {"kws": "kws_ref_model.tflite", "ad": "ad01_int8.tflite"}


# An epoch is enough for LeNet, which has no normalisation whose averages must settle.
TRAINED: dict[str, Any] = {"train": True, "epochs": 1}
WANTED: dict[str, Recipe] = {
    **{text: recipe(parse(text)) for text in SMALL},
    "float ends": recipe(parse("lenet"), io="float32"),
    "float32": recipe(parse("dense"), type="float32"),
    "zeros": recipe(parse("dense"), type="float32", sparsity=0.5),
    "trained": recipe(parse("lenet"), **TRAINED),
    "pruned": recipe(parse("lenet"), **TRAINED, channel_pruning=0.5, multiple_of=4, sparsity=0.75),
}
AGAIN = ("trained", "zeros", "wrist")
DAMAGED = ("dense", "conv")
FAILING: dict[str, Recipe] = {
    "died": recipe(parse("dense:channels=6")),
    "unbuildable": recipe(parse("conv:size=2,padding=valid")),
    "untrainable": Recipe(spec=parse("kws"), train=True),
    "unreachable": recipe(parse("ic"), train=True),
}


@pytest.fixture(scope="module")
def small() -> dict[str, Made]:
    """All at once, as each start of TensorFlow takes seconds; found in the cache where they were made before."""
    return dict(zip(WANTED, many(list(WANTED.values())), strict=True))


def test_every_network_of_the_zoo_is_made(small: dict[str, Made]) -> None:
    assert {text.partition(":")[0] for text in SMALL} == set(NETWORKS)
    for text in SMALL:
        item = small[text]
        loaded = model.load(item.path)
        assert loaded.description == item.metadata.description == f"{text} int8, random weights, seed 1"
        assert (loaded.sha256, loaded.size_bytes) == (item.metadata.sha256, item.metadata.size_bytes)
        assert (loaded.macs, [operator.op for operator in loaded.operators]) == (
            item.metadata.macs,
            list(item.metadata.operators),
        )
        assert item.metadata.compressed_bytes == len(zlib.compress(loaded.content, 9))
        assert item.metadata.weights == "random"
        assert item.metadata.accuracy is item.metadata.float_accuracy is item.metadata.data is None
        assert loaded.tensors[loaded.inputs[0]].shape == (1, *input_shape(parse(text)))
        # A bias that is all zeros would be dropped, and another kernel would run.
        weighted = [operator for operator in loaded.operators if operator.macs]
        assert all(len(operator.inputs) == 3 and operator.inputs[2] >= 0 for operator in weighted)


@pytest.mark.parametrize("text", SMALL)
def test_outputs_of_random_weights_depend_on_the_input(text: str, small: dict[str, Made]) -> None:
    interpreter = evaluate.HostInterpreter(small[text].path.read_bytes())
    samples = convert.random_samples([interpreter.inputs[0]["shape"]], 8, 99)
    outputs = {interpreter.run([interpreter.quantise(sample)])[0].tobytes() for (sample,) in samples}
    assert len(outputs) > 1


def test_lenet_is_the_papers(small: dict[str, Made]) -> None:
    """Layers and multiply-accumulates of Heim et al. 2021, float inputs and outputs around int8."""
    loaded = model.load(small["float ends"].path)
    assert [operator.op for operator in loaded.operators] == [
        *("QUANTIZE", "CONV_2D", "AVERAGE_POOL_2D", "CONV_2D", "AVERAGE_POOL_2D", "RESHAPE"),
        *("FULLY_CONNECTED", "FULLY_CONNECTED", "FULLY_CONNECTED", "SOFTMAX", "DEQUANTIZE"),
    ]
    assert [operator.macs for operator in loaded.operators if operator.macs] == [48_600, 146_016, 69_120, 10_080, 840]
    assert {loaded.tensors[index].type for index in (*loaded.inputs, *loaded.outputs)} == {"float32"}


@pytest.mark.parametrize("name", OFFICIAL)
def test_mlperf_tiny_has_the_official_multiplications(name: str) -> None:
    keras = convert.begin(1)
    assert optimise.macs(keras, build(keras, parse(name))) == OFFICIAL[name]
    reference = SHARED_MODELS / REFERENCE_FILES.get(name, "")
    if reference.is_file():
        assert model.load(reference).macs == OFFICIAL[name]


def test_resnet20_has_the_published_parameters_and_no_weights_in_its_shortcuts() -> None:
    """0.27 M parameters in He et al. 2016, table 6; convolutions and dense layer by hand."""
    keras = convert.begin(1)
    found = build(keras, parse("resnet20"))
    kernels = {layer.name: layer.kernel.shape for layer in found.layers if hasattr(layer, "kernel")}
    assert len(kernels) == 20
    expected = 9 * (3 * 16 + 6 * 16 * 16 + 16 * 32 + 5 * 32 * 32 + 32 * 64 + 5 * 64 * 64) + 64 * 10
    assert sum(int(np.prod(shape)) for shape in kernels.values()) == expected
    assert optimise.macs(keras, found) == 40_551_040
    assert len([1 for layer in build(keras, parse("resnet20:blocks=2")).layers if hasattr(layer, "kernel")]) == 14


@pytest.mark.parametrize(("width", "channels"), [(0.5, [3, 8, 60, 42, 10]), (2.0, [12, 32, 240, 168, 10])])
def test_width_multiplies_the_channels(width: float, channels: list[int]) -> None:
    found = build(convert.begin(1), parse(f"lenet:width={width}"))
    assert [layer.kernel.shape[-1] for layer in found.layers if hasattr(layer, "kernel")] == channels


def test_what_keras_cannot_build_is_bad_input() -> None:
    with pytest.raises(BadInputError, match=r"conv:size=2,padding=valid cannot be built: .*zero or negative"):
        build(convert.begin(1), parse("conv:size=2,padding=valid"))


# --- the file's own description --------------------------------------------------------------------------------------


def test_a_description_moves_nothing_else(small: dict[str, Made], tmp_path: Path) -> None:
    before = small["conv"].path.read_bytes()
    path = tmp_path / "conv.tflite"
    for text in ("", "short", "longer than what was there before, by far: ä"):
        after = weights.describe(before, text)
        path.write_bytes(after)
        old, new = model.load(small["conv"].path), model.load(path)
        assert new.description == text
        assert msgspec.structs.replace(new, path=old.path, content=b"", sha256="", size_bytes=0, description="") == (
            msgspec.structs.replace(old, content=b"", sha256="", size_bytes=0, description="")
        )
        assert len(after) % 16 == 0
        changed = [index for index, (a, b) in enumerate(zip(before, after, strict=False)) if a != b]
        assert len(changed) <= 4


# --- the cache -------------------------------------------------------------------------------------------------------


class Second(NamedTuple):
    """What came of a second making, in a cache of its own, and what was said meanwhile."""

    cache: Path
    outcomes: dict[str, Made | HarnessError]
    steps: list[tuple[str, int | None, int | None]]


@pytest.fixture(scope="module")
def second(small: dict[str, Made], tmp_path_factory: pytest.TempPathFactory) -> Second:
    """Some networks made again, some whose files are damaged, some that cannot be made: by one process, as each takes
    seconds to start. The one before it dies of its first recipe."""
    folder = tmp_path_factory.mktemp("second")
    run, ends = process.run, []

    def dying_once(arguments: Any, **options: Any) -> process.Finished:
        if ends:
            return run(arguments, **options)
        ends.append(run(["/bin/sh", "-c", "echo out of memory >&2; kill -9 $$"]))
        return ends[0]

    wanted = {**FAILING, **{name: WANTED[name] for name in (*DAMAGED, *AGAIN)}}
    steps: list[tuple[str, int | None, int | None]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(folder))
        patch.setenv("KERAS_HOME", str(folder))  # what was downloaded is elsewhere
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            patch.setenv(name, "http://127.0.0.1:9")
        copies = [make.copy(small[name], folder / "zoo" / small[name].path.parent.name) for name in DAMAGED]
        assert many([WANTED[name] for name in DAMAGED]) == copies
        changed, alone = (item.path for item in copies)
        changed.write_bytes(changed.read_bytes()[:-1] + b"!")
        alone.with_suffix(".json").unlink()
        assert metadata_of(changed) is metadata_of(alone) is None
        patch.setattr(process, "run", dying_once)
        outcomes = attempt([*wanted.values()], lambda *step: steps.append(step))
    return Second(folder, dict(zip(wanted, outcomes, strict=True)), steps)


@pytest.mark.parametrize("name", [*AGAIN, *DAMAGED])
def test_made_again_the_bytes_are_equal(name: str, small: dict[str, Made], second: Second) -> None:
    """Also where the file, or what is recorded of it, was damaged."""
    again = second.outcomes[name]
    assert isinstance(again, Made)
    assert again.path.is_relative_to(second.cache)
    assert again.path.read_bytes() == small[name].path.read_bytes()
    assert again.metadata == small[name].metadata == metadata_of(again.path)


def test_what_is_in_the_cache_is_not_made_again(small: dict[str, Made], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "run", lambda *_arguments, **_options: pytest.fail("a process was started"))
    assert make.make(recipe(parse("conv"))) == small["conv"]
    assert many([WANTED["conv"], WANTED["dense"], WANTED["conv"]]) == [
        small["conv"],
        small["dense"],
        small["conv"],
    ]


def test_metadata_belongs_to_the_file_beside_it(small: dict[str, Made], tmp_path: Path) -> None:
    copied = make.copy(small["conv"], tmp_path / "new")
    assert copied.path.parent == tmp_path / "new"
    assert metadata_of(copied.path) == small["conv"].metadata
    copied.path.write_bytes(copied.path.read_bytes() + b"\0")
    assert metadata_of(copied.path) is None
    other = copied.path.with_suffix(".json")
    other.write_text(json.dumps({**json.loads(other.read_text()), "format": 99}))
    assert cache.read(other, make.Metadata) is not None
    assert metadata_of(copied.path) is None
    assert metadata_of(tmp_path / "none.tflite") is None


def test_a_folder_that_cannot_be_written_is_named(small: dict[str, Made], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInputError, match="cannot be written"):
        make.copy(small["conv"], tmp_path / "file")


def test_one_that_fails_does_not_stop_the_others(small: dict[str, Made], second: Second) -> None:
    assert second.steps[-1] == ("building networks of the zoo", 8, 8)
    for name, kind, message in (
        ("died", HarnessError, "dense:channels=6 int8 was not made: the process that makes networks ended with -9"),
        ("unbuildable", BadInputError, "conv:size=2,padding=valid cannot be built: "),
        ("untrainable", BadInputError, "kws cannot be trained: "),
        ("unreachable", MissingToolError, "cifar10 cannot be downloaded: "),
    ):
        outcome = second.outcomes[name]
        assert type(outcome) is kind
        assert outcome.message.startswith(message)
    died = second.outcomes["died"]
    assert isinstance(died, HarnessError)
    assert died.detail == "out of memory"
    with pytest.raises(BadInputError, match="kws cannot be trained"):
        many([WANTED["conv"], FAILING["untrainable"]])


# --- training and pruning --------------------------------------------------------------------------------------------


def test_a_trained_network_says_how_good_it_is(small: dict[str, Made]) -> None:
    item = small["trained"]
    found, parts = item.metadata, data.load("mnist-5k")
    assert (found.weights, found.description) == ("trained", "lenet int8 trained epochs=1, trained weights, seed 1")
    padded = parts.padded(input_shape(parse("lenet")))
    assert found.accuracy == evaluate.accuracy(item.path.read_bytes(), padded.test_inputs, padded.test_labels)
    assert found.accuracy is not None
    assert found.accuracy.fraction > 0.8
    assert found.data is not None
    assert (found.data.name, found.data.source) == (parts.name, parts.source)
    assert [step.name for step in found.steps] == ["build", "train", "convert"]
    assert found.steps[1].before is None
    assert found.steps[1].after == found.steps[2].before == found.float_accuracy
    assert found.steps[2].after == found.accuracy


def test_pruning_reports_accuracy_before_and_after(small: dict[str, Made]) -> None:
    plain, pruned = small["trained"].metadata, small["pruned"].metadata
    assert [step.name for step in pruned.steps] == [
        *("build", "train", "prune channels", "round channels", "fine-tune", "prune weights", "convert"),
    ]
    assert pruned.steps[1].after == plain.float_accuracy
    for earlier, later in itertools.pairwise(pruned.steps[1:]):
        assert later.before == earlier.after is not None
    train, cut, _, tuned, *_ = (step.after.fraction for step in pruned.steps[1:] if step.after is not None)
    assert cut < tuned < train
    assert pruned.steps[5].after == pruned.float_accuracy
    assert pruned.accuracy == pruned.steps[6].after
    assert pruned.macs < plain.macs
    assert pruned.size_bytes < plain.size_bytes
    assert pruned.compressed_bytes / pruned.size_bytes < 0.75 * plain.compressed_bytes / plain.size_bytes


def test_random_weights_are_pruned_too(small: dict[str, Made]) -> None:
    plain, pruned = small["float32"], small["zeros"]
    assert [step.name for step in pruned.metadata.steps] == ["build", "prune weights", "convert"]
    zeros = [np.frombuffer(item.path.read_bytes(), np.float32) == 0.0 for item in (plain, pruned)]
    # The longer description ends in some more.
    assert 64 * 64 // 2 <= np.sum(zeros[1]) - np.sum(zeros[0]) <= 64 * 64 // 2 + 8
    assert pruned.metadata.macs == plain.metadata.macs
    assert 0 <= pruned.metadata.size_bytes - plain.metadata.size_bytes <= 32
    assert pruned.metadata.compressed_bytes < 0.7 * plain.metadata.compressed_bytes
