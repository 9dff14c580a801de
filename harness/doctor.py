"""Examines this machine: is there everything that a measurement needs, and does the counter count exactly?"""

from __future__ import annotations

import importlib.util
import platform as host_platform
import tempfile
from collections.abc import Callable
from pathlib import Path

from harness import selftest, sources, toolchain
from harness.emulators import BACKENDS, plugin
from harness.errors import HarnessError
from harness.paths import cache_folder, results_folder
from harness.records import Record


class Finding(Record, frozen=True):
    """One thing that was looked at: what was found, or what is wrong and what to do."""

    name: str
    ok: bool
    required: bool
    found: str
    hint: str | None


def examine() -> tuple[Finding, ...]:
    """Look at everything; the order is that in which a run needs it."""
    return (
        Finding(name="Python", ok=True, required=True, found=host_platform.python_version(), hint=None),
        _check("Arm compiler", lambda: toolchain.arm().version),
        _check("host compiler", lambda: toolchain.host().version),
        _check("TFLM sources", lambda: sources.locate().tflm_identity),
        _check("CMSIS-NN sources", _cmsis_nn),
        _check("QEMU", _qemu),
        _check("counter self-test", _selftest),
        _check("cache", lambda: _writable(cache_folder())),
        _check("results", lambda: _writable(results_folder())),
        _tensorflow(),
    )


def _check(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name=name, ok=True, required=True, found=look(), hint=None)
    except HarnessError as error:
        return Finding(name=name, ok=False, required=True, found=error.message, hint=error.hint)


def _cmsis_nn() -> str:
    found = sources.locate()
    sources.check_cmsis_nn(found.cmsis_nn)
    return found.cmsis_nn_identity


def _qemu() -> str:
    counter = plugin.get(plugin.find_qemu())
    return f"{counter.qemu_version}, counting plugin API {counter.api}"


def _selftest() -> str:
    results = selftest.run(BACKENDS["qemu"])
    wrong = [item for item in results if item.counted != item.expected]
    if wrong:
        first = wrong[0]
        raise HarnessError(
            f"{len(wrong)} of {len(results)} segments miscounted, first {first.segment} on {first.core}: "
            f"{first.counted} instead of {first.expected}"
        )
    cores = sorted({item.core for item in results})
    return f"{len(results)} hand-counted segments exact on {len(cores)} cores"


def _writable(folder: Path) -> str:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise HarnessError(f"{folder} cannot be written: {error.strerror}", "check its owner and free space") from error
    return str(folder)


def _tensorflow() -> Finding:
    """Only the zoo needs it; asked for without importing it, which takes seconds."""
    present = importlib.util.find_spec("tensorflow") is not None
    return Finding(
        name="TensorFlow",
        ok=present,
        required=False,
        found="installed" if present else "not installed (only needed to make networks)",
        hint=None if present else "pip install 'tflm-harness[zoo]'",
    )
