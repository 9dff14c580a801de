"""What a comparison of two results says, as lines of tables: the same for a terminal and for Markdown.

Names in them are as they were given: who shows them cleans them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from harness.compare import Compared, Differs, LayerPart, OperatorPart, Part
from harness.gate import words
from harness.gate.metrics import Value

NOT_TOLD_APART = "of at least one, the emulator tells no functions and classes apart"
_MOST_FUNCTIONS, _MOST_CLASSES, _MOST_OVERALL = 4, 3, 12
_NOT_COMPARABLE = "not comparable"
# What computes the operators: where one of these is another, all layers of an operator move together.
_CODE_OF = ("TFLM", "CMSIS-NN", "kernel set")
_LISTS = ("flags", "sequence of operators")
# Which part of memory stands below which total.
_BELOW = {"flash": ("code", "model"), "ram": ("arena", "static", "stack")}
_PART_METRICS = frozenset({"code", "model_size", "arena", "stack"})


class Line(NamedTuple):
    """A line: how deep it is, its name, both values, the change as text; ``note`` says what is special."""

    level: int
    name: str
    before: str
    after: str
    change: str
    percent: str
    note: str = ""
    moved: bool = True


def heading(shown: Compared) -> list[str]:
    """What both results are of."""
    sides = (("A", shown.before), ("B", shown.after))
    if shown.before.label == shown.after.label:
        return [shown.before.label, *(f"{mark}  {side.run_id}" for mark, side in sides)]
    return [line for mark, side in sides for line in (f"{mark}  {side.label}", f"   {side.run_id}")]


def differs(shown: Compared) -> list[tuple[list[str], str]]:
    """What is another, and which numbers are incomparable for it; what has the same consequence is together."""
    known = {"layers", "output_equal", *(item.metric for item in shown.totals)}
    groups: dict[tuple[str, ...], list[str]] = {}
    for item in shown.differs:
        metrics = tuple(metric for metric in item.metrics if metric in known)
        groups.setdefault(metrics, []).append(f"{item.what}: {_other(item)}")
    return [
        (lines, f"not comparable for it: {', '.join(metrics)}" if metrics else "decides no number that is there")
        for metrics, lines in groups.items()
    ]


def _other(item: Differs) -> str:
    """Of flags and operators, only those that differ."""
    before, after = item.before, item.after
    if item.what in _LISTS:
        lists = before.split(), after.split()
        found = [" ".join(word for word in one if word not in other) for one, other in (lists, lists[::-1])]
        if any(found):
            before, after = (text or "-" for text in found)
    return f"{before} -> {after}"


def totals(shown: Compared) -> list[Line]:
    """Every total; of flash and RAM the parts below them."""
    parts = {part.name: part for part in shown.memory}
    lines = []
    for item in shown.totals:
        if item.metric in _PART_METRICS:
            continue
        note = "" if item.comparable else _NOT_COMPARABLE
        unit = "" if item.unit == item.metric or "/" in item.unit or item.metric == "macs" else f", {item.unit}"
        name = f"{words.named(item.metric).replace('_', ' ')}{unit}"
        lines.append(_line(0, name, item.before, item.after, item.change, item.change_percent, note))
        if item.band_before is not None or item.band_after is not None:
            before, after = (words.band(found) or "-" for found in (item.band_before, item.band_after))
            lines.append(Line(1, "bounds", before, after, "", ""))
        lines += [_part(1, parts[name]) for name in _BELOW.get(item.metric, ())]
    return lines


def estimates(shown: Compared) -> list[str]:
    """What the estimates among the totals are by and rest on; of both sides where that differs."""
    lines = []
    for item in shown.totals:
        sides = [band and f"{band.model}, {band.tier}" for band in (item.band_before, item.band_after)]
        if sides[0] == sides[1] and sides[0] is not None:
            lines.append(f"{item.metric} is estimated by {sides[0]}")
        elif any(sides):
            lines += [
                f"{item.metric} of {name} is estimated by {side}"
                for name, side in zip("AB", sides, strict=True)
                if side
            ]
    return lines


def outputs(shown: Compared) -> str:
    """Whether both computed the same."""
    if shown.outputs_equal:
        return "the final outputs are the same bytes"
    other = [item for item in shown.layers if item.outputs_equal is False]
    if not other:
        return "the final outputs differ"
    first = min(other, key=lambda item: item.index_after or 0)
    return f"the final outputs differ, first those of layer {first.index_after} {first.op}"


def layers(shown: Compared, everything: bool) -> tuple[list[Line], int]:
    """Each layer that moved, with its functions and classes; and how many did not."""
    items = [item for item in shown.layers if everything or _moved(item)]
    lines: list[Line] = []
    for item in items:
        lines.append(_layer(item))
        lines += _within(item.functions, everything, _MOST_FUNCTIONS, "function")
        lines += _within(item.classes, everything, _MOST_CLASSES, "class")
    if everything or shown.overhead.change:
        lines.append(_part(0, shown.overhead))
    return lines, len(shown.layers) - len(items)


def operators(shown: Compared) -> list[Line]:
    """Operators that moved, all layers of one together, where something else computed them."""
    if not any(item.what in _CODE_OF for item in shown.differs):
        return []
    return [_operator(item) for item in shown.operators]


def _operator(item: OperatorPart) -> Line:
    sides = [item.kernels_before or "-", item.kernels_after or "-"]
    note = f"{sides[0]} kernels" if sides[0] == sides[1] else f"{sides[0]} -> {sides[1]} kernels"
    count = max(item.layers_before, item.layers_after)
    name = f"{item.op}, {words.count(count, 'layer')}"
    percent = None if not item.before else 100 * item.change / item.before
    return _line(0, name, item.before, item.after, item.change, percent, note)


def overall(shown: Compared, everything: bool) -> list[tuple[str, list[Line]]]:
    """Functions and classes of the whole inference."""
    found = []
    for name, parts in (("function", shown.functions), ("class", shown.classes)):
        if parts:
            most = len(parts) if everything else _MOST_OVERALL
            lines = [_part(0, part, short=name == "function") for part in parts[:most]]
            found.append((name, [*lines, *_more(len(parts) - most, 0, name)]))
    return found


def _moved(item: LayerPart) -> bool:
    return bool(item.change or item.functions or item.classes) or item.shape_before != item.shape_after


def _layer(item: LayerPart) -> Line:
    numbers = [index for index in (item.index_before, item.index_after) if index is not None]
    number = " -> ".join(str(index) for index in dict.fromkeys(numbers))
    if item.before is None or item.after is None:
        note = "only in A" if item.after is None else "only in B"
    elif item.shape_before != item.shape_after:
        note = f"{_shape(item.shape_before)} -> {_shape(item.shape_after)}"
    else:
        note = ""
    percent = None if not item.before or item.after is None else 100 * item.change / item.before
    return _line(0, f"{number} {item.op}", item.before, item.after, item.change, percent, note)


def _shape(shape: tuple[int, ...] | None) -> str:
    return "x".join(map(str, shape)) if shape else "scalar"


def _within(parts: Sequence[Part] | None, everything: bool, most: int, what: str) -> Iterable[Line]:
    shown = (parts or ())[: None if everything else most]
    yield from (_part(1, part, short=what == "function") for part in shown)
    yield from _more(len(parts or ()) - len(shown), 1, what)


def _more(number: int, level: int, what: str) -> list[Line]:
    if number <= 0:
        return []
    plural = f"{what}es" if what == "class" else f"{what}s"
    return [Line(level, f"and {number} more {what if number == 1 else plural}", "", "", "", "")]


def _part(level: int, part: Part, short: bool = False) -> Line:
    percent = 100 * part.change / part.before if part.before else None
    name = words.short(part.name) if short else part.name
    return _line(level, name, part.before, part.after, part.change, percent)


def _line(
    level: int,
    name: str,
    before: Value | None,
    after: Value | None,
    change: int | float | None,
    percent: float | None,
    note: str = "",
) -> Line:
    return Line(
        level,
        name,
        words.amount(before),
        words.amount(after),
        "-" if not change else words.signed(change),
        words.percent(percent) if change else "-",
        note,
        bool(change),
    )
