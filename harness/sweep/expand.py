"""From a sweep file to its points: every combination of the axes, filtered, each with its identity."""

from __future__ import annotations

import fnmatch
import functools
import hashlib
import importlib.metadata
import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from harness import cores, inputs, model, platforms, setup, sources, toolchain
from harness.emulators import plugin, renode_find, renode_script
from harness.errors import BadInputError, HarnessError
from harness.paths import data_folder
from harness.records import Model, Platform
from harness.result import SCHEMA
from harness.sweep.file import File, Filter
from harness.sweep.plan import PLAN_SCHEMA, Choice, Facts, Failure, Plan, Point, failure_of

# What of firmware/ becomes part of an image.
_FIRMWARE = ("app", "cmake", "hal", "kernels", "targets", "templates")


def expand(file: File) -> Plan:
    """The points of a sweep file in the order of its axes.

    Two points that must give the same result are one, with a note. Combinations that cannot be, and networks that are
    refused, stay as points with the reason.

    Raises:
        BadInputError: no point is left, or none of them can be; the message names file and key.
        MissingToolError: a compiler, or cargo, is not installed, so that no point can run.
    """
    notes: list[str] = []
    choices = _filtered(file, _product(file), notes)
    identify = Identify()
    points: dict[str, Point] = {}
    for choice in choices:
        point = identify(choice)
        key = point.identity or f"refused {choice.label}"
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
        points=tuple(points.values()),
        notes=tuple(notes),
    )
    _require_possible(file, plan)
    return plan


def _product(file: File) -> list[Choice]:
    axes = file.sweep.axes
    fpus: tuple[bool | None, ...] = axes.fpu or (None,)
    return [
        Choice(
            model=name,
            path=str(path),
            platform=platform,
            kernels=kernels,
            optimisation=optimisation,
            fpu=fpu,
            emulator=emulator,
        )
        for (name, path), platform, kernels, optimisation, fpu, emulator in itertools.product(
            *(file.models, axes.platforms, axes.kernels, axes.optimisation, fpus, axes.emulator)
        )
    ]


def _filtered(file: File, choices: list[Choice], notes: list[str]) -> list[Choice]:
    sweep = file.sweep
    kept = [choice for choice in choices if not sweep.include or any(_matches(choice, item) for item in sweep.include)]
    kept = [choice for choice in kept if not any(_matches(choice, item) for item in sweep.exclude)]
    for kind, items in (("include", sweep.include), ("exclude", sweep.exclude)):
        notes += [
            f"{kind}[{index}] matches no point"
            for index, item in enumerate(items)
            if not any(_matches(choice, item) for choice in choices)
        ]
    if not kept:
        raise BadInputError(f"{file.path}: include and exclude leave none of {len(choices)} points")
    return kept


def _matches(choice: Choice, item: Filter) -> bool:
    """Every axis that the filter names has one of its values; a filter on the FPU needs that axis."""
    if item.fpu is not None and choice.fpu not in item.fpu:
        return False
    return all(
        patterns is None or any(fnmatch.fnmatchcase(value, pattern) for pattern in patterns)
        for value, patterns in (
            (choice.path, item.models and tuple(f"*/{pattern}" for pattern in item.models)),
            (choice.platform, item.platforms),
            (choice.kernels, item.kernels),
            (choice.optimisation, item.optimisation),
            (choice.emulator, item.emulator),
        )
    )


def _require_possible(file: File, plan: Plan) -> None:
    failures = [point.failure for point in plan.points if point.failure is not None]
    if len(failures) == len(plan.points) and all(failure.kind == "impossible" for failure in failures):
        raise BadInputError(f"{file.path}: none of {len(failures)} points is possible: {failures[0].message}",
                            failures[0].hint)  # fmt: skip


class Identify:
    """Turns choices into points; what they share is asked for once.

    Raises:
        MissingToolError: a compiler, or cargo, is not installed.
    """

    def __init__(self) -> None:
        found = sources.locate()
        self._compiler = toolchain.arm().version
        self._common = {
            "result": SCHEMA,
            "harness": importlib.metadata.version("tflm-harness"),
            "compiler": self._compiler,
            "host_compiler": toolchain.host().version,
            "tflm": found.tflm_identity,
            "cmsis_nn": found.cmsis_nn_identity,
            "firmware": _firmware_sha256(),
            "tflite_micro": importlib.metadata.version("tflite-micro"),
        }
        self._model = functools.cache(_model)
        self._input_sha256 = functools.cache(lambda path: inputs.deterministic(self._model(path)).sha256)
        self._platform = functools.cache(platforms.load)
        self._emulator = functools.cache(_emulator)
        self._arch = functools.cache(cores.flags)

    def parts(self, choice: Choice) -> dict[str, Any]:
        """Everything that decides a point's result before it runs, by name.

        Raises:
            HarnessError: the network is refused, or the emulator is not installed.
        """
        found = self._platform(choice.platform)
        network = self._model(choice.path)
        version = self._emulator(choice.emulator)
        return {
            **self._common,
            "model": network.sha256,
            "input": self._input_sha256(choice.path),
            "platforms": [
                _platform_sha256(self._platform(name), choice.emulator) for name in (choice.platform, *found.machines)
            ],
            "kernels": choice.kernels,
            "optimisation": choice.optimisation,
            "arch": self._arch(found.core, found.fpu, setup.uses_fpu(found, choice.fpu)),
            "emulator": version,
        }

    def __call__(self, choice: Choice) -> Point:
        found = self._platform(choice.platform)
        if choice.fpu and found.fpu is None:
            return _refused(choice, Failure(kind="impossible", message=f"{found.name} ({found.core}) has no FPU"))
        try:
            parts = self.parts(choice)
        except HarnessError as error:
            return _refused(choice, failure_of(error))
        return Point(
            choice=choice,
            identity=identity_of(parts),
            facts=Facts(
                model_sha256=parts["model"],
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


def _model(path: str) -> Model:
    return model.load(Path(path))


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
