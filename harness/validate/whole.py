"""Everything that the validation compares: times, energies, and what another build does to estimates of time."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from harness.cost.features import Row
from harness.records import Record
from harness.validate import builds, energy, rows
from harness.validate.builds import Builds
from harness.validate.energy import Energy
from harness.validate.rows import Validation


class Whole(Record, frozen=True):
    """Times of the build that is nearest to the boards', energies by them, and that build beside the usual one."""

    times: Validation
    energies: tuple[Energy, ...]
    builds: tuple[Builds, ...]


def validate(
    features: Sequence[Row], usual: Sequence[Row], platform: str | None = None, unseen: Sequence[Row] = ()
) -> Whole:
    """Compare all public rows, or those of one board.

    Args:
        features: of the builds that estimates are made of.
        usual: of others, this project's usual ones; empty: they are not set beside the first.
        platform: a board, None for all.
        unseen: of further networks in the first builds, which nothing is fitted to.

    Raises:
        BadInputError: the features are of other networks than the rows.
    """
    times = rows.validate(features, platform, unseen)
    beside = builds.compare(times, rows.validate(usual, platform), features, usual) if usual else ()
    return Whole(times=times, energies=energy.energies(times), builds=beside)


def to_json(found: Whole) -> bytes:
    """The times' fields, "energies" and "builds", indented."""
    content = {**msgspec.to_builtins(found.times), **msgspec.to_builtins({"energies": found.energies})}
    content["builds"] = msgspec.to_builtins(found.builds)
    return msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n"
