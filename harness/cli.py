"""The command: parse, call one function, print, exit."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from harness.errors import EXIT_BAD_INPUT, EXIT_NOT_MEASURED, EXIT_PASS, EXIT_VERDICT_NO, HarnessError

EXIT_INTERRUPTED = 128 + signal.SIGINT

# Newer versions of Typer carry Click inside, older ones depend on it: reach its base class through Typer's own.
_USAGE_ERROR: Any = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")

app = typer.Typer(
    name="harness",
    help="Instruction-accurate counts, memory and correctness of TensorFlow Lite Micro networks on emulated Cortex-M.",
    epilog="Exit codes: 0 pass; 1 measured, and the verdict is no; 2 bad input or usage; 3 could not measure.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"tflm-harness {version('tflm-harness')}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output, and nothing else there.")]


@app.command()
def run(
    model: Annotated[Path, typer.Argument(help="The network: a .tflite file.", show_default=False)],
    platform: Annotated[str, typer.Option("--platform", "-p", help="Board or machine (harness platforms).")],
    kernels: Annotated[str, typer.Option("--kernels", "-k", help="Kernel set: reference or cmsis-nn.")] = "reference",
    opt: Annotated[str, typer.Option("--opt", help="Optimisation level: -Os, -O2, -O3 or -Ofast.")] = "-O2",
    fpu: Annotated[
        bool | None,
        typer.Option("--fpu/--no-fpu", help="Floating point by the FPU or in software.", show_default=False),
    ] = None,
    inputs: Annotated[
        list[Path] | None,
        typer.Option("--input", "-i", help="An .npy file; once for each input of the model.", show_default=False),
    ] = None,
    emulator: Annotated[str, typer.Option("--emulator", "-e", help="Which emulator runs it.")] = "qemu",
    timeout: Annotated[
        float, typer.Option("--timeout", help="Limit of each start of the emulator, in seconds.")
    ] = 60.0,
    as_json: Json = False,
) -> int:
    """Profile one inference: instructions per layer, memory, correctness."""
    from harness.pipeline import run as profile
    from harness.report import tables
    from harness.report.progress import Steps

    with Steps(quiet=as_json) as steps:
        result = profile(
            model,
            platform,
            kernels=kernels,
            optimisation=opt,
            fpu=fpu,
            input_paths=inputs or (),
            emulator=emulator,
            time_limit_s=timeout,
            progress=steps,
            command=("harness", *sys.argv[1:]),
        )
    if as_json:
        _write_json(result.to_json())
    else:
        console = tables.console()
        console.print(tables.result(result, console))
        console.print(f"stored in {_relative(Path(result.artifacts.elf).parent)}", markup=False, soft_wrap=True)
    return EXIT_PASS if result.verdict.passed else EXIT_VERDICT_NO


@app.command()
def demo() -> int:
    """Profile the network that the project ships on three boards with both kernel sets."""
    from harness.demo import run_demo
    from harness.report import tables
    from harness.report.progress import Steps
    from harness.store import runs_folder

    with Steps() as steps:
        results = run_demo(steps)
    console = tables.console()
    console.print(tables.result(results[0], console))
    console.print()
    console.print(tables.summary(results))
    console.print()
    console.print(f"{len(results)} runs stored in {_relative(runs_folder())}", markup=False, soft_wrap=True)
    return EXIT_PASS if all(result.verdict.passed for result in results) else EXIT_VERDICT_NO


@app.command(name="list")
def list_runs(as_json: Json = False) -> int:
    """List the stored runs, the newest first."""
    from harness import store
    from harness.report import tables

    manifests = store.manifests()
    if as_json:
        _print_json([{"run_id": item.run_id, "created": item.created} for item in manifests])
    elif manifests:
        tables.console().print(tables.runs(manifests))
    else:
        typer.echo(f"no runs in {_relative(store.runs_folder())} yet: harness run MODEL --platform PLATFORM makes one")
    return EXIT_PASS


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
        _write_json(result.to_json())
    else:
        console = tables.console()
        console.print(tables.result(result, console))
    return EXIT_PASS


@app.command()
def platforms(as_json: Json = False) -> int:
    """List the boards and emulated machines."""
    import msgspec

    from harness import platforms as known
    from harness.report import tables

    if as_json:
        _print_json(msgspec.to_builtins(known.all()))
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
        _print_json(msgspec.to_builtins(found))
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
def schema() -> int:
    """Print the JSON schema of a stored result."""
    from harness.result import schema as result_schema

    _print_json(result_schema())
    return EXIT_PASS


def _print_json(value: Any) -> None:
    _write_json(json.dumps(value, indent=1).encode() + b"\n")


def _write_json(content: bytes) -> None:
    """UTF-8, whatever the locale says."""
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def _relative(path: Path) -> str:
    try:
        here = os.path.relpath(path)
    except FileNotFoundError:  # the current folder is gone
        return str(path)
    return here if not here.startswith("..") else str(path)


def _print_error(error: HarnessError) -> None:
    from rich.text import Text

    from harness.report.tables import console, printable

    out = console(stderr=True)
    for line in (error.detail or "").splitlines():
        out.print(Text(printable(line), style="dim"), soft_wrap=True)
    out.print(Text.assemble(("error: ", "bold red"), printable(error.message)), soft_wrap=True)
    if error.hint:
        out.print(Text.assemble(("hint: ", "bold"), printable(error.hint)), soft_wrap=True)


class _Ended(BaseException):
    """A signal asked the command to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _end(number: int, _frame: FrameType | None) -> None:
    raise _Ended(number)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point: every way to end has its exit code, and none shows a traceback but a fault of the harness."""
    for number in (signal.SIGTERM, signal.SIGHUP):  # so that started programs are ended and temporary files removed
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, _end)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # the reader of our output may go, as in "harness list | head"
    try:
        code = app(arguments, standalone_mode=False)
    except HarnessError as error:
        _print_error(error)
        code = error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("\ninterrupted: nothing was stored\n")
        code = EXIT_INTERRUPTED
    except _Ended as ended:
        sys.stderr.write("ended by a signal: nothing was stored\n")
        code = 128 + ended.number
    except Exception as error:
        code = _unforeseen(error)
    raise SystemExit(code)


def _unforeseen(error: Exception) -> int:
    if isinstance(error, _USAGE_ERROR):
        error.show()
        return EXIT_BAD_INPUT
    import traceback

    traceback.print_exception(error)
    sys.stderr.write(f"error: this is a fault of the harness; the command was: harness {shlex.join(sys.argv[1:])}\n")
    return EXIT_NOT_MEASURED
