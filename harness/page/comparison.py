"""Two results side by side as a part of a report, or as a report of their own: the worst first, never an average."""

from __future__ import annotations

from pathlib import Path

from harness.compare import Compared, Side
from harness.errors import EXIT_NOT_MEASURED, EXIT_PASS
from harness.gate import decide, policy, words
from harness.gate.judge import Judged
from harness.gate.metrics import METRICS
from harness.gate.verdict import Comparison, Verdict
from harness.page import comparison_charts as charts
from harness.page import comparison_tables as tables
from harness.page import metrics
from harness.page.document import (
    Block,
    Cell,
    Code,
    Column,
    Command,
    Facts,
    Fold,
    Mark,
    NotMeasured,
    Page,
    Row,
    Section,
    State,
    Table,
    Text,
)
from harness.page.values import Number, Origin, given, missing
from harness.report import compare_lines
from harness.result import Result

ID = "comparison"
_SAID = 3
_STATES: dict[str, State] = {"worse": "fail", "undecided": "undecided", "blocked": "undecided", "missing": "undecided",
                             "better": "note", "warned": "note", "suppressed": "note", "ignored": "note",
                             "ok": "pass"}  # fmt: skip


def judged(before: Result, after: Result, rules: Path) -> Verdict:
    """The verdict of a policy on B, with A as its baseline.

    Raises:
        BadInputError: the policy cannot be read, or a value in it cannot be used.
    """
    given = policy.load(rules)
    return decide.decide(given, [Judged(result=after, baseline=before, baseline_file=before.run_id)])


def page(shown: Compared, verdict: Verdict | None = None) -> Page:
    """A report of nothing but the comparison."""
    text, state = sentence(shown, verdict)
    return Page(
        title=f"{shown.after.model}: A against B",
        kind="comparison",
        verdict=text,
        state=state,
        sections=(section(shown, verdict, said=False), provenance(shown)),
        not_measured=not_measured(shown),
    )


def section(shown: Compared, verdict: Verdict | None = None, said: bool = True) -> Section:
    """What differs, what was judged, totals, memory, layers, functions and classes.

    Args:
        shown: both results, A and B.
        verdict: that of a policy on B, None without one.
        said: whether the verdict stands in the section, too; not where it is the page's own.
    """
    text, state = sentence(shown, verdict)
    blocks: list[Block] = [Text(text=text, state=state)] if said else []
    blocks.append(_sides(shown))
    differing = tables.differs(shown)
    blocks += [differing] if differing is not None else []
    blocks += [_judged(verdict)] if verdict is not None else []
    blocks += [tables.totals(shown), tables.memory(shown)]
    parts = _parts(shown)
    reason = tables.reasons(shown).get("instructions")
    if reason is None:
        blocks += parts
    else:
        summary = f"Layers, functions and classes side by side, to be read and not to be judged, as there is {reason}"
        blocks.append(Fold(summary=summary, blocks=tuple(parts), id="compare-parts"))
    return Section(
        id=ID,
        title="Compare A and B",
        blocks=tuple(blocks),
        lead="A is what was before, B what is reported. The worst change stands first, and nothing is averaged.",
    )


def _sides(shown: Compared) -> Facts:
    outputs = compare_lines.outputs(shown)
    mark = Mark(state="pass" if shown.outputs_equal else "note", text=outputs)
    return Facts(items=(("A", _side(shown.before)), ("run of A", Code(text=shown.before.run_id)),
                        ("B", _side(shown.after)), ("run of B", Code(text=shown.after.run_id)),
                        ("outputs", mark)))  # fmt: skip


def _side(side: Side) -> str:
    return side.label


def _parts(shown: Compared) -> list[Block]:
    found: list[Block] = [*charts.layers(shown), tables.layers(shown)]
    for table in (tables.operators(shown), tables.within(shown), tables.functions(shown), tables.classes(shown)):
        found += [] if table is None else [table]
    return found


# --- the verdict -----------------------------------------------------------------------------------------------------


def sentence(shown: Compared, verdict: Verdict | None = None) -> tuple[str, State]:
    """The comparison in one sentence, and what it comes to: by a policy where one judges, else what changed most."""
    return _unjudged(shown) if verdict is None else _by_policy(verdict)


def _by_policy(verdict: Verdict) -> tuple[str, State]:
    state: State = "pass" if verdict.exit_code == EXIT_PASS else "fail"
    if verdict.exit_code == EXIT_NOT_MEASURED:
        state = "undecided"
    decisive = verdict.of("worse", "undecided", "blocked", "missing")
    numbers = [item for item in verdict.comparisons if item.unit != "bool" and item.reason is None]
    chosen = decisive or [item for item in numbers if item.layer is None] or numbers
    said = "; ".join(dict.fromkeys(against(item) for item in chosen[:_SAID]))
    more = f"; and {len(chosen) - _SAID} more" if len(chosen) > _SAID and decisive else ""
    words_of = {"pass": "no worse than allowed", "fail": "worse than allowed", "undecided": "not decided"}
    return f"{words_of[state]} by policy {verdict.policy.name}: {said or verdict.headline}{more}", state


def against(item: Comparison) -> str:
    """A comparison in a few words: "instructions +1.80 % against a limit of 1 %"."""
    if item.reason is not None or item.unit == "bool":
        return words.finding(item)
    what = words.subject(item)
    if item.against == "limit" or item.baseline is None:
        return f"{what} {words.with_unit(item.value, item)} against a limit of {words.with_unit(item.bound, item)}"
    allowed = _allowed(item)
    if item.change_percent is None or allowed is None:
        value, bound = words.with_unit(item.value, item), words.with_unit(item.bound, item)
        return f"{what} {value} against a limit of {bound}"
    cause = words.cause(item.cause, of_layer=item.layer is not None) if item.state == "worse" else ""
    tail = f" ({cause})" if cause else ""
    return f"{what} {words.percent(item.change_percent)} against a limit of {allowed} %{tail}"


def _allowed(item: Comparison) -> str | None:
    """The allowance in per cent of the baseline, below 0 of what is to be large; None: there is none.

    A bound is a whole number where values are, so that it stands for a little more: of what it may stand for, the
    roundest number is said.
    """
    if not item.baseline or item.bound is None:
        return None
    low = 100 * (item.bound - item.baseline) / item.baseline
    step = 100 / abs(item.baseline) if isinstance(item.bound, int) else 0.0
    for digits in (1, 2, 3):
        for rounded in (f"{low:.{digits}g}", f"{low + step:.{digits}g}"):
            if low <= float(rounded) < low + step:
                return rounded
    return f"{low:.3g}"


def _unjudged(shown: Compared) -> tuple[str, State]:
    blocked = tables.reasons(shown)
    known = [item for item in tables.ordered(shown) if item.comparable and item.change is not None]
    lost = [item for item in shown.totals if not item.comparable]
    moved = [item for item in known if item.change]
    said = "no number changed"
    if moved:
        parts = [f"{metrics.named(item.metric)} {words.percent(item.change_percent)}" for item in moved[:_SAID]]
        more = f", and {len(moved) - _SAID} more" if len(moved) > _SAID else ""
        said = f"B against A, the worst first: {', '.join(parts)}{more}"
    if not lost:
        return f"{said}; no policy judged it", "note"
    whys = dict.fromkeys(blocked[item.metric] for item in lost)
    names = [metrics.named(item.metric) for item in lost]
    named = f"{', '.join(names[:_SAID])}{f' and {len(names) - _SAID} more' if len(names) > _SAID else ''}"
    rest = "" if not known else f"; of the others: {said}" if moved else "; no other number changed"
    return f"blocked, {'; '.join(whys)}: {named} cannot be compared{rest}", "undecided"


def _judged(verdict: Verdict) -> Table:
    return Table(
        id="compare-judged",
        caption=f"Judged by the policy {verdict.policy.name}, the worst first",
        columns=(
            Column(key="state", title="verdict"),
            Column(key="what", title="what"),
            Column(key="a", title="A", numeric=True),
            Column(key="b", title="B", numeric=True),
            Column(key="percent", title="relative", numeric=True, help="The change in per cent of A."),
            Column(key="limit", title="limit", numeric=True, help="The last value that is no worse than allowed."),
            Column(key="why", title="because"),
        ),
        rows=tuple(map(_comparison, verdict.comparisons)),
        note=" ".join(f"{note}." for note in verdict.notes),
    )


def _comparison(item: Comparison) -> Row:
    cells = (
        Mark(state=_STATES[item.state], text=item.state),
        words.subject(item),
        *(_value(item, side) for side in ("baseline", "value")),
        _percent(item),
        _bound(item),
        item.reason or words.cause(item.cause, of_layer=item.layer is not None),
    )
    tags = () if item.layer is None else (f"layer-{item.layer}",)
    return Row(cells=cells, tags=tags, state=_STATES[item.state])


def _value(item: Comparison, side: str) -> Cell:
    value = item.baseline if side == "baseline" else item.value
    reason = item.reason or "nothing of A is held against it"
    if item.unit == "bool" and value is not None:
        return Mark(state="pass" if value else "fail", text="yes" if value else "no")
    name = "instructions" if item.metric == "layers" else item.metric
    return metrics.number(name, value, item.band if side == "value" else None, reason)


def _percent(item: Comparison) -> Number:
    kind = metrics.origin(item.metric)
    if item.change_percent is None:
        return missing("%", item.reason or "no change in per cent: it is held against a limit", kind)
    shared: Origin = "estimated" if kind == "estimated" else "derived"
    return metrics.percent(item.change_percent, 100, shared, signed=True)


def _bound(item: Comparison) -> Cell:
    if METRICS[item.metric].truth:
        return "yes"
    if item.bound is None:
        return missing(metrics.unit(item.metric), item.reason or "none", "given")
    unit = metrics.unit(item.metric)
    value = 100 * item.bound if unit == "%" else item.bound
    return given(value, unit, 0 if isinstance(item.bound, int) else metrics.digits(value))


# --- the rest --------------------------------------------------------------------------------------------------------


def not_measured(shown: Compared) -> tuple[NotMeasured, ...]:
    """What one of both does not have."""
    found = []
    why = tables.not_told_apart(shown)
    if why is not None:
        command = "harness run MODEL --emulator qemu"
        found.append(NotMeasured(item="functions and classes, compared", reason=why, command=command))
    known = {item.metric: item for item in shown.totals}
    for metric in ("latency", "energy"):
        item = known.get(metric)
        lacking = "both" if item is None else "A" if item.before is None else "B" if item.after is None else None
        if lacking is not None:
            reason = f"{lacking} {'have' if lacking == 'both' else 'has'} no estimate of it"
            found.append(NotMeasured(item=f"{metric}, compared", reason=reason, command="harness run MODEL --cycles"))
    return tuple(found)


def provenance(shown: Compared) -> Section:
    """The command that compares them again, and the networks' hashes."""
    command = f"harness compare {shown.before.run_id} {shown.after.run_id}"
    items = tuple((f"network of {name}", Code(text=side.model_sha256, title=f"SHA-256 of {side.model}"))
                  for name, side in (("A", shown.before), ("B", shown.after)))  # fmt: skip
    blocks = (Command(text=command, caption="the same on a terminal"), Facts(items=items))
    return Section(id="provenance", title="Provenance", blocks=blocks)
