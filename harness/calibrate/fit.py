"""Non-negative least squares of relative errors, and the choice of what carries a coefficient.

Each network has the same weight; within one, a layer's squared relative error weighs as much as its part of the
network's cycles, so that no layer has to be left out for being short. A model with more coefficients is taken only
where it lowers the error on networks left out by a tenth at least: that error decides, not the fit's.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence

from harness.calibrate.samples import Sample, architectures, networks, total
from harness.errors import BadInputError, MissingToolError
from harness.records import Record

EXTRA_HINT = "pip install 'tflm-harness[calibrate]'"
MOST_COEFFICIENTS = 4
GAIN = 0.9
_NOISE = 1e-12  # a squared error below which two fits are equally exact

# From simple to complex; a later one has to earn its coefficients.
MODELS: tuple[tuple[str, ...], ...] = (
    ("estimate",),
    ("instructions",),
    ("core cycles", "data lines"),
    ("instructions", "data lines"),
    ("core cycles", "code lines", "data lines"),
    ("core cycles", "code lines", "data lines", "taken branches"),
)


class Fitted(Record, frozen=True):
    """Cycles of each column's unit. A coefficient of 0 was held there by the bound."""

    coefficients: dict[str, float]

    def cycles(self, sample: Sample) -> float:
        """What it predicts for a sample."""
        return self.predict(sample.columns)

    def predict(self, columns: dict[str, float]) -> float:
        """Cycles of some columns' values."""
        return sum(value * columns[name] for name, value in self.coefficients.items())


def require() -> None:
    """Raise MissingToolError where what fits or draws is not installed."""
    for name in ("scipy", "matplotlib"):
        if importlib.util.find_spec(name) is None:
            raise MissingToolError(f"{name} is not installed", EXTRA_HINT)


def fit(samples: Sequence[Sample], names: Sequence[str]) -> Fitted:
    """The coefficients of some columns.

    Raises:
        BadInputError: there is nothing to fit, or a column is zero everywhere and no other is left.
    """
    import numpy as np
    from scipy.optimize import nnls

    if not samples:
        raise BadInputError("nothing to fit: no measured row has features")
    weights = np.sqrt(np.array(_weights(samples)))
    matrix = np.array([[sample.columns[name] / sample.cycles for name in names] for sample in samples])
    matrix *= weights[:, None]
    scale = matrix.max(axis=0)
    scale[scale == 0] = 1.0  # a column that is zero everywhere gets the coefficient 0
    found = nnls(matrix / scale, weights)[0] / scale
    if not found.any():
        raise BadInputError(f"nothing to fit: {', '.join(names)} is 0 in every row")
    return Fitted(coefficients={name: float(value) for name, value in zip(names, found, strict=True)})


def _weights(samples: Sequence[Sample]) -> list[float]:
    totals: dict[str, float] = {}
    for sample in samples:
        totals[sample.network] = totals.get(sample.network, 0.0) + sample.cycles
    return [sample.cycles / totals[sample.network] for sample in samples]


def candidates(samples: Sequence[Sample]) -> tuple[tuple[str, ...], ...]:
    """The models that so many networks can carry: fewer coefficients than networks, but one in any case."""
    most = max(1, min(MOST_COEFFICIENTS, len(networks(samples)) - 1))
    return tuple(names for names in MODELS if len(names) <= most)


def chosen(samples: Sequence[Sample]) -> tuple[str, ...]:
    """The model whose error on networks left out is smallest, by groups of :func:`groups`, simple ones preferred."""
    apart = groups(samples)
    if len(apart) < 2:
        return MODELS[0]
    best, error = MODELS[0], math.inf
    for names in candidates(samples):
        found = _squared(samples, apart, names)
        if found < error * (1.0 if len(names) == len(best) else GAIN**2) - _NOISE:
            best, error = names, found
    return best


def fit_chosen(samples: Sequence[Sample]) -> Fitted:
    """The fit of the model that is chosen."""
    return fit(samples, chosen(samples))


def groups(samples: Sequence[Sample]) -> list[list[Sample]]:
    """What is left out together: architectures, of which there must be three, else networks."""
    names = architectures(samples)
    if len(names) >= 3:
        return [[sample for sample in samples if sample.architecture == name] for name in names]
    return [[sample for sample in samples if sample.network == name] for name in networks(samples)]


def _squared(samples: Sequence[Sample], apart: list[list[Sample]], names: Sequence[str]) -> float:
    """Mean square of the logarithms of predicted / measured of networks left out."""
    squares: list[float] = []
    for group in apart:
        left = {sample.network for sample in group}
        fitted = fit([sample for sample in samples if sample.network not in left], names)
        for network in networks(group):
            own = [sample for sample in group if sample.network == network]
            predicted = sum(fitted.cycles(sample) for sample in own)
            squares.append(math.log(predicted / total(own)) ** 2 if predicted > 0 else math.inf)
    return sum(squares) / len(squares)
