"""Where the sources of TFLM and CMSIS-NN come from: registry packages, checked by their checksums.

TFLM of July 2020 is in the crate ``tfmicro``: cargo fetches it by firmware/tflm/Cargo.lock, which holds the crate's
SHA-256. CMSIS-NN 4.0.0 is vendored in the Python package ``bakenn``; its files are compared with a hash kept here.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import tomllib
from pathlib import Path

from harness import cache, process
from harness.errors import HarnessError, MissingToolError
from harness.paths import data_folder
from harness.records import Record

CRATE = "tfmicro"
TFLM_VINTAGE = "TFLM July 2020"
CMSIS_NN_PACKAGE = "bakenn"
CMSIS_NN_VERSION = "4.0.0"
# Of all files below bakenn/backend/cmsis_nn/vendor as bakenn 1.0.0 ships them, by path and content.
CMSIS_NN_SHA256 = "e5a2dfccd5a97238ccd86d0975a0a8f474c4447156b2b59eb89fd49de1ee728e"
_CARGO_NEEDED = (1, 70)


class Sources(Record, frozen=True):
    """Roots of the two source trees, and what identifies them."""

    tflm: Path
    tflm_identity: str
    cmsis_nn: Path
    cmsis_nn_identity: str


def locate() -> Sources:
    """Find both trees, fetching the crate where it is not unpacked yet.

    Raises:
        MissingToolError: cargo is missing or too old, bakenn is not installed.
        HarnessError: the crate cannot be fetched, or bakenn's files are not those that are expected.
    """
    lock = tomllib.loads((data_folder("firmware") / "tflm" / "Cargo.lock").read_text())
    crate = next(package for package in lock["package"] if package["name"] == CRATE)
    return Sources(
        tflm=_crate_folder(crate["version"]) / "submodules" / "tensorflow",
        tflm_identity=f"{TFLM_VINTAGE} ({CRATE} {crate['version']}, sha256 {crate['checksum']})",
        cmsis_nn=cmsis_nn_folder(),
        cmsis_nn_identity=cmsis_nn_identity(),
    )


def cmsis_nn_identity() -> str:
    """What identifies CMSIS-NN's files, which ``check_cmsis_nn`` compares."""
    installed = importlib.metadata.version(CMSIS_NN_PACKAGE)
    return f"CMSIS-NN {CMSIS_NN_VERSION} ({CMSIS_NN_PACKAGE} {installed}, sha256 {CMSIS_NN_SHA256})"


def _crate_folder(version: str) -> Path:
    """Where cargo unpacked the crate; remembered, because asking cargo takes longer than a whole warm run."""
    remembered = cache.path("sources", f"{CRATE}-{version}")
    known = cache.read(remembered, str)
    if known is not None and (Path(known) / ".cargo-ok").is_file():
        return Path(known)
    folder = _fetch()
    cache.write(remembered, json.dumps(str(folder)).encode())
    return folder


def find_cargo() -> str:
    """A cargo that is new enough for the registry's sparse index.

    Raises:
        MissingToolError: there is none, or only older ones.
    """
    hint = "apt-get install cargo-web (Debian 12) or cargo (Debian 13, Ubuntu 24.04)"
    found = []
    homes = [os.environ.get("CARGO_HOME"), str(Path.home() / ".cargo")]
    candidates = [shutil.which("cargo"), *(shutil.which("cargo", path=f"{home}/bin") for home in homes if home)]
    for cargo in candidates:
        if cargo is None:
            continue
        version = process.run([cargo, "--version"], time_limit_s=60).stdout
        numbers = re.match(r"cargo (\d+)\.(\d+)", version)
        if numbers and (int(numbers[1]), int(numbers[2])) >= _CARGO_NEEDED:
            return cargo
        found.append(version.strip() or f"{cargo} --version fails")
    if found:
        raise MissingToolError(f"no usable cargo ({found[0]}): 1.70 or newer is needed", hint)
    raise MissingToolError("cargo is not installed (it fetches the sources of TFLM)", hint)


def _fetch() -> Path:
    cargo = find_cargo()
    manifest = data_folder("firmware") / "tflm" / "Cargo.toml"
    common = ["--locked", "--manifest-path", str(manifest)]
    fetched = process.run([cargo, "fetch", *common], time_limit_s=600)
    if fetched.returncode != 0:
        raise HarnessError(
            f"cargo cannot fetch {CRATE}", "is the crate registry reachable?", detail=fetched.stderr.strip()
        )
    described = process.run([cargo, "metadata", "--offline", "--format-version", "1", *common], time_limit_s=60)
    if described.returncode != 0:
        raise HarnessError(f"cargo cannot describe {CRATE}", detail=described.stderr.strip())
    packages = json.loads(described.stdout)["packages"]
    return Path(next(package for package in packages if package["name"] == CRATE)["manifest_path"]).parent


@functools.cache
def cmsis_nn_folder() -> Path:
    """Where the vendored files of CMSIS-NN are.

    Raises:
        MissingToolError: bakenn is not installed.
    """
    spec = importlib.util.find_spec(CMSIS_NN_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise MissingToolError(f"the Python package {CMSIS_NN_PACKAGE} is not installed", "pip install bakenn==1.0.0")
    return Path(spec.submodule_search_locations[0]) / "backend" / "cmsis_nn" / "vendor"


def check_cmsis_nn(folder: Path) -> None:
    """Compare the vendored files with the hash that belongs to this release.

    Raises:
        HarnessError: they are not the files that were tried.
    """
    found = tree_sha256(folder)
    if found != CMSIS_NN_SHA256:
        raise HarnessError(
            f"{folder}: these are not the files of {CMSIS_NN_PACKAGE} 1.0.0 (sha256 {found})",
            "pip install --force-reinstall bakenn==1.0.0",
        )


def tree_sha256(folder: Path) -> str:
    """SHA-256 over the relative paths and contents of all files below ``folder`` but Python's own."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix not in (".py", ".pyc"):
            content = path.read_bytes()
            digest.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()
