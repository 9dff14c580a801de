"""The text of a new project file: what was found in the folder, and every other key of all commands as a comment."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable
from typing import Any

from harness.project import keys
from harness.project.detect import Found
from harness.project.keys import Commands

# What a key's comment shows where the command has no default of its own.
_EXAMPLES: dict[str, Any] = {
    "platform": "stm32l496zg",
    "kernels": "reference",
    "fpu": False,
    "toolchain": "arm-none-eabi-",
    "sysroot": "/opt/arm/sysroot",
    "renode": "/opt/renode/renode",
    "tflm_lib": "lib/libtensorflow-microlite.a",
    "tflm_include": ["third_party/tflite-micro", "third_party/flatbuffers/include", "third_party/gemmlowp"],
    "tflm_host_lib": "lib/host/libtensorflow-microlite.a",
    "calibration": "results/calibration/stm32l496zg.json",
}

_HEAD = """\
# Defaults of the harness for this folder and all below it: what the command line does not say, nor the environment.
# "harness config" prints what is in force; "harness schema --project" a JSON schema for editors. Paths are relative to
# this file. A key above the tables is of every command that has the option, one in [run] of "harness run" alone.
"""
_RESULTS = "# Folder of runs, sweeps and plots."
_MODELS = '# Networks by their names: "harness run NAME".'
_TABLES = """\
# Options of single commands: any long option without its dashes, with _ for -, is a key.
"""
_TABLE_EXAMPLES = """\
# [run]
# cycles = true
#
# [baseline.update]
# jobs = 1
"""


def text(found: Found, commands: Commands, given: dict[str, Any]) -> str:
    """A project file that loads as it is, and with any of its commented keys uncommented.

    Args:
        found: what is in the folder.
        commands: the keys of every command.
        given: values of keys above the tables that the user wants in it.
    """
    shared = keys.shared(commands)
    values = {"policy": found.policy, "baselines": found.baselines} | given
    parts = [_HEAD]
    for name, key in shared.items():
        value = values.get(name)
        example = _example(name, key.default, found)
        line = f"{name} = {_toml(value if value is not None else example)}"
        parts.append(_comment(key.help) + (line if value is not None else f"# {line}") + "\n")
    parts.append(f"{_RESULTS}\n{keys.RESULTS} = {_toml(found.results or 'results')}\n")
    parts.append(f"{_MODELS}\n" + "\n".join(_models(found)) + "\n")
    parts.append(_TABLES + _TABLE_EXAMPLES)
    return "\n".join(parts)


def _example(name: str, default: Any, found: Found) -> Any:
    if name == "model":
        return next(iter(found.models), "nets/kws.tflite")
    if name == "tflm_lib" and found.library is not None:
        return found.library
    return _EXAMPLES.get(name, default) if default is None else default


def _models(found: Found) -> Iterable[str]:
    if not found.models:
        return ["# [models]", '# kws = "nets/kws.tflite"']
    lines = [f"[{keys.MODELS}]", *(f"{name} = {_toml(path)}" for name, path in found.models.items())]
    if found.more_models:
        lines.append(f"# and {found.more_models} more files")
    return lines


def _comment(help_text: str) -> str:
    return "".join(f"# {line}\n" for line in textwrap.wrap(help_text, 117))


def _toml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
