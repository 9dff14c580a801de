"""Dockerfile and devcontainer: they cannot be built here, so that what they run has to be what README has run.

README's commands run in a minimal root, which is a container's: that they are these commands is what is tested here.
"""

from __future__ import annotations

import json
import re
import shlex

import pytest

from harness.paths import checkout

ROOT = checkout()
if ROOT is None:
    pytest.skip("containers are built from a checkout", allow_module_level=True)

# What README asks of a machine ("that has git and make"), and the certificates by which apt and pip reach theirs.
MACHINE = ["apt-get update", "apt-get install -y --no-install-recommends ca-certificates git make"]


def readme_commands() -> set[str]:
    """Of README's console blocks, without the prompt and what a comment says."""
    found = re.findall(r"^\$ (.+?)(?:\s+#.*)?$", (ROOT / "README.md").read_text(), re.MULTILINE)
    return {command.strip() for command in found}


def instructions() -> list[tuple[str, str]]:
    """Each instruction of the Dockerfile with its arguments, in a line."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
    return [(line.split()[0], line.partition(" ")[2]) for line in joined.splitlines() if line]


def stages() -> dict[str, list[tuple[str, str]]]:
    """The instructions of each stage by its name; "" is the last one's, which has none."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name, arguments in instructions():
        if name == "FROM":
            stage = arguments.partition(" AS ")[2]
            found[stage] = []
        found[stage].append((name, arguments))
    return found


def test_the_image_runs_nothing_but_readmes_commands() -> None:
    made = stages()
    assert list(made) == ["machine", ""]
    runs = {name: [command for kind, command in stage if kind == "RUN"] for name, stage in made.items()}
    assert runs["machine"] == [" && ".join(MACHINE)]
    assert runs[""] == ["make demo"]
    assert set(runs[""]) <= readme_commands()
    assert ("FROM", "machine") in made[""]


def test_the_image_is_of_a_system_that_readme_names() -> None:
    (_, source), *_ = stages()["machine"]
    found = re.fullmatch(r"--platform=linux/amd64 debian:(\d+)-slim AS machine", source)
    assert found is not None
    assert f"Debian {found[1]}" in (ROOT / "README.md").read_text()


def test_the_image_needs_nothing_that_is_ignored() -> None:
    """What git ignores is not copied, and whatever git knows is: a checkout with files missing has changes."""
    ignored = [line for line in (ROOT / ".gitignore").read_text().splitlines() if line and not line.startswith("#")]
    expected = [line.strip("/") if line.startswith("/") else f"**/{line.rstrip('/')}" for line in ignored]
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == expected, "what .gitignore has, as Docker writes it"


def test_what_the_image_is_started_with() -> None:
    last = stages()[""]
    assert last[-1][0] == "CMD"
    assert json.loads(last[-1][1])[0] == "harness"
    variables = dict(argument.split("=", 1) for name, argument in last if name == "ENV")
    folder = next(argument for name, argument in last if name == "WORKDIR")
    assert variables == {"PATH": f"{folder}/.venv/bin:$PATH", "HARNESS_RESULTS": "results"}


def test_the_devcontainer_is_the_same_machine_and_command() -> None:
    path = ROOT / ".devcontainer" / "devcontainer.json"
    content = json.loads(path.read_text())
    build = content["build"]
    assert (path.parent / build["dockerfile"]).resolve() == (ROOT / "Dockerfile").resolve()
    assert (path.parent / build["context"]).resolve() == ROOT.resolve()
    assert build["target"] in stages()
    commands = {key: value for key, value in content.items() if key.endswith("Command")}
    assert commands == {"postCreateCommand": "make demo"}
    assert set(commands.values()) <= readme_commands()
    assert set(content) == {"name", "build", "postCreateCommand", "remoteEnv", "customizations"}


def test_targets_that_are_run_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for _, command in instructions():
        words = shlex.split(command)
        if words[:1] == ["make"]:
            assert re.search(rf"^{re.escape(words[1])}:", makefile, re.MULTILINE)
