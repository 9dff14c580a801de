"""From a sweep file to its points: every combination of the axes, filtered, each with its identity."""

from __future__ import annotations

import fnmatch
import functools
import hashlib
import importlib.metadata
import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness import cores, inputs, model, platforms, setup, sources, toolchain
from harness.calibrate import use
from harness.calibrate.calibration import Family
from harness.calibrate.use import Given
from harness.emulators import plugin, renode_find, renode_script
from harness.errors import BadInputError, HarnessError
from harness.library import Progress, silent
from harness.model import PACKAGED
from harness.paths import data_folder
from harness.records import Model, Platform
from harness.result import SCHEMA
from harness.sweep import estimates, models
from harness.sweep.file import File, Filter
from harness.sweep.models import Candidate
from harness.sweep.plan import PLAN_SCHEMA, Choice, Facts, Failure, ModelFacts, Plan, Point, failure_of
from harness.user_library import fits
from harness.user_library.found import Named, UserLibrary

# What of firmware/ becomes part of an image.
_FIRMWARE = ("app", "cmake", "hal", "kernels", "targets", "templates")


def expand(file: File, *, make: bool = False, progress: Progress = silent, by_name: bool = False) -> Plan:
    """The points of a sweep file in the order of its axes.

    Two points that must give the same result are one, with a note. Combinations that cannot be, and networks that are
    refused or cannot be made, stay as points with the reason.

    Args:
        file: a checked sweep file.
        make: make the networks that the cache does not hold, and compute accuracies. False does neither: the points of
            networks that are not made have no identity, and accuracies are those that the zoo recorded.
        progress: told about networks that are made, and accuracies that are computed.
        by_name: points of two files are two where the files' names differ, whatever is in them.

    Raises:
        BadInputError: no point is left, or none of them can be; the message names file and key.
        MissingToolError: a compiler, or cargo, is not installed, so that no point can run.
    """
    notes: list[str] = []
    candidates = {item.name: item for item in models.candidates(file)}
    choices = _filtered(file, candidates, notes)
    if make:
        candidates |= _ready(file, [candidates[name] for name in dict.fromkeys(item.model for item in choices)],
                             notes, progress)  # fmt: skip
    identify = Identify(file.inputs, file.sweep.estimates, file.calibrations)
    points: dict[tuple[str, str], Point] = {}
    for choice in choices:
        point = _point(identify, choice, candidates[choice.model])
        name = Path(point.choice.path).name if by_name else ""
        key = (point.identity or f"without identity {choice.label}", name)
        if key in points:
            notes.append(f"{choice.label}: the same as {points[key].choice.label}, measured once")
        else:
            points[key] = point
    plan = Plan(
        schema=PLAN_SCHEMA,
        name=file.sweep.name,
        file=str(file.path),
        file_sha256=file.sha256,
        time_limit_s=file.sweep.time_limit_s,
        budgets=file.sweep.budgets,
        objectives=file.sweep.objectives,
        inputs=tuple(map(str, file.inputs)),
        points=tuple(points.values()),
        notes=tuple(notes),
        cycles=file.sweep.estimates,
        calibrations=file.calibrations,
    )
    _require_possible(file, plan)
    return plan


def _ready(file: File, candidates: Sequence[Candidate], notes: list[str], progress: Progress) -> dict[str, Candidate]:
    """Those that are to run, made, and with what is known of their accuracy."""
    try:
        found, more = models.with_accuracy(models.made(candidates, progress), file.test_set, progress)
    except BadInputError as error:
        raise BadInputError(f"{file.path}: {error.message}", error.hint) from error
    notes += more
    return {item.name: item for item in found}


def _point(identify: Identify, choice: Choice, candidate: Candidate) -> Point:
    choice = msgspec.structs.replace(choice, path=str(candidate.path or ""))
    if candidate.failure is not None:
        return _refused(choice, candidate.failure)
    if candidate.facts is None:
        return Point(choice=choice, identity=None, facts=None, failure=identify.impossible(choice))
    return identify(choice, candidate.facts)


def _product(file: File, candidates: Iterable[Candidate]) -> list[Choice]:
    axes = file.sweep.axes
    fpus: tuple[bool | None, ...] = axes.fpu or (None,)
    return [
        Choice(
            model=candidate.name,
            path=str(candidate.path or ""),
            recipe=candidate.recipe,
            platform=platform,
            kernels=kernels,
            optimisation=optimisation,
            fpu=fpu,
            emulator=emulator,
            tflm=tflm,
        )
        for candidate, platform, tflm in itertools.product(candidates, axes.platforms, file.tflm)
        for kernels, optimisation, fpu, emulator in itertools.product(
            (tflm.kernels,) if tflm else axes.kernels, axes.optimisation, fpus, axes.emulator
        )
    ]


def _filtered(file: File, candidates: Mapping[str, Candidate], notes: list[str]) -> list[Choice]:
    sweep, choices = file.sweep, _product(file, candidates.values())
    types = {name: candidate.type for name, candidate in candidates.items()}

    def matches(choice: Choice, item: Filter) -> bool:
        return _matches(choice, types[choice.model], item)

    kept = [choice for choice in choices if not sweep.include or any(matches(choice, item) for item in sweep.include)]
    kept = [choice for choice in kept if not any(matches(choice, item) for item in sweep.exclude)]
    for kind, items in (("include", sweep.include), ("exclude", sweep.exclude)):
        notes += [
            f"{kind}[{index}] matches no point"
            for index, item in enumerate(items)
            if not any(matches(choice, item) for choice in choices)
        ]
    if not kept:
        raise BadInputError(f"{file.path}: include and exclude leave none of {len(choices)} points")
    return kept


def _matches(choice: Choice, kind: str | None, item: Filter) -> bool:
    """Every axis that the filter names has one of its values; a filter on the FPU needs that axis."""
    if item.fpu is not None and choice.fpu not in item.fpu:
        return False
    spec = None if choice.recipe is None else choice.recipe.spec
    # The path of a network that a sweep makes is the cache's own, and nothing to go by.
    path = choice.path if choice.recipe is None or choice.model != choice.recipe.label else ""
    return all(
        patterns is None or any(fnmatch.fnmatchcase(value, pattern) for value in values for pattern in patterns)
        for values, patterns in (
            ((path,), item.models and tuple(f"*/{pattern}" for pattern in item.models)),
            ((spec.network, spec.label) if spec else (), item.networks),
            ((kind,) if kind else (), item.types),
            ((choice.platform,), item.platforms),
            ((choice.kernels,), item.kernels),
            ((choice.optimisation,), item.optimisation),
            ((choice.emulator,), item.emulator),
            ((choice.tflm.name if choice.tflm else PACKAGED_NAME,), item.tflm_libraries),
        )
    )


def _require_possible(file: File, plan: Plan) -> None:
    failures = [point.failure for point in plan.points if point.failure is not None]
    if len(failures) == len(plan.points) and all(failure.kind == "impossible" for failure in failures):
        raise BadInputError(f"{file.path}: none of {len(failures)} points is possible: {failures[0].message}",
                            failures[0].hint)  # fmt: skip


# What filters call the packaged TFLM on the axis tflm_libraries.
PACKAGED_NAME = "packaged"


class Identify:
    """Turns choices into points; what they share is asked for once.

    Args:
        input_paths: a .npy file for each input of every model; none: the deterministic inputs.
        cycles: whether latency and energy are estimated, too.
        calibrations: what they are estimated by, one for each platform that has one.

    Raises:
        MissingToolError: a compiler, or cargo, is not installed.
    """

    def __init__(
        self, input_paths: Sequence[Path] = (), cycles: bool = False, calibrations: Sequence[Given] = ()
    ) -> None:
        found = sources.locate()
        self._compiler = toolchain.arm().version
        self._cycles = cycles
        self._calibrations = {item.platform: item for item in calibrations}
        self._common: dict[str, Any] = {
            "result": SCHEMA,
            "harness": importlib.metadata.version("tflm-harness"),
            "compiler": self._compiler,
            "host_compiler": toolchain.host().version,
            "tflm": found.tflm_identity,
            "cmsis_nn": found.cmsis_nn_identity,
            "firmware": _firmware_sha256(),
            "tflite_micro": importlib.metadata.version("tflite-micro"),
        }
        if cycles:
            self._common["estimate"] = estimates.identity()
        self._model = functools.cache(_model)
        self._input_sha256 = functools.cache(
            lambda path, runtime: inputs.of(self._model(path, runtime), input_paths).sha256
        )
        self._library = functools.cache(fits.read)
        self._platform = functools.cache(platforms.load)
        self._emulator = functools.cache(_emulator)
        self._arch = functools.cache(cores.flags)

    def parts(self, choice: Choice) -> dict[str, Any]:
        """Everything that decides a point's result before it runs, by name.

        Raises:
            HarnessError: the network is refused, or the emulator is not installed.
        """
        found = self._platform(choice.platform)
        brought = self._brought(choice)
        network = self._model(choice.path, PACKAGED if brought is None else brought.runtime)
        version = self._emulator(choice.emulator)
        used = self._family(choice)
        return {
            **self._common,
            **({} if brought is None or choice.tflm is None else _of_library(brought, choice.tflm)),
            **({} if used is None else {"calibration": use.sha256(used)}),
            "model": network.sha256,
            "input": self._input_sha256(choice.path, PACKAGED if brought is None else brought.runtime),
            "platforms": [
                _platform_sha256(self._platform(name), choice.emulator) for name in (choice.platform, *found.machines)
            ],
            "kernels": choice.kernels,
            "optimisation": choice.optimisation,
            "arch": self._arch(found.core, found.fpu, setup.uses_fpu(found, choice.fpu)),
            "emulator": version,
        }

    def _brought(self, choice: Choice) -> UserLibrary | None:
        """The user's TFLM of a point, checked against its core; None for the packaged one.

        Raises:
            BadInputError: it does not fit, or cannot be used.
        """
        if choice.tflm is None:
            return None
        found = self._platform(choice.platform)
        hard_float = setup.uses_fpu(found, choice.fpu)
        arch = self._arch(found.core, found.fpu, hard_float)
        return self._library(choice.tflm.brought, toolchain.arm(), arch, hard_float)

    def impossible(self, choice: Choice) -> Failure | None:
        """Why the combination cannot be, whatever the network; None where it can."""
        found = self._platform(choice.platform)
        if choice.fpu and found.fpu is None:
            return Failure(kind="impossible", message=f"{found.name} ({found.core}) has no FPU")
        try:
            self._family(choice)
        except BadInputError as error:
            hint = error.hint and error.hint.replace("--carry", "carry = true")
            return Failure(kind="impossible", message=error.message, hint=hint)
        if self._cycles and choice.emulator != "qemu":
            return Failure(
                kind="impossible",
                message=f"cycles cannot be estimated from a run on {choice.emulator}",
                hint="QEMU alone tells which code was executed",
            )
        return None

    def _family(self, choice: Choice) -> Family | None:
        """The part of a calibration that a point is estimated by, None without one.

        Raises:
            BadInputError: the calibration is of another build, and not to be carried.
        """
        known = self._calibrations.get(choice.platform)
        if known is None:
            return None
        found = self._platform(choice.platform)
        build = use.build(
            choice.platform,
            choice.kernels,
            choice.optimisation,
            setup.uses_fpu(found, choice.fpu),
            self._compiler,
            self._common["tflm"] if choice.tflm is None else f"TFLM of the user's, {choice.tflm.name}",
            self._common["cmsis_nn"],
        )
        return use.family(known, build)

    def __call__(self, choice: Choice, facts: ModelFacts) -> Point:
        """The point of a network that is there."""
        found = self._platform(choice.platform)
        impossible = self.impossible(choice)
        if impossible is not None:
            return _refused(choice, impossible)
        try:
            parts = self.parts(choice)
        except HarnessError as error:
            return _refused(choice, failure_of(error))
        return Point(
            choice=choice,
            identity=identity_of(parts),
            facts=Facts(
                model=facts,
                core=found.core,
                fpu=found.fpu if setup.uses_fpu(found, choice.fpu) else None,
                compiler=self._compiler,
                emulator_version=parts["emulator"][1],
            ),
            failure=None,
        )


def identity_of(parts: dict[str, Any]) -> str:
    """A hash of what decides a result."""
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()[:32]


def _of_library(found: UserLibrary, named: Named) -> dict[str, str]:
    """What of a point's identity is another with a user's TFLM."""
    host = [hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in named.brought.host]
    return {"tflm": found.identity, "cmsis_nn": "in the library", "host_library": " ".join(host)}


def _model(path: str, runtime: model.Runtime) -> Model:
    return model.load(Path(path), runtime)


def _refused(choice: Choice, failure: Failure) -> Point:
    return Point(choice=choice, identity=None, facts=None, failure=failure)


def _platform_sha256(platform: Platform, emulator: str) -> str:
    """Of what describes the platform to us, and to the emulator where it does not have it built in."""
    if emulator == "qemu":
        return platform.sha256
    return f"{platform.sha256} {renode_script.description(platform.name).sha256}"


def _emulator(name: str) -> tuple[str, str, str]:
    """Name, version, and what its counter is built from.

    Raises:
        MissingToolError, EmulationError: it is not installed, or does not say its version.
    """
    if name == "qemu":
        return name, plugin.version(plugin.find_qemu()), hashlib.sha256(plugin.SOURCE.read_bytes()).hexdigest()
    return name, renode_find.find().version, ""


def _firmware_sha256() -> str:
    root = data_folder("firmware")
    digest = hashlib.sha256((root / "CMakeLists.txt").read_bytes())
    for name in _FIRMWARE:
        digest.update(sources.tree_sha256(root / name).encode())
    return digest.hexdigest()


def runnable(points: Iterable[Point]) -> tuple[Point, ...]:
    """Those that have an identity."""
    return tuple(point for point in points if point.identity is not None)
