"""The wheel: what is in it, and that the harness works from it in an empty folder, without the checkout."""

from __future__ import annotations

import email
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

import pytest

from harness import platforms
from harness.paths import cache_folder, checkout
from tests.conftest import DIGITS

ROOT = checkout()
if ROOT is None or not (ROOT / ".git").exists():
    pytest.skip("wheels are built from a checkout", allow_module_level=True)

# Folders beside the package that it cannot work without, and what lies in the wheel in their place.
DATA = ("platforms", "firmware", "robot", "results/baselines", "results/calibration")

# What git does not know, and nobody should be given.
LITTER = (
    "harness/.mypy_cache/x.json",
    "harness/__pycache__/x.cpython-311.pyc",
    "firmware/build/CMakeCache.txt",
    "platforms/.robocop_cache/x",
    "robot/__pycache__/x.cpython-311.pyc",
    "results/baselines/.ruff_cache/x",
    "results/runs/digits/result.json",
    ".venv/bin/python",
)
OPTIONS = ("--platform", "stm32l496zg", "--kernels", "cmsis-nn", "--calibration", "stm32l496zg", "--carry", "--json")


def _listed() -> list[str]:
    """The files that a commit of everything would have."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout.split("\0")
    return [name for name in names if name and (ROOT / name).is_file()]


def _run(command: list[str | Path], folder: Path, environment: dict[str, str] | None = None) -> str:
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, f"{command}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout


def _build(source: Path, *arguments: str) -> None:
    _run([sys.executable, "-P", "-m", "hatchling", "build", *arguments], source)


@pytest.fixture(scope="module")
def listed() -> list[str]:
    return _listed()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, listed: list[str]) -> tuple[Path, Path]:
    """Source distribution and wheel, of a copy of the checkout with litter in it."""
    source = tmp_path_factory.mktemp("source")
    for name in listed:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, source / name)
    for name in LITTER:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("litter")
    _build(source)
    return next((source / "dist").glob("*.tar.gz")), next((source / "dist").glob("*.whl"))


def _content(wheel: Path) -> dict[str, int]:
    """The files of a wheel with their checksums, without what describes the distribution."""
    with zipfile.ZipFile(wheel) as archive:
        return {item.filename: item.CRC for item in archive.infolist() if ".dist-info/" not in item.filename}


def test_the_wheel_holds_package_and_data_and_nothing_else(built: tuple[Path, Path], listed: list[str]) -> None:
    package = {name for name in listed if name.startswith("harness/")}
    data = {f"harness/data/{name}" for name in listed if name.startswith(tuple(f"{folder}/" for folder in DATA))}
    assert set(_content(built[1])) == package | data
    assert {"harness/data/platforms/stm32l496zg/platform.toml", "harness/data/firmware/tflm/Cargo.lock"} <= data


def test_the_source_distribution_gives_the_same_wheel(
    built: tuple[Path, Path], listed: list[str], tmp_path: Path
) -> None:
    with tarfile.open(built[0]) as archive:
        names = {item.name.partition("/")[2] for item in archive if item.isfile()}
    assert names == {*listed, "PKG-INFO"}
    _run(["tar", "-xzf", built[0]], tmp_path)
    (source,) = tmp_path.iterdir()
    _build(source, "--target", "wheel")
    (wheel,) = (source / "dist").iterdir()
    assert wheel.name == built[1].name
    assert _content(wheel) == _content(built[1])


def test_what_the_wheel_says_of_itself(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[1]) as archive:
        described = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        said: Message = email.message_from_bytes(archive.read(described))
        folder = described.removesuffix("METADATA")
        assert said["License-Expression"] == "Apache-2.0 AND GPL-2.0-or-later"
        licences = [f"{folder}licenses/{name}" for name in said.get_all("License-File", [])]
        assert [name.removeprefix(folder) for name in licences][:2] == [
            "licenses/LICENSE",
            "licenses/LICENSES/GPL-2.0-or-later.txt",
        ]
        for name in licences:
            assert archive.read(name).strip(), name
        assert "harness/py.typed" in archive.namelist()
    assert "Typing :: Typed" in said.get_all("Classifier", [])
    assert not said.get_all("Project-URL")  # there is no address that could be given


# --- installed -------------------------------------------------------------------------------------------------------


class Installed:
    """An environment that holds the wheel, and finds everything else where these tests have it."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.folder = folder
        venv.create(folder, symlinks=True)
        self.python = folder / "bin" / "python"
        pip: list[str | Path] = [
            sys.executable,
            "-P",
            "-m",
            "pip",
            "--python",
            self.python,
            "--no-cache-dir",
            "install",
        ]
        _run([*pip, "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", "--no-compile", wheel], folder)
        paths = sysconfig.get_paths(vars={"base": str(folder), "platbase": str(folder)})
        self.site = Path(paths["purelib"])
        # Only .pth files of site-packages itself are read: that of the editable install is not.
        (self.site / "tests.pth").write_text(f"{sysconfig.get_paths()['purelib']}\n")
        for name in ("cmake", "ninja"):  # which come with the wheel's dependencies
            (folder / "bin" / name).symlink_to(Path(sys.executable).parent / name)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HARNESS_", "PYTHON"))}
        self.environment = {**kept, "HARNESS_CACHE": str(cache_folder())}

    def harness(self, folder: Path, *arguments: str | Path) -> str:
        return _run([self.folder / "bin" / "harness", *arguments], folder, self.environment)

    def data(self) -> dict[str, int]:
        root = self.site / "harness" / "data"
        return {
            str(path.relative_to(root)): path.stat().st_mtime_ns
            for path in root.rglob("*")
            if path.is_file() and path.suffix != ".pyc"
        }


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, built: tuple[Path, Path]) -> Iterator[Installed]:
    """The package's data is as it was when the tests that use it are done: it may lie where nobody can write."""
    found = Installed(tmp_path_factory.mktemp("installed"), built[1])
    before = found.data()
    yield found
    assert found.data() == before


def test_it_is_the_wheel_that_is_tested(installed: Installed, tmp_path: Path) -> None:
    program = "import harness, harness.paths as p; print(harness.__file__, p.checkout(), p.results_folder())"
    said = _run([installed.python, "-c", program], tmp_path, installed.environment).split()
    assert said == [str(installed.site / "harness" / "__init__.py"), "None", str(tmp_path / "results")]


def test_in_a_folder_of_another_project(installed: Installed, tmp_path: Path, built: tuple[Path, Path]) -> None:
    """What pip --target puts beside another project's pyproject.toml is no checkout."""
    with zipfile.ZipFile(built[1]) as archive:
        archive.extractall(tmp_path)
    (tmp_path / "pyproject.toml").touch()
    program = "import harness.paths as p; print(p.__file__, p.checkout(), p.data_folder('platforms').is_dir())"
    said = _run([installed.python, "-c", program], tmp_path, installed.environment).split()
    assert said == [str(tmp_path / "harness" / "paths.py"), "None", "True"]


def test_a_run_is_that_of_the_checkout(installed: Installed, tmp_path: Path, results: Path) -> None:
    (tmp_path / "empty").mkdir()
    shipped = installed.site / "harness" / "zoo" / DIGITS.name
    found = json.loads(installed.harness(tmp_path / "empty", "run", shipped, *OPTIONS))
    here = dict(os.environ, HARNESS_RESULTS=str(results))
    expected = json.loads(_run([sys.executable, "-P", "-m", "harness", "run", DIGITS, *OPTIONS], tmp_path, here))
    assert found["identity"]["git_commit"] is None
    for part in ("run_id", "verdict", "counts", "layers", "memory", "check", "estimate"):
        assert found[part] == expected[part], part
    assert [path.name for path in (tmp_path / "empty").iterdir()] == ["results"]
    assert (tmp_path / "empty" / "results" / "runs" / found["run_id"] / "result.json").is_file()

    assert found["run_id"] in installed.harness(tmp_path / "empty", "list")
    page = installed.harness(tmp_path / "empty", "report", found["run_id"]).strip()
    assert page.startswith("results/reports/")
    assert (
        "DEPTHWISE" in (tmp_path / "empty" / page).read_text() or "CONV_2D" in (tmp_path / "empty" / page).read_text()
    )


def test_the_doctor_finds_everything_and_leaves_nothing(installed: Installed, tmp_path: Path) -> None:
    findings = json.loads(installed.harness(tmp_path, "doctor", "--json"))
    assert {item["name"]: item["found"] for item in findings}["results"] == str(tmp_path / "results")
    assert not list(tmp_path.iterdir())


def test_a_scenario_finds_its_keywords_and_baselines(installed: Installed, tmp_path: Path) -> None:
    said = installed.harness(tmp_path, "scenarios", "regression")
    assert "regression" in said
    assert (tmp_path / "results" / "scenarios" / "log.html").is_file()


# Commands that read what is shipped, and a word of what they say then. All in one process, which imports once.
READING = {
    "platforms --json": "stm32l496zg",
    "optimize run --schema": "ScenarioFile",
    "sweep --schema": "Sweep",
    "gate --schema": "Policy",
    "schema": "run_id",
    "schema --project": "calibration",
    "calibrate --template": "cycles",
    "zoo list": "lenet",
    "init --platform stm32l496zg": "harness.toml",
    "config run": "stm32l496zg",
}
PROGRAM = """
import contextlib, io, json, sys
from harness.cli import main
said = {}
for line in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO(), "utf-8")) as out:
        try:
            main(line.split())
        except SystemExit as ended:
            out.flush()
            said[line] = [ended.code, out.buffer.getvalue().decode()]
print(json.dumps(said))
"""


def test_commands_that_read_what_is_shipped(installed: Installed, tmp_path: Path) -> None:
    command: list[str | Path] = [installed.python, "-c", PROGRAM, json.dumps(list(READING))]
    said = json.loads(_run(command, tmp_path, installed.environment))
    for line, word in READING.items():
        code, text = said[line]
        assert code == 0 and word in text, (line, code, text)
    assert [item["name"] for item in json.loads(said["platforms --json"][1])] == [item.name for item in platforms.all()]
