"""A board's calibration as it is stored: results/calibration/<board>.json, one entry for each build family."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from harness.calibrate import heldout
from harness.calibrate.fit import Fitted, fit_chosen
from harness.calibrate.heldout import Bounds, HeldOut, Summary
from harness.calibrate.match import OWN, STAND_IN, Pair, digest, families
from harness.calibrate.samples import Build, Sample
from harness.errors import BadInputError
from harness.paths import results_folder
from harness.records import Record

SCHEMA = "tflm-harness/calibration/1"
_DIGITS = 6


class Residual(Record, frozen=True):
    """A row: measured cycles, those of the fit, and its relative error. ``unfit``: why it took no part, or empty.

    ``error`` is None where 0 was measured, of a layer that the timer does not tell from none.
    """

    network: str
    index: int | None
    op: str
    measured: float
    fitted: float
    error: float | None
    unfit: str


class Covered(Record, frozen=True):
    """Of how many networks the truth lay in the interval that the others gave, of how many that had one."""

    inside: int
    networks: int


class Carried(Record, frozen=True):
    """The error of carrying a calibration to builds with another compiler or library, as those public rows show it that
    were emulated in such builds, too: by fits without what is predicted. ``bounds`` are as those of the family."""

    compiler: str
    library: str
    without_network: Summary | None
    bounds: Bounds | None


class Family(Record, frozen=True):
    """The calibration of one build family.

    ``coefficients`` are cycles for each unit of a column of ``harness.calibrate.samples.COLUMNS``. ``features_from``
    says how near the build whose features were taken is to the measured one. The errors are of networks left out;
    ``bounds`` are factors from a prediction of a whole network to its interval.
    """

    build: Build
    tier: str
    features_from: str
    features_compiler: str
    features_library: str
    cost_model: str
    coefficients: dict[str, float]
    networks: int
    rows: int
    sources: tuple[str, ...]
    data_sha256: str
    features_sha256: str
    without_network: Summary | None
    without_architecture: Summary | None
    bounds: Bounds | None
    coverage: float
    covered: Covered | None
    left_out: tuple[HeldOut, ...]
    residuals: tuple[Residual, ...]
    carried: Carried | None = None


class Calibration(Record, frozen=True):
    """All families of a board, by their labels."""

    schema: str
    platform: str
    families: tuple[Family, ...]


def calibrate(found: Sequence[Pair], data_sha256: str, other: Sequence[Pair] = ()) -> tuple[Family, ...]:
    """The calibration of each build family that has a row to fit.

    Args:
        found: measured rows with their features.
        data_sha256: of the measurements.
        other: the same rows with features of builds by other tools, to which the fits are carried.

    Raises:
        BadInputError: no row of any takes part in fits.
    """
    beside = families(other)
    made = tuple(
        _family(build, pairs, data_sha256, beside.get(build, []))
        for build, pairs in families(found).items()
        if any(not pair.measurement.unfit for pair in pairs)
    )
    if not made:
        raise BadInputError("nothing to fit: no measured row has features")
    return made


def _samples(pairs: Sequence[Pair]) -> list[Sample]:
    return [pair.sample for pair in pairs if not pair.measurement.unfit]


def _family(build: Build, pairs: Sequence[Pair], data_sha256: str, other: Sequence[Pair]) -> Family:
    samples = _samples(pairs)
    fitted = _rounded(fit_chosen(samples))
    held = tuple(map(_rounded_held, heldout.left_out(samples)))
    by = heldout.basis(held)
    inside = [answer for item in held if (answer := heldout.covered(item, held)) is not None]
    rows = [row for pair in pairs for row in pair.rows]
    origins = sorted({pair.features_from for pair in pairs})
    compiler = _same(row.compiler for row in rows)
    return Family(
        build=build,
        tier=tier(build, " and ".join(origins), compiler),
        features_from=" and ".join(origins),
        features_compiler=compiler,
        features_library=_same(_library(pair) for pair in pairs if not pair.measurement.unfit),
        cost_model=_same(row.cost_model for row in rows),
        coefficients=fitted.coefficients,
        networks=len(held),
        rows=len(samples),
        sources=tuple(sorted({pair.measurement.source for pair in pairs if pair.measurement.source})),
        data_sha256=data_sha256,
        features_sha256=digest(rows),
        without_network=heldout.summary([item.error for item in held]),
        without_architecture=heldout.summary([item.architecture_error for item in held]),
        bounds=_rounded_bounds(heldout.interval(held, by)),
        coverage=heldout.COVERAGE,
        covered=Covered(inside=sum(inside), networks=len(inside)) if inside else None,
        left_out=held,
        residuals=tuple(_residual(pair, fitted) for pair in pairs),
        carried=_carried(samples, other),
    )


def _carried(samples: Sequence[Sample], other: Sequence[Pair]) -> Carried | None:
    applied = _samples(other)
    if not applied:
        return None
    held = tuple(map(_rounded_held, heldout.left_out(samples, applied)))
    rows = [row for pair in other for row in pair.rows]
    return Carried(
        compiler=_same(row.compiler for row in rows),
        library=_same(_library(pair) for pair in other if not pair.measurement.unfit),
        without_network=heldout.summary([item.error for item in held]),
        bounds=_rounded_bounds(heldout.interval(held, heldout.basis(held))),
    )


def tier(build: Build, features_from: str, compiler: str = "") -> str:
    """What an estimate by the calibration of a build rests on; ``compiler`` made what its features are of."""
    text = f"calibrated on {build.platform}, {build.compiler}, {build.library}"
    if features_from == OWN:
        return text
    return f"{text}; features of a {features_from}{f' by {compiler}' if features_from == STAND_IN else ''}"


def _library(pair: Pair) -> str:
    from harness.calibrate.match import library_of

    return library_of(pair.rows[0])


def _same(values: Iterable[str]) -> str:
    known = sorted(set(values))
    if len(known) != 1:
        raise BadInputError(
            f"features of several builds: {' and '.join(known)}", "calibrate with features of one of them at a time"
        )
    return known[0]


def _significant(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def _rounded(fitted: Fitted) -> Fitted:
    return Fitted(coefficients={name: _significant(value) for name, value in fitted.coefficients.items()})


def _rounded_held(item: HeldOut) -> HeldOut:
    values = {
        name: None if getattr(item, name) is None else _significant(getattr(item, name))
        for name in ("measured", "without_network", "without_architecture")
    }
    return msgspec.structs.replace(item, **values)


def _rounded_bounds(bounds: Bounds | None) -> Bounds | None:
    if bounds is None:
        return None
    return msgspec.structs.replace(bounds, low=_significant(bounds.low), high=_significant(bounds.high))


def _residual(pair: Pair, fitted: Fitted) -> Residual:
    sample = pair.sample
    predicted = fitted.cycles(sample)
    return Residual(
        network=sample.network,
        index=sample.index,
        op=sample.op,
        measured=round(sample.cycles, 1),
        fitted=round(predicted, 1),
        error=round(predicted / sample.cycles - 1, 5) if sample.cycles else None,
        unfit=pair.measurement.unfit,
    )


def path_of(platform: str) -> Path:
    """Where a board's calibration is kept."""
    return results_folder() / "calibration" / f"{platform}.json"


def read(path: Path) -> Calibration:
    """A stored calibration.

    Raises:
        BadInputError: it cannot be read, or is none.
    """
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Calibration)
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read: {error.strerror}", "harness calibrate makes it") from error
    except msgspec.DecodeError as error:
        raise BadInputError(f"{path}: no calibration: {error}", "harness calibrate makes one") from error
    if found.schema != SCHEMA:
        raise BadInputError(f"{path}: schema {found.schema!r}, not {SCHEMA}", "harness calibrate makes it anew")
    return found


def merged(path: Path, platform: str, made: Sequence[Family]) -> Calibration:
    """The new families, and those that were stored for other builds.

    Raises:
        BadInputError: what is stored cannot be read, or is another board's.
    """
    kept: tuple[Family, ...] = ()
    if path.exists():
        stored = read(path)
        if stored.platform != platform:
            raise BadInputError(f"{path} is of {stored.platform}, not of {platform}", "name another --output")
        builds = {family.build for family in made}
        kept = tuple(family for family in stored.families if family.build not in builds)
    ordered = sorted((*kept, *made), key=lambda family: (family.build.label, family.tier))
    return Calibration(schema=SCHEMA, platform=platform, families=tuple(ordered))


def write(path: Path, content: Calibration) -> None:
    """Store a calibration as indented JSON.

    Raises:
        BadInputError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n")
    except OSError as error:
        raise BadInputError(f"{path}: cannot be written: {error.strerror}", "name another --output") from error
