"""Two results side by side: every total, layer, function, instruction class and part of memory, the worst first.

Nothing is judged. What makes numbers incomparable is named, and the numbers are shown still.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness import baseline, explain, git, json_schema, labels
from harness.errors import BadInputError, HarnessError
from harness.explain import Explanation, LayerMoved, Moved
from harness.gate import comparability, metrics
from harness.gate.metrics import Value
from harness.gate.verdict import Band, band
from harness.records import Record
from harness.result import Result
from harness.setup import DEFAULT_KERNELS

SCHEMA = "tflm-harness/comparison/1"


class Side(labels.Subject, frozen=True):
    """One of both results: what it is of."""

    run_id: str


class Differs(Record, frozen=True):
    """Something that decides numbers is another; ``metrics``: those that cannot be compared for it, sorted."""

    what: str
    before: str
    after: str
    metrics: tuple[str, ...]


class Total(Record, frozen=True):
    """A metric of both, None where a result has no value of it.

    ``change_percent`` is in per cent of ``before``, None where that is 0. ``comparable``: nothing that differs makes it
    incomparable. The bands are of a metric that is estimated, None of what is measured.
    """

    metric: str
    unit: str
    before: Value | None
    after: Value | None
    change: int | float | None
    change_percent: float | None
    comparable: bool
    band_before: Band | None = None
    band_after: Band | None = None


class Part(Record, frozen=True):
    """Something counted before and after: 0 where it was not executed, or not there."""

    name: str
    before: int
    after: int
    change: int


class OperatorPart(Record, frozen=True):
    """All layers of one operator together: instructions, and which library's kernels computed them.

    ``kernels_before`` and ``kernels_after`` are "reference", "cmsis-nn" or another library's name; None where a result
    has no such operator.
    """

    op: str
    layers_before: int
    layers_after: int
    before: int
    after: int
    change: int
    kernels_before: str | None
    kernels_after: str | None


class LayerPart(Record, frozen=True):
    """A layer of both, or of one: then index, shape and instructions of the other are None.

    Functions and classes are those that moved, the largest change first; None where an emulator did not tell them
    apart, or only one has the layer. ``outputs_equal`` is None where only one has it.
    """

    op: str
    index_before: int | None
    index_after: int | None
    shape_before: tuple[int, ...] | None
    shape_after: tuple[int, ...] | None
    before: int | None
    after: int | None
    change: int
    functions: tuple[Part, ...] | None
    classes: tuple[Part, ...] | None
    outputs_equal: bool | None


class Compared(Record, frozen=True):
    """Two results side by side. ``layers`` are all, the one that grew most first, the one that shrank most last.

    ``operators`` are those that moved, by name, the largest change first.
    ``functions`` and ``classes`` are those of the whole inference that moved, the largest change first, None where an
    emulator did not tell them apart; ``memory`` has every part of flash and RAM, in bytes. ``same_operators``: both
    have the same operators in order. ``outputs_equal``: the final outputs are the same bytes.
    """

    schema: str
    before: Side
    after: Side
    differs: tuple[Differs, ...]
    totals: tuple[Total, ...]
    memory: tuple[Part, ...]
    layers: tuple[LayerPart, ...]
    overhead: Part
    functions: tuple[Part, ...] | None
    classes: tuple[Part, ...] | None
    same_operators: bool
    outputs_equal: bool
    operators: tuple[OperatorPart, ...] = ()


def compare(before: Result, after: Result) -> Compared:
    """Two results, whatever they are of."""
    moved = explain.difference(before, after)
    found = comparability.differences(after, before)
    blocked = frozenset[str]().union(*(item.metrics for item in found))
    return Compared(
        schema=SCHEMA,
        before=Side(run_id=before.run_id, **labels.subject(before)),
        after=Side(run_id=after.run_id, **labels.subject(after)),
        differs=tuple(
            Differs(what=item.what, before=item.theirs, after=item.mine, metrics=tuple(sorted(item.metrics)))
            for item in found
        ),
        totals=tuple(
            msgspec.structs.replace(
                _total(change, change.metric not in blocked),
                band_before=band(metrics.quantity(before, change.metric)),
                band_after=band(metrics.quantity(after, change.metric)),
            )
            for change in baseline.changes(before, after)
        ),
        memory=_parts(moved.memory),
        layers=_layers(moved),
        overhead=_part(moved.overhead),
        functions=None if moved.functions is None else _parts(moved.functions),
        classes=None if moved.classes is None else _parts(moved.classes),
        same_operators=moved.same_operators,
        outputs_equal=moved.outputs_equal,
        operators=_operators(before, after),
    )


# The kernels of the packaged set "cmsis-nn" that CMSIS-NN is behind; the others are the reference's.
_PACKAGED_CMSIS_NN = frozenset({"AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MAX_POOL_2D"})


def _operators(before: Result, after: Result) -> tuple[OperatorPart, ...]:
    """Operators that moved, and those that another library's kernels compute."""
    names = dict.fromkeys(layer.op for result in (after, before) for layer in result.layers)
    found = [_operator(name, before, after) for name in names]
    moved = [item for item in found if item.change or item.kernels_before != item.kernels_after]
    return tuple(sorted(moved, key=lambda item: -abs(item.change)))


def _operator(name: str, before: Result, after: Result) -> OperatorPart:
    mine, theirs = ([layer.instructions for layer in result.layers if layer.op == name] for result in (before, after))
    return OperatorPart(
        op=name,
        layers_before=len(mine),
        layers_after=len(theirs),
        before=sum(mine),
        after=sum(theirs),
        change=sum(theirs) - sum(mine),
        kernels_before=_kernels(before, name) if mine else None,
        kernels_after=_kernels(after, name) if theirs else None,
    )


def _kernels(result: Result, op: str) -> str:
    optimised = _PACKAGED_CMSIS_NN if result.library is None else frozenset(result.library.optimised)
    return result.kernels if op in optimised else DEFAULT_KERNELS


def schema() -> dict[str, Any]:
    """The JSON schema of a comparison."""
    return json_schema.of(Compared)


def _total(change: baseline.Change, comparable: bool) -> Total:
    by = percent = None
    if change.before is not None and change.after is not None:
        by = baseline.change(change.before, change.after)
        percent = None if not change.before else 100 * by / change.before
    return Total(
        metric=change.metric,
        unit=change.unit,
        before=change.before,
        after=change.after,
        change=by,
        change_percent=percent,
        comparable=comparable,
    )


def _part(moved: Moved) -> Part:
    return Part(name=moved.name, before=moved.before, after=moved.after, change=moved.change)


def _parts(items: Sequence[Moved]) -> tuple[Part, ...]:
    return tuple(_part(item) for item in items)


def _layers(moved: Explanation) -> tuple[LayerPart, ...]:
    return tuple(_layer(item) for item in sorted(moved.layers, key=lambda item: -item.change))


def _layer(item: LayerMoved) -> LayerPart:
    before, after = item.before, item.after
    return LayerPart(
        op=item.layer.op,
        index_before=None if before is None else before.index,
        index_after=None if after is None else after.index,
        shape_before=None if before is None else before.output_shape,
        shape_after=None if after is None else after.output_shape,
        before=None if before is None else before.instructions,
        after=None if after is None else after.instructions,
        change=item.change,
        functions=None if item.functions is None else _parts(item.functions),
        classes=None if item.classes is None else _parts(item.classes),
        outputs_equal=item.outputs_equal,
    )


# --- what is given ---------------------------------------------------------------------------------------------------


def find(item: str) -> Result:
    """A result by what a user gives: a stored run, a file of a result or a baseline, also a former one, or a point.

    A former file is REVISION:PATH, as git knows it, with a path from the current folder. A point of a sweep is
    SWEEP:POINT, where POINT is the beginning of its identity or words that its label has, "rp2040 -O2" for example; its
    run must be stored still.

    Raises:
        BadInputError: it is none of these, several, or cannot be read.
    """
    first, colon, second = item.partition(":")
    if colon and not Path(item).exists():
        from harness.sweep import points

        if first in points.names():
            return _of_sweep(first, second)
        if second.endswith(".json"):
            return _of_git(item, first, second)
    return baseline.given(item)


def _of_git(item: str, revision: str, path: str) -> Result:
    try:
        content = git.run(Path(), "show", "--end-of-options", f"{revision}:./{path}")
        return baseline.decode(content.encode(), item).result
    except BadInputError:
        raise
    except HarnessError as error:
        raise BadInputError(f"{item}: git has no such file", "git log --oneline -- FILE names revisions") from error
    except (ValueError, msgspec.DecodeError) as error:
        raise BadInputError(f"{item}: no result: {error}") from error


def _of_sweep(sweep: str, wanted: str) -> Result:
    from harness import store
    from harness.sweep import points

    plan, rows = points.read_plan(sweep), points.read(sweep)
    known = [item for item in plan.points if item.identity is not None]
    words = wanted.split()
    matches = [item for item in known if wanted and (item.identity or "").startswith(wanted)] or [
        item for item in known if words and all(word in item.choice.label.split() for word in words)
    ] or [item for item in known if words and all(word in item.choice.label for word in words)]  # fmt: skip
    if len(matches) != 1:
        what = f"{len(matches)} points match" if matches else "no point matches"
        example = (matches or known)[:1]
        hint = f"for example {sweep}:{example[0].identity} ({example[0].choice.label})" if example else None
        raise BadInputError(f"{sweep}:{wanted}: {what}", hint)
    row = rows.get(matches[0].identity or "")
    if row is None or row.run_id is None:
        raise BadInputError(f"{sweep}:{wanted}: that point is not measured", "harness sweep FILE measures it")
    try:
        return store.load(str(store.runs_folder() / row.run_id))
    except BadInputError as error:
        raise BadInputError(
            f"{sweep}:{wanted}: its stored run cannot be read: {error.message}",
            "harness run with its options measures it again",
        ) from error
