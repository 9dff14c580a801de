"""The sweep file (TOML): axes, filters, budgets, objectives; checked, with errors that name file and key."""

from __future__ import annotations

import glob
import hashlib
import inspect
import re
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, NoReturn

import msgspec

from harness import platforms
from harness.emulators import BACKENDS
from harness.errors import BadInputError
from harness.library import KERNEL_SETS, OPTIMISATIONS
from harness.setup import DEFAULT_TIME_LIMIT_S
from harness.sweep import metrics
from harness.sweep.metrics import METRICS, Direction

SCHEMA_HINT = "harness sweep --schema prints what a sweep file may hold"

_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
_WILDCARD = re.compile(r"[*?\[]")

_Some = Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
_Limit = Annotated[int, msgspec.Meta(gt=0)]
_Kib = Annotated[float, msgspec.Meta(gt=0)]


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the tables of a sweep file: a key that is not known is an error, not a default."""


class Axes(_Table, frozen=True):
    """What is varied; every combination is a point.

    ``models`` are paths of .tflite files, relative to the sweep file, or patterns (``nets/**/*.tflite``). ``fpu`` false
    computes floating point in software; without this axis each platform's FPU is used where there is one.
    """

    models: _Some
    platforms: _Some
    kernels: _Some = ("reference",)
    optimisation: _Some = ("-O2",)
    fpu: tuple[bool, ...] = ()
    emulator: _Some = ("qemu",)


class Filter(_Table, frozen=True):
    """Points whose values on every named axis are among the listed ones. Strings may be patterns ("stm32*").

    A pattern of ``models`` is compared with the end of the path, from the start of a name on.
    """

    models: tuple[str, ...] | None = None
    platforms: tuple[str, ...] | None = None
    kernels: tuple[str, ...] | None = None
    optimisation: tuple[str, ...] | None = None
    fpu: tuple[bool, ...] | None = None
    emulator: tuple[str, ...] | None = None


class Budgets(_Table, frozen=True):
    """What a point may need at most, besides fitting its board. ``ram_kib`` is of everything in RAM, stack included."""

    instructions: _Limit | None = None
    flash_kib: _Kib | None = None
    ram_kib: _Kib | None = None
    arena_kib: _Kib | None = None
    stack_kib: _Kib | None = None

    def limits(self) -> dict[str, int]:
        """The limit of each metric that has one: instructions, or bytes."""
        given = {name: getattr(self, name) for name in self.__struct_fields__ if getattr(self, name) is not None}
        return {
            name.removesuffix("_kib"): int(limit * 1024) if name.endswith("_kib") else limit
            for name, limit in given.items()
        }


class Objective(_Table, frozen=True):
    """A metric to be made small or large; without a direction, in the one that is better."""

    metric: str
    direction: Direction | None = None


class Sweep(_Table, frozen=True, kw_only=True):
    """A sweep file. Results go to results/sweeps/<name>/; ``time_limit_s`` bounds each start of an emulator.

    Where there is any [[include]], points that match none are left out; then those that match an [[exclude]] are.
    """

    name: Annotated[str, msgspec.Meta(pattern=f"^{_NAME}$")]
    objectives: Annotated[tuple[Objective, ...], msgspec.Meta(min_length=1)] = (
        Objective(metric="instructions"),
        Objective(metric="flash"),
        Objective(metric="ram"),
    )
    time_limit_s: Annotated[float, msgspec.Meta(gt=0)] = DEFAULT_TIME_LIMIT_S
    axes: Axes
    include: tuple[Filter, ...] = ()
    exclude: tuple[Filter, ...] = ()
    budgets: Budgets = Budgets()


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A checked sweep file: where it is, its SHA-256, its content, and the files that its models name.

    ``models`` are (the name as tables show it, the path), each file once. The name is the file's, or its path where two
    files have the same.
    """

    path: Path
    sha256: str
    sweep: Sweep
    models: tuple[tuple[str, Path], ...]


def load(path: Path) -> File:
    """Read and check a sweep file.

    Raises:
        BadInputError: it cannot be read, or a value in it cannot be used; the message names file and key.
    """
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadInputError(f"{path}: cannot be read: {reason}", "give the path of a sweep file (TOML)") from error
    try:
        sweep = msgspec.toml.decode(content, type=Sweep)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path}: {_readable(str(error))}", SCHEMA_HINT) from error
    _check(path, sweep)
    return File(path=path, sha256=hashlib.sha256(content).hexdigest(), sweep=sweep, models=_models(path, sweep))


def _readable(message: str) -> str:
    """msgspec's words with the key in TOML's: "axes.kernels" for "$.axes.kernels"."""
    found = re.fullmatch(r"(.*) - at `\$\.?(.*)`", message, re.DOTALL)
    if found:
        message = f"{found[2]}: {found[1]}" if found[2] else found[1]
    return message.replace("Object ", "the table ").replace(" field ", " key ")


def _refuse(path: Path, key: str, why: str, hint: str | None = None) -> NoReturn:
    raise BadInputError(f"{path}: {key}: {why}", hint)


def _check(path: Path, sweep: Sweep) -> None:
    """What the types cannot say."""
    axes = sweep.axes
    for key, known in _known().items():
        for item in getattr(axes, key):
            if item not in known:
                _refuse(path, f"axes.{key}", f"unknown value {item!r}", f"one of {', '.join(known)}")
    for platform in axes.platforms:
        try:
            platforms.load(platform)
        except BadInputError as error:
            _refuse(path, "axes.platforms", error.message, error.hint)
    for kind in ("include", "exclude"):
        for index, item in enumerate(getattr(sweep, kind)):
            if all(getattr(item, key) is None for key in item.__struct_fields__):
                _refuse(path, f"{kind}[{index}]", "names no axis, so it matches every point")
    seen: set[str] = set()
    for index, objective in enumerate(sweep.objectives):
        try:
            metrics.get(objective.metric)
        except BadInputError as error:
            _refuse(path, f"objectives[{index}].metric", error.message, error.hint)
        if objective.metric in seen:
            _refuse(path, f"objectives[{index}].metric", f"{objective.metric!r} is there twice")
        seen.add(objective.metric)


def _known() -> dict[str, tuple[str, ...]]:
    """The values of the axes that have fixed ones."""
    return {"kernels": KERNEL_SETS, "optimisation": OPTIMISATIONS, "emulator": tuple(BACKENDS)}


def _models(path: Path, sweep: Sweep) -> tuple[tuple[str, Path], ...]:
    folder = path.absolute().parent
    found: list[Path] = []
    for index, given in enumerate(sweep.axes.models):
        key = f"axes.models[{index}]"
        if _WILDCARD.search(given) and not (folder / given).is_file():
            # Path.glob takes no absolute patterns.
            matches = sorted(glob.glob(given, root_dir=folder, recursive=True))  # noqa: PTH207
            files = [match for match in matches if (folder / match).is_file()]
            if not files:
                _refuse(path, key, f"nothing matches {given!r}", f"patterns are relative to {folder}")
        else:
            files = [given]
            if not (folder / given).is_file():
                _refuse(path, key, f"there is no file {given!r}", f"paths are relative to {folder}")
        resolved = ((folder / name).resolve() for name in files)
        found += [model for model in resolved if model not in found]
    names = Counter(model.name for model in found)
    return tuple((model.name if names[model.name] == 1 else str(model), model) for model in found)


def schema() -> dict[str, Any]:
    """The JSON schema of a sweep file, for editors; it lists the values that axes and objectives may have."""
    made = msgspec.json.schema(Sweep)
    for part in made["$defs"].values():
        if "description" in part:  # docstrings are indented up to Python 3.12, and are not from 3.13 on
            part["description"] = inspect.cleandoc(part["description"])
    axes = made["$defs"]["Axes"]["properties"]
    for key, known in (*_known().items(), ("platforms", platforms.names())):
        axes[key]["items"]["enum"] = list(known)
    made["$defs"]["Objective"]["properties"]["metric"]["enum"] = list(METRICS)
    return made
