"""The command that says what is in force, and from where."""

from __future__ import annotations

import difflib
from typing import Annotated

import msgspec
import typer

from harness.cli import project as projects
from harness.cli.app import Json, app, print_json
from harness.errors import EXIT_PASS, BadInputError


@app.command()
def config(
    ctx: typer.Context,
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="[COMMAND]", help="Every key of this command: run, baseline update.",
                       show_default=False),
    ] = None,
    as_json: Json = False,
) -> int:  # fmt: skip
    """Print what is in force, and from where: project file, environment, or the harness' own default."""
    from harness.project import effective
    from harness.project.keys import Command

    known = projects.commands(ctx.find_root().command)
    now = projects.in_force()
    project = None if now is None else now.project
    if command:
        names: Command = tuple(command)
        if names not in known:
            have = [" ".join(item) for item in known]
            near = difflib.get_close_matches(" ".join(names), have, 1)
            hint = f"did you mean {near[0]}?" if near else "harness --help lists them"
            raise BadInputError(f"there is no command {' '.join(names)!r}", hint)
        found = effective.of_command(project, names, known[names])
    else:
        found = effective.everything(project, known)
    if as_json:
        print_json(msgspec.to_builtins(found))
        return EXIT_PASS
    from harness.report.project import config as shown
    from harness.report.tables import console

    console().print(shown(found))
    return EXIT_PASS
