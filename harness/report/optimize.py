"""A search for a network, as text: the pick with its budgets, the front, what was done; or the nearest misses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.optimize import choose
from harness.optimize.records import Change, Judgement, Pick, Relaxation, StudyFile, StudyResult, TrialRecord
from harness.optimize.replay import Replayed
from harness.optimize.scenario import ACCURACY, Scenario
from harness.report.tables import Column, FittingTable, Row, printable
from harness.sweep.metrics import METRICS

STATES = {"met": "green", "missed": "bold red", "undecided": "yellow"}
_FRONT = 12
_MEANS = {"board": "does not run on the board", "exact": "outputs are not the host's"}


def study(scenario: Scenario, made: StudyFile, records: Sequence[TrialRecord], result: StudyResult) -> RenderableType:
    """Everything that a search came to."""
    parts: list[RenderableType] = [headline(result), *_notes(result)]
    if result.pick is not None:
        parts += [Text(), *picked(scenario, result.pick)]
        if result.runner_up is not None:
            parts.append(_runner_up(scenario, result.runner_up))
    elif result.nearest:
        parts += [Text(), _nearest(scenario, records, result.nearest)]
    for pick in result.refused:
        parts.append(_refused(pick))
    if result.front:
        parts += [Text(), _front(scenario, records, result)]
    return Group(*parts, Text(), work(made, result))


def headline(result: StudyResult) -> Text:
    """One line with the verdict."""
    if result.pick is None:
        why = "; ".join(result.reasons) or "no finals were asked for"
        return Text.assemble(("NO PICK  ", "bold red"), printable(f"{result.name}: {why}"))
    words = printable(f"{result.name}: trial {result.pick.trial}, {result.pick.candidate.label}")
    if result.reasons:
        return Text.assemble(("PICK, NOT GOOD ENOUGH  ", "bold red"), words, f": {'; '.join(result.reasons)}")
    return Text.assemble(("PICK  ", "bold green"), words)


def _notes(result: StudyResult) -> list[Text]:
    return [Text(printable(note), style="dim") for note in result.notes]


def picked(scenario: Scenario, pick: Pick) -> list[RenderableType]:
    """A pick: its budgets with what is left of each, its accuracy, its weights against random ones."""
    lines: list[RenderableType] = [budgets(pick.judgements, len(scenario.file.boards) > 1)]
    validation = pick.training.accuracy
    lines.append(
        Text(
            f"\nvalidation  {_percent(validation.fraction)} ({validation.correct} of {validation.images}), "
            f"by which it was chosen; {pick.training.epochs} epochs"
        )
    )
    if pick.test is not None:
        test = pick.test
        judged = "" if test.state is None else f", lowest accuracy {test.state}"
        lines.append(
            Text.assemble(
                f"test        {_percent(test.correct / test.images)} ({test.correct} of {test.images}), 95 % interval "
                f"{_percent(test.low)} to {_percent(test.high)}",
                (judged, STATES.get(test.state or "", "")),
            )
        )
    for found in pick.device:
        same = "every output the host's" if not found.different else f"{found.different} outputs are not the host's"
        share = _percent(found.correct / found.images)
        lines.append(Text(f"on device   {share} ({found.correct} of {found.images}) on {found.board}, {same}"))
    lines += [Text(f"weights     {line}") for line in map(change, pick.changes)]
    return lines


def change(found: Change) -> str:
    """One line that compares a board's measurements of random and trained weights."""
    if found.equal:
        return f"measured again on {found.board} with trained weights: equal to random ones in every number"
    parts = [f"{name} {before:,} to {after:,}" for name, (before, after) in found.metrics.items()]
    parts += [f"layer {item.index} {item.op} {item.trained - item.random:+,}" for item in found.layers]
    return f"measured again on {found.board}: from random to trained weights {', '.join(parts)}"


def budgets(found: Sequence[Judgement], boards: bool = False) -> Table:
    """Each budget with value, bounds and limit; the one that is closest to its limit is marked."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("budget", *(["board"] if boards else [])):
        table.add_column(name, no_wrap=True)
    for name in ("value", "limit", "used"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    tightest = binding(found)
    for item in found:
        cells = [item.key, *([item.board or ""] if boards else []), value(item), limit(item), used(item)]
        state = Text(item.state, style=STATES[item.state])
        if item is tightest:
            state.append(", binding", style="bold")
        if item.tier is not None:
            state.append(" (estimate)", style="dim")
        table.add_row(*map(printable, cells), state)
    return table


def binding(found: Iterable[Judgement]) -> Judgement | None:
    """The budget with the least room: the largest share of its limit is used, by the bound that decides."""
    known = [item for item in found if item.value is not None]
    return max(known, key=lambda item: item.violation, default=None)


def value(item: Judgement) -> str:
    """What is known of a budget's metric, with the bounds of an estimate: "12.3 (8.5 to 24.6) ms"."""
    if item.value is None:
        return _MEANS.get(item.key, "-")
    if item.metric == ACCURACY:
        return _percent(item.value)
    text = _number(item.value, item.unit)
    if item.tier is not None:
        low = "?" if item.low is None else _number(item.low, item.unit)
        high = "?" if item.high is None else _number(item.high, item.unit)
        text += f" ({low} to {high})"
    return f"{text} {item.unit}".strip()


def limit(item: Judgement) -> str:
    """A budget's limit with its sign."""
    sign = "≥" if item.at_least else "≤"
    if item.metric == ACCURACY:
        return f"{sign} {100 * item.limit:g} %"
    return f"{sign} {_number(item.limit, item.unit)} {item.unit}".strip()


def used(item: Judgement) -> str:
    """The share of its limit that is used, by the bound that decides; of what must be at least so much, the inverse."""
    if item.value is None or item.limit == 0:
        return ""
    return (
        f"{100 * (1 + item.violation):.0f} %" if not item.at_least else f"{100 / max(1 - item.violation, 1e-9):.0f} %"
    )


def _number(number: float, unit: str) -> str:
    return f"{number:,.0f}" if unit in ("B", "") else f"{number:,.3g}" if number < 1000 else f"{number:,.0f}"


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _runner_up(scenario: Scenario, pick: Pick) -> Text:
    pairs = zip(scenario.file.objectives, pick.objectives, strict=True)
    values = ", ".join(f"{name} {METRICS[name].text(found)}" for name, found in pairs if found is not None)
    return Text(f"\nrunner-up   trial {pick.trial}, {printable(pick.candidate.label)}: {values}")


def _refused(pick: Pick) -> Text:
    missing = [f"{item.key} {value(item)}, {limit(item)}" for item in pick.judgements if item.state != "met"]
    return Text(f"refused with its trained weights: trial {pick.trial}, {'; '.join(missing)}", style="yellow")


def _nearest(scenario: Scenario, records: Sequence[TrialRecord], found: Sequence[Relaxation]) -> RenderableType:
    lines: list[RenderableType] = [Text("nearest misses, and the limits that would let them in:")]
    for item in found:
        label = records[item.trial].candidate.label
        lines.append(Text(f"  trial {item.trial}, {printable(label)}"))
        for judged in item.judgements:
            lines.append(
                Text.assemble(
                    f"    {judged.key}{'' if judged.board is None else f' on {judged.board}'}: {value(judged)}, "
                    f"{limit(judged)}: ",
                    (judged.state, STATES[judged.state]),
                    f"; {judged.key} of {needed(judged)} would do",
                )
            )
        if item.unknown:
            lines.append(Text("    accuracy: not known, it was not trained"))
    return Group(*lines)


def needed(item: Judgement) -> str:
    """The limit that would let a trial in, with its unit."""
    limit = choose.needed(item)
    return _percent(limit) if item.metric == ACCURACY else f"{_number(limit, item.unit)} {item.unit}".strip()


def _front(scenario: Scenario, records: Sequence[TrialRecord], result: StudyResult) -> RenderableType:
    chosen = [records[number] for number in result.front]
    title = f"front of {', '.join(scenario.file.objectives)}: {len(chosen)} of {result.met} that meet every budget"
    table = trials(scenario, chosen[:_FRONT])
    more = [Text(f"... and {len(chosen) - _FRONT} more", style="dim")] if len(chosen) > _FRONT else []
    return Group(Text(title), table, *more)


def trials(scenario: Scenario, records: Sequence[TrialRecord]) -> FittingTable:
    """Trials with what was measured and estimated of them on the first board; the state where they differ in it."""
    columns = [
        Column("trial", right=True),
        Column("accuracy", right=True),
        Column("epochs", right=True, spare=5),
        Column("instructions", right=True),
        Column("est. latency", right=True, spare=1),
        Column("flash", right=True, spare=2),
        Column("RAM", right=True, spare=3),
        *([Column("state", spare=4)] if len({item.state for item in records}) > 1 else []),
        Column("network", least=30, wraps=True),
    ]
    return FittingTable(columns, map(_trial, records))


def _trial(item: TrialRecord) -> Row:
    row = item.measurements[0].row if item.measurements else None
    counts, estimate = (row.measured, row.estimate) if row else (None, None)
    return Row(
        {
            "trial": str(item.number),
            "accuracy": "-" if item.accuracy is None else _percent(item.accuracy),
            "epochs": "-" if item.epochs is None else str(item.epochs),
            "instructions": "-" if counts is None else f"{counts.instructions:,}",
            "est. latency": "-" if estimate is None else f"{estimate.latency_ms.value:.3g} ms",
            "flash": "-" if counts is None else f"{counts.flash:,} B",
            "RAM": "-" if counts is None else f"{counts.ram:,} B",
            "state": Text(item.state, style=STATES[item.state]),
            "network": item.candidate.label,
        }
    )


def work(made: StudyFile, result: StudyResult) -> Text:
    """What a study did for its trials, and what the memo and duplicates spared it; the finals come on top."""
    done = result.work
    failed = f", {done.failed:,} without numbers" if done.failed else ""
    how = "all of" if made.mode == "enumeration" else f"{made.sampler.upper()} in"
    return Text(
        f"{result.trials:,} trials ({how} {made.space:,} combinations, seed {made.seed}): {result.met:,} met, "
        f"{result.undecided:,} undecided, {result.missed:,} missed, {_counted(done.duplicates, 'duplicate')}{failed}; "
        f"of these, {done.measured:,} measured here, {done.measured_before:,} known before; "
        f"{_counted(done.trained, 'training')} here ({done.cpu_s:,.0f} s of processor time), "
        f"{done.trained_before:,} known before",
        style="dim",
    )


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def replayed(found: Replayed) -> Text:
    """What doing a study again came to."""
    how = "asked for again" if found.reused else "asked for, measured and trained again"
    if found.equal:
        return Text.assemble(
            ("EQUAL  ", "bold green"), f"{found.name}: {found.trials:,} trials {how}, every one the same"
        )
    first = found.differences[0]
    words = f"{found.name}: {len(found.differences):,} of {found.trials:,} trials differ, the first is {first.trial}, "
    words += f"in {first.what}: {first.then[:200]} then, {first.now[:200]} now"
    return Text.assemble(("DIFFERENT  ", "bold red"), printable(words))
