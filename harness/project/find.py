"""Which project file is in force: the one that is named, else the nearest from the current folder upwards."""

from __future__ import annotations

import os
from pathlib import Path

from harness.errors import BadInputError
from harness.records import Record

NAME = "harness.toml"
VARIABLE = "HARNESS_PROJECT"

INIT_HINT = "harness init writes one"


class Place(Record, frozen=True):
    """A project file, and what named it: "--project", "$HARNESS_PROJECT", or "found"."""

    path: Path
    origin: str


def choose(given: Path | None, none: bool, start: Path | None = None) -> Place | None:
    """The project file in force, or None where there is none.

    Args:
        given: the file of --project, or a folder that holds one.
        none: --no-project.
        start: where to look from, instead of the current folder.

    Raises:
        BadInputError: the file that is named is not there, both are given, or the one that is found is another user's.
    """
    if given is not None and none:
        raise BadInputError("--project and --no-project exclude each other", "leave one of them out")
    if none:
        return None
    for path, origin in ((given, "--project"), (_of_environment(), f"${VARIABLE}")):
        if path is not None:
            return None if str(path) == os.devnull else Place(path=_named(path, origin), origin=origin)
    try:
        found = nearest(start or Path.cwd())
    except FileNotFoundError:  # the current folder is gone
        return None
    return None if found is None else Place(path=found, origin="found")


def _of_environment() -> Path | None:
    given = os.environ.get(VARIABLE)
    return Path(given) if given else None


def _named(path: Path, origin: str) -> Path:
    file = path / NAME if path.is_dir() else path
    if not file.exists():
        what = f"there is no {NAME} in this folder" if path.is_dir() else "there is no such file"
        raise BadInputError(f"{origin} {path}: {what}", INIT_HINT)
    return Path(os.path.abspath(file))  # noqa: PTH100  (without "..", and not through symbolic links)


def nearest(start: Path) -> Path | None:
    """The project file of the folder ``start`` or of the nearest one above it; the home folder is the last one.

    A folder of git is no barrier: a repository inside another one, as a submodule, has the outer one's defaults unless
    it has a file of its own.

    Raises:
        BadInputError: it belongs to a user who is neither this one, nor root, nor the owner of ``start``: it names
            programs that would be run.
    """
    start = start.resolve()
    home = _home()
    for folder in (start, *start.parents):
        path = folder / NAME
        try:
            there = path.is_symlink() or path.is_file()
        except OSError:  # a folder that may not be looked into
            there = False
        if there:
            _check_owner(path, start)
            return path
        if folder == home:
            return None
    return None


def _home() -> Path | None:
    try:
        return Path.home().resolve()
    except (RuntimeError, OSError):  # a user without a home
        return None


def _check_owner(path: Path, start: Path) -> None:
    try:
        owner, trusted = path.lstat().st_uid, {0, os.getuid(), start.stat().st_uid}
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read: {error.strerror}", "--no-project works without it") from error
    if owner not in trusted:
        raise BadInputError(
            f"{path}: belongs to another user, and names programs that would be run",
            f"--project {path} takes it nevertheless, --no-project leaves it",
        )
