"""Predicted against measured, for every public row: by the model alone, by a fit, and by fits that have not seen it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from harness import platforms
from harness.calibrate import heldout, match, public_tables
from harness.calibrate.fit import Fitted, fit_chosen
from harness.calibrate.heldout import Bounds, HeldOut
from harness.calibrate.match import Pair
from harness.calibrate.measurements import Measurement
from harness.calibrate.samples import Build, Sample
from harness.cost import evidence
from harness.cost.features import Row
from harness.records import Record

FITTED = "fitted"
UNSEEN = "a width that no calibration has seen"


class Interval(Record, frozen=True):
    """Bounds in milliseconds, and whether the measured time lies between them."""

    low: float
    high: float
    holds: bool


class Validated(Record, frozen=True):
    """A public row, or a network (``index`` and ``op`` are None): milliseconds measured and predicted.

    ``built_by`` is the compiler of the build that was emulated, ``instructions`` what that executes.

    ``uncalibrated`` is the cost model's; ``fitted`` by the calibration of its build family; ``without_network`` and
    ``without_architecture`` by calibrations that have not seen it. None: there is no such prediction. ``used`` is
    "fitted", or why it took no part in the fit; of float32 in a build with CMSIS-NN, that fit predicts nothing. Of what
    no fit has seen, ``fitted`` and ``without_network`` are the same.
    """

    build: Build
    core: str
    network: str
    architecture: str
    index: int | None
    op: str | None
    source: str
    built_by: str
    instructions: int
    measured: float
    uncalibrated: float
    fitted: float | None
    without_network: float | None
    without_architecture: float | None
    used: str


class Network(Record, frozen=True):
    """A network of a build family, and its intervals.

    That of a calibration rests on errors of other architectures or of other networks, as ``calibrated_by`` says, and is
    one around the prediction without that. ``stored`` is that of the calibration as it is, around ``fitted``, of a
    network that it has not seen; of others it would prove nothing, and is None.
    """

    row: Validated
    uncalibrated: Interval | None
    calibrated: Interval | None
    stored: Interval | None
    calibrated_by: str
    calibrated_basis: str


class Validation(Record, frozen=True):
    """Everything: public rows and networks by build family, and the rows that have no features.

    ``unseen`` are the networks of whose sweeps other widths were fitted. In ``rows`` they come last in their family.
    """

    rows: tuple[Validated, ...]
    networks: tuple[Network, ...]
    unseen: tuple[Network, ...]
    missing: tuple[Measurement, ...]
    cost_model: str
    compilers: tuple[str, ...]


def error(predicted: float | None, measured: float) -> float | None:
    """Relative; None where there is no prediction, or nothing was measured."""
    return None if predicted is None or measured == 0 else predicted / measured - 1


def validate(features: Sequence[Row], platform: str | None = None, unseen: Sequence[Row] = ()) -> Validation:
    """Compare all public rows, or those of one board, with their features.

    Args:
        features: of the networks that fits are made to.
        platform: a board, None for all.
        unseen: of further networks, which fits are only applied to.

    Raises:
        BadInputError: the features are of other networks than the rows.
    """
    found, missing = match.pairs(public_tables.load(platform), features)
    further, missing = match.pairs(missing, unseen)
    found += [_unseen(pair) for pair in further]
    rows: list[Validated] = []
    networks: list[Network] = []
    for build, pairs in match.families(found).items():
        predicted = _family(build, pairs)
        rows += predicted
        networks += _networks(predicted, pairs)
    used = [row for pair in found for row in pair.rows]
    return Validation(
        rows=tuple(rows),
        networks=tuple(item for item in networks if item.row.used != UNSEEN),
        unseen=tuple(item for item in networks if item.row.used == UNSEEN),
        missing=tuple(missing),
        cost_model=", ".join(sorted({row.cost_model for row in used})),
        compilers=tuple(sorted({row.compiler for row in used})),
    )


def _unseen(pair: Pair) -> Pair:
    """The pair, kept out of fits."""
    reason = pair.measurement.unfit or UNSEEN
    return msgspec.structs.replace(pair, measurement=msgspec.structs.replace(pair.measurement, unfit=reason))


def _family(build: Build, pairs: Sequence[Pair]) -> list[Validated]:
    samples = _fitted(pairs)
    fitted = fit_chosen(samples) if samples else None
    without = {
        field: {
            name: _without(samples, field, name, fitted) for name in {getattr(pair.sample, field) for pair in pairs}
        }
        for field in ("network", "architecture")
    }
    platform = platforms.load(build.platform)
    scale = 1e3 / platform.clock_hz

    def milliseconds(by: Fitted | None, pair: Pair) -> float | None:
        if by is None or pair.measurement.unfit == public_tables.REFERENCE_CODE:  # the fit is of other kernels
            return None
        return by.cycles(pair.sample) * scale

    return [
        Validated(
            build=build,
            core=platform.core,
            network=pair.sample.network,
            architecture=pair.sample.architecture,
            index=pair.sample.index,
            op=pair.sample.op,
            source=pair.measurement.source,
            built_by=pair.rows[0].compiler,
            instructions=sum(row.instructions for row in pair.rows),
            measured=pair.sample.cycles * scale,
            uncalibrated=pair.sample.columns["estimate"] * scale,
            fitted=milliseconds(fitted, pair),
            without_network=milliseconds(without["network"][pair.sample.network], pair),
            without_architecture=milliseconds(without["architecture"][pair.sample.architecture], pair),
            used=pair.measurement.unfit or FITTED,
        )
        for pair in pairs
    ]


def _without(samples: Sequence[Sample], field: str, name: str, fitted: Fitted | None) -> Fitted | None:
    """The fit that has not seen ``name``; ``fitted`` is that to all samples. None: nothing is left."""
    rest = [item for item in samples if getattr(item, field) != name]
    if len(rest) == len(samples):
        return fitted
    return fit_chosen(rest) if rest else None


def _fitted(pairs: Sequence[Pair]) -> list[Sample]:
    return [pair.sample for pair in pairs if not pair.measurement.unfit]


def _networks(rows: Sequence[Validated], pairs: Sequence[Pair]) -> list[Network]:
    held = heldout.left_out(_fitted(pairs))
    by = heldout.basis(held)
    of_all = heldout.interval(held, by)
    found = []
    for name in dict.fromkeys(row.network for row in rows):
        whole = _whole([row for row in rows if row.network == name])
        if whole is None:
            continue
        predicted = whole.without_architecture if by == "architecture" else whole.without_network
        bounds = heldout.own_bounds(_item(name, whole, held), held)
        found.append(
            Network(
                row=whole,
                uncalibrated=_interval(whole.measured, whole.uncalibrated, _evidence(whole)),
                calibrated=_interval(whole.measured, predicted, bounds),
                stored=_interval(whole.measured, whole.fitted, of_all) if whole.used == UNSEEN else None,
                calibrated_by=by,
                calibrated_basis="" if bounds is None else bounds.method,
            )
        )
    return found


def _item(name: str, whole: Validated, held: Sequence[HeldOut]) -> HeldOut:
    """The network as it was left out; one that took no part in the fit is as if it were."""
    for item in held:
        if item.network == name:
            return item
    return HeldOut(
        network=name,
        architecture=whole.architecture,
        measured=whole.measured,
        without_network=whole.without_network,
        without_architecture=whole.without_architecture,
    )


def _whole(rows: Sequence[Validated]) -> Validated | None:
    """A network's sum of layers that were fitted, or would be; its whole inference; None: neither is there."""
    layers = [row for row in rows if row.used in (FITTED, UNSEEN)]
    if not layers:
        layers = [row for row in rows if row.index is None]
    if not layers:
        return None
    first = layers[0]

    def total(name: str) -> float | None:
        values = [getattr(row, name) for row in layers]
        return None if None in values else sum(values)

    return Validated(
        build=first.build,
        core=first.core,
        network=first.network,
        architecture=first.architecture,
        index=None,
        op=None,
        source=first.source,
        built_by=first.built_by,
        instructions=sum(row.instructions for row in layers),
        measured=sum(row.measured for row in layers),
        uncalibrated=sum(row.uncalibrated for row in layers),
        fitted=total("fitted"),
        without_network=total("without_network"),
        without_architecture=total("without_architecture"),
        used=first.used,
    )


def _evidence(row: Validated) -> Bounds | None:
    """The uncalibrated model's bounds, as they would be without any measurement of this architecture."""
    kernels = "reference" if row.used == public_tables.REFERENCE_CODE else row.build.kernels
    rest = [item for item in evidence.of(row.built_by) if item.family != row.architecture]
    cases = {item.case for item in rest if item.kernels == kernels}
    if len(cases) < 2:
        return None
    found = evidence.bounds(rest, row.core, kernels)
    return Bounds(low=found.low, high=found.high, method=found.basis)


def _interval(measured: float, predicted: float | None, bounds: Bounds | None) -> Interval | None:
    if predicted is None or bounds is None:
        return None
    low, high = predicted * bounds.low, predicted * bounds.high
    return Interval(low=low, high=high, holds=low <= measured <= high)


def board_order(networks: Iterable[Network]) -> list[str]:
    """The boards, sorted."""
    return sorted({item.row.build.platform for item in networks})
