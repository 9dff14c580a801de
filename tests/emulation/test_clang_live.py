"""Firmware that clang compiled: exact, said to be clang's, and not compared with GCC's."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import run, toolchain
from harness.gate import comparability
from tests.conftest import DIGITS

pytestmark = pytest.mark.skipif(shutil.which("clang") is None, reason="clang is not installed (apt-get install clang)")


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No choice of another test or of the environment is seen, nor left behind."""
    for name in (toolchain.VARIABLE, toolchain.SYSROOT):
        monkeypatch.setenv(name, "")
    toolchain.arm.cache_clear()
    yield
    toolchain.arm.cache_clear()


@pytest.mark.parametrize("kernels", ["reference", "cmsis-nn"])
def test_it_is_exact_and_said_to_be_clangs(kernels: str, results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = run(DIGITS, "stm32l496zg", kernels=kernels, cycles=True)
    monkeypatch.setenv(toolchain.VARIABLE, "clang")
    toolchain.arm.cache_clear()
    found = run(DIGITS, "stm32l496zg", kernels=kernels, cycles=True)
    assert found.verdict.passed, found.verdict.reasons
    assert found.check.outputs == usual.check.outputs
    assert "clang version" in found.identity.compiler and usual.identity.compiler in found.identity.compiler
    assert found.identity.flags == usual.identity.flags and found.run_id != usual.run_id
    assert found.counts.total != usual.counts.total
    assert found.estimate is not None and found.estimate.cycles.value > 0
    (differs,) = (item for item in comparability.differences(found, usual) if item.what == "compiler")
    assert {"instructions", "flash", "latency"} <= differs.metrics
