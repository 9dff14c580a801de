"""The published board measurements that the project carries, as pandas frames (heim2021/README.md has their source)."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import MissingToolError

FOLDER = Path(__file__).parent / "heim2021"

# The boards in the paper's order, as its figures call them.
BOARDS = {"stm32l496zg": "L4", "stm32f469ni": "F4", "stm32f767zi": "F7"}
SWEEP_BOARD = "stm32l496zg"

# CMSIS-NN of early 2020 takes the length of a fully connected layer's input as a 16-bit number; see heim2021/README.md.
LONGEST_INPUT = 65_535

EXTRA_HINT = "pip install 'tflm-harness[sweep,zoo]'"


class Measured(NamedTuple):
    """LeNet: latencies of inferences and of layers, energies of inferences; layer sweeps: latencies of layers."""

    lenet: Any
    lenet_layers: Any
    lenet_energy: Any
    layers: Any


def load() -> Measured:
    """The four tables.

    Raises:
        MissingToolError: pandas is not installed.
    """
    if importlib.util.find_spec("pandas") is None:
        raise MissingToolError("pandas is not installed", EXTRA_HINT)
    import pandas

    def table(name: str) -> Any:
        return pandas.read_csv(FOLDER / f"{name}.csv", dtype={"kernel": "Int64"})

    return Measured(
        lenet=table("lenet"),
        lenet_layers=table("lenet_layers"),
        lenet_energy=table("lenet_energy"),
        layers=table("layers"),
    )
