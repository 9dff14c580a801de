"""What the commands share: the application that they register at, the option --json, output."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from harness.cli.project import Application
from harness.errors import BadInputError, HarnessError

app = Application(
    name="harness",
    help="Instruction-accurate counts, memory and correctness of TensorFlow Lite Micro networks on emulated Cortex-M.",
    epilog="Exit codes: 0 pass; 1 measured, and the verdict is no; 2 bad input or usage; 3 could not measure.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output, and nothing else there.")]


POLICY = Path("results/policies/pr.toml")
Baselines = Annotated[Path, typer.Option("--baseline", help="Folder of the baselines.")]
BASELINES = Path("results/baselines")

Renode = Annotated[
    Path | None,
    typer.Option("--renode", help="Renode's program, instead of $RENODE or what PATH has.", show_default=False),
]


def choose_renode(path: Path | None, emulator: str) -> None:
    """Let every start of Renode take this program; None leaves the choice as it is.

    Raises:
        BadInputError: it is no Renode, or the emulator is another one.
    """
    if path is None:
        return
    if emulator == "qemu":
        raise BadInputError(f"--renode {path} says nothing to QEMU", "give --emulator renode, or leave --renode out")
    from harness.emulators import renode_find

    try:
        renode_find.find(path)
    except HarnessError as error:
        raise BadInputError(error.message, error.hint, error.detail) from error
    os.environ[renode_find.VARIABLE] = str(path)


class Ended(BaseException):
    """A signal asked the command to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def end(number: int, _frame: FrameType | None) -> None:
    """What the signals that ask to end do, as ``harness.cli.main`` has it.

    Raises:
        Ended: always.
    """
    raise Ended(number)


def print_json(value: Any) -> None:
    """Anything that json knows, indented, as the only thing on standard output."""
    write_json(json.dumps(value, indent=1).encode() + b"\n")


def write_json(content: bytes) -> None:
    """UTF-8, whatever the locale says."""
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def relative(path: Path) -> str:
    """A path as it is named from the current folder, where it lies below it."""
    try:
        here = os.path.relpath(path)
    except FileNotFoundError:  # the current folder is gone
        return str(path)
    return here if not here.startswith("..") else str(path)
