"""What is asked for: the same by the same seed, also where a study was killed between any two steps."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.optimize.engine import Enumeration, Search
from harness.optimize.space import Value

pytest.importorskip("optuna", reason="Optuna is not installed")

AXES: dict[str, tuple[Value, ...]] = {
    "family": ("a", "b", "c"),
    "channels": tuple(range(4, 25)),
    "depth": (1, 2, 3),
    "growth": (1.0, 1.5, 2.0),
    "alone": (3,),
}
BATCH, TRIALS = 4, 28


def outcome(params: dict[str, Value]) -> tuple[list[float | None], dict[str, float]]:
    channels, depth = int(params["channels"]), int(params["depth"])
    broken = channels > 18
    return [None if broken else channels * depth / 72, abs(float(params["growth"]) - 1.5)], {"ram": channels / 12 - 1}


class Killed(Exception):
    """Where a study ends."""


def asked(journal: Path, seed: int = 7, stop: tuple[str, int] | None = None) -> list[dict[str, Value]]:
    """Run a study of made-up outcomes, from wherever its journal is; ``stop`` behind a step."""
    search = Search(journal, AXES, 2, "tpe", seed)
    found: list[dict[str, Value]] = []
    for start in range(0, TRIALS, BATCH):
        for number in range(start, start + BATCH):
            found.append(search.ask(number))
            if stop == ("ask", number):
                raise Killed
        for number in range(start, start + BATCH):
            search.tell(number, *outcome(found[number]))
            if stop == ("tell", number):
                raise Killed
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Value]]:
    return asked(tmp_path_factory.mktemp("study") / "journal.log")


@pytest.mark.parametrize("stop", [("ask", 21), ("ask", 23), ("tell", 21), ("tell", 23)])
def test_a_killed_study_asks_for_the_same(
    tmp_path: Path, undisturbed: list[dict[str, Value]], stop: tuple[str, int]
) -> None:
    journal = tmp_path / "journal.log"
    with pytest.raises(Killed):
        asked(journal, stop=stop)
    (tmp_path / "journal.log.lock").write_text("left behind")
    assert asked(journal) == undisturbed


@pytest.mark.parametrize("number", [21, 26], ids=["drawn at random", "chosen"])
def test_a_trial_that_was_half_asked_for_is_asked_for_again(
    tmp_path: Path, undisturbed: list[dict[str, Value]], number: int
) -> None:
    journal = tmp_path / "journal.log"
    with pytest.raises(Killed):
        asked(journal, stop=("ask", number))
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-2]) + lines[-2][:10])  # also a line that was cut off
    assert asked(journal) == undisturbed


def test_another_seed_asks_for_something_else_and_values_are_those_of_the_axes(
    tmp_path: Path, undisturbed: list[dict[str, Value]]
) -> None:
    other = asked(tmp_path / "journal.log", seed=8)
    assert other != undisturbed
    for params in (*other, *undisturbed):
        assert all(params[name] in values for name, values in AXES.items())


def test_what_violates_constraints_is_avoided_later(undisturbed: list[dict[str, Value]]) -> None:
    early = [int(params["channels"]) for params in undisturbed[:16]]
    late = [int(params["channels"]) for params in undisturbed[16:]]
    assert sum(late) / len(late) < sum(early) / len(early)


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    journal = tmp_path / "journal.log"
    journal.write_text("not JSON\nat all\n")
    with pytest.raises(HarnessError, match="no journal of Optuna"):
        Search(journal, AXES, 2, "tpe", 7)


def test_an_enumeration_asks_for_each_choice_once() -> None:
    choices: list[dict[str, Value]] = [{"depth": 1}, {"depth": 2}]
    engine = Enumeration(choices)
    assert engine.size == 2
    assert [engine.ask(number) for number in range(2)] == choices
    engine.tell(0, [1.0], {})
