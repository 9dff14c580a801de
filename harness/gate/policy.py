"""The policy file (TOML): what is run, and by how much each metric may change; checked, with errors that name the key.

Names, paths and numbers in it come from whoever writes the pull request.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from harness import json_schema, platforms, toml_file
from harness.errors import BadInputError
from harness.gate import metrics
from harness.gate.metrics import METRICS
from harness.setup import DEFAULT_TIME_LIMIT_S
from harness.sweep import file as sweep_file
from harness.sweep.metrics import Direction
from harness.toml_file import refuse

SCHEMA_HINT = "harness gate --schema prints what a policy may hold"

_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
_NotNegative = Annotated[float, msgspec.Meta(ge=0)]

Missing = Literal["fail", "warn", "ignore"]
Incomparable = Literal["block", "suppress"]


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the tables of a policy: a key that is not known is an error, not a default."""


class TestSet(_Table, frozen=True):
    """Two .npy files, relative to the policy, that go through the emulated device; ``limit``: the first so many."""

    __test__ = False  # pytest: the name is not a test's

    inputs: str
    labels: str
    limit: Annotated[int, msgspec.Meta(ge=1)] | None = None


class Runs(_Table, frozen=True):
    """What is measured: every combination of the listed values.

    ``models`` are paths of .tflite files, relative to the policy, or patterns (``nets/**/*.tflite``). ``fpu`` false
    computes floating point in software; without this key each platform's FPU is used where there is one. ``cycles`` has
    latency and energy estimated, too, which takes QEMU; ``calibration`` by calibrations, one for each platform: a path
    relative to the policy, or the board's name where its calibration is stored. With ``carry`` also where it is of
    another build, which the estimate then says.
    """

    models: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    platforms: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    kernels: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] = ("reference",)
    optimisation: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] = ("-O2",)
    fpu: tuple[bool, ...] = ()
    emulator: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] = ("qemu",)
    cycles: bool = False
    calibration: str | tuple[str, ...] = ()
    carry: bool = False
    test_set: TestSet | None = None


class Only(_Table, frozen=True):
    """The runs that a rule is about: those whose values are among the listed ones; strings may be patterns."""

    models: tuple[str, ...] | None = None
    platforms: tuple[str, ...] | None = None
    kernels: tuple[str, ...] | None = None
    optimisation: tuple[str, ...] | None = None
    fpu: tuple[bool, ...] | None = None
    emulator: tuple[str, ...] | None = None


class Rule(_Table, frozen=True):
    """What a metric may be. ``unit`` and ``direction`` must be the metric's own: they guard against slips.

    ``allowed_percent`` (of the baseline) and ``allowed`` (in the unit) say how much worse than the baseline is
    accepted; where both are given, the larger of the two allowances holds. ``limit`` is what the value itself must
    keep, whatever the baseline: a maximum where less is better, a minimum where more is. A rule with a limit and no
    allowance judges by the limit alone; one with neither accepts no change for the worse at all.

    Of estimates (latency, energy) a limit is kept where the upper bound is within it, broken where the lower one is
    beyond, and undecided else, which keeps the gate from passing. Changes are of the estimates' values: both are by the
    same model, whose error is common to them, or they are not compared.

    ``missing`` says what a value means that is not there, in the run or in its baseline; ``incomparable`` what a
    baseline means that this run cannot be compared with: "block" keeps the gate from passing, "suppress" leaves the
    comparison out, and says so. A value that is better than the baseline by more than ``improvement_percent`` asks for
    a new baseline.
    """

    metric: str
    unit: str
    direction: Direction | None = None
    allowed_percent: _NotNegative | None = None
    allowed: _NotNegative | None = None
    limit: float | None = None
    missing: Missing = "fail"
    incomparable: Incomparable = "block"
    improvement_percent: _NotNegative = 5.0
    only: Only = Only()

    @property
    def against_baseline(self) -> bool:
        """Whether a change is judged, not the value alone."""
        return self.limit is None or self.allowed_percent is not None or self.allowed is not None


class Policy(_Table, frozen=True):
    """A policy. ``unused_baselines`` says what a baseline means that no run of the policy has.

    What no policy can leave out: each run must fit its board, and be exact; a rule on ``fits`` or ``output_exact``
    takes the place of the one that holds without it.
    """

    name: Annotated[str, msgspec.Meta(pattern=_NAME)]
    rules: Annotated[tuple[Rule, ...], msgspec.Meta(min_length=1)]
    runs: tuple[Runs, ...] = ()
    unused_baselines: Missing = "fail"
    time_limit_s: Annotated[float, msgspec.Meta(gt=0)] = DEFAULT_TIME_LIMIT_S

    @property
    def all_rules(self) -> tuple[Rule, ...]:
        """The rules, after those that hold without being written down."""
        given = {rule.metric for rule in self.rules}
        implied = (Rule(metric=name, unit=metrics.TRUTH) for name in ("output_exact", "fits") if name not in given)
        return (*implied, *self.rules)


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A checked policy: where it is, the SHA-256 of its bytes, its content."""

    path: Path
    sha256: str
    policy: Policy


def load(path: Path) -> File:
    """Read and check a policy.

    Raises:
        BadInputError: it cannot be read, or a value in it cannot be used; the message names file and key.
    """
    policy, sha256 = toml_file.read(path, Policy, "give the path of a policy with --policy", lambda _: SCHEMA_HINT)
    seen: set[tuple[str, Only]] = set()
    for index, rule in enumerate(policy.rules):
        _check_rule(path, f"rules[{index}]", rule)
        if (rule.metric, rule.only) in seen:
            refuse(path, f"rules[{index}]", f"a second rule on {rule.metric} for the same runs")
        seen.add((rule.metric, rule.only))
    return File(path=path, sha256=sha256, policy=policy)


def _check_rule(path: Path, key: str, rule: Rule) -> None:
    """What the types cannot say."""
    try:
        metric = metrics.get(rule.metric)
    except BadInputError as error:
        refuse(path, f"{key}.metric", error.message, error.hint)
    if rule.unit != metric.unit:
        refuse(path, f"{key}.unit", f"{rule.metric} is in {metric.unit!r}, not in {rule.unit!r}")
    if rule.direction is not None and rule.direction != metric.direction:
        better = "less" if metric.direction == "min" else "more"
        refuse(path, f"{key}.direction", f"of {rule.metric}, {better} is better", f'write "{metric.direction}"')
    for name in ("allowed_percent", "allowed", "limit", "improvement_percent"):
        given = getattr(rule, name)
        if given is None:
            continue
        if not math.isfinite(given):
            refuse(path, f"{key}.{name}", f"{given} is no number to compare with")
        if metric.truth and name != "improvement_percent":
            refuse(path, f"{key}.{name}", f"{rule.metric} holds or does not: there is nothing to allow")


def schema() -> dict[str, Any]:
    """The JSON schema of a policy, for editors; it lists the values that metrics, units and axes may have."""
    made = json_schema.of(Policy)
    runs = made["$defs"]["Runs"]["properties"]
    for key, known in (*sweep_file.axis_values().items(), ("platforms", platforms.names())):
        runs[key]["items"]["enum"] = list(known)
    rule = made["$defs"]["Rule"]["properties"]
    rule["metric"]["enum"] = list(METRICS)
    rule["metric"]["description"] = "\n".join(
        f"{metric.name} ({metric.unit}): {metric.what}" for metric in METRICS.values()
    )
    rule["unit"]["enum"] = sorted({metric.unit for metric in METRICS.values()})
    return made
