"""Why a study came to its pick: single changes, budgets and their slack, the smallest change that lets a trial in."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from optimize_maker import measured, measurement, quantity, scenario, trial
from rich.console import Console

from harness.optimize import ablate, explain
from harness.optimize.ablate import Ablation
from harness.optimize.explain import SCHEMA, Explained, Side
from harness.optimize.judge import Bounded
from harness.optimize.records import TrialRecord
from harness.optimize.scenario import Scenario
from harness.report import optimize_explain as report

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

TEXT = """objectives = ["accuracy", "energy", "latency"]
[budgets]
deadline = "20 ms"
flash = "64 KiB"
ram = "16 KiB"
accuracy = 0.8
"""


@pytest.fixture
def made(tmp_path: Path) -> Scenario:
    return scenario(tmp_path, TEXT)


def one(made: Scenario, number: int, ms: float = 8.0, flash: int = 60_000, correct: int | None = 90) -> TrialRecord:
    found = measurement(
        measured(100_000, flash=flash), quantity(ms, 0.7 * ms, 1.5 * ms), quantity(30 * ms, 0.0, 50 * ms)
    )
    return trial(made, number, found, correct)


def test_every_single_change_differs_in_one_thing(made: Scenario) -> None:
    candidate = one(made, 0).candidate  # channels 4, two blocks, int8, cmsis-nn, -O2
    found = ablate.neighbours(candidate)
    assert len({item.key for *_, item in found}) == len(found) and candidate not in [item for *_, item in found]
    names = [(kind, after) for kind, _, after, _ in found]
    assert [after for kind, after in names if kind == "channels"] == ["1", "2", "3", "5", "6", "7", "8"]  # 0 is none
    assert [after for kind, after in names if kind == "depth"] == ["1", "3"]
    assert [after for kind, after in names if kind == "level"] == ["-Os", "-O3", "-Ofast"]
    assert {("kernels", "reference"), ("type", "float32")} <= set(names)
    pruned = msgspec.structs.replace(candidate, pruning=0.25)
    assert ("pruning", "none") in [(kind, after) for kind, _, after, _ in ablate.neighbours(pruned)]
    for kind, _, after, item in found:
        changed = explain.differences(candidate, item)
        assert changed[kind][1] == after
        assert set(changed) - {kind} <= {"growth", "pool"}  # what has no meaning any more at that depth


def test_the_binding_budget_has_the_least_room(made: Scenario) -> None:
    judged = one(made, 0, ms=13.0, flash=62_000).judgements
    found = explain.binding(judged)
    assert found is not None and found.key == "deadline"  # 19.5 of 20 ms by its upper bound
    assert report.slack(found) == "2 %"


def test_one_budget_alone_is_what_the_fewest_miss(made: Scenario) -> None:
    records = [
        one(made, 0, flash=70_000, correct=None),  # flash alone, its accuracy unknown
        one(made, 1, flash=80_000),  # flash alone
        one(made, 2, flash=75_000),  # flash alone, the nearest that is trained
        one(made, 3, flash=66_000, correct=50),  # two of them
        one(made, 4, ms=14.0),  # the deadline is undecided
    ]
    found = {item.judgement.key: item for item in explain.alone(records)}
    assert {key: item.trial for key, item in found.items()} == {"flash": 2, "deadline": 4}
    assert found["flash"].factor == pytest.approx(75_000 / 65_536)
    assert found["deadline"].factor == pytest.approx(21 / 20)
    (unknown,) = explain.alone(records[:1])
    assert unknown.unknown and "which is not known" in report._alone(unknown)


def test_the_baseline_has_the_fewest_macs_of_what_is_accurate_enough(made: Scenario) -> None:
    def sized(record: TrialRecord, macs: int) -> TrialRecord:
        return msgspec.structs.replace(record, macs=macs)

    records = [sized(one(made, 0, correct=None), 1), sized(one(made, 1, correct=70), 2), sized(one(made, 2), 4),
               sized(one(made, 3), 3)]  # fmt: skip
    found = explain.baseline(made, records)
    assert found is not None and found.number == 3
    assert explain.baseline(made, records[:2]) is None


def test_changes_are_ordered_by_the_first_objective_of_a_build(made: Scenario) -> None:
    assert explain.metric_of(made) == "energy"


def shown(made: Scenario) -> Explained:
    record = one(made, 0)
    values = ablate.values(made, record.measurements)
    side = Side(role="pick", trial=0, candidate=record.candidate, macs=10_000, accuracy=0.9, epochs=18, values=values,
                state="met")  # fmt: skip
    *_, other = ablate.neighbours(record.candidate)[0]
    more = Ablation(kind="channels", before="4", after="5", candidate=other, macs=12_000,
                    values={"energy": Bounded(value=300.0, low=None, high=None, model="m")}, effect=0.25,
                    missed=("deadline",), reason=None, study="s")  # fmt: skip
    none = msgspec.structs.replace(more, after="3", values={}, effect=None, missed=(), reason="too large", macs=None)
    return Explained(schema=SCHEMA, name="small", metric="energy", sides=(side,), pairs=(), around=side,
                     ablations=(more, none), budgets=record.judgements, binding=explain.binding(record.judgements),
                     nearest=(), alone=(), proved=False, trials=1, notes=())  # fmt: skip


@pytest.mark.parametrize("width", [80, 120])
def test_the_tables_fit_the_terminal(made: Scenario, width: int) -> None:
    console = Console(width=width)
    with console.capture() as capture:
        for line in report.lines(shown(made)):
            console.print(line)
    text = capture.get()
    assert max(map(len, text.splitlines())) <= width
    assert "channels 4 to 5" in text and "+25.0 %" in text and "deadline" in text and "binding" in text
    assert "~240 uJ" in text and "too large" in text


def test_where_there_is_no_pick_it_says_what_would_do(made: Scenario) -> None:
    records = [one(made, 1, flash=80_000)]
    found = msgspec.structs.replace(shown(made), budgets=(), binding=None, alone=explain.alone(records), sides=(),
                                    around=None, ablations=())  # fmt: skip
    console = Console(width=100)
    with console.capture() as capture:
        for line in report.lines(found):
            console.print(line)
    assert "none found in 1 trials, which proves nothing" in capture.get()
    assert "flash on stm32l496zg: 80,000 B, ≤ 65,536 B, missed; 80,000 B would do" in capture.get()
    proved = msgspec.structs.replace(found, proved=True, trials=4)
    with console.capture() as capture:
        console.print(report.lines(proved)[0])
    assert "proved: each of the 4 candidates" in capture.get()
