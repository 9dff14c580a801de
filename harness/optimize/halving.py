"""Successive halving: every network is trained a little, the promising ones longer, the best of all to the end.

Optuna's pruners do not work with several objectives, so this is done outside of it. The rule looks at what came before
a trial and at its own batch, never at the clock: the same study promotes the same networks, however many run at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.records import Record


class Standing(Record, frozen=True):
    """A network at a rung: its accuracy there, 0 to 1, and its costs in the objectives, less being better."""

    trial: int
    accuracy: float
    costs: tuple[float, ...]


def rungs(epochs: int, halving: int, least: int = 2) -> tuple[int, ...]:
    """Epochs of each rung, the last with all of them: 18 by 3 gives 2, 6, 18. None has fewer than ``least`` but the
    last."""
    found = [epochs]
    while found[0] // halving >= least:
        found.insert(0, found[0] // halving)
    return tuple(found)


def promoted(batch: Sequence[Standing], before: Sequence[Standing], halving: int) -> tuple[int, ...]:
    """The trials of a batch that go on to the next rung.

    Those whose accuracy is among the best ``1 / halving`` of all that reached this rung so far, and those that none of
    them beats in every objective. The batch is ranked as a whole, behind all that came before it.

    Args:
        batch: the trials that reached this rung now, in the order of their numbers.
        before: the trials of earlier batches that reached it.
        halving: by how much the field shrinks.
    """
    field = [*before, *batch]
    room = math.ceil(len(field) / halving)
    best = sorted(field, key=lambda item: (-item.accuracy, item.trial))[:room]
    chosen = {item.trial for item in best}
    chosen |= {item.trial for item in batch if not any(_beats(other, item) for other in field)}
    return tuple(item.trial for item in batch if item.trial in chosen)


def _beats(one: Standing, other: Standing) -> bool:
    pairs = list(zip(one.costs, other.costs, strict=True))
    return all(mine <= theirs for mine, theirs in pairs) and any(mine < theirs for mine, theirs in pairs)
