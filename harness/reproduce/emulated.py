"""The emulated side: runs the paper's experiments as sweeps, and gives their tables under the measurements' names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from harness.reproduce.measured import FOLDER

EXPERIMENTS = ("lenet", "dense", "conv", "depthwise", "conv-stack")

# Measures a sweep file; returns its name.
RunSweep = Callable[[Path], str]


class Emulated(NamedTuple):
    """What was emulated, as pandas frames; ``instructions`` are executed instructions, ``macs`` multiply-accumulates.

    ``points``: a row a network, platform, kernel set, FPU ("yes", "no") and optimisation: ``network``, ``width``,
    ``kernel``, ``type``, ``state``, ``reason``, ``output_exact``, ``instructions``, versions. ``layers``: a row a layer
    of those that ran, with the same names.
    """

    points: Any
    layers: Any


def sweep_files(quick: bool) -> tuple[Path, ...]:
    """The sweep file of each experiment; ``quick``: those of the stated part."""
    return tuple(FOLDER / ("quick" if quick else "full") / f"{name}.toml" for name in EXPERIMENTS)


def run(quick: bool, run_sweep: RunSweep) -> Emulated:
    """Measure what is not stored yet, and read all of it.

    Raises:
        HarnessError: a sweep cannot run at all (see ``harness.sweep.run.run``).
    """
    return read(tuple(run_sweep(path) for path in sweep_files(quick)))


def read(names: tuple[str, ...]) -> Emulated:
    """The stored sweeps of those names as one table of points and one of layers.

    Raises:
        BadInputError: one of them is not stored.
        MissingToolError: pandas is not installed.
    """
    import pandas

    from harness.sweep.tables import results

    frames = [results(name) for name in names]
    return Emulated(
        points=named(pandas.concat([frame.points for frame in frames], ignore_index=True)),
        layers=named(pandas.concat([frame.layers for frame in frames], ignore_index=True)),
    )


def named(frame: Any) -> Any:
    """A sweep's table with ``width`` and ``kernel`` of its networks, and ``fpu`` as "yes" or "no"."""
    values = {text: _parameters(text) for text in frame["parameters"].dropna().unique()}

    def column(*names: str) -> Any:
        """The first of these parameters that a network has."""
        import pandas

        found = [next((known[name] for name in names if name in known), None)
                 for known in (values.get(text, {}) for text in frame["parameters"])]  # fmt: skip
        return pandas.array(found, dtype="Int64")

    fpu = frame["fpu"].map(lambda name: "no" if name == "none" else "yes", na_action="ignore")
    return frame.assign(fpu=fpu, width=column("units", "filters"), kernel=column("kernel"))


def _parameters(text: str) -> dict[str, int]:
    """The whole numbers among a network's parameters, "filters=101,kernel=1"."""
    pairs = (pair.split("=", 1) for pair in text.split(","))
    return {name: int(value) for name, value in pairs if value.isdigit()}
