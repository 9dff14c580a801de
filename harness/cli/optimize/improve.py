"""The command that improves a user's network for a scenario."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from harness.cli.app import Json, print_json, relative
from harness.cli.optimize.app import optimize
from harness.cli.optimize.run import Jobs
from harness.cli.project import command_line
from harness.errors import BadInputError

if TYPE_CHECKING:
    from harness.optimize.improve import Start


@optimize.command()
def improve(
    model: Annotated[Path, typer.Argument(help="A Keras network: a file of model.save.", show_default=False)],
    scenario: Annotated[
        str, typer.Option("--scenario", "-s", help="The scenario: a TOML file, or the name of one that is shipped.",
                          show_default=False)
    ],
    kind: Annotated[str, typer.Option("--type", help="What it computes in now: float32 or int8.")] = "float32",
    kernels: Annotated[
        str, typer.Option("--kernels", "-k", help="Kernels that it is built with now: reference or cmsis-nn.")
    ] = "reference",
    level: Annotated[str, typer.Option("--opt", help="Level that it is built with now.")] = "-Os",
    jobs: Jobs = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of the improved network; results/improved/MODEL-SCENARIO.",
                     show_default=False),
    ] = None,
    as_json: Json = False,
) -> int:  # fmt: skip
    """Improve a Keras network for a scenario step by step, what pays most first, until the scenario is met."""
    from harness.optimize import improve as improving
    from harness.optimize import scenario as scenarios
    from harness.report.progress import Steps
    from harness.report.tables import console

    start = start_of(kind, kernels, level)
    checked = scenarios.load(scenarios.find(scenario))
    out = console(stderr=True)

    def tell(done: improving.Round) -> None:
        if not as_json:
            taken = "nothing brings more" if done.taken is None else done.taken.step
            out.print(f"tried {len(done.tried)} steps, took: {taken}", markup=False, soft_wrap=True)

    with Steps(quiet=as_json) as steps:
        found = improving.improve(model, checked, start, folder=output, jobs=jobs, progress=steps, on_round=tell,
                                  command=command_line())  # fmt: skip
    if as_json:
        print_json(msgspec.to_builtins(found))
        return found.exit_code
    from harness.report.optimize_improve import lines

    for line in lines(found):
        console().print(line)
    target = output or improving.default_folder(model, checked)
    console().print(f"\nnetwork.keras, network.tflite and improve.json in {relative(target)}", markup=False,
                    soft_wrap=True)  # fmt: skip
    return found.exit_code


def start_of(kind: str, kernels: str, level: str) -> Start:
    """How the network is built now.

    Raises:
        BadInputError: a value that there is not.
    """
    from harness.library import KERNEL_SETS, OPTIMISATIONS
    from harness.optimize.improve import Start

    for option, value, known in (
        ("--type", kind, ("float32", "int8")),
        ("--kernels", kernels, KERNEL_SETS),
        ("--opt", level, OPTIMISATIONS),
    ):
        if value not in known:
            raise BadInputError(f"{option} {value}: unknown", f"one of {', '.join(known)}")
    return Start(type="int8" if kind == "int8" else "float32", kernels=kernels, optimisation=level)
