"""The command that profiles a firmware that the harness did not build."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness import atomic
from harness.cli.app import Json, Renode, app, choose_renode, relative, write_json
from harness.errors import EXIT_NOT_MEASURED, EXIT_PASS, EXIT_VERDICT_NO, BadInputError

_SEMIHOSTING = (
    "Let the firmware call its host by BKPT 0xAB: it can then read and write this machine's files and start its"
    " programs, as you can. Only for firmware that you trust."
)


@app.command(name="profile")
def profile_elf(
    firmware: Annotated[Path, typer.Argument(help="The firmware: a linked .elf file.", show_default=False)],
    platform: Annotated[str, typer.Option("--platform", "-p", help="Board or machine (harness platforms).")],
    region: Annotated[
        list[str] | None,
        typer.Option(
            "--region",
            "-r",
            help="NAME=FUNCTION: count each of its calls. FUNCTION is a name, a part of one that no other has,"
            " FILE:NAME, or an address. Again for more.",
            show_default=False,
        ),
    ] = None,
    regions: Annotated[
        list[str] | None,
        typer.Option("--regions", help="All layer functions of a runtime: cmsis-nn or tflm.", show_default=False),
    ] = None,
    stop_at: Annotated[
        str | None, typer.Option("--stop-at", help="End before this function runs.", show_default=False)
    ] = None,
    stop_on: Annotated[
        str | None, typer.Option("--stop-on", help="End when the UART has this text.", show_default=False)
    ] = None,
    max_instructions: Annotated[
        int | None, typer.Option("--max-instructions", help="End after so many instructions.", show_default=False)
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", help="End after so many seconds: partial, exit code 3.")
    ] = 60.0,
    emulator: Annotated[str, typer.Option("--emulator", "-e", help="qemu, or renode: chosen functions only.")] = "qemu",
    renode: Renode = None,
    allow_semihosting: Annotated[
        bool, typer.Option("--allow-semihosting", help=_SEMIHOSTING, show_default=False)
    ] = False,
    folded: Annotated[
        Path | None, typer.Option("--folded", help="Write stacks for flamegraph.pl.", show_default=False)
    ] = None,
    speedscope: Annotated[
        Path | None, typer.Option("--speedscope", help="Write stacks for speedscope.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write the whole profile as JSON.", show_default=False)
    ] = None,
    top: Annotated[int, typer.Option("--top", min=1, help="How many functions to show.")] = 20,
    as_json: Json = False,
) -> int:
    """Profile any firmware, without a change to it: calls of functions, instructions by function and class."""
    from harness.elfprofile import export, measure
    from harness.report import elf_profile, tables
    from harness.report.progress import Steps

    choose_renode(renode, emulator)
    if emulator == "renode" and (folded or speedscope):
        raise BadInputError("Renode gives no stacks of calls", "leave --folded and --speedscope out, or run on QEMU")
    request = measure.Request(
        path=firmware,
        platform=platform,
        regions=tuple(region or ()),
        presets=tuple(regions or ()),
        stop_at=stop_at,
        stop_on=stop_on,
        instruction_limit=max_instructions,
        time_limit_s=timeout,
        semihosting=allow_semihosting,
        emulator=emulator,
    )
    with Steps(quiet=as_json) as steps:
        steps(f"running {firmware.name}", None, None)
        measured = measure.run(request)
    shown = measured.profile
    stacks = measured.stacks or ()
    if folded is not None:
        atomic.write(folded, export.folded(stacks).encode())
    if speedscope is not None:
        atomic.write(speedscope, export.speedscope(stacks, firmware.name).encode())
    if out is not None:
        atomic.write(out, shown.to_json())
    if as_json:
        write_json(shown.to_json())
    else:
        console = tables.console()
        console.print(elf_profile.profile(shown, console, top))
        for path in (folded, speedscope, out):
            if path is not None:
                console.print(f"written: {relative(path)}", markup=False, soft_wrap=True)
    if shown.ended.partial:
        return EXIT_NOT_MEASURED
    return EXIT_VERDICT_NO if shown.ended.exit_code else EXIT_PASS
