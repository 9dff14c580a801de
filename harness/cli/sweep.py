"""The commands that measure a design space and choose from it."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from harness.cli.app import Ended, Json, app, print_json, relative
from harness.cli.project import command_line
from harness.errors import EXIT_NOT_MEASURED, EXIT_PASS, EXIT_VERDICT_NO, BadInputError

if TYPE_CHECKING:
    from harness.report.progress import Steps
    from harness.sweep.pareto import Ranking, Standing
    from harness.sweep.run import Outcome
    from harness.sweep.tables import PointRow


@app.command()
def sweep(
    file: Annotated[Path | None, typer.Argument(help="The sweep file (TOML).", show_default=False)] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", "-j", min=1, help="How many points run at once; all cores, or all workers.", show_default=False
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how many points, and about how long.")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Run the points again that could not be measured.")] = False,
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler",
            metavar="ADDRESS",
            help="Run on the Dask cluster of this scheduler, tcp://127.0.0.1:8786 for example. Its workers are started "
            "by: dask worker ADDRESS --nworkers 2 --nthreads 1.",
            show_default=False,
        ),
    ] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print a sweep file's JSON schema, for editors.")] = False,
    as_json: Json = False,
) -> int:
    """Measure every combination of networks, platforms, kernels and flags in a file; go on where it was interrupted."""
    from harness.sweep import file as files

    if schema:
        print_json(files.schema())
        return EXIT_PASS
    if file is None:
        raise BadInputError("no sweep file is given", "harness sweep FILE, or harness sweep --schema")
    if dry_run:
        if scheduler is not None:
            raise BadInputError("--dry-run asks no cluster", "leave out --scheduler, and say its workers by --jobs")
        return _dry_run(file, jobs, retry, as_json)
    return _sweep(file, jobs, retry, as_json, scheduler)


def _dry_run(file: Path, jobs: int | None, retry: bool, as_json: bool) -> int:
    from harness.report.sweep import outlook as text
    from harness.report.tables import console
    from harness.sweep.run import outlook

    found = outlook(file, jobs=jobs, retry=retry)
    if as_json:
        print_json(
            {
                "name": found.plan.name,
                "points": len(found.plan.points),
                "stored": found.stored,
                "to_run": len(found.to_run),
                "unmade": len(found.unmade),
                "networks_to_make": [recipe.label for recipe in found.networks],
                "impossible": [point.choice.label for point in found.plan.points if point.failure is not None],
                "builds": found.builds,
                "seconds": round(found.seconds, 1),
                "seconds_assumed": found.assumed,
                "notes": found.plan.notes,
            }
        )
    else:
        console().print(text(found), soft_wrap=True)
    return EXIT_PASS


def _sweep(file: Path, jobs: int | None, retry: bool, as_json: bool, scheduler: str | None) -> int:
    from harness.report.sweep import closing, progress
    from harness.report.tables import console
    from harness.sweep.plan import Point, Row
    from harness.sweep.run import run

    options: dict[str, Any] = {"jobs": jobs, "retry": retry, "command": command_line()}
    done = 0

    def counted(point: Point, row: Row, finished: int, total: int) -> None:
        nonlocal done
        done = finished
        on_point(point, row, finished, total)

    started = time.monotonic()
    try:
        with progress(as_json) as (steps, on_point):
            if scheduler is not None:
                options |= _on_cluster(scheduler, steps)
            outcome = run(file, progress=steps, on_point=counted, **options)
    except KeyboardInterrupt:
        _interrupted(signal.SIGINT, done)
    except Ended as ended:
        _interrupted(ended.number, done)
    if as_json:
        print_json(_summary(outcome))
    else:
        out = console()
        out.print(closing(outcome, time.monotonic() - started), soft_wrap=True)
        out.print(f"tables in {relative(outcome.tables[0].parent)}; harness pareto {outcome.plan.name} chooses",
                  markup=False, soft_wrap=True)  # fmt: skip
    return outcome.exit_code


def _on_cluster(scheduler: str, progress: Steps) -> dict[str, Any]:
    from harness.sweep import remote

    return {"executor": remote.executor(scheduler, progress), "build": remote.build_there}


def _interrupted(number: int, done: int) -> NoReturn:
    sys.stderr.write(f"\ninterrupted: {done} points were measured and are stored; the same command goes on\n")
    raise SystemExit(128 + number)  # returned, it would be reported once more


def _summary(outcome: Outcome) -> dict[str, Any]:
    from harness.sweep.tables import point_rows, point_table

    rows = point_rows(outcome.plan, outcome.rows)
    return {
        "name": outcome.plan.name,
        "exit_code": outcome.exit_code,
        "ran": outcome.ran,
        "points": point_table(rows),
        "tables": [str(path) for path in outcome.tables],
        "notes": outcome.plan.notes,
    }


@app.command()
def pareto(
    name: Annotated[str, typer.Argument(help="A stored sweep: the name in its file.", show_default=False)],
    objectives: Annotated[
        list[str] | None,
        typer.Option(
            "--objective",
            "-o",
            help="A metric, or METRIC:min or METRIC:max, instead of the file's objectives; the first decides.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """Choose from a sweep: the Pareto front, the best point under the budgets, and what every other lost by."""
    from harness.sweep.pareto import of_sweep, parse

    found = of_sweep(name, [parse(text) for text in objectives or ()])
    if as_json:
        print_json(_ranking(found))
    else:
        from harness.report.sweep import ranking
        from harness.report.tables import console

        console().print(ranking(found))
    if found.best is not None:
        return EXIT_PASS
    return EXIT_NOT_MEASURED if any(item.state == "undecided" for item in found.out) else EXIT_VERDICT_NO


def _ranking(found: Ranking) -> dict[str, Any]:
    import msgspec

    from harness.sweep.metrics import METRICS
    from harness.sweep.tables import point_table

    def standing(item: Standing) -> dict[str, Any]:
        values = {goal.metric: value for goal, value in zip(found.goals, item.values, strict=True)}
        estimates = {goal.metric: quantity(item.item, goal.metric) for goal in found.goals}
        known = {name: value for name, value in estimates.items() if value is not None}
        return {**named(item.item), **values, "estimates": known, "lost_by": item.lost_by}

    def quantity(item: PointRow, metric: str) -> Any:
        estimate = None if METRICS[metric].source != "estimate" else item.estimate
        return None if estimate is None else msgspec.to_builtins(estimate.of(metric))

    def named(item: PointRow) -> dict[str, Any]:
        cells = point_table((item,))[0]
        keys = ("point", "model", "platform", "kernels", "optimisation", "fpu", "emulator", "run_id")
        return {key: cells.get(key) for key in keys}

    return {
        "name": found.plan.name,
        "objectives": [{"metric": goal.metric, "direction": goal.direction} for goal in found.goals],
        "budgets": found.plan.budgets.limits() | found.plan.budgets.by_platform,
        "best": None if found.best is None else standing(found.best),
        "front": [standing(item) for item in found.front],
        "beaten": [standing(item) for item in found.beaten],
        "out": [{**named(item), "state": item.state, "reason": item.reason} for item in found.out],
    }
