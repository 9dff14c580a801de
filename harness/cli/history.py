"""The command that shows a metric over the baselines in git."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.app import BASELINES, Baselines, Json, app, relative, write_json
from harness.errors import EXIT_PASS, BadInputError


@app.command()
def history(
    metric: Annotated[str, typer.Argument(help="A number a run: instructions, flash, ram, arena, stack, ...")] = (
        "instructions"
    ),
    folder: Baselines = BASELINES,
    model: Annotated[
        str | None, typer.Option("--model", help="Only networks of this name; may be a pattern.", show_default=False)
    ] = None,
    platform: Annotated[
        str | None, typer.Option("--platform", help="Only this platform; may be a pattern.", show_default=False)
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="DATE", help="Only from this day on.", show_default=False)
    ] = None,
    plot: Annotated[bool, typer.Option("--plot", help="Draw it, into results/plots/history.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Draw it into this folder.", show_default=False)
    ] = None,
    format: Annotated[
        list[str] | None, typer.Option("--format", "-f", help="png or svg; both.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> int:
    """A metric over the baselines in git: each time that one was stored, with the reason."""
    import msgspec

    from harness import history as histories

    drawn = plot or output is not None
    if format and not drawn:
        raise BadInputError("--format says nothing without --plot", "add --plot or --output")
    found = histories.history(metric, folder, model, platform, since)
    files: tuple[Path, ...] = ()
    if drawn:
        from harness.report import plots_history

        files = plots_history.plot(found, format or (), output)
    if as_json:
        write_json(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
        return EXIT_PASS
    from rich.text import Text

    from harness.report import history as report
    from harness.report.tables import console, printable

    out = console()
    out.print(report.history(found))
    for file in files:
        out.print(Text(printable(f"written to {relative(file)}")), soft_wrap=True)
    return EXIT_PASS
