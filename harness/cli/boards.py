"""The commands for physical boards: firmware to flash, and what the board says then."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from harness.cli.app import Json, app, print_json
from harness.cli.toolchain import Sysroot, Toolchain, choose_toolchain
from harness.errors import EXIT_PASS, EXIT_VERDICT_NO, BadInputError

_Inputs = Annotated[
    list[Path] | None,
    typer.Option("--input", "-i", help="An .npy file; once for each input of the model.", show_default=False),
]
_Fpu = Annotated[
    bool | None, typer.Option("--fpu/--no-fpu", help="Floating point by the FPU or in software.", show_default=False)
]


@app.command()
def build(
    model: Annotated[Path, typer.Argument(help="The network: a .tflite file.", show_default=False)],
    platform: Annotated[str, typer.Option("--platform", "-p", help="Board or machine (harness platforms).")],
    flashable: Annotated[
        bool, typer.Option("--flashable", help="For the physical board: full clock, cycle counter; BIN, HEX, UF2.")
    ] = False,
    kernels: Annotated[str, typer.Option("--kernels", "-k", help="Kernel set: reference or cmsis-nn.")] = "reference",
    opt: Annotated[str, typer.Option("--opt", help="Optimisation level: -Os, -O2, -O3 or -Ofast.")] = "-O2",
    fpu: _Fpu = None,
    inputs: _Inputs = None,
    toolchain: Toolchain = None,
    sysroot: Sysroot = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder to write to; MODEL-PLATFORM.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> int:
    """Build the profiling firmware for a platform's own memory map, as files."""
    from harness.flashable import build as build_firmware
    from harness.report.boards import firmware
    from harness.report.progress import Steps
    from harness.report.tables import console

    choose_toolchain(toolchain, sysroot)
    with Steps(quiet=as_json) as steps:
        built = build_firmware(
            model,
            platform,
            flashable=flashable,
            kernels=kernels,
            optimisation=opt,
            fpu=fpu,
            input_paths=inputs or (),
            output=output,
            progress=steps,
        )
    if as_json:
        print_json(msgspec.to_builtins(built, enc_hook=str))
    else:
        console().print(firmware(built), soft_wrap=True)
    return EXIT_PASS


@app.command()
def capture(
    port: Annotated[str, typer.Option("--port", help="The board's serial port: /dev/ttyACM0.")],
    baud: Annotated[int, typer.Option("--baud", help="Its speed in bits a second.")] = 115200,
    model: Annotated[
        Path | None, typer.Option("--model", "-m", help="The network that was flashed.", show_default=False)
    ] = None,
    platform: Annotated[
        str | None, typer.Option("--platform", "-p", help="The board that it was built for.", show_default=False)
    ] = None,
    fpu: _Fpu = None,
    inputs: _Inputs = None,
    timeout: Annotated[float, typer.Option("--timeout", help="How long the board may be silent, in seconds.")] = 60.0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write a CSV, a row for each layer.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> int:
    """Read the cycles of each layer from a board that runs firmware of build --flashable."""
    from harness.capture import capture as read
    from harness.capture import write_csv
    from harness.report.boards import captured
    from harness.report.progress import Steps
    from harness.report.tables import console

    if output is not None and not output.absolute().parent.is_dir():
        raise BadInputError(f"{output}: there is no folder {output.parent}", "name another --output")

    def progress(what: str, done: int | None, total: int | None) -> None:
        if what.startswith("waiting"):
            typer.echo(what, err=True)  # also where there is no terminal to show steps on: somebody has to do it
        steps(what, done, total)

    with Steps() as steps:
        result = read(
            port,
            baud=baud,
            timeout_s=timeout,
            model_path=model,
            platform=platform,
            fpu=fpu,
            input_paths=inputs or (),
            progress=progress,
        )
    if output is not None:
        write_csv(result, output)
    if as_json:
        print_json({**msgspec.to_builtins(result), "total": result.total})
    else:
        console().print(captured(result))
    return EXIT_VERDICT_NO if result.output_exact is False else EXIT_PASS
