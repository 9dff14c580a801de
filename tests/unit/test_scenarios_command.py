"""The command scenarios on small suites: what it runs, what it says, how it ends."""

from __future__ import annotations

import importlib.metadata
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from harness import cli, scenarios
from harness.errors import BadInputError
from tests.conftest import ROOT

MIXED = """*** Test Cases ***
Good
    No Operation

Bad
    Fail    arena: 9,000 B, limit at most 8,192 B

Worse
    Fail    another

Left Out
    Skip    there is no Renode
"""
ECHO = """*** Test Cases ***
Variables
    Should Be Equal    ${PLATFORM}, ${EMULATOR}    rp2040, qemu
"""
# Each says that it runs, and waits for the other.
MEETING = """*** Settings ***
Library    OperatingSystem
*** Test Cases ***
Meet
    Create File    {mine}
    Wait Until Created    {other}    timeout=20s
"""
# On the way out Robot's first SIGTERM must end it.
SLEEPER = """*** Settings ***
Library    OperatingSystem
*** Test Cases ***
Sleep
    Create File    {mine}
    Sleep    60s
"""


class Outcome:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def harness(capfd: pytest.CaptureFixture[str], results: Path) -> object:
    def call(*arguments: object) -> Outcome:
        with pytest.raises(SystemExit) as ended:
            cli.main(["scenarios", *map(str, arguments)])
        captured = capfd.readouterr()
        return Outcome(int(ended.value.code or 0), captured.out, captured.err)

    return call


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_failure_is_exit_1_with_its_message_and_a_report(harness, tmp_path: Path, results: Path) -> None:  # type: ignore[no-untyped-def]
    outcome = harness(written(tmp_path / "mixed.robot", MIXED))
    assert outcome.code == 1, outcome.err
    assert "FAIL  mixed            1 passed, 2 failed, 1 skipped, " in outcome.out
    assert "Bad: arena: 9,000 B, limit at most 8,192 B" in outcome.out
    assert "another" not in outcome.out
    assert "FAIL  1 scenarios: 1 passed, 2 failed, 1 skipped, " in outcome.out
    folder = results / "scenarios"
    assert {path.name for path in folder.iterdir()} == {"log.html", "output.xml", "report.html", "xunit.xml"}
    suite = ElementTree.parse(folder / "xunit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("4", "2", "1")


def test_skips_alone_are_a_pass(harness, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    suite = written(tmp_path / "skips.robot", "*** Test Cases ***\nLeft Out\n    Skip    no reason\n")
    outcome = harness(suite, "--output", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    assert "SKIP  1 scenarios: 0 passed, 0 failed, 1 skipped" in outcome.out
    assert (tmp_path / "out" / "log.html").is_file()


def test_platform_and_emulator_reach_the_suite(harness, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    outcome = harness(written(tmp_path / "echo.robot", ECHO), "--platform", "rp2040", "--emulator", "qemu")
    assert outcome.code == 0, outcome.out


def test_jobs_run_at_the_same_time_and_are_one_report(harness, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    suites = [
        written(tmp_path / f"{mine}.robot", MEETING.format(mine=tmp_path / f"{mine}.seen", other=tmp_path / other))
        for mine, other in (("one", "two.seen"), ("two", "one.seen"))
    ]
    outcome = harness(*suites, "--jobs", 2, "--output", tmp_path / "out")
    assert outcome.code == 0, outcome.out
    assert "PASS  2 scenarios: 2 passed" in outcome.out
    assert (tmp_path / "out" / "output.xml").read_text().count("<test ") == 2


def test_a_report_replaces_the_earlier_one(harness, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path / "out"
    (folder / "attachments" / "old").mkdir(parents=True)
    (folder / "own.txt").write_text("stays")
    assert harness(written(tmp_path / "mixed.robot", MIXED), "--output", folder).code == 1
    assert not (folder / "attachments").exists()
    assert (folder / "own.txt").read_text() == "stays"


def refuse(outcome: Outcome, code: int, *fragments: str) -> None:
    assert outcome.code == code, outcome.err
    assert "Traceback" not in outcome.err
    assert outcome.err.count("error: ") == 1
    for fragment in fragments:
        assert fragment in outcome.err


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        (["smokey"], ["unknown scenario 'smokey'", "did you mean smoke?"]),
        (["xyz"], ["unknown scenario 'xyz'", "one of accuracy, budgets"]),
        (["nowhere.robot"], ["nowhere.robot: there is no such file"]),
        (["smoke", "--platform", "rp2041"], ["unknown platform", "rp2040"]),
        (["smoke", "--emulator", "both"], ["unknown emulator 'both'", "one of qemu, renode"]),
        (["smoke", "--jobs", "0"], ["0 suites at once"]),
        (["smoke", "--output", "/dev/null"], ["/dev/null: cannot be written"]),
    ],
)
def test_wrong_options(harness, results: Path, arguments: list[str], fragments: list[str]) -> None:  # type: ignore[no-untyped-def]
    refuse(harness(*arguments), 2, *fragments)
    assert not results.exists()


def test_robot_framework_missing(harness, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    real = importlib.metadata.version

    def version(name: str) -> str:
        if name == "robotframework":
            raise importlib.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    refuse(harness("smoke"), 3, "Robot Framework is not installed", "pip install robotframework")


def test_renode_missing(harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("RENODE", str(tmp_path / "none"))
    refuse(harness("smoke", "--emulator", "renode"), 3, "Renode not found")


def test_a_suite_that_robot_cannot_run(harness, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    refuse(harness(written(tmp_path / "empty.robot", "no suite\n")), 3, "could not run", "contains no tests")


def test_names_are_found_once_and_in_order(tmp_path: Path) -> None:
    own = written(tmp_path / "own.robot", MIXED)
    found = scenarios.find(["smoke", str(own), "budgets", "smoke"])
    assert [path.name for path in found] == ["smoke.robot", "own.robot", "budgets.robot"]
    assert scenarios.find([]) == tuple(scenarios.known().values())
    with pytest.raises(BadInputError):
        scenarios.find([""])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_suites(tmp_path: Path, number: signal.Signals, code: int) -> None:
    suites = [
        written(tmp_path / f"{name}.robot", SLEEPER.format(mine=tmp_path / f"{name}.seen")) for name in ("one", "two")
    ]
    command = [sys.executable, "-m", "harness", "scenarios", *map(str, suites), "--jobs", "2"]
    environment = os.environ | {"HARNESS_RESULTS": str(tmp_path / "results")}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        deadline = time.monotonic() + 30
        while not all((tmp_path / f"{name}.seen").exists() for name in ("one", "two")):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert len(_naming(tmp_path)) == 3  # the command, and a Robot for each suite
        program.send_signal(number)
        _, err = program.communicate(timeout=30)
    assert program.returncode == code
    assert "Traceback" not in err
    assert not _naming(tmp_path)


def _naming(folder: Path) -> list[int]:
    """Processes whose arguments name the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if str(folder).encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found
