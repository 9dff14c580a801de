"""What git knows of a folder, by its command: the commit, whether something is changed, and former contents."""

from __future__ import annotations

from pathlib import Path

from harness import process
from harness.errors import BadInputError, HarnessError, MissingToolError

_TIME_LIMIT_S = 60.0
# Settings of the user that would change what is printed.
_SETTINGS = ("color.ui=false", "core.quotePath=false", "diff.relative=false", "log.showSignature=false")


def run(folder: Path, *arguments: str) -> str:
    """What a command of git prints in a folder; bytes that are no UTF-8 become U+FFFD.

    Raises:
        BadInputError: the folder is in no repository (2).
        MissingToolError: git is not installed (3).
        HarnessError: git fails otherwise; the detail has what it said (3).
    """
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    command = ["git", "-C", str(folder), *settings, *arguments]
    try:
        ended = process.run(command, time_limit_s=_TIME_LIMIT_S, environment={"LC_ALL": "C"})
    except FileNotFoundError as error:
        raise MissingToolError("git is not installed", "apt install git") from error
    if ended.returncode == 0:
        return ended.stdout
    said = ended.stderr.strip()
    if "not a git repository" in said:
        raise BadInputError(f"{folder}: not in a git repository", "git init makes one; git commit keeps what is in it")
    reason = f"more than {_TIME_LIMIT_S:g} s" if ended.timed_out else f"exit code {ended.returncode}"
    raise HarnessError(f"git {arguments[0]} in {folder}: {reason}", detail=said or None)


def state(folder: Path, but: Path | None = None) -> tuple[str | None, bool | None]:
    """The commit that a folder is at, and whether its repository has changes, files that git does not know included.

    None without git, repository or commit. The folder need not exist yet. ``but``: one whose changes do not count.
    """
    folder = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.is_dir())
    try:
        root = Path(run(folder, "rev-parse", "--show-toplevel").rstrip("\n"))
        commit = run(folder, "rev-parse", "--verify", "HEAD").strip()
        left_out = [] if but is None else [f":(exclude,top,literal){_below(root, but)}"]
        changes = run(root, "status", "--porcelain", "--", ".", *left_out)
    except HarnessError:
        return None, None
    return commit, bool(changes.strip())


def _below(root: Path, folder: Path) -> str:
    resolved = folder.resolve()
    return resolved.relative_to(root.resolve()).as_posix() if resolved.is_relative_to(root.resolve()) else "."
