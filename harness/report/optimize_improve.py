"""How a network was improved, on a terminal: the steps that were taken, and what others would have brought."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text

from harness.optimize.improve import Improved, Round, Tried
from harness.optimize.variants import Standing
from harness.report import optimize as studies
from harness.report.optimize_explain import number
from harness.report.tables import Column, FittingTable, Row, printable

_BOLD, _DIM = "bold", "dim"
_TITLES = {"instructions": "instructions", "latency": "latency", "energy": "energy", "flash": "flash", "ram": "RAM"}


def lines(shown: Improved) -> list[RenderableType]:
    """The verdict, the table of steps, the budgets at the end; behind it what each round tried."""
    test = shown.test
    found: list[RenderableType] = [headline(shown), Text(), steps(shown), Text()]
    found += [studies.budgets(shown.final.judgements, len(shown.final.measurements) > 1), Text()]
    judged = "" if test.state is None else f", lowest accuracy {test.state}"
    found.append(
        Text(
            f"test part, at the end: {100 * test.correct / test.images:.2f} % ({test.correct} of {test.images}), 95 % "
            f"interval {100 * test.low:.2f} % to {100 * test.high:.2f} %{judged}"
        )
    )
    for place, done in enumerate(shown.rounds, 1):
        found += [Text(), Text(f"round {place}: what each step would have brought", _BOLD), tried(done)]
    return found


def headline(shown: Improved) -> Text:
    """One line with the verdict."""
    label = printable(f"{shown.model} for {shown.scenario}")
    if shown.reasons:
        return Text.assemble(("NOT MET  ", "bold red"), f"{label}: {'; '.join(shown.reasons)}")
    if not shown.rounds:
        return Text.assemble(("MET  ", "bold green"), f"{label}: as it is")
    return Text.assemble(("MET  ", "bold green"), f"{label}: after {_counted(len(_taken(shown)))}")


def _counted(number_of: int) -> str:
    return f"{number_of} step{'' if number_of == 1 else 's'}"


def _taken(shown: Improved) -> list[Tried]:
    return [done.taken for done in shown.rounds if done.taken is not None]


def steps(shown: Improved) -> FittingTable:
    """A row for the start and for each step: what is there behind it."""
    rows = [_standing("as it is", shown.start)]
    rows += [_standing(item.step, item.after) for item in _taken(shown) if item.after is not None]
    return FittingTable(_columns("step"), rows)


def _columns(first: str) -> list[Column]:
    return [
        Column(first, least=22, wraps=True),
        Column("accuracy", right=True),
        Column("instructions", right=True),
        Column("latency", right=True, spare=4),
        Column("energy", right=True, spare=3),
        Column("flash", right=True),
        Column("RAM", right=True, spare=1),
        Column("MACs", right=True, spare=5),
        Column("misses", least=8, wraps=True, spare=2),
    ]


def _standing(title: str, standing: Standing, style: str | None = None) -> Row:
    missed = [item.key for item in standing.judgements if item.state == "missed"]
    open_ = [f"{item.key}?" for item in standing.judgements if item.state == "undecided"]
    cells: dict[str, str | Text] = {
        "step": title,
        "tried": title,
        "accuracy": f"{100 * standing.accuracy.fraction:.2f} %",
        "MACs": f"{standing.macs:,}",
        "misses": ", ".join(dict.fromkeys([*missed, *open_])) or "nothing",
    }
    return Row(cells | {name: number(metric, standing.values.get(metric)) for metric, name in _TITLES.items()}, style)


def tried(done: Round) -> FittingTable:
    """A row for each step of a round, the one that was taken first."""
    columns = [*_columns("tried")[:-1], Column("worth", right=True, spare=1), Column("", least=8, wraps=True, spare=2)]
    return FittingTable(columns, [_tried(item, item is done.taken) for item in done.tried])


def _tried(item: Tried, taken: bool) -> Row:
    verdict = Text("taken", "bold green") if taken else Text(printable(item.reason or ""), _DIM)
    worth = "-" if item.worth is None else f"{item.worth:.3g}"
    if item.after is None:
        return Row({"tried": item.step, "worth": worth, "": verdict}, _DIM)
    row = _standing(item.step, item.after)
    return Row({**row.cells, "worth": worth, "": verdict}, _BOLD if taken else None)
