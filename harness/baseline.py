"""Baselines: stored results to compare later ones with, each with the reason for which it was made one.

A baseline is a file in a folder that git keeps. Its name says the run, so that a run finds its baseline by name.
"""

from __future__ import annotations

import importlib.metadata
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from harness import atomic, git, json_schema, store
from harness.errors import BadInputError, NewerSchemaError
from harness.gate import comparability, metrics
from harness.gate.judge import Judged, judge_one
from harness.gate.metrics import METRICS, Value
from harness.gate.policy import Rule
from harness.gate.verdict import Comparison
from harness.records import Record
from harness.result import Artifacts, Result

SCHEMA = "tflm-harness/baseline/1"
_FAMILY = "tflm-harness/baseline/"
UPDATE = 'harness baseline update --reason "..."'
UPDATE_HINT = f"{UPDATE} makes it anew"


class Change(Record, frozen=True):
    """A metric before and after, in its unit; None where a result has no value of it."""

    metric: str
    unit: str
    before: Value | None
    after: Value | None


class Former(Record, frozen=True):
    """The baseline that was replaced: the run and its network, and how the totals changed from it."""

    run_id: str
    model_sha256: str
    changes: tuple[Change, ...]


class Provenance(Record, frozen=True):
    """Where a baseline comes from.

    ``reason`` is what its maker said, None where nobody was asked. ``created`` is in UTC. ``git_commit`` is that of the
    repository that keeps the baselines, and ``git_dirty`` whether it had changes but for the baselines themselves; both
    None outside of one. ``replaced`` is None where there was no baseline that could be read.
    """

    reason: str | None
    command: tuple[str, ...]
    harness_version: str
    created: str
    git_commit: str | None
    git_dirty: bool | None
    replaced: Former | None


class Baseline(Record, frozen=True):
    """A baseline as it is stored. ``provenance`` is None of a bare result, as ``harness run --json`` prints it."""

    schema: str
    provenance: Provenance | None
    result: Result

    def to_json(self) -> bytes:
        """Indented JSON with a final newline."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


def schema() -> dict[str, Any]:
    """The JSON schema of a stored baseline."""
    return json_schema.of(Baseline)


class _Schema(msgspec.Struct):
    schema: str


class _Outer(msgspec.Struct):
    provenance: Provenance | None
    result: msgspec.Raw


def name(result: Result) -> str:
    """The file's name of a result's baseline."""
    axes = result.platform, result.kernels, result.optimisation, result.fpu is not None
    return file_name(result.model.file, *axes, brought=result.library is not None)


def file_name(model: str, platform: str, kernels: str, optimisation: str, fpu: bool, brought: bool = False) -> str:
    """The file's name of a baseline: everything that a user chooses for a run decides it.

    ``fpu``: it is used. ``brought``: the user brought the TFLM; a newer one is compared with the one before.
    """
    tflm = "-own-tflm" if brought else ""
    return f"{Path(model).stem}-{platform}-{kernels}{optimisation}{'' if fpu else '-nofpu'}{tflm}.json"


# --- files -----------------------------------------------------------------------------------------------------------


def decode(content: bytes, name: str) -> Baseline:
    """A baseline as JSON, or a bare result; ``name`` says in an error which one.

    Raises:
        BadInputError: it is of another schema.
        msgspec.DecodeError, UnicodeDecodeError: it is neither.
    """
    schema = msgspec.json.decode(content, type=_Schema).schema
    if schema == SCHEMA:
        outer = msgspec.json.decode(content, type=_Outer)
        result = store.decode(bytes(outer.result), name)
        return Baseline(schema=SCHEMA, provenance=outer.provenance, result=result)
    if schema.startswith(_FAMILY):
        raise NewerSchemaError(
            f"{name}: stored with schema {schema!r}, this version reads {SCHEMA!r}", "update the harness"
        )
    return Baseline(schema=SCHEMA, provenance=None, result=store.decode(content, name))


def read(path: Path) -> Baseline:
    """A baseline's file.

    Raises:
        FileNotFoundError: there is none.
        BadInputError: it cannot be read, or is of another schema.
    """
    try:
        return decode(path.read_bytes(), str(path))
    except (FileNotFoundError, BadInputError):
        raise
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read: {error.strerror}", UPDATE_HINT) from error
    except (ValueError, msgspec.DecodeError) as error:  # ValueError: no UTF-8, or a path with a zero byte
        raise BadInputError(f"{path}: {error}", UPDATE_HINT) from error


def find(result: Result, folder: Path) -> Result | None:
    """The baseline of runs like this one, None where there is none.

    Raises:
        BadInputError: the file cannot be read, or is of another schema.
    """
    try:
        return read(folder / name(result)).result
    except FileNotFoundError:
        return None


def require_folder(folder: Path) -> None:
    """Refuse a folder that is not there.

    Raises:
        BadInputError: it is not.
    """
    if not folder.is_dir():
        raise BadInputError(
            f"{folder}: there is no such folder of baselines", f"name it with --baseline; {UPDATE} makes baselines"
        )


def files(folder: Path) -> tuple[Path, ...]:
    """The baselines' files, sorted by name.

    Raises:
        BadInputError: there is no such folder.
    """
    require_folder(folder)
    return tuple(sorted(folder.glob("*.json")))


def given(item: str) -> Result:
    """A result by what a user gives: a stored run's id (or part of it) or folder, a file of a result or a baseline.

    Raises:
        BadInputError: it is none of these, or cannot be read.
    """
    path = Path(item)
    try:
        if not path.is_file():
            return store.load(item)
        return decode(path.read_bytes(), item).result
    except (OSError, ValueError, msgspec.DecodeError) as error:
        raise BadInputError(f"{item}: no result: {error}", "harness run --json prints one") from error


def save(result: Result, folder: Path, reason: str | None = None, command: tuple[str, ...] = ()) -> Path:
    """Make this result the baseline of runs like it, in place of an earlier one; returns the file.

    Raises:
        BadInputError: the run's verdict is no.
        HarnessError: the file cannot be written.
    """
    if not result.verdict.passed:
        raise BadInputError(f"{result.run_id} is no baseline: {'; '.join(result.verdict.reasons)}")
    try:
        former = find(result, folder)
    except BadInputError:  # it is replaced, whatever it is
        former = None
    return write(result, folder, provenance(result, former, folder, reason, command))


def provenance(
    result: Result, former: Result | None, folder: Path, reason: str | None, command: tuple[str, ...]
) -> Provenance:
    """What is to be stored with a result that becomes a baseline in this folder, now."""
    commit, dirty = git.state(folder, but=folder)
    return Provenance(
        reason=reason,
        command=command,
        harness_version=importlib.metadata.version("tflm-harness"),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        git_commit=commit,
        git_dirty=dirty,
        replaced=None
        if former is None
        else Former(run_id=former.run_id, model_sha256=former.model.sha256, changes=changes(former, result)),
    )


def write(result: Result, folder: Path, said: Provenance) -> Path:
    """Write a baseline as one atomic step; returns the file.

    Raises:
        HarnessError: it cannot be written.
    """
    paths: dict[str, str | None] = msgspec.structs.asdict(result.artifacts)
    names = {key: path and Path(path).name for key, path in paths.items()}
    stored = msgspec.structs.replace(result, artifacts=msgspec.convert(names, Artifacts))
    return atomic.write(folder / name(result), Baseline(schema=SCHEMA, provenance=said, result=stored).to_json())


# --- comparing -------------------------------------------------------------------------------------------------------


def totals() -> tuple[metrics.Metric, ...]:
    """The metrics that are a number a run, and that a result may have."""
    groups = ("counts", "sizes", "network", "estimates")
    return tuple(item for item in METRICS.values() if item.group in groups and not item.each_layer)


def changes(before: Result, after: Result) -> tuple[Change, ...]:
    """Every total that one of both has, also where it did not change."""
    found = (
        Change(
            metric=item.name,
            unit=item.unit,
            before=metrics.value(before, item.name),
            after=metrics.value(after, item.name),
        )
        for item in totals()
    )
    return tuple(item for item in found if item.before is not None or item.after is not None)


def change(before: Value, after: Value) -> int | float:
    """By how much a value grew; of real numbers to six digits, without what binary fractions add."""
    by = after - before
    return float(f"{by:.6g}") if isinstance(by, float) else by


def incomparable(result: Result, baseline: Result) -> str | None:
    """Why not all numbers of two runs can be compared, None where they can. Estimates do not count: ``compare`` refuses
    those alone."""
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
