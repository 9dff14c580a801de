"""Progress on standard error: a live line on a terminal, one line for each step elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from harness.report.tables import console


class Steps:
    """Shows what a pipeline reports; used as a context manager and as a library.Progress."""

    def __init__(self, quiet: bool = False) -> None:
        self._console = console(stderr=True)
        self._quiet = quiet
        self._last: str | None = None
        self._live: Progress | None = None

    def __enter__(self) -> Self:
        if not self._quiet and self._console.is_terminal:
            columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=20), MofNCompleteColumn(),
                       TimeElapsedColumn())  # fmt: skip
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
            self._live.update(self._task, description=what, completed=done or 0, total=total)
        elif what != self._last and what.startswith("building"):
            self._console.print(f"{what} ...", markup=False)
        self._last = what
