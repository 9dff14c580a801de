"""The command that sets a search beside its baselines."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from harness.cli.app import Json, print_json, relative
from harness.cli.optimize.app import optimize
from harness.cli.optimize.run import Jobs
from harness.cli.project import command_line
from harness.errors import EXIT_PASS, BadInputError


@optimize.command()
def baselines(
    scenario: Annotated[
        str, typer.Argument(help="The scenario: a TOML file, or the name of one that is shipped.", show_default=False)
    ],
    trials: Annotated[
        int | None, typer.Option("--trials", min=1, help="Of each search; what the scenario says.", show_default=False)
    ] = None,
    seeds: Annotated[str, typer.Option("--seeds", help="Seeds of the searches, with commas between.")] = "0,1,2",
    jobs: Jobs = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of the page; results/optimize/NAME.", show_default=False),
    ] = None,
    searches: Annotated[
        Path | None,
        typer.Option("--searches", help="Folder of the searches, which go on where they were stopped; "
                                        "results/studies/baselines/NAME.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> int:  # fmt: skip
    """Set the search beside random search and a search on MACs alone, equal trials; make a page with plots."""
    from harness.optimize import baselines as comparing
    from harness.optimize import scenario as scenarios
    from harness.report import baselines_page, plots_study
    from harness.report.progress import Steps
    from harness.report.tables import console

    chosen = seeds_of(seeds)
    plots_study.require()
    checked = scenarios.load(scenarios.find(scenario))
    started, out = time.monotonic(), console(stderr=True)

    def tell(method: str, seed: int, number: int) -> None:
        if not as_json:
            took = time.monotonic() - started
            out.print(f"{took:5.0f} s  {method} with seed {seed}: {number} trials", markup=False, soft_wrap=True)

    with Steps(quiet=as_json) as steps:
        found = comparing.compare(checked, trials=trials, seeds=chosen, folder=searches, jobs=jobs, progress=steps,
                                  on_batch=tell, command=command_line())  # fmt: skip
    command = f"harness optimize baselines {scenario} --trials {found.comparison.trials} --seeds {seeds}"
    made = baselines_page.write(found, output or baselines_page.folder(checked.name), command)
    if as_json:
        print_json(msgspec.to_builtins(found.comparison))
        return EXIT_PASS
    for line in baselines_page.lines(found):
        console().print(line, markup=False, soft_wrap=True)
    console().print(f"page: {relative(made)}", markup=False, soft_wrap=True)
    return EXIT_PASS


def seeds_of(text: str) -> tuple[int, ...]:
    """Seeds as they are typed: "0,1,2".

    Raises:
        BadInputError: they are none, or one is there twice.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and int(part) < 2**31 for part in parts):
        raise BadInputError(f"--seeds {text}: not whole numbers with commas between", "for example --seeds 0,1,2")
    found = tuple(map(int, parts))
    if len(set(found)) < len(found):
        raise BadInputError(f"--seeds {text}: one is there twice", "for example --seeds 0,1,2")
    return found
