"""Board cycles per MAC of every measured layer, from the project's own tables: what MACs say about time, and what not.

Measured latencies are those of results/validation/rows.csv (Heim, Biri, Qu and Thiele, 2021), MACs those of the same
layers in harness/calibrate/public.
"""

from __future__ import annotations

import csv
import itertools
import statistics
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BOARD, CLOCK_HZ = "stm32l496zg", 80_000_000
FLAGS = "-Ofast"
# What the column in_fit says of rows whose time is that of the row's own computation.
_SOUND = ("yes", "a width that no calibration has seen")


@dataclass(frozen=True)
class Spread:
    """Cycles of the board per MAC over the measured layers of one operator: how many, least, median, most."""

    kernels: str
    op: str
    layers: int
    least: float
    median: float
    most: float


def spreads() -> list[Spread]:
    """One for each kernel set and operator that has MACs, int8, on the STM32L496ZG at 80 MHz."""
    macs = _macs()
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    with (ROOT / "results" / "validation" / "rows.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            spec, _, kind = row["network"].rpartition(" ")
            if (row["platform"], row["optimisation"], kind) != (BOARD, FLAGS, "int8") or not row["index"]:
                continue
            if row["in_fit"] not in _SOUND:
                continue
            number = next((macs[name, row["index"]] for name in _files(spec) if (name, row["index"]) in macs), 0)
            if number:
                found[row["kernels"], row["op"]].append(float(row["measured_ms"]) * CLOCK_HZ / 1000 / number)
    return [
        Spread(kernels, op, len(values), min(values), statistics.median(values), max(values))
        for (kernels, op), values in sorted(found.items())
    ]


def _macs() -> dict[tuple[str, str], int]:
    """MACs by file of the network and index of the operator."""
    known = {}
    for name in ("features.csv", "features_unseen.csv"):
        with (ROOT / "harness" / "calibrate" / "public" / name).open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                known[row["model"], row["index"]] = int(row["macs"])
    return known


def _files(spec: str) -> list[str]:
    """Names that the file of a network may have: parameters at their defaults are left out of it."""
    name, _, parameters = spec.partition(":")
    parts = [part.replace("=", "-") for part in parameters.split(",") if part]
    kept = (itertools.compress(parts, bits) for bits in itertools.product((True, False), repeat=len(parts)))
    return ["-".join((name, *some, "int8-io-float32.tflite")) for some in kept]


def table() -> str:
    """The spreads as a Markdown table."""
    lines = ["| kernels | operator | measured layers | least | median | most |", "|---|---|---:|---:|---:|---:|"]
    for item in spreads():
        numbers = " | ".join(f"{value:.1f}" for value in (item.least, item.median, item.most))
        lines.append(f"| {item.kernels} | {item.op} | {item.layers} | {numbers} |")
    return "\n".join(lines)
