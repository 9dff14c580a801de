"""Builds QEMU's plugins for the QEMU that is installed, in the API version that it accepts, and keeps the results."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from pathlib import Path

import msgspec

from harness import cache, process
from harness.errors import BuildError, EmulationError, MissingToolError
from harness.paths import cache_folder
from harness.records import Record

SOURCE = Path(__file__).with_name("counter.c")
_INCLUDED = {
    "counter": ("edges.h", "flash_lines.h", "qemu_plugin.h", "sections.h"),
    "flow": ("flow_ends.h", "flow_stack.h", "flow_steps.h", "flow_tree.h", "qemu_plugin.h", "sections.h"),
}
# 1: the interface up to QEMU 8.2; 2: from QEMU 9.0, whose functions used here are unchanged in 10.0 (API 4, which
# accepts 2). A QEMU refuses what it does not speak when it loads the plugin.
API_VERSIONS = (1, 2)
_FLAGS = ("-std=c11", "-O2", "-Wall", "-shared", "-fPIC", "-pthread", "-fvisibility=hidden")


class Plugin(Record, frozen=True):
    """A built plugin: the shared object, its API version, and the version of the QEMU that accepts it ("7.2.22")."""

    path: Path
    api: int
    qemu_version: str


class _Choice(Record, frozen=True):
    """What is stored beside a built plugin."""

    api: int
    qemu_version: str


def find_qemu() -> Path:
    """The installed qemu-system-arm.

    Raises:
        MissingToolError: there is none on PATH.
    """
    found = shutil.which("qemu-system-arm")
    if found is None:
        raise MissingToolError("qemu-system-arm is not installed", "apt-get install qemu-system-arm")
    return Path(found)


def get(qemu: Path, name: str = "counter") -> Plugin:
    """A plugin for this QEMU, "counter" or "flow".

    It is built at its first use (about 0.5 s), and again when QEMU or its sources change.

    Safe for several processes at once: one builds, the others wait; a finished folder appears in one step.

    Raises:
        MissingToolError: no host C compiler is installed.
        BuildError: the compiler failed.
        EmulationError: this QEMU accepts the plugin in no API version.
    """
    folder = cache_folder() / "qemu-plugin" / _key(qemu, name)
    if not folder.is_dir():
        from filelock import FileLock

        with cache.writing():
            folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            if not folder.is_dir():
                with tempfile.TemporaryDirectory(dir=folder.parent, prefix="building-") as building:
                    made = Path(building) / "made"
                    made.mkdir()
                    _make(qemu, made, name)
                    made.rename(folder)
    choice = msgspec.json.decode((folder / "choice.json").read_bytes(), type=_Choice)
    return Plugin(path=folder / f"{name}.so", api=choice.api, qemu_version=choice.qemu_version)


def _key(qemu: Path, name: str) -> str:
    """Identifies the QEMU binary and the plugin's source and flags."""
    real = qemu.resolve()
    state = real.stat()
    identity = f"{real}\n{state.st_mtime_ns}\n{state.st_size}\n{_FLAGS}\n{API_VERSIONS}\n".encode()
    files = (_source(name), *(SOURCE.with_name(included) for included in _INCLUDED[name]))
    sources = b"".join(path.read_bytes() for path in files)
    return hashlib.sha256(identity + sources).hexdigest()[:16]


def _source(name: str) -> Path:
    return SOURCE.with_name(f"{name}.c")


def _make(qemu: Path, folder: Path, name: str) -> None:
    """Build the plugin in the first API version that QEMU accepts, and write choice.json."""
    refusals = []
    for api in API_VERSIONS:
        library = folder / f"{name}.so"
        _compile(api, _source(name), library)
        probe = process.run(
            [qemu, "-M", "none", "-nographic", "-monitor", "none", "-plugin", f"{escaped(library)},probe=on"],
            time_limit_s=20.0,
        )
        if probe.returncode == 0:
            choice = _Choice(api=api, qemu_version=version(qemu))
            (folder / "choice.json").write_bytes(msgspec.json.encode(choice))
            return
        refusals.append(f"API {api}: {probe.stderr.strip()}")
    raise EmulationError(
        f"{qemu} does not accept the counting plugin",
        "QEMU 7.2 to 10.0 with TCG plugins enabled, as Debian and Ubuntu build it, is needed",
        "\n".join(refusals),
    )


def _compile(api: int, source: Path, library: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise MissingToolError("no host C compiler (cc) is installed", "apt-get install gcc libc6-dev")
    built = process.run([compiler, *_FLAGS, f"-DPLUGIN_API={api}", source, "-o", library])
    if built.returncode != 0:
        raise BuildError(
            f"{compiler} cannot build the counting plugin", "apt-get install gcc libc6-dev", built.stderr.strip()
        )


def version(qemu: Path) -> str:
    """QEMU's version, "7.2.22".

    Raises:
        EmulationError: it does not say it.
    """
    text = process.run([qemu, "--version"], time_limit_s=20.0).stdout
    match = re.search(r"version (\d+\.\d+\.\d+)", text)
    if match is None:
        raise EmulationError(f"{qemu} does not say its version", detail=text)
    return match[1]


def escaped(path: Path) -> str:
    """A path as a value in a QEMU option list, where a comma is doubled."""
    return os.fspath(path).replace(",", ",,")
