"""Progress on standard error: a live line on a terminal, one line for each step elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column
from rich.text import Text

from harness.report.tables import console

_A_MINUTE_S = 60
# Columns of a terminal that hold the longest step's name, bar, counts, times and rate on one line.
_ROOM_FOR_ALL = 112


class Rate(ProgressColumn):
    """Steps a second and the time left, of a task that knows its total and has begun."""

    def render(self, task: Task) -> Text:
        if task.total is None or task.finished or not task.speed:
            return Text()
        left = "" if task.time_remaining is None else f", {_duration(task.time_remaining)} left"
        return Text(f"{task.speed:.{0 if task.speed >= 10 else 1}f}/s{left}")


def _duration(seconds: float) -> str:
    """Whole seconds, and minutes where there are some."""
    minutes, rest = divmod(round(seconds), _A_MINUTE_S)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


class Steps:
    """Shows what a pipeline reports; used as a context manager and as a library.Progress."""

    def __init__(self, quiet: bool = False) -> None:
        self._console = console(stderr=True)
        self._quiet = quiet
        self._last: str | None = None
        self._live: Progress | None = None

    def __enter__(self) -> Self:
        if not self._quiet and self._console.is_terminal:
            columns: list[ProgressColumn] = [
                SpinnerColumn(),
                TextColumn("{task.description}"),
                MofNCompleteColumn(),
                Rate(Column(no_wrap=True)),
            ]
            if self._console.width >= _ROOM_FOR_ALL:
                columns[2:2] = [BarColumn(bar_width=20)]
                columns[4:4] = [TimeElapsedColumn()]
            self._live = Progress(*columns, console=self._console, transient=True)
            self._live.start()
            self._task = self._live.add_task("starting", total=None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, what: str, done: int | None, total: int | None) -> None:
        if self._quiet:
            return
        if self._live is not None:
            if what != self._last:  # the rate and the time are those of this step
                self._live.reset(self._task, start=True)
            self._live.update(self._task, description=what, completed=done or 0, total=total)
        elif what != self._last and what.startswith("building"):
            self._console.print(f"{what} ...", markup=False)
        self._last = what
