"""The command that says why a study came to its pick."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from harness.cli.app import Json, print_json
from harness.cli.optimize.app import optimize
from harness.cli.optimize.run import Jobs
from harness.cli.optimize.show import Stored
from harness.cli.project import command_line
from harness.errors import EXIT_PASS, EXIT_VERDICT_NO, BadInputError

_WHAT = "pick, runner-up, baseline, or the number of a trial."


@optimize.command()
def explain(
    name: Stored,
    first: Annotated[str | None, typer.Argument(metavar="[A]", help=_WHAT, show_default=False)] = None,
    second: Annotated[str | None, typer.Argument(metavar="[B]", help="Another one.", show_default=False)] = None,
    changes: Annotated[
        bool, typer.Option("--changes/--no-changes", help="Measure each single change of the pick.")
    ] = True,
    jobs: Jobs = None,
    as_json: Json = False,
) -> int:
    """Explain a study: the pick beside others by layer, what single changes do, budgets and their slack."""
    from harness.optimize.explain import explain as explained
    from harness.optimize.study import find
    from harness.report.progress import Steps

    if first is not None and second is None:
        raise BadInputError(f"{first}: one trial alone is compared with nothing", f"name two: {_WHAT}")
    which = tuple(item for item in (first, second) if item is not None)
    with Steps(quiet=as_json) as steps:
        found = explained(find(name), which, changes=changes, jobs=jobs, progress=steps,
                          command=command_line())  # fmt: skip
    if as_json:
        print_json(msgspec.to_builtins(found))
    else:
        from harness.report.optimize_explain import lines
        from harness.report.tables import console

        out = console()
        for line in lines(found):
            out.print(line)
    return EXIT_PASS if found.budgets else EXIT_VERDICT_NO
