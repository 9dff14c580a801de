"""The command that shows a stored study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from harness.cli.app import Json, print_json, relative
from harness.cli.optimize.app import optimize
from harness.errors import EXIT_PASS, EXIT_VERDICT_NO, BadInputError

if TYPE_CHECKING:
    from harness.optimize.records import StudyFile, StudyResult
    from harness.optimize.study import Study

Stored = Annotated[str, typer.Argument(metavar="STUDY", help="A study: its folder, or its name in results/studies.",
                                       show_default=False)]  # fmt: skip


@optimize.command()
def show(
    name: Stored,
    everything: Annotated[bool, typer.Option("--all", help="Show every trial, not only the front.")] = False,
    plots: Annotated[
        Path | None,
        typer.Option("--plots", metavar="FOLDER", help="Draw it, too: the front with bands, parallel coordinates, how "
                                                       "the search got on.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> int:  # fmt: skip
    """Show a study: the front, the pick, which budget binds."""
    from harness.optimize import study as studies

    kept = studies.Study(studies.find(name))
    made, result = kept.read(), kept.result()
    if made is None or result is None:
        raise BadInputError(
            f"{kept.folder}: the search has not come to its end ({len(kept.trials())} trials are stored)",
            "harness optimize SCENARIO goes on with it",
        )
    if plots is not None:
        _draw(plots, kept, made, result)
    if as_json:
        print_json({"study": msgspec.to_builtins(made), "result": msgspec.to_builtins(result),
                    "trials": msgspec.to_builtins(kept.trials())})  # fmt: skip
    else:
        from harness.report.optimize import study, trials
        from harness.report.tables import console

        scenario = kept.scenario()
        console().print(study(scenario, made, kept.trials(), result))
        if everything:
            console().print(trials(scenario, kept.trials()))
    return EXIT_VERDICT_NO if result.reasons else EXIT_PASS


def _draw(folder: Path, kept: Study, made: StudyFile, result: StudyResult) -> None:
    """Says on standard error where the pictures are."""
    from harness.report import plots_study
    from harness.report.tables import console

    files = plots_study.write(folder, kept.scenario(), made, kept.trials(), result)
    names = ", ".join(path.name for path in files)
    console(stderr=True).print(f"{relative(folder)}: {names}", markup=False, soft_wrap=True)
