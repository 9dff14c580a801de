"""What all keywords share: errors in words, the runs of a test, what a failure leaves in Robot's log."""

from __future__ import annotations

import functools
import html
import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, ParamSpec, TypeVar

from rich.console import Console
from robot.api import Failure, logger
from robot.libraries.BuiltIn import BuiltIn

from harness.errors import HarnessError
from harness.report import tables
from harness.result import Result

_TABLE_WIDTH = 120

P = ParamSpec("P")
T = TypeVar("T")


def said_by_the_harness(call: Callable[P, T]) -> Callable[P, T]:
    """Around each keyword: an error of the harness fails the test with its message and hint, its detail in the log."""

    @functools.wraps(call)
    def wrapped(*arguments: P.args, **options: P.kwargs) -> T:
        try:
            return call(*arguments, **options)
        except HarnessError as error:
            if error.detail:
                logger.write(f"<pre>{html.escape(error.detail)}</pre>", "INFO", html=True)
            raise Failure(f"{error.message} ({error.hint})" if error.hint else error.message) from error

    return wrapped


class Keywords:
    """Base of the parts of the library: knows which runs each test has made."""

    def __init__(self) -> None:
        # Those of the suite's setup under None.
        self._runs: dict[str | None, list[Result]] = {}

    def keep(self, result: Result) -> Result:
        """Remember a run of the test, to show it where a check fails."""
        self._runs.setdefault(_test(), []).append(result)
        logger.info(f"{result.run_id}: {result.counts.total:,} instructions")
        return result

    def fail(self, message: str) -> NoReturn:
        """Fail the test; its runs, or else those of the suite's setup, go into the log."""
        attached = set()
        for result in self._runs.get(_test()) or self._runs.get(None, []):
            if result.run_id not in attached:
                attached.add(result.run_id)
                _attach(result)
        raise Failure(message)


def _test() -> str | None:
    """The name of the test that runs, None in the setup of a suite."""
    name: Any = BuiltIn().get_variable_value("${TEST NAME}")
    return None if name is None else str(name)


def _attach(result: Result) -> None:
    """Log a run's table, and links to its logs, which are copied beside Robot's log."""
    text = io.StringIO()
    console = Console(file=text, width=_TABLE_WIDTH, highlight=False, emoji=False)
    console.print(tables.result(result, console))
    logger.write(f"<pre>{html.escape(text.getvalue())}</pre>", "INFO", html=True)
    target = Path("attachments") / result.run_id
    folder = Path(str(BuiltIn().get_variable_value("${OUTPUT DIR}"))) / target
    folder.mkdir(parents=True, exist_ok=True)
    links = []
    for kept in (result.artifacts.uart_log, result.artifacts.emulator_log, result.artifacts.layers_csv):
        if kept is not None:
            shutil.copyfile(kept, folder / Path(kept).name)
            link = target / Path(kept).name
            links.append(f'<a href="{html.escape(link.as_posix())}">{html.escape(link.name)}</a>')
    logger.write(f"{html.escape(result.run_id)}: {', '.join(links)}", "INFO", html=True)


def run_name(result: Result) -> str:
    """A run as messages name it."""
    return f"{result.model.file} on {result.platform} ({result.kernels}, {result.optimisation})"


def amount(value: int | float, unit: str) -> str:
    """A number with its unit."""
    return f"{value:,} {unit}" if isinstance(value, int) else f"{value:,.6g} {unit}"


def progress(what: str, _done: int | None, _total: int | None) -> None:
    """Builds take half a minute: say on the terminal that one began."""
    global _building
    if what.startswith("building") and what != _building:
        _building = what
        logger.console(f"{what} ...")


_building: str | None = None
