"""CMakePresets.json names the flags that harness/cores.py gives, and its presets configure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness import cores, library, sources
from tests.conftest import ROOT

PRESETS = {
    "m0": ("cortex-m0", None),
    "m3": ("cortex-m3", None),
    "m4f": ("cortex-m4", "fpv4-sp-d16"),
    "m7f": ("cortex-m7", "fpv5-d16"),
    "m33f": ("cortex-m33", "fpv5-sp-d16"),
    "m55": ("cortex-m55", "auto"),
}


def test_flags_are_those_of_the_cores() -> None:
    presets = json.loads((ROOT / "firmware" / "CMakePresets.json").read_text())["configurePresets"]
    found = {preset["name"]: preset.get("cacheVariables", {}).get("HARNESS_ARCH") for preset in presets}
    expected = {
        name: ";".join(cores.flags(core, fpu, hard_float=fpu is not None)) for name, (core, fpu) in PRESETS.items()
    }
    assert found == {"base": None, "native": None, **expected}


def test_fixed_flags_are_those_that_cmake_sets() -> None:
    project = (ROOT / "firmware" / "CMakeLists.txt").read_text()
    for flag in library.FIXED_FLAGS:
        assert flag.removeprefix("-D") in project


@pytest.mark.parametrize("preset", ["m4f", "native"])
def test_preset_configures(preset: str, tmp_path: Path) -> None:
    found = sources.locate()
    tools = Path(sys.executable).parent
    environment = {**os.environ, "TFLM_DIR": str(found.tflm), "CMSIS_NN_DIR": str(found.cmsis_nn)}
    environment["PATH"] = f"{tools}{os.pathsep}{environment['PATH']}"
    configured = subprocess.run(
        ["cmake", "--preset", preset, "-B", str(tmp_path)],
        cwd=ROOT / "firmware",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert configured.returncode == 0, configured.stdout + configured.stderr
    rules = (tmp_path / "build.ninja").read_text()
    assert "libtflm.a" in rules
    assert ("harness-native" in rules) == (preset == "native")
