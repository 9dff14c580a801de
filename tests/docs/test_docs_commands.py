"""Every command of README and the tutorial is run and prints what stands there; examples of how-to pages are, too."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from markdown_blocks import Block, Command, blocks, difference

from harness import toolchain
from harness.cli import app
from harness.errors import HarnessError
from harness.paths import checkout

ROOT = checkout()
if ROOT is None:
    pytest.skip("the documentation belongs to a source checkout", allow_module_level=True)

ALL_RUN = (ROOT / "README.md", ROOT / "docs" / "tutorial.md")
HOW_TO = tuple(sorted((ROOT / "docs" / "how-to").glob("*.md")))
PAGES = (*ALL_RUN, *HOW_TO)
OTHERS = tuple(sorted({*(ROOT / "docs").rglob("*.md"), ROOT / "CONTRIBUTING.md"} - {*PAGES}))

# Languages that are no commands: settings of other programs, and text.
NOT_COMMANDS = {"toml", "yaml", "text", "robot", "robotframework", "bibtex", "csv"}
# Whose numbers stand in the pages. Others execute other instructions: then numbers are not compared, all else is.
COMPILER = "arm-none-eabi-gcc (15:12.2.rel1-1) 12.2.1 20221205"
TIME_LIMIT_S = 900  # libraries may have to be built first


def compiler() -> str:
    try:
        return toolchain.arm().version
    except HarnessError:
        return "none"


@pytest.fixture(scope="module")
def workspaces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Path, Path]]:
    """A folder for each page, which has the checkout's network and its environment, and keeps its results."""
    assert ROOT is not None
    made: dict[Path, Path] = {}
    for page in PAGES:
        folder = made[page] = tmp_path_factory.mktemp(page.stem)
        (folder / "harness").symlink_to(ROOT / "harness")
        (folder / "nets").mkdir()
        (folder / "nets" / "digits.tflite").write_bytes((ROOT / "harness" / "zoo" / "digits.tflite").read_bytes())
        (folder / ".venv" / "bin").mkdir(parents=True)
        for program in ("harness", "python"):
            (folder / ".venv" / "bin" / program).symlink_to(Path(sys.executable).parent / program)
    yield made


def environment(folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HARNESS_RESULTS": str(folder / "results"),
        "COLUMNS": "88",
        "LC_ALL": "C.UTF-8",
        "PYTHONUTF8": "1",
        "TERM": "dumb",
    }


def made_by_make(target: str) -> str:
    """What a target of the Makefile runs, but for installing what is missing: the tests' machine has it."""
    assert ROOT is not None
    listed = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return "\n".join(line for line in listed.splitlines() if ".ci/bootstrap" not in line)


def run(command: Command, folder: Path) -> str:
    target = re.match(r"make (\w+)", command.text)
    text = made_by_make(target[1]) if target else command.text
    ran = subprocess.run(
        ["bash", "-c", text],
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
    )
    assert ran.returncode == command.exit_code, f"$ {command.text}\n{ran.stdout}{ran.stderr}"
    return ran.stdout


def name(block: Block) -> str:
    assert ROOT is not None
    return f"{block.page.relative_to(ROOT)}:{block.line}"


def runs(block: Block) -> bool:
    return bool(block.commands or block.file or (block.language == "python" and "def test_" not in block.text))


RUN = [block for page in PAGES for block in blocks(page) if runs(block)]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(block.page == page for block in RUN)], ids=lambda p: p.stem
)
def test_blocks_do_what_stands_there(page: Path, workspaces: dict[Path, Path]) -> None:
    """One page after the other, from top to bottom: later blocks build on former ones."""
    folder = workspaces[page]
    exact = compiler() == COMPILER
    for block in RUN:
        if block.page != page or block.not_run:
            continue
        if block.file:
            target = folder / block.file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text)
        elif block.language == "python":
            run(Command(f"python - <<'END'\n{block.text}\nEND", ()), folder)
        for command in block.commands:
            differs = difference(command.output, run(command, folder), exact)
            assert differs is None, f"{name(block)}\n$ {command.text}\n{differs}"


@pytest.mark.parametrize("block", [block for block in RUN if block.not_run], ids=name)
def test_what_is_not_run_says_why(block: Block) -> None:
    assert block.page in PAGES
    pytest.skip(f"{name(block)}: {block.not_run}")


@pytest.mark.parametrize("page", ALL_RUN, ids=lambda page: page.stem)
def test_every_block_with_commands_is_one_that_runs_or_says_why_not(page: Path) -> None:
    for block in blocks(page):
        assert runs(block) or block.not_run or block.language in NOT_COMMANDS, f"{name(block)}: is it run?"


def harness_lines(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Commands of the harness anywhere in a page: in blocks, and in text as `harness ...`."""
    text = page.read_text(encoding="utf-8")
    joined = re.sub(r"\\\n\s*", "", text)
    for block in blocks(page):
        if block.language in ("", "console", "sh", "bash"):
            for line in re.sub(r"\\\n\s*", "", block.text).splitlines():
                found = re.match(r"(?:\$ )?(?:\S*/)?harness ([a-z][^#|>&;]*)", line)
                if found:
                    yield line, found[1].split()
    for found in re.finditer(r"`harness ([a-z][^`#|>&;]*)`", joined):
        yield found[0], found[1].split()


@pytest.mark.parametrize("page", (*PAGES, *OTHERS), ids=lambda page: page.stem)
def test_commands_and_options_exist(page: Path) -> None:
    """So that no page speaks of an option that is gone."""
    root = typer.main.get_command(app)
    for line, words in harness_lines(page):
        command = root
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]  # type: ignore[attr-defined]
        if command is root:
            assert words[0] in ("MODEL", "COMMAND"), f"{page.name}: no such command: {line}"
            continue
        if getattr(command, "commands", {}) and words and not words[0].startswith("-"):
            command = command.commands.get("run", command)  # type: ignore[attr-defined]  # harness optimize SCENARIO
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        for word in words:
            option = word.partition("=")[0].rstrip(".,:)`\"'")
            if re.fullmatch(r"--?[a-z][a-z0-9-]*", option) and option not in ("--help", "-h"):
                assert option in known, f"{page.name}: {option} is no option of it: {line}"
