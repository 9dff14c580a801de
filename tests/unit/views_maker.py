"""Sweeps and studies of every kind of point and trial, for tests of their reports."""

from __future__ import annotations

from typing import Any

import msgspec
import plots_maker
from optimize_maker import measured, measurement, pick, quantity, result, trial
from plots_maker import Made

from harness.optimize.records import DeviceAccuracy, StudyResult, TestAccuracy, TrialRecord
from harness.optimize.scenario import Scenario
from harness.page.document import Fold, Page, Table
from harness.report.plots_points import Swept
from harness.sweep.plan import Failure

STUDY = 'objectives = ["energy", "accuracy"]\n[budgets]\ndeadline = "20 ms"\nenergy = "400 uJ"\naccuracy = 0.8\n'


def layers(instructions: int) -> tuple[tuple[str, int, int, int], ...]:
    return (("CONV_2D", instructions, 100, 8),)


def mixed() -> Swept:
    """Two points on the front, one that both beat, one over a budget, one that is not exact, one that failed."""
    return plots_maker.store(
        [
            Made(model="fast.tflite", layers=layers(1000), flash=60_000),
            Made(model="small.tflite", layers=layers(3000), flash=20_000),
            Made(model="worse.tflite", layers=layers(4000), flash=61_000),
            Made(model="big.tflite", layers=layers(900), flash=90_000),
            Made(model="wrong.tflite", layers=layers(800), exact=False, passed=False),
            Made(model="dead.tflite", layers=None),
        ],
        flash_kib=64,
    )


def many(points: int = 300) -> Swept:
    """A sweep of so many points with names as long as they are, a tenth of which failed and a tenth is infeasible."""
    made = []
    for number in range(points):
        model = f"mobilenet_v1_{number // 6}_quantized_and_pruned_for_microcontrollers.tflite"
        kernels, platform = ("cmsis-nn", "reference")[number % 2], ("stm32l496zg", "stm32f767zi", "rp2040")[number % 3]
        each = (1 + number * 7919 % 97) * (9_000 if kernels == "reference" else 2_500)
        operators = ("CONV_2D", "DEPTHWISE_CONV_2D") * 15
        counts = None if number % 10 == 9 else tuple((op, each, 100_000, 8) for op in operators)
        flash = 120_000 if number % 10 == 5 else 30_000 + (97 - number * 7919 % 97) * 550 + number % 13 * 900
        made.append(Made(model=model, layers=counts, kernels=kernels, platform=platform, flash=flash))
    return plots_maker.store(made, flash_kib=96)


def one(made: Scenario, number: int, ms: float, correct: int | None = None, **chosen: Any) -> TrialRecord:
    found = measurement(
        measured(int(ms * 10_000)), quantity(ms, 0.7 * ms, 1.5 * ms), quantity(30 * ms, 20 * ms, 31 * ms)
    )
    return trial(made, number, found, correct, **chosen)


def several(made: Scenario) -> list[TrialRecord]:
    """Missed, undecided, two that are met, a duplicate of one, one that cannot be made, one that does not run."""
    records = [one(made, 0, 30.0), one(made, 1, 13.0, 70), one(made, 2, 9.0, 85), one(made, 3, 7.0, 84)]
    records.append(msgspec.structs.replace(records[3], number=4, duplicate_of=3))
    gone = Failure(kind="impossible", message="too deep for the map")
    records.append(msgspec.structs.replace(records[0], number=5, failure=gone, measurements=(), judgements=()))
    records.append(trial(made, 6, measurement(None)))
    return records


def picked(records: list[TrialRecord], **changed: Any) -> StudyResult:
    chosen = pick(
        records[3],
        test=TestAccuracy(correct=81, images=100, low=0.72, high=0.88, state="undecided"),
        device=(DeviceAccuracy(board="stm32l496zg", images=100, correct=81, host_correct=81, different=0),),
    )
    return result(records, chosen, runner_up=pick(records[2]), front=(3, 2), **changed)


def blocks(shown: Page, kind: type[Any]) -> dict[str, Any]:
    """The blocks of a kind by their ids, those in folds, too."""
    found = {}
    for section in shown.sections:
        for block in section.blocks:
            inner = block.blocks if isinstance(block, Fold) else (block,)
            found |= {item.id: item for item in inner if isinstance(item, kind)}
    return found


def table(shown: Page, name: str) -> Table:
    """A table of a page by its id."""
    found: Table = blocks(shown, Table)[name]
    return found
