"""The measurements that the project carries: by the paper's own rules they give the numbers that it published."""

from __future__ import annotations

import math

import pytest

from harness.reproduce import measured
from harness.reproduce.plots import pareto
from harness.reproduce.sawtooth import subset
from harness.sweep import file

# Nanoseconds per operation as the paper's evaluation prints them for table 4, whose operations include biases.
PUBLISHED = {
    ("heim-dense", None, "reference"): {"all": 145.18117, "odd": 145.17514, "even": 145.18719},
    ("heim-dense", None, "cmsis-nn"): {"all": 48.32929, "odd": 50.26051, "even": 46.39808, "multiple of 4": 44.78214},
    ("heim-conv", 1, "cmsis-nn"): {"all": 24.66270, "odd": 25.98112, "even": 23.46415, "multiple of 4": 22.51244},
    ("heim-conv", 3, "reference"): {"all": 250.60843},
    ("heim-conv", 3, "cmsis-nn"): {"all": 37.44383, "odd": 39.00584, "even": 36.02382, "multiple of 4": 35.66396},
    ("heim-depthwise", 1, "reference"): {"all": 925.05283},
    ("heim-depthwise", 3, "cmsis-nn"): {"all": 270.49208, "odd": 278.36436, "multiple of 4": 259.77013},
}  # fmt: skip
LAYERS = {"heim-dense": (3, 5), "heim-conv": (2,), "heim-depthwise": (2,)}


def _operations(network: str, width: int, kernel: int | None) -> int:
    """As the paper counts: each kernel of each input channel has an addition of its own."""
    if kernel is None:
        return 450 * (width + 1)
    return {"heim-conv": 32 * 32 * 60, "heim-depthwise": 24 * 24}[network] * width * (kernel**2 + 1)


@pytest.mark.parametrize("key", PUBLISHED, ids=str)
def test_latencies_give_the_published_table_4(key: tuple[str, int | None, str]) -> None:
    network, kernel, kernels = key
    rows = measured.load().layers
    rows = rows[(rows["network"] == network) & (rows["kernels"] == kernels) & rows["index"].isin(LAYERS[network])]
    if kernel is not None:
        rows = rows[rows["kernel"] == kernel]
    for name, published in PUBLISHED[key].items():
        costs = [1000 * row.latency_us / _operations(network, row.width, kernel)
                 for row in rows.itertuples() if subset(row.width, name)]  # fmt: skip
        # The paper's mean has the networks that were measured twice in it twice.
        assert math.isclose(sum(costs) / len(costs), published, rel_tol=2e-4), name


def test_latencies_of_lenet_are_those_of_the_published_figure_2() -> None:
    lenet = measured.load().lenet
    fast = lenet[(lenet["optimisation"] == "-Ofast") & (lenet["platform"] == "stm32f767zi")]
    found = {(row.type, row.kernels, row.fpu): row.latency_ms for row in fast.itertuples()}
    assert found["float32", "reference", "no"] == 104.3078
    assert found["float32", "reference", "yes"] == 19.5965
    assert found["int8", "reference", "yes"] == 17.8880
    assert found["int8", "cmsis-nn", "yes"] == 8.0455


def test_energies_give_the_published_front_of_figure_3() -> None:
    front = pareto(measured.load().lenet_energy)
    assert [(row.platform, row.type, row.kernels) for row in front.itertuples()] == [
        ("stm32f767zi", "int8", "cmsis-nn"),
        ("stm32l496zg", "int8", "cmsis-nn"),
    ]
    assert list(front["energy_mj"]) == [3.2171, 1.5898]


def test_every_measured_case_is_there_once() -> None:
    boards = measured.load()
    assert (len(boards.lenet), len(boards.lenet_layers), len(boards.lenet_energy)) == (48, 120, 12)
    keys = ["network", "width", "kernel", "kernels", "index"]
    assert not boards.layers.duplicated(keys).any()
    networks = boards.layers.drop_duplicates(["network", "width", "kernel", "kernels"])
    assert networks["kernels"].value_counts().to_dict() == {"cmsis-nn": 240, "reference": 165}


def test_layers_that_are_too_long_took_the_time_of_what_is_left_of_their_length() -> None:
    """24 x 24 x 114 = 65,664 inputs took no longer than 128 of them would, with CMSIS-NN alone."""
    rows = measured.load().layers
    rows = rows[(rows["network"] == "heim-depthwise") & (rows["kernel"] == 1) & (rows["op"] == "FULLY_CONNECTED")]
    time = {(row.kernels, row.width): row.latency_us for row in rows.itertuples()}
    per_input = time["cmsis-nn", 113] / (24 * 24 * 113)
    assert time["cmsis-nn", 114] == pytest.approx(128 * per_input, abs=60)
    assert time["reference", 114] > time["reference", 113]


@pytest.mark.parametrize("part", ["full", "quick"])
def test_sweep_files_ask_for_networks_that_were_measured(part: str) -> None:
    rows = measured.load().layers
    known = {(row.network, row.width, None if row.kernel != row.kernel else row.kernel, row.kernels)
             for row in rows.astype({"kernel": object}).where(rows.notna(), None).itertuples()}  # fmt: skip
    asked = set()
    for name in ("dense", "conv", "depthwise", "conv-stack"):
        loaded = file.load(measured.FOLDER / part / f"{name}.toml")
        for recipe in loaded.recipes:
            values = recipe.spec.values
            width = values.get("units", values.get("filters"))
            asked |= {
                (recipe.spec.network, width, values.get("kernel"), kernels) for kernels in loaded.sweep.axes.kernels
            }
            assert (recipe.type, recipe.io) == ("int8", "float32")
    assert asked <= known
    assert part == "quick" or asked == known


def test_both_parts_store_in_the_same_sweeps() -> None:
    names = [[file.load(path).sweep.name for path in sorted((measured.FOLDER / part).glob("*.toml"))]
             for part in ("full", "quick")]  # fmt: skip
    assert names[0] == names[1]
    assert len(set(names[0])) == 5
