"""Makes networks of the zoo into .tflite files, and keeps them in the per-user cache.

Whoever asks never imports TensorFlow: what is missing is made by one other process, ``python -m harness.zoo.make``.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import filelock
import msgspec

from harness import cache, errors, process
from harness.errors import BadInputError, HarnessError
from harness.library import Progress, silent
from harness.paths import cache_folder
from harness.records import Record
from harness.zoo import convert
from harness.zoo.recipe import FORMAT, Made, Metadata, Recipe, Step, check

__all__ = ["Made", "Metadata", "Recipe", "Step", "attempt", "check", "copy", "find", "make", "many", "metadata_of"]

_DISTRIBUTIONS = ("keras", "numpy", "scikit-learn", "mlxtend", "seglearn", "tflite-micro")
_TIME_LIMIT_S = 24 * 3600.0


class _Outcome(Record, frozen=True):
    """What the other process says of the recipe of that number, as a line of JSON: its key, or why it was not made."""

    number: int
    key: str
    kind: str | None = None
    message: str = ""
    hint: str | None = None
    detail: str | None = None


def make(recipe: Recipe, progress: Progress = silent) -> Made:
    """The network's file, from the cache or made anew.

    Raises:
        BadInputError: the recipe cannot be made (see :func:`harness.zoo.recipe.check`).
        MissingToolError: TensorFlow, or the package that carries the data, is not installed.
        HarnessError: the process that makes it died.
    """
    return many([recipe], progress)[0]


def many(recipes: Sequence[Recipe], progress: Progress = silent) -> list[Made]:
    """The files of several networks in their order; all that can be made are made before an error is raised.

    Raises:
        HarnessError: of the first recipe that could not be made; the kinds are those of :func:`make`.
    """
    found = attempt(recipes, progress)
    for outcome in found:
        if isinstance(outcome, HarnessError):
            raise outcome
    return [outcome for outcome in found if isinstance(outcome, Made)]


def attempt(recipes: Sequence[Recipe], progress: Progress = silent) -> list[Made | HarnessError]:
    """For each recipe its file, or the reason why there is none. ``progress`` hears of each network that is begun."""
    outcomes: dict[Recipe, Made | HarnessError] = {}
    missing: list[Recipe] = []
    for recipe in dict.fromkeys(recipes):
        try:
            check(recipe)
            found = find(recipe)
        except HarnessError as error:
            outcomes[recipe] = error
            continue
        if found is None:
            missing.append(recipe)
        else:
            outcomes[recipe] = found
    if missing:
        outcomes |= _make_elsewhere(missing, progress)
    return [outcomes[recipe] for recipe in recipes]


def find(recipe: Recipe) -> Made | None:
    """The network's file where it is in the cache and whole, without making anything.

    Raises:
        MissingToolError: TensorFlow is not installed; its version is part of what the file depends on.
    """
    return _stored(recipe, key(recipe))


def _stored(recipe: Recipe, name: str) -> Made | None:
    path = _folder(name) / f"{recipe.slug}.tflite"
    metadata = metadata_of(path)
    return None if metadata is None else Made(path=path, metadata=metadata)


def metadata_of(tflite: Path) -> Metadata | None:
    """What the zoo recorded of a .tflite file in the .json beside it; None where it did not make it, or it changed."""
    metadata = cache.read(tflite.with_suffix(".json"), Metadata)
    if metadata is None or metadata.format != FORMAT:
        return None
    try:
        content = tflite.read_bytes()
    except OSError:
        return None
    return metadata if hashlib.sha256(content).hexdigest() == metadata.sha256 else None


def copy(made: Made, folder: Path) -> Made:
    """The file and its metadata in another folder, under the same name.

    Raises:
        BadInputError: it cannot be written there.
    """
    target = folder / made.path.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for suffix in (".json", ".tflite"):
            shutil.copyfile(made.path.with_suffix(suffix), target.with_suffix(suffix))
    except OSError as error:
        raise BadInputError(f"{target}: cannot be written ({error.strerror})") from error
    return Made(path=target, metadata=made.metadata)


def key(recipe: Recipe) -> str:
    """What stands for everything that decides the file: recipe, tools, and the zoo's own sources.

    Raises:
        MissingToolError: TensorFlow is not installed.
    """
    identity = {"format": FORMAT, "recipe": recipe, "tools": tools(), "sources": _sources()}
    return hashlib.sha256(msgspec.json.encode(identity)).hexdigest()[:24]


def tools() -> dict[str, str]:
    """Versions of Python and of the packages that the bytes depend on; those that are not installed are left out."""
    versions = {"python": platform.python_version(), "tensorflow": convert.settings()["tensorflow"]}
    for distribution in _DISTRIBUTIONS:
        try:
            versions[distribution] = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


@functools.cache
def _sources() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _folder(name: str) -> Path:
    return cache_folder() / "zoo" / name


# --- in the process that asks ----------------------------------------------------------------------------------------


def _make_elsewhere(recipes: Sequence[Recipe], progress: Progress) -> dict[Recipe, Made | HarnessError]:
    """Where the process dies, the recipe that it died of has an error, and another one makes those behind it."""
    outcomes: dict[Recipe, Made | HarnessError] = {}
    while len(outcomes) < len(recipes):
        rest = recipes[len(outcomes) :]
        found, ended = _in_another_process(rest, len(outcomes), len(recipes), progress)
        for outcome in found:
            outcomes[rest[outcome.number]] = _result(rest[outcome.number], outcome)
        if len(found) < len(rest):
            died = rest[len(found)]
            reason = f"ended with {ended.returncode}" if not ended.timed_out else "ran out of time"
            outcomes[died] = HarnessError(
                f"{died.label} was not made: the process that makes networks {reason}",
                detail=ended.stderr.strip() or None,
            )
    return outcomes


def _in_another_process(
    recipes: Sequence[Recipe], before: int, total: int, progress: Progress
) -> tuple[list[_Outcome], process.Finished]:
    outcomes: list[_Outcome] = []
    what = "building networks of the zoo" if total > 1 else f"building {recipes[0].label}"

    def on_line(line: str) -> None:
        try:
            outcomes.append(msgspec.json.decode(line, type=_Outcome))
        except msgspec.DecodeError:  # what a library printed
            return
        progress(what, before + len(outcomes), total)

    progress(what, before, total)
    with tempfile.TemporaryDirectory(prefix="harness-zoo-") as folder:
        order = Path(folder) / "recipes.json"
        order.write_bytes(msgspec.json.encode(list(recipes)))
        ended = process.run(
            [sys.executable, "-m", "harness.zoo.make", order],
            time_limit_s=_TIME_LIMIT_S,
            environment={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            on_line=on_line,
        )
    return outcomes, ended


def _result(recipe: Recipe, outcome: _Outcome) -> Made | HarnessError:
    if outcome.kind is not None:
        kind = getattr(errors, outcome.kind, HarnessError)
        return cast("HarnessError", kind(outcome.message, outcome.hint, outcome.detail))
    made = _stored(recipe, outcome.key)
    return made or HarnessError(f"{recipe.label} was made, but the cache has lost it again", cache.ROOM_HINT)


# --- in the process that makes them ----------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the recipes of a JSON file (the only argument), and print a line of JSON for each that has ended."""
    (order,) = sys.argv[1:] if arguments is None else arguments
    for number, recipe in enumerate(msgspec.json.decode(Path(order).read_bytes(), type=list[Recipe])):
        sys.stdout.write(msgspec.json.encode(_made_here(number, recipe)).decode() + "\n")
        sys.stdout.flush()
    return 0


def _made_here(number: int, recipe: Recipe) -> _Outcome:
    name = key(recipe)
    try:
        _make_here(recipe, name)
    except HarnessError as error:
        kind = type(error).__name__
        return _Outcome(number=number, key=name, kind=kind, message=error.message, hint=error.hint, detail=error.detail)
    except Exception as error:  # a fault of ours or of TensorFlow is that network's alone
        last = str(error).strip().splitlines()[:1]
        message = ": ".join((f"{recipe.label} was not made", type(error).__name__, *last))
        return _Outcome(number=number, key=name, kind="HarnessError", message=message, detail=traceback.format_exc())
    return _Outcome(number=number, key=name)


def _make_here(recipe: Recipe, name: str) -> None:
    """Make the files in a folder of their own and move it into place, unless another process did meanwhile."""
    from harness.zoo.steps import follow

    folder = _folder(name)
    with cache.writing():
        folder.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{folder}.lock"):
        if _stored(recipe, name) is not None:
            return
        content, metadata = follow(recipe, tools())
        with cache.writing():
            work = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
            try:
                work.chmod(0o755)
                (work / f"{recipe.slug}.tflite").write_bytes(content)
                (work / f"{recipe.slug}.json").write_bytes(_indented(metadata))
                shutil.rmtree(folder, ignore_errors=True)  # where it was damaged
                work.rename(folder)
            finally:
                shutil.rmtree(work, ignore_errors=True)


def _indented(metadata: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(metadata), indent=2) + b"\n"


if __name__ == "__main__":
    raise SystemExit(main())
