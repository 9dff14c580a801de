"""The commands whose firmware talks: a network served on a pseudo-terminal, and its accuracy."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.app import Json, Renode, app, choose_renode, write_json
from harness.cli.toolchain import Sysroot, Toolchain, choose_toolchain
from harness.errors import EXIT_PASS, EXIT_VERDICT_NO, BadInputError

_Model = Annotated[Path, typer.Argument(help="The network: a .tflite file.", show_default=False)]
_Platform = Annotated[str, typer.Option("--platform", "-p", help="Board or machine (harness platforms).")]
_Kernels = Annotated[str, typer.Option("--kernels", "-k", help="Kernel set: reference or cmsis-nn.")]
_Opt = Annotated[str, typer.Option("--opt", help="Optimisation level: -Os, -O2, -O3 or -Ofast.")]
_Fpu = Annotated[
    bool | None, typer.Option("--fpu/--no-fpu", help="Floating point by the FPU or in software.", show_default=False)
]
_Emulator = Annotated[str, typer.Option("--emulator", "-e", help="Which emulator runs it.")]
_Timeout = Annotated[float, typer.Option("--timeout", help="Limit of the start and of each request, in seconds.")]

_PROTOCOLS = ("frames", "mlperf-tiny")


def say(line: str) -> None:
    """Print a line at once: whoever started us may be waiting for the path in it."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@app.command()
def serve(
    model: _Model,
    platform: _Platform,
    kernels: _Kernels = "reference",
    opt: _Opt = "-O2",
    fpu: _Fpu = None,
    toolchain: Toolchain = None,
    sysroot: Sysroot = None,
    emulator: _Emulator = "qemu",
    renode: Renode = None,
    timeout: _Timeout = 60.0,
    protocol: Annotated[
        str, typer.Option("--protocol", help="frames (firmware/app/wire.h), or mlperf-tiny.")
    ] = "frames",
    model_id: Annotated[
        str | None,
        typer.Option(
            "--model-id",
            help="For mlperf-tiny: kws01, vww01, ic01, ad01, or another, instead of what the network's shapes say.",
            show_default=False,
        ),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="End when the first client has closed the terminal.")] = False,
) -> int:
    """Serve a network on a pseudo-terminal, as a board does on its serial port, until Ctrl-C."""
    from harness import mlperf, relay
    from harness.pty import PseudoTerminal
    from harness.report.progress import Steps
    from harness.serving import serve as start

    if protocol not in _PROTOCOLS:
        raise BadInputError(f"unknown protocol {protocol!r}", f"one of {', '.join(_PROTOCOLS)}")
    if protocol == "mlperf-tiny":
        mlperf.check(model, model_id)
    elif model_id is not None:
        raise BadInputError(f"a model id of {model_id!r} has no meaning in {protocol}", "give --protocol mlperf-tiny")
    choose_renode(renode, emulator)
    choose_toolchain(toolchain, sysroot)
    with contextlib.ExitStack() as ends:
        terminal = ends.enter_context(relay.OneClient() if once else PseudoTerminal())
        with Steps() as steps:
            device = ends.enter_context(
                start(
                    model,
                    platform,
                    kernels=kernels,
                    optimisation=opt,
                    fpu=fpu,
                    emulator=emulator,
                    time_limit_s=timeout,
                    progress=steps,
                )
            )
        stop = terminal.left if isinstance(terminal, relay.OneClient) else lambda: False
        say(f"{model.name} on {device.machine.name} serves {protocol} at {terminal.path}; Ctrl-C ends it")
        if protocol == "frames":
            relay.serve(device, terminal, report=say, stop=stop)
        else:
            mlperf.serve(device, terminal, model_id=model_id, report=say, stop=stop)
    return EXIT_PASS


@app.command()
def accuracy(
    model: _Model,
    data: Annotated[str, typer.Option("--data", help="The test set: IMAGES.npy,LABELS.npy.", show_default=False)],
    platform: _Platform,
    kernels: _Kernels = "reference",
    opt: _Opt = "-O2",
    fpu: _Fpu = None,
    toolchain: Toolchain = None,
    sysroot: Sysroot = None,
    emulator: _Emulator = "qemu",
    renode: Renode = None,
    timeout: _Timeout = 60.0,
    limit: Annotated[
        int | None, typer.Option("--limit", help="Take the first so many images.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> int:
    """Classify a test set on the emulated device and on the host, and compare them image by image."""
    from harness.accuracy import measure
    from harness.report.accuracy import accuracy as text
    from harness.report.progress import Steps
    from harness.report.tables import console

    files = data.split(",")
    if len(files) != 2 or not all(files):
        raise BadInputError(f"--data {data!r} does not name two files", "--data x.npy,y.npy")
    choose_renode(renode, emulator)
    choose_toolchain(toolchain, sysroot)
    with Steps(quiet=as_json) as steps:
        result = measure(
            model,
            files[0],
            files[1],
            platform,
            kernels=kernels,
            optimisation=opt,
            fpu=fpu,
            emulator=emulator,
            limit=limit,
            time_limit_s=timeout,
            progress=steps,
        )
    if as_json:
        write_json(result.to_json())
    else:
        console().print(text(result), soft_wrap=True)
    return EXIT_PASS if result.equal else EXIT_VERDICT_NO
