"""A verdict of the gate as Markdown: for a step's summary, and for a comment that is updated in place.

Names come from the pull request. They are shown as code spans, in which nothing is a link, a mention or HTML.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from harness.gate import metrics, words
from harness.gate.verdict import NOT_JUDGED, Comparison, Verdict
from harness.report.tables import printable

# What GitHub takes as a comment, in characters, less some for what others put around it.
COMMENT_LIMIT = 60_000
_MOST_ROWS = 50
_MOST_DETAILS = 400
_HEAD = ("", "run", "what", "baseline", "now", "change", "allowed", "moved")


def marker(policy: str) -> str:
    """The hidden first line by which the comment of a policy is found again. A policy's name holds no other text."""
    return f"<!-- tflm-harness gate {policy} -->"


def summary(shown: Verdict) -> str:
    """For a step's summary: the cause, what is not as it should be, and all comparisons folded away."""
    return "\n".join([*_top(shown), *_details(shown)])


def comment(shown: Verdict) -> str:
    """For a pull request: the summary behind the marker, without its details where it would be too long."""
    full = f"{marker(shown.policy.name)}\n{summary(shown)}"
    if len(full) <= COMMENT_LIMIT:
        return full
    short = f"{marker(shown.policy.name)}\n" + "\n".join(_top(shown))
    if len(short) <= COMMENT_LIMIT:
        return short
    return f"{marker(shown.policy.name)}\n{_title(shown)}\n\nThe verdict is too long for a comment.\n"


def code(text: str) -> str:
    """Text of others as a code span that none of its characters ends.

    A bar would end a table's cell, and with it the span, whatever is put before it: it is shown as a broken one.
    """
    shown = printable(text).replace("|", "\u00a6")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    space = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{space}{shown}{space}{fence}" if shown.strip() else "-"


def _title(shown: Verdict) -> str:
    return f"### {shown.word}: gate {code(shown.policy.name)}"


def _top(shown: Verdict) -> list[str]:
    lines = [_title(shown), "", code(shown.headline), ""]
    rows = [item for item in shown.comparisons if item.state in ("worse", "better")]
    if rows:
        lines += _table(shown, rows[:_MOST_ROWS])
        if len(rows) > _MOST_ROWS:
            lines += [f"and {len(rows) - _MOST_ROWS} more", ""]
    lines += _not_judged(shown)
    lines += [f"- note: {code(note)}" for note in shown.notes]
    if shown.runs:
        counts = f"{words.count(len(shown.runs), 'run')}, {words.count(len(shown.comparisons), 'comparison')}"
        lines += ["", f"{counts}; policy {code(shown.policy.sha256[:12])}"]
    lines.append("")
    return lines


def _not_judged(shown: Verdict) -> list[str]:
    lines = []
    for failure in shown.failures:
        if failure.message != shown.headline:
            word = "too large" if failure.too_large else "failed"
            lines.append(f"- {word}: {code(failure.what)}: {code(failure.message)}")
        if failure.hint:
            lines.append(f"- hint: {code(failure.hint)}")
    for group in words.groups(shown.of(*NOT_JUDGED)):
        runs = ", ".join(code(shown.runs[index].label) for index in group.runs[:3])
        more = f" and {len(group.runs) - 3} more" if len(group.runs) > 3 else ""
        lines.append(f"- {group.state}: {code(group.reason)}: {group.metrics} of {runs}{more}")
    return lines


def _details(shown: Verdict) -> list[str]:
    items = [item for item in shown.comparisons if item.reason is None]
    if not items:
        return []
    first = f"The first {_MOST_DETAILS} of " if len(items) > _MOST_DETAILS else ""
    return [
        f"<details><summary>{first}{words.count(len(items), 'comparison')}</summary>",
        "",
        *_table(shown, items[:_MOST_DETAILS]),
        "</details>",
        "",
    ]


def _table(shown: Verdict, items: Iterable[Comparison]) -> list[str]:
    lines = [_row(_HEAD), _row("--:" if name in ("baseline", "now", "change") else "---" for name in _HEAD)]
    lines += [_row([item.state, *_cells(shown, item)]) for item in items]
    return [*lines, ""]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(shown: Verdict, item: Comparison) -> list[str]:
    truth = item.unit == metrics.TRUTH
    change = "-" if item.change is None else f"{words.signed(item.change)} ({words.percent(item.change_percent)})"
    said = "" if item.state == "ok" else words.cause(item.cause, of_layer=item.layer is not None)
    return [
        code(shown.runs[item.run].label),
        code(words.subject(item)) + ("" if truth or item.unit == item.metric else f", {item.unit}"),
        words.amount(item.baseline),
        words.amount(item.value) + (f" ({words.band(item.band)})" if item.band is not None else ""),
        change,
        "yes" if truth else f"{words.side(item)} {words.amount(item.bound)}",
        code(said) if said else "",
    ]
