"""What becomes of the best candidates: trained to the end, measured with their trained weights, tested once."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from harness import accuracy as device
from harness.errors import HarnessError
from harness.library import Progress
from harness.optimize import judge
from harness.optimize.evaluate import Evaluator
from harness.optimize.judge import Bounded
from harness.optimize.records import (
    Change,
    DeviceAccuracy,
    LayerChange,
    Measurement,
    Pick,
    TestAccuracy,
    TrialRecord,
)
from harness.optimize.scenario import Scenario
from harness.optimize.study import MODELS, Study
from harness.sweep.plan import Row
from harness.zoo import data, evaluate

# The standard normal distribution's 97.5th percentile, of intervals that hold in 95 % of cases.
_Z95 = 1.959964
_METRICS = ("instructions", "flash", "ram", "arena", "stack", "code", "model_size")


def prepare(evaluator: Evaluator, record: TrialRecord, study: Study) -> Pick:
    """Train a trial's candidate with all epochs, measure what comes out, judge it, keep its file.

    Raises:
        HarnessError: it cannot be trained, or the study cannot be written.
    """
    candidate = record.candidate
    training = evaluator.train([candidate.network], evaluator.rungs[-1])[candidate.network]
    path, built = evaluator.file_of(training)
    measurements = evaluator.measure([(candidate, (path, built))])[candidate]
    name = f"{MODELS}/trial-{record.number}.tflite"
    study.write(name, built.content)
    judged = evaluator.judged(
        msgspec.structs.replace(record, trainings=(training,), measurements=measurements, macs=built.macs)
    )
    return Pick(
        trial=record.number,
        candidate=candidate,
        model=name,
        model_sha256=built.sha256,
        macs=built.macs,
        training=training,
        measurements=measurements,
        changes=tuple(map(change, record.measurements, measurements)),
        judgements=judged.judgements,
        objectives=judged.objectives,
        state=judged.state,
    )


def change(random: Measurement, trained: Measurement) -> Change:
    """What differs between random and trained weights on a board."""
    before, after = random.row, trained.row
    return Change(board=random.board, metrics=_metrics(before, after), layers=_layers(before, after))


def _metrics(before: Row, after: Row) -> dict[str, tuple[int, int]]:
    if before.measured is None or after.measured is None:
        return {}
    pairs = {name: (getattr(before.measured, name), getattr(after.measured, name)) for name in _METRICS}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _layers(before: Row, after: Row) -> tuple[LayerChange, ...]:
    """Of two networks with the same operators, which weights cannot change.

    Raises:
        HarnessError: they have other operators.
    """
    names = [[layer.op for layer in row.layers] for row in (before, after)]
    if before.measured is not None and after.measured is not None and names[0] != names[1]:
        raise HarnessError(
            "the trained network has other operators than the one with random weights: "
            f"{', '.join(names[1])} in place of {', '.join(names[0])}"
        )
    return tuple(
        LayerChange(index=one.index, op=one.op, random=one.instructions, trained=other.instructions)
        for one, other in zip(before.layers, after.layers, strict=False)
        if one.instructions != other.instructions
    )


def tested(scenario: Scenario, study: Study, pick: Pick) -> Pick:
    """With its accuracy on the test part, by tflite-micro on the host."""
    found = data.load(scenario.file.data)
    host = evaluate.accuracy((study.folder / pick.model).read_bytes(), found.test_inputs, found.test_labels)
    return msgspec.structs.replace(pick, test=tested_accuracy(host.correct, host.images, scenario.accuracy))


def tested_on_device(scenario: Scenario, study: Study, pick: Pick, progress: Progress) -> Pick:
    """With the test part through the firmware on each board's emulator, each output compared with the host's.

    Raises:
        HarnessError: the firmware does not answer.
    """
    found = data.load(scenario.file.data)
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        files = Path(folder) / "inputs.npy", Path(folder) / "labels.npy"
        np.save(files[0], found.test_inputs)
        np.save(files[1], found.test_labels)
        path = study.folder / pick.model
        on_device = tuple(_on(board, path, files, pick, progress) for board in scenario.file.boards)
    return msgspec.structs.replace(pick, device=on_device)


def _on(board: str, path: Path, files: Sequence[Path], pick: Pick, progress: Progress) -> DeviceAccuracy:
    found = device.measure(
        path,
        files[0],
        files[1],
        board,
        kernels=pick.candidate.kernels,
        optimisation=pick.candidate.optimisation,
        progress=progress,
    )
    return DeviceAccuracy(
        board=board,
        images=found.images,
        correct=found.device_correct,
        host_correct=found.host_correct,
        different=len(found.different),
    )


def tested_accuracy(correct: int, images: int, lowest: float | None) -> TestAccuracy:
    """Accuracy with Wilson's interval (Wilson, "Probable Inference, the Law of Succession, and Statistical Inference",
    1927), held against the lowest."""
    low, high = wilson(correct, images)
    state = None
    if lowest is not None:
        state = judge.state_of(Bounded(value=correct / images, low=low, high=high), lowest, at_least=True)
    return TestAccuracy(correct=correct, images=images, low=low, high=high, state=state)


def wilson(correct: int, images: int) -> tuple[float, float]:
    """The bounds, 0 to 1, of a share of which ``correct`` of ``images`` were seen, for 95 % of cases."""
    share, squared = correct / images, _Z95 * _Z95
    centre = share + squared / (2 * images)
    reach = _Z95 * math.sqrt(share * (1 - share) / images + squared / (4 * images * images))
    return (
        max(0.0, (centre - reach) / (1 + squared / images)),
        min(1.0, (centre + reach) / (1 + squared / images)),
    )
