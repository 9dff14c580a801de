"""The Robot Framework suites as text: they resolve, are tidy and documented, and leave thinking to the library."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from robot.libdocpkg import LibraryDocumentation

import robot
from harness import accuracy, model, scenarios
from harness.emulators import BACKENDS
from harness.zoo import digits
from tests.conftest import DIGITS, ROOT

LIBRARY = ROOT / "robot" / "HarnessLibrary.py"
SOURCES = sorted([*(ROOT / "robot").glob("suites/*.robot"), *(ROOT / "robot").glob("resources/*.resource")])
SCENARIOS = {
    "accuracy",
    "budgets",
    "determinism",
    "duty_cycle",
    "emulators_agree",
    "faults",
    "kernels_agree",
    "real_time",
    "regression",
    "smoke",
}
# What would be a regular expression, arithmetic, or a way around the library.
FORBIDDEN = re.compile(
    r"regexp|\bevaluate\b|\$\{\{|\$\{[^}/]*[-+*%][^}]*\}|run process|execute command|\.repl\b|\.resc\b|python", re.I
)


def dry_run(path: Path, folder: Path) -> tuple[int, str]:
    said = io.StringIO()
    code = robot.run(str(path), dryrun=True, outputdir=str(folder), console="none", stdout=said, stderr=said)
    return code, said.getvalue()


def test_every_keyword_and_argument_resolves(tmp_path: Path) -> None:
    assert dry_run(ROOT / "robot" / "suites", tmp_path) == (0, "")


def test_a_dry_run_finds_what_does_not_resolve(tmp_path: Path) -> None:
    suite = tmp_path / "x.robot"
    suite.write_text(f"*** Settings ***\nLibrary    {LIBRARY}\n*** Test Cases ***\nX\n    Run Model    only-a-model\n")
    assert dry_run(suite, tmp_path)[0] == 1


def test_robocop_has_nothing_to_say() -> None:
    command = [sys.executable, "-m", "robocop", "check", "robot"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_is_a_suite_of_each_scenario() -> None:
    assert set(scenarios.known()) == SCENARIOS


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_suites_hold_no_expressions_and_no_platform_text(path: Path) -> None:
    found = [line for line in path.read_text().splitlines() if FORBIDDEN.search(line)]
    assert not found


@pytest.mark.parametrize(
    "line",
    ["Should Match Regexp    x", "${x} =    Evaluate    1 + 1", "Log    ${{1}}", "Log    ${x * 2}", "Log    a.repl"],
)
def test_the_check_for_expressions_sees_them(line: str) -> None:
    assert FORBIDDEN.search(line)


def library_documentation() -> Any:
    return LibraryDocumentation(str(LIBRARY))


def test_every_keyword_is_documented_and_typed() -> None:
    documented = library_documentation()
    assert len(documented.doc) > 100
    assert len(documented.keywords) > 10
    for keyword in documented.keywords:
        assert len(keyword.doc) > 20, keyword.name
        for argument in keyword.args:
            assert argument.type is not None, f"{keyword.name}: {argument.name}"


def test_libdoc_renders_the_library(tmp_path: Path) -> None:
    page = tmp_path / "library.html"
    command = [sys.executable, "-P", "-m", "robot.libdoc", str(LIBRARY), str(page)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Run Model On Both Emulators" in page.read_text()


def test_the_documentation_names_the_emulators_that_there_are() -> None:
    documentation = library_documentation().doc
    for name in BACKENDS:
        assert f"``{name}``" in documentation


def test_the_test_set_is_the_beginning_of_the_one_that_the_zoo_writes(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    digits.write_test_set(tmp_path / "x.npy", tmp_path / "y.npy")
    kept = ROOT / "robot" / "data"
    images, labels = np.load(kept / "digits_images.npy"), np.load(kept / "digits_labels.npy")
    made = accuracy.load(tmp_path / "x.npy", tmp_path / "y.npy", model.load(DIGITS), len(images))
    assert len(images) == 40
    assert np.array_equal(made.images, images)
    assert np.array_equal(made.labels, labels)
