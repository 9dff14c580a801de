"""How far the cost model is from public measurements of boards; writes what its bounds rest on.

    python tests/benchmarks/cost_model.py --work FOLDER [--evidence harness/cost/evidence.csv]

Runs networks of the zoo with ``--cycles`` (about 90 runs, some minutes; the features of each are kept in FOLDER, so
that it goes on where it was) and compares their estimates with the tables of harness/reproduce/heim2021 and with two
results of MLPerf Tiny v0.5. It prints, for each board and kernel set,

* estimated / measured of whole networks, uncalibrated,
* the error of each network by a fit to all others: at most four non-negative coefficients, least squares of relative
  errors of layers (of networks where layers were not measured), and
* how often the bounds that follow from all other families held the truth.

Fits are shown without 1x1 convolutions, too: CMSIS-NN 4.0.0 has kernels for them, that of 2020 had none.

Layers whose measurement is of another computation (heim2021/README.md) are left out of both sides. SOFTMAX is left out
of fits, since its work depends on weights that are not known, and so are layers of less than 0.2 ms.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness import pipeline, platforms
from harness.cost import estimate, evidence, features, table
from harness.cost.features import Row
from harness.reproduce.measured import FOLDER, LONGEST_INPUT
from harness.zoo import make, networks
from harness.zoo.recipe import recipe

BOARDS = ("stm32l496zg", "stm32f469ni", "stm32f767zi")
KERNELS = ("reference", "cmsis-nn")
HEIM = "Heim, Biri, Qu, Thiele 2021, github.com/lheim/TFLM-Evaluation"
# Reference results on NUCLEO-L4R5ZI with CMSIS-NN, milliseconds. Their flags are not stated: mbed-os releases use -Os.
MLPERF = "mlcommons/tiny_results_v0.5, closed/reference/results/Nucleo-L4R5ZI"
MLPERF_MS = {"mlperf-ad": 10.052, "mlperf-kws": 181.92}
SHORTEST_MS = 0.2


class Case(NamedTuple):
    """One build of one network on a board."""

    network: str
    type: str
    platform: str
    kernels: str
    optimisation: str
    fpu: bool

    @property
    def family(self) -> str:
        return self.network.split(":")[0]

    @property
    def name(self) -> str:
        fpu = "fpu" if self.fpu else "nofpu"
        network = self.network.replace(":", "-").replace(",", "-").replace("=", "")
        return "_".join((network, self.type, self.platform, self.kernels, self.optimisation, fpu))


class Run(NamedTuple):
    """Its features, and the milliseconds that were measured: of layers by index, and of the whole."""

    case: Case
    rows: tuple[Row, ...]
    layers_ms: dict[int, float]
    whole_ms: float


def cases() -> Iterator[Case]:
    """What is run."""
    for kind, platform, kernels in itertools.product(("int8", "float32"), BOARDS, KERNELS):
        if kind == "float32" and kernels == "cmsis-nn":
            continue  # the same code as with the reference kernels
        for optimisation, fpu in itertools.product(("-Ofast", "-Os"), (True, False)):
            yield Case("lenet", kind, platform, kernels, optimisation, fpu)
    for network in MLPERF_MS:
        yield Case(network, "int8", "stm32l4r5zi", "cmsis-nn", "-Os", True)
    for kernels in KERNELS:
        swept = [f"heim-dense:units={units}" for units in (440, 447, 450, 461, 476, 499)]
        swept += [f"heim-conv:filters={f},kernel={k}" for f in (100, 105, 110) for k in (1, 3)]
        swept += [f"heim-depthwise:filters={f},kernel={k}" for f in (100, 107) for k in (1, 3, 5)]
        if kernels == "cmsis-nn":
            swept += [f"heim-conv-stack:filters={f},kernel={k}" for f in (3, 4, 10, 16) for k in (1, 3, 7)]
        for network in swept:
            yield Case(network, "int8", "stm32l496zg", kernels, "-Ofast", True)


def collect(case: Case, work: Path, made: Path) -> tuple[Row, ...]:
    """The features of a case, from the folder or from a run."""
    stored = work / f"{case.name}.csv"
    if not stored.exists():
        result = pipeline.run(
            made,
            case.platform,
            kernels=case.kernels,
            optimisation=case.optimisation,
            fpu=None if case.fpu else False,
            cycles=True,
            time_limit_s=600.0,
        )
        stored.write_text(features.to_csv(table.of(result)), encoding="utf-8")
        print(f"{case.name}: {result.counts.total:,} instructions", file=sys.stderr, flush=True)
    return features.read_csv(stored)


def files(wanted: Sequence[Case]) -> dict[tuple[str, str], Path]:
    """The networks' files, made where they are missing."""
    names = sorted({(case.network, case.type) for case in wanted if case.family not in MLPERF_MS})
    recipes = [recipe(networks.parse(network), type=kind, io="float32") for network, kind in names]
    return {name: made.path for name, made in zip(names, make.many(recipes), strict=True)}


# --- what was measured -----------------------------------------------------------------------------------------------


def table_of(name: str) -> list[dict[str, str]]:
    with (FOLDER / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


class Published:
    """The tables by what is asked of them."""

    def __init__(self) -> None:
        self._layers: dict[tuple[str, str, str], dict[int, tuple[str, float]]] = {}
        for row in table_of("lenet_layers"):
            key = ("lenet " + row["type"], row["platform"], row["kernels"])
            self._layers.setdefault(key, {})[int(row["index"])] = (row["op"], float(row["latency_ms"]))
        for row in table_of("layers"):
            kernel = f",kernel={row['kernel']}" if row["kernel"] else ""
            width = "units" if row["network"] == "heim-dense" else "filters"
            key = (f"{row['network']}:{width}={row['width']}{kernel} int8", "stm32l496zg", row["kernels"])
            self._layers.setdefault(key, {})[int(row["index"])] = (row["op"], float(row["latency_us"]) / 1e3)
        self._lenet = {
            (row["type"], row["platform"], row["kernels"], row["optimisation"], row["fpu"]): float(row["latency_ms"])
            for row in table_of("lenet")
        }

    def run(self, case: Case, rows: tuple[Row, ...]) -> Run | None:
        """The case with its measurements; None where there are none."""
        layers: dict[int, float] = {}
        if case.optimisation == "-Ofast" and case.fpu:
            found = self._layers.get((f"{case.network} {case.type}", case.platform, case.kernels), {})
            layers = {
                row.index: found[row.index][1]
                for row in rows
                if row.index in found and not _other_computation(row) and _same(found[row.index][0], row.op)
            }
        whole = MLPERF_MS.get(case.network)
        if case.family == "lenet":
            key = (case.type, case.platform, case.kernels, case.optimisation, "yes" if case.fpu else "no")
            whole = self._lenet.get(key)
        elif layers:
            whole = sum(layers.values())
        return None if whole is None else Run(case, rows, layers, whole)


def _same(published: str, op: str) -> bool:
    if published != op:
        raise SystemExit(f"the tables have {published} where the network has {op}")
    return True


def _other_computation(row: Row) -> bool:
    return row.op == "FULLY_CONNECTED" and row.kernels == "cmsis-nn" and row.macs > 10 * LONGEST_INPUT


# --- comparison ------------------------------------------------------------------------------------------------------


def estimated_ms(run: Run) -> float:
    """Of what was measured: all of LeNet and MLPerf, of the sweeps the layers that were measured."""
    platform = platforms.load(run.case.platform)
    chosen = run.rows
    if run.case.family.startswith("heim"):
        chosen = tuple(row for row in run.rows if row.index in run.layers_ms)
    return sum(estimate.cycles(row.features, platform) for row in chosen) * 1e3 / platform.clock_hz


def evidence_of(run: Run) -> evidence.Measured:
    case = run.case
    return evidence.Measured(
        platform=case.platform,
        core=platforms.load(case.platform).core,
        family=case.family,
        network=case.network,
        type=case.type,
        kernels=case.kernels,
        optimisation=case.optimisation,
        fpu=case.fpu,
        measured_ms=round(run.whole_ms, 4),
        estimated_ms=round(estimated_ms(run), 4),
        source=MLPERF if case.network in MLPERF_MS else HEIM,
    )


COLUMNS: dict[str, Callable[[Row], float]] = {
    "core": lambda row: row.core_cycles,
    "code lines": lambda row: (row.jump_misses or 0) + (row.onward_misses or 0),
    "data lines": lambda row: row.load_misses or 0,
    "taken": lambda row: row.taken,
    "instructions": lambda row: row.instructions,
    "all": lambda row: _all(row),
    "convolution": lambda row: _all(row) if row.op == "CONV_2D" else 0,
    "dense": lambda row: _all(row) if row.op == "FULLY_CONNECTED" else 0,
    "depthwise": lambda row: _all(row) if row.op == "DEPTHWISE_CONV_2D" else 0,
    "others": lambda row: 0 if row.op in ("CONV_2D", "FULLY_CONNECTED", "DEPTHWISE_CONV_2D") else _all(row),
}


def _all(row: Row) -> float:
    """Cycles by first principles, waiting for the flash included."""
    return estimate.cycles(row.features, platforms.load(row.platform))


FITS = (
    ("instructions",),
    ("core",),
    ("core", "data lines"),
    ("core", "code lines", "data lines"),
    ("core", "code lines", "data lines", "taken"),
    ("all",),
    ("convolution", "dense", "depthwise", "others"),
)


class Sample(NamedTuple):
    """A layer for a fit: of which network, its columns and its cycles."""

    network: str
    family: str
    columns: dict[str, float]
    cycles: float


def samples(runs: Sequence[Run]) -> list[Sample]:
    found = []
    for run in runs:
        for row in run.rows:
            milliseconds = run.layers_ms.get(row.index) if row.index is not None else None
            if milliseconds is None or milliseconds < SHORTEST_MS or row.op == "SOFTMAX":
                continue
            columns = {name: float(of(row)) for name, of in COLUMNS.items()}
            network = f"{run.case.network} {run.case.type}"
            family = f"{run.case.family} {run.case.type}"
            found.append(Sample(network, family, columns, milliseconds * 1e-3 * row.clock_hz))
    return found


def fit(known: Sequence[Sample], names: Sequence[str]) -> np.ndarray:
    """Non-negative coefficients of least squares of relative errors."""
    from scipy.optimize import nnls

    matrix = np.array([[sample.columns[name] / sample.cycles for name in names] for sample in known])
    scale = np.where(matrix.max(axis=0) > 0, matrix.max(axis=0), 1.0)
    return nnls(matrix / scale, np.ones(len(known)))[0] / scale


def left_out(known: Sequence[Sample], names: Sequence[str], group: str) -> list[float]:
    """The relative error of each network's sum of layers, by a fit without its ``group``, "network" or "family"."""
    errors = []
    for network in sorted({sample.network for sample in known}):
        mine = [sample for sample in known if sample.network == network]
        rest = [sample for sample in known if getattr(sample, group) != getattr(mine[0], group)]
        coefficients = fit(rest, names)
        predicted = sum(coefficients @ [sample.columns[name] for name in names] for sample in mine)
        errors.append(float(predicted / sum(sample.cycles for sample in mine) - 1))
    return errors


def mean_worst(errors: Sequence[float]) -> str:
    return f"mean {100 * np.mean(np.abs(errors)):5.1f} %, worst {100 * max(map(abs, errors)):5.1f} %"


def show_uncalibrated(known: Sequence[evidence.Measured]) -> None:
    print("\nUncalibrated: estimated / measured - 1 of whole networks")
    groups = sorted({(row.platform, row.kernels) for row in known})
    for platform, kernels in groups:
        rows = [row for row in known if (row.platform, row.kernels) == (platform, kernels)]
        for family in sorted({(row.family, row.type) for row in rows}):
            errors = [row.estimated_ms / row.measured_ms - 1 for row in rows if (row.family, row.type) == family]
            signed = f"{100 * np.mean(errors):+6.1f} %"
            label = " ".join(family)
            print(f"  {platform} {kernels:9} {label:24} n={len(errors):2} bias {signed} {mean_worst(errors)}")


def show_fits(runs: Sequence[Run], title: str) -> None:
    print(f"\nFitted: error of each network by a fit to the layers of all others | without its family{title}")
    for platform, kernels in itertools.product(BOARDS, KERNELS):
        known = samples([run for run in runs if (run.case.platform, run.case.kernels) == (platform, kernels)])
        count = len({sample.network for sample in known})
        for names in FITS:
            if count > 1:
                coefficients = ", ".join(
                    f"{value:.3g} {name}" for value, name in zip(fit(known, names), names, strict=True)
                )
                network, family = (mean_worst(left_out(known, names, group)) for group in ("network", "family"))
                print(f"  {platform} {kernels:9} n={count:2} {network} | {family}  {coefficients}")


def show_coverage(known: Sequence[evidence.Measured]) -> None:
    print("\nBounds: share of networks between the bounds that follow from all other cases")
    for core, kernels in sorted({(row.core, row.kernels) for row in known}):
        found = evidence.bounds(known, core, kernels)
        print(
            f"  {core} {kernels:9} held {100 * found.held:.0f} %; bounds of all: {found.low:.2f} to {found.high:.2f}"
            f" of the estimate ({found.basis})"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for features and runs")
    parser.add_argument("--mlperf", type=Path, help="folder with mlperf-ad.tflite and mlperf-kws.tflite")
    parser.add_argument("--evidence", type=Path, help="write the evidence here")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    os.environ["HARNESS_RESULTS"] = str(arguments.work.resolve())
    wanted = [case for case in cases() if case.network not in MLPERF_MS or arguments.mlperf is not None]
    made = files(wanted)
    if arguments.mlperf is not None:
        made |= {(network, "int8"): arguments.mlperf / f"{network}.tflite" for network in MLPERF_MS}
    published = Published()
    found = (published.run(case, collect(case, arguments.work, made[case.network, case.type])) for case in wanted)
    runs = [run for run in found if run is not None]
    known = [evidence_of(run) for run in runs]
    if arguments.evidence is not None:
        write(known, arguments.evidence)
    show_uncalibrated(known)
    show_fits(runs, "")
    show_fits([run for run in runs if "kernel=1" not in run.case.network], ", without 1x1 convolutions")
    show_coverage(known)
    return 0


def write(known: Sequence[evidence.Measured], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        names = evidence.Measured.__struct_fields__
        writer.writerow(names)
        for row in known:
            writer.writerow(str(value).lower() if isinstance(value, bool) else value for value in row_values(row))


def row_values(row: evidence.Measured) -> Iterator[object]:
    return (getattr(row, name) for name in row.__struct_fields__)


if __name__ == "__main__":
    raise SystemExit(main())
