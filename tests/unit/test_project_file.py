"""The project file: found, read, refused, and what it gives to a command."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest
import typer

from harness import cli
from harness.cli import project as projects
from harness.errors import BadInputError
from harness.project import defaults, file, find, keys, lines
from harness.project.find import Place

COMMANDS = projects.commands(typer.main.get_command(cli.app))


def write(folder: Path, text: str) -> Path:
    path = folder / "harness.toml"
    path.write_text(text)
    return path


def load(folder: Path, text: str) -> file.Project:
    return file.load(Place(path=write(folder, text), origin="found"), COMMANDS)


def given(project: file.Project, *command: str) -> dict[str, object]:
    return {item.key.name: item.value for item in defaults.of_command(project, command, COMMANDS[command])}


# --- which file ------------------------------------------------------------------------------------------------------


def test_the_nearest_file_is_found_past_a_git_folder(tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / "a" / ".git").mkdir()
    assert find.nearest(below) is None
    outer = write(tmp_path, "")
    assert find.nearest(below) == outer
    inner = write(tmp_path / "a", "")
    assert find.nearest(below) == inner


def test_the_home_folder_is_the_last_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home" / "someone"
    (home / "work").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    write(tmp_path, "")
    assert find.nearest(home / "work") is None
    assert find.nearest(tmp_path / "home") == tmp_path / "harness.toml"
    own = write(home, "")
    assert find.nearest(home / "work") == own


def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    below = tmp_path / "mine"
    below.mkdir()
    path = write(tmp_path, "")
    if os.getuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(path, 4321, -1)
    with pytest.raises(BadInputError, match="belongs to another user"):
        find.nearest(below)
    os.chown(below, 4321, -1)  # a checkout of that user's, as in a container
    assert find.nearest(below) == path


def test_what_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    found, other = write(here, ""), write(there, "")
    monkeypatch.delenv(find.VARIABLE)
    assert find.choose(None, False, here) == Place(path=found, origin="found")
    assert find.choose(there, False, here) == Place(path=other, origin="--project")
    assert find.choose(None, True, here) is None
    monkeypatch.setenv(find.VARIABLE, str(other))
    assert find.choose(None, False, here) == Place(path=other, origin="$HARNESS_PROJECT")
    assert find.choose(found, False, here) == Place(path=found, origin="--project")
    assert find.choose(None, True, here) is None
    monkeypatch.setenv(find.VARIABLE, os.devnull)
    assert find.choose(None, False, here) is None
    monkeypatch.setenv(find.VARIABLE, str(tmp_path / "nowhere.toml"))
    with pytest.raises(BadInputError, match=r"\$HARNESS_PROJECT .*nowhere.toml: there is no such file"):
        find.choose(None, False, here)
    with pytest.raises(BadInputError, match="exclude each other"):
        find.choose(found, True, here)


# --- what it may hold ------------------------------------------------------------------------------------------------


def test_every_command_has_its_table(tmp_path: Path) -> None:
    project = load(
        tmp_path,
        'platform = "rp2040"\nresults = "out"\n[models]\nkws = "nets/kws.tflite"\n'
        "[run]\ncycles = true\ntimeout = 5\n[baseline.update]\njobs = 2\n[zoo.build]\nseed = 3\n",
    )
    assert project.commands == {
        ("run",): {"cycles": True, "timeout": 5.0},
        ("baseline", "update"): {"jobs": 2},
        ("zoo", "build"): {"seed": 3},
    }
    assert project.models == {"kws": "nets/kws.tflite"}
    assert project.line("run", "timeout") == 7


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ('plattform = "rp2040"', "unknown key `plattform`", "line 1: did you mean platform?"),
        ("[run]\ncycle = true", "run: the table contains unknown key `cycle`", "line 2: did you mean cycles?"),
        ("[run]\nmax-instructions = 1", "unknown key `max-instructions`", "did you mean max_instructions?"),
        ('optimisation = "-O2"', "unknown key `optimisation`", "did you mean opt?"),
        ("cycles = true", "unknown key `cycles`", "cycles is a key of [run]"),
        ('[sweep]\nplatform = "rp2040"', "sweep: the table contains unknown key", "platform stands above the tables"),
        ("[baseline.updat]\njobs = 1", "baseline: the table contains unknown key `updat`", "did you mean update?"),
        ("[rnu]\ncycles = true", "unknown key `rnu`", "did you mean run?"),
        ("[list]\njson = true", "unknown key `list`", "line 1"),
        ('[gate]\nbaseline = "b"', "gate: the table contains unknown key `baseline`", "did you mean baselines?"),
        ('baseline = "b"', "baseline: Expected `table`, got `str`", "the option --baseline has the key baselines"),
        ('timeout = "long"', "timeout: Expected `float`, got `str`", "harness schema --project"),
        ("[run]\ninput = 3", "run.input: Expected `str | list`, got `int`", "harness schema --project"),
        ("[models]\nkws = 3", "models[...]: Expected `str`, got `int`", "line 2: kws: write models as"),
        ('platform = "stm32l49zg"', "platform: unknown value 'stm32l49zg'", "did you mean stm32l496zg?"),
        ('kernels = "fast"', "kernels: unknown value 'fast'", "one of reference, cmsis-nn"),
        ('emulator = "both"', "emulator: only harness run has two emulators", "below [run]"),
        ('[models]\n"a b" = "x.tflite"', "models.a b: 'a b' is no name", "letters"),
        ('[models]\n"kws.tflite" = "x.tflite"', "models.kws.tflite: 'kws.tflite' is no name", "letters"),
        ("platform =", "Invalid value (at end of document)", "harness schema --project"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str, hint: str) -> None:
    with pytest.raises(BadInputError) as error:
        load(tmp_path, text)
    assert error.value.message.startswith(f"{tmp_path / 'harness.toml'}: ")
    assert message in error.value.message
    assert hint in (error.value.hint or "")
    assert error.value.exit_code == 2


def test_what_somebody_has_to_say_each_time_is_no_key() -> None:
    options = {
        option
        for _, command in projects.walk(typer.main.get_command(cli.app))
        for parameter in command.params
        for option in (max(parameter.opts, key=len).removeprefix("--").replace("-", "_"),)
    }
    known = {key.name for found in COMMANDS.values() for key in found}
    assert known.isdisjoint(keys.NOT_KEYS)
    assert set(keys.NOT_KEYS) - options <= {"allow_semihosting", "no_project", "version"}  # the last two: the program's


def test_the_schema_lists_what_values_may_be() -> None:
    made = keys.schema(COMMANDS)
    project = made["$defs"]["Project"]["properties"]
    assert "stm32l496zg" in project["platform"]["enum"]
    assert "both" not in project["emulator"]["enum"]
    assert "both" in made["$defs"]["Run"]["properties"]["emulator"]["enum"]
    assert made["$defs"]["BaselineUpdate"]["additionalProperties"] is False
    assert "json" not in made["$defs"]["Run"]["properties"]


def test_lines_of_keys() -> None:
    text = '# head\n\na = [\n  1,\n]\n"b c" = """\nd = 1\n"""\n[t]\nd = { e = 2 }\n\n[[u]]\nx = 1\n'
    assert tomllib.loads(text)
    assert lines.of_key(text, ["a"]) == 3
    assert lines.of_key(text, ["b c"]) == 6
    assert lines.of_key(text, ["t", "d", "e"]) == 10
    assert lines.of_key(text, ["d"]) is None


# --- what it gives ---------------------------------------------------------------------------------------------------


def test_a_table_comes_before_what_stands_above(tmp_path: Path) -> None:
    project = load(tmp_path, 'kernels = "cmsis-nn"\nopt = "-Os"\n[serve]\nkernels = "reference"\n')
    assert given(project, "run") == {"kernels": "cmsis-nn", "opt": "-Os"}
    assert given(project, "serve") == {"kernels": "reference", "opt": "-Os"}


def test_filters_are_not_what_is_measured_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = load(tmp_path, 'platform = "rp2040"\nmodel = "x.tflite"\n[history]\nplatform = "stm32*"\n')
    monkeypatch.chdir(tmp_path)
    assert given(project, "run") == {"platform": "rp2040", "model": "x.tflite"}
    for command in (("capture",), ("validate",), ("scenarios",)):
        assert given(project, *command) == {}
    assert given(project, "history") == {"platform": "stm32*"}


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "gcc").mkdir()
    project = load(
        tmp_path,
        'policy = "gate/pr.toml"\ntoolchain = "arm-none-eabi-"\nresults = "out"\n'
        '[run]\ninput = ["a.npy", "/b.npy"]\n[serve]\ntoolchain = "gcc/bin/arm-none-eabi-"\n'
        '[accuracy]\ndata = "x.npy,y.npy"\ntoolchain = "gcc"\n',
    )
    monkeypatch.chdir(tmp_path)
    assert given(project, "gate") == {"policy": "gate/pr.toml"}
    assert given(project, "accuracy")["data"] == "x.npy,y.npy"
    monkeypatch.chdir(tmp_path / "sub")
    assert given(project, "gate") == {"policy": str(tmp_path / "gate/pr.toml")}
    assert given(project, "run")["input"] == [str(tmp_path / "a.npy"), "/b.npy"]
    assert given(project, "accuracy")["data"] == f"{tmp_path}/x.npy,{tmp_path}/y.npy"
    for name in keys.VARIABLES.values():
        monkeypatch.delenv(name, raising=False)
    results = {"HARNESS_RESULTS": str(tmp_path / "out")}
    assert defaults.variables(project, ("run",)) == {"HARNESS_TOOLCHAIN": "arm-none-eabi-"} | results
    assert (
        defaults.variables(project, ("serve",)) == {"HARNESS_TOOLCHAIN": f"{tmp_path}/gcc/bin/arm-none-eabi-"} | results
    )
    assert defaults.variables(project, ("accuracy",)) == {"HARNESS_TOOLCHAIN": f"{tmp_path}/gcc"} | results
    monkeypatch.setenv("HARNESS_TOOLCHAIN", "mine-")
    assert defaults.variables(project, ("run",)) == results


def test_names_of_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "kws.tflite").write_bytes(b"")
    project = load(tmp_path, '[models]\nkws = "nets/kws.tflite"\nad = "nets/ad.tflite"\n')
    monkeypatch.chdir(tmp_path)
    assert defaults.model(project, "kws") == "nets/kws.tflite"
    assert defaults.model(project, "other.tflite") == "other.tflite"
    assert defaults.model(project, "some/kws") == "some/kws"
    with pytest.raises(BadInputError, match=r"harness\.toml:3: models\.ad: there is no file 'nets/ad\.tflite'"):
        defaults.model(project, "ad")
    with pytest.raises(BadInputError) as error:
        defaults.model(project, "kw")
    assert error.value.hint == "did you mean kws?"
    (tmp_path / "kws").write_bytes(b"")
    with pytest.raises(BadInputError, match=r"a model of harness\.toml and a file of the current folder"):
        defaults.model(project, "kws")
    (tmp_path / "kws").unlink()
    (tmp_path / "kws").symlink_to("nets/kws.tflite")  # the same network: no ambiguity
    assert defaults.model(project, "kws") == "nets/kws.tflite"


def test_a_sysroot_goes_with_the_files_own_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in keys.VARIABLES.values():
        monkeypatch.delenv(name, raising=False)
    place = Place(path=tmp_path / "harness.toml", origin="found")
    shared = {"toolchain": "clang-19", "sysroot": "gnu/arm"}
    project = file.Project(place=place, text="", shared=shared, commands={}, models={}, results=None)
    both = {"HARNESS_TOOLCHAIN": "clang-19", "HARNESS_SYSROOT": str(tmp_path / "gnu" / "arm")}
    assert defaults.variables(project, ("run",)) == both
    assert defaults.variables(project, ("run",), {"toolchain"}) == {}
    monkeypatch.setenv("HARNESS_TOOLCHAIN", "arm-none-eabi-")
    assert defaults.variables(project, ("run",)) == {}
    alone = file.Project(place=place, text="", shared={"sysroot": "gnu/arm"}, commands={}, models={}, results=None)
    assert defaults.variables(alone, ("run",), {"toolchain"}) == {"HARNESS_SYSROOT": str(tmp_path / "gnu" / "arm")}
