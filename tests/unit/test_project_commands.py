"""The commands with a project file: what they take from it, what they say of it, what they record."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import typer

from harness import cli, pipeline, serving
from harness.cli import project as projects
from harness.errors import BadInputError
from harness.project import file
from harness.project.find import Place
from tests.conftest import DIGITS, needs_terminals
from tests.unit.result_maker import result as made_up

PROJECT = """
platform = "stm32l496zg"
kernels = "cmsis-nn"
policy = "gate/pr.toml"
results = "out"

[models]
digits = "nets/digits.tflite"

[run]
cycles = true
timeout = 7
"""


class Outcome:
    def __init__(self, code: int, out: str, err: str, calls: list[Any]) -> None:
        self.code, self.out, self.err, self.calls = code, out, err, calls


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a project file, and the current folder below it."""
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "digits.tflite").symlink_to(DIGITS)
    (tmp_path / "harness.toml").write_text(PROJECT)
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    for name in ("HARNESS_PROJECT", "HARNESS_RESULTS", "HARNESS_TOOLCHAIN", "RENODE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def harness(folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Calls the command; what the pipeline was asked for is kept, with the folder of results, and nothing is run."""
    calls: list[Any] = []

    def run(model: Path, platform: str, **options: Any) -> Any:
        calls.append({"model": str(model), "platform": platform, "results": os.environ.get("HARNESS_RESULTS"),
                      "compiler": os.environ.get("HARNESS_TOOLCHAIN"), **options})  # fmt: skip
        return made_up(platform=platform)

    monkeypatch.setattr(pipeline, "run", run)

    def call(*arguments: object) -> Outcome:
        calls.clear()
        with pytest.raises(SystemExit) as ended:
            cli.main([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Outcome(int(ended.value.code or 0), captured.out, captured.err, list(calls))

    return call


def test_a_run_takes_what_is_not_said_from_the_file(
    harness: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = harness("run", "digits")
    assert outcome.code == 0, outcome.err
    (call,) = outcome.calls
    assert (call["model"], call["platform"], call["kernels"]) == ("nets/digits.tflite", "stm32l496zg", "cmsis-nn")
    assert (call["cycles"], call["time_limit_s"], call["optimisation"]) == (True, 7.0, "-O2")
    assert call["results"] == str(folder / "out")
    assert "HARNESS_RESULTS" not in os.environ  # it was for this command alone
    monkeypatch.chdir(folder / "sub")
    assert harness("run", "digits").calls[0]["model"] == str(folder / "nets" / "digits.tflite")


def test_the_command_line_comes_first(harness: Any) -> None:
    (call,) = harness("run", "digits", "-p", "rp2040", "-k", "reference", "--no-cycles", "--timeout", "9").calls
    assert (call["platform"], call["kernels"], call["cycles"], call["time_limit_s"]) == (
        "rp2040",
        "reference",
        False,
        9,
    )


def test_the_environment_comes_before_the_file(harness: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "harness.toml").write_text(
        'toolchain = "file-"\nresults = "out"\n' + PROJECT.replace('results = "out"', "")
    )
    (call,) = harness("run", "digits").calls
    assert call["compiler"] == "file-"
    monkeypatch.setenv("HARNESS_RESULTS", str(folder / "elsewhere"))
    monkeypatch.setenv("HARNESS_TOOLCHAIN", "mine-")
    (call,) = harness("run", "digits").calls
    assert (call["results"], call["compiler"]) == (str(folder / "elsewhere"), "mine-")
    assert "env" not in call["command"]


def test_what_is_recorded_needs_no_file(harness: Any, folder: Path) -> None:
    (call,) = harness("run", "digits", "--opt", "-Os").calls
    assert call["command"] == (
        "harness", "--no-project", "run", "--platform", "stm32l496zg", "--kernels", "cmsis-nn", "--opt", "-Os",
        "--timeout", "7.0", "--cycles", "nets/digits.tflite",
    )  # fmt: skip
    recorded = {**call}
    (folder / "harness.toml").write_text('platform = "rp2040"\n[run]\nfpu = false\n')
    (again,) = harness(*recorded["command"][1:]).calls
    ours = {"progress", "results", "command"}
    assert {k: v for k, v in again.items() if k not in ours} == {k: v for k, v in recorded.items() if k not in ours}


def test_a_compiler_of_the_file_is_recorded(harness: Any, folder: Path) -> None:
    (folder / "harness.toml").write_text('platform = "rp2040"\ntoolchain = "gcc/bin/arm-none-eabi-"\n')
    (call,) = harness("run", "nets/digits.tflite").calls
    compiler = f"HARNESS_TOOLCHAIN={folder}/gcc/bin/arm-none-eabi-"
    assert call["command"][:4] == ("env", compiler, "harness", "--no-project")


def test_without_the_file_nothing_changes(harness: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["harness", "typed"])
    for arguments in (("--no-project",), ("--project", os.devnull)):
        outcome = harness(*arguments, "run", "digits")
        assert outcome.code == 2
        assert "Missing option '--platform'" in outcome.err
        assert "harness.toml" in outcome.err
        (call,) = harness(*arguments, "run", "nets/digits.tflite", "-p", "rp2040").calls
        assert (call["optimisation"], call["cycles"], call["results"]) == ("-O2", False, None)
        assert call["command"] == ("harness", "typed")


def test_a_missing_platform_names_both_ways(harness: Any, folder: Path) -> None:
    (folder / "harness.toml").write_text("")
    outcome = harness("run", "nets/digits.tflite")
    assert outcome.code == 2
    assert "Missing option '--platform' / '-p'. Give it, or write platform = \"...\" into harness.toml" in outcome.err


def test_errors_name_what_the_file_gave(harness: Any, folder: Path) -> None:
    (folder / "harness.toml").write_text(PROJECT + 'input = ["nowhere.npy"]\n')

    def refuse(*_: object, **__: object) -> None:
        raise BadInputError("nowhere.npy: there is no such file")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "run", refuse)
        outcome = harness("run", "digits")
    assert outcome.code == 2
    assert outcome.err.splitlines()[-1] == 'note: harness.toml has input = ["nowhere.npy"] (line 13)'
    (folder / "harness.toml").write_text(PROJECT + "[sweep]\njobs = 0\n")
    outcome = harness("sweep", "x.toml")
    assert outcome.code == 2
    assert "note: harness.toml has jobs = 0 (line 14)" in outcome.err


def test_a_broken_file_stops_all_but_help_and_what_needs_none(harness: Any, folder: Path) -> None:
    (folder / "harness.toml").write_text("platform = rp2040\n")
    for command in (("run", "digits"), ("list",), ("config",)):
        outcome = harness(*command)
        assert outcome.code == 2
        assert outcome.err.startswith(f"error: {folder / 'harness.toml'}: ")
        assert "Traceback" not in outcome.err
    outcome = harness("run", "--help")
    assert (outcome.code, "Usage" in outcome.out) == (0, True)
    assert "harness.toml" in outcome.err
    assert harness("platforms").code == 0
    assert harness("schema", "--project").code == 0
    assert harness("init", "--force").code == 0
    assert harness("config").code == 0


def test_help_shows_what_is_in_force(harness: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    out = harness("run", "--help").out
    assert "stm32l496zg, harness.toml" in out
    assert "--no-cycles" in out
    assert "--no-cycles" not in harness("--no-project", "run", "--help").out


def test_defaults_that_say_nothing_are_left_out(harness: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "harness.toml").write_text(PROJECT + "max_instructions = 5\n[baseline.update]\njobs = 2\n")
    assert harness("run", "digits").calls[0]["instruction_limit"] is None
    (call,) = harness("run", "digits", "--tflm-lib", "x.a", "--tflm-include", "y").calls
    assert call["kernels"] is None  # a library has its own
    outcome = harness("baseline", "update", "nothing", "--reason", "a try", "--dry-run")
    assert "no stored run 'nothing'" in outcome.err  # and not: --policy says nothing where runs are given
    (folder / "harness.toml").write_text('calibration = "stm32l496zg"\n' + PROJECT)
    assert harness("run", "digits").calls[0]["calibration"] == "stm32l496zg"
    assert harness("run", "digits", "-e", "renode", "--no-cycles").calls[0]["calibration"] is None
    outcome = harness("energy", "nothing")
    assert "no stored run 'nothing'" in outcome.err  # and not: a stored run has its kernels


@needs_terminals
def test_a_network_by_its_name_is_served(harness: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(model: Path, platform: str, **options: object) -> None:
        raise BadInputError(f"asked for {model} on {platform}")

    monkeypatch.setattr(serving, "serve", start)
    assert "asked for nets/digits.tflite on stm32l496zg" in harness("serve", "digits").err


# --- harness config --------------------------------------------------------------------------------------------------


def test_config_says_from_where(harness: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_TOOLCHAIN", "mine-")
    found = json.loads(harness("config", "--json").out)
    assert (found["path"], found["origin"]) == (str(folder / "harness.toml"), "found")
    values = {(item["command"], item["key"]): item for item in found["values"]}
    platform = values[None, "platform"]
    assert (platform["value"], platform["origin"], platform["line"]) == ("stm32l496zg", "file", 2)
    toolchain = values[None, "toolchain"]
    assert (toolchain["value"], toolchain["variable"]) == ("mine-", "HARNESS_TOOLCHAIN")
    assert (values[None, "opt"]["value"], values[None, "opt"]["origin"]) == ("-O2", "default")
    assert values[None, "results"]["value"] == "out"
    assert values["run", "cycles"]["line"] == 11
    assert found["models"] == [{"name": "digits", "path": "nets/digits.tflite", "there": True, "line": 8}]
    of_run = json.loads(harness("config", "run", "--json").out)
    assert {item["key"]: item["value"] for item in of_run["values"]}["timeout"] == 7
    text = harness("config").out
    assert re.search(r"platform +stm32l496zg +harness.toml:2", text)
    assert re.search(r"toolchain +mine- +\$HARNESS_TOOLCHAIN", text)
    outcome = harness("config", "rum")
    assert (outcome.code, "did you mean run?" in outcome.err) == (2, True)
    assert "no project file" in harness("--no-project", "config").out


# --- harness init ----------------------------------------------------------------------------------------------------


def loaded(path: Path) -> file.Project:
    return file.load(Place(path=path, origin="found"), projects.commands(typer.main.get_command(cli.app)))


def test_init_writes_what_is_there_and_does_not_overwrite(harness: Any, folder: Path) -> None:
    path = folder / "harness.toml"
    before = path.read_text()
    outcome = harness("init")
    assert (outcome.code, path.read_text()) == (2, before)
    assert "--force replaces it" in outcome.err
    (folder / "sub" / "digits.tflite").write_bytes(b"")
    (folder / ".venv").mkdir()
    (folder / ".venv" / "hidden.tflite").write_bytes(b"")
    (folder / "gate").mkdir()
    policy = Path(__file__).parents[2] / "results" / "policies" / "pr.toml"
    (folder / "gate" / "pr.toml").write_bytes(policy.read_bytes())
    (folder / "gate" / "baselines").mkdir()
    (folder / "gate" / "baselines" / "x.json").write_text("{}")
    outcome = harness("init", "--force", "--platform", "rp2040")
    assert outcome.code == 0
    project = loaded(path)
    assert project.models == {"digits": "nets/digits.tflite", "sub-digits": "sub/digits.tflite"}
    assert project.shared == {"platform": "rp2040", "policy": "gate/pr.toml", "baselines": "gate/baselines"}
    assert project.results == "results"
    assert harness("run", "digits").calls[0]["platform"] == "rp2040"


@pytest.mark.parametrize("models", [0, 3, 60])
def test_every_key_that_init_comments_can_be_uncommented(harness: Any, folder: Path, models: int) -> None:
    (folder / "harness.toml").unlink()
    (folder / "nets" / "digits.tflite").unlink()
    for number in range(models):
        (folder / "nets" / f"net {number:02}.tflite").write_bytes(b"")
    (folder / "gen").mkdir()
    (folder / "gen" / "libtflm.a").write_bytes(b"")
    assert harness("init").code == 0
    path = folder / "harness.toml"
    text = path.read_text()
    assert '# tflm_lib = "gen/libtflm.a"\n' in text
    assert loaded(path).models.keys() == {f"net_{number:02}" for number in range(min(models, 40))}
    commented = re.findall(r"^# ((?:\[[\w.]+\]|\w+ = .*))$", text, re.MULTILINE)
    assert len(commented) >= 10
    for line in commented:
        if "=" in line and f"# {line}" in text.split("[models]")[0]:
            path.write_text(text.replace(f"# {line}\n", f"{line}\n"))
            assert line.split(" =")[0] in loaded(path).shared
    path.write_text(re.sub(r"^# ((?:\[[\w.]+\]|\w+ = .*))$", r"\1", text, flags=re.MULTILINE))
    project = loaded(path)
    assert project.commands[("run",)] == {"cycles": True}
    assert project.models
    assert not set(projects_shared()) - set(project.shared)


def projects_shared() -> list[str]:
    from harness.project import keys

    return list(keys.shared(projects.commands(typer.main.get_command(cli.app))))


def test_init_says_what_is_wrong(harness: Any, folder: Path) -> None:
    (folder / "harness.toml").unlink()
    assert "there is no such folder" in harness("init", "nowhere").err
    assert "unknown platform 'rp20'" in harness("init", "-p", "rp20").err
    assert not (folder / "harness.toml").exists()
    assert "no network" in harness("init", "sub").out


def test_every_command_takes_its_defaults_in_the_same_way() -> None:
    for names, command in projects.walk(typer.main.get_command(cli.app)):
        assert isinstance(command, projects.Command), (
            f"{' '.join(names)}: its Typer is no harness.cli.project.Application"
        )
    records = [
        path.name for path in sorted((Path(cli.__file__).parent).rglob("*.py")) if "sys.argv" in path.read_text()
    ]
    assert records == ["__init__.py", "project.py"]  # all others record command_line()
