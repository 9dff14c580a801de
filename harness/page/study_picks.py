"""The tables of a study's pick: beside others, its accuracy, and those that were refused with their trained weights."""

from __future__ import annotations

from collections.abc import Sequence

from harness.optimize import ablate
from harness.optimize import explain as explaining
from harness.optimize.records import Pick, TrialRecord
from harness.optimize.scenario import ACCURACY, Scenario
from harness.page import metrics
from harness.page.document import Cell, Code, Column, Row, Table
from harness.page.study_tables import bounded, judged, limit, link, mark, shown, value
from harness.page.values import given, measured, missing


def sides(scenario: Scenario, records: Sequence[TrialRecord], picks: Sequence[tuple[str, Pick]]) -> Table | None:
    """The pick beside the runner-up, and beside what multiply-accumulates alone would have chosen; None: no pick."""
    if not picks:
        return None
    names = shown(scenario)
    rows = [_side(scenario, role, pick, records[pick.trial], names) for role, pick in picks]
    fewest = explaining.baseline(scenario, records)
    if fewest is not None and fewest.number not in [pick.trial for _, pick in picks]:
        cells = (value(scenario, fewest, name) for name in names)
        rows.append(Row(cells=("fewest MACs", link(fewest), mark(fewest.state), *cells, fewest.candidate.label)))
    return Table(
        id="study-sides",
        caption="The pick beside others",
        columns=(
            Column(key="role", title=""),
            Column(key="trial", title="trial"),
            Column(key="state", title="budgets"),
            *(Column(key=name, title=metrics.named(name), numeric=True) for name in names),
            Column(key="network", title="network"),
        ),
        rows=tuple(rows),
        note="Fewest MACs: of the trained trials that are accurate enough, what the fewest multiply-accumulates alone "
        "would have picked.",
    )


def _side(scenario: Scenario, role: str, pick: Pick, record: TrialRecord, names: Sequence[str]) -> Row:
    found = ablate.values(scenario, pick.measurements)
    cells: list[Cell] = []
    for name in names:
        if name == ACCURACY:
            cells.append(measured(100 * pick.training.accuracy.fraction, "%", 2))
        elif name == "macs":
            cells.append(metrics.number("macs", pick.macs))
        else:
            cells.append(bounded(name, found.get(name), "it is not known on one of the boards"))
    return Row(cells=(role, link(record), mark(pick.state), *cells, pick.candidate.label))


def accuracies(pick: Pick) -> Table:
    """The pick's accuracy: on the validation part that it was chosen by, on the test part, on the emulated boards."""
    validation = pick.training.accuracy
    rows = [_accuracy("validation, by which it was chosen", validation.correct, validation.images, None)]
    if pick.test is None:
        lacking = missing("%", "the test part was not spent on it")
        rows.append(Row(cells=("test", lacking, missing("", "not spent"), missing("", "not spent"), "-")))
    else:
        test = pick.test
        note = f"95 % interval {100 * test.low:.2f} to {100 * test.high:.2f} %"
        note += "" if test.state is None else f"; the lowest accuracy is {test.state}"
        rows.append(_accuracy("test", test.correct, test.images, note))
    for found in pick.device:
        same = "every output is the host's" if not found.different else f"{found.different} outputs are not the host's"
        rows.append(_accuracy(f"test, through the firmware on {found.board}", found.correct, found.images, same))
    return Table(
        id="study-accuracy",
        caption="Accuracy of the pick",
        columns=(
            Column(key="part", title="part of the data"),
            Column(key="accuracy", title="accuracy", numeric=True),
            Column(key="correct", title="correct", numeric=True),
            Column(key="images", title="of", numeric=True),
            Column(key="note", title="note"),
        ),
        rows=tuple(rows),
    )


def _accuracy(part: str, correct: int, images: int, note: str | None) -> Row:
    return Row(cells=(part, metrics.percent(correct, images, "measured"), measured(correct, ""), given(images, ""),
                      note or ""))  # fmt: skip


def refused(picks: Sequence[Pick], records: Sequence[TrialRecord]) -> Table | None:
    """Candidates that missed a budget with their trained weights; None: there is none."""
    rows = [
        Row(cells=(link(records[pick.trial]), item.key, judged(item), limit(item), mark(item.state)))
        for pick in picks
        for item in pick.judgements
        if item.state != "met"
    ]
    if not rows:
        return None
    return Table(
        id="study-refused",
        caption="Refused with their trained weights",
        columns=(
            Column(key="trial", title="trial"),
            Column(key="budget", title="budget"),
            Column(key="value", title="value", numeric=True),
            Column(key="limit", title="limit", numeric=True),
            Column(key="state", title="state"),
        ),
        rows=tuple(rows),
    )


def model(pick: Pick) -> Code:
    """The pick's file by its hash."""
    return Code(text=pick.model_sha256, title=pick.model)
