"""A verdict of the gate on a terminal, or as plain text where the output is none: the cause first, the worst first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from harness.errors import EXIT_PASS
from harness.gate import metrics, words
from harness.gate.verdict import NOT_JUDGED, Comparison, State, Verdict
from harness.report.tables import Column, FittingTable, Row, printable

_STYLES: dict[State, str] = {
    "worse": "bold red",
    "undecided": "bold red",
    "blocked": "bold red",
    "missing": "bold red",
    "better": "green",
    "warned": "yellow",
    "suppressed": "dim",
    "ignored": "dim",
    "ok": "",
}
_MOST_ROWS = 20
_INDENT = 2
_COLUMNS = [
    Column(""),
    Column("what"),
    Column("baseline", right=True, spare=1),
    Column("now", right=True),
    Column("bounds", right=True, spare=4),
    Column("change", right=True),
    Column("%", right=True, spare=2),
    Column("allowed", right=True),
    Column("unit", spare=3),
]


def headline(shown: Verdict) -> Text:
    """The first line: the word and the cause."""
    style = "bold green" if shown.exit_code == EXIT_PASS else "bold red"
    return Text.assemble((shown.word, style), f"  {printable(shown.headline)}")


def verdict(shown: Verdict, everything: bool = False) -> RenderableType:
    """What a verdict says below its first line; ``everything``: also what is as it should be."""
    parts: list[RenderableType] = []
    for index, run in _order(shown):
        items = _rows(shown, index, everything)
        if items:
            parts += [Text(), Text(printable(run), style="bold"), *_table(items), *_causes(items)]
    others = [*_failures(shown), *_not_judged(shown)]
    if others:
        parts += [Text(), *others]
    if not everything and shown.exit_code == EXIT_PASS and shown.runs:
        parts += [Text(), _totals(shown)]
    parts += [Text(), _closing(shown)]
    return Group(*parts)


def _order(shown: Verdict) -> list[tuple[int, str]]:
    """The runs, the one with the worst comparison first."""
    indices = dict.fromkeys([*(item.run for item in shown.comparisons), *range(len(shown.runs))])
    return [(index, shown.runs[index].label) for index in indices]


def _rows(shown: Verdict, run: int, everything: bool) -> list[Comparison]:
    return [
        item
        for item in shown.comparisons
        if item.run == run and item.reason is None and (everything or item.state in ("worse", "better"))
    ]


def _table(items: Sequence[Comparison]) -> list[RenderableType]:
    shown = items if len(items) <= _MOST_ROWS else items[: _MOST_ROWS - 1]
    rows = [Row(_cells(item)) for item in shown]
    columns = [column for column in _COLUMNS if column.name != "bounds" or any(item.band for item in shown)]
    parts: list[RenderableType] = [_indented(FittingTable(columns, rows))]
    if len(shown) < len(items):
        parts.append(_indented(Text(f"and {len(items) - len(shown)} more", style="dim")))
    return parts


def _indented(shown: RenderableType, by: int = _INDENT) -> Padding:
    return Padding(shown, (0, 0, 0, by), expand=False)


def _cells(item: Comparison) -> dict[str, str | Text]:
    cells: dict[str, str | Text] = {
        "": Text(item.state, style=_STYLES[item.state]),
        "what": words.subject(item),
        "baseline": words.amount(item.baseline),
        "now": words.amount(item.value),
        "bounds": words.band(item.band),
        "change": "-" if item.change is None else words.signed(item.change),
        "%": words.percent(item.change_percent).removesuffix(" %"),
        "allowed": "yes" if item.bound is None else f"{words.side(item)} {words.amount(item.bound)}",
    }
    return cells | {"unit": "" if item.unit == metrics.TRUTH else item.unit}


def _causes(items: Sequence[Comparison]) -> list[RenderableType]:
    """What moved, each once: a layer is the cause of its own change and of the total's."""
    found = dict.fromkeys(_cause(item) for item in items if item.state in ("worse", "better"))
    texts = [text for text in found if text]
    return [_indented(Text(printable(text), style="dim"), _INDENT + _INDENT) for text in texts[:_MOST_ROWS]]


def _cause(item: Comparison) -> str:
    said = words.cause(item.cause)
    moved_in_layer = item.cause is not None and item.cause.layer_change is not None
    return said if moved_in_layer or not said else f"{item.metric}: {said}"


def _failures(shown: Verdict) -> list[RenderableType]:
    lines: list[RenderableType] = []
    for item in shown.failures:
        word = "too large" if item.too_large else "failed"
        lines.append(Text.assemble((word, "bold red"), printable(f"  {item.what}: {item.message}")))
        if item.hint:
            lines.append(_indented(Text(printable(f"hint: {item.hint}"), style="dim")))
    return lines


def _not_judged(shown: Verdict) -> list[RenderableType]:
    """One line a reason, whatever number of comparisons it keeps from being judged."""
    lines: list[RenderableType] = []
    for group in words.groups(shown.of(*NOT_JUDGED)):
        runs = group.runs
        whose = shown.runs[runs[0]].label if len(runs) == 1 else f"{len(runs)} runs"
        text = Text.assemble((group.state, _STYLES[group.state]), f"  {printable(group.reason)}")
        lines.append(text)
        lines.append(_indented(Text(printable(f"{group.metrics} of {whose}"), style="dim")))
    return lines


_TOTALS = ("instructions", "flash", "ram", "arena", "stack")


def _totals(shown: Verdict) -> RenderableType:
    """One row a run of a gate that passed: the values, with their change where there is one."""
    values: dict[tuple[int, str], Comparison] = {}
    for item in shown.comparisons:
        if item.layer is None and item.against == "baseline" and item.value is not None:
            values.setdefault((item.run, item.metric), item)
    there = [name for name in _TOTALS if any(metric == name for _, metric in values)]
    columns = [
        Column("run", least=20, wraps=True),
        *(Column(name, right=True, spare=place) for place, name in enumerate(there)),
    ]
    rows = []
    for index, run in enumerate(shown.runs):
        cells: dict[str, str | Text] = {"run": run.label}
        cells |= {name: _moved(values[index, name]) for name in there if (index, name) in values}
        rows.append(Row(cells))
    return FittingTable(columns, rows)


def _moved(item: Comparison) -> str:
    change = f" ({words.percent(item.change_percent)})" if item.change else ""
    return f"{words.amount(item.value)}{change}"


def _closing(shown: Verdict) -> Text:
    states = Counter(item.state for item in shown.comparisons)
    counts = ", ".join(f"{number} {state}" for state, number in states.items())
    text = f"{shown.policy.name} ({shown.policy.sha256[:12]}): {words.count(len(shown.runs), 'run')}"
    if counts:
        text += f", {words.count(len(shown.comparisons), 'comparison')}: {counts}"
    lines = [text, *(printable(f"note: {note}") for note in shown.notes)]
    return Text("\n".join(lines), style="dim")
