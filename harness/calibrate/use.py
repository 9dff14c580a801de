"""A stored calibration in use: found by file or board, checked against a run's build, applied to a run's result."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from harness import platforms
from harness.calibrate import calibration as stored
from harness.calibrate import carry
from harness.calibrate.calibration import Calibration, Family
from harness.calibrate.carry import Calibrated
from harness.calibrate.match import library_name
from harness.calibrate.samples import Build
from harness.cost import table
from harness.errors import BadInputError
from harness.paths import data_folder, results_folder
from harness.records import Record
from harness.result import CalibrationPart, EstimatePart, Interval, LayerEstimate, Result


class Given(Record, frozen=True):
    """A calibration that runs are to be estimated by: its file's name and content.

    ``carry``: also runs of another compiler, library, kernel set or flags, whose estimates then say so.
    """

    file: str
    calibration: Calibration
    carry: bool

    @property
    def platform(self) -> str:
        """The board that it is of."""
        return self.calibration.platform


def given(name: str | Path, carry: bool = False, folder: Path = Path()) -> Given:
    """The calibration that a user names: a file, or a board whose calibration is stored; without its rows.

    Args:
        name: a path, or a board's name.
        carry: whether it may be used for other builds.
        folder: what relative paths start from.

    Raises:
        BadInputError: there is none, or it cannot be read.
    """
    path = _find(str(name), folder)
    found = stored.read(path)
    slim = msgspec.structs.replace(found, families=tuple(map(_slim, found.families)))
    return Given(file=path.name, calibration=slim, carry=carry)


def _slim(family: Family) -> Family:
    """What an estimate depends on: the rows that were fitted are known by their hashes."""
    return msgspec.structs.replace(family, left_out=(), residuals=())


def _find(name: str, folder: Path) -> Path:
    path = folder / name
    if path.is_file():
        return path
    folders = _folders()
    if name in platforms.names():
        kept = next((found for item in folders if (found := item / f"{name}.json").is_file()), None)
        if kept is not None:
            return kept
    known = sorted({found.stem for item in folders for found in item.glob("*.json")})
    hint = f"stored are those of {', '.join(known)}" if known else "harness calibrate makes one"
    if name in platforms.names():
        raise BadInputError(f"no calibration of {name} is stored", f"{hint}; or give the path of one")
    raise BadInputError(f"calibration {name}: there is no such file, and no board of that name", hint)


def _folders() -> tuple[Path, ...]:
    """Where calibrations are kept: one's own go before those that the project ships."""
    return results_folder() / "calibration", data_folder("results") / "calibration"


def build(platform: str, kernels: str, optimisation: str, fpu: bool, compiler: str, tflm: str, cmsis_nn: str) -> Build:
    """The build family that a run is of; compiler and libraries as its identity has them."""
    return Build(
        platform=platform,
        kernels=kernels,
        optimisation=optimisation,
        fpu=fpu,
        compiler=compiler,
        library=library_name(kernels, tflm, cmsis_nn),
    )


def family(known: Given, of: Build) -> Family:
    """The family of a calibration that a build is estimated by.

    Raises:
        BadInputError: it is of another board, or of another build and not to be carried.
    """
    return carry.family_of(of, known.calibration, known.carry)[0]


def sha256(used: Family) -> str:
    """Of a family's content: another fit, or another measured row, is another calibration."""
    return hashlib.sha256(msgspec.json.encode(_slim(used))).hexdigest()


def estimate(result: Result, known: Given) -> EstimatePart:
    """The estimate of a run by a calibration, in place of the uncalibrated one that it has.

    Raises:
        BadInputError: it has none, or the calibration is not to be used for it.
    """
    rows = table.of(result)
    used = family(known, carry.build_of(rows[0]))
    found = carry.estimate(rows, known.calibration, known.carry)
    before = result.estimate
    assert before is not None, "its rows were made of it"
    digest = sha256(used)
    scale = 1e3 / found.clock_hz
    parts = [
        LayerEstimate(
            index=layer.index,
            cycles=layer.cycles,
            latency_ms=round(layer.cycles * scale, 6),
            features=part.features,
        )
        for layer, part in zip(found.layers, (*before.layers, before.overhead), strict=True)
    ]
    return EstimatePart(
        model=f"{rows[0].cost_model}+{digest[:8]}",
        tier=found.tier,
        clock_hz=found.clock_hz,
        cycles=_interval(found, 1.0),
        latency_ms=_interval(found, scale),
        coverage=used.coverage,
        basis=found.basis,
        notes=tuple(f"carried, {difference}" for difference in found.carried),
        layers=tuple(parts[:-1]),
        overhead=parts[-1],
        type=before.type,
        calibration=CalibrationPart(
            file=known.file,
            family=used.build.label,
            sha256=digest,
            cost_model=rows[0].cost_model,
            carried=found.carried,
        ),
    )


def _interval(found: Calibrated, scale: float) -> Interval:
    def scaled(cycles: int | None) -> float | None:
        return None if cycles is None else round(cycles * scale, 6)

    return Interval(value=round(found.cycles * scale, 6), low=scaled(found.low), high=scaled(found.high))
