"""The search space: which networks and builds are candidates, as axes of values, and what a choice of them means."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from harness.library import KERNEL_SETS, OPTIMISATIONS
from harness.records import Record
from harness.toml_file import refuse
from harness.zoo.families import FAMILIES, Architecture, families_for

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

    from harness.zoo.data import Data

Value = int | float | str
Type = Literal["int8", "float32"]
Chosen = Mapping[str, Value]

_MOST_ENUMERATED = 20_000
_TYPES = ("int8", "float32")
_HEADS = ("average", "flatten")


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Range(_Table, frozen=True, kw_only=True):
    """Whole numbers from ``least`` to ``most``, both included, ``step`` apart."""

    least: Annotated[int, msgspec.Meta(ge=1)]
    most: Annotated[int, msgspec.Meta(ge=1)]
    step: Annotated[int, msgspec.Meta(ge=1)] = 1


_Whole = Annotated[tuple[Annotated[int, msgspec.Meta(ge=1, le=4096)], ...], msgspec.Meta(min_length=1)]
_Numbers = Annotated[tuple[float, ...], msgspec.Meta(min_length=1)]
_Texts = Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]


class Space(_Table, frozen=True, kw_only=True):
    """The axes. Each is a list of values; ``channels`` may be a table { least, most, step } as well.

    ``families``: dense, cnn, ds-cnn and residual for images, dense and conv1d for time series; empty: all that take the
    data. ``channels`` are the filters of the first block (units, of dense); each further block has ``growth`` times as
    many. ``depth`` is the number of blocks, ``kernel`` the width of their kernels, ``stride`` the step of the first
    one, ``pool`` that of the pooling (or of the stride) behind each block. ``head``: "average" over the map, or
    "flatten" it. ``pruning`` is the share of channels that training is followed by removing. ``types``, ``kernels`` and
    ``optimisation`` are how it is built: int8 or float32, reference or cmsis-nn, -Os, -O2, -O3 or -Ofast.
    """

    families: tuple[str, ...] = ()
    channels: Range | _Whole = Range(least=4, most=24)
    depth: _Whole = (1, 2, 3)
    kernel: _Whole = (3, 5)
    stride: _Whole = (1, 2)
    pool: _Whole = (2,)
    growth: _Numbers = (1.0, 1.5, 2.0)
    head: _Texts = _HEADS
    pruning: _Numbers = (0.0,)
    types: _Texts = ("int8",)
    kernels: _Texts = ("cmsis-nn",)
    optimisation: _Texts = ("-O2",)

    def check(self, path: Path, found: Data) -> None:
        """Refuse values that there are not, and families that do not take the data.

        Raises:
            BadInputError: one of them; the message names the file and the key.
        """
        possible = families_for(found.train_inputs.shape[1:])
        for key, values, known in (
            ("families", self.families, possible),
            ("head", self.head, _HEADS),
            ("types", self.types, _TYPES),
            ("kernels", self.kernels, KERNEL_SETS),
            ("optimisation", self.optimisation, OPTIMISATIONS),
        ):
            for value in values:
                if value not in known:
                    why = f"unknown value {value!r}" if value not in FAMILIES else f"{value} does not take {found.name}"
                    refuse(path, f"space.{key}", why, f"one of {', '.join(known)}")
        if isinstance(self.channels, Range) and self.channels.least > self.channels.most:
            refuse(path, "space.channels", f"from {self.channels.least} to {self.channels.most} there is nothing")
        for key, numbers, low, high in (("growth", self.growth, 0.25, 4.0), ("pruning", self.pruning, 0.0, 0.9)):
            for number in numbers:
                if not low <= number <= high:
                    refuse(path, f"space.{key}", f"{number:g} is not from {low:g} to {high:g}")

    def axes(self, shape: tuple[int, ...]) -> dict[str, tuple[Value, ...]]:
        """The values of each axis by its name, for inputs of that shape; each value once, numbers in order."""
        channels = self.channels
        if isinstance(channels, Range):
            channels = tuple(range(channels.least, channels.most + 1, channels.step))
        given: dict[str, tuple[Value, ...]] = {
            "family": self.families or families_for(shape),
            "channels": channels,
            "depth": self.depth,
            "kernel": self.kernel,
            "stride": self.stride,
            "pool": self.pool,
            "growth": self.growth,
            "head": self.head,
            "pruning": self.pruning,
            "type": self.types,
            "kernels": self.kernels,
            "optimisation": self.optimisation,
        }
        return {name: _each_once(values) for name, values in given.items()}


def _each_once(values: tuple[Value, ...]) -> tuple[Value, ...]:
    once = dict.fromkeys(values)
    return tuple(once) if any(isinstance(value, str) for value in once) else tuple(sorted(once, key=float))


class Candidate(Record, frozen=True):
    """A network and how it is built; two of one meaning are equal. ``pruning`` is the share of channels that go."""

    architecture: Architecture
    type: Type
    pruning: float
    kernels: str
    optimisation: str

    @property
    def label(self) -> str:
        """In one line: "ds-cnn channels=12 depth=3 kernel=3 ... int8 cmsis-nn -O2"."""
        pruned = f" pruning={self.pruning:g}" if self.pruning else ""
        return f"{self.architecture.label}{pruned} {self.type} {self.kernels} {self.optimisation}"

    @property
    def key(self) -> str:
        """Twelve hexadecimal digits that stand for it."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()[:12]

    @property
    def network(self) -> Network:
        """What of it decides weights and outputs."""
        return Network(architecture=self.architecture, type=self.type, pruning=self.pruning)


class Network(Record, frozen=True):
    """A candidate without how it is compiled."""

    architecture: Architecture
    type: Type
    pruning: float


def candidate(chosen: Chosen, shape: tuple[int, ...], classes: int) -> Candidate:
    """What values of the axes stand for; values that have no meaning for its family are left out.

    Args:
        chosen: a value for each axis of ``Space.axes``.
        shape: of an input, without the batch.
        classes: how many outputs there are.
    """
    values: dict[str, Any] = {name: chosen[name] for name in FAMILIES[str(chosen["family"])]}
    architecture = Architecture(family=str(chosen["family"]), shape=shape, classes=classes, **values)
    return Candidate(
        architecture=architecture.normalised(),
        type="float32" if chosen["type"] == "float32" else "int8",
        pruning=float(chosen["pruning"]),
        kernels=str(chosen["kernels"]),
        optimisation=str(chosen["optimisation"]),
    )


def combinations(axes: Mapping[str, tuple[Value, ...]]) -> int:
    """How many choices of values there are; several may stand for the same candidate."""
    return math.prod(len(values) for values in axes.values())


def enumerated(
    axes: Mapping[str, tuple[Value, ...]], shape: tuple[int, ...], classes: int, most: int
) -> tuple[dict[str, Value], ...] | None:
    """A choice of values for each candidate of the space, where there are at most so many; None: there are more."""
    if combinations(axes) > _MOST_ENUMERATED:
        return None
    found: dict[Candidate, dict[str, Value]] = {}
    for chosen in _all(axes):
        found.setdefault(candidate(chosen, shape, classes), chosen)
        if len(found) > most:
            return None
    return tuple(found.values())


def _all(axes: Mapping[str, tuple[Value, ...]]) -> Iterator[dict[str, Value]]:
    for values in itertools.product(*axes.values()):
        yield dict(zip(axes, values, strict=True))


def distributions(axes: Mapping[str, tuple[Value, ...]]) -> dict[str, BaseDistribution]:
    """The axes as Optuna takes them: whole numbers at equal distances are a range, everything else are categories."""
    from optuna.distributions import CategoricalDistribution, IntDistribution

    made: dict[str, BaseDistribution] = {}
    for name, values in axes.items():
        whole = [value for value in values if isinstance(value, int)]
        steps = {after - before for before, after in itertools.pairwise(whole)}
        if len(whole) == len(values) and len(steps) <= 1:
            made[name] = IntDistribution(whole[0], whole[-1], step=steps.pop() if steps else 1)
        else:
            made[name] = CategoricalDistribution(values)
    return made
