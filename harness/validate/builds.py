"""What another compiler and another kernel library do to estimates, measured on the public rows.

Two builds of each public network are emulated: the one that is nearest to the board's, and this project's usual one.
The first says how good the model is; the second what it means to estimate a board's firmware by a build of one's own. A
calibration that was fitted to the first and is applied to the second is carried: its errors are those of carrying.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.calibrate import match, public_tables
from harness.calibrate.fit import fit_chosen
from harness.calibrate.heldout import Summary, summary
from harness.calibrate.match import Pair
from harness.cost.features import Row
from harness.records import Record
from harness.validate.rows import Network, Validation, error
from harness.validate.summary import counted

_Key = tuple[str, str, str, str, bool]


class Builds(Record, frozen=True):
    """A board and a kernel set, by errors of its networks in both builds.

    ``ratio`` is how many instructions the usual build executes for one of the nearest: geometric mean, least and most.
    ``carried`` are errors of calibrations by the nearest build, without the network, of the usual one.
    """

    platform: str
    kernels: str
    networks: int
    ratio: tuple[float, float, float]
    nearest: Summary | None
    usual: Summary | None
    nearest_calibrated: Summary | None
    usual_calibrated: Summary | None
    carried: Summary | None


def compare(
    nearest: Validation, usual: Validation, features: Sequence[Row], other: Sequence[Row]
) -> tuple[Builds, ...]:
    """By board and kernel set, of networks that both builds have.

    Args:
        nearest, usual: what was compared with the boards.
        features, other: their features.
    """
    first, second = ({_key(item): item for item in counted(found.networks)} for found in (nearest, usual))
    carried = _carried(features, other)
    common = [key for key in first if key in second]
    return tuple(
        _line(*board, [(first[key], second[key], carried.get(key)) for key in common if (key[0], key[1]) == board])
        for board in sorted({(key[0], key[1]) for key in common})
    )


def _key(item: Network) -> _Key:
    build = item.row.build
    return build.platform, build.kernels, item.row.network, build.optimisation, build.fpu


def _line(platform: str, kernels: str, items: Sequence[tuple[Network, Network, float | None]]) -> Builds:
    ratios = [usual.row.instructions / nearest.row.instructions for nearest, usual, _ in items]
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))

    def errors(place: int, of: str) -> Summary | None:
        rows = [(nearest.row, usual.row)[place] for nearest, usual, _ in items]
        return summary([error(getattr(row, of), row.measured) for row in rows])

    return Builds(
        platform=platform,
        kernels=kernels,
        networks=len(items),
        ratio=(mean, min(ratios), max(ratios)),
        nearest=errors(0, "uncalibrated"),
        usual=errors(1, "uncalibrated"),
        nearest_calibrated=errors(0, "without_network"),
        usual_calibrated=errors(1, "without_network"),
        carried=summary([item[2] for item in items]),
    )


def _carried(features: Sequence[Row], other: Sequence[Row]) -> dict[_Key, float | None]:
    """The error of each network in the usual build, by a calibration to the nearest one that has not seen it."""
    measured = public_tables.load()
    mine, theirs = (match.families(match.pairs(measured, rows)[0]) for rows in (features, other))
    found: dict[_Key, float | None] = {}
    for build, pairs in mine.items():
        known, applied = _fitted(pairs), _fitted(theirs.get(build, []))
        for network in sorted({pair.sample.network for pair in applied}):
            rest = [pair.sample for pair in known if pair.sample.network != network]
            own = [pair.sample for pair in applied if pair.sample.network == network]
            if rest:
                fitted = fit_chosen(rest)
                predicted = sum(fitted.cycles(sample) for sample in own)
                key = (build.platform, build.kernels, network, build.optimisation, build.fpu)
                found[key] = error(predicted, sum(sample.cycles for sample in own))
    return found


def _fitted(pairs: Sequence[Pair]) -> list[Pair]:
    return [pair for pair in pairs if not pair.measurement.unfit]
