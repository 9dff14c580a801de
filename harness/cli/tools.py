"""The commands that say what there is: platforms, tools, sources, the schema."""

from __future__ import annotations

import shlex
import sys
from typing import Annotated

import typer

from harness.cli.app import Json, app, print_json
from harness.cli.project import commands
from harness.errors import EXIT_NOT_MEASURED, EXIT_PASS, BadInputError


@app.command()
def platforms(as_json: Json = False) -> int:
    """List the boards and emulated machines."""
    import msgspec

    from harness import platforms as known
    from harness.report import tables

    if as_json:
        print_json(msgspec.to_builtins(known.all()))
    else:
        tables.console().print(tables.platforms(known.all()))
    return EXIT_PASS


@app.command()
def doctor(as_json: Json = False) -> int:
    """Check that everything a measurement needs is there and counts exactly."""
    import msgspec

    from harness.doctor import examine
    from harness.report.doctor import findings

    found = examine()
    if as_json:
        print_json(msgspec.to_builtins(found))
    else:
        from harness.report.tables import console

        console().print(findings(found))
    return EXIT_PASS if all(item.ok or not item.required for item in found) else EXIT_NOT_MEASURED


@app.command()
def sources() -> int:
    """Print where the sources of TFLM and CMSIS-NN are, as shell assignments."""
    from harness.sources import locate

    found = locate()
    sys.stdout.write(f"export TFLM_DIR={shlex.quote(str(found.tflm))}\n")
    sys.stdout.write(f"export CMSIS_NN_DIR={shlex.quote(str(found.cmsis_nn))}\n")
    return EXIT_PASS


@app.command()
def schema(
    ctx: typer.Context,
    project: Annotated[
        bool, typer.Option("--project", help="Of a project file (harness.toml), for editors.", show_default=False)
    ] = False,
    profile: Annotated[
        bool, typer.Option("--profile", help="Of what harness profile writes as JSON.", show_default=False)
    ] = False,
) -> int:
    """Print the JSON schema of a stored result, of a project file, or of a profile."""
    if project and profile:
        raise BadInputError("--project and --profile are two schemas", "ask for one")
    if profile:
        from harness.elfprofile.result import schema as profile_schema

        print_json(profile_schema())
    elif project:
        from harness.project.keys import schema as project_schema

        print_json(project_schema(commands(ctx.find_root().command)))
    else:
        from harness.result import schema as result_schema

        print_json(result_schema())
    return EXIT_PASS
