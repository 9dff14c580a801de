"""The command that draws a stored sweep."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.app import Json, app, print_json, relative
from harness.errors import EXIT_PASS

if TYPE_CHECKING:
    from harness.report.plots import Plots


@app.command()
def plot(
    name: Annotated[str, typer.Argument(help="A stored sweep: the name in its file.", show_default=False)],
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", "-k", help="pareto, layers, speedup or channels; all of them.", show_default=False),
    ] = None,
    format: Annotated[
        list[str] | None, typer.Option("--format", "-f", help="png or svg; both.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The folder for the files; results/plots/SWEEP.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> int:
    """Draw a sweep: Pareto fronts, instructions by layer, CMSIS-NN's speed-up, instructions per MAC by channels."""
    from harness.report.plots import plot as draw

    made = draw(name, kind or (), format or (), output)
    if as_json:
        print_json(_summary(made))
    else:
        _print(made)
    return EXIT_PASS


def _summary(made: Plots) -> dict[str, Any]:
    return {
        "name": made.sweep,
        "drawn": [
            {"kind": item.kind, "name": item.name, "files": [str(path) for path in item.files]} for item in made.drawn
        ],
        "not_drawn": [{"kind": item.kind, "name": item.name, "reason": item.reason} for item in made.left],
    }


def _print(made: Plots) -> None:
    from rich.text import Text

    from harness.report.tables import console, printable

    out = console()
    for item in made.drawn:
        first, *others = (relative(path) for path in item.files)
        also = "".join(f", {Path(path).suffix}" for path in others)
        out.print(Text(printable(first + also)), soft_wrap=True)
    for left in made.left:
        out.print(Text(printable(f"not drawn: {left.name}: {left.reason}"), style="dim"), soft_wrap=True)
