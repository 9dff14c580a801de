"""How much farther a layer's estimated latency is off than its network's, by public measurements of layers.

``layer_spread.csv`` is made by tests/benchmarks/layer_spread.py; nothing in it is typed by hand. Those boards ran other
builds, so that what compilers and libraries do to single kernels is part of it.
"""

from __future__ import annotations

import csv
import functools
from pathlib import Path

PATH = Path(__file__).with_name("layer_spread.csv")


@functools.cache
def _factors() -> dict[str, float]:
    with PATH.open(newline="", encoding="utf-8") as file:
        return {row["kernels"]: float(row["factor"]) for row in csv.DictReader(file)}


def factor(kernels: str | None) -> float:
    """What a layer's share of its network is within, times or divided by, in 90 % of cases; of a kernel set that was
    not measured, the largest."""
    known = _factors()
    return known.get(kernels or "", max(known.values()))
