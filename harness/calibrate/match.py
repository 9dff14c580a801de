"""Measured rows and features of the same layers, side by side."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from harness.calibrate.measurements import Measurement
from harness.calibrate.samples import Build, Sample, columns
from harness.cost.features import Row
from harness.errors import BadInputError
from harness.records import Platform, Record

OWN = "measured binary"
SAME_TOOLS = "build with the same compiler and library"
STAND_IN = "stand-in build"


class Pair(Record, frozen=True):
    """A measured row with its features' rows: one of a layer, all of a whole network. ``sample`` has their columns."""

    measurement: Measurement
    sample: Sample
    rows: tuple[Row, ...]
    features_from: str


def library_of(row: Row) -> str:
    """The runtime's and, where it is used, CMSIS-NN's version."""
    return library_name(row.kernels, row.tflm, row.cmsis_nn)


def library_name(kernels: str, tflm: str, cmsis_nn: str) -> str:
    """The same of what a build is made of."""
    return tflm if kernels == "reference" else f"{tflm}, {cmsis_nn}"


def runs_of(features: Iterable[Row]) -> list[list[Row]]:
    """The rows of each run, in their order; a run is one firmware's on one board."""
    runs: dict[tuple[str, str, str], list[Row]] = {}
    for row in features:
        runs.setdefault((row.model_sha256, row.platform, row.elf_sha256), []).append(row)
    return list(runs.values())


def digest(features: Iterable[Row]) -> str:
    """SHA-256 of rows."""
    return hashlib.sha256(msgspec.json.encode(list(features))).hexdigest()


def pairs(measurements: Sequence[Measurement], features: Sequence[Row]) -> tuple[list[Pair], list[Measurement]]:
    """The rows that have features, and those that have none.

    Raises:
        BadInputError: features of two firmwares fit one row, or the operator of a row is not that of its features.
    """
    runs: dict[tuple[str, str, str, str, bool], list[list[Row]]] = {}
    for run in runs_of(features):
        first = run[0]
        key = (Path(first.model).stem, first.platform, first.kernels, first.optimisation, bool(first.fpu))
        runs.setdefault(key, []).append(run)
    boards: dict[str, Platform] = {}
    found, missing = [], []
    for row in measurements:
        build = row.build
        fitting = runs.get((row.model, build.platform, build.kernels, build.optimisation, build.fpu), [])
        pair = _pair(row, fitting, boards)
        if pair is None:
            missing.append(row)
        else:
            found.append(pair)
    return found, missing


def _pair(row: Measurement, runs: list[list[Row]], boards: dict[str, Platform]) -> Pair | None:
    if row.elf_sha256:
        runs = [run for run in runs if run[0].elf_sha256 == row.elf_sha256]
    if not runs:
        return None
    if len(runs) > 1:
        raise BadInputError(
            f"{row.network}, {row.build.label}: features of {len(runs)} firmwares fit",
            "give those of one, or its elf_sha256 with the measurements",
        )
    run = runs[0]
    chosen = tuple(run) if row.index is None else tuple(item for item in run if item.index == row.index)
    if not chosen:
        raise BadInputError(f"{row.network}, {row.build.label}: no layer {row.index} in its features")
    if row.index is not None and row.op and row.op != chosen[0].op:
        raise BadInputError(
            f"{row.network}, {row.build.label}: layer {row.index} was measured as {row.op}, and is {chosen[0].op}",
            "are these features of the same network?",
        )
    origin = _origin(row, run[0])
    if row.elf_sha256:
        build = row.build
        named = msgspec.structs.replace(
            build, compiler=build.compiler or run[0].compiler, library=build.library or library_of(run[0])
        )
        row = msgspec.structs.replace(row, build=named)
    sample = Sample(
        network=row.network,
        architecture=row.architecture,
        index=row.index,
        op=row.op or (chosen[0].op if row.index is not None else ""),
        columns=columns(chosen, boards),
        cycles=row.cycles,
    )
    return Pair(measurement=row, sample=sample, rows=chosen, features_from=origin)


def _origin(row: Measurement, features: Row) -> str:
    if row.elf_sha256:
        return OWN
    same = (row.build.compiler, row.build.library) == (features.compiler, library_of(features))
    return SAME_TOOLS if same else STAND_IN


def families(found: Iterable[Pair]) -> dict[Build, list[Pair]]:
    """The pairs of each build, sorted by its label."""
    grouped: dict[Build, list[Pair]] = {}
    for pair in found:
        grouped.setdefault(pair.measurement.build, []).append(pair)
    return dict(sorted(grouped.items(), key=lambda item: (item[0].label, item[0].compiler, item[0].library)))
