"""A board that is known to the last digit: networks whose cycles are made of features by given coefficients."""

from __future__ import annotations

import random

from harness.calibrate.samples import COLUMNS, Sample

TRUTH = {"core cycles": 1.3, "code lines": 9.0, "data lines": 21.0}


def board(count: int = 12, truth: dict[str, float] | None = None, noise: float = 0.0, seed: int = 1) -> list[Sample]:
    """Networks of three architectures with four layers each; ``noise`` is the largest relative error of a layer."""
    random_ = random.Random(seed)
    made = []
    for number in range(count):
        for index in range(4):
            core = random_.uniform(1e4, 1e6)
            columns = dict.fromkeys(COLUMNS, 0.0) | {
                "core cycles": core,
                "estimate": core * random_.uniform(1.0, 1.5),
                "instructions": core / random_.uniform(1.1, 2.0),
                "code lines": core * random_.uniform(0, 0.03),
                "data lines": core * random_.uniform(0, 0.03),
                "taken branches": core * random_.uniform(0.01, 0.2),
            }
            cycles = sum(value * columns[name] for name, value in (truth or TRUTH).items())
            made.append(
                Sample(
                    network=f"net-{number}",
                    architecture=f"kind-{number % 3}",
                    index=index,
                    op="CONV_2D",
                    columns=columns,
                    cycles=cycles * (1 + random_.uniform(-noise, noise)),
                )
            )
    return made
