"""Sweep files: what they hold, what they must not, and the points that they stand for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import jsonschema
import pytest
import sweep_maker

from harness import cli
from harness.emulators import renode_find
from harness.errors import BadInputError
from harness.sweep import expand, file
from harness.sweep.plan import Plan, Point
from tests.conftest import DIGITS, ROOT

EXAMPLE = ROOT / "tests" / "data" / "sweeps" / "digits.toml"


def plan_of(folder: Path, text: str = "", axes: str = "") -> Plan:
    return expand.expand(file.load(sweep_maker.write(folder, text, axes)))


def labels(plan: Plan) -> list[str]:
    return [point.choice.label for point in plan.points]


@pytest.mark.parametrize(
    ("text", "axes", "fragments"),
    [
        ("nonsense = 1", "", ["unknown key `nonsense`", "it has name, objectives, "]),
        ("", "kernel = ['reference']", ["axes: ", "unknown key `kernel`", "it has models, platforms, kernels, "]),
        ("", "optimisation = ['-O9']", ["axes.optimisation: unknown value '-O9'", "-Os, -O2"]),
        ("", "emulator = ['bochs']", ["axes.emulator: unknown value 'bochs'", "qemu"]),
        ("", "optimisation = []", ["axes.optimisation", "length"]),
        ("", "fpu = ['no']", ["axes.fpu", "Expected `bool`"]),
        ("time_limit_s = 0", "", ["time_limit_s"]),
        ("objectives = [{ metric = 'speed' }]", "", ["objectives[0].metric: unknown metric 'speed'", "instructions"]),
        ("objectives = [{ metric = 'flash', direction = 'up' }]", "", ["objectives[0].direction", "up"]),
        ("objectives = [{ metric = 'flash' }, { metric = 'flash' }]", "", ["objectives[1].metric", "twice"]),
        ("", "[budgets]\nflash = 3", ["budgets: ", "unknown key `flash`", "flash_kib"]),
        ("", "[budgets]\nflash_kib = -3", ["budgets.flash_kib"]),
        ("", "[[exclude]]", ["exclude[0]: names no axis"]),
        ("", "[exclude]\nplatforms = ['rp2040']", ["exclude: Expected `list`, got `table`", "write [[exclude]]"]),
        ("", "[[exclude]]\nplatform = ['rp2040']", ["exclude[0]: ", "unknown key `platform`", "platforms"]),
        ("objectives = [{ metric = 'flash', min = true }]", "", ["objectives[0]: ", "it has metric, direction"]),
        ("test_set = { input = 'x.npy' }", "", ["test_set: ", "it has inputs, labels"]),
        ("", "[[include]]\nplatforms = ['rp2040']", ["include and exclude leave none of 4 points"]),
        ("name = 'again'", "", ["overwrite", "name"]),
    ],
)
def test_mistakes_name_file_and_key(tmp_path: Path, text: str, axes: str, fragments: list[str]) -> None:
    with pytest.raises(BadInputError) as refused:
        plan_of(tmp_path, text, axes)
    assert refused.value.message.startswith(f"{tmp_path / 'made.toml'}: ")
    assert "\n" not in refused.value.message
    for fragment in fragments:
        assert fragment in f"{refused.value.message} {refused.value.hint}", refused.value.message


@pytest.mark.parametrize(
    ("models", "platforms", "fragments"),
    [
        (["nowhere.tflite"], ["rp2040"], ["axes.models[0]: there is no file 'nowhere.tflite'"]),
        ([str(DIGITS), "none/*.tflite"], ["rp2040"], ["axes.models[1]: nothing matches 'none/*.tflite'"]),
        ([str(DIGITS)], ["stm32l496"], ["axes.platforms: unknown platform 'stm32l496'", "stm32l496zg"]),
        ([], ["rp2040"], ["axes.models"]),
        (["broken.tflite"], ["rp2040"], ["none of 1 points is possible", "broken.tflite: the file is empty"]),
    ],
)
def test_models_and_platforms_that_are_not_there(
    tmp_path: Path, models: list[str], platforms: list[str], fragments: list[str]
) -> None:
    (tmp_path / "broken.tflite").touch()
    path = tmp_path / "made.toml"
    path.write_text(f'name = "made"\n[axes]\nmodels = {json.dumps(models)}\nplatforms = {json.dumps(platforms)}\n')
    with pytest.raises(BadInputError) as refused:
        expand.expand(file.load(path))
    for fragment in fragments:
        assert fragment in refused.value.message


@pytest.mark.parametrize("name", ["../up", "", "a/b", ".hidden", "x" * 65])
def test_names_are_folders(tmp_path: Path, name: str) -> None:
    path = sweep_maker.write(tmp_path)
    path.write_text(path.read_text().replace('name = "made"', f'name = "{name}"'))
    with pytest.raises(BadInputError, match="name: "):
        file.load(path)


def test_a_file_that_is_not_there_or_no_toml(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"none\.toml: cannot be read: No such file"):
        file.load(tmp_path / "none.toml")
    path = tmp_path / "no.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(BadInputError, match=r"no\.toml: "):
        file.load(path)


def test_points_in_the_order_of_the_axes(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, axes="optimisation = ['-O2', '-Os']")
    assert len(plan.points) == 8
    assert labels(plan)[:3] == [
        "digits.tflite mps2-an385 reference -O2",
        "digits.tflite mps2-an385 reference -Os",
        "digits.tflite mps2-an385 cmsis-nn -O2",
    ]
    assert len({point.identity for point in plan.points}) == 8
    assert plan.notes == ()
    assert plan == plan_of(tmp_path, axes="optimisation = ['-O2', '-Os']")


def test_filters(tmp_path: Path) -> None:
    axes = "[[include]]\nplatforms = ['stm32*']\n[[exclude]]\nkernels = ['cmsis-nn']\nmodels = ['digits.*']\n"
    plan = plan_of(tmp_path, axes=axes + "[[exclude]]\nplatforms = ['rp2040']\n")
    assert labels(plan) == ["digits.tflite stm32l496zg reference -O2"]
    assert plan.notes == ("exclude[1] matches no point",)


def test_the_fpu_axis(tmp_path: Path) -> None:
    """The M3 has none: asked for one, it is impossible; without, it is as the platform comes."""
    plan = plan_of(tmp_path, axes="fpu = [true, false]\n[[exclude]]\nkernels = ['cmsis-nn']")
    by_label = {point.choice.label.removeprefix("digits.tflite "): point for point in plan.points}
    impossible = by_label["mps2-an385 reference -O2 fpu"]
    assert impossible.failure is not None and impossible.identity is None
    assert (impossible.failure.kind, impossible.failure.message) == (
        "impossible",
        "mps2-an385 (cortex-m3) has no FPU",
    )
    facts = {label: point.facts.fpu for label, point in by_label.items() if point.facts is not None}
    assert facts == {
        "mps2-an385 reference -O2 nofpu": None,
        "stm32l496zg reference -O2 fpu": "fpv4-sp-d16",
        "stm32l496zg reference -O2 nofpu": None,
    }
    plain = plan_of(tmp_path)
    assert by_label["stm32l496zg reference -O2 fpu"].identity == plain.points[2].identity
    assert by_label["mps2-an385 reference -O2 nofpu"].identity == plain.points[0].identity


def test_what_gives_the_same_result_is_one_point(tmp_path: Path) -> None:
    shutil.copyfile(DIGITS, tmp_path / "copy.tflite")
    path = sweep_maker.write(tmp_path, axes="[[exclude]]\nkernels = ['cmsis-nn']")
    path.write_text(path.read_text().replace(f'"{DIGITS}"', f'"{DIGITS}", "*.tflite", "copy.tflite"'))
    plan = expand.expand(file.load(path))
    assert labels(plan) == [f"digits.tflite {name} reference -O2" for name in ("mps2-an385", "stm32l496zg")]
    assert plan.notes[0] == (
        "copy.tflite mps2-an385 reference -O2: the same as digits.tflite mps2-an385 reference -O2, measured once"
    )


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        shutil.copyfile(DIGITS, tmp_path / name / "net.tflite")
    path = sweep_maker.write(tmp_path)
    path.write_text(path.read_text().replace(f'"{DIGITS}"', '"**/net.tflite"'))
    assert [name for name, _ in file.load(path).models] == [str(tmp_path / name / "net.tflite") for name in "ab"]


def test_a_refused_network_is_a_row(tmp_path: Path) -> None:
    (tmp_path / "broken.tflite").touch()
    path = sweep_maker.write(tmp_path)
    path.write_text(path.read_text().replace(f'"{DIGITS}"', f'"{DIGITS}", "broken.tflite"'))
    plan = expand.expand(file.load(path))
    refused = [point for point in plan.points if point.failure is not None]
    assert len(plan.points) == 8 and len(refused) == 4
    assert {point.failure.kind for point in refused if point.failure} == {"impossible"}
    assert "the file is empty" in str(refused[0].failure)


def test_a_missing_emulator_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(renode_find.VARIABLE, str(tmp_path / "no-renode"))
    plan = plan_of(tmp_path, axes="emulator = ['qemu', 'renode']")
    kinds = {point.choice.emulator: point.failure and point.failure.kind for point in plan.points}
    assert kinds == {"qemu": None, "renode": "not measured"}


def changed(before: Point, after: Point) -> bool:
    assert before.identity is not None and after.identity is not None
    return before.identity != after.identity


def test_the_identity_holds_what_decides_the_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = plan_of(tmp_path).points[0]
    (tmp_path / "other.tflite").write_bytes(DIGITS.read_bytes() + bytes(4))  # behind the last table: the same network
    path = sweep_maker.write(tmp_path)
    path.write_text(path.read_text().replace(str(DIGITS), "other.tflite"))
    assert changed(first, expand.expand(file.load(path)).points[0])
    for where, value in (
        ("harness.emulators.plugin.version", lambda _qemu: "99.0.0"),
        ("harness.sweep.expand._firmware_sha256", lambda: "0" * 64),
        ("harness.sweep.expand._platform_sha256", lambda _platform, _emulator: "0" * 64),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(where, value)
            assert changed(first, plan_of(tmp_path).points[0]), where
    assert plan_of(tmp_path, "time_limit_s = 7").points[0].identity == first.identity


def test_the_schema_accepts_the_example_and_refuses_what_loading_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    import tomllib

    with pytest.raises(SystemExit) as ended:
        cli.main(["sweep", "--schema"])
    assert ended.value.code == 0
    schema = json.loads(capsys.readouterr().out)
    content = tomllib.loads(EXAMPLE.read_text())
    jsonschema.validate(content, schema)
    for table, key, value in (
        ("axes", "kernels", ["cmsis"]),
        ("axes", "platforms", ["rp2041"]),
        ("budgets", "flash", 3),
        ("axes", "fpu", ["no"]),
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**content, table: {**content[table], key: value}}, schema)


def test_the_example() -> None:
    plan = expand.expand(file.load(EXAMPLE))
    assert len(plan.points) == 8
    assert plan.budgets.limits() == {"flash": 128 * 1024, "ram": 16 * 1024}
