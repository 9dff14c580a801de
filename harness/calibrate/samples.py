"""What a calibration is fitted to: a layer, or a whole network, with its features and the cycles that a board took."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from harness import platforms
from harness.cost import estimate
from harness.cost.features import Features, Row
from harness.records import Platform, Record


class Build(Record, frozen=True):
    """A build family of a board: measurements of one family are fitted together, and no others.

    ``compiler`` and ``library`` are what they call themselves, or what is known of them; ``fpu``: whether floating
    point is done by the FPU.
    """

    platform: str
    kernels: str
    optimisation: str
    fpu: bool
    compiler: str
    library: str

    @property
    def label(self) -> str:
        """The board, the kernel set and the flags."""
        return f"{self.platform} {self.kernels} {self.optimisation}{'' if self.fpu else ' no FPU'}"


# What may carry a coefficient: cycles of one each. "estimate" is the uncalibrated model as a whole.
COLUMNS: dict[str, Callable[[Features, Platform], float]] = {
    "estimate": estimate.cycles,
    "core cycles": lambda features, _: features.core_cycles,
    "instructions": lambda features, _: float(features.instructions),
    "code lines": lambda features, _: (
        0.0 if features.flash is None else float(features.flash.jump_misses + features.flash.onward_misses)
    ),
    "data lines": lambda features, _: 0.0 if features.flash is None else float(features.flash.load_misses),
    "taken branches": lambda features, _: float(features.taken),
}


class Sample(Record, frozen=True):
    """One measured row with its features.

    ``network`` is what is left out together ("lenet int8"), ``architecture`` what networks of one kind have in common
    ("lenet"). ``index`` None: the whole network. ``columns`` are values of ``COLUMNS``; ``cycles`` was measured.
    """

    network: str
    architecture: str
    index: int | None
    op: str
    columns: dict[str, float]
    cycles: float


def columns(rows: Iterable[Row], boards: dict[str, Platform]) -> dict[str, float]:
    """The columns of an operator, or the sums over several; ``boards`` keeps what is read of platforms."""
    found = dict.fromkeys(COLUMNS, 0.0)
    for row in rows:
        if row.platform not in boards:
            boards[row.platform] = platforms.load(row.platform)
        features = row.features
        for name, of in COLUMNS.items():
            found[name] += of(features, boards[row.platform])
    return found


def networks(samples: Iterable[Sample]) -> list[str]:
    """The networks of some samples, sorted."""
    return sorted({sample.network for sample in samples})


def architectures(samples: Iterable[Sample]) -> list[str]:
    """Their architectures, sorted."""
    return sorted({sample.architecture for sample in samples})


def total(samples: Sequence[Sample]) -> float:
    """Their measured cycles."""
    return sum(sample.cycles for sample in samples)
