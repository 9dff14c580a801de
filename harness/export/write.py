"""Make the files of one or several formats, and write all of them or none."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from harness import atomic, compare, store
from harness.errors import BadInputError, HarnessError
from harness.export import formats, made, sweep
from harness.export.formats import Format, OfSweep
from harness.export.made import File, Made
from harness.optimize import study as studies
from harness.paths import results_folder
from harness.result import Result
from harness.sweep import points

STANDARD_OUTPUT = Path("-")
_HINT = "name another file or folder with --output"


class Written(NamedTuple):
    """A format with its files, and what is left out of them, with the reasons."""

    format: str
    files: tuple[Path, ...]
    left: tuple[str, ...]


class Target(NamedTuple):
    """What is exported: its name, and what each of its formats makes."""

    stem: str
    made: dict[str, Made]


def export(what: str, names: Sequence[str], output: Path | None = None, force: bool = False) -> tuple[Written, ...]:
    """Export a run or a sweep.

    Args:
        what: a stored run, a result's file, SWEEP:POINT (as ``harness.compare.find`` takes them), or a stored sweep.
        names: formats, of ``formats.FORMATS``.
        output: the file, where one format of one file is asked for and the name has an ending, else the folder;
            results/exports by default. ``STANDARD_OUTPUT``: the one file goes there.
        force: replace files that are there.

    Raises:
        BadInputError: an unknown format, run or sweep; a format that there is not of it; a file that is there already.
        MissingToolError: matplotlib is not installed.
        HarnessError: a run has nothing that a format may show; a file cannot be written. Nothing was written then.
    """
    if not names:
        raise BadInputError("no format is given", f"--format {formats.listed()}")
    target = make(what, tuple(dict.fromkeys(formats.get(name) for name in names)))
    files = [file for found in target.made.values() for file in found.files]
    if output == STANDARD_OUTPUT:
        _print(files)
        return tuple(Written(name, (), found.left) for name, found in target.made.items())
    places = _places(target.stem, files, output)
    to_write = [(place, file) for place, file in zip(places, files, strict=True) if not _is_there(place, file, force)]
    for place, file in to_write:
        atomic.write(place, file.content, _HINT)
    left = iter(places)
    return tuple(
        Written(name, tuple(next(left) for _ in found.files), found.left) for name, found in target.made.items()
    )


def make(what: str, wanted: tuple[Format, ...]) -> Target:
    """The files, not yet written. Errors are those of ``export``."""
    if _is_sweep(what):
        rows = sweep.read(what)
        return Target(made.stem(what), {item.name: _of_sweep(item)(what, rows) for item in wanted})
    run = made.run_of(_find(what))
    return Target(made.stem(run.result.run_id), {item.name: item.of_run(run) for item in wanted})


def _is_sweep(what: str) -> bool:
    """Whether it is the name of a sweep, and not the whole id of a run or a file."""
    return what in points.names() and not Path(what).exists() and not (store.runs_folder() / what).is_dir()


def _find(what: str) -> Result:
    try:
        return compare.find(what)
    except BadInputError as error:
        if not error.message.startswith("no stored run"):
            raise
        if what in studies.names():
            raise BadInputError(f"{what} is a study, which has no export", "harness report STUDY shows it") from error
        message = f"{what}: no run or sweep of that name, and no file of a result"
        stored = f"; stored sweeps are {', '.join(points.names())}" if points.names() else ""
        raise BadInputError(message, f"harness list shows the runs{stored}") from error


def _of_sweep(item: Format) -> OfSweep:
    if item.of_sweep is None:
        there = ", ".join(name for name, known in formats.FORMATS.items() if known.of_sweep is not None)
        drawn = "harness plot SWEEP draws it; " if item.suffix in ("svg", "png") else "a point is SWEEP:POINT; "
        raise BadInputError(f"a sweep is no {item.name}", f"{drawn}formats of a sweep: {there}")
    return item.of_sweep


# --- where to --------------------------------------------------------------------------------------------------------


def default_folder() -> Path:
    """Where exports go."""
    return results_folder() / "exports"


def _print(files: list[File]) -> None:
    if len(files) != 1:
        raise BadInputError(f"standard output takes one file, these are {len(files)}", "--output FOLDER takes them all")
    sys.stdout.flush()
    sys.stdout.buffer.write(files[0].content)
    sys.stdout.buffer.flush()


def _places(stem: str, files: list[File], output: Path | None) -> list[Path]:
    """The place of each file."""
    folder = default_folder() if output is None else output
    ending = folder.suffix.removeprefix(".").lower()
    is_file = ending in {item.suffix for item in formats.FORMATS.values()} and not folder.is_dir()
    if is_file or (folder.suffix and len(files) == 1 and output is not None and not folder.is_dir()):
        return [_file(folder, ending, files)]
    if folder.exists() and not folder.is_dir():
        raise BadInputError(f"{folder} is a file", f"{_HINT}; a file's name has an ending: .{_ending(files[0])}")
    return [folder / ".".join(part for part in (stem, file.part, file.suffix) if part) for file in files]


def _file(place: Path, ending: str, files: list[File]) -> Path:
    """The one file that is named.

    Raises:
        BadInputError: there are several, or the name has the ending of another format.
    """
    if len(files) > 1:
        raise BadInputError(f"{place} is one file, these are {len(files)}", "--output FOLDER takes them all")
    expected = _ending(files[0])
    if ending != expected and ending in {item.suffix for item in formats.FORMATS.values()}:
        raise BadInputError(f"{place}: the format makes .{expected}, not .{ending}", f"--output NAME.{expected}")
    return place


def _ending(file: File) -> str:
    return file.suffix.rpartition(".")[2]


def _is_there(place: Path, file: File, force: bool) -> bool:
    """Whether a place has that file already.

    Raises:
        BadInputError: it has something else, which may not be replaced.
    """
    try:
        if place.read_bytes() == file.content:
            return True
    except FileNotFoundError:
        return False
    except IsADirectoryError as error:
        raise BadInputError(f"{place} is a folder", _HINT) from error
    except OSError as error:
        raise HarnessError(f"cannot write {place}: {error.strerror or error}", _HINT) from error
    if not force:
        raise BadInputError(f"{place} is there already, with something else in it", "--force replaces it")
    return False
