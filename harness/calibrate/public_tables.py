"""The public measurements that the project ships, as measured rows (READMEs beside the tables have their source)."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from pathlib import Path

from harness.calibrate.measurements import Measurement
from harness.calibrate.samples import Build
from harness.reproduce.measured import FOLDER as HEIM_FOLDER
from harness.reproduce.measured import LONGEST_INPUT

FOLDER = Path(__file__).parent / "public"
FEATURES = FOLDER / "features.csv"  # of builds that are nearest to the boards'
USUAL_FEATURES = FOLDER / "features_usual.csv"  # of this project's usual build
UNSEEN_FEATURES = FOLDER / "features_unseen.csv"  # as the first, of widths of sweeps that nothing is fitted to

HEIM = "Heim, Biri, Qu, Thiele 2021, github.com/lheim/TFLM-Evaluation"
MLPERF = "MLPerf Tiny v0.5, github.com/mlcommons/tiny_results_v0.5"
_HEIM_COMPILER = "GNU Arm Embedded 8-2019-q3 (assumed)"
_HEIM_TFLM = "TFLM of TensorFlow 2.2.0"
_HEIM_CMSIS_NN = "CMSIS-NN of mbed-os 5.15.3"
_MLPERF_LIBRARY = "TFLM of TensorFlow 2.3.1, CMSIS-NN of its download"

WEIGHTS = "the work of SOFTMAX depends on weights that are not known"
WRAPPED = "the board's CMSIS-NN cut the layer short"
REFERENCE_CODE = "CMSIS-NN has no kernels for float32: this is reference code"
LAYERS_FITTED = "its layers are fitted"
REPEATED = "every layer has the time that it has in a neighbouring network, which must have run instead"
TOO_SHORT = "shorter than what the board's timer tells apart"

_HEIM_CLOCKS = {"stm32l496zg": 80_000_000, "stm32f469ni": 180_000_000, "stm32f767zi": 216_000_000}
_MLPERF_CLOCK = 120_000_000
_TABLES = (
    HEIM_FOLDER / "lenet.csv",
    HEIM_FOLDER / "lenet_layers.csv",
    HEIM_FOLDER / "layers.csv",
    FOLDER / "mlperf_tiny_v05.csv",
)
# Inputs of the last layer for each unit of width.
_INPUTS = {"heim-depthwise": 24 * 24, "heim-conv-stack": 64 * 64}
# Family, width, kernel size and kernels; the neighbours are kernel size 4 and width 464. No other two of one family are
# within 1 us in all layers.
_REPEATED = {("heim-conv-stack", 4, "5", "cmsis-nn"), ("heim-dense", 465, "", "reference")}


def digest() -> str:
    """SHA-256 of the tables."""
    joined = hashlib.sha256()
    for path in _TABLES:
        joined.update(path.read_bytes())
    return joined.hexdigest()


def load(platform: str | None = None) -> tuple[Measurement, ...]:
    """Every public row, or those of one board."""
    found = (*_lenet_layers(), *_lenet(), *_sweeps(), *_mlperf())
    return tuple(row for row in found if platform in (None, row.build.platform))


def spec_of(network: str) -> tuple[str, str]:
    """The zoo's name of a network and its type: "lenet int8" is ("lenet", "int8")."""
    name, kind = network.rsplit(" ", 1)
    return name, kind


def _table(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def _heim(
    name: str, kind: str, platform: str, kernels: str, optimisation: str, fpu: bool, seconds: float, **rest: object
) -> Measurement:
    from harness.zoo import networks
    from harness.zoo.recipe import recipe

    build = Build(
        platform=platform,
        kernels=kernels,
        optimisation=optimisation,
        fpu=fpu,
        compiler=_HEIM_COMPILER,
        library=_HEIM_TFLM if kernels == "reference" else f"{_HEIM_TFLM}, {_HEIM_CMSIS_NN}",
    )
    unfit = str(rest.pop("unfit", ""))
    if kind == "float32" and kernels == "cmsis-nn":
        unfit = REFERENCE_CODE
    if seconds == 0:
        unfit = TOO_SHORT
    index, op = rest.get("index"), str(rest.get("op", ""))
    assert index is None or isinstance(index, int)
    return Measurement(
        network=f"{name} {kind}",
        architecture=name.split(":")[0],
        model=recipe(networks.parse(name), type=kind, io="float32").slug,
        build=build,
        elf_sha256="",
        index=index,
        op=op,
        cycles=seconds * _HEIM_CLOCKS[platform],
        source=HEIM,
        unfit=WEIGHTS if op == "SOFTMAX" and not unfit else unfit,
    )


def _lenet_layers() -> Iterator[Measurement]:
    for row in _table(HEIM_FOLDER / "lenet_layers.csv"):
        yield _heim(
            "lenet", row["type"], row["platform"], row["kernels"], "-Ofast", True, float(row["latency_ms"]) / 1e3,
            index=int(row["index"]), op=row["op"],
        )  # fmt: skip


def _lenet() -> Iterator[Measurement]:
    for row in _table(HEIM_FOLDER / "lenet.csv"):
        fpu = row["fpu"] == "yes"
        layers = fpu and row["optimisation"] == "-Ofast"
        yield _heim(
            "lenet", row["type"], row["platform"], row["kernels"], row["optimisation"], fpu,
            float(row["latency_ms"]) / 1e3, unfit=LAYERS_FITTED if layers else "",
        )  # fmt: skip


def _sweeps() -> Iterator[Measurement]:
    for row in _table(HEIM_FOLDER / "layers.csv"):
        family, width = row["network"], int(row["width"])
        kernel = f",kernel={row['kernel']}" if row["kernel"] else ""
        name = f"{family}:{'units' if family == 'heim-dense' else 'filters'}={width}{kernel}"
        wrapped = (
            row["op"] == "FULLY_CONNECTED"
            and row["kernels"] == "cmsis-nn"
            and _INPUTS.get(family, 0) * width > LONGEST_INPUT
        )
        repeated = (family, width, row["kernel"], row["kernels"]) in _REPEATED
        yield _heim(
            name, "int8", "stm32l496zg", row["kernels"], "-Ofast", True, float(row["latency_us"]) / 1e6,
            index=int(row["index"]), op=row["op"], unfit=REPEATED if repeated else WRAPPED if wrapped else "",
        )  # fmt: skip


def _mlperf() -> Iterator[Measurement]:
    for row in _table(FOLDER / "mlperf_tiny_v05.csv"):
        build = Build(
            platform=row["platform"],
            kernels=row["kernels"],
            optimisation=row["optimisation"],
            fpu=row["fpu"] == "yes",
            compiler="not stated",
            library=_MLPERF_LIBRARY,
        )
        yield Measurement(
            network=f"{row['network']} int8",
            architecture=row["network"],
            model=row["network"],
            build=build,
            elf_sha256="",
            index=None,
            op="",
            cycles=float(row["latency_ms"]) / 1e3 * _MLPERF_CLOCK,
            source=MLPERF,
        )
