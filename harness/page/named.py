"""The report of what a user names: a run, alone or beside another one, a sweep, a study or a calibration."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from harness import compare, store
from harness.calibrate import calibration as calibrations
from harness.errors import BadInputError
from harness.optimize import study as studies
from harness.page import calibration, calibration_run, comparison, run, study, sweep
from harness.page.document import Page
from harness.records import Record
from harness.result import Result
from harness.sweep import points

_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]+")
_LONGEST = 120  # characters of the name of a report's file
_LONGEST_PART = 255


def page(what: str, base: str | None = None, policy: Path | None = None) -> tuple[str, Page]:
    """The report, and a name for its file.

    Args:
        what: a sweep or a study by its name or folder; a calibration by its file; or a run, as ``harness.compare.find``
            takes it.
        base: a run to put beside a run.
        policy: what judges their difference; None: nothing does.

    Raises:
        BadInputError: there is nothing of that name; it is no run, and a run is to stand beside it; or there is none to
            stand beside it, and a policy is to judge.
    """
    kind, name = _kind(what)
    if kind == "run":
        return _run(what, base, policy)
    if base is not None or policy is not None:
        raise BadInputError(
            f"{what} is a {kind}, and --compare puts a run beside a run",
            "harness report SWEEP:POINT --compare BASE takes a point" if kind == "sweep" else "name a run",
        )
    if kind == "calibration":
        return file_name(name), calibration.page(calibrations.read(Path(what)), what)
    return file_name(name), sweep.of(name) if kind == "sweep" else study.of(what)


def run_page(result: Result) -> tuple[str, Page]:
    """The report of a run alone, and a name for its file."""
    section, lacking = calibration_run.section(result)
    parts = () if section is None else (section,)
    return file_name(result.run_id), run.page(result, store.manifest(result), parts, lacking)


def _kind(what: str) -> tuple[str, str]:
    """ "sweep", "study", "calibration" or "run", and its name. What is none of the first is left to those who find
    runs."""
    folder = Path(what)
    if what in points.names():
        return "sweep", what
    if len(folder.name) > _LONGEST_PART:  # no file of the system has such a name
        return "run", what
    if folder.name in points.names() and folder.resolve() == points.folder(folder.name).resolve():
        return "sweep", folder.name
    if what in studies.names() or (folder / studies.STUDY).is_file():
        return "study", folder.resolve().name
    if folder.suffix == ".json" and _schema(folder).startswith(calibrations.SCHEMA.rpartition("/")[0]):
        return "calibration", f"calibration-{folder.stem}"
    return "run", what


class _Schema(Record, frozen=True):
    schema: str = ""


def _schema(file: Path) -> str:
    """What a file of JSON says that it holds, "" where it says nothing."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Schema).schema
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return ""


def _run(what: str, base: str | None, policy: Path | None) -> tuple[str, Page]:
    result = _find(what)
    if base is None:
        if policy is not None:
            raise BadInputError(f"{policy} judges a difference, and there is one run", "add --compare BASE")
        return run_page(result)
    before = _find(base)
    compared = compare.compare(before, result)
    verdict = None if policy is None else comparison.judged(before, result, policy)
    estimate, lacking = calibration_run.section(result)
    parts = (comparison.section(compared, verdict), *(() if estimate is None else (estimate,)))
    missing = (*comparison.not_measured(compared), *lacking)
    shown = run.page(result, store.manifest(result), parts, missing, comparison.sentence(compared, verdict))
    return file_name(f"{result.run_id[: _LONGEST // 2]}-against-{before.run_id}"), shown


def _find(what: str) -> Result:
    try:
        return compare.find(what)
    except BadInputError as error:
        if not error.message.startswith("no stored run"):
            raise
        message = f"{what}: no run, sweep or study of that name, and no file of a result"
        raise BadInputError(message, "harness list shows the runs") from error


def file_name(name: str) -> str:
    """A name as that of a file: what is stored may be others' text."""
    return _UNSAFE.sub("-", name).strip("-.")[:_LONGEST] or "report"
