"""The Robot Framework suites as one job: which there are, a process each, several at once, one report."""

from __future__ import annotations

import difflib
import importlib.metadata
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness import platforms, process
from harness.emulators import BACKENDS, renode_find
from harness.errors import BadInputError, HarnessError, MissingToolError
from harness.library import Progress, silent
from harness.paths import data_folder, results_folder
from harness.records import Record

_EXTENSION = ".robot"
_REPORTS = ("log.html", "report.html", "output.xml", "xunit.xml")
_ATTACHMENTS = "attachments"
# Robot's exit codes from 251 on say that it could not run; below they count failed tests.
_COULD_NOT_RUN = 251
_REPORT_LIMIT_S = 300.0
_POLL_S = 0.05


class Outcome(Record, frozen=True):
    """What a suite gave: numbers of its tests, wall-clock seconds, the first test that failed and its message."""

    name: str
    passed: int
    failed: int
    skipped: int
    seconds: float
    failure: str | None


class Outcomes(Record, frozen=True):
    """Of all suites in the order in which they ended, and the folder with Robot's report."""

    suites: tuple[Outcome, ...]
    folder: Path

    @property
    def passed(self) -> int:
        return sum(suite.passed for suite in self.suites)

    @property
    def failed(self) -> int:
        return sum(suite.failed for suite in self.suites)

    @property
    def skipped(self) -> int:
        return sum(suite.skipped for suite in self.suites)


def folder() -> Path:
    """Where HarnessLibrary.py and the suites are."""
    return data_folder("robot")


def known() -> dict[str, Path]:
    """The suites that the harness has, by name."""
    return {path.stem: path for path in sorted((folder() / "suites").glob(f"*{_EXTENSION}"))}


def find(names: Sequence[str]) -> tuple[Path, ...]:
    """The suites of these names, or at these paths (of .robot files); all that the harness has where none is given.

    Raises:
        BadInputError: there is no such suite.
    """
    suites = known()
    found = [_find(name, suites) for name in names] if names else list(suites.values())
    return tuple(dict.fromkeys(found))


def _find(name: str, suites: dict[str, Path]) -> Path:
    if name.endswith(_EXTENSION):
        path = Path(name).absolute()
        if not path.is_file():
            raise BadInputError(f"{name}: there is no such file")
        return path
    if name not in suites:
        near = difflib.get_close_matches(name, suites, n=1)
        hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(suites)}, or the path of a .robot file"
        raise BadInputError(f"unknown scenario {name!r}", hint)
    return suites[name]


def run(
    names: Sequence[str] = (),
    *,
    platform: str | None = None,
    emulator: str = "qemu",
    jobs: int = 1,
    output: Path | None = None,
    on_end: Callable[[Outcome], None] = lambda _outcome: None,
    progress: Progress = silent,
) -> Outcomes:
    """Run suites, each in a process of its own, and write one report of all.

    Args:
        names: as in ``find``.
        platform: sets their variable PLATFORM; None leaves each its default.
        emulator: sets their variable EMULATOR.
        jobs: how many run at once.
        output: folder for log.html, report.html, output.xml, xunit.xml and attachments, which replace those of an
            earlier run; None takes results/scenarios.
        on_end: called with each suite as it ends.
        progress: told which suites run, and what they build.

    Raises:
        BadInputError: unknown suite, platform or emulator, a number of jobs that is none, a folder that is a file.
        MissingToolError: Robot Framework, or the emulator, is not installed.
        HarnessError: Robot could not run a suite, or the report could not be written.
    """
    paths = find(names)
    if jobs < 1:
        raise BadInputError(f"{jobs} suites at once are none", "give --jobs 1 or more")
    if emulator not in BACKENDS:
        raise BadInputError(f"unknown emulator {emulator!r}", f"one of {', '.join(BACKENDS)}")
    if platform is not None:
        platforms.load(platform)
    _require_robot()
    if emulator == "renode":
        renode_find.find()
    target = _empty_folder(output or results_folder() / "scenarios")
    variables = [f"EMULATOR:{emulator}", *([] if platform is None else [f"PLATFORM:{platform}"])]
    with tempfile.TemporaryDirectory(prefix="harness-scenarios-") as work:
        queue = [_Suite(path, Path(work) / f"{number}.xml") for number, path in enumerate(paths)]
        outcomes = _run_all(queue, variables, jobs, target, on_end, progress)
        _write_report([suite.output for suite in queue], target)
    return Outcomes(suites=outcomes, folder=target)


class _Suite:
    """A suite and the process that runs it."""

    def __init__(self, path: Path, output: Path) -> None:
        self.path = path
        self.output = output
        self.name = path.stem
        self.running: process.Running | None = None

    def start(self, variables: Sequence[str], target: Path, on_line: Callable[[str], None]) -> None:
        arguments: list[str | Path] = ["--output", self.output, "--outputdir", target, "--log", "NONE"]
        arguments += ["--report", "NONE", "--console", "quiet", "--pythonpath", folder()]
        for variable in variables:
            arguments += ["--variable", variable]
        self.running = process.Running([*_python("robot"), *arguments, self.path], on_line=on_line)

    def outcome(self) -> Outcome:
        """Of its process, which has ended.

        Raises:
            HarnessError: Robot could not run it.
        """
        assert self.running is not None and self.running.returncode is not None
        if not 0 <= self.running.returncode < _COULD_NOT_RUN or not self.output.is_file():
            said = self.running.stderr.text().strip()
            raise HarnessError(
                f"Robot Framework could not run {self.path} (exit code {self.running.returncode})", detail=said or None
            )
        return _read(self.name, self.output)


def _run_all(
    suites: Sequence[_Suite],
    variables: Sequence[str],
    jobs: int,
    target: Path,
    on_end: Callable[[Outcome], None],
    progress: Progress,
) -> tuple[Outcome, ...]:
    def on_line(line: str) -> None:
        if line.startswith("building"):
            progress(line.removesuffix(" ..."), None, None)

    waiting, running, outcomes = list(suites), list[_Suite](), list[Outcome]()
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                suite = waiting.pop(0)
                running.append(suite)  # before it starts: whatever comes meanwhile, it is ended
                suite.start(variables, target, on_line)
                progress(f"running {', '.join(item.name for item in running)}", len(outcomes), len(suites))
            for suite in list(running):
                assert suite.running is not None
                if suite.running.wait(_POLL_S) is not None:
                    running.remove(suite)
                    outcomes.append(suite.outcome())
                    on_end(outcomes[-1])
    finally:
        for suite in running:
            if suite.running is not None:
                suite.running.end()
    return tuple(outcomes)


def _require_robot() -> None:
    try:
        importlib.metadata.version("robotframework")
    except importlib.metadata.PackageNotFoundError:
        raise MissingToolError("Robot Framework is not installed", "pip install robotframework") from None


def _python(module: str) -> list[str]:
    """A module of this Python's packages: -P keeps those of the current folder out."""
    return [sys.executable, "-P", "-m", module]


def _empty_folder(target: Path) -> Path:
    """The folder, made where there is none, without the report of an earlier run."""
    target = target.absolute()
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name in _REPORTS:
            (target / name).unlink(missing_ok=True)
        if (target / _ATTACHMENTS).is_dir():
            shutil.rmtree(target / _ATTACHMENTS)
    except OSError as error:
        raise BadInputError(f"{target}: cannot be written ({error.strerror})", "name another --output") from error
    return target


def _write_report(outputs: Sequence[Path], target: Path) -> None:
    arguments: list[str | Path] = [*_python("robot.rebot"), "--outputdir", target]
    arguments += ["--output", "output.xml", "--xunit", "xunit.xml"]
    if len(outputs) > 1:
        arguments += ["--name", "Scenarios"]
    finished = process.run([*arguments, *outputs], time_limit_s=_REPORT_LIMIT_S)
    if not 0 <= finished.returncode < _COULD_NOT_RUN:
        raise HarnessError(
            f"the report could not be written to {target} (exit code {finished.returncode})",
            detail=finished.stderr.strip() or None,
        )


def _read(name: str, output: Path) -> Outcome:
    from robot.api import ExecutionResult

    suite: Any = ExecutionResult(os.fspath(output)).suite
    counts = suite.statistics
    failed = next((test for test in suite.all_tests if test.failed), None)
    return Outcome(
        name=name,
        passed=counts.passed,
        failed=counts.failed,
        skipped=counts.skipped,
        seconds=round(suite.elapsedtime / 1000, 1),
        failure=None if failed is None else f"{failed.name}: {failed.message}",
    )
