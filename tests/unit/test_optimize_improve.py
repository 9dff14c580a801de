"""Which step pays: how far budgets are from being met, what is gained for the accuracy that is lost, why it ends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from optimize_maker import measured, measurement, quantity, scenario
from rich.console import Console

from harness.cli.optimize.improve import start_of
from harness.errors import BadInputError
from harness.optimize import ablate, improve, judge
from harness.optimize.improve import SCHEMA, Improved, Round
from harness.optimize.records import TestAccuracy
from harness.optimize.scenario import Scenario
from harness.optimize.space import Type
from harness.optimize.variants import Standing, Variant
from harness.report import optimize_improve as report
from harness.zoo import versions
from harness.zoo.candidates import Built
from harness.zoo.evaluate import Accuracy
from harness.zoo.training import Training
from harness.zoo.versions import Asked, Change, Made

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

TEXT = '[budgets]\ndeadline = "20 ms"\nflash = "64 KiB"\nram = "16 KiB"\naccuracy = 0.8\n'


@pytest.fixture
def made(tmp_path: Path) -> Scenario:
    return scenario(tmp_path, TEXT)


def standing(made: Scenario, high_ms: float, flash: int, correct: int, runs: bool = True) -> Standing:
    found = measurement(
        measured(100_000, flash=flash) if runs else None, quantity(0.6 * high_ms, 0.4 * high_ms, high_ms)
    )
    accuracy = Accuracy(correct=correct, images=100)
    judged = judge.judgements(made, [found], accuracy)
    variant = Variant(label="wasteful", sha256="0" * 64, type="float32", kernels="reference", optimisation="-Os")
    return Standing(variant=variant, macs=10_000, accuracy=accuracy, values=ablate.values(made, [found]),
                    measurements=(found,), judgements=judged, state=judge.overall(judged))  # fmt: skip


def test_the_gap_is_in_ratios_of_the_missed_budgets(made: Scenario) -> None:
    assert improve.gap(standing(made, 40.0, 131_072, 90).judgements) == pytest.approx(2 * math.log(2))
    assert improve.gap(standing(made, 10.0, 1_000, 90).judgements) == 0
    assert improve.gap(standing(made, 10.0, 1_000, 40).judgements) == pytest.approx(math.log(2))
    assert improve.gap(standing(made, 9.0, 1, 90, runs=False).judgements) >= 100  # it does not run


def test_what_is_lost_in_accuracy_makes_a_step_worth_less(made: Scenario) -> None:
    before = standing(made, 40.0, 131_072, 90)
    free = improve.tried("free", before, standing(made, 30.0, 131_072, 92))
    dear = improve.tried("dear", before, standing(made, 20.0, 131_072, 87))
    assert (free.lost, free.worth) == (0, pytest.approx(math.log(4 / 3)))
    assert (dear.lost, dear.worth) == (pytest.approx(0.03), pytest.approx(math.log(2) / 4))


def test_a_step_below_the_lowest_accuracy_or_without_a_gain_is_not_taken(made: Scenario) -> None:
    before = standing(made, 40.0, 131_072, 90)
    assert improve.tried("a", before, standing(made, 10.0, 1_000, 79)).reason is not None
    assert improve.tried("b", before, before).reason == "brings nothing toward the missed budgets"
    # What is below already may go on from there.
    low = standing(made, 40.0, 131_072, 70)
    assert improve.tried("c", low, standing(made, 20.0, 131_072, 70)).reason is None


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_of_steps_fits_the_terminal(made: Scenario, width: int) -> None:
    first, last = standing(made, 40.0, 131_072, 90), standing(made, 30.0, 60_000, 89)
    taken = improve.tried("quantise to int8", first, last)
    left = improve.tried("level -Os to -O2", first, first)
    end = Round(before=last, tried=(improve.tried("level -Os to -O2", last, last),), taken=None)
    rounds = (Round(before=first, tried=(taken, left), taken=taken), end)
    missed = tuple(item for item in last.judgements if item.state != "met")
    shown = Improved(schema=SCHEMA, model="wasteful.keras", model_sha256="0" * 64, scenario="small", start=first,
                     rounds=rounds, final=last, missed=missed, reasons=improve._reasons(missed, rounds),
                     test=TestAccuracy(correct=88, images=100, low=0.8, high=0.93, state="met"))  # fmt: skip
    assert shown.exit_code == 1
    console = Console(width=width)
    with console.capture() as capture:
        for line in report.lines(shown):
            console.print(line)
    text = capture.get()
    assert max(map(len, text.splitlines())) <= width
    assert " ".join(text.split()).startswith(
        "NOT MET wasteful.keras for small: deadline undecided; no step that is left brings more"
    )
    assert "quantise to int8" in text and "taken" in text and "88.00 % (88 of 100)" in text


def test_files_that_are_no_keras_network_are_told_apart(tmp_path: Path) -> None:
    assert versions.suffix(b"PK\x03\x04...") == ".keras"
    for content, words in ((b"\x1c\0\0\0TFL3", "a .tflite file"), (b"", "no Keras network"), (b"text", "no Keras")):
        with pytest.raises(BadInputError, match=words):
            versions.suffix(content)
    with pytest.raises(BadInputError, match="cannot be read"):
        improve.read(tmp_path / "none.keras")


@pytest.mark.parametrize("given", [("int4", "reference", "-Os"), ("int8", "fast", "-Os"), ("int8", "reference", "-O9")])
def test_values_of_options_that_there_are_not_are_refused(given: tuple[str, str, str]) -> None:
    with pytest.raises(BadInputError, match=r"^--\w+ \S+: unknown"):
        start_of(*given)


class Paper:
    """A bench that knows latencies without measuring: int8 is fast with CMSIS-NN alone, and slow without it."""

    def __init__(self, made: Scenario) -> None:
        self.scenario = made

    def asked(self, content: bytes, change: Change, kind: Type) -> Asked:
        return Asked(content=content, change=change, type=kind, dataset="digits",
                     settings=Training(epochs=1), seed=1)  # fmt: skip

    def made(self, wanted: Sequence[Asked]) -> dict[Asked, Made | BadInputError]:
        accuracy = Accuracy(correct=90, images=100)
        return {
            item: Made(
                content=b"keras", built=Built(content=item.type.encode(), macs=1, sha256=item.type), summary="",
                validation=accuracy,
            )
            if item.change == "none"
            else BadInputError("no such version")
            for item in wanted
        }  # fmt: skip

    def standings(self, wanted: Sequence[tuple[Variant, Made]]) -> tuple[Standing, ...]:
        slow = {("int8", "cmsis-nn"): 10.0, ("int8", "reference"): 60.0}
        return tuple(
            msgspec.structs.replace(
                standing(self.scenario, slow.get((item.type, item.kernels), 40.0), 1_000, 90), variant=item
            )
            for item, _ in wanted
        )


def test_two_steps_that_pay_together_alone_are_taken_together(made: Scenario) -> None:
    bench: Any = Paper(made)
    start = standing(made, 40.0, 1_000, 90)
    state = improve._State(content=b"keras", tflite=b"float32", standing=start)
    done, after = improve._round(bench, state)
    assert done.taken is not None and done.taken.step == "quantise to int8, and kernels reference to cmsis-nn"
    assert (after.standing.variant.type, after.standing.variant.kernels) == ("int8", "cmsis-nn")
    assert (after.tflite, after.standing.state) == (b"int8", "met")
    words = [item.step for item in done.tried]
    assert len(words) == len(set(words)) and "quantise to int8" in words
    assert not any("to -O2, and level" in item for item in words)  # one thing has one value


def test_pairs_are_not_tried_where_a_single_step_pays(made: Scenario) -> None:
    bench: Any = Paper(made)
    start = msgspec.structs.replace(
        standing(made, 60.0, 1_000, 90),
        variant=Variant(label="w", sha256="0" * 64, type="int8", kernels="reference", optimisation="-Os"),
    )
    done, _ = improve._round(bench, improve._State(content=b"keras", tflite=b"int8", standing=start))
    assert done.taken is not None and done.taken.step == "kernels reference to cmsis-nn"
    assert not any(", and " in item.step for item in done.tried)
