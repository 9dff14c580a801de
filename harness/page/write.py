"""Reports on disk, and in the reader's browser."""

from __future__ import annotations

import webbrowser
from pathlib import Path

from harness import atomic
from harness.errors import BadInputError, MissingToolError
from harness.page import render
from harness.page.document import Page
from harness.paths import results_folder


def place(name: str) -> Path:
    """Where the report of a run, a sweep or a study goes that nobody names another file for.

    Apart from runs: what a run's folder holds is told by its manifest.
    """
    return results_folder() / "reports" / f"{name}.html"


def write(page: Page, path: Path) -> Path:
    """Write a report, its folder first where there is none; returns the file.

    Raises:
        BadInputError: the path is a folder.
        HarnessError: it cannot be written.
    """
    if path.is_dir():
        raise BadInputError(f"{path} is a folder", f"name a file in it, {path / 'report.html'} for example")
    return atomic.write(path, render.html(page).encode(), "name another file by --output")


def show(path: Path) -> None:
    """Open a report in the browser.

    Raises:
        MissingToolError: there is none.
    """
    if not webbrowser.open(path.absolute().as_uri()):
        raise MissingToolError(f"no browser to open {path} with", "open the file in a browser; it needs no network")
