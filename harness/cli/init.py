"""The command that writes a project file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli import project as projects
from harness.cli.app import app, relative
from harness.errors import EXIT_PASS, BadInputError

if TYPE_CHECKING:
    from harness.project.detect import Found

PLATFORMS = "harness platforms lists them"


@app.command()
def init(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Where to write harness.toml; here.", show_default=False)] = Path(),
    platform: Annotated[
        str | None,
        typer.Option("--platform", "-p", help="Board or machine to put into it.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the harness.toml that is there.")] = False,
) -> int:
    """Write a project file, harness.toml: the networks, policy and baselines that are there, all else as comments."""
    from harness import atomic, platforms
    from harness.project import detect, find, write

    path = folder / find.NAME
    if not folder.is_dir():
        raise BadInputError(f"{folder}: there is no such folder", "mkdir makes one")
    if path.exists() and not force:
        raise BadInputError(f"{path} is there already", "--force replaces it")
    given: dict[str, Any] = {} if platform is None else {"platform": platforms.load(platform).name}
    found = detect.detect(folder.resolve())
    text = write.text(found, projects.commands(ctx.find_root().command), given)
    atomic.write(path, text.encode())
    typer.echo(f"{relative(path)} written, with {_contents(found, given)}")
    if not given:
        typer.echo(f'it names no platform yet: uncomment platform = "..." in it ({PLATFORMS})')
    return EXIT_PASS


def _contents(found: Found, given: dict[str, Any]) -> str:
    """What was put into it, in words."""
    count = len(found.models)
    parts = [f"{count} network{'' if count == 1 else 's'} ({', '.join(list(found.models)[:5])}{', ...' * (count > 5)})"
             if count else "no network: there is no .tflite file below"]  # fmt: skip
    named = {**given, "policy": found.policy, "baselines": found.baselines, "results": found.results}
    parts += [f"{name} {value}" for name, value in named.items() if value is not None]
    return ", ".join(parts)
