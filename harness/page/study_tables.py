"""The tables of a study: budgets with their slack, trials, how they ended, the nearest misses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.optimize import ablate, choose
from harness.optimize import explain as explaining
from harness.optimize.judge import Bounded
from harness.optimize.records import Judgement, Relaxation, TrialRecord
from harness.optimize.scenario import ACCURACY, Scenario
from harness.page import metrics
from harness.page.document import Cell, Column, Link, Mark, Row, State, Table
from harness.page.values import Number, derived, given, measured, missing
from harness.report import optimize as terminal

STATES: dict[str, State] = {"met": "pass", "missed": "fail", "undecided": "undecided"}
_REFUSALS = {"board": "it does not run on the board", "exact": "its outputs are not the host's"}
_UNKNOWN = "The accuracy of some of them is not known: they were not trained, and it must suffice, too."
_VALUES = ("instructions", "latency", "energy", "flash", "ram")


def trial_id(number: int) -> str:
    """The place of a trial on the page."""
    return f"trial-{number}"


def link(record: TrialRecord) -> Link:
    """To its row."""
    return Link(text=f"trial {record.number}", target=trial_id(record.number))


def ended(record: TrialRecord) -> str:
    """How a trial ended: "met", "undecided", "missed", "duplicate", or "without numbers"."""
    if record.duplicate_of is not None:
        return "duplicate"
    return record.state if record.measured else "without numbers"


def mark(name: str) -> Mark:
    """The end of a trial, or the state of a budget, as a sign with a word."""
    return Mark(state=STATES.get(name, "note"), text=name)


# --- budgets ---------------------------------------------------------------------------------------------------------


def judged(item: Judgement) -> Number:
    """What is known of a budget's metric, with the bounds of an estimate."""
    unit = _unit(item)
    if item.value is None:
        return missing(unit, _REFUSALS.get(item.key, "it is not known"), metrics.origin(item.metric))
    if item.metric == ACCURACY:
        return measured(100 * item.value, "%", 2)
    if item.tier is not None:
        digits = metrics.digits(item.value)
        return Number(value=item.value, unit=unit, origin="estimated", low=item.low, high=item.high, digits=digits)
    return metrics.number(item.metric, item.value)


def _unit(item: Judgement) -> str:
    return "%" if item.metric == ACCURACY else item.unit


def limit(item: Judgement) -> Number:
    """The limit of a budget."""
    if not item.limit:
        return missing(_unit(item), "it holds or it does not", "given")
    return _given(item, item.limit)


def _given(item: Judgement, value: float) -> Number:
    shown = 100 * value if item.metric == ACCURACY else value
    return given(shown, _unit(item), 0 if float(shown).is_integer() else metrics.digits(shown))


def slack(item: Judgement) -> Number:
    """What is left of a budget, in per cent of it; below 0: what is lacking. Of an estimate the lower bound decides."""
    if item.value is None or not item.limit:
        return missing("%", "there is no number to hold against it", "derived")
    left = _left(item, item.value)
    if item.tier is None:
        return Number(value=left, unit="%", origin="derived", signed=True)
    ends = (item.low, item.high) if item.at_least else (item.high, item.low)
    low, high = (None if end is None else _left(item, end) for end in ends)
    return Number(value=left, unit="%", origin="estimated", low=low, high=high, signed=True)


def _left(item: Judgement, value: float) -> float:
    return 100 * (value / item.limit - 1 if item.at_least else 1 - value / item.limit)


def budgets(found: Sequence[Judgement], id_: str, caption: str) -> Table:
    """Each budget with its value, bounds, limit and slack; the one with the least room is marked."""
    tightest = explaining.binding(found)
    boards = {item.board for item in found if item.board is not None}
    rows = [_budget(item, item is tightest, len(boards) > 1) for item in found]
    return Table(
        id=id_,
        caption=caption,
        columns=(
            Column(key="budget", title="budget"),
            *((Column(key="board", title="board"),) if len(boards) > 1 else ()),
            Column(key="value", title="value", numeric=True),
            Column(key="side", title="must be"),
            Column(key="limit", title="limit", numeric=True),
            Column(key="slack", title="slack", numeric=True, help="What is left, in per cent of the limit."),
            Column(key="state", title="state"),
        ),
        rows=tuple(rows),
    )  # fmt: skip


def _budget(item: Judgement, binds: bool, boards: bool) -> Row:
    text = f"{item.state}, binding" if binds else item.state
    state = STATES[item.state]
    return Row(
        cells=(
            item.key,
            *((item.board or "-",) if boards else ()),
            judged(item),
            "at least" if item.at_least else "at most" if item.limit else "true",
            limit(item),
            slack(item),
            Mark(state=state, text=text),
        ),
        state=state,
    )


def missed_keys(record: TrialRecord, *states: str) -> tuple[str, ...]:
    """The budgets of a trial in these states, each once."""
    return tuple(dict.fromkeys(item.key for item in record.judgements if item.state in states))


# --- trials ----------------------------------------------------------------------------------------------------------


def value(scenario: Scenario, record: TrialRecord, metric: str) -> Number:
    """A trial's value of a metric, that of the worst board, or why there is none."""
    if metric == ACCURACY:
        return accuracy(record)
    if metric == "macs":
        return metrics.number("macs", record.macs, None, why(record))
    found = ablate.values(scenario, record.measurements).get(metric)
    return bounded(metric, found, why(record))


def bounded(metric: str, found: Bounded | None, reason: str) -> Number:
    """A value with its bounds as the report marks it."""
    return metrics.number(metric, None if found is None else found.value, found, reason)


def accuracy(record: TrialRecord) -> Number:
    """On the validation part, in per cent."""
    if record.accuracy is None:
        return missing("%", "it was not trained: it misses a budget, or others were more promising")
    return measured(100 * record.accuracy, "%", 2)


def why(record: TrialRecord) -> str:
    """Why a trial has no numbers."""
    if record.failure is not None:
        return record.failure.message
    failures = [item.row.failure.message for item in record.measurements if item.row.failure is not None]
    if failures:
        return failures[0]
    return "it was not measured" if not record.measurements else "nothing is known of it on one of the boards"


def trials(scenario: Scenario, records: Sequence[TrialRecord], id_: str, caption: str, places: bool) -> Table:
    """A row for each trial; ``places``: these rows are what links lead to, else they lead there."""
    names = shown(scenario)
    first = scenario.file.objectives[0] if places and scenario.file.objectives[0] != ACCURACY else None
    return Table(
        id=id_,
        caption=f"{caption}: {len(records):,}",
        columns=(
            Column(key="trial", title="trial"),
            Column(key="network", title="network", help="What was chosen: family, widths, type, kernels, level."),
            Column(key="state", title="ended", help="By which budgets; with ? those that are undecided."),
            *(Column(key=name, title=metrics.named(name), numeric=True, bar=name == first) for name in names),
            Column(key="epochs", title="epochs", numeric=True, help="That accuracy is after."),
        ),
        rows=tuple(_trial(scenario, record, names, places) for record in records),
        filter=len(records) > 15,
        note=f"Of several boards the worst one's values: {', '.join(scenario.file.boards)}."
        if len(scenario.file.boards) > 1
        else "",
    )


def shown(scenario: Scenario) -> tuple[str, ...]:
    """The metrics that trials are shown by, the objectives first."""
    wanted = (*scenario.file.objectives, ACCURACY, *_VALUES, "macs")
    estimated = {item.metric for item in scenario.budgets if item.estimated} | set(scenario.file.objectives)
    return tuple(name for name in dict.fromkeys(wanted) if name != "energy" or estimated & {"energy", "life"})


def _trial(scenario: Scenario, record: TrialRecord, names: Sequence[str], places: bool) -> Row:
    first: Cell = str(record.number) if places else link(record)
    epochs = missing("", "it was not trained", "given") if record.epochs is None else given(record.epochs, "")
    return Row(
        cells=(first, record.candidate.label, Mark(state=STATES.get(ended(record), "note"), text=_ended(record)),
               *(value(scenario, record, name) for name in names), epochs),
        id=trial_id(record.number) if places else None,
        tags=(f"ended-{ended(record).replace(' ', '-')}",),
    )  # fmt: skip


def _ended(record: TrialRecord) -> str:
    """How a trial ended, and by what."""
    end = ended(record)
    if end == "duplicate":
        return f"the same as trial {record.duplicate_of}"
    if end == "without numbers":
        return f"{end}: {why(record)}"
    keys = [*missed_keys(record, "missed"), *(f"{key}?" for key in missed_keys(record, "undecided"))]
    return f"{end}: {', '.join(keys)}" if keys else end


# --- how trials ended ------------------------------------------------------------------------------------------------


def ends(records: Sequence[TrialRecord]) -> Table:
    """How many trials ended in which way: met, undecided or missed by which budgets, duplicate, without numbers."""
    groups: dict[tuple[str, str], list[TrialRecord]] = {}
    for record in records:
        groups.setdefault((ended(record), _because(record)), []).append(record)
    order = ("met", "undecided", "missed", "without numbers", "duplicate")
    found = sorted(groups.items(), key=lambda item: (order.index(item[0][0]), -len(item[1])))
    rows = [
        Row(cells=(mark(name), because, derived(len(own), ""), metrics.percent(len(own), len(records)), link(own[0])))
        for (name, because), own in found
    ]
    rows.append(Row(cells=("all", "", derived(len(records), ""), metrics.percent(len(records), len(records)), "-"),
                    kind="total"))  # fmt: skip
    return Table(
        id="study-ends",
        caption="What trials ended by",
        columns=(
            Column(key="end", title="end"),
            Column(key="because", title="because of"),
            Column(key="trials", title="trials", numeric=True, bar=True),
            Column(key="share", title="share", numeric=True),
            Column(key="first", title="the first"),
        ),
        rows=tuple(rows),
    )


def _because(record: TrialRecord) -> str:
    end = ended(record)
    if end == "without numbers":
        return why(record)
    if end == "duplicate":
        return "the same candidate was asked for before"
    keys = missed_keys(record, "missed" if end == "missed" else "undecided")
    return ", ".join(keys) if end != "met" else "every budget is met"


def counted(records: Sequence[TrialRecord]) -> Counter[str]:
    """How many trials ended in which way."""
    return Counter(map(ended, records))


# --- misses ----------------------------------------------------------------------------------------------------------


def nearest(records: Sequence[TrialRecord], found: Sequence[Relaxation]) -> Table | None:
    """The trials that miss least, with the limits that would let each in; None: none is known."""
    rows = [_relaxed(records[item.trial], judgement, item.factor) for item in found for judgement in item.judgements]
    caption = "The nearest misses, and the limits that would let them in"
    return _misses("study-nearest", caption, rows, any(item.unknown for item in found))


def alone(records: Sequence[TrialRecord]) -> Table | None:
    """For each budget that some trial misses alone, the smallest change that lets one in; None: there is none."""
    found = explaining.alone(records)
    rows = [_relaxed(records[item.trial], item.judgement, item.factor) for item in found]
    caption = "One budget alone: the smallest change that lets a trial in"
    return _misses("study-alone", caption, rows, any(item.unknown for item in found))


def _misses(id_: str, caption: str, rows: Sequence[Row], unknown: bool) -> Table | None:
    if not rows:
        return None
    return Table(
        id=id_,
        caption=caption,
        columns=(
            Column(key="trial", title="trial"),
            Column(key="budget", title="budget"),
            Column(key="value", title="value", numeric=True),
            Column(key="limit", title="limit", numeric=True),
            Column(key="needed", title="would do", help="The limit that the trial would keep."),
            Column(key="factor", title="change", help="The largest change of a limit that it needs."),
            Column(key="state", title="state"),
            Column(key="note", title="note"),
        ),
        rows=tuple(rows),
    )


def _relaxed(record: TrialRecord, item: Judgement, factor: float) -> Row:
    by_bound = item.tier is not None and choose.needed(item) != item.value
    tail = f" (the {'lower' if item.at_least else 'upper'} bound)" if by_bound else ""
    name = item.key if item.board is None else f"{item.key} on {item.board}"
    return Row(cells=(link(record), name, judged(item), limit(item), f"{terminal.needed(item)}{tail}",
                      f"{factor:.3g} times", mark(item.state)))  # fmt: skip


def space(axes: dict[str, tuple[int | float | str, ...]]) -> Table:
    """The axes that were searched, with their values."""
    rows = [Row(cells=(name, ", ".join(map(str, values)), derived(len(values), ""))) for name, values in axes.items()]
    return Table(
        id="study-space",
        caption="What could be chosen",
        columns=(
            Column(key="axis", title="axis"),
            Column(key="values", title="values"),
            Column(key="number", title="number", numeric=True),
        ),
        rows=tuple(rows),
    )
