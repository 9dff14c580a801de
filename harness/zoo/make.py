"""Makes networks of the zoo into .tflite files, and keeps them in the per-user cache.

Whoever asks never imports TensorFlow: what is missing is made by one other process, ``python -m harness.zoo.make``.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import filelock
import msgspec

from harness import cache, errors, process
from harness.errors import HarnessError
from harness.library import Progress, silent
from harness.paths import cache_folder
from harness.records import Record
from harness.zoo import convert
from harness.zoo.recipe import FORMAT, Made, Metadata, Recipe, Step, check

__all__ = ["Made", "Metadata", "Recipe", "Step", "attempt", "check", "find", "make", "many", "metadata_of"]

_DISTRIBUTIONS = ("keras", "numpy", "scikit-learn", "mlxtend", "seglearn", "tflite-micro")
_TIME_LIMIT_S = 24 * 3600.0


class _Outcome(Record, frozen=True):
    """What the other process says of one recipe, as a line of JSON: its key, and the error where it could not be made.

    ``started`` says that it is under way.
    """

    key: str
    started: bool = False
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
    path = _folder(key(recipe)) / f"{recipe.slug}.tflite"
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


def _sources() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _folder(name: str) -> Path:
    return cache_folder() / "zoo" / name


# --- in the process that asks ----------------------------------------------------------------------------------------


def _make_elsewhere(recipes: Sequence[Recipe], progress: Progress) -> dict[Recipe, Made | HarnessError]:
    by_key = {key(recipe): recipe for recipe in recipes}
    outcomes: dict[str, _Outcome] = {}

    def on_line(line: str) -> None:
        try:
            outcome = msgspec.json.decode(line, type=_Outcome)
        except msgspec.DecodeError:  # what a library printed
            return
        if outcome.started:
            progress(f"making {by_key[outcome.key].label}", len(outcomes), len(by_key))
        else:
            outcomes[outcome.key] = outcome

    progress("starting TensorFlow", 0, len(by_key))
    with tempfile.TemporaryDirectory(prefix="harness-zoo-") as folder:
        order = Path(folder) / "recipes.json"
        order.write_bytes(msgspec.json.encode(list(recipes)))
        ended = process.run(
            [sys.executable, "-m", "harness.zoo.make", order],
            time_limit_s=_TIME_LIMIT_S,
            environment={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            on_line=on_line,
        )
    progress("made networks", len(outcomes), len(by_key))
    return {recipe: _result(recipe, outcomes.get(name), ended) for name, recipe in by_key.items()}


def _result(recipe: Recipe, outcome: _Outcome | None, ended: process.Finished) -> Made | HarnessError:
    if outcome is None or outcome.kind is None:
        made = find(recipe) if outcome is not None else None
        return made or HarnessError(
            f"{recipe.label} was not made: the process that makes networks ended with {ended.returncode}",
            detail=ended.stderr.strip() or None,
        )
    kind = getattr(errors, outcome.kind, HarnessError)
    found = kind(outcome.message, outcome.hint, outcome.detail)
    assert isinstance(found, HarnessError), "the other process names kinds of this module"
    return found


# --- in the process that makes them ----------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the recipes of a JSON file (the only argument), and print a line of JSON when one begins and ends."""
    (order,) = sys.argv[1:] if arguments is None else arguments
    for recipe in msgspec.json.decode(Path(order).read_bytes(), type=list[Recipe]):
        name = key(recipe)
        _say(_Outcome(key=name, started=True))
        try:
            _make_here(recipe)
            _say(_Outcome(key=name))
        except HarnessError as error:
            kind = type(error).__name__
            _say(_Outcome(key=name, kind=kind, message=error.message, hint=error.hint, detail=error.detail))
    return 0


def _say(outcome: _Outcome) -> None:
    sys.stdout.write(msgspec.json.encode(outcome).decode() + "\n")
    sys.stdout.flush()


def _make_here(recipe: Recipe) -> None:
    """Make the files in a folder of their own and move it into place, unless another process did meanwhile."""
    from harness.zoo.steps import follow

    folder = _folder(key(recipe))
    with cache.writing():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{folder}.lock"):
            if find(recipe) is not None:
                return
            content, metadata = follow(recipe, tools())
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
