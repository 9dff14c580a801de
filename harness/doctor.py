"""Examines this machine: is there everything that a measurement needs, and does the counter count exactly?"""

from __future__ import annotations

import importlib.util
import platform as host_platform
import tempfile
from collections.abc import Callable
from pathlib import Path

from harness import library, selftest, sources, toolchain
from harness.emulators import BACKENDS, plugin, renode_find
from harness.errors import EmulationError, HarnessError
from harness.paths import cache_folder, results_folder
from harness.records import Record

_HELIUM = "Renode 1.16.1 does not execute all of Helium; a newer one may: renode-run download"


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
        _check("CMake and Ninja", _build_tools),
        _check("QEMU", _qemu),
        _check("counter self-test", lambda: _selftest("qemu")),
        _check("cache", lambda: _writable(cache_folder())),
        _check("results", lambda: _writable(results_folder())),
        *_renode(),
        _tensorflow(),
    )


def _check(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name=name, ok=True, required=True, found=look(), hint=None)
    except HarnessError as error:
        return Finding(name=name, ok=False, required=True, found=error.message, hint=error.hint)


def _cmsis_nn() -> str:
    sources.check_cmsis_nn(sources.cmsis_nn_folder())
    return sources.cmsis_nn_identity()


def _build_tools() -> str:
    return ", ".join(library.program(name) for name in ("cmake", "ninja"))


def _qemu() -> str:
    counter = plugin.get(plugin.find_qemu())
    return f"{counter.qemu_version}, counting plugin API {counter.api}"


def _selftest(emulator: str) -> str:
    """Run it on each core; what cannot be run on one core does not keep the others from being checked."""
    results: list[selftest.Result] = []
    failures: list[tuple[str, EmulationError]] = []
    for core in selftest.CORES:
        try:
            results += selftest.run(BACKENDS[emulator], cores=(core,))
        except EmulationError as error:
            failures.append((core.name, error))
    wrong = [item for item in results if not item.exact]
    if wrong:
        first = wrong[0]
        raise HarnessError(
            f"{len(wrong)} of {len(results)} segments miscounted, first {first.segment} on {first.core}: "
            f"{first.counted} instead of {first.expected}"
        )
    exact = f"{len(results)} hand-counted segments exact on {len({item.core for item in results})} cores"
    if failures:
        failure = failures[0][1]
        failed = ", ".join(core_name for core_name, _ in failures)
        hint = _HELIUM if (emulator, failed) == ("renode", "cortex-m55") else failure.hint
        raise HarnessError(f"{exact}; failed on {failed}: {failure.message}", hint, failure.detail)
    return exact


def _renode() -> tuple[Finding, ...]:
    """The second emulator: not needed to measure, and checked where it is installed."""
    try:
        found = renode_find.find()
    except HarnessError as error:
        return (Finding(name="Renode", ok=False, required=False, found=error.message, hint=error.hint),)
    version = Finding(name="Renode", ok=True, required=False, found=f"{found.version}, {found.origin}", hint=None)
    try:
        exact = _selftest("renode")
    except HarnessError as error:
        return version, Finding(name="Renode self-test", ok=False, required=False, found=error.message, hint=error.hint)
    return version, Finding(name="Renode self-test", ok=True, required=False, found=exact, hint=None)


def _writable(folder: Path) -> str:
    """Try it where it is, or where it would be made: looking leaves no folder behind."""
    place = next(place for place in (folder, *folder.parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
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
