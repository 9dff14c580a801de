"""Where Renode is looked for, in which order, and what is said where it is not or does not answer."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness import cli
from harness.emulators import renode_find
from harness.errors import EmulationError, MissingToolError

PYTHON = sys.executable
FAKE = Path(__file__).parent / "fake_renode.py"
NET = "Renode v1.16.1.40752\n  build: d66b0c2a-202611242210\n  build type: Release\n  runtime: .NET 8.0.4\n"
MONO = "Renode v1.16.1.39930\n  build: d66b0c2a-202611242210\n  build type: Release\n  runtime: Mono 4.0.30319.42000\n"


@pytest.fixture(autouse=True)
def nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RENODE", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv" / "python"))


LIST = " Package Path  Version  Renode Variant  Tags \\n"
DOWNLOADED = LIST + " /home/me/.config/renode/renode-run.download/renode_1.16.1  1.16.1  dotnet-portable  default \\n"


def program(tmp_path: Path, name: str, folder: str = "path", accepts: str = "--version", listed: str = "") -> Path:
    """A Renode of the test's own: it says its version to the arguments that are given, and nothing to others."""
    path = tmp_path / folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        f"#!/bin/sh\n[ \"$*\" = list ] && printf '{listed}' && exit\n"
        f'[ "$*" = "{accepts}" ] && exec {PYTHON} {FAKE} "$@"\n'
    )
    path.chmod(0o755)
    return path


def launcher(tmp_path: Path, folder: str = "path", listed: str = DOWNLOADED) -> Path:
    """A renode-run, which lists what it has downloaded."""
    return program(tmp_path, "renode-run", folder, "-- --version", listed)


def test_nothing_found_names_the_commands_that_install_it() -> None:
    with pytest.raises(
        MissingToolError, match=r"^Renode not found: no \$RENODE, no renode and no renode-run on PATH$"
    ) as e:
        renode_find.find()
    assert e.value.hint == "pipx install git+https://github.com/antmicro/renode-run && renode-run download"


def test_the_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = launcher(tmp_path)
    found = renode_find.find()
    assert (found.command, found.origin) == ((str(run), "--"), str(run))
    on_path = program(tmp_path, "renode")
    found = renode_find.find()
    assert (found.command, found.origin) == ((str(on_path),), str(on_path))
    named = program(tmp_path, "my renode", "elsewhere")
    monkeypatch.setenv("RENODE", str(named))
    found = renode_find.find()
    assert (found.command, found.origin) == ((str(named),), f"$RENODE: {named}")
    given = program(tmp_path, "given", "elsewhere")
    found = renode_find.find(given)
    assert (found.command, found.origin) == ((str(given),), f"--renode: {given}")


def test_an_empty_variable_names_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_path = program(tmp_path, "renode")
    monkeypatch.setenv("RENODE", "")
    assert renode_find.find().command == (str(on_path),)


def test_renode_run_by_its_path(tmp_path: Path) -> None:
    run = launcher(tmp_path, "elsewhere")
    assert renode_find.find(run).command == (str(run), "--")


@pytest.mark.parametrize(
    "listed", ["", LIST, LIST + " /home/me/renode_1.16.1  1.16.1  mono-portable  default-mono \\n"]
)
def test_renode_run_without_a_renode_is_not_made_to_download_one(tmp_path: Path, listed: str) -> None:
    launcher(tmp_path, listed=listed)
    with pytest.raises(MissingToolError, match="Renode not found: renode-run has not downloaded one yet") as caught:
        renode_find.find()
    assert caught.value.hint == "renode-run download"


def test_renode_run_beside_the_python_that_runs_comes_last(tmp_path: Path) -> None:
    beside = launcher(tmp_path, "venv")
    assert renode_find.find().command == (str(beside), "--")
    on_path = launcher(tmp_path)
    assert renode_find.find().command == (str(on_path), "--")


def test_net_opens_no_socket_while_it_is_asked(tmp_path: Path) -> None:
    path = program(tmp_path, "renode")
    path.write_text(
        path.read_text().replace("#!/bin/sh\n", '#!/bin/sh\n[ "$DOTNET_EnableDiagnostics" = 0 ] || exit 1\n')
    )
    assert renode_find.find().command == (str(path),)


def test_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = program(tmp_path, "given")
    monkeypatch.chdir(tmp_path)
    assert renode_find.find("path/given").command == (str(given),)


def test_a_path_that_is_not_there_is_named_with_its_origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "renode")  # must not be taken instead
    monkeypatch.setenv("RENODE", "/nowhere/renode")
    with pytest.raises(MissingToolError, match=r"\$RENODE names /nowhere/renode, which is not a file"):
        renode_find.find()
    with pytest.raises(MissingToolError, match=f"--renode names {tmp_path}, which is not a file"):
        renode_find.find(tmp_path)


def test_a_file_that_cannot_be_started(tmp_path: Path) -> None:
    given = program(tmp_path, "given")
    given.chmod(0o644)
    with pytest.raises(MissingToolError, match="is not executable") as caught:
        renode_find.find(given)
    assert caught.value.hint == f"chmod +x {given}"
    given.write_bytes(b"\x7fELF of another machine")
    given.chmod(0o755)
    with pytest.raises(EmulationError, match=r"Renode cannot be started \(--renode: .*Exec format error"):
        renode_find.find(given)


@pytest.mark.parametrize("text", [NET, MONO, "a line of a launcher\n" + NET])
def test_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("FAKE_VERSION", text)
    program(tmp_path, "renode")
    assert renode_find.find().version == "1.16.1 (d66b0c2a-202611242210)"


@pytest.mark.parametrize(
    "text", ["", "Renode is quitting\n", "Unexpected options detected: --version\n", "Renode v1.16.1\n"]
)
def test_a_version_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("FAKE_VERSION", text)
    found = program(tmp_path, "renode")
    with pytest.raises(EmulationError, match=f"Renode does not say its version .{found}") as caught:
        renode_find.find()
    assert caught.value.detail == (text.strip() or None)


@pytest.mark.parametrize("command", [["run"], ["accuracy", "--data", "x.npy,y.npy"], ["serve"]])
def test_the_option_names_itself_and_is_bad_input(
    tmp_path: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*command, "x.tflite", "-p", "mps2-an386", "--emulator", "renode", "--renode"]
    for wrong, message in (
        (tmp_path / "nope", "--renode names"),
        (program(tmp_path, "true", accepts="-"), "(--renode: "),
    ):
        with pytest.raises(SystemExit) as ended:
            cli.main([*arguments, str(wrong)])
        assert ended.value.code == 2
        assert message in capsys.readouterr().err


def test_the_option_is_not_passed_over_for_qemu(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", "x.tflite", "-p", "mps2-an386", "--renode", str(program(tmp_path, "renode"))])
    assert ended.value.code == 2
    assert "give --emulator renode" in capsys.readouterr().err
