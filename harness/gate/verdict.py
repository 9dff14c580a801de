"""The records of a verdict: what was compared, what came of it, why. Nothing in them is of the machine it ran on."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from harness import json_schema, labels
from harness.errors import EXIT_BAD_INPUT, EXIT_NOT_MEASURED, EXIT_PASS, EXIT_VERDICT_NO
from harness.gate.metrics import Value
from harness.records import Record
from harness.sweep.estimates import Quantity

SCHEMA = "tflm-harness/gate/1"

# "worse": beyond what is allowed. "undecided": the limit lies between the bounds of an estimate. "blocked": the
# baseline is incomparable, "missing": a value or a baseline is not there. These three keep the gate from passing.
# "better": so much so that a new baseline is asked for. "suppressed" is incomparable, "warned" and "ignored" are
# missing, each as its rule accepts it.
State = Literal["worse", "undecided", "blocked", "missing", "better", "warned", "suppressed", "ignored", "ok"]
NOT_JUDGED: tuple[State, ...] = ("undecided", "blocked", "missing", "warned", "suppressed", "ignored")

# What a value was judged against.
Against = Literal["baseline", "limit", "host", "board"]


class Part(Record, frozen=True):
    """A function, an instruction class or a part of memory that moved, and by how much."""

    name: str
    change: int


class Cause(Record, frozen=True):
    """What moved most where something moved: the layer, in it the function and the class; or the part of memory.

    ``note`` says it in words where it is no number. None and empty where that is not known.
    """

    layer: int | None = None
    op: str | None = None
    layer_change: int | None = None
    function: Part | None = None
    classes: tuple[Part, ...] = ()
    memory: tuple[Part, ...] = ()
    note: str | None = None


class Band(Record, frozen=True):
    """What an estimate is, besides its value: its bounds, and what it rests on. ``high`` None: nothing bounds it above;
    ``low`` None: nor below. The truth is to lie between them in the share ``coverage`` of cases."""

    low: float | None
    high: float | None
    coverage: float
    model: str
    tier: str


def band(found: Quantity | None) -> Band | None:
    """Of an estimate; None of what is measured."""
    if found is None:
        return None
    return Band(low=found.low, high=found.high, coverage=found.coverage, model=found.model, tier=found.tier)


class Comparison(Record, frozen=True):
    """One metric of one run (of one layer of it) against the baseline or a limit.

    ``run`` is an index into the verdict's runs. ``bound`` is the last value that is not worse, in the metric's unit;
    ``change`` is the value less the baseline's, and ``change_percent`` that in per cent of the baseline; ``excess`` is
    how far the value is beyond the bound, in per cent of it: None where that is no number. ``reason`` says why there is
    nothing to judge. ``band`` is that of a value that is estimated, None of what is measured.
    """

    run: int
    metric: str
    unit: str
    against: Against
    state: State
    layer: int | None = None
    op: str | None = None
    value: Value | None = None
    baseline: Value | None = None
    bound: int | float | None = None
    change: int | float | None = None
    change_percent: float | None = None
    excess: float | None = None
    reason: str | None = None
    cause: Cause | None = None
    band: Band | None = None


class RunPart(labels.Subject, frozen=True):
    """A run that was judged: what it is of, the stored run's id, and its baseline's file and id, None without one."""

    run_id: str
    baseline: str | None
    baseline_run_id: str | None


class FailurePart(Record, frozen=True):
    """A run that has no result, and why; ``too_large``: because the network cannot fit the board."""

    what: str
    message: str
    hint: str | None
    too_large: bool = False


class PolicyPart(Record, frozen=True):
    """The policy: its name and the SHA-256 of its file."""

    name: str
    sha256: str


class Verdict(Record, frozen=True):
    """One verdict. ``comparisons`` are the worst first; ``headline`` is the verdict in one line, its cause first.

    ``notes`` are what is to be known and changes nothing.
    """

    schema: str
    exit_code: int
    headline: str
    policy: PolicyPart
    runs: tuple[RunPart, ...]
    comparisons: tuple[Comparison, ...]
    failures: tuple[FailurePart, ...]
    notes: tuple[str, ...]

    def of(self, *states: State) -> tuple[Comparison, ...]:
        """The comparisons in these states."""
        return tuple(item for item in self.comparisons if item.state in states)

    @property
    def word(self) -> str:
        """PASS, FAIL, INCOMPLETE, or ERROR where what was given could not be used."""
        words = {EXIT_PASS: "PASS", EXIT_VERDICT_NO: "FAIL", EXIT_BAD_INPUT: "ERROR", EXIT_NOT_MEASURED: "INCOMPLETE"}
        return words[self.exit_code]

    def to_json(self) -> bytes:
        """Indented JSON with a final newline."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


def schema() -> dict[str, Any]:
    """The JSON schema of a verdict."""
    return json_schema.of(Verdict)
