"""Features of measured networks whose firmware is not at hand: of this project's own builds of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from harness import pipeline
from harness.calibrate import public_tables
from harness.calibrate.measurements import Measurement
from harness.cost import table
from harness.cost.features import Row
from harness.errors import BadInputError
from harness.library import Progress, silent

TIME_LIMIT_S = 600.0


def key(row: Measurement) -> tuple[str, str, str, str, bool]:
    """What decides a stand-in build: network, board, kernels, flags and FPU."""
    build = row.build
    return row.model, build.platform, build.kernels, build.optimisation, build.fpu


def wanted(measurements: Iterable[Measurement]) -> list[Measurement]:
    """One row of each network and build, in their order."""
    found: dict[tuple[str, str, str, str, bool], Measurement] = {}
    for row in measurements:
        found.setdefault(key(row), row)
    return list(found.values())


def files(rows: Sequence[Measurement], folder: Path | None, progress: Progress = silent) -> dict[str, Path]:
    """The files of public networks by ``Measurement.model``: made by the zoo, or from a folder where they are there.

    Raises:
        BadInputError: a network is neither in the zoo nor in the folder.
        MissingToolError: TensorFlow is not installed.
    """
    from harness.zoo import make, networks
    from harness.zoo.recipe import recipe

    found: dict[str, Path] = {}
    recipes = {}
    for row in rows:
        given = None if folder is None else folder / f"{row.model}.tflite"
        if given is not None and given.is_file():
            found[row.model] = given
        elif row.source == public_tables.HEIM:
            name, kind = public_tables.spec_of(row.network)
            recipes[row.model] = recipe(networks.parse(name), type=kind, io="float32")
        else:
            where = "" if folder is None else f" in {folder}"
            raise BadInputError(
                f"no {row.model}.tflite{where}, and the zoo does not make it", "name the folder that has it: --models"
            )
    made = make.many(list(recipes.values()), progress)
    return found | {model: item.path for model, item in zip(recipes, made, strict=True)}


def emulate(row: Measurement, path: Path, progress: Progress = silent) -> tuple[Row, ...]:
    """Features of one network's build as that of ``row``, by the compiler and the library that are here."""
    result = pipeline.run(
        path,
        row.build.platform,
        kernels=row.build.kernels,
        optimisation=row.build.optimisation,
        fpu=None if row.build.fpu else False,
        cycles=True,
        time_limit_s=TIME_LIMIT_S,
        progress=progress,
    )
    return table.of(result)


def emulate_all(
    rows: Sequence[Measurement], paths: dict[str, Path], on_network: Callable[[Measurement, int, int], None]
) -> list[Row]:
    """Features of all; ``on_network`` is told which one begins, its number and how many there are."""
    found: list[Row] = []
    for number, row in enumerate(rows):
        on_network(row, number, len(rows))
        found.extend(emulate(row, paths[row.model]))
    return found
