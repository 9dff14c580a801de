"""The command that searches."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import msgspec
import typer

from harness.cli.app import Ended, Json, print_json, relative
from harness.cli.optimize.app import optimize
from harness.cli.project import command_line
from harness.errors import EXIT_PASS, BadInputError

if TYPE_CHECKING:
    from harness.optimize.run import Outcome
    from harness.optimize.scenario import Scenario

Jobs = Annotated[
    int | None,
    typer.Option("--jobs", "-j", min=1, help="How many networks are made, measured or trained at once; all cores.",
                 show_default=False),
]  # fmt: skip


@optimize.command()
def run(
    scenario: Annotated[
        str | None, typer.Argument(help="The scenario: a TOML file, or the name of one that is shipped.",
                                   show_default=False)
    ] = None,
    trials: Annotated[
        int | None, typer.Option("--trials", min=1, help="How many candidates; what the scenario says.",
                                 show_default=False)
    ] = None,
    duration: Annotated[
        str | None, typer.Option("--time", metavar="TIME", help="Begin no further batch after that long: 20m, 90s.",
                                 show_default=False)
    ] = None,
    jobs: Jobs = None,
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", metavar="ADDRESS", help="Work on the Dask cluster of this scheduler.",
                     show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder of the study; results/studies/NAME.", show_default=False),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Seed of the search; the scenario's.", show_default=False)
    ] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print a scenario's JSON schema, for editors.")] = False,
    as_json: Json = False,
) -> int:  # fmt: skip
    """Search for the best network of a scenario; go on where a search was interrupted."""
    from harness.optimize import scenario as scenarios

    if schema:
        print_json(scenarios.schema())
        return EXIT_PASS
    if scenario is None:
        raise BadInputError("no scenario is given", f"a TOML file, or one of {', '.join(scenarios.shipped())}")
    path = scenarios.find(scenario)
    if path != Path(scenario):
        sys.stderr.write(f"{scenario}: the scenario that is shipped, {path}\n")
    checked = scenarios.load(path)
    options: dict[str, Any] = {"trials": trials, "jobs": jobs, "scheduler": scheduler, "seed": seed}
    if duration is not None:
        options["seconds"] = seconds(duration)
    found = _searched(checked, output, as_json, options)
    if as_json:
        print_json(msgspec.to_builtins(found.result))
    else:
        _print(found)
    return found.exit_code


def seconds(text: str) -> float:
    """A duration as it is typed: "20m", "20 min", "90s", "1h".

    Raises:
        BadInputError: it is none.
    """
    from harness.energy import units

    minutes = text.strip()
    return units.seconds(f"{minutes}in" if minutes.endswith("m") else minutes, "--time")


def _searched(checked: Scenario, output: Path | None, quiet: bool, options: dict[str, Any]) -> Outcome:
    from harness.optimize.run import run as search
    from harness.report.optimize_progress import Trials
    from harness.report.progress import Steps

    started = time.monotonic()
    with Steps(quiet=quiet) as steps, Trials(quiet, checked, options["trials"]) as trials:
        try:
            return search(checked, output, progress=steps, on_batch=trials, command=command_line(), **options)
        except KeyboardInterrupt:
            _interrupted(signal.SIGINT, time.monotonic() - started)
        except Ended as ended:
            _interrupted(ended.number, time.monotonic() - started)


def _interrupted(number: int, took: float) -> NoReturn:
    sys.stderr.write(
        f"\ninterrupted after {took:.0f} s: what was measured and trained is kept; the same command goes on\n"
    )
    raise SystemExit(128 + number)  # returned, it would be reported once more


def _print(found: Outcome) -> None:
    from rich.text import Text

    from harness.report.optimize import study
    from harness.report.tables import console, printable

    out = console()
    out.print(study(found.scenario, found.file, found.records, found.result))
    out.print(Text(printable(f"study in {relative(found.folder)}; harness optimize show {relative(found.folder)}")),
              soft_wrap=True)  # fmt: skip
