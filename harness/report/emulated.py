"""The networks that tests emulated, as a table: what each run took, and whether it is as it should be."""

from __future__ import annotations

import io
from collections.abc import Iterable

import msgspec
from rich.console import Console
from rich.text import Text

from harness import labels
from harness.budgets import Excess
from harness.gate import metrics, words
from harness.records import Record
from harness.report.tables import Column, FittingTable, Row, printable
from harness.result import Result

_SHOWN = ("instructions", "flash", "ram", "arena", "stack")
_COLUMNS = (
    Column("run", least=24, wraps=True),
    Column("instructions", right=True),
    *(Column(f"{name} [B]", right=True, spare=place) for place, name in enumerate(_SHOWN[1:], 1)),
    Column("verdict"),
)
_HEADS = dict(zip(_SHOWN, (column.name for column in _COLUMNS[1:-1]), strict=True))


class Emulated(Record, frozen=True):
    """A run that a test emulated. ``values`` are by metric; None where the run has none of it, or did not come to be.

    ``run_id`` is None where nothing was measured; ``problems`` say why, or what of the run is not as it should be.
    """

    label: str
    run_id: str | None
    values: dict[str, int | float | None]
    problems: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """PASS or FAIL, or that there is nothing to judge."""
        if self.run_id is None:
            return "not measured"
        return "FAIL" if self.problems else "PASS"


def label(model: str, platform: str, kernels: str, optimisation: str, fpu: bool | None, emulator: str) -> str:
    """A run in one line; ``fpu`` None: nothing was said of it."""
    return labels.run(model, platform, kernels, optimisation, fpu is not False, emulator)


def measured(name: str, result: Result, over: Iterable[Excess]) -> Emulated:
    """A run that there is, with the budgets that it is over."""
    values = {metric: metrics.value(result, metric) for metric in _SHOWN}
    problems = (*result.verdict.reasons, *(item.text for item in over))
    return Emulated(label=name, run_id=result.run_id, values=values, problems=problems)


def failed(name: str, why: str) -> Emulated:
    """A run that could not be measured."""
    return Emulated(label=name, run_id=None, values={}, problems=(why,))


def encode(shown: Emulated) -> str:
    """A run as one line of JSON."""
    return msgspec.json.encode(shown).decode()


def decode(text: str) -> Emulated:
    """The run of ``encode``.

    Raises:
        msgspec.DecodeError: it is none.
    """
    return msgspec.json.decode(text, type=Emulated)


def merged(runs: Iterable[Emulated]) -> list[Emulated]:
    """Each run once, sorted by its name, with all that tests found wrong with it."""
    found: dict[tuple[str, str | None], Emulated] = {}
    for run in runs:
        key = run.label, run.run_id
        former = found.setdefault(key, run)
        problems = tuple(dict.fromkeys((*former.problems, *run.problems)))
        found[key] = msgspec.structs.replace(former, problems=problems)
    return sorted(found.values(), key=lambda run: (run.label, run.run_id or ""))


def summary(runs: Iterable[Emulated], width: int, colours: bool) -> str:
    """The table, and below it what is wrong with which run; with ANSI colours where they are wanted."""
    shown = merged(runs)
    stream = io.StringIO()
    out = Console(file=stream, width=width, highlight=False, emoji=False, force_terminal=colours, no_color=not colours)
    out.print(FittingTable(_COLUMNS, [_row(run) for run in shown]))
    for run in shown:
        for problem in run.problems:
            line = Text.assemble((run.verdict, _style(run)), f"  {printable(run.label)}: {printable(problem)}")
            out.print(line, soft_wrap=True)
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())


def _row(run: Emulated) -> Row:
    cells: dict[str, str | Text] = {"run": run.label, "verdict": Text(run.verdict, style=_style(run))}
    return Row(cells | {head: words.amount(run.values.get(name)) for name, head in _HEADS.items()})


def _style(run: Emulated) -> str:
    return "bold red" if run.problems else "green"
