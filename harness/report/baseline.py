"""Baselines on a terminal: what an update changes, what there is, where one comes from."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from harness.baseline import Baseline, Change, Provenance
from harness.baseline_update import Item, State, Update
from harness.gate import metrics, words
from harness.report import tables
from harness.report.tables import Column, FittingTable, Row, printable

_STYLES: dict[State, str] = {
    "new": "green",
    "changed": "bold",
    "renewed": "",
    "unchanged": "dim",
    "refused": "bold red",
    "removed": "yellow",
}
_SHOWN = ("instructions", "flash", "ram", "arena", "stack")


def update(shown: Update) -> RenderableType:
    """What becomes of each baseline, with the change of its totals."""
    columns = [
        Column(""),
        Column("baseline", least=32, wraps=True),
        *(Column(metric, right=True, spare=place) for place, metric in enumerate(_SHOWN)),
    ]
    rows = []
    for item in shown.items:
        cells: dict[str, str | Text] = {"": Text(item.state, _STYLES[item.state]), "baseline": _stem(item.file)}
        rows.append(Row(cells | _totals(item)))
    parts: list[RenderableType] = [FittingTable(columns, rows)] if rows else []
    parts += [_said(f"{_stem(item.file)}: {'; '.join(item.notes)}") for item in shown.items if item.notes]
    parts += [_said(f"{_stem(name)}: no run of the policy has it; --remove-unused removes it") for name in shown.unused]
    for failure in shown.failures:
        word = "too large" if failure.too_large else "failed"
        parts.append(Text.assemble((word, "bold red"), printable(f"  {failure.what}: {failure.message}")))
        if failure.hint:
            parts.append(_said(f"hint: {failure.hint}"))
    return Group(*parts)


def _said(text: str) -> Padding:
    return Padding(Text(printable(text), style="dim"), (0, 0, 0, 2), expand=False)


def _stem(file: str) -> str:
    return file.removesuffix(".json")


def _totals(item: Item) -> dict[str, str | Text]:
    """Of what is removed, the values that it had."""
    by_name = {change.metric: change for change in item.changes}
    held = item.result or item.former
    if held is None:
        return {}
    cells: dict[str, str | Text] = {}
    for metric in _SHOWN:
        change = by_name.get(metric)
        cells[metric] = words.amount(metrics.value(held, metric)) + ("" if change is None else _percent(change))
    return cells


def _percent(change: Change) -> str:
    if change.before == change.after or not change.before or change.after is None:
        return ""
    return f" ({words.percent(100 * (change.after - change.before) / change.before)})"


def listed(shown: Iterable[tuple[Path, Baseline | str]]) -> RenderableType:
    """One row a file: its totals, when it was made and why; or why it cannot be read."""
    columns = [
        Column("baseline", least=32, wraps=True),
        Column("instructions", right=True),
        Column("flash", right=True, spare=2),
        Column("ram", right=True, spare=3),
        Column("made", spare=1),
        Column("reason", least=16, wraps=True),
    ]
    rows = []
    for path, found in shown:
        cells: dict[str, str | Text] = {"baseline": _stem(path.name)}
        if isinstance(found, str):
            cells["reason"] = Text.assemble(("unreadable: ", "bold red"), printable(found))
        else:
            cells |= {
                name: words.amount(metrics.value(found.result, name)) for name in ("instructions", "flash", "ram")
            }
            cells["made"] = "-" if found.provenance is None else found.provenance.created[:10]
            cells["reason"] = _reason(found.provenance)
        rows.append(Row(cells))
    return FittingTable(columns, rows)


def _reason(provenance: Provenance | None) -> str:
    return "-" if provenance is None or provenance.reason is None else provenance.reason


def one(shown: Baseline, path: Path, target: Console) -> RenderableType:
    """Where a baseline comes from, what it replaced, and its result."""
    lines: list[RenderableType] = [Text(printable(str(path)), style="bold")]
    provenance = shown.provenance
    if provenance is None:
        lines.append(Text("a bare result: nothing says why it is a baseline", style="dim"))
    else:
        lines += [Text(printable(line)) for line in _lines(provenance)]
        if provenance.replaced is not None:
            lines += ["", _changes(provenance.replaced.changes)]
    return Group(*lines, Text(), tables.result(shown.result, target))


def _lines(provenance: Provenance) -> list[str]:
    commit = "no git commit"
    if provenance.git_commit is not None:
        commit = f"at commit {provenance.git_commit[:12]}{', with changes' if provenance.git_dirty else ''}"
    lines = [
        f"reason: {_reason(provenance)}",
        f"made: {provenance.created} by tflm-harness {provenance.harness_version}, {commit}",
    ]
    if provenance.command:
        lines.append(f"command: {shlex.join(provenance.command)}")
    if provenance.replaced is not None:
        lines.append(f"replaced: {provenance.replaced.run_id}, whose totals were")
    return lines


def _changes(changes: Sequence[Change]) -> RenderableType:
    columns = [Column("total"), Column("before", right=True), Column("now", right=True), Column("change", right=True)]
    rows = [
        Row(
            {
                "total": change.metric.replace("_", " "),
                "before": words.amount(change.before),
                "now": words.amount(change.after),
                "change": _percent(change).strip(" ()") or "-",
            },
            None if change.before != change.after else "dim",
        )
        for change in changes
    ]
    return FittingTable(columns, rows)
