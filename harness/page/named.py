"""The report of what a user names: a run, a sweep or a study."""

from __future__ import annotations

import re
from pathlib import Path

from harness import compare, store
from harness.errors import BadInputError
from harness.optimize import study as studies
from harness.page import run
from harness.page.document import Page
from harness.result import Result
from harness.sweep import points

_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]+")


def page(what: str, base: str | None = None) -> tuple[str, Page]:
    """The report, and a name for its file.

    Args:
        what: a sweep or a study by its name or folder; or a run, as ``harness.compare.find`` takes it.
        base: a run to put beside a run.

    Raises:
        BadInputError: there is nothing of that name, or it is no run, and a run is to stand beside it.
    """
    kind = _kind(what)
    if kind is None:
        return _run(what, base)
    if base is not None:
        raise BadInputError(f"{what} is a {kind}, and --compare puts a run beside a run", f"give a run of the {kind}")
    raise BadInputError(f"{what} is a {kind}; reports are of runs so far")


def _kind(what: str) -> str | None:
    """ "sweep" or "study", None of what is neither."""
    if what in points.names() or _is_below(Path(what), points.folder("x").parent):
        return "sweep"
    if what in studies.names() or (Path(what) / studies.STUDY).is_file():
        return "study"
    return None


def _is_below(folder: Path, parent: Path) -> bool:
    return folder.is_dir() and folder.resolve().parent == parent.resolve() and folder.resolve().name in points.names()


def _run(what: str, base: str | None) -> tuple[str, Page]:
    try:
        result = compare.find(what)
    except BadInputError as error:
        if not error.message.startswith("no stored run"):
            raise
        message = f"{what}: no run, sweep or study of that name, and no file of a result"
        raise BadInputError(message, "harness list shows the runs") from error
    return file_name(result), run.page(result, store.manifest(result))


def file_name(result: Result) -> str:
    """A run's id as the name of a file; ids of stored files are others' text."""
    return _UNSAFE.sub("-", result.run_id).strip("-.")[:120] or "run"
