"""Two results side by side as Markdown. Names are shown as code spans, in which nothing is a link or HTML."""

from __future__ import annotations

from collections.abc import Iterable

from harness.compare import Compared
from harness.gate import words
from harness.report import compare_lines
from harness.report.compare_lines import Line
from harness.report.gate_markdown import code


def compared(shown: Compared, everything: bool = False) -> str:
    """What differs, the totals, the layers; functions and classes of the whole inference folded away."""
    text = [f"- {code(line.strip())}" for line in compare_lines.heading(shown)]
    for differing, consequence in compare_lines.differs(shown):
        text += [f"- differs: {code(what)}" for what in differing]
        text.append(f"  - {consequence}")
    text += ["", *_table("total", compare_lines.totals(shown))]
    said = compare_lines.estimates(shown)
    text += ["", *(f"- {code(line)}" for line in said)] if said else []
    operators = compare_lines.operators(shown)
    text += ["", *_table("operator, all its layers", operators)] if operators else []
    lines, left = compare_lines.layers(shown, everything)
    if lines:
        text += ["", *_table("layer, in it functions and classes", lines)]
    if left:
        text += ["", f"{words.count(left, 'layer')} did not change"]
    for name, moved in compare_lines.overall(shown, everything):
        title = f"{name} of the whole inference"
        text += ["", f"<details><summary>{title}</summary>", "", *_table(title, moved), "", "</details>"]
    if shown.functions is None or shown.classes is None:
        text += ["", compare_lines.NOT_TOLD_APART]
    return "\n".join([*text, "", code(compare_lines.outputs(shown)), ""])


def _table(title: str, lines: Iterable[Line]) -> list[str]:
    return [_row((title, "A", "B", "change", "%", "")), _row(("---", "--:", "--:", "--:", "--:", "---")),
            *(_row(_cells(line)) for line in lines)]  # fmt: skip


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(line: Line) -> tuple[str, ...]:
    indent = "&nbsp;&nbsp;" * line.level
    note = code(line.note) if line.note else ""
    return indent + code(line.name), line.before, line.after, line.change, line.percent.removesuffix(" %"), note
