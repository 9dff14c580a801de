"""The plugin for pytest: tests emulate networks, and hold them to budgets.

    @pytest.mark.budget(instructions=260_000, arena=8192)
    def test_digits(emulate):
        result = emulate("nets/digits.tflite", "stm32l496zg", kernels="cmsis-nn")
        assert len(result.layers) == 5

pytest loads it wherever the harness is installed ("-p no:tflm_harness" keeps it out). Projects that have it and do not
use it should not notice, so that everything but pytest is imported by what needs it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.errors import BadInputError, HarnessError, MissingToolError

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

    from harness.budgets import Limits
    from harness.pytest_project import Project
    from harness.result import Result

PROPERTY = "emulated"  # of a test's report, also in JUnit XML: a run as JSON
_MISSING = "harness_missing"
_RESULTS = "HARNESS_RESULTS"
_PLAIN_WIDTH = 120  # where there is no terminal, and $COLUMNS says nothing

_BUDGET_HELP = (
    "budget(instructions=, flash=, ram=, arena=, stack=, ...): the most that each network that the test emulates may "
    "execute and take, in instructions and bytes; a run that does not fit its board, or is not exact, fails as well"
)


# --- options and budgets ---------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option and the setting that the fixture has."""
    group = parser.getgroup("tflm-harness", "networks on emulated Cortex-M")
    group.addoption(
        "--emulate-timeout",
        type=float,
        metavar="SECONDS",
        help="time limit of each start of an emulator, where a test gives none (60)",
    )
    parser.addini(_MISSING, "what a missing compiler or emulator does to a test: fail or skip", default="fail")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, and collect what reports say of runs: under xdist, those of all workers."""
    config.addinivalue_line("markers", _BUDGET_HELP)
    if config.getini(_MISSING) not in ("fail", "skip"):
        raise pytest.UsageError(f"{_MISSING} = {config.getini(_MISSING)!r}: give fail or skip")
    limit = config.getoption("--emulate-timeout")
    if limit is not None and not limit > 0:
        raise pytest.UsageError(f"--emulate-timeout {limit:g}: give more than 0 seconds")
    config.pluginmanager.register(_Summary(), "tflm_harness_summary")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Refuse a budget that is none while tests are collected, on a test as on one of its parameters."""
    marks = [*metafunc.definition.iter_markers("budget"), *_of_parameters(metafunc.definition)]
    try:
        for mark in marks:
            _check(mark)
    except BadInputError as error:
        raise pytest.Collector.CollectError(f"{metafunc.definition.nodeid}: {_text(error)}") from None


def _of_parameters(definition: pytest.Item) -> Iterable[pytest.Mark]:
    """The budgets of pytest.param(..., marks=...)."""
    for mark in definition.iter_markers("parametrize"):
        values = mark.kwargs.get("argvalues", mark.args[1] if len(mark.args) > 1 else ())
        if isinstance(values, list | tuple):  # anything else may be good for being read once
            for value in values:
                of_value = getattr(value, "marks", ()) if isinstance(value, type(pytest.param())) else ()
                yield from (item.mark if hasattr(item, "mark") else item for item in of_value if item.name == "budget")


def _check(mark: pytest.Mark) -> Limits:
    from harness import budgets

    if mark.args:
        raise BadInputError(f"budget({mark.args[0]!r}): a limit without a name", "budget(instructions=260_000)")
    return budgets.check(mark.kwargs)


def _limits(item: pytest.Item) -> Limits:
    """The budgets of a test; those nearer to it come before those of its class or module.

    Raises:
        BadInputError: a marker that was added after tests were collected is no budget.
    """
    limits: Limits = {}
    for mark in item.iter_markers("budget"):
        limits = _check(mark) | limits
    return limits


# --- the fixture -----------------------------------------------------------------------------------------------------

_Runs = list[tuple[str, "Result"]]
_of_test = pytest.StashKey[_Runs]()
_of_session = pytest.StashKey[dict[tuple[object, ...], "Result"]]()


@pytest.fixture
def emulate(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Emulate:
    """Emulate one inference: emulate(model, platform, kernels=..., ...) returns the harness' result.

    What is not given is what ``harness run`` takes in pytest's root folder: what the project file says, else the
    harness' own defaults. A model may be a name of that file. A relative path of a model or an input is one below the
    root folder. ``inputs`` are .npy files, one for each of the model's inputs. ``cycles`` has latency and energy
    estimated, too, ``calibration`` (a file, or a board whose calibration is stored) by that one, with ``carry`` also
    where it is of another build. The same run is emulated once in a session (in each worker of xdist). Stored runs go
    into $HARNESS_RESULTS, or with pytest's temporary folders. What cannot be measured is a HarnessError.
    """
    return Emulate(request.node, tmp_path_factory)


class Emulate:
    """What the fixture ``emulate`` is; see there."""

    def __init__(self, item: pytest.Item, folders: pytest.TempPathFactory) -> None:
        self._item = item
        self._config = item.config
        self._folders = folders

    def __call__(
        self,
        model: str | os.PathLike[str],
        platform: str | None = None,
        *,
        kernels: str | None = None,
        optimisation: str | None = None,
        fpu: bool | None = None,
        inputs: Sequence[str | os.PathLike[str]] = (),
        emulator: str | None = None,
        time_limit_s: float | None = None,
        cycles: bool | None = None,
        calibration: str | os.PathLike[str] | None = None,
        carry: bool | None = None,
    ) -> Result:
        __tracebackhide__ = True
        from harness import budgets, pytest_project
        from harness.report import emulated

        files = [self._config.rootpath / item for item in inputs]
        axes: dict[str, Any] = {"kernels": kernels, "optimisation": optimisation, "fpu": fpu, "emulator": emulator}
        estimates = {"cycles": cycles, "calibration": self._calibration(calibration), "carry": carry}
        name = os.fspath(model)
        try:
            project = pytest_project.of(self._config)
            board, path = project.board(platform), project.model(model)
            axes = project.axes(axes)
            name = emulated.label(path.name, board, **axes | {"kernels": axes["kernels"] or "a library's kernels"})
            limit = self._time_limit(time_limit_s, project.time_limit_s)
            result = self._result(project, path, board, files, axes | project.estimates(estimates), limit)
        except HarnessError as error:
            self._tell(emulated.encode(emulated.failed(name, error.message)))
            if isinstance(error, MissingToolError) and self._config.getini(_MISSING) == "skip":
                pytest.skip(_text(error))
            for note in (error.detail, error.hint and f"hint: {error.hint}"):
                if note:
                    error.add_note(note)
            raise error.with_traceback(None) from None  # the test's line says more than the harness' do
        self._item.stash.setdefault(_of_test, []).append((name, result))
        over = budgets.excesses(result, _limits(self._item))
        self._tell(emulated.encode(emulated.measured(name, result, over)))
        return result

    def _calibration(self, given: str | os.PathLike[str] | None) -> Path | str | None:
        """A file below pytest's root folder, else what it is: a path, or a board."""
        if given is None:
            return None
        path = self._config.rootpath / given
        return path if path.is_file() else os.fspath(given)

    def _time_limit(self, given: float | None, of_project: float | None) -> float:
        from harness.setup import DEFAULT_TIME_LIMIT_S

        option: float | None = self._config.getoption("--emulate-timeout")
        return next((limit for limit in (given, option, of_project) if limit is not None), DEFAULT_TIME_LIMIT_S)

    def _result(
        self, project: Project, path: Path, platform: str, files: list[Path], axes: dict[str, Any], time_limit_s: float
    ) -> Result:
        """The run of these arguments, emulated where it was not yet: contents of files count, not their paths alone."""
        from harness import pipeline

        known = self._config.stash.setdefault(_of_session, {})
        known_by = [axes["calibration"]] if isinstance(axes["calibration"], Path) else []
        contents = tuple((item, _sha256(item)) for item in (path, *files, *known_by))
        key = (contents, platform, *axes.items())
        if key not in known:
            with pytest.MonkeyPatch.context() as patch, project.environment():
                if not os.environ.get(_RESULTS):
                    patch.setenv(_RESULTS, str(self._folders.mktemp("harness-results")))
                known[key] = pipeline.run(path, platform, input_paths=files, time_limit_s=time_limit_s, **axes)
        return known[key]

    def _tell(self, run: str) -> None:
        self._item.user_properties.append((PROPERTY, run))


def _sha256(path: Path) -> str | None:
    """None where there is nothing to read, which is the pipeline's to say."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def _text(error: HarnessError) -> str:
    return f"{error.message} ({error.hint})" if error.hint else error.message


# --- the verdict on a test -------------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that ended well, where what it emulated is over its budget."""
    ended = yield
    if item.get_closest_marker("budget") is not None:
        problems = _problems(item)
        if problems:
            pytest.fail("\n".join(problems), pytrace=False)
    return ended


def _problems(item: pytest.Item) -> list[str]:
    from harness import budgets

    runs = item.stash.get(_of_test, [])
    if not runs:
        return ["the test has a budget, and emulated nothing: call emulate(model, platform) in it"]
    try:
        limits = _limits(item)
    except BadInputError as error:
        return [_text(error)]
    found: dict[str, None] = {}
    for name, result in runs:
        reasons = (*result.verdict.reasons, *(over.text for over in budgets.excesses(result, limits)))
        found |= dict.fromkeys(f"{name}: {reason}" for reason in reasons)
    return list(found)


# --- the summary -----------------------------------------------------------------------------------------------------


class _Summary:
    """Collects the runs from the reports of tests, and shows them at the end."""

    def __init__(self) -> None:
        self._runs: dict[str, None] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, value in report.user_properties:
            if name == PROPERTY and isinstance(value, str):
                self._runs[value] = None

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        if not self._runs:
            return
        from harness.report import emulated

        terminalreporter.write_sep("=", "emulated networks")
        width = shutil.get_terminal_size(fallback=(_PLAIN_WIDTH, 0)).columns
        runs = [emulated.decode(run) for run in self._runs]
        terminalreporter.write(emulated.summary(runs, width, bool(terminalreporter.hasmarkup)))
