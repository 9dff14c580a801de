"""Stored results to compare later ones with: what may be compared, and what got worse by more than is allowed."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec

from harness import store
from harness.errors import BadInputError, HarnessError
from harness.records import Record
from harness.result import SCHEMA, Artifacts, Result

METRICS = ("instructions", "layers", "flash", "arena", "stack")


class Change(Record, frozen=True):
    """A metric against its baseline: ``limit`` is the baseline and what is allowed above it."""

    what: str
    actual: int
    baseline: int
    limit: int
    unit: str

    @property
    def worse(self) -> bool:
        return self.actual > self.limit


def name(result: Result) -> str:
    """The file's name of a baseline: everything that a user chooses for a run decides it."""
    fpu = "" if result.fpu else "-nofpu"
    return f"{Path(result.model.file).stem}-{result.platform}-{result.kernels}{result.optimisation}{fpu}.json"


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
    """Why the numbers of two runs say nothing about each other, None where they do.

    Emulators count the same, so they may differ; what decides the code or its input may not.
    """
    for what, mine, theirs in (
        ("model", result.model.sha256, baseline.model.sha256),
        ("platform", result.platform, baseline.platform),
        ("memory map", result.machine.name, baseline.machine.name),
        ("kernel set", result.kernels, baseline.kernels),
        ("optimisation", result.optimisation, baseline.optimisation),
        ("FPU", result.fpu, baseline.fpu),
        ("compiler", result.identity.compiler, baseline.identity.compiler),
        ("flags", " ".join(result.identity.flags), " ".join(baseline.identity.flags)),
        ("TFLM", result.identity.tflm, baseline.identity.tflm),
        ("CMSIS-NN", result.identity.cmsis_nn, baseline.identity.cmsis_nn),
        ("input", result.check.input_sha256, baseline.check.input_sha256),
    ):
        if mine != theirs:
            return f"another {what} than the baseline's: {mine}, baseline {theirs}"
    return None


def compare(result: Result, baseline: Result, metric: str, allowed_percent: float = 0.0) -> tuple[Change, ...]:
    """One metric against the baseline: of "layers" one change for each, otherwise one.

    Args:
        result, baseline: comparable ones.
        metric: one of METRICS.
        allowed_percent: how much more than the baseline is no worse, in per cent of it.

    Raises:
        BadInputError: unknown metric, an allowance that is none, or results that cannot be compared.
    """
    if metric not in METRICS:
        raise BadInputError(f"unknown metric {metric!r}", f"one of {', '.join(METRICS)}")
    if not (allowed_percent >= 0 and math.isfinite(allowed_percent)):
        raise BadInputError(f"{allowed_percent:g} % is no allowed change", "give 0 or more")
    reason = incomparable(result, baseline)
    if reason is not None:
        raise BadInputError(reason)
    if metric == "instructions":
        values = [("instructions of one inference", result.counts.total, baseline.counts.total)]
    elif metric == "layers":
        values = [
            (f"instructions of layer {mine.index} ({mine.op})", mine.instructions, theirs.instructions)
            for mine, theirs in zip(result.layers, baseline.layers, strict=True)
        ]
    else:
        values = [(metric, getattr(result.memory, metric), getattr(baseline.memory, metric))]
    unit = "instructions" if metric in ("instructions", "layers") else "B"
    return tuple(
        Change(
            what=what,
            actual=actual,
            baseline=before,
            limit=before + math.floor(before * allowed_percent / 100),
            unit=unit,
        )
        for what, actual, before in values
    )
