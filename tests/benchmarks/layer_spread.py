"""How much farther a layer's estimate is off than its network's; writes what bounds of layers rest on.

    python tests/benchmarks/layer_spread.py [--output harness/energy/layer_spread.csv]

Of each public measurement of a layer (harness/validate), by the uncalibrated cost model and this project's usual build:
the estimate's share of the network's estimate over the measured share of the measured network. What all layers of a
network are off by cancels in it. Layers of less than a hundredth of their network are left out: their energy is of no
weight, and the boards' timers say little of them. The column ``factor`` is what that ratio, or its inverse, stays below
in 90 % of the layers of a kernel set; every network family on a board counts as much as any other.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness.calibrate import inputs, public_tables
from harness.validate import rows
from harness.validate.rows import FITTED, Validated

COVERAGE = 0.9
LEAST_SHARE = 0.01


def ratios() -> dict[str, list[tuple[float, float]]]:
    """Of each kernel set: logarithms of the ratios, with their weights."""
    networks: dict[tuple[object, str], list[Validated]] = defaultdict(list)
    for row in rows.validate(inputs.features_of([public_tables.USUAL_FEATURES])).rows:
        if row.index is not None and row.used == FITTED and row.measured > 0:
            networks[row.build, row.network].append(row)
    cases: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for layers in networks.values():
        measured, estimated = (sum(getattr(row, name) for row in layers) for name in ("measured", "uncalibrated"))
        for row in layers:
            if len(layers) > 1 and row.measured >= LEAST_SHARE * measured:
                ratio = row.uncalibrated / estimated / (row.measured / measured)
                cases[row.build.kernels, row.build.platform, row.architecture].append(abs(math.log(ratio)))
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for (kernels, _, _), logs in cases.items():
        found[kernels] += [(value, 1 / len(logs)) for value in logs]
    return found


def quantile(weighted: list[tuple[float, float]]) -> float:
    """What the values stay below in the share COVERAGE of the weight."""
    total, so_far = sum(weight for _, weight in weighted), 0.0
    for value, weight in sorted(weighted):
        so_far += weight
        if so_far >= COVERAGE * total:
            return value
    return max(weighted)[0]


def main() -> None:
    """Print, and write where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    lines = [("kernels", "factor", "layers")]
    for kernels, weighted in sorted(ratios().items()):
        lines.append((kernels, f"{math.exp(quantile(weighted)):.3f}", str(len(weighted))))
    for line in lines:
        print(*line)
    if given.output is not None:
        with given.output.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(lines)


if __name__ == "__main__":
    main()
