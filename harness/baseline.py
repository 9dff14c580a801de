"""Stored results to compare later ones with: what may be compared, and what got worse by more than is allowed."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec

from harness import store
from harness.errors import BadInputError, HarnessError
from harness.gate import comparability, metrics
from harness.gate.judge import Judged, judge_one
from harness.gate.metrics import METRICS
from harness.gate.policy import Rule
from harness.gate.verdict import Comparison
from harness.result import SCHEMA, Artifacts, Result


def name(result: Result) -> str:
    """The file's name of a result's baseline."""
    return file_name(result.model.file, result.platform, result.kernels, result.optimisation, result.fpu is not None)


def file_name(model: str, platform: str, kernels: str, optimisation: str, fpu: bool) -> str:
    """The file's name of a baseline: everything that a user chooses for a run decides it. ``fpu``: it is used."""
    return f"{Path(model).stem}-{platform}-{kernels}{optimisation}{'' if fpu else '-nofpu'}.json"


def save(result: Result, folder: Path) -> Path:
    """Make this result the baseline of runs like it, in place of an earlier one; returns the file.

    Raises:
        BadInputError: the run's verdict is no.
        HarnessError: the file cannot be written.
    """
    if not result.verdict.passed:
        raise BadInputError(f"{result.run_id} is no baseline: {'; '.join(result.verdict.reasons)}")
    paths: dict[str, str | None] = msgspec.structs.asdict(result.artifacts)
    names = {key: path and Path(path).name for key, path in paths.items()}
    stored = msgspec.structs.replace(result, artifacts=msgspec.convert(names, Artifacts))
    target = folder / name(result)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(".part")
        partial.write_bytes(stored.to_json())
        partial.replace(target)
    except OSError as error:
        raise HarnessError(f"cannot write {target}: {error.strerror}") from error
    return target


def find(result: Result, folder: Path) -> Result | None:
    """The baseline of runs like this one, None where there is none.

    Raises:
        BadInputError: the file cannot be read, or is of another schema.
    """
    path = folder / name(result)
    try:
        return store.decode(path.read_bytes(), str(path))
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path}: {error}", f"store it anew ({SCHEMA})") from error


def incomparable(result: Result, baseline: Result) -> str | None:
    """Why not all numbers of two runs can be compared, None where they can. Estimates do not count: there are none."""
    estimates = {name for name, metric in METRICS.items() if metric.group == "estimates"}
    found = comparability.differences(result, baseline)
    return next((item.reason for item in found if item.metrics - estimates), None)


def compare(result: Result, baseline: Result, metric: str, allowed_percent: float = 0.0) -> tuple[Comparison, ...]:
    """One metric against the baseline, as the gate does it: of "layers" a comparison for each, otherwise one.

    Args:
        result, baseline: comparable ones.
        metric: a name in ``harness.gate.metrics.METRICS``.
        allowed_percent: how much worse than the baseline is accepted, in per cent of it.

    Raises:
        BadInputError: unknown metric, one that there is no value of, an allowance that is none, or results that cannot
            be compared.
    """
    unit = metrics.get(metric).unit
    if not (allowed_percent >= 0 and math.isfinite(allowed_percent)):
        raise BadInputError(f"{allowed_percent:g} % is no allowed change", "give 0 or more")
    reason = incomparable(result, baseline)
    if reason is not None:
        raise BadInputError(reason)
    judged = Judged(result=result, baseline=baseline, baseline_file=name(result))
    comparisons = judge_one(judged, [Rule(metric=metric, unit=unit, allowed_percent=allowed_percent)])
    for item in comparisons:
        if item.reason is not None:
            raise BadInputError(item.reason)
    return tuple(comparisons)
