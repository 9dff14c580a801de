"""The tables of a comparison: totals, layers, functions, classes and memory of two results, the worst first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.compare import Compared, Differs, LayerPart, OperatorPart, Part, Total
from harness.gate import words
from harness.gate.metrics import METRICS
from harness.page import metrics
from harness.page.document import Cell, Column, Link, Mark, Row, Table
from harness.page.values import Number, Origin, derived, measured, missing

MOST = 500
_NOT_TOLD = "the emulator of one of both tells no functions and classes apart"
# The metric that decides whether a part of memory can be compared.
_PARTS = {"code": "code", "model": "model_size", "arena": "arena", "static": "ram", "stack": "stack"}
_REGIONS = {"flash": ("code", "model"), "RAM": ("arena", "static", "stack")}


def reasons(shown: Compared) -> dict[str, str]:
    """For each metric that cannot be compared why: "another compiler, flags"."""
    found: dict[str, list[str]] = {}
    for item in shown.differs:
        for metric in item.metrics:
            found.setdefault(metric, []).append(item.what)
    return {metric: f"another {', '.join(what)}" for metric, what in found.items()}


def differs(shown: Compared) -> Table | None:
    """What is another, and what cannot be compared for it; None: nothing is."""
    if not shown.differs:
        return None
    return Table(
        id="compare-differs",
        caption="What differs between A and B, and which numbers are blocked for it",
        columns=(
            Column(key="what", title="what"),
            Column(key="a", title="A"),
            Column(key="b", title="B"),
            Column(key="blocked", title="blocked", help="Numbers that are not compared for it."),
        ),
        rows=tuple(_differs(item, {total.metric for total in shown.totals}) for item in shown.differs),
    )


def _differs(item: Differs, known: set[str]) -> Row:
    blocked = [metrics.named(name) for name in item.metrics if name in known | {"layers", "output_equal"}]
    mark: Cell = Mark(state="undecided", text=", ".join(blocked)) if blocked else "no number that is there"
    return Row(cells=(item.what, item.before, item.after, mark))


# --- totals ----------------------------------------------------------------------------------------------------------


def worsening(item: Total) -> float:
    """By how many per cent a total is worse; below 0 where it is better, or nothing is to be said."""
    if item.change_percent is None or not item.comparable:
        return float("-inf")
    return item.change_percent if METRICS[item.metric].direction == "min" else -item.change_percent


def ordered(shown: Compared) -> tuple[Total, ...]:
    """The totals that moved, the worst first; then those that did not, and those that are not comparable."""
    return tuple(sorted(shown.totals, key=lambda item: (not item.comparable, not item.change, -worsening(item))))


def totals(shown: Compared) -> Table:
    """Every total of both; of what is not comparable no change, for its reason."""
    blocked = reasons(shown)
    return Table(
        id="compare-totals",
        caption="Totals of A and B, the worst change first",
        columns=(
            Column(key="total", title="total", help="Of one inference, and of the program."),
            *_SIDES,
            Column(key="comparable", title="comparable"),
        ),
        rows=tuple(_total(item, blocked) for item in ordered(shown)),
        note=" ".join(f"{line}." for line in _rests_on(shown)),
    )


_SIDES = (
    Column(key="a", title="A", numeric=True),
    Column(key="b", title="B", numeric=True),
    Column(key="change", title="change", help="B less A.", numeric=True),
    Column(key="percent", title="relative", help="The change in per cent of A.", numeric=True),
)


def _total(item: Total, blocked: dict[str, str]) -> Row:
    reason = blocked.get(item.metric)
    sides = (
        metrics.number(item.metric, item.before, item.band_before, "A has none"),
        metrics.number(item.metric, item.after, item.band_after, "B has none"),
    )
    unit = metrics.unit(item.metric)
    kind: Origin = "estimated" if metrics.origin(item.metric) == "estimated" else "derived"
    by: Number
    share: Number
    if item.before is None or item.after is None:
        why = "only one of both has a value"
        by, share = missing(unit, why, kind), missing("%", why, kind)
    elif reason is not None:
        why = f"blocked: {reason}"
        by, share = missing(unit, why, kind), missing("%", why, kind)
    else:
        by = metrics.change(item.metric, item.before, item.after)
        share = metrics.percent(item.after - item.before, item.before, kind, signed=True)
    mark: Cell = "yes" if reason is None else Mark(state="undecided", text=f"blocked: {reason}")
    return Row(cells=(metrics.named(item.metric), *sides, by, share, mark))


def _rests_on(shown: Compared) -> list[str]:
    from harness.report import compare_lines

    return compare_lines.estimates(shown)


# --- parts -----------------------------------------------------------------------------------------------------------


def _counts(before: int, after: int, unit: str = "") -> tuple[Cell, ...]:
    return (
        measured(before, unit),
        measured(after, unit),
        Number(value=after - before, unit=unit, origin="derived", signed=True),
        metrics.percent(after - before, before, signed=True),
    )


def layers(shown: Compared) -> Table:
    """Every layer, the one that grew most first; behind them what runs around the layers, and the sum."""
    before = sum(item.before or 0 for item in shown.layers) + shown.overhead.before
    after = sum(item.after or 0 for item in shown.layers) + shown.overhead.after
    chosen = {number for item in shown.layers if item.functions or item.classes for number in _tags(item)}
    noted = any(map(_note, shown.layers))
    rows = [_layer(item, chosen, noted) for item in shown.layers]
    around, whole = (_counts(one, other) for one, other in ((shown.overhead.before, shown.overhead.after),
                                                            (before, after)))  # fmt: skip
    empty = ("", "") if noted else ("",)
    rows.append(Row(cells=("", "around the layers", *around, *empty), kind="other"))
    rows.append(Row(cells=("", "all", *whole, *empty), kind="total"))
    return Table(
        id="compare-layers",
        caption="Instructions of each layer, the largest increase first",
        columns=(
            Column(key="layer", title="layer", help="Its number in A, and in B where that is another."),
            Column(key="op", title="operator"),
            *_SIDES,
            Column(key="outputs", title="outputs", help="Whether the layer's outputs are the same bytes."),
            *((Column(key="note", title="note"),) if noted else ()),
        ),
        rows=tuple(rows),
        sorted_by="-change",
        filter=len(shown.layers) > 15,
        note="" if shown.same_operators else "Both have other operators; layers are matched by operator and shape.",
    )


def number_of(item: LayerPart) -> str:
    """A layer's number: "3", or "3 to 4" where it is another in B."""
    numbers = [index for index in (item.index_before, item.index_after) if index is not None]
    return " to ".join(str(index) for index in dict.fromkeys(numbers))


def _tags(item: LayerPart) -> tuple[str, ...]:
    """Layers are chosen by their number in B, which the report is of."""
    return () if item.index_after is None else (f"layer-{item.index_after}",)


def _layer(item: LayerPart, chosen: set[str], noted: bool) -> Row:
    """A layer; its number chooses what moved in it, where anything did."""
    if item.before is not None and item.after is not None:
        sides = _counts(item.before, item.after)
    else:
        only = "only B has this layer" if item.before is None else "only A has this layer"
        sides = (
            missing("", only) if item.before is None else measured(item.before, ""),
            missing("", only) if item.after is None else measured(item.after, ""),
            Number(value=item.change, unit="", origin="derived", signed=True),
            missing("%", only, "derived"),
        )
    outputs: Cell = "-" if item.outputs_equal is None else "same"
    if item.outputs_equal is False:
        outputs = Mark(state="note", text="differ")
    tags = _tags(item)
    number: Cell = number_of(item)
    if chosen.intersection(tags):
        number = Link(text=number_of(item), target="compare-within", chooses=tags[0])
    note = (_note(item),) if noted else ()
    return Row(cells=(number, item.op, *sides, outputs, *note), tags=tags)


def _note(item: LayerPart) -> str:
    if item.before is None or item.after is None:
        return "only in A" if item.after is None else "only in B"
    if item.shape_before == item.shape_after:
        return ""
    return " to ".join("x".join(map(str, shape or ())) or "scalar" for shape in (item.shape_before, item.shape_after))


def within(shown: Compared) -> Table | None:
    """Functions and classes within each layer that moved, what grew most first; None: none, or not told apart."""
    found = [
        (item, kind, part)
        for item in shown.layers
        for kind, parts in (("function", item.functions), ("class", item.classes))
        for part in parts or ()
    ]
    if not found:
        return None
    found.sort(key=lambda one: -abs(one[2].change))
    rows = [
        Row(
            cells=(f"{number_of(item)} {item.op}", kind, part.name, *_counts(part.before, part.after)),
            tags=_tags(item),
        )
        for item, kind, part in sorted(found[:MOST], key=lambda one: -one[2].change)
    ]
    left = [part for _, _, part in found[MOST:]]
    if left:
        sums = _counts(sum(part.before for part in left), sum(part.after for part in left))
        rows.append(Row(cells=(words.count(len(left), "other"), "", "", *sums), kind="other"))
    return Table(
        id="compare-within",
        caption="What moved in each layer: functions, and classes of instructions",
        columns=(
            Column(key="layer", title="layer"),
            Column(key="kind", title="kind"),
            Column(key="name", title="name"),
            *_SIDES,
        ),
        rows=tuple(rows),
        sorted_by="-change",
        filter=True,
        note="Functions and classes tell the same instructions apart in two ways: they are not to be added.",
    )


def functions(shown: Compared) -> Table | None:
    """Functions of the whole inference that moved, and what the others have; None: not told apart, or none moved."""
    return _moved(shown, shown.functions, "function", "functions")


def classes(shown: Compared) -> Table | None:
    """The same of classes of instructions."""
    return _moved(shown, shown.classes, "class", "classes")


def _moved(shown: Compared, parts: Sequence[Part] | None, one: str, several: str) -> Table | None:
    if not parts:
        return None
    rows = [Row(cells=(part.name, *_counts(part.before, part.after))) for part in _worst(parts[:MOST])]
    left = parts[MOST:]
    if left:
        sums = _counts(sum(part.before for part in left), sum(part.after for part in left))
        rows.append(Row(cells=(f"{len(left):,} other {several}", *sums), kind="other"))
    rows += _rest(shown, parts, several)
    return Table(
        id=f"compare-{several}",
        caption=f"{several.capitalize()} of the whole inference that moved, the largest increase first",
        columns=(Column(key="name", title=one), *_SIDES),
        rows=tuple(rows),
        sorted_by="-change",
        filter=len(parts) > 15,
    )


def _rest(shown: Compared, parts: Sequence[Part], several: str) -> list[Row]:
    """What did not move, and the sum: where both are known, the table closes."""
    total = next((item for item in shown.totals if item.metric == "instructions"), None)
    if total is None or total.before is None or total.after is None:
        return []
    before, after = int(total.before), int(total.after)
    same = before - sum(part.before for part in parts)
    if same != after - sum(part.after for part in parts):
        return []
    return [
        Row(cells=(f"{several} that did not move", *_counts(same, same)), kind="other"),
        Row(cells=("all", *_counts(before, after)), kind="total"),
    ]


def memory(shown: Compared) -> Table:
    """The parts of flash and of RAM, and both sums; of what is not comparable no change."""
    blocked = reasons(shown)
    parts = {part.name: part for part in shown.memory}
    rows = []
    for region, names in _REGIONS.items():
        own = [parts[name] for name in names if name in parts]
        rows += [_memory(region, part, blocked.get(_PARTS[part.name])) for part in _worst(own)]
    for region, names in _REGIONS.items():
        whole = [parts[name] for name in names if name in parts]
        total = Part(name=f"all {region}", before=sum(part.before for part in whole),
                     after=sum(part.after for part in whole), change=sum(part.change for part in whole))  # fmt: skip
        rows.append(_memory(region, total, blocked.get(region.lower()), "total"))
    return Table(
        id="compare-memory",
        caption="Memory, in bytes",
        columns=(Column(key="region", title="memory"), Column(key="part", title="part"), *_SIDES),
        rows=tuple(rows),
    )


def _worst(parts: Iterable[Part]) -> list[Part]:
    return sorted(parts, key=lambda part: -part.change)


def _memory(region: str, part: Part, reason: str | None, kind: str = "item") -> Row:
    sides = _counts(part.before, part.after, "B")
    if reason is not None:
        why = f"blocked: {reason}"
        sides = (*sides[:2], missing("B", why, "derived"), missing("%", why, "derived"))
    cells = (region, part.name, *sides)
    if kind == "total":
        cells = (region, part.name, derived(part.before, "B"), derived(part.after, "B"), *sides[2:])
        return Row(cells=cells, kind="total")
    return Row(cells=cells)


def operators(shown: Compared) -> Table | None:
    """Operators, all layers of one together, and whose kernels compute them; None: none moved."""
    if not shown.operators:
        return None
    return Table(
        id="compare-operators",
        caption="Operators, all layers of one together",
        columns=(
            Column(key="op", title="operator"),
            Column(key="layers", title="layers", numeric=True, help="In B, or in A where B has none."),
            *_SIDES,
            Column(key="kernels", title="kernels", help="Whose kernels computed it in A and in B."),
        ),
        rows=tuple(map(_operator, sorted(shown.operators, key=lambda item: -item.change))),
    )


def _operator(item: OperatorPart) -> Row:
    sides = dict.fromkeys((item.kernels_before or "-", item.kernels_after or "-"))
    count = derived(item.layers_after or item.layers_before, "")
    return Row(cells=(item.op, count, *_counts(item.before, item.after), " to ".join(sides)))


def not_told_apart(shown: Compared) -> str | None:
    """Why there are no functions or classes; None: there are, or none moved."""
    return _NOT_TOLD if shown.functions is None or shown.classes is None else None
