"""Scenarios and trials that tests of the search make."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.optimize import choose, finals, judge
from harness.optimize.records import (
    RESULT_SCHEMA,
    STUDY_SCHEMA,
    TRIAL_SCHEMA,
    Measurement,
    Mode,
    Pick,
    StudyFile,
    StudyResult,
    TrainingRecord,
    TrialRecord,
)
from harness.optimize.scenario import Scenario, load
from harness.optimize.space import candidate
from harness.sweep.estimates import Estimate, Quantity
from harness.sweep.metrics import Measured
from harness.sweep.plan import ROW_SCHEMA, Row
from harness.zoo.evaluate import Accuracy

HEAD = 'name = "small"\nboards = ["stm32l496zg"]\ndata = "digits"\n'
CHOSEN = {"family": "cnn", "channels": 8, "depth": 2, "kernel": 3, "stride": 1, "pool": 2, "growth": 1.5,
          "head": "average", "pruning": 0.0, "type": "int8", "kernels": "cmsis-nn", "optimisation": "-O2"}  # fmt: skip


def scenario(folder: Path, text: str, head: str = HEAD) -> Scenario:
    """A scenario of that text, for scikit-learn's digits on an STM32L496ZG."""
    path = folder / "scenario.toml"
    path.write_text(head + text)
    return load(path)


def measured(instructions: int, flash: int = 60_000, ram: int = 4_000) -> Measured:
    """A point's numbers."""
    return Measured(
        instructions=instructions, overhead=500, macs=10_000, instructions_per_mac=None, flash=flash, ram=ram,
        arena=2_000, stack=700, code=50_000, model_size=8_000, classes=None,
    )  # fmt: skip


def quantity(value: float, low: float | None, high: float | None) -> Quantity:
    """An estimate."""
    return Quantity(value=value, low=low, high=high, model="model/1", tier="uncalibrated", coverage=0.9)


def measurement(numbers: Measured | None, latency: Quantity | None = None, energy: Quantity | None = None,
                board: str = "stm32l496zg", exact: bool = True) -> Measurement:  # fmt: skip
    """A network on a board."""
    estimate = None
    if latency is not None:
        estimate = Estimate(latency_ms=latency, energy_uj=energy, without_energy=None, layer_cycles=(),
                            overhead_cycles=0)  # fmt: skip
    row = Row(schema=ROW_SCHEMA, identity=board, seconds=1.0, measured=numbers, passed=exact, output_exact=exact,
              estimate=estimate)  # fmt: skip
    return Measurement(board=board, identity=f"{numbers}", model_sha256="0" * 64, elf_sha256=None, row=row, study="s")


def trial(wanted: Scenario, number: int, found: Measurement, correct: int | None = None, **chosen: Any) -> TrialRecord:
    """A trial that was measured, and trained where ``correct`` of 100 validation images is given."""
    made = candidate({**CHOSEN, "channels": 4 + number, **chosen}, (8, 8, 1), 10)
    trainings = ()
    accuracy = None
    if correct is not None:
        accuracy = Accuracy(correct=correct, images=100)
        trainings = (TrainingRecord(epochs=6, accuracy=accuracy, sha256="1" * 64, key=str(number), seconds=1.0,
                                    study="s"),)  # fmt: skip
    judged = judge.judgements(wanted, [found], accuracy)
    values = tuple(judge.value_of(wanted, name, [found], accuracy, 10_000) for name in wanted.file.objectives)
    return TrialRecord(
        schema=TRIAL_SCHEMA, number=number, params={}, candidate=made, state=judge.overall(judged), macs=10_000,
        measurements=(found,), judgements=judged, trainings=trainings, objectives=values,
    )  # fmt: skip


def study_file(wanted: Scenario, mode: Mode = "search", space: int = 336) -> StudyFile:
    """What a study of a scenario is of."""
    return StudyFile(
        schema=STUDY_SCHEMA, id="s", name=wanted.name, scenario={}, scenario_sha256=wanted.sha256,
        scenario_path=wanted.path, mode=mode, sampler="tpe", seed=1, training_seed=1, batch=8, space=space, axes={},
        versions={}, created="2026-01-01T00:00:00+00:00",
    )  # fmt: skip


def result(records: Sequence[TrialRecord], pick: Pick | None = None, **changed: Any) -> StudyResult:
    """What a search of these trials came to."""
    met = [record.number for record in choose.met(records)]
    fields: dict[str, Any] = {
        "schema": RESULT_SCHEMA, "name": "small", "id": "s", "trials": len(records), "met": len(met), "undecided": 0,
        "missed": len(records) - len(met), "pick": pick, "runner_up": None, "refused": (), "front": tuple(met),
        "nearest": () if met else choose.nearest(records), "proved": False, "work": choose.work(records, "s"),
        "notes": (), "reasons": (),
    }  # fmt: skip
    return StudyResult(**{**fields, **changed})


def pick(record: TrialRecord, **changed: Any) -> Pick:
    """A trial as the pick, with the same numbers as with random weights."""
    fields: dict[str, Any] = {
        "trial": record.number, "candidate": record.candidate, "model": "models/x.tflite", "model_sha256": "2" * 64,
        "macs": 10_000, "training": record.trainings[-1], "measurements": record.measurements,
        "changes": tuple(finals.change(item, item) for item in record.measurements),
        "judgements": record.judgements, "objectives": record.objectives, "state": record.state,
    }  # fmt: skip
    return Pick(**{**fields, **changed})
