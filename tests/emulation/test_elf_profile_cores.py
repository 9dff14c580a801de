"""Profiles of the self-test on every core, against its counts by hand: exceptions, devices, ends of pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import selftest
from harness.elfprofile import measure
from harness.elfprofile.measure import Request
from harness.selftest import Core

_AROUND = 3  # of each segment: the mark's return and two calls


@pytest.mark.parametrize("core", selftest.CORES, ids=lambda core: core.name)
def test_everything_that_the_self_test_executes(core: Core, tmp_path: Path) -> None:
    built = selftest.build(core, selftest.machine_of(core), tmp_path)
    request = Request(path=built.elf, platform=core.platform, regions=("mark",), stop_at="end")
    profile = measure.run(request).profile
    bodies = {name: body for group in core.groups for name, body in selftest.BODIES[group].items()}
    rounds = selftest.rounds(profile.uart)
    assert profile.total.instructions == 1 + sum(bodies.values()) + _AROUND * len(bodies) + 4 * rounds
    assert profile.regions[0].calls == len(bodies)
    assert profile.regions[0].total == len(bodies)
    functions = {item.name: item for item in profile.functions or ()}
    assert (functions["svc_handler"].calls, functions["svc_handler"].exclusive) == (100, 300)
    assert functions["pendsv_handler"].calls == 20
    assert not any(text in note for note in profile.notes for text in ("not exact", "nothing led", "guessed"))
