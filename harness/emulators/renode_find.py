"""Finds the Renode to use, and asks it for its version."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

from harness import process
from harness.errors import EmulationError, MissingToolError
from harness.records import Record

VARIABLE = "RENODE"
INSTALL = "pipx install git+https://github.com/antmicro/renode-run && renode-run download"

# Otherwise .NET opens a socket for debuggers in the folder of temporary files: it stays where Renode is killed, and
# with "%s" in the folder's name .NET crashes.
ENVIRONMENT = {"DOTNET_EnableDiagnostics": "0"}

_LAUNCHER = "renode-run"


class Renode(Record, frozen=True):
    """A Renode that answered: how it is started (its own arguments follow), its version, and where it was found.

    ``version`` is as Renode prints it: "1.16.1 (d66b0c2a-202611242210)", the second part naming the build.
    """

    command: tuple[str, ...]
    version: str
    origin: str


def find(path: str | Path | None = None) -> Renode:
    """The Renode at ``path`` (the option --renode); without one, at $RENODE, then ``renode`` on PATH, then
    ``renode-run`` on PATH or beside the Python that runs, where the extra "renode" installs it.

    Raises:
        MissingToolError: there is none, the path that was given is not a program, or renode-run has none to run.
        EmulationError: it does not say its version.
    """
    command, origin = _command(path)
    return Renode(command=command, version=_version(command, origin), origin=origin)


def _command(path: str | Path | None) -> tuple[tuple[str, ...], str]:
    for given, origin in ((path, "--renode"), (os.environ.get(VARIABLE), f"${VARIABLE}")):
        if given:
            return _program(Path(given), origin), f"{origin}: {given}"
    beside = str(Path(sys.executable).parent)
    found = shutil.which("renode") or shutil.which(_LAUNCHER) or shutil.which(_LAUNCHER, path=beside)
    if found is not None:
        return _program(Path(found), "PATH"), found
    raise MissingToolError(f"Renode not found: no ${VARIABLE}, no renode and no renode-run on PATH", INSTALL)


def _program(path: Path, origin: str) -> tuple[str, ...]:
    if not path.is_file():
        raise MissingToolError(f"Renode not found: {origin} names {path}, which is not a file", INSTALL)
    if not os.access(path, os.X_OK):
        raise MissingToolError(f"Renode cannot be started: {path} ({origin}) is not executable", f"chmod +x {path}")
    program = str(path.absolute())
    if path.name != _LAUNCHER:
        return (program,)
    _require_download(program, origin)
    return (program, "--")


def _require_download(launcher: str, origin: str) -> None:
    """renode-run without a Renode downloads one, whatever it is asked: not without the user's knowing."""
    listed = _ask([launcher, "list"], origin)
    if not re.search(r"^\s*/.*\bdotnet-portable\b", listed.stdout, re.MULTILINE):
        said = (listed.stdout + listed.stderr).strip() or None
        raise MissingToolError("Renode not found: renode-run has not downloaded one yet", "renode-run download", said)


def _ask(command: list[str], origin: str) -> process.Finished:
    try:
        return process.run(command, time_limit_s=60.0, environment=ENVIRONMENT)
    except OSError as error:
        raise EmulationError(f"Renode cannot be started ({origin}): {error.strerror}", INSTALL) from error


def _version(command: tuple[str, ...], origin: str) -> str:
    finished = _ask([*command, "--version"], origin)
    number = re.search(r"^Renode v(\d+\.\d+\.\d+)", finished.stdout, re.MULTILINE)
    build = re.search(r"^\s*build: (\S+)", finished.stdout, re.MULTILINE)
    if number is None or build is None:
        raise EmulationError(
            f"Renode does not say its version ({origin})",
            f"{' '.join(command)} --version must print it; {INSTALL}",
            (finished.stdout + finished.stderr).strip()[-2000:] or None,
        )
    return f"{number[1]} ({build[1]})"
