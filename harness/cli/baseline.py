"""The commands that make baselines and show them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.app import BASELINES, POLICY, Baselines, Json, app, print_json, relative, write_json
from harness.cli.project import Application, command_line
from harness.errors import EXIT_PASS, BadInputError

if TYPE_CHECKING:
    from harness.baseline_update import Item, Update

baselines = Application(name="baseline", help="Make and show what later runs are compared with.", no_args_is_help=True)
app.add_typer(baselines)


@baselines.command()
def update(
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUN]...", help="Stored runs, or result files, instead of what the policy lists.",
                       show_default=False),
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Why: it is stored.", show_default=False)] = None,
    policy: Annotated[Path | None, typer.Option("--policy", help=f"The policy (TOML); {POLICY}.",
                                                show_default=False)] = None,
    folder: Baselines = BASELINES,
    remove_unused: Annotated[
        bool, typer.Option("--remove-unused", help="Remove baselines that no run of the policy has.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and write nothing.")] = False,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="How many runs are measured at once; all cores.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> int:  # fmt: skip
    """Measure what a policy lists, or take given runs, and make them the new baselines."""
    from harness import baseline_update

    given = "" if dry_run and reason is None else baseline_update.require_reason(reason)
    for option, wanted in (("--policy", policy), ("--remove-unused", remove_unused or None), ("--jobs", jobs)):
        if runs and wanted is not None:
            raise BadInputError(f"{option} says nothing where runs are given", "leave one of them out")
    command = command_line()
    if runs:
        found = baseline_update.from_runs(runs, folder)
    else:
        found = _measured(policy or POLICY, folder, remove_unused, jobs, command, as_json)
    if not as_json:
        _print_update(found)
    written: tuple[Path, ...] = ()
    if not dry_run and found.exit_code == EXIT_PASS:
        written = baseline_update.write(found, folder, given, command)
    if as_json:
        print_json(_summary(found, written))
    else:
        _print_written(found, written, folder, dry_run)
    return found.exit_code


def _measured(
    policy: Path, folder: Path, remove_unused: bool, jobs: int | None, command: tuple[str, ...], quiet: bool
) -> Update:
    from harness import baseline_update
    from harness.report.sweep import progress

    with progress(quiet) as (steps, on_point):
        return baseline_update.from_policy(
            policy, folder, remove_unused=remove_unused, jobs=jobs, progress=steps, on_point=on_point, command=command
        )


def _print_update(found: Update) -> None:
    from harness.report import baseline as report
    from harness.report.tables import console

    console().print(report.update(found))


def _print_written(found: Update, written: tuple[Path, ...], folder: Path, dry_run: bool) -> None:
    from rich.text import Text

    from harness.report.tables import console, printable

    out = console()
    if found.exit_code != EXIT_PASS:
        out.print(Text("nothing is written: not every run is a baseline", style="bold red"), soft_wrap=True)
    elif dry_run:
        out.print("nothing is written: --dry-run", markup=False, soft_wrap=True)
    elif not written:
        out.print("nothing to write: every baseline is as it was", markup=False, soft_wrap=True)
    else:
        what = f"{len(written)} file{'' if len(written) == 1 else 's'} changed in {relative(folder)}: commit them"
        out.print(Text(printable(what)), soft_wrap=True)


def _summary(found: Update, written: tuple[Path, ...]) -> dict[str, Any]:
    return {
        "baselines": [_item(item) for item in found.items],
        "unused": list(found.unused),
        "failures": [{"what": item.what, "message": item.message, "hint": item.hint} for item in found.failures],
        "written": [path.name for path in written],
    }


def _item(item: Item) -> dict[str, Any]:
    return {
        "file": item.file,
        "state": item.state,
        "run_id": None if item.result is None else item.result.run_id,
        "former_run_id": None if item.former is None else item.former.run_id,
        "changes": [
            {"metric": change.metric, "unit": change.unit, "before": change.before, "after": change.after}
            for change in item.changes
        ],
        "notes": list(item.notes),
    }


@baselines.command("list")
def list_baselines(folder: Baselines = BASELINES, as_json: Json = False) -> int:
    """The baselines of a folder, with their reasons."""
    from harness import baseline
    from harness.report import baseline as report
    from harness.report.tables import console

    found: list[tuple[Path, baseline.Baseline | str]] = []
    for path in baseline.files(folder):
        try:
            found.append((path, baseline.read(path)))
        except BadInputError as error:
            found.append((path, error.message.removeprefix(f"{path}: ")))
    if as_json:
        print_json([_listed(path, item) for path, item in found])
    elif found:
        console().print(report.listed(found))
    else:
        raise BadInputError(f"{folder}: there is no baseline in it", f"{baseline.UPDATE} makes some")
    return EXIT_PASS


def _listed(path: Path, found: Any) -> dict[str, Any]:
    if isinstance(found, str):
        return {"file": path.name, "unreadable": found}
    from harness import baseline
    from harness.gate import metrics

    said = found.provenance
    return {
        "file": path.name,
        "run_id": found.result.run_id,
        "created": None if said is None else said.created,
        "reason": None if said is None else said.reason,
        "totals": {item.name: metrics.value(found.result, item.name) for item in baseline.totals()},
    }


@baselines.command()
def show(
    name: Annotated[str, typer.Argument(help="A baseline's name, or a part of it.", show_default=False)],
    folder: Baselines = BASELINES,
    as_json: Json = False,
) -> int:
    """One baseline: where it comes from, what it replaced, its result."""
    from harness import baseline
    from harness.report import baseline as report
    from harness.report.tables import console

    there = baseline.files(folder)
    matches = [path for path in there if name.removesuffix(".json") == path.stem] or [
        path for path in there if name in path.name
    ]
    if len(matches) != 1:
        what = f"is ambiguous: {len(matches)} baselines match" if matches else f"is no baseline in {folder}"
        hint = f"for example {matches[0].stem}" if matches else "harness baseline list shows them"
        raise BadInputError(f"{name!r} {what}", hint)
    found = baseline.read(matches[0])
    if as_json:
        write_json(found.to_json())
    else:
        out = console()
        out.print(report.one(found, matches[0], out))
    return EXIT_PASS
