"""Estimates of runs by a stored calibration, and when one may not be used for them."""

from __future__ import annotations

from collections.abc import Sequence

from harness.calibrate.calibration import Calibration, Carried, Family
from harness.calibrate.fit import Fitted
from harness.calibrate.match import library_of
from harness.calibrate.samples import Build, columns
from harness.cost.features import Row
from harness.errors import BadInputError
from harness.records import Platform, Record


class Layer(Record, frozen=True):
    """Estimated cycles of an operator; ``index`` None: of what runs around them."""

    index: int | None
    op: str
    cycles: int


class Calibrated(Record, frozen=True):
    """A calibrated estimate of one inference; nothing of it is measured.

    ``low`` and ``high`` are None where the calibration has no interval, or the estimate was carried to another build to
    which the error of carrying was not measured. ``carried`` says what differs; empty: nothing.
    """

    model: str
    platform: str
    tier: str
    carried: tuple[str, ...]
    clock_hz: int
    cycles: int
    low: int | None
    high: int | None
    basis: str
    layers: tuple[Layer, ...]

    @property
    def milliseconds(self) -> float:
        """Of the inference."""
        return 1e3 * self.cycles / self.clock_hz


def estimate(run: Sequence[Row], known: Calibration, forced: bool) -> Calibrated:
    """The estimate of a run by the family that is nearest to its build.

    Args:
        run: its features, one run's.
        known: a calibration.
        forced: whether it may be another compiler's, library's, kernel set's or flags', which is then said.

    Raises:
        BadInputError: the cost model or the board is another one, or the build is and ``forced`` is not.
    """
    family, differing = family_of(build_of(run[0]), known, forced)
    if family.cost_model != run[0].cost_model:
        raise BadInputError(f"the calibration is of {family.cost_model}, the features of {run[0].cost_model}")
    fitted = Fitted(coefficients=family.coefficients)
    boards: dict[str, Platform] = {}
    layers = tuple(
        Layer(index=row.index, op=row.op, cycles=round(fitted.predict(columns((row,), boards)))) for row in run
    )
    total = sum(layer.cycles for layer in layers)
    carried = family.carried if _measured(family, build_of(run[0])) else None
    bounds = family.bounds if not differing else None if carried is None else carried.bounds
    return Calibrated(
        model=run[0].model,
        platform=run[0].platform,
        tier=f"{family.tier}; carried to another build" if differing else family.tier,
        carried=differing,
        clock_hz=run[0].clock_hz,
        cycles=total,
        low=None if bounds is None else round(total * bounds.low),
        high=None if bounds is None else round(total * bounds.high),
        basis=_basis(family, differing, carried),
        layers=layers,
    )


def family_of(build: Build, known: Calibration, forced: bool) -> tuple[Family, tuple[str, ...]]:
    """The family that is nearest to a build, and what differs.

    Raises:
        BadInputError: the board is another one, or the build is and ``forced`` is not.
    """
    if known.platform != build.platform:
        raise BadInputError(
            f"the calibration is of {known.platform}, and the run is for {build.platform}",
            "boards of one core differ by 10 to 30 %: calibrate this one, or use the uncalibrated estimate",
        )
    family = min(known.families, key=lambda item: len(differences(item, build)))
    differing = differences(family, build)
    if differing and not forced:
        raise BadInputError(
            f"the calibration is of another build: {'; '.join(differing)}",
            "calibrate for this build, or add --carry: the estimate then says so, and has another interval or none",
        )
    return family, differing


def _measured(family: Family, build: Build) -> bool:
    """Whether the error of carrying a family to a build was measured: of other tools, with the same flags."""
    mine, to = family.build, family.carried
    same = (mine.kernels, mine.optimisation, mine.fpu) == (build.kernels, build.optimisation, build.fpu)
    return to is not None and same and (to.compiler, to.library) == (build.compiler, build.library)


def _basis(family: Family, differing: tuple[str, ...], carried: Carried | None) -> str:
    if differing and carried is not None and carried.bounds is not None:
        return f"of the measured firmware by builds with this compiler and library: {carried.bounds.method}"
    if differing:
        return "no interval: the errors of this calibration are of another build"
    if family.bounds is None:
        return f"no interval: {family.networks} networks were measured, too few for one"
    return family.bounds.method


def build_of(row: Row) -> Build:
    """The build that a run's features are of."""
    return Build(
        platform=row.platform,
        kernels=row.kernels,
        optimisation=row.optimisation,
        fpu=bool(row.fpu),
        compiler=row.compiler,
        library=library_of(row),
    )


def differences(family: Family, build: Build) -> tuple[str, ...]:
    """What a run's build differs in from a calibration's, as "compiler: A, not B"."""
    mine = family.build
    found = [
        ("kernels", mine.kernels, build.kernels),
        ("compiler", mine.compiler, build.compiler),
        ("library", mine.library, build.library),
        ("flags", mine.optimisation, build.optimisation),
        ("FPU", "with" if mine.fpu else "without", "with" if build.fpu else "without"),
    ]
    return tuple(f"{name}: {was}, not {now}" for name, was, now in found if was != now)
