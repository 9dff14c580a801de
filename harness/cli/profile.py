"""The commands that measure a network and show what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.app import Json, Renode, app, choose_renode, print_json, relative, write_json
from harness.cli.calibration import Calibration, Carry
from harness.cli.project import command_line
from harness.cli.tflm import TflmHostLib, TflmInclude, TflmLib, brought
from harness.cli.toolchain import Sysroot, Toolchain, choose_toolchain
from harness.errors import EXIT_PASS, EXIT_VERDICT_NO, BadInputError

if TYPE_CHECKING:
    from harness.result import Result
    from harness.store import Stored


@app.command()
def run(
    model: Annotated[Path, typer.Argument(help="The network: a .tflite file.", show_default=False)],
    platform: Annotated[str, typer.Option("--platform", "-p", help="Board or machine (harness platforms).")],
    kernels: Annotated[
        str | None, typer.Option("--kernels", "-k", help="Kernel set: reference or cmsis-nn.", show_default="reference")
    ] = None,
    opt: Annotated[str, typer.Option("--opt", help="Optimisation level: -Os, -O2, -O3 or -Ofast.")] = "-O2",
    fpu: Annotated[
        bool | None,
        typer.Option("--fpu/--no-fpu", help="Floating point by the FPU or in software.", show_default=False),
    ] = None,
    inputs: Annotated[
        list[Path] | None,
        typer.Option("--input", "-i", help="An .npy file; once for each input of the model.", show_default=False),
    ] = None,
    toolchain: Toolchain = None,
    sysroot: Sysroot = None,
    emulator: Annotated[
        str, typer.Option("--emulator", "-e", help="qemu, renode, or both: one firmware, equal to the instruction.")
    ] = "qemu",
    renode: Renode = None,
    max_instructions: Annotated[
        int | None,
        typer.Option("--max-instructions", help="Limit of each start of Renode, in instructions.", show_default=False),
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", help="Limit of each start of the emulator, in seconds.")
    ] = 60.0,
    cycles: Annotated[
        bool, typer.Option("--cycles", help="Estimate the board's cycles and latency, too.", show_default=False)
    ] = False,
    features_out: Annotated[
        Path | None,
        typer.Option(
            "--features-out", help="Write what the estimate is made of as CSV; with --cycles.", show_default=False
        ),
    ] = None,
    calibration: Calibration = None,
    carry: Carry = False,
    calls: Annotated[
        bool,
        typer.Option(
            "--calls", help="Follow calls, too: each layer's tree of them, and the deepest stack.", show_default=False
        ),
    ] = False,
    tflm_lib: TflmLib = None,
    tflm_include: TflmInclude = None,
    tflm_host_lib: TflmHostLib = None,
    as_json: Json = False,
) -> int:
    """Profile one inference: instructions per layer, memory, correctness."""
    from harness import pipeline
    from harness.emulators import BACKENDS
    from harness.report import tables
    from harness.report.progress import Steps

    if emulator not in (*BACKENDS, "both"):
        raise BadInputError(f"unknown emulator {emulator!r}", f"one of {', '.join((*BACKENDS, 'both'))}")
    estimates = cycles or calibration is not None
    if estimates and emulator == "both":
        raise BadInputError("cycles are estimated from one run", "leave --emulator out: QEMU tells what that takes")
    if calls and emulator == "both":
        raise BadInputError("calls are followed on QEMU", "leave --emulator both out, or --calls")
    if features_out is not None and not estimates:
        raise BadInputError("--features-out writes what an estimate is made of", "add --cycles")
    choose_renode(renode, emulator)
    choose_toolchain(toolchain, sysroot)
    options: dict[str, Any] = {
        "kernels": kernels,
        "optimisation": opt,
        "fpu": fpu,
        "input_paths": inputs or (),
        "time_limit_s": timeout,
        "tflm": brought(tflm_lib, tflm_include, tflm_host_lib),
        "command": command_line(),
    }
    if emulator == "both" and max_instructions is not None:
        raise BadInputError("QEMU has no limit of instructions", "give --timeout, or --emulator renode")
    results: list[Result]
    with Steps(quiet=as_json) as steps:
        if emulator == "both":
            results = [*pipeline.run_on_both(model, platform, progress=steps, **options)]
        else:
            results = [
                pipeline.run(
                    model,
                    platform,
                    emulator=emulator,
                    instruction_limit=max_instructions,
                    cycles=cycles,
                    calibration=calibration,
                    carry=carry,
                    calls=calls,
                    progress=steps,
                    **options,
                )
            ]
    if features_out is not None:
        _write_features(results[0], features_out)
    if as_json:
        both = b"[" + b",".join(item.to_json() for item in results) + b"]\n"
        write_json(both if emulator == "both" else results[0].to_json())
    else:
        console = tables.console()
        console.print(tables.result(results[0], console))
        if emulator == "both":
            console.print(tables.agreement(results[0], results[1]))
        for stored in results:
            console.print(f"stored in {relative(Path(stored.artifacts.elf).parent)}", markup=False, soft_wrap=True)
        if features_out is not None:
            console.print(f"features in {relative(features_out)}", markup=False, soft_wrap=True)
    return EXIT_PASS if all(item.verdict.passed for item in results) else EXIT_VERDICT_NO


def _write_features(result: Result, path: Path) -> None:
    from harness.cost import features, table

    try:
        path.write_text(features.to_csv(table.of(result)), encoding="utf-8")
    except OSError as error:
        raise BadInputError(f"{path}: cannot be written ({error.strerror})") from error


@app.command()
def demo() -> int:
    """Profile the network that the project ships on three boards with both kernel sets."""
    from harness.demo import run_demo, write_report
    from harness.report import tables
    from harness.report.progress import Steps
    from harness.store import runs_folder

    with Steps() as steps:
        results = run_demo(steps)
    report = write_report(results[0])
    console = tables.console()
    console.print(tables.result(results[0], console))
    console.print()
    console.print(tables.summary(results))
    console.print()
    console.print(f"{len(results)} runs stored in {relative(runs_folder())}", markup=False, soft_wrap=True)
    console.print(f"report of the first in {relative(report)}", markup=False, soft_wrap=True)
    return EXIT_PASS if all(result.verdict.passed for result in results) else EXIT_VERDICT_NO


@app.command(name="list")
def list_runs(as_json: Json = False) -> int:
    """List the stored runs, the newest first."""
    from harness import store
    from harness.report import tables

    runs = store.stored()
    if as_json:
        print_json([_listed(item) for item in runs])
    elif runs:
        tables.console().print(tables.runs(runs))
    else:
        typer.echo(f"no runs in {relative(store.runs_folder())} yet: harness run MODEL --platform PLATFORM makes one")
    return EXIT_PASS


def _listed(item: Stored) -> dict[str, Any]:
    """A stored run in the list that --json prints; None where it cannot be read."""
    result = item.result
    return {
        "run_id": item.run_id,
        "created": item.created,
        "model": result and result.model.file,
        "platform": result and result.platform,
        "kernels": result and result.kernels,
        "emulator": result and result.emulator,
        "instructions": result and result.counts.total,
        "passed": result and result.verdict.passed,
        "damage": item.damage,
    }


@app.command()
def show(
    run: Annotated[str, typer.Argument(help="A run's id, a part of it that no other run has, or its folder.")],
    as_json: Json = False,
) -> int:
    """Show a stored run."""
    from harness import store
    from harness.report import tables

    result = store.load(run)
    if as_json:
        write_json(result.to_json())
    else:
        console = tables.console()
        console.print(tables.result(result, console))
    return EXIT_PASS
