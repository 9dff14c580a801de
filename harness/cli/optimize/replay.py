"""The command that does a stored study again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from harness.cli.app import Json, print_json
from harness.cli.optimize.app import optimize
from harness.cli.optimize.run import Jobs
from harness.cli.optimize.show import Stored
from harness.cli.project import command_line
from harness.errors import EXIT_PASS, EXIT_VERDICT_NO


@optimize.command()
def replay(
    name: Stored,
    trials: Annotated[
        int | None, typer.Option("--trials", min=1, help="Only the first so many; all.", show_default=False)
    ] = None,
    jobs: Jobs = None,
    reuse: Annotated[
        bool, typer.Option("--reuse", help="Take measurements and trainings from the cache: only what was asked for is "
                                           "done again.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--out", "-o", help="Keep the new study in this folder.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> int:  # fmt: skip
    """Do a study again from its stored seeds, and compare it candidate by candidate."""
    from harness.optimize.replay import replay as again
    from harness.optimize.study import find
    from harness.report.progress import Steps

    with Steps(quiet=as_json) as steps:
        found = again(find(name), trials=trials, jobs=jobs, reuse=reuse, output=output, progress=steps,
                      command=command_line())  # fmt: skip
    if as_json:
        print_json(msgspec.to_builtins(found))
    else:
        from harness.report.optimize import replayed
        from harness.report.tables import console

        console().print(replayed(found))
    return EXIT_PASS if found.equal else EXIT_VERDICT_NO
