"""Policies, baselines and verdicts for tests of the gate, on made-up results."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import result_maker

from harness import baseline, platforms, store
from harness.errors import HarnessError
from harness.gate import decide, policy
from harness.gate.judge import Judged
from harness.gate.measure import Done, Task
from harness.gate.policy import Policy, Rule
from harness.gate.verdict import FailurePart, Verdict
from harness.library import Progress
from harness.result import Layer, Result
from harness.sweep.plan import Failure, Point

RULES = (
    Rule(metric="output_equal", unit="bool"),
    Rule(metric="instructions", unit="instructions", allowed_percent=1),
    Rule(metric="layers", unit="instructions", allowed_percent=1, allowed=10),
    Rule(metric="flash", unit="B", allowed=512),
    Rule(metric="ram", unit="B"),
)


def replaced(result: Result, part: str, **values: Any) -> Result:
    """A result with other values in one of its parts."""
    return msgspec.structs.replace(result, **{part: msgspec.structs.replace(getattr(result, part), **values)})


def with_layer(result: Result, index: int, **values: Any) -> Result:
    """A result with one layer changed."""
    layers = [*result.layers]
    layers[index] = msgspec.structs.replace(layers[index], **values)
    return msgspec.structs.replace(result, layers=tuple(layers))


def slower(result: Result, index: int, by: int) -> Result:
    """A layer executes more: in a function of its own, in loads."""
    layer: Layer = result.layers[index]
    assert layer.functions is not None and layer.classes is not None and result.counts.classes is not None
    changed = with_layer(
        result,
        index,
        instructions=layer.instructions + by,
        functions=layer.functions | {"waste": by},
        classes=layer.classes | {"load": layer.classes["load"] + by},
    )
    return replaced(changed, "counts", total=result.counts.total + by, layers=result.counts.layers + by)


def file(rules: Iterable[Rule] = RULES, **more: Any) -> policy.File:
    """A policy that was read."""
    return policy.File(path=Path("made.toml"), sha256="ab" * 32, policy=Policy(name="made", rules=tuple(rules), **more))


def judged(result: Result, before: Result | None) -> Judged:
    """A run with its baseline."""
    return Judged(result=result, baseline=before, baseline_file=baseline.name(result))


def verdict(
    result: Result, before: Result | None, rules: Iterable[Rule] = RULES, failures: Iterable[FailurePart] = ()
) -> Verdict:
    """The verdict on one run."""
    return decide.decide(file(rules), [judged(result, before)], failures)


def plain() -> Result:
    """The result that others are made from."""
    return result_maker.result()


# Tells the workers, which inherit it, how to misbehave on the M3, and where to leave a mark of each call.
HOW, MARKS = "GATE_TEST_HOW", "GATE_TEST_MARKS"


def measure(task: Task) -> Done:
    """A made-up result of the point, stored; a mark for each call."""
    choice = task.point.choice
    with (Path(os.environ[MARKS]) / "calls").open("a") as mark:
        mark.write(f"{choice.platform}\n")
    how = os.environ.get(HOW, "") if choice.platform == "mps2-an385" else ""
    if how == "fail":
        return Done(failure=Failure(kind="not measured", message="the firmware did not end", hint="more time"))
    if how == "too large":
        return Done(failure=Failure(kind="too large", message="does not fit mps2-an385"))
    if how == "raise":
        raise ValueError("planted")
    made = result_maker.result(
        run_id=f"made-{Path(choice.path).stem}-{choice.platform}-{choice.kernels}",
        platform=choice.platform,
        kernels=choice.kernels,
    )
    made = replaced(made, "model", file=Path(choice.model).name)
    made = msgspec.structs.replace(made, fpu=platforms.load(choice.platform).fpu)
    elf = Path(os.environ[MARKS]) / "elf"
    elf.write_bytes(b"")
    return Done(run_id=store.save(made, elf, "", ()).run_id)


def build_nothing(_points: tuple[Point, ...], _progress: Progress) -> dict[str, HarnessError]:
    """Every library is there."""
    return {}
