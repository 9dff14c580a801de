"""The CSV of ``harness capture``: cycles of each layer on a board, of a network that its features name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.calibrate.match import library_of, runs_of
from harness.calibrate.measurements import Measurement, rows_of
from harness.calibrate.samples import Build
from harness.capture import CSV_COLUMNS
from harness.cost.features import Row
from harness.errors import BadInputError
from harness.records import Platform


def is_capture(path: Path) -> bool:
    """Whether a CSV has the columns of a capture."""
    return set(CSV_COLUMNS) <= set(rows_of(path)[0])


def read(
    path: Path, platform: Platform, features: Sequence[Row], compiler: str | None, library: str | None
) -> tuple[Measurement, ...]:
    """The layers of a capture, less the cycles of the marks; the file is named after the network's.

    Args:
        path: "kws.csv", where the features are of kws.tflite; any name where they are of one run alone.
        platform: the board.
        features: of the network that the board ran; they say the kernels and the flags.
        compiler, library: what built the firmware, which a capture does not say.

    Raises:
        BadInputError: what built it is not said, the clock is not the board's, or it cannot be said which run's layers
            these are.
    """
    _, cells = rows_of(path)
    run = _run_of(path, features)
    if not compiler or not library:
        raise BadInputError(
            f"{path}: a capture does not say what built the firmware",
            f"if what built that of the features: --compiler '{run[0].compiler}' --library '{library_of(run[0])}'",
        )
    by_index = {row.index: row for row in run if row.index is not None}
    if len(cells) != len(by_index):
        raise BadInputError(f"{path}: {len(cells)} layers, and {run[0].model} has {len(by_index)}")
    build = Build(
        platform=platform.name,
        kernels=run[0].kernels,
        optimisation=run[0].optimisation,
        fpu=bool(run[0].fpu),
        compiler=compiler,
        library=library,
    )
    return tuple(_layer(path, line, values, by_index, build, platform) for line, values in cells)


def _run_of(path: Path, features: Sequence[Row]) -> list[Row]:
    runs = runs_of(features)
    named = [run for run in runs if Path(run[0].model).stem == path.stem]
    found = named or (runs if len(runs) == 1 else [])
    if len(found) != 1:
        names = ", ".join(sorted({Path(run[0].model).stem for run in runs})) or "none"
        raise BadInputError(
            f"{path}: a capture does not name its network, and {len(found)} runs of the features are called so",
            f"name the file after the network, and give features of one run of it; known: {names}",
        )
    return found[0]


def _layer(
    path: Path, line: int, values: dict[str, str], known: dict[int, Row], build: Build, platform: Platform
) -> Measurement:
    try:
        index, cycles = int(values["index"]), int(values["cycles"]) - int(values["overhead_cycles"])
        clock, full = int(values["clock_hz"]), values["full_clock"] == "1"
    except ValueError as error:
        raise BadInputError(f"{path}, line {line}: {error}", "harness capture --output writes such a file") from error
    if not full or clock != platform.clock_hz:
        raise BadInputError(
            f"{path}, line {line}: measured at {clock / 1e6:g} MHz, and {platform.name} runs at"
            f" {platform.clock_hz / 1e6:g} MHz: waiting for the flash differs",
            "capture at the board's full clock",
        )
    row = known.get(index)
    if row is None or values["op"] not in ("", row.op):
        raise BadInputError(f"{path}, line {line}: layer {index} {values['op']} is not in {build.label}'s features")
    if cycles <= 0:
        raise BadInputError(f"{path}, line {line}: {cycles} cycles without the marks")
    name = Path(row.model).stem
    return Measurement(
        network=name,
        architecture=name,
        model=name,
        build=build,
        elf_sha256="",
        index=index,
        op=row.op,
        cycles=float(cycles),
        source="harness capture",
    )
