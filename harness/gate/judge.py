"""Judges results by rules: every metric of every run against its baseline and its limits."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Iterable
from fractions import Fraction

import msgspec

from harness import bands, explain
from harness.explain import Explanation, LayerMoved, Moved
from harness.gate import comparability, metrics
from harness.gate.comparability import Differs
from harness.gate.metrics import Metric, Value
from harness.gate.policy import Incomparable, Missing, Only, Rule
from harness.gate.verdict import Against, Cause, Comparison, Part, State, band
from harness.records import Record
from harness.result import Layer, Result
from harness.sweep.estimates import Quantity

_MISSING: dict[Missing, State] = {"fail": "missing", "warn": "warned", "ignore": "ignored"}
_INCOMPARABLE: dict[Incomparable, State] = {"block": "blocked", "suppress": "suppressed"}
_MOST_CLASSES = 2


class Judged(Record, frozen=True):
    """A run to judge. ``baseline`` is None where there is none, in a file of the name ``baseline_file``.

    ``accuracy`` is the share of a test set that was classified right on the device, None without one, for the reason.
    """

    result: Result
    baseline: Result | None
    baseline_file: str
    accuracy: float | None = None
    accuracy_reason: str = "the policy names no test set for this run"


def judge(runs: Iterable[Judged], rules: Iterable[Rule]) -> tuple[Comparison, ...]:
    """Every rule on every run that it is about, in their order."""
    given = tuple(rules)
    return tuple(
        msgspec.structs.replace(comparison, run=index)
        for index, run in enumerate(runs)
        for comparison in judge_one(run, given)
    )


def judge_one(run: Judged, rules: Iterable[Rule]) -> list[Comparison]:
    """Every rule that is about the run."""
    judging = _Judging(run)
    return [item for rule in rules if about(rule.only, run.result) for item in judging.by(rule)]


def about(only: Only, result: Result) -> bool:
    """Whether a rule's filter takes in the run. Patterns of models are compared with the file's name."""
    if only.fpu is not None and (result.fpu is not None) not in only.fpu:
        return False
    return all(
        patterns is None or any(fnmatch.fnmatchcase(value, pattern) for pattern in patterns)
        for value, patterns in (
            (result.model.file, only.models),
            (result.platform, only.platforms),
            (result.kernels, only.kernels),
            (result.optimisation, only.optimisation),
            (result.emulator, only.emulator),
        )
    )


def bound(baseline: float, rule: Rule, metric: Metric) -> int | float:
    """The last value that is no worse than the baseline by more than the larger allowance.

    Of whole numbers it is one; per cents are taken as the decimal fractions that were written.
    """
    before = Fraction(repr(baseline))
    relative = abs(before) * Fraction(repr(rule.allowed_percent or 0)) / 100
    allowance = max(relative, Fraction(repr(rule.allowed or 0)))
    last = before + allowance if metric.direction == "min" else before - allowance
    if not isinstance(baseline, int):
        return float(last)
    return math.floor(last) if metric.direction == "min" else math.ceil(last)


class _Judging:
    """One run's comparisons; what differs and what moved is found once."""

    def __init__(self, run: Judged) -> None:
        self._run = run
        self._moved: Explanation | None = None
        self._differs: tuple[Differs, ...] = ()
        if run.baseline is not None:
            self._moved = explain.difference(run.baseline, run.result)
            self._differs = comparability.differences(run.result, run.baseline)

    def by(self, rule: Rule) -> list[Comparison]:
        """The comparisons of a rule: with the baseline, or with what holds without one; one a layer where it asks."""
        metric = metrics.get(rule.metric)
        found = []
        if metric.group == "truth":
            found += self._truth(rule, metric)
        elif rule.against_baseline:
            found += self._against_baseline(rule, metric)
        if rule.limit is not None:
            found += self._limits(rule, metric, rule.limit)
        return found

    def _truth(self, rule: Rule, metric: Metric) -> list[Comparison]:
        value = self._value(metric)
        against: Against = "host" if rule.metric == "output_exact" else "board"
        cause = None if value else Cause(note="; ".join(self._run.result.verdict.reasons) or None)
        first = self._run.result.check.first_difference
        if cause is not None and against == "host" and first is not None:
            cause = msgspec.structs.replace(cause, layer=first.index, op=first.op)
        return [_made(metric, against, "ok" if value else "worse", value=value, cause=cause)]

    def _value(self, metric: Metric) -> Value | None:
        if metric.name == "accuracy":
            return self._run.accuracy
        return metrics.value(self._run.result, metric.name)

    def _limits(self, rule: Rule, metric: Metric, limit: float) -> list[Comparison]:
        if metric.each_layer:
            return [self._limit(rule, metric, limit, layer.instructions, layer) for layer in self._run.result.layers]
        return [self._limit(rule, metric, limit, self._value(metric), None)]

    def _limit(self, rule: Rule, metric: Metric, limit: float, value: Value | None, layer: Layer | None) -> Comparison:
        if value is None:
            return _made(metric, "limit", _MISSING[rule.missing], bound=limit, reason=self._why_missing(metric))
        quantity = metrics.quantity(self._run.result, metric.name)
        if quantity is not None:
            return _band_limit(metric, limit, quantity)
        beyond = _beyond(value, limit, metric)
        return _made(
            metric,
            "limit",
            "worse" if beyond > 0 else "ok",
            layer=layer,
            value=value,
            bound=limit,
            excess=_percent(beyond, limit) if beyond > 0 else None,
        )

    def _why_missing(self, metric: Metric) -> str:
        if metric.name == "accuracy":
            return self._run.accuracy_reason
        if metric.group == "estimates":
            return metrics.without_estimate(self._run.result, metric.name)
        return f"no {metric.name} in the result"

    def _against_baseline(self, rule: Rule, metric: Metric) -> list[Comparison]:
        run, moved = self._run, self._moved
        missing = _MISSING[rule.missing]
        if run.baseline is None or moved is None:
            return [_made(metric, "baseline", missing, reason=f"no baseline {run.baseline_file}")]
        reason = comparability.reason(self._differs, metric.name)
        if reason is not None:
            return [_made(metric, "baseline", _INCOMPARABLE[rule.incomparable], reason=reason)]
        if metric.group == "outputs":
            return [self._outputs(metric, moved)]
        if metric.each_layer:
            return [_change(rule, metric, *_both(item), item.after, _of_layer(item)) for item in moved.layers]
        value, before = self._value(metric), metrics.value(run.baseline, metric.name)
        if value is None:
            return [_made(metric, "baseline", missing, reason=self._why_missing(metric))]
        if before is None:
            return [_made(metric, "baseline", missing, value=value, reason=_not_in_baseline(metric))]
        made = _change(rule, metric, value, before, None, _of_run(moved, metric))
        return [msgspec.structs.replace(made, band=band(metrics.quantity(run.result, metric.name)))]

    def _outputs(self, metric: Metric, moved: Explanation) -> Comparison:
        first = moved.first_output
        if moved.outputs_equal and first is None:
            return _made(metric, "baseline", "ok", value=True, baseline=True)
        layer = None if first is None else first.layer
        cause = Cause(
            layer=None if layer is None else layer.index,
            op=None if layer is None else layer.op,
            note=_bytes_that_differ(moved) if layer is None else None,
        )
        return _made(metric, "baseline", "worse", value=False, baseline=True, cause=cause)


def _band_limit(metric: Metric, limit: float, found: Quantity) -> Comparison:
    """An estimate against a limit: by its bounds, not by its value."""
    decided = found.against(limit)
    states: dict[bands.State, State] = {"met": "ok", "missed": "worse", "undecided": "undecided"}
    made = _made(
        metric,
        "limit",
        states[decided],
        value=found.value,
        bound=limit,
        excess=_percent(found.value - limit, limit) if decided == "missed" else None,
    )
    reason = None
    if decided == "undecided":
        reason = f"the limit, {limit:g} {metric.unit}, {_where(found, metric)}"
    return msgspec.structs.replace(made, band=band(found), reason=reason)


def _where(found: Quantity, metric: Metric) -> str:
    """Where a limit lies that an estimate leaves open."""
    value = f"{found.value:,.4g} {metric.unit}"
    if found.low is None:
        return f"says nothing: the estimate, {value}, has no bounds"
    above = "above the lower bound" if found.high is None else "between the bounds"
    bounds = f"{found.low:,.4g}" if found.high is None else f"{found.low:,.4g} to {found.high:,.4g}"
    return f"lies {above} of the estimate, {value} ({bounds})"


def _not_in_baseline(metric: Metric) -> str:
    if metric.group == "estimates":
        return f"no estimate of {metric.name} in the baseline (harness baseline update makes it anew)"
    return f"no {metric.name} in the baseline"


def _bytes_that_differ(moved: Explanation) -> str:
    """Of the final outputs, which are stored as hexadecimal digits."""
    mine, theirs = (_bytes("".join(item.check.outputs)) for item in (moved.after, moved.before))
    if len(mine) != len(theirs):
        return f"the final outputs are {len(mine)} bytes, {len(theirs)} in the baseline"
    pairs = [(number, old, new) for number, (old, new) in enumerate(zip(theirs, mine, strict=True)) if old != new]
    if not pairs:
        return "the same bytes are divided among other outputs"
    number, old, new = pairs[0]
    return f"{len(pairs)} of {len(mine)} bytes of the final outputs differ, the first is byte {number}: {old} -> {new}"


def _bytes(digits: str) -> list[str]:
    return [digits[index : index + 2] for index in range(0, len(digits), 2)]


def _both(item: LayerMoved) -> tuple[int, int]:
    assert item.before is not None and item.after is not None, "the sequences of operators are the same"
    return item.after.instructions, item.before.instructions


def _change(
    rule: Rule, metric: Metric, value: Value, before: Value, layer: Layer | None, cause: Cause | None
) -> Comparison:
    last = bound(before, rule, metric)
    beyond = _beyond(value, last, metric)
    gained = -_beyond(value, before, metric)
    state: State = "ok"
    if beyond > 0:
        state = "worse"
    elif gained > abs(before) * rule.improvement_percent / 100:
        state = "better"
    return _made(
        metric,
        "baseline",
        state,
        layer=layer,
        value=value,
        baseline=before,
        bound=last,
        change=value - before,
        change_percent=_percent(value - before, before),
        excess=_percent(beyond, last) if beyond > 0 else None,
        cause=cause if value != before else None,
    )


def _beyond(value: float, limit: float, metric: Metric) -> int | float:
    """By how much a value is on the wrong side; negative where it is on the right one."""
    return value - limit if metric.direction == "min" else limit - value


def _percent(part: float, whole: float) -> float | None:
    return round(100 * part / abs(whole), 4) if whole else None


def _made(
    metric: Metric,
    against: Against,
    state: State,
    *,
    layer: Layer | None = None,
    value: Value | None = None,
    baseline: Value | None = None,
    bound: float | None = None,
    change: float | None = None,
    change_percent: float | None = None,
    excess: float | None = None,
    reason: str | None = None,
    cause: Cause | None = None,
) -> Comparison:
    return Comparison(
        run=0,
        metric=metric.name,
        unit=metric.unit,
        against=against,
        state=state,
        layer=None if layer is None else layer.index,
        op=None if layer is None else layer.op,
        value=value,
        baseline=baseline,
        bound=bound,
        change=change,
        change_percent=change_percent,
        excess=excess,
        reason=reason,
        cause=cause,
    )


def _of_run(moved: Explanation, metric: Metric) -> Cause | None:
    """The layer that moved most the way that the total did, or the parts of the memory."""
    if metric.group == "counts":
        sign = 1 if moved.instructions.change >= 0 else -1
        layer = max(moved.layers, key=lambda item: sign * item.change, default=None)
        if layer is None or sign * layer.change <= sign * moved.overhead.change:
            return Cause(note=f"overhead {moved.overhead.change:+,}") if moved.overhead.change else None
        return _of_layer(layer)
    if metric.group == "estimates":
        return _of_cycles(moved)
    parts = moved.parts(metric.name)
    return Cause(memory=_parts(parts)) if parts else None


def _of_cycles(moved: Explanation) -> Cause | None:
    """The layer whose estimated cycles moved most the way that all did."""
    before, after = moved.before.estimate, moved.after.estimate
    if before is None or after is None or not moved.same_operators:
        return None
    names = [f"layer {layer.index} {layer.op}" for layer in moved.after.layers]
    pairs = zip((*before.layers, before.overhead), (*after.layers, after.overhead), strict=True)
    changes = [mine.cycles - theirs.cycles for theirs, mine in pairs]
    sign = 1 if sum(changes) >= 0 else -1
    name, change = max(zip((*names, "overhead"), changes, strict=True), key=lambda item: sign * item[1])
    return Cause(note=f"{name} {change:+,} estimated cycles") if change else None


def _of_layer(item: LayerMoved) -> Cause:
    """Within a layer, the function and the classes that moved most the way that the layer did."""
    layer, sign = item.layer, 1 if item.change >= 0 else -1
    functions = [part for part in item.functions or () if sign * part.change > 0]
    classes = [part for part in item.classes or () if sign * part.change > 0]
    note = None
    if item.before is not None and item.after is not None and item.before.output_shape != item.after.output_shape:
        note = f"output {_shape(item.before)} -> {_shape(item.after)}"
    return Cause(
        layer=layer.index,
        op=layer.op,
        layer_change=item.change,
        function=_parts(functions[:1])[0] if functions else None,
        classes=_parts(classes[:_MOST_CLASSES]),
        note=note,
    )


def _shape(layer: Layer) -> str:
    return "x".join(map(str, layer.output_shape)) or "scalar"


def _parts(items: Iterable[Moved]) -> tuple[Part, ...]:
    return tuple(Part(name=item.name, change=item.change) for item in items)
