"""From what a user gives to measured rows with their features: templates, captures, the public tables, stand-ins."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from harness import platforms
from harness.calibrate import captured, measurements, public_tables, standin
from harness.calibrate.match import Pair, pairs
from harness.calibrate.measurements import Measurement
from harness.cost import estimate, features
from harness.cost.features import Row
from harness.errors import BadInputError
from harness.records import Platform, Record

PUBLIC = "public"


class Given(Record, frozen=True):
    """Pairs to fit, rows that have no features, the SHA-256 of the measurements, and features that were made anew.

    ``other`` are public rows with features of this project's usual builds, which errors of carrying are told by.
    """

    pairs: tuple[Pair, ...]
    missing: tuple[Measurement, ...]
    data_sha256: str
    made: tuple[Row, ...]
    other: tuple[Pair, ...] = ()


def gather(
    sources: Sequence[str],
    platform: str,
    *,
    feature_files: Sequence[Path] = (),
    models: Path | None = None,
    compiler: str | None = None,
    library: str | None = None,
    on_network: Callable[[Measurement, int, int], None] = lambda row, number, count: None,
) -> Given:
    """Read everything, and match it.

    Args:
        sources: CSV files (templates or captures), or "public" for the tables that the project ships.
        platform: the board that was measured.
        feature_files: CSVs of ``harness run --features-out``; none: those of the project's own builds of public
            networks, and of other networks builds that are made and emulated here, from ``models``.
        models: folder with the .tflite files of networks whose features are not given.
        compiler, library: what built the firmware of captures.
        on_network: told which network is emulated, its number and how many there are.

    Raises:
        BadInputError: a file or a row cannot be used, or no measured row has features.
    """
    board = platforms.load(platform)
    known = _features(feature_files, sources)
    rows: list[Measurement] = []
    joined = hashlib.sha256()
    for source in sources:
        found, digest = _source(source, board, known, compiler, library)
        rows.extend(found)
        joined.update(digest.encode())
    matched, missing = pairs(rows, known)
    made: list[Row] = []
    if not feature_files and models is not None:
        wanted = standin.wanted(missing)
        made = standin.emulate_all(wanted, standin.files(wanted, models), on_network)
        matched, missing = pairs(rows, [*known, *made])
    if not matched:
        raise BadInputError(
            f"none of {len(rows)} measured rows has features: {_first(missing)}",
            "harness run --cycles --features-out F.csv makes them, or --models FOLDER with the networks' .tflite files",
        )
    other: list[Pair] = []
    if not feature_files and PUBLIC in sources:
        other, _ = pairs(rows, features_of((public_tables.USUAL_FEATURES,)))
    return Given(
        pairs=tuple(matched),
        missing=tuple(missing),
        data_sha256=joined.hexdigest(),
        made=tuple(made),
        other=tuple(other),
    )


def _features(files: Sequence[Path], sources: Sequence[str]) -> list[Row]:
    if not files and PUBLIC in sources:
        files = (public_tables.FEATURES,)
    return features_of(files)


def features_of(files: Sequence[Path]) -> list[Row]:
    """The rows of CSVs of features.

    Raises:
        BadInputError: one cannot be read, or is of another cost model.
    """
    rows = [row for path in files for row in features.read_csv(path)]
    other = sorted({row.cost_model for row in rows} - {estimate.MODEL})
    if other:
        raise BadInputError(
            f"features of the cost model {', '.join(other)}; this version's is {estimate.MODEL}",
            "make them anew: harness run --cycles --features-out, or harness validate --emulate of the public ones",
        )
    return rows


def public_rows(platform: str) -> tuple[Measurement, ...]:
    """The public measurements of a board.

    Raises:
        BadInputError: there are none.
    """
    rows = public_tables.load(platform)
    if not rows:
        boards = ", ".join(sorted({row.build.platform for row in public_tables.load()}))
        raise BadInputError(f"there are no public measurements of {platform}", f"there are of {boards}")
    return rows


def _source(
    source: str, board: Platform, known: Sequence[Row], compiler: str | None, library: str | None
) -> tuple[tuple[Measurement, ...], str]:
    if source == PUBLIC:
        rows = public_rows(board.name)
        return rows, public_tables.digest()
    path = Path(source)
    if captured.is_capture(path):
        if not known:
            raise BadInputError(
                f"{path}: a capture has cycles alone",
                "add --features F.csv (harness run --cycles --features-out F.csv)",
            )
        found = captured.read(path, board, known, compiler, library)
    else:
        found = measurements.read(path, board)
    return found, hashlib.sha256(path.read_bytes()).hexdigest()


def _first(missing: Sequence[Measurement]) -> str:
    row = missing[0]
    return f"{row.model}.tflite, {row.build.label}, for one"
