"""Errors on networks that a fit has not seen, and the interval that follows from them.

Everything is done anew without what is left out, the choice of the model included. Networks of one architecture are
much alike, so two errors are told: with the network left out, and with its whole architecture left out. Where there are
four architectures, the interval rests on the second, and an architecture counts once, however many networks it has.

The interval is a conformal one: of n errors (the absolute logarithm of measured / predicted), the one of rank
0.9 (n + 1), rounded up, bounds the next in 90 % of cases if what was left out is exchangeable. Nine are needed for it;
three to eight are taken for normal, by Student's t; with fewer there is no interval.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from harness.calibrate.fit import fit_chosen
from harness.calibrate.samples import Sample, architectures, networks, total
from harness.records import Record

COVERAGE = 0.9
LEAST_CONFORMAL = 9
LEAST_NORMAL = 3
LEAST_ARCHITECTURES = 4


class HeldOut(Record, frozen=True):
    """A network: its measured cycles, and those predicted by fits without it and without its architecture.

    None: nothing else was left to fit to.
    """

    network: str
    architecture: str
    measured: float
    without_network: float | None
    without_architecture: float | None

    @property
    def error(self) -> float | None:
        """Relative error of the prediction without the network."""
        return None if self.without_network is None else self.without_network / self.measured - 1

    @property
    def architecture_error(self) -> float | None:
        """Relative error of the prediction without its architecture."""
        return None if self.without_architecture is None else self.without_architecture / self.measured - 1


class Bounds(Record, frozen=True):
    """Factors from a prediction to the bounds of the truth; ``method`` says how they were found and from what."""

    low: float
    high: float
    method: str


class Summary(Record, frozen=True):
    """Mean and worst absolute relative error of some networks."""

    networks: int
    mean: float
    worst: float


def left_out(samples: Sequence[Sample], applied: Sequence[Sample] | None = None) -> tuple[HeldOut, ...]:
    """Each network by fits without it.

    Args:
        samples: what is fitted to.
        applied: what fits are applied to: the same rows with features of another build; None: ``samples``.
    """
    other = samples if applied is None else applied
    predicted = _without(samples, other, "architecture", architectures(samples))
    alone = _without(samples, other, "network", networks(samples))
    return tuple(
        HeldOut(
            network=network,
            architecture=own[0].architecture,
            measured=total(own),
            without_network=alone.get(network),
            without_architecture=predicted.get(network),
        )
        for network in networks(other)
        if (own := [sample for sample in other if sample.network == network])
    )


def _without(
    samples: Sequence[Sample], applied: Sequence[Sample], field: str, names: Sequence[str]
) -> dict[str, float]:
    found: dict[str, float] = {}
    for name in names:
        rest = [sample for sample in samples if getattr(sample, field) != name]
        if not rest:
            continue
        fitted = fit_chosen(rest)
        for sample in applied:
            if getattr(sample, field) == name:
                found[sample.network] = found.get(sample.network, 0.0) + fitted.cycles(sample)
    return found


def basis(held: Sequence[HeldOut]) -> str:
    """What is left out for the interval: "architecture", of which there must be four, else "network"."""
    return "architecture" if len({item.architecture for item in held}) >= LEAST_ARCHITECTURES else "network"


def prediction(item: HeldOut, by: str) -> float | None:
    """The prediction of a network without what ``by`` says."""
    return item.without_architecture if by == "architecture" else item.without_network


def interval(held: Sequence[HeldOut], by: str) -> Bounds | None:
    """The bounds for another network, by errors of predictions without what ``by`` says; None: too few of them."""
    members: dict[str, list[float]] = {}
    for item in held:
        predicted = prediction(item, by)
        if predicted:
            members.setdefault(getattr(item, by), []).append(math.log(item.measured / predicted))
    count = len(members)
    rest = f"{count} {by}s, each predicted by the others"
    if count >= LEAST_CONFORMAL:
        reach = _conformal(members.values())
        return Bounds(low=math.exp(-reach), high=math.exp(reach), method=f"conformal, {rest}")
    if count < LEAST_NORMAL:
        return None
    mean, reach = _normal(members.values())
    return Bounds(low=math.exp(mean - reach), high=math.exp(mean + reach), method=f"Student's t, {rest}")


def _conformal(groups: Collection[list[float]]) -> float:
    """The smallest absolute error that, with those below, weighs 0.9 (n + 1) of n groups, each of which weighs 1."""
    weighted = sorted((abs(error), 1 / len(group)) for group in groups for error in group)
    needed, weight = math.ceil(COVERAGE * (len(groups) + 1)) - 1e-9, 0.0
    for error, own in weighted:
        weight += own
        if weight >= needed:
            return error
    return weighted[-1][0]


def _normal(groups: Collection[list[float]]) -> tuple[float, float]:
    """Mean, and reach of the prediction interval to both sides, each group weighing the same."""
    from scipy.stats import t

    count = len(groups)
    mean = sum(sum(group) / len(group) for group in groups) / count
    squares = sum(sum((error - mean) ** 2 for error in group) / len(group) for group in groups)
    spread = math.sqrt(squares / (count - 1) * (1 + 1 / count))
    return mean, float(t.ppf((1 + COVERAGE) / 2, count - 1)) * spread


def own_bounds(item: HeldOut, held: Sequence[HeldOut]) -> Bounds | None:
    """Bounds for a network from the errors of others: of other architectures, where errors are told by those."""
    by = basis(held)
    return interval([other for other in held if getattr(other, by) != getattr(item, by)], by)


def covered(item: HeldOut, held: Sequence[HeldOut]) -> bool | None:
    """Whether the truth lies in the bounds that the others give; None where there are none."""
    bounds, predicted = own_bounds(item, held), prediction(item, basis(held))
    if bounds is None or predicted is None:
        return None
    return bounds.low * predicted <= item.measured <= bounds.high * predicted


def summary(errors: Sequence[float | None]) -> Summary | None:
    """Mean and worst of the errors that there are."""
    known = [abs(error) for error in errors if error is not None]
    if not known:
        return None
    return Summary(networks=len(known), mean=sum(known) / len(known), worst=max(known))
