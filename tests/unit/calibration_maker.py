"""A board that is known to the last digit: networks whose cycles are made of features by given coefficients."""

from __future__ import annotations

import random

from harness.calibrate.calibration import SCHEMA, Calibration, Family, tier
from harness.calibrate.heldout import Bounds
from harness.calibrate.match import OWN
from harness.calibrate.samples import COLUMNS, Build, Sample
from harness.cost.estimate import MODEL

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


def known(build: Build, coefficients: dict[str, float], bounds: tuple[float, float] | None = (0.9, 1.2)) -> Calibration:
    """A stored calibration with these coefficients, whose interval is by these factors."""
    made = Family(
        build=build,
        tier=tier(build, OWN),
        features_from=OWN,
        features_compiler=build.compiler,
        features_library=build.library,
        cost_model=MODEL,
        coefficients=coefficients,
        networks=5,
        rows=20,
        sources=(),
        data_sha256="",
        features_sha256="",
        without_network=None,
        without_architecture=None,
        bounds=None if bounds is None else Bounds(low=bounds[0], high=bounds[1], method="made up"),
        coverage=0.9,
        covered=None,
        left_out=(),
        residuals=(),
    )
    return Calibration(schema=SCHEMA, platform=build.platform, families=(made,))
