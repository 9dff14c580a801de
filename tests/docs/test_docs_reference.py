"""Reference pages say what the code has: commands, platforms, operators, schemas, error messages."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from harness import operators
from harness.cli import app
from harness.paths import checkout

ROOT = checkout()
if ROOT is None:
    pytest.skip("the documentation belongs to a source checkout", allow_module_level=True)
sys.path.insert(0, str(ROOT / "docs" / "_ext"))
import generated  # noqa: E402
import messages  # noqa: E402

REFERENCE = ROOT / "docs" / "reference"
CLI = REFERENCE / "cli.md"
MAKE = "make docs-cli"


def commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Every command below one, with its full name."""
    yield name, command
    for child, below in getattr(command, "commands", {}).items():
        if not below.hidden:
            yield from commands(below, f"{name} {child}")


def test_cli_page_is_made_of_the_commands() -> None:
    """Where Typer's version is the one that made the page; another one words usage lines in another way."""
    page = CLI.read_text(encoding="utf-8")
    said = re.search(r"<!-- made by typer (\S+) -->", page)
    assert said is not None, f"{MAKE} makes it"
    if said[1] != typer.__version__:
        pytest.skip(f"made by Typer {said[1]}, here is {typer.__version__}: only its commands and options are compared")
    printed = subprocess.run(
        [sys.executable, ROOT / "docs" / "_ext" / "cli_page.py", "-"], capture_output=True, text=True, check=True
    ).stdout
    assert page == printed, f"the commands have changed: {MAKE} makes docs/reference/cli.md anew"


def test_cli_page_names_every_command_and_option() -> None:
    page = CLI.read_text(encoding="utf-8")
    parts = dict(re.findall(r"^#+ `([^`]+)`\n(.*?)(?=^#+ `|\Z)", page, re.MULTILINE | re.DOTALL))
    known = dict(commands(typer.main.get_command(app), "harness"))
    assert sorted(parts) == sorted(known), f"{MAKE} makes docs/reference/cli.md anew"
    for name, command in known.items():
        for parameter in command.params:
            if parameter.param_type_name == "option" and not parameter.hidden:
                longest = max(parameter.opts, key=len)
                if longest not in ("--install-completion", "--show-completion"):
                    assert longest in parts[name], f"{name} {longest}: {MAKE} makes docs/reference/cli.md anew"


def test_every_platform_has_its_numbers_on_the_page() -> None:
    page = generated.fill((REFERENCE / "platforms.md").read_text(encoding="utf-8"))
    assert ROOT is not None
    for path in (ROOT / "platforms").glob("*/platform.toml"):
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        (row,) = re.findall(rf"^\| \[{re.escape(path.parent.name)}\].*$", page, re.MULTILINE)
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert f"{data['cpu']['clock_hz'] / 1e6:g}" == cells[4]
        assert [f"{data[memory]['size_kib']:,}" for memory in ("flash", "ram")] == cells[5:7]
        for source in data["sources"]:
            assert f"`{source}`" in page


def test_every_operator_is_on_the_page() -> None:
    page = generated.fill((REFERENCE / "operators.md").read_text(encoding="utf-8"))
    for name in operators.CATALOGUE:
        assert f"\n| {name} |" in page


def test_every_schema_is_on_the_page() -> None:
    page = generated.fill((REFERENCE / "schemas.md").read_text(encoding="utf-8"))
    assert ROOT is not None
    for path in (ROOT / "results" / "schema").glob("*.json"):
        assert f"results/schema/{path.name}" in page


def test_error_messages_are_found_in_the_code(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "some.py").write_text(
        '_HINT = "try the other one"\n'
        'def f(name):\n    raise BadInputError(f"no {name!r} here", _HINT)\n'
        'def g():\n    raise MissingToolError("cc is not installed", hint="apt-get install gcc")\n'
    )
    first, second = messages.collect(package)
    assert (first.text, first.hint, first.exit_code) == ("no … here", "try the other one", 2)
    assert (second.text, second.hint, second.exit_code) == ("cc is not installed", "apt-get install gcc", 3)
    assert len(messages.collect()) > 500


def test_troubleshooting_quotes_what_the_harness_says() -> None:
    """Each heading is a message of the code, with … for its values; a hint that is quoted is that message's."""
    known = {item.text for item in messages.collect()}
    page = (REFERENCE / "troubleshooting.md").read_text(encoding="utf-8")
    quoted = re.findall(r"^### `(.+)`$", page, re.MULTILINE)
    assert len(quoted) >= 20
    for text in quoted:
        assert text in known, f"no such message: {text}"


def test_environment_variables_are_those_that_the_code_reads() -> None:
    assert ROOT is not None
    named = set(re.findall(r"^\| `(HARNESS_\w+|RENODE)`", (REFERENCE / "environment.md").read_text(), re.MULTILINE))
    read = set()
    for path in (ROOT / "harness").rglob("*.py"):
        read |= set(re.findall(r"""["'](HARNESS_[A-Z_]+)["']""", path.read_text(encoding="utf-8")))
    assert named - {"RENODE"} <= read, "a variable that nothing reads"
