"""Networks of the zoo in a sweep file: what they may be, which points they stand for, and what becomes of them."""

from __future__ import annotations

import csv
import json
import tomllib
from collections.abc import Sequence
from pathlib import Path

import jsonschema
import msgspec
import pytest
import sweep_maker

from harness import cli, model
from harness.errors import BadInputError, HarnessError, MissingToolError
from harness.library import Progress
from harness.sweep import expand, file, models, points, run, tables
from harness.zoo import convert, make
from harness.zoo.evaluate import Accuracy
from harness.zoo.recipe import DataSource, Made, Metadata, Recipe
from tests.conftest import DIGITS, ROOT

EXAMPLE = ROOT / "tests" / "data" / "sweeps" / "networks.toml"

pytestmark = pytest.mark.skipif(convert.tensorflow_version() is None, reason="TensorFlow is not installed")


def write(folder: Path, networks: str, rest: str = "") -> Path:
    """A sweep of one [[networks]] table and what follows on one platform with one kernel set."""
    path = folder / "made.toml"
    path.write_text(f'name = "made"\n[axes]\nplatforms = ["stm32l496zg"]\n[[networks]]\n{networks}\n{rest}\n')
    return path


def labels(folder: Path, networks: str, rest: str = "") -> list[str]:
    plan = expand.expand(file.load(write(folder, networks, rest)))
    return [point.choice.model for point in plan.points]


@pytest.fixture(autouse=True)
def nothing_made(private_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache without networks, and no way to make one but the test's own."""

    def refuse(_recipes: Sequence[Recipe], _progress: Progress) -> list[Made | HarnessError]:
        raise AssertionError("a network was to be made")

    monkeypatch.setattr(make, "attempt", refuse)


def metadata(recipe: Recipe, accuracy: Accuracy | None) -> Metadata:
    return Metadata(
        name=recipe.label,
        description=recipe.description,
        recipe=recipe,
        weights=recipe.weights,
        seed=recipe.seed,
        sha256="",
        size_bytes=0,
        compressed_bytes=0,
        macs=0,
        operators=(),
        steps=(),
        conversion={},
        tools={},
        data=DataSource(name="digits", source="scikit-learn", split="stratified"),
        accuracy=accuracy,
    )


def makes(folder: Path, monkeypatch: pytest.MonkeyPatch, fails: str = "none") -> list[str]:
    """Let networks be made, each a file of its own: the shipped one and some bytes behind it; says which were."""
    made: list[str] = []

    def attempt(recipes: Sequence[Recipe], _progress: Progress) -> list[Made | HarnessError]:
        return [one(recipe) for recipe in recipes]

    def one(recipe: Recipe) -> Made | HarnessError:
        made.append(recipe.label)
        if fails in recipe.label:
            return BadInputError(f"{recipe.label} cannot be built: planted", "another kernel")
        path = folder / f"{recipe.slug}.tflite"
        path.write_bytes(DIGITS.read_bytes() + bytes(4 * len(made)))
        return Made(path=path, metadata=metadata(recipe, Accuracy(correct=9, images=10)))

    monkeypatch.setattr(make, "attempt", attempt)
    return made


@pytest.mark.parametrize(
    ("networks", "fragments"),
    [
        ("name = 'lanet'", ["networks[0].name: there is no network 'lanet'", "lenet"]),
        ("nome = 'lenet'", ["networks[0]: ", "unknown key `nome`", "it has name, parameters, "]),
        ("types = 'int8'", ["networks[0]: the required key `name` is missing"]),
        ("name = 'conv:channels=3'", ["networks[0].name: there is no network", "parameters = {"]),
        ("name = 'conv'\nparameters = [3]", ["networks[0].parameters: Expected `table`, got `list`"]),
        ("name = 'conv'\nparameters = { chanels = 3 }", ["networks[0].parameters: conv has no parameter 'chanels'"]),
        (
            "name = 'conv'\nparameters = { channels = [4, 0] }",
            ["networks[0].parameters: channels of conv is 0", "1 to"],
        ),
        ("name = 'conv'\nparameters = { channels = [] }", ["networks[0].parameters.channels: an empty list"]),
        ("name = 'conv'\nparameters = { channels = true }", ["networks[0].parameters", "got `bool`"]),
        ("name = 'conv'\nseeds = []", ["networks[0].seeds: ", "length >= 1"]),
        ("name = 'conv'\ntypes = ['int4']", ["networks[0].types: unknown value 'int4'", "int8, float32, hybrid"]),
        ("name = 'conv'\nio = 'uint8'", ["networks[0].io: unknown value 'uint8'"]),
        (
            "name = 'conv'\ntypes = ['int8', 'float32']\nio = 'int8'",
            ["networks[0]: conv float32 io=int8: ", "int8 inp"],
        ),
        ("name = 'kws'\ntrain = true", ["networks[0]: kws int8 trained: kws cannot be trained"]),
        ("name = 'digits'\nepochs = 3", ["networks[0]: ", "not trained"]),
        ("name = 'conv'\nsparsity = [0.5, 1.0]", ["networks[0]: conv int8 sparsity=1: sparsity is 1"]),
        ("name = 'conv'\nsparsity = 'much'", ["networks[0].sparsity: "]),
        ("name = 'conv'\nmultiple_of = 0", ["networks[0]: ", "multiple_of is 0"]),
        ("name = 'conv'\n[[networks]]\nname = 'dens'", ["networks[1].name: there is no network 'dens'", "dense"]),
    ],
)
def test_mistakes_name_file_and_key(tmp_path: Path, networks: str, fragments: list[str]) -> None:
    with pytest.raises(BadInputError) as refused:
        file.load(write(tmp_path, networks))
    assert refused.value.message.startswith(f"{tmp_path / 'made.toml'}: ")
    for fragment in fragments:
        assert fragment in f"{refused.value.message} {refused.value.hint}", refused.value.message


def test_a_sweep_of_nothing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "made.toml"
    path.write_text('name = "made"\n[axes]\nplatforms = ["rp2040"]\n')
    with pytest.raises(BadInputError, match=r"axes\.models: names no file, and there are no \[\[networks\]\]"):
        file.load(path)


def test_every_list_is_an_axis(tmp_path: Path) -> None:
    text = "name = 'conv'\nparameters = { channels = [8, 9], kernel = 1 }\ntypes = ['int8', 'float32']\nseeds = [1, 2]"
    assert labels(tmp_path, text) == [
        f"conv:channels={channels},kernel=1 {kind}{seed}"
        for channels in (8, 9)
        for kind in ("int8", "float32")
        for seed in ("", " seed=2")
    ]
    text = "name = 'digits'\ntrain = [false, true]\nepochs = 3\nsparsity = [0, 0.8]\nchannel_pruning = 0.5\nio = 'int8'"
    assert labels(tmp_path, text) == [
        "digits int8 channel_pruning=0.5",
        "digits int8 channel_pruning=0.5 sparsity=0.8",
        "digits int8 trained epochs=3 channel_pruning=0.5",
        "digits int8 trained epochs=3 channel_pruning=0.5 sparsity=0.8",
    ]


def test_what_is_named_twice_is_one(tmp_path: Path) -> None:
    text = "name = 'conv'\nparameters = { channels = [16, 16] }\n[[networks]]\nname = 'conv'\nio = 'int8'"
    assert labels(tmp_path, text) == ["conv int8"]


def test_models_come_first_and_names_stay_apart(tmp_path: Path) -> None:
    path = write(tmp_path, "name = 'conv'", "[[networks]]\nname = 'dense'")
    (tmp_path / "conv int8").write_bytes(DIGITS.read_bytes() + bytes(4))
    path.write_text(path.read_text().replace("[axes]", f'[axes]\nmodels = ["{DIGITS}", "conv int8"]'))
    plan = expand.expand(file.load(path))
    assert [point.choice.model for point in plan.points] == [
        "digits.tflite",
        str(tmp_path / "conv int8"),
        "conv int8",
        "dense int8",
    ]


def test_hybrid_networks_are_impossible_points(tmp_path: Path, marks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert makes(tmp_path, monkeypatch) == []
    path = write(tmp_path, "name = 'conv'\ntypes = ['int8', 'hybrid']")
    found = run.run(path, measure=sweep_maker.measure, build=sweep_maker.build_nothing, jobs=1)
    rows = tables.point_rows(found.plan, found.rows)
    assert [(row.point.choice.model, row.state) for row in rows] == [("conv int8", "ok"), ("conv hybrid", "impossible")]
    assert rows[1].reason is not None and "hybrid" in rows[1].reason and "TFLM" in rows[1].reason
    assert found.exit_code == 0
    with pytest.raises(BadInputError, match=r"none of 1 points is possible.*hybrid"):
        expand.expand(file.load(write(tmp_path, "name = 'conv'\ntypes = 'hybrid'")))


def test_filters_on_networks_and_types(tmp_path: Path) -> None:
    text = (
        "name = 'conv'\nparameters = { channels = [8, 9] }\ntypes = ['int8', 'float32']\n[[networks]]\nname = 'dense'"
    )
    assert labels(tmp_path, text, "[[include]]\nnetworks = ['dense']") == ["dense int8"]
    assert labels(tmp_path, text, "[[exclude]]\nnetworks = ['conv']\ntypes = ['int8']") == [
        "conv:channels=8 float32",
        "conv:channels=9 float32",
        "dense int8",
    ]
    assert labels(tmp_path, text, "[[include]]\nnetworks = ['conv:*=9', 'd*']\ntypes = ['int8']") == [
        "conv:channels=9 int8",
        "dense int8",
    ]
    path = write(tmp_path, "name = 'conv'", "[[include]]\nmodels = ['*']\n[[include]]\ntypes = ['float*']")
    path.write_text(path.read_text().replace("[axes]", f'[axes]\nmodels = ["{DIGITS}"]'))
    plan = expand.expand(file.load(path))
    assert [point.choice.model for point in plan.points] == ["digits.tflite"]
    assert plan.notes == ("include[1] matches no point",)


def test_a_dry_run_makes_nothing_and_counts_what_is_to_be_made(
    tmp_path: Path, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "name = 'digits'\ntrain = [false, true]\n[[networks]]\nname = 'conv'\ntypes = ['int8', 'hybrid']"
    path = write(tmp_path, text)
    path.write_text(path.read_text().replace("[axes]", '[axes]\nkernels = ["reference", "cmsis-nn"]'))
    found = run.outlook(path, jobs=2)
    assert [recipe.label for recipe in found.networks] == ["digits int8", "digits int8 trained", "conv int8"]
    assert (len(found.unmade), len(found.to_run), found.stored, found.seconds) == (6, 0, 0, 3 * run.ASSUMED_SECONDS)
    with pytest.raises(SystemExit) as ended:
        cli.main(["sweep", str(path), "--dry-run"])
    printed = capsys.readouterr().out
    assert ended.value.code == 0
    assert "made: 8 points, 2 of them cannot run" in printed
    assert "0 stored already, 0 to run, 6 points of networks that have to be made" in printed
    assert "3 networks to make before, 1 of them trained" in printed
    with pytest.raises(SystemExit):
        cli.main(["sweep", str(path), "--dry-run", "--json"])
    shown = json.loads(capsys.readouterr().out)
    assert (shown["unmade"], shown["networks_to_make"][2]) == (6, "conv int8")


def test_what_filters_leave_out_is_not_made(tmp_path: Path, marks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = makes(tmp_path, monkeypatch)
    text = "name = 'conv'\nseeds = [1, 2, 3]\n[[networks]]\nname = 'dense'"
    path = write(tmp_path, text, "[[exclude]]\nnetworks = ['dense']")
    run.run(path, measure=sweep_maker.measure, build=sweep_maker.build_nothing, jobs=1)
    assert made == ["conv int8", "conv int8 seed=2", "conv int8 seed=3"]


def test_a_network_that_cannot_be_made_is_a_row_and_the_others_go_on(
    tmp_path: Path, marks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, "name = 'conv'\nparameters = { size = 2, kernel = [1, 5], padding = 'valid' }")
    makes(tmp_path, monkeypatch, fails="kernel=5")
    found = run.run(path, measure=sweep_maker.measure, build=sweep_maker.build_nothing, jobs=1)
    rows = tables.point_rows(found.plan, found.rows)
    assert [row.state for row in rows] == ["ok", "impossible"]
    assert rows[1].reason == "conv:size=2,kernel=5,padding=valid int8 cannot be built: planted"


def test_without_tensorflow_a_sweep_of_networks_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convert, "tensorflow_version", lambda: None)
    with pytest.raises(MissingToolError) as refused:
        expand.expand(file.load(write(tmp_path, "name = 'conv'")))
    assert refused.value.hint is not None and "pip install" in refused.value.hint


def test_columns_of_made_networks(tmp_path: Path, marks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    makes(tmp_path, monkeypatch)
    text = "name = 'digits'\ntrain = [false, true]\nsparsity = 0.5\nseeds = 4"
    path = write(tmp_path, text, "[[networks]]\nname = 'dense'\ntypes = 'hybrid'")
    path.write_text(path.read_text().replace("[axes]", f'[axes]\nmodels = ["{DIGITS}"]'))
    run.run(path, measure=sweep_maker.measure, build=sweep_maker.build_nothing, jobs=1)
    with (points.folder("made") / "points.csv").open() as opened:
        file_row, random, trained, hybrid = csv.DictReader(opened)
    names = ("network", "parameters", "type", "weights", "seed", "sparsity", "multiple_of", "accuracy", "accuracy_data")
    assert [file_row[name] for name in names] == ["", "", "int8", "", "", "", "", "", ""]
    assert [random[name] for name in names] == ["digits", "", "int8", "random", "4", "0.5", "1", "", ""]
    assert [trained[name] for name in names] == ["digits", "", "int8", "trained", "4", "0.5", "1", "0.9", "digits"]
    assert [hybrid[name] for name in names][:4] == [
        "dense",
        "inputs=64,channels=64,activation=relu",
        "hybrid",
        "random",
    ]
    assert hybrid["state"] == "impossible" and 0 < int(trained["compressed_size"]) < int(trained["model_size"])
    with (points.folder("made") / "layers.csv").open() as opened:
        assert [row["weights"] for row in csv.DictReader(opened)] == ["", "random", "trained"]


def test_the_example() -> None:
    plan = expand.expand(file.load(EXAMPLE))
    assert len(plan.points) == 14
    assert len({point.choice.label for point in plan.points}) == 14


def test_the_schema_knows_networks() -> None:
    schema = file.schema()
    content = tomllib.loads(EXAMPLE.read_text())
    jsonschema.validate(content, schema)
    network = content["networks"][0]
    jsonschema.validate({**content, "networks": [{**network, "types": "float32"}]}, schema)
    for key, value in (
        ("name", "lanet"),
        ("types", ["int4"]),
        ("types", "int4"),
        ("io", "uint8"),
        ("parameters", {"channels": [True]}),
        ("seeds", []),
        ("sparse", 0.5),
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**content, "networks": [{**network, key: value}]}, schema)


def test_the_type_of_a_file_is_what_its_operators_compute_in() -> None:
    checked = model.load(DIGITS)
    assert models.type_of(checked) == "int8"
    real = tuple(msgspec.structs.replace(tensor, type="float32") for tensor in checked.tensors)
    assert models.type_of(msgspec.structs.replace(checked, tensors=real)) == "float32"
    assert models.type_of(msgspec.structs.replace(checked, tensors=(*real[:5], *checked.tensors[5:]))) == "mixed"
    converts = tuple(msgspec.structs.replace(operator, op="QUANTIZE") for operator in checked.operators)
    assert models.type_of(msgspec.structs.replace(checked, operators=converts)) is None
