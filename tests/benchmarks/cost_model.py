"""How far the cost model is from public measurements of boards; writes what its bounds rest on.

    python tests/benchmarks/cost_model.py [--evidence harness/cost/evidence.csv]

Reads the features in harness/calibrate/public (``harness validate --emulate`` makes them) and compares their estimates
with the tables of harness/reproduce/heim2021 and with two results of MLPerf Tiny v0.5, of the build that is nearest to
the boards' and of this project's usual build. It prints estimated / measured of each network family, and how often the
bounds that follow from all other families held the truth.

Layers whose measurement is of another computation (heim2021/README.md) and SOFTMAX, whose work depends on weights that
are not known, are left out of both sides.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness.calibrate import inputs, public_tables
from harness.cost import evidence
from harness.cost.evidence import Measured
from harness.validate import rows, summary
from harness.validate.rows import Validated


def measured() -> Iterator[Measured]:
    """Every network with its estimates."""
    for features, same in ((public_tables.FEATURES, True), (public_tables.USUAL_FEATURES, False)):
        for item in summary.counted(rows.validate(inputs.features_of([features])).networks):
            yield of(item.row, same)


def of(row: Validated, same_compiler: bool) -> Measured:
    network, kind = public_tables.spec_of(row.network)
    return Measured(
        platform=row.build.platform,
        core=row.core,
        family=row.architecture,
        network=network,
        type=kind,
        kernels=row.build.kernels,
        optimisation=row.build.optimisation,
        fpu=row.build.fpu,
        measured_ms=round(row.measured, 4),
        estimated_ms=round(row.uncalibrated, 4),
        compiler=row.built_by,
        same_compiler=same_compiler,
        source=row.source,
    )


def show_errors(known: Sequence[Measured]) -> None:
    print("\nestimated / measured - 1 of whole networks")
    for platform, kernels in sorted({(row.platform, row.kernels) for row in known}):
        own = [row for row in known if (row.platform, row.kernels) == (platform, kernels)]
        for family in sorted({(row.family, row.type) for row in own}):
            errors = [row.estimated_ms / row.measured_ms - 1 for row in own if (row.family, row.type) == family]
            mean, worst = sum(map(abs, errors)) / len(errors), max(map(abs, errors))
            label = " ".join(family)
            bias = 100 * sum(errors) / len(errors)
            print(
                f"  {platform} {kernels:9} {label:24} n={len(errors):2} bias {bias:+6.1f} %"
                f" mean {100 * mean:5.1f} % worst {100 * worst:5.1f} %"
            )


def show_coverage(known: Sequence[Measured]) -> None:
    print("\nbounds: share of networks between the bounds that follow from all other families")
    for core, kernels in sorted({(row.core, row.kernels) for row in known}):
        found = evidence.bounds(known, core, kernels)
        print(
            f"  {core} {kernels:9} held {100 * found.held:.0f} %; {found.low:.2f} to {found.high:.2f} ({found.basis})"
        )


def write(known: Sequence[Measured], path: Path) -> None:
    names = Measured.__struct_fields__
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        for row in known:
            values = [getattr(row, name) for name in names]
            writer.writerow(str(value).lower() if isinstance(value, bool) else value for value in values)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--evidence", type=Path, help="write the evidence here")
    arguments = parser.parse_args()
    known = list(measured())
    if arguments.evidence is not None:
        write(known, arguments.evidence)
    for same in (True, False):
        own = [row for row in known if row.same_compiler is same]
        print(f"\n== {'the boards own compiler' if same else 'the usual build'}: {own[0].compiler}")
        show_errors(own)
        show_coverage(own)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
