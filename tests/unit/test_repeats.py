"""Repeated runs: which file of which run differs."""

from __future__ import annotations

import result_maker

from harness import repeats
from harness.repeats import Repeats

SAME = {"firmware.elf": "1", "result.json": "2"}


def made(*files: dict[str, str], cold: bool = False) -> Repeats:
    return Repeats(cold=cold, results=(result_maker.result(),) * len(files), files=files)


def test_equal_runs() -> None:
    assert repeats.first_difference(made(SAME, SAME, cold=True), made(SAME)) is None


def test_the_first_file_that_differs_is_named() -> None:
    other = SAME | {"result.json": "3"}
    assert repeats.first_difference(made(SAME, other)) == "result.json of warm run 2 differs from that of warm run 1"
    assert (
        repeats.first_difference(made(SAME, cold=True), made(SAME, other))
        == "result.json of warm run 2 differs from that of cold run 1"
    )


def test_a_file_that_only_one_run_has_differs() -> None:
    more = SAME | {"functions.csv": "4"}
    assert "functions.csv of warm run 2" in str(repeats.first_difference(made(SAME, more)))
    assert "functions.csv of warm run 2" in str(repeats.first_difference(made(more, SAME)))
