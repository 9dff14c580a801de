"""What the doctor says about Renode, which no measurement requires."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness import doctor, selftest
from harness.doctor import Finding
from harness.emulators import renode_find
from harness.errors import EmulationError, MissingToolError

FOUND = renode_find.Renode(command=("/opt/renode",), version="1.16.1 (d66b0c2a)", origin="/opt/renode")


def findings(monkeypatch: pytest.MonkeyPatch, counted: dict[str, int | EmulationError]) -> list[Finding]:
    """The findings where Renode counts this on each core instead of 10, or fails."""

    def run(emulator: object, repeats: int = 1, cores: Sequence[selftest.Core] = ()) -> list[selftest.Result]:
        (core,) = cores
        result = counted.get(core.name, 10)
        if isinstance(result, EmulationError):
            raise result
        return [selftest.Result(core=core.name, segment="loop", expected=10, counted=result)] * 2

    monkeypatch.setattr(renode_find, "find", lambda: FOUND)
    monkeypatch.setattr(selftest, "run", run)
    version, check = doctor._renode()
    assert (version.name, version.ok, version.required) == ("Renode", True, False)
    assert version.found == "1.16.1 (d66b0c2a), /opt/renode"
    assert (check.name, check.required) == ("Renode self-test", False)
    return [version, check]


def test_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def find() -> None:
        raise MissingToolError("Renode not found: nowhere", renode_find.INSTALL)

    monkeypatch.setattr(renode_find, "find", find)
    (only,) = doctor._renode()
    assert only == Finding(
        name="Renode", ok=False, required=False, found="Renode not found: nowhere", hint=renode_find.INSTALL
    )
    assert "pipx install git+https://github.com/antmicro/renode-run" in (only.hint or "")
    assert "renode-run download" in (only.hint or "")


def test_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    check = findings(monkeypatch, {})[1]
    assert (check.ok, check.found) == (True, "12 hand-counted segments exact on 6 cores")


def test_miscounted(monkeypatch: pytest.MonkeyPatch) -> None:
    check = findings(monkeypatch, {"cortex-m7": 11})[1]
    assert check.ok is False
    assert check.found == "2 of 12 segments miscounted, first loop on cortex-m7: 11 instead of 10"


def test_a_core_that_fails_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    check = findings(monkeypatch, {"cortex-m55": EmulationError("the core stopped", "another hint")})[1]
    assert check.ok is False
    assert check.found == "10 hand-counted segments exact on 5 cores; failed on cortex-m55: the core stopped"
    assert check.hint == "Renode 1.16.1 does not execute all of Helium; a newer one may: renode-run download"


def test_another_core_that_fails_keeps_its_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    check = findings(monkeypatch, {"cortex-m3": EmulationError("the core stopped", "another hint")})[1]
    assert check.found == "10 hand-counted segments exact on 5 cores; failed on cortex-m3: the core stopped"
    assert check.hint == "another hint"
