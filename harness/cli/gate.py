"""The command that judges what changed against the baselines in git."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.app import BASELINES, POLICY, Baselines, Json, app, print_json, relative, write_json
from harness.cli.project import command_line
from harness.errors import EXIT_PASS, BadInputError, HarnessError

if TYPE_CHECKING:
    from harness.gate.verdict import Verdict


@app.command()
def gate(
    policy: Annotated[Path, typer.Option("--policy", help="The policy (TOML).")] = POLICY,
    baselines: Baselines = BASELINES,
    runs: Annotated[
        list[str] | None,
        typer.Option("--run", "-r", help="Judge this stored run, or result file, instead of measuring; repeatable.",
                     show_default=False),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="How many runs are measured at once; all cores.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for verdict.json, summary.md, comment.md and junit.xml.",
                     show_default=False),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Show every comparison, not only what changed.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print a policy's JSON schema, for editors.")] = False,
    as_json: Json = False,
) -> int:  # fmt: skip
    """Measure what a policy lists, compare with the baselines, give one verdict."""
    from harness.gate import decide
    from harness.gate import policy as policies

    if schema:
        print_json(policies.schema())
        return EXIT_PASS
    if runs and jobs is not None:
        raise BadInputError("--jobs says nothing where --run is given", "leave one of them out")
    if output is not None:
        _clear(output)
    try:
        found = _gate(policy, baselines, runs or (), jobs, as_json)
    except HarnessError as error:
        if output is not None:
            _write(decide.failed(policy, error), output)
        raise
    try:
        if output is not None:  # before anything is printed, whose reader may go
            _write(found, output)
    finally:
        if as_json:
            write_json(found.to_json())
        else:
            _print(found, everything)
    if output is not None and not as_json:
        _print_written(output)
    return found.exit_code


def _gate(policy: Path, baselines: Path, runs: list[str] | tuple[str, ...], jobs: int | None, quiet: bool) -> Verdict:
    from harness.gate import run as gates
    from harness.report.sweep import progress

    if runs:
        return gates.judge(policy, baselines, runs)
    with progress(quiet) as (steps, on_point):
        return gates.run(policy, baselines, jobs=jobs, progress=steps, on_point=on_point, command=command_line())


def _clear(output: Path) -> None:
    from harness.report.gate_files import clear

    clear(output)


def _write(found: Verdict, output: Path) -> None:
    from harness.report.gate_files import write

    write(found, output)


def _print(found: Verdict, everything: bool) -> None:
    from harness.report.gate import headline, verdict
    from harness.report.tables import console

    out = console()
    out.print(headline(found), soft_wrap=True)
    out.print(verdict(found, everything))


def _print_written(output: Path) -> None:
    from rich.text import Text

    from harness.report.tables import console, printable

    console().print(Text(printable(f"written to {relative(output)}")), soft_wrap=True)
