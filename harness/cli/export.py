"""The command that writes runs and sweeps as files of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.app import Json, app, print_json, relative
from harness.errors import EXIT_PASS, BadInputError

if TYPE_CHECKING:
    from harness.export.write import Written

_FORMATS = (
    "speedscope, folded (flamegraph.pl), model-explorer, netron, chrome (a time line; calibrated time only), csv, "
    "markdown, svg or png; again for more. Of a sweep: csv or markdown."
)
_OUTPUT = "The file, or the folder of several; results/exports. - is standard output."


@app.command()
def export(
    target: Annotated[
        str,
        typer.Argument(
            metavar="RUN|SWEEP",
            help="A stored run, a file of a result or a baseline, SWEEP:POINT, or a stored sweep.",
            show_default=False,
        ),
    ],
    format: Annotated[list[str] | None, typer.Option("--format", "-f", help=_FORMATS, show_default=False)] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help=_OUTPUT, show_default=False)] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    as_json: Json = False,
) -> int:
    """Write a run for speedscope, Model Explorer, Netron, trace viewers, spreadsheets, issues; a sweep as tables."""
    from harness.export import write

    if as_json and output == write.STANDARD_OUTPUT:
        raise BadInputError("standard output takes the file or --json", "leave one of them out")
    made = write.export(target, format or (), output, force)
    if as_json:
        print_json(
            [
                {"format": item.format, "files": [str(path) for path in item.files], "left_out": list(item.left)}
                for item in made
            ]
        )
    else:
        _print(made, to_stderr=output == write.STANDARD_OUTPUT)
    return EXIT_PASS


def _print(made: tuple[Written, ...], to_stderr: bool) -> None:
    from rich.text import Text

    from harness.report.tables import console, printable

    out = console(stderr=to_stderr)
    for item in made:
        for path in item.files:
            out.print(Text(printable(relative(path))), soft_wrap=True)
        for reason in item.left:
            out.print(Text(printable(f"left out of {item.format}: {reason}"), style="dim"), soft_wrap=True)
