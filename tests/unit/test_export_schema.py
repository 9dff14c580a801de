"""speedscope's files against the schema of its npm package, which is fetched once into the cache of the tests."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import export_maker
import pytest
import result_maker
from filelock import FileLock
from jsonschema import Draft7Validator

from harness.elfprofile import export as profile_export
from harness.elfprofile.tree import Stack
from harness.export import speedscope
from harness.export.made import Run
from harness.paths import cache_folder
from harness.result import Result

VERSION = "1.25.0"
SCHEMA = "package/dist/release/file-format-schema.json"


@pytest.fixture(scope="session")
def schema() -> dict[str, Any]:
    folder = cache_folder() / "tests"
    package = folder / f"speedscope-{VERSION}.tgz"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".speedscope.lock"):
        if not package.exists():
            fetch(folder)
    with tarfile.open(package) as archive:
        content = archive.extractfile(SCHEMA)
        assert content is not None
        found: dict[str, Any] = json.load(content)
    return found


def fetch(folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed: speedscope's files are not checked against its schema (apt install npm)")
    command = [npm, "pack", f"speedscope@{VERSION}", "--ignore-scripts", "--pack-destination", folder]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=120)
    except subprocess.SubprocessError as error:
        pytest.skip(
            f"npm cannot fetch speedscope, whose schema is not checked: {getattr(error, 'stderr', None) or error}"
        )


RUNS = {
    "plain": result_maker.result(),
    "estimated": result_maker.result(estimate=export_maker.estimate()),
    "calibrated": export_maker.calibrated(),
    "counted": export_maker.counted(),
    "followed": result_maker.result(calls=export_maker.calls(("conv", "exp"), [900, 90], 10)),
    "hostile": export_maker.hostile(),
}


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_a_run_is_as_the_schema_says(run: Result, schema: dict[str, Any]) -> None:
    (file,) = speedscope.make(Run(result=run, command=None)).files
    Draft7Validator(schema).validate(json.loads(file.content))


def test_a_profile_of_other_firmware_is_as_the_schema_says(schema: dict[str, Any]) -> None:
    stacks = [Stack(functions=("main", "f"), instructions=7, interrupt=interrupt) for interrupt in (False, True)]
    Draft7Validator(schema).validate(json.loads(profile_export.speedscope(stacks, "fw.elf")))


def test_the_schema_refuses_instructions_as_a_unit(schema: dict[str, Any]) -> None:
    (file,) = speedscope.make(Run(result=RUNS["plain"], command=None)).files
    made = json.loads(file.content)
    made["profiles"][0]["unit"] = "instructions"
    assert not Draft7Validator(schema).is_valid(made)
