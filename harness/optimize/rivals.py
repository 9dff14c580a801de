"""The searches that stand beside the search itself: random draws, and a search that knows MACs alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from harness import atomic
from harness.optimize.records import Sampler
from harness.optimize.scenario import ACCURACY, Scenario, ScenarioFile, load
from harness.optimize.space import Space

Method = Literal["tpe", "random", "macs"]
METHODS: tuple[Method, ...] = ("tpe", "random", "macs")
WORDS: dict[Method, str] = {
    "tpe": "search on what was measured (TPE)",
    "random": "random search on what was measured",
    "macs": "search on MACs alone (TPE)",
}
SAMPLERS: dict[Method, Sampler] = {"tpe": "tpe", "random": "random", "macs": "tpe"}

# How somebody builds who does not measure: the type and kernels that are known to be fast, the usual level.
_USUAL = {"types": "int8", "kernels": "cmsis-nn", "optimisation": "-O2"}


def macs_file(given: ScenarioFile) -> ScenarioFile:
    """The scenario as a search sees it that goes by multiply-accumulates.

    It wants as few of them as possible at the lowest accuracy that is asked for, and builds in the usual way. It is
    told of a candidate that the board cannot hold at all, and of nothing else that was measured.
    """
    return msgspec.structs.replace(
        given,
        title="The same use, by multiply-accumulates alone",
        objectives=("macs", ACCURACY),
        use=type(given.use)(),
        budgets=type(given.budgets)(accuracy=given.budgets.accuracy),
        reserve=type(given.reserve)(),
        space=_usual(given.space),
    )


def _usual(space: Space) -> Space:
    """Of each axis that says how a network is built, the usual value where it is among them, else the first."""
    chosen = {}
    for axis, usual in _USUAL.items():
        values = getattr(space, axis)
        chosen[axis] = (usual if usual in values else values[0],)
    return msgspec.structs.replace(space, **chosen)


def macs_scenario(scenario: Scenario, path: Path) -> Scenario:
    """That scenario, written to ``path`` and read again, so that it is checked and a study can keep it.

    Raises:
        HarnessError: the file cannot be written.
    """
    atomic.write(path, toml(msgspec.to_builtins(macs_file(scenario.file))).encode())
    return load(path, Path(scenario.path).parent)


def toml(tables: Mapping[str, Any]) -> str:
    """Values and tables of values as TOML; what is None is left out."""
    plain = [f"{key} = {_value(value)}" for key, value in tables.items()
             if value is not None and not isinstance(value, Mapping)]  # fmt: skip
    for name, table in tables.items():
        if isinstance(table, Mapping):
            plain += ["", f"[{name}]"]
            plain += [f"{key} = {_value(value)}" for key, value in table.items() if value is not None]
    return "\n".join(plain) + "\n"


def _value(value: Any) -> str:
    """Texts, numbers and lists are in TOML as they are in JSON."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
