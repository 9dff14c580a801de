"""The sweep file (TOML): axes, networks, filters, budgets, objectives; checked, with errors that name file and key."""

from __future__ import annotations

import glob
import itertools
import re
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import msgspec

from harness import json_schema, platforms, toml_file
from harness.calibrate import use
from harness.calibrate.use import Given
from harness.emulators import BACKENDS
from harness.errors import BadInputError
from harness.library import KERNEL_SETS, OPTIMISATIONS
from harness.setup import DEFAULT_TIME_LIMIT_S
from harness.sweep import metrics
from harness.sweep.metrics import METRICS, Direction
from harness.toml_file import refuse
from harness.user_library import found as library
from harness.user_library.found import Brought, Named
from harness.zoo import networks, recipe
from harness.zoo.recipe import Recipe

HYBRID = "hybrid"  # int8 weights with float activations
TYPES = ("int8", "float32", HYBRID)
IO_TYPES = ("int8", "float32")
_ASK = "write cycles = true, or name a calibration, below the sweep's name"
SCHEMA_HINT = "harness sweep --schema prints what a sweep file may hold"

_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
_WILDCARD = re.compile(r"[*?\[]")

_Some = Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
_Limit = Annotated[int, msgspec.Meta(gt=0)]
_Kib = Annotated[float, msgspec.Meta(gt=0)]
_Positive = Annotated[float, msgspec.Meta(gt=0)]
_Value = int | float | str
_Flags = Annotated[tuple[bool, ...], msgspec.Meta(min_length=1)]
_Whole = Annotated[tuple[int, ...], msgspec.Meta(min_length=1)]
_Shares = Annotated[tuple[float, ...], msgspec.Meta(min_length=1)]


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the tables of a sweep file: a key that is not known is an error, not a default."""


class TflmLibrary(_Table, frozen=True, kw_only=True):
    """A TFLM that the user brings; a table with nothing but a name is the packaged one.

    ``lib`` are its archives, ``include`` its include folders, ``host_lib`` archives of the same release for this host;
    all relative to the file.
    """

    name: Annotated[str, msgspec.Meta(pattern=f"^{_NAME}$")]
    lib: str | _Some | None = None
    include: tuple[str, ...] = ()
    host_lib: str | _Some | None = None


class Axes(_Table, frozen=True, kw_only=True):
    """What is varied; every combination is a point.

    ``models`` are paths of .tflite files, relative to the sweep file, or patterns (``nets/**/*.tflite``); the networks
    of [[networks]] are further values of this axis. ``fpu`` false computes floating point in software; without this
    axis each platform's FPU is used where there is one. ``kernels`` are those of the packaged TFLM: one of
    ``tflm_libraries`` has the kernels that it holds.
    """

    models: tuple[str, ...] = ()
    platforms: _Some
    kernels: _Some = ("reference",)
    optimisation: _Some = ("-O2",)
    fpu: tuple[bool, ...] = ()
    emulator: _Some = ("qemu",)
    tflm_libraries: tuple[TflmLibrary, ...] = ()


class Network(_Table, frozen=True):
    """Networks of the zoo (``harness zoo list``), made where the cache does not hold them.

    Wherever a list stands in place of a value, it is an axis: every combination is a network. ``parameters`` that are
    left out have the network's own values. Weights are random unless ``train`` says otherwise. ``sparsity`` and
    ``channel_pruning`` are shares, from 0 (none) to below 1; ``multiple_of`` rounds channels.
    """

    name: str
    parameters: dict[str, _Value | tuple[_Value, ...]] = {}
    types: str | _Some = "int8"
    io: str | _Some | None = None
    train: bool | _Flags = False
    epochs: int | _Whole | None = None
    seeds: int | _Whole = 1
    sparsity: float | _Shares = 0.0
    channel_pruning: float | _Shares = 0.0
    multiple_of: int | _Whole = 1


class TestSet(_Table, frozen=True):
    """Two .npy files, relative to the sweep file, that the models' accuracy is computed with, on the host.

    ``inputs`` is (count, ...) in the models' own type or as real numbers, which are quantised; ``labels`` (count,).
    """

    inputs: str
    labels: str


class Filter(_Table, frozen=True):
    """Points whose values on every named axis are among the listed ones. Strings may be patterns ("stm32*").

    A pattern of ``models`` is compared with the end of a file's path, from the start of a name on; one of ``networks``
    with the name of a network of the zoo, and with its name and parameters as tables show them ("conv:channels=8*").
    ``types``: "int8", "float32", "mixed" (a file that computes in both), "hybrid".
    """

    models: tuple[str, ...] | None = None
    networks: tuple[str, ...] | None = None
    types: tuple[str, ...] | None = None
    platforms: tuple[str, ...] | None = None
    kernels: tuple[str, ...] | None = None
    optimisation: tuple[str, ...] | None = None
    fpu: tuple[bool, ...] | None = None
    emulator: tuple[str, ...] | None = None
    tflm_libraries: tuple[str, ...] | None = None


class Budgets(_Table, frozen=True):
    """What a point may need at most, besides fitting its board; and the accuracy, 0 to 1, that it must have at least.

    ``ram_kib`` is of everything in RAM, stack included. A point whose accuracy is not known does not keep a budget.
    ``latency_ms`` and ``energy_uj`` of an inference are of estimates: a number for every board, or a table with one for
    each ({ stm32l496zg = 5 }). They are met where the estimate's upper bound is within them, missed where its lower one
    is beyond, and undecided else.
    """

    instructions: _Limit | None = None
    flash_kib: _Kib | None = None
    ram_kib: _Kib | None = None
    arena_kib: _Kib | None = None
    stack_kib: _Kib | None = None
    accuracy: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    latency_ms: _Positive | dict[str, _Positive] | None = None
    energy_uj: _Positive | dict[str, _Positive] | None = None

    def limits(self, platform: str | None = None) -> dict[str, int | float]:
        """The limit of each metric that has one: a number of instructions, bytes, or the least share that is right;
        milliseconds and microjoules of that platform, of None only those that all have."""
        found: dict[str, int | float] = {}
        for name in self.__struct_fields__:
            limit = getattr(self, name)
            if isinstance(limit, dict):
                limit = limit.get(platform)
            if limit is not None:
                metric = re.sub("_(kib|ms|uj)$", "", name)
                found[metric] = int(limit * 1024) if name.endswith("_kib") else limit
        return found

    @property
    def by_platform(self) -> dict[str, dict[str, float]]:
        """The limits that are not the same for all, by metric and platform."""
        given = {"latency": self.latency_ms, "energy": self.energy_uj}
        return {metric: limits for metric, limits in given.items() if isinstance(limits, dict)}


class Objective(_Table, frozen=True):
    """A metric to be made small or large; without a direction, in the one that is better."""

    metric: str
    direction: Direction | None = None


class Sweep(_Table, frozen=True, kw_only=True):
    """A sweep file. Results go to results/sweeps/<name>/; ``time_limit_s`` bounds each start of an emulator.

    ``inputs`` is a .npy file for each input of the models, which all must fit; without, inputs are deterministic.
    Where there is any [[include]], points that match none are left out; then those that match an [[exclude]] are.
    ``cycles`` has latency and energy estimated, too, which takes QEMU; no point of another emulator is possible then.
    ``calibration`` has them estimated by calibrations: one for each board, a path relative to the sweep file, or the
    board's name where its calibration is stored. No point of another build is possible then, unless ``carry`` is true:
    its estimate says so.
    """

    name: Annotated[str, msgspec.Meta(pattern=f"^{_NAME}$")]
    objectives: Annotated[tuple[Objective, ...], msgspec.Meta(min_length=1)] = (
        Objective(metric="instructions"),
        Objective(metric="flash"),
        Objective(metric="ram"),
    )
    time_limit_s: Annotated[float, msgspec.Meta(gt=0)] = DEFAULT_TIME_LIMIT_S
    cycles: bool = False
    calibration: str | tuple[str, ...] = ()
    carry: bool = False
    axes: Axes
    networks: tuple[Network, ...] = ()
    inputs: tuple[str, ...] = ()
    test_set: TestSet | None = None
    include: tuple[Filter, ...] = ()
    exclude: tuple[Filter, ...] = ()
    budgets: Budgets = Budgets()

    @property
    def estimates(self) -> bool:
        """Whether latency and energy are estimated."""
        return self.cycles or bool(self.calibration)


# By their keys, None: the file itself.
_TABLES: dict[str | None, type[_Table]] = {
    None: Sweep,
    "objectives": Objective,
    "axes": Axes,
    "networks": Network,
    "test_set": TestSet,
    "include": Filter,
    "exclude": Filter,
    "budgets": Budgets,
}


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A checked sweep file: where it is, its SHA-256, its content, and what that names.

    ``models`` are (the name as tables show it, the path), each file once. The name is the file's, or its path where two
    files have the same. ``recipes`` are the networks of the zoo, each once. ``inputs`` is a .npy file for each input of
    the models, empty for the deterministic ones; ``test_set`` those of inputs and labels. ``calibrations`` are those
    that estimates are by, one for each platform, or none.
    """

    path: Path
    sha256: str
    sweep: Sweep
    models: tuple[tuple[str, Path], ...]
    recipes: tuple[Recipe, ...]
    inputs: tuple[Path, ...]
    test_set: tuple[Path, Path] | None
    calibrations: tuple[Given, ...] = ()
    tflm: tuple[Named | None, ...] = (None,)


def load(path: Path) -> File:
    """Read and check a sweep file.

    Raises:
        BadInputError: it cannot be read, or a value in it cannot be used; the message names file and key.
    """
    sweep, sha256 = toml_file.read(path, Sweep, "give the path of a sweep file (TOML)", _hint)
    return checked(path, sha256, sweep)


def checked(path: Path, sha256: str, sweep: Sweep) -> File:
    """What a sweep file holds, checked, with the files that it names; paths in it are relative to that of the file.

    Raises:
        BadInputError: a value in it cannot be used; the message names file and key.
    """
    _check(path, sweep)
    recipes = dict.fromkeys(
        recipe for index, item in enumerate(sweep.networks) for recipe in _recipes(path, f"networks[{index}]", item)
    )
    data = sweep.test_set
    return File(
        path=path,
        sha256=sha256,
        sweep=sweep,
        models=_models(path, sweep, {recipe.label for recipe in recipes}),
        recipes=tuple(recipes),
        inputs=tuple(_existing(path, f"inputs[{index}]", name) for index, name in enumerate(sweep.inputs)),
        test_set=None
        if data is None
        else (_existing(path, "test_set.inputs", data.inputs), _existing(path, "test_set.labels", data.labels)),
        calibrations=_calibrations(path, sweep),
        tflm=_tflm(path, sweep.axes) or (None,),
    )


def _tflm(path: Path, axes: Axes) -> tuple[Named | None, ...]:
    """The values of the axis, with the kernels that each archive holds."""
    found: list[Named | None] = []
    for index, item in enumerate(axes.tflm_libraries):
        key = f"axes.tflm_libraries[{index}]"
        if item.name in [other.name for other in axes.tflm_libraries[:index]]:
            refuse(path, f"{key}.name", f"{item.name!r} is there twice")
        if item.lib is None:
            if item.include or item.host_lib is not None:
                refuse(path, f"{key}.lib", "is missing", "leave include and host_lib out, too, for the packaged TFLM")
            found.append(None)
            continue
        brought = Brought(
            archives=tuple(str(_existing(path, f"{key}.lib", name)) for name in _listed(item.lib)),
            include=tuple(str(_folder(path, f"{key}.include", name)) for name in item.include),
            host=tuple(str(_existing(path, f"{key}.host_lib", name)) for name in _listed(item.host_lib or ())),
        )
        try:
            found.append(Named(name=item.name, brought=brought, kernels=library.held(brought).kernel_set))
        except BadInputError as error:
            refuse(path, f"{key}.lib", error.message, error.hint)
    return tuple(found)


def _folder(path: Path, key: str, name: str) -> Path:
    folder = path.absolute().parent
    if not (folder / name).is_dir():
        refuse(path, key, f"there is no folder {name!r}", f"paths are relative to {folder}")
    return (folder / name).resolve()


def _hint(message: str) -> str:
    """What to do about an error that is ``readable``."""
    single = re.fullmatch(r"(networks|include|exclude): Expected `list`, got `table`", message)
    if single:
        return f"there may be several: write [[{single[1]}]]"
    unknown = re.fullmatch(r"(?:(\w+)(?:\[[^]]*\])?: )?the table contains unknown key `.*`", message)
    if unknown and unknown[1] in _TABLES:
        return f"it has {', '.join(_TABLES[unknown[1]].__struct_fields__)}; {SCHEMA_HINT}"
    return SCHEMA_HINT


def _check(path: Path, sweep: Sweep) -> None:
    """What the types cannot say."""
    axes = sweep.axes
    if not axes.models and not sweep.networks:
        refuse(path, "axes.models", "names no file, and there are no [[networks]]", "give one of both")
    for key, known in axis_values().items():
        for item in getattr(axes, key):
            if item not in known:
                refuse(path, f"axes.{key}", f"unknown value {item!r}", f"one of {', '.join(known)}")
    for platform in axes.platforms:
        try:
            platforms.load(platform)
        except BadInputError as error:
            refuse(path, "axes.platforms", error.message, error.hint)
    for kind in ("include", "exclude"):
        for index, item in enumerate(getattr(sweep, kind)):
            if all(getattr(item, key) is None for key in item.__struct_fields__):
                refuse(path, f"{kind}[{index}]", "names no axis, so it matches every point")
    if sweep.estimates and "qemu" not in axes.emulator:
        refuse(path, "cycles" if sweep.cycles else "calibration",
               f"they cannot be estimated from runs on {', '.join(axes.emulator)}",
               'QEMU alone tells which code was executed: add "qemu" to emulator')  # fmt: skip
    seen: set[str] = set()
    for index, objective in enumerate(sweep.objectives):
        try:
            metrics.get(objective.metric)
        except BadInputError as error:
            refuse(path, f"objectives[{index}].metric", error.message, error.hint)
        if objective.metric in metrics.ESTIMATES and not sweep.estimates:
            refuse(path, f"objectives[{index}].metric", f"{objective.metric} is estimated only where that is asked",
                    _ASK)  # fmt: skip
        if objective.metric in seen:
            refuse(path, f"objectives[{index}].metric", f"{objective.metric!r} is there twice")
        seen.add(objective.metric)
    _check_budgets(path, sweep)


def _check_budgets(path: Path, sweep: Sweep) -> None:
    for key in ("latency_ms", "energy_uj"):
        given = getattr(sweep.budgets, key)
        if given is not None and not sweep.estimates:
            refuse(path, f"budgets.{key}", "what it is about is estimated only where that is asked", _ASK)
        for platform in given if isinstance(given, dict) else ():
            if platform not in sweep.axes.platforms:
                refuse(path, f"budgets.{key}", f"{platform!r} is none of the sweep's platforms",
                        f"one of {', '.join(sweep.axes.platforms)}")  # fmt: skip


def _calibrations(path: Path, sweep: Sweep) -> tuple[Given, ...]:
    """The calibrations that the file names, one for each of its platforms."""
    names = (sweep.calibration,) if isinstance(sweep.calibration, str) else sweep.calibration
    if sweep.carry and not names:
        refuse(path, "carry", "it is about a calibration, and none is named", 'calibration = "BOARD or FILE"')
    found: dict[str, Given] = {}
    for name in names:
        try:
            known = use.given(name, sweep.carry, path.absolute().parent)
        except BadInputError as error:
            refuse(path, "calibration", error.message, error.hint)
        if known.platform in found:
            refuse(path, "calibration", f"two calibrations of {known.platform}", "an estimate is by one")
        found[known.platform] = known
    lacking = [name for name in sweep.axes.platforms if names and name not in found]
    if lacking:
        refuse(path, "calibration", f"none of them is of {', '.join(lacking)}",
                "name one for each board, or sweep the other boards in a file of their own")  # fmt: skip
    return tuple(found.values())


def axis_values() -> dict[str, tuple[str, ...]]:
    """The values of the axes that have fixed ones."""
    return {"kernels": KERNEL_SETS, "optimisation": OPTIMISATIONS, "emulator": tuple(BACKENDS)}


def _existing(path: Path, key: str, name: str) -> Path:
    """A file that is named relative to the sweep file's folder."""
    folder = path.absolute().parent
    if not (folder / name).is_file():
        refuse(path, key, f"there is no file {name!r}", f"paths are relative to {folder}")
    return (folder / name).resolve()


def _recipes(path: Path, key: str, item: Network) -> list[Recipe]:
    """Every combination of a table's lists. A type that TFLM cannot run is one, too: it is refused as a point."""
    for name, known in (("types", TYPES), ("io", IO_TYPES)):
        for value in _listed(getattr(item, name)):
            if value is not None and value not in known:
                refuse(path, f"{key}.{name}", f"unknown value {value!r}", f"one of {', '.join(known)}")
    trains = any(_listed(item.train))  # then epochs are of those that are trained
    found = []
    for spec in _specs(path, key, item):
        for kind, io, train, epochs, seed, sparsity, pruning, multiple_of in itertools.product(
            *map(_listed, (item.types, item.io, item.train, item.epochs, item.seeds, item.sparsity,
                           item.channel_pruning, item.multiple_of))
        ):  # fmt: skip
            made = Recipe(
                spec=spec,
                type=kind,
                io=None if io == kind else io,
                train=train,
                epochs=epochs if train or not trains else None,
                seed=seed,
                sparsity=sparsity,
                channel_pruning=pruning,
                multiple_of=multiple_of,
            )
            try:
                recipe.check(made)
            except BadInputError as error:
                if kind != HYBRID:
                    refuse(path, key, f"{made.label}: {error.message}", error.hint)
            found.append(made)
    return found


def _specs(path: Path, key: str, item: Network) -> list[networks.Spec]:
    try:
        networks.named(item.name)
    except BadInputError as error:
        hint = "parameters stand in a key of their own: parameters = { ... }" if ":" in item.name else error.hint
        refuse(path, f"{key}.name", error.message, hint)
    for name, values in item.parameters.items():
        if values == ():
            refuse(path, f"{key}.parameters.{name}", "an empty list", "leave it out for the network's own value")
    try:
        return [
            networks.spec(item.name, dict(zip(item.parameters, values, strict=True)))
            for values in itertools.product(*map(_listed, item.parameters.values()))
        ]
    except BadInputError as error:
        refuse(path, f"{key}.parameters", error.message, error.hint)


def _listed(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _models(path: Path, sweep: Sweep, taken: set[str]) -> tuple[tuple[str, Path], ...]:
    """The files that the axis names, each with a name that neither another nor one of ``taken`` has."""
    folder = path.absolute().parent
    found: list[Path] = []
    for index, given in enumerate(sweep.axes.models):
        key = f"axes.models[{index}]"
        if _WILDCARD.search(given) and not (folder / given).is_file():
            # Path.glob takes no absolute patterns.
            matches = sorted(glob.glob(given, root_dir=folder, recursive=True))  # noqa: PTH207
            files = [match for match in matches if (folder / match).is_file()]
            if not files:
                refuse(path, key, f"nothing matches {given!r}", f"patterns are relative to {folder}")
        else:
            files = [given]
            _existing(path, key, given)
        resolved = ((folder / name).resolve() for name in files)
        found += [model for model in resolved if model not in found]
    names = Counter([*(model.name for model in found), *taken])
    return tuple((model.name if names[model.name] == 1 else str(model), model) for model in found)


def schema() -> dict[str, Any]:
    """The JSON schema of a sweep file, for editors; it lists the values that axes and objectives may have."""
    made = json_schema.of(Sweep)
    axes = made["$defs"]["Axes"]["properties"]
    for key, known in (*axis_values().items(), ("platforms", platforms.names())):
        axes[key]["items"]["enum"] = list(known)
    made["$defs"]["Objective"]["properties"]["metric"]["enum"] = list(METRICS)
    network = made["$defs"]["Network"]["properties"]
    for key, known in (("name", tuple(networks.NETWORKS)), ("types", TYPES), ("io", IO_TYPES)):
        for place in (network[key], *network[key].get("anyOf", ())):
            text = place.get("items", place)
            if text.get("type") == "string":
                text["enum"] = list(known)
    return made
