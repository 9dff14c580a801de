"""The command that sets published measurements of boards beside emulated counts."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.app import Ended, Json, app, print_json, relative
from harness.cli.project import command_line
from harness.errors import BadInputError

if TYPE_CHECKING:
    from harness.reproduce.reproduction import Reproduction

PAPERS = ("heim2021",)


@app.command(epilog="Exit codes: 0 the page was made, and every effect is reproduced in its direction; 1 it was made, "
             "and some are not; 2 usage; 3 counts are missing, and the page says which.")  # fmt: skip
def reproduce(
    paper: Annotated[str, typer.Argument(help="The publication: heim2021.", show_default=False)],
    quick: Annotated[bool, typer.Option("--quick", help="A part of the networks, which the page names.")] = False,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="How many points run at once; all cores.", show_default=False),
    ] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Run the points again that could not be measured.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of the page; results/reproduce/PAPER.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> int:
    """Run a paper's experiments on emulated boards, and set the counts beside its measurements, as a page."""
    from harness.report.reproduce import closing
    from harness.report.tables import console
    from harness.reproduce import reproduction

    if paper not in PAPERS:
        raise BadInputError(f"unknown publication {paper!r}", f"one of {', '.join(PAPERS)}")
    if output is not None and output.exists() and not output.is_dir():
        raise BadInputError(f"{output} is no folder", "name another one with --output")
    try:
        done = reproduction.reproduce(_Sweeps(jobs, retry, as_json), quick=quick, folder=output)
    except KeyboardInterrupt:
        return _interrupted(signal.SIGINT)
    except Ended as ended:
        return _interrupted(ended.number)
    if as_json:
        print_json(_summary(done))
    else:
        out = console()
        out.print(closing(done), soft_wrap=True)
        out.print(f"page: {relative(done.page)}", markup=False, soft_wrap=True)
    return done.exit_code


class _Sweeps:
    """Runs one sweep file after the other, each with its progress."""

    def __init__(self, jobs: int | None, retry: bool, quiet: bool) -> None:
        self._jobs = jobs
        self._retry = retry
        self._quiet = quiet

    def __call__(self, path: Path) -> str:
        from harness.report.sweep import progress
        from harness.report.tables import console
        from harness.sweep.run import run

        if not self._quiet:
            console(stderr=True).print(f"{path.stem}:", markup=False)
        with progress(self._quiet) as (steps, on_point):
            outcome = run(path, jobs=self._jobs, retry=self._retry, progress=steps, on_point=on_point,
                          command=command_line())  # fmt: skip
        return outcome.plan.name


def _interrupted(number: int) -> int:
    """What to do next; that it was interrupted is said where the command ends."""
    sys.stderr.write("\nthe points that were measured are stored: the same command goes on\n")
    return 128 + number


def _summary(done: Reproduction) -> dict[str, Any]:
    return {
        "page": str(done.page),
        "exit_code": done.exit_code,
        "points": done.points,
        "missing": done.missing,
        "rank_correlation": dict(done.ranks),
        "lines": [
            {
                "figure": line.figure,
                "effect": line.effect,
                "case": line.case,
                "unit": line.unit,
                "measured": line.measured,
                "emulated": line.emulated,
                "deviation": line.deviation,
                "reproduced": line.verdict,
            }
            for line in done.lines
        ],
    }
