"""The command that runs the Robot Framework suites."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.app import Renode, app, choose_renode, relative
from harness.errors import EXIT_PASS, EXIT_VERDICT_NO


@app.command()
def scenarios(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Suites by name, or paths of .robot files; all.", show_default=False),
    ] = None,
    platform: Annotated[
        str | None,
        typer.Option("--platform", "-p", help="Board or machine, instead of each suite's own.", show_default=False),
    ] = None,
    emulator: Annotated[str, typer.Option("--emulator", "-e", help="Which emulator runs them.")] = "qemu",
    renode: Renode = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="How many suites run at once.")] = 1,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for the report; results/scenarios.", show_default=False),
    ] = None,
) -> int:
    """Run the Robot Framework suites, and write Robot's log, report and xUnit file."""
    from harness.report.progress import Steps
    from harness.report.scenarios import closing, line
    from harness.report.tables import console
    from harness.scenarios import Outcome, run

    choose_renode(renode, "both")  # a suite of its own compares the two
    started = time.monotonic()

    def show(outcome: Outcome) -> None:
        console().print(line(outcome), soft_wrap=True)

    with Steps() as steps:
        outcomes = run(
            names or (),
            platform=platform,
            emulator=emulator,
            jobs=jobs,
            output=output,
            on_end=show,
            progress=steps,
        )
    console().print(closing(outcomes, time.monotonic() - started), soft_wrap=True)
    typer.echo(f"report in {relative(outcomes.folder / 'log.html')}")
    return EXIT_VERDICT_NO if outcomes.failed else EXIT_PASS
