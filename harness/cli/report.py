"""The command that writes a report as one file of HTML."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.app import app, relative
from harness.errors import EXIT_PASS


@app.command()
def report(
    what: Annotated[
        str,
        typer.Argument(
            metavar="RUN|SWEEP|STUDY",
            help="A stored run (its id, a part of it, its folder, a file, SWEEP:POINT), a sweep, a study, or a file "
            "of a calibration.",
            show_default=False,
        ),
    ],
    compare: Annotated[
        str | None,
        typer.Option("--compare", metavar="BASE", help="Another run, to be put beside this one.", show_default=False),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option("--policy", help="A policy of the gate that judges the comparison.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file; results/reports/NAME.html.", show_default=False),
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.", show_default=False)] = False,
) -> int:
    """Write a report as one HTML file that needs no network: a run, a comparison, a sweep or a study."""
    from harness.page import named, write

    name, page = named.page(what, compare, policy)
    path = write.write(page, output or write.place(name))
    typer.echo(relative(path))
    if show:
        write.show(path)
    return EXIT_PASS
