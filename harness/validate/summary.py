"""Errors and coverage by board and kernel set, and what is reached of the goals. Nothing in here is set by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.calibrate import public_tables
from harness.calibrate.heldout import Summary, summary
from harness.records import Record
from harness.validate.rows import Interval, Network, error

# Mean and worst error on networks that were not fitted, by core.
GOALS = {"cortex-m4": (0.03, 0.08), "cortex-m7": (0.06, 0.15)}
UNCALIBRATED_GOAL = 0.15
COVERAGE_GOAL = 0.9


class Share(Record, frozen=True):
    """Of how many networks with an interval it held the truth."""

    inside: int
    networks: int


class Line(Record, frozen=True):
    """A board and a kernel set."""

    platform: str
    core: str
    kernels: str
    networks: int
    uncalibrated: Summary | None
    uncalibrated_held: Share
    without_network: Summary | None
    without_architecture: Summary | None
    calibrated_held: Share


class Kind(Record, frozen=True):
    """Networks that no calibration has seen, of one architecture, or of all: by the model, and by calibrations.

    ``stored`` is of calibrations as they are, which know other widths of the sweep.
    """

    platform: str
    kernels: str
    architecture: str | None
    networks: int
    uncalibrated: Summary | None
    uncalibrated_held: Share
    stored: Summary | None
    stored_held: Share
    without_architecture: Summary | None
    calibrated_held: Share


def kinds(unseen: Sequence[Network]) -> tuple[Kind, ...]:
    """By board and kernel set: of each architecture, then of all together."""
    found: list[Kind] = []
    for platform, kernels in sorted({(item.row.build.platform, item.row.build.kernels) for item in unseen}):
        own = [item for item in unseen if (item.row.build.platform, item.row.build.kernels) == (platform, kernels)]
        for name in sorted({item.row.architecture for item in own}):
            found.append(_kind(platform, kernels, name, [item for item in own if item.row.architecture == name]))
        found.append(_kind(platform, kernels, None, own))
    return tuple(found)


def _kind(platform: str, kernels: str, architecture: str | None, networks: Sequence[Network]) -> Kind:
    return Kind(
        platform=platform,
        kernels=kernels,
        architecture=architecture,
        networks=len(networks),
        uncalibrated=_errors(networks, lambda item: item.row.uncalibrated),
        uncalibrated_held=shares([item.uncalibrated for item in networks]),
        stored=_errors(networks, lambda item: item.row.fitted),
        stored_held=shares([item.stored for item in networks]),
        without_architecture=_errors(networks, lambda item: item.row.without_architecture),
        calibrated_held=shares([item.calibrated for item in networks]),
    )


def worst(unseen: Sequence[Network], count: int) -> tuple[Network, ...]:
    """Those that stored calibrations are furthest off: ``count`` of each board and kernel set."""
    groups: dict[tuple[str, str], list[Network]] = {}
    for item in sorted(unseen, key=lambda item: -abs(error(item.row.fitted, item.row.measured) or 0.0)):
        if item.row.fitted is not None:
            groups.setdefault((item.row.build.platform, item.row.build.kernels), []).append(item)
    return tuple(item for key in sorted(groups) for item in groups[key][:count])


def counted(networks: Sequence[Network]) -> list[Network]:
    """The networks without those that a kernel set has no kernels for: they would be counted twice."""
    return [item for item in networks if item.row.used != public_tables.REFERENCE_CODE]


def lines(networks: Sequence[Network]) -> tuple[Line, ...]:
    """By board and kernel set."""
    known = counted(networks)
    keys = sorted({(item.row.build.platform, item.row.core, item.row.build.kernels) for item in known})
    return tuple(
        _line(*key, [item for item in known if (item.row.build.platform, item.row.build.kernels) == (key[0], key[2])])
        for key in keys
    )


def _line(platform: str, core: str, kernels: str, networks: Sequence[Network]) -> Line:
    return Line(
        platform=platform,
        core=core,
        kernels=kernels,
        networks=len(networks),
        uncalibrated=_errors(networks, lambda item: item.row.uncalibrated),
        uncalibrated_held=shares([item.uncalibrated for item in networks]),
        without_network=_errors(networks, lambda item: item.row.without_network),
        without_architecture=_errors(networks, lambda item: item.row.without_architecture),
        calibrated_held=shares([item.calibrated for item in networks]),
    )


def _errors(networks: Sequence[Network], of: Callable[[Network], float | None]) -> Summary | None:
    return summary([error(of(item), item.row.measured) for item in networks])


def shares(intervals: Sequence[Interval | None]) -> Share:
    """How many of the intervals that there are hold."""
    known = [interval for interval in intervals if interval is not None]
    return Share(inside=sum(interval.holds for interval in known), networks=len(known))


def reached(line: Line) -> bool | None:
    """Whether a calibration meets the goal on networks left out; None: there is no goal, or nothing to tell it by."""
    goal, found = GOALS.get(line.core), line.without_network
    if goal is None or found is None:
        return None
    return found.mean <= goal[0] and found.worst <= goal[1]
