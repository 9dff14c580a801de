"""The command: parse, call one function, print, exit."""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.cli import (  # noqa: F401  (each registers its commands)
    baseline,
    boards,
    calibrate,
    compare,
    config,
    elf_profile,
    energy,
    export,
    gate,
    history,
    init,
    optimize,
    plot,
    profile,
    report,
    reproduce,
    scenarios,
    serving,
    sweep,
    tools,
    validate,
    zoo,
)
from harness.cli.app import Ended, app, end
from harness.cli.project import given_by_file
from harness.errors import EXIT_BAD_INPUT, EXIT_NOT_MEASURED, BadInputError, HarnessError, MissingToolError

EXIT_INTERRUPTED = 128 + signal.SIGINT

# Newer versions of Typer carry Click inside, older ones depend on it: reach its base class through Typer's own.
_USAGE_ERROR: Any = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")


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
    project: Annotated[
        Path | None,
        typer.Option(
            "--project",
            metavar="FILE",
            help="The project file, instead of $HARNESS_PROJECT or the nearest harness.toml from here upwards.",
            show_default=False,
        ),
    ] = None,
    no_project: Annotated[
        bool, typer.Option("--no-project", help="Take no defaults from a project file.", show_default=False)
    ] = False,
) -> None:
    pass  # the commands look for the project file


def _print_error(error: HarnessError) -> None:
    from rich.text import Text

    from harness.report.tables import console, printable

    out = console(stderr=True)
    for line in (error.detail or "").splitlines():
        out.print(Text(printable(line), style="dim"), soft_wrap=True)
    out.print(Text.assemble(("error: ", "bold red"), printable(error.message)), soft_wrap=True)
    if error.hint:
        out.print(Text.assemble(("hint: ", "bold"), printable(error.hint)), soft_wrap=True)
    if isinstance(error, BadInputError | MissingToolError):
        _print_given(f"{error.message} {error.hint}")


def _print_given(text: str) -> None:
    """Name what the project file gave to a command that failed, as far as the error is about it: nobody typed it."""
    given = given_by_file(text)
    if given is None:
        return
    from rich.text import Text

    from harness.report.tables import console, printable

    console(stderr=True).print(Text.assemble(("note: ", "bold"), printable(given)), soft_wrap=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point: every way to end has its exit code, and none shows a traceback but a fault of the harness."""
    for number in (signal.SIGTERM, signal.SIGHUP):  # so that started programs are ended and temporary files removed
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, end)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # the reader of our output may go, as in "harness list | head"
    try:
        code = app(arguments, standalone_mode=False)
    except HarnessError as error:
        _print_error(error)
        code = error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = EXIT_INTERRUPTED
    except Ended as ended:
        sys.stderr.write("ended by a signal: a run that was not complete was not stored\n")
        code = 128 + ended.number
    except Exception as error:
        code = _unforeseen(error)
    if code == EXIT_INTERRUPTED:  # newer versions of Typer return it, older ones raise
        sys.stderr.write("\ninterrupted: a run that was not complete was not stored\n")
    raise SystemExit(code)


def _unforeseen(error: Any) -> int:
    if isinstance(error, _USAGE_ERROR):
        error.show()
        _print_given(error.format_message())
        return EXIT_BAD_INPUT
    import traceback

    traceback.print_exception(error)
    sys.stderr.write(f"error: this is a fault of the harness; the command was: harness {shlex.join(sys.argv[1:])}\n")
    return EXIT_NOT_MEASURED
