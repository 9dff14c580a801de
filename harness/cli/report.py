"""The command that writes a report as one file of HTML."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.app import app, relative
from harness.errors import EXIT_PASS

if TYPE_CHECKING:
    from harness.page.document import Page


@app.command()
def report(
    what: Annotated[
        str,
        typer.Argument(
            metavar="RUN|SWEEP|STUDY",
            help="A stored run (its id, a part of it, its folder, a file, SWEEP:POINT), a sweep or a study.",
            show_default=False,
        ),
    ],
    compare: Annotated[
        str | None,
        typer.Option("--compare", metavar="BASE", help="Another run, to be put beside this one.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file; results/reports/NAME.html.", show_default=False),
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.", show_default=False)] = False,
) -> int:
    """Write a report as one HTML file that needs no network: a run, a comparison, a sweep or a study."""
    from harness.page import write

    name, page = _page(what, compare)
    path = write.write(page, output or write.place(name))
    typer.echo(relative(path))
    if show:
        write.show(path)
    return EXIT_PASS


def _page(what: str, compare: str | None) -> tuple[str, Page]:
    """The report of what the user names, and the name of its file."""
    from harness.page import named

    return named.page(what, compare)
