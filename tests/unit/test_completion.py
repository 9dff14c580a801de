"""Completion by the shell: it knows commands, options and values, it is set up for three shells, and it is fast."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer.main

from harness import cli, platforms, scenarios
from harness.cli import completing
from harness.cli.project import walk
from harness.library import KERNEL_SETS, OPTIMISATIONS
from harness.optimize import scenario, study
from harness.sweep import points
from harness.zoo.networks import NETWORKS

Complete = Callable[[str], list[str]]

HARNESS = (sys.executable, "-P", "-c", "import sys; sys.argv[0] = 'harness'; from harness.cli import main; main()")


@pytest.fixture
def complete(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Complete:
    """What bash is told where the line ends; its last word is what is typed of the next one."""

    def call(line: str) -> list[str]:
        monkeypatch.setenv("_HARNESS_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
        with pytest.raises(SystemExit) as ended:
            cli.app([], prog_name="harness", standalone_mode=False)
        shown = capfd.readouterr()
        assert (ended.value.code, shown.err) == (0, "")
        return shown.out.split()

    return call


def test_commands_and_options(complete: Complete) -> None:
    assert complete("harness ru") == ["run"]
    assert complete("harness optimize ") == [names[1] for names, _ in _commands() if names[0] == "optimize"]
    assert complete("harness run --plat") == ["--platform"]
    assert complete("harness baseline update --rea") == ["--reason"]


def test_values(complete: Complete) -> None:
    assert complete("harness run x.tflite --platform ") == list(platforms.names())
    assert complete("harness build x.tflite -p stm32l4") == ["stm32l496zg", "stm32l4r5zi"]
    assert complete("harness run --kernels ") == list(KERNEL_SETS)
    assert complete("harness run --opt ") == list(OPTIMISATIONS)
    assert complete("harness run --emulator ") == ["qemu", "renode", "both"]
    assert complete("harness serve --emulator ") == ["qemu", "renode"]
    assert complete("harness optimize run ") == list(scenario.shipped())
    assert complete("harness scenarios smoke det") == [name for name in scenarios.known() if name.startswith("det")]
    assert complete("harness zoo build ") == list(NETWORKS)
    assert complete("harness config b") == ["baseline", "build"]


def test_files_are_the_shells_own(complete: Complete, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kws.tflite").touch()
    assert complete("harness run kw") == []
    assert complete("harness run x.tflite --input kw") == []


def test_what_is_stored(complete: Complete, results: Path) -> None:
    assert complete("harness report ") == []
    for folder, file in (("runs/b-run", "manifest.json"), ("runs/a-run", "manifest.json"), ("runs/half", "uart.log"),
                         ("sweeps/a-sweep", "plan.json"), ("studies/a-study", study.STUDY),
                         ("calibration", "my-board.json")):  # fmt: skip
        (results / folder).mkdir(parents=True, exist_ok=True)
        (results / folder / file).touch()
    assert complete("harness report ") == ["a-run", "a-study", "a-sweep", "b-run"]
    assert complete("harness show a") == ["a-run"]
    assert complete("harness compare a-run b") == ["b-run"]
    assert complete("harness pareto ") == list(points.names()) == ["a-sweep"]
    assert complete("harness optimize show ") == list(study.names()) == ["a-study"]
    assert "my-board" in complete("harness run --calibration ")
    assert complete("harness run --calibration stm32l4") == ["stm32l496zg", "stm32l4r5zi"]


def test_what_the_project_file_names(complete: Complete, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HARNESS_RESULTS", raising=False)
    monkeypatch.setenv("HARNESS_PROJECT", str(tmp_path))
    file = tmp_path / "harness.toml"
    file.write_text('results = "out"\n[models]\nkws = "nets/kws.tflite"\nvww = "nets/vww.tflite"\n')
    (tmp_path / "out" / "runs" / "kept").mkdir(parents=True)
    (tmp_path / "out" / "runs" / "kept" / "manifest.json").touch()
    assert complete("harness run ") == ["kws", "vww"]
    assert complete("harness show ") == ["kept"]
    assert complete("harness energy k") == ["kws", "kept"]
    assert complete("harness --no-project energy k") == []
    file.write_text("models = [")  # the command says what is wrong with it
    assert complete("harness run ") == []


def _told(capfd: pytest.CaptureFixture[str]) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        cli.app([], prog_name="harness", standalone_mode=False)
    shown = capfd.readouterr()
    assert shown.err == ""
    return int(ended.value.code or 0), shown.out.strip()


def test_zsh_is_told_names_or_to_look_for_files(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_HARNESS_COMPLETE", "complete_zsh")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "harness run x.tflite --kernels ")
    assert _told(capfd) == (0, """_arguments '*: :(("reference"\n"cmsis-nn"))'""")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "harness run x")
    assert _told(capfd) == (0, "_files")


def test_fish_is_told_names_or_to_look_for_files(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks twice: whether there are names (exit 0), else it completes files; and which."""
    monkeypatch.setenv("_HARNESS_COMPLETE", "complete_fish")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "harness run x.tflite --kernels ")
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "is-args")
    assert _told(capfd)[0] == 0
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    assert _told(capfd) == (0, "reference\ncmsis-nn")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "harness run x")
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "is-args")
    assert _told(capfd)[0] == 1


def _commands() -> list[tuple[tuple[str, ...], object]]:
    return list(walk(typer.main.get_command(cli.app)))


def test_every_entry_is_of_a_parameter_that_there_is() -> None:
    found = {(names, item.name) for names, command in _commands() for item in command.params}  # type: ignore[attr-defined]
    assert not set(completing.OF_COMMANDS) - found
    assert not set(completing.EVERYWHERE) - {name for _, name in found}


# --- the shells ------------------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment whose home is the test's own, and where no shell is looked for among the processes above."""
    folder = tmp_path / "home"
    folder.mkdir()
    return {**os.environ, "HOME": str(folder), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}


def _harness(environment: dict[str, str], *arguments: str) -> str:
    command = [*HARNESS, *arguments]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


@pytest.mark.parametrize(
    ("shell", "script", "started_by"),
    [
        ("bash", ".bash_completions/harness.sh", ".bashrc"),
        ("zsh", ".zfunc/_harness", ".zshrc"),
        ("fish", ".config/fish/completions/harness.fish", None),
    ],
)
def test_it_is_set_up_below_the_home_folder(
    home: dict[str, str], shell: str, script: str, started_by: str | None
) -> None:
    shown = _harness(home, "--show-completion", shell)
    assert "_HARNESS_COMPLETE" in shown
    folder = Path(home["HOME"])
    assert not list(folder.iterdir())  # showing it writes nothing
    _harness(home, "--install-completion", shell)
    assert (folder / script).read_text().strip() == shown.strip()
    expected = {script} if started_by is None else {script, started_by}
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == expected
    if shell == "bash":
        assert str(folder / script) in (folder / ".bashrc").read_text()


def _stand_in(folder: Path) -> Path:
    """The command by its name, whatever is on PATH."""
    folder.mkdir()
    program = folder / "harness"
    quoted = " ".join(f"'{part}'" for part in (*HARNESS[:-1], HARNESS[-1].replace("'", '"')))
    program.write_text(f'#!/bin/sh\nexec {quoted} "$@"\n')
    program.chmod(0o755)
    return folder


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_in_bash(home: dict[str, str], tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(_harness(home, "--show-completion", "bash"))
    line = f"""
        source {script}
        COMP_WORDS=(harness run x.tflite --platform stm32f7) COMP_CWORD=4
        _harness_completion harness
        echo "${{COMPREPLY[@]}}"
        complete -p harness
    """
    path = f"{_stand_in(tmp_path / 'bin')}:{os.environ['PATH']}"
    ended = subprocess.run(
        ["bash", "--norc", "-c", line], env={**home, "PATH": path}, capture_output=True, text=True, timeout=60
    )
    assert ended.stdout.splitlines() == [
        "stm32f746zg stm32f767zi",
        "complete -o default -F _harness_completion harness",
    ]


@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish here")
def test_in_fish(home: dict[str, str], tmp_path: Path) -> None:
    path = f"{_stand_in(tmp_path / 'bin')}:{os.environ['PATH']}"
    _harness(home, "--install-completion", "fish")
    ended = subprocess.run(
        ["fish", "-c", "complete -C 'harness run x.tflite --platform stm32f7'"],
        env={**home, "PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.stdout.split() == ["stm32f746zg", "stm32f767zi"]


@pytest.mark.parametrize("line", ["harness report x", "harness run --platform"])
def test_it_imports_nothing_heavy(home: dict[str, str], line: str) -> None:
    """A shell waits for it."""
    program = (
        "import atexit, sys; sys.argv[0] = 'harness'; from harness.cli import main\n"
        "atexit.register(lambda: print({'numpy', 'tensorflow', 'pandas', 'matplotlib'} & set(sys.modules)))\n"
        "main()"
    )
    words = {"COMP_WORDS": f"{line} ", "COMP_CWORD": str(len(line.split()))}
    environment = {**home, "_HARNESS_COMPLETE": "complete_bash", **words}
    ended = subprocess.run(
        [sys.executable, "-P", "-c", program], env=environment, capture_output=True, text=True, timeout=60
    )
    assert ended.stdout.splitlines()[-1] == "set()"
