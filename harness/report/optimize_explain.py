"""An explanation of a study on a terminal: trials side by side, layer by layer; single changes; budgets and slack."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from harness.compare import LayerPart, Part
from harness.gate import words
from harness.optimize.ablate import Ablation
from harness.optimize.explain import Alone, Explained, Pair, Side
from harness.optimize.judge import Bounded
from harness.optimize.records import Judgement
from harness.report import optimize as studies
from harness.report.tables import Column, FittingTable, Row, printable
from harness.sweep.metrics import METRICS

_DIM, _BOLD = "dim", "bold"
_MOST_FUNCTIONS = 5


def lines(shown: Explained) -> list[RenderableType]:
    """Everything, a part after the other."""
    found: list[RenderableType] = []
    if shown.budgets:
        found += [Text(f"{shown.name}: the budgets of the pick", _BOLD), _budgets(shown), Text()]
    elif shown.nearest or shown.alone:
        found += [*_missed(shown), Text()]
    if shown.sides:
        found += [Text("trials, measured with random weights", _BOLD), _sides(shown.sides)]
        found += [*(Text(printable(note), _DIM) for note in shown.notes), Text()]
    for pair in shown.pairs:
        found += [*_pair(pair), Text()]
    if shown.around is not None:
        found += _ablations(shown, shown.around)
    return found


def _budgets(shown: Explained) -> FittingTable:
    columns = [Column("budget"), Column("board", spare=2), Column("value", right=True), Column("limit", right=True),
               Column("slack", right=True), Column("", spare=1)]  # fmt: skip
    return FittingTable(columns, [_budget(item, item is shown.binding) for item in shown.budgets])


def _budget(item: Judgement, binds: bool) -> Row:
    state = Text(item.state, style=studies.STATES[item.state])
    if binds:
        state.append(", binding", style=_BOLD)
    return Row(
        {
            "budget": item.key,
            "board": item.board or "",
            "value": studies.value(item),
            "limit": studies.limit(item),
            "slack": slack(item),
            "": state,
        }
    )


def slack(item: Judgement) -> str:
    """What is left of a budget, by the bound that decides, as a share of it: "12 %"."""
    return "-" if item.value is None or item.limit == 0 else f"{-100 * item.violation:.0f} %"


def _missed(shown: Explained) -> list[RenderableType]:
    """Why there is no pick: the nearest misses, and the smallest change of one budget alone."""
    how = (
        f"proved: each of the {shown.trials:,} candidates of the space misses a budget"
        if shown.proved
        else f"none found in {shown.trials:,} trials, which proves nothing"
    )
    found: list[RenderableType] = [Text(printable(f"{shown.name}: no network meets every budget ({how})"), _BOLD)]
    if shown.nearest:
        item = shown.nearest[0]
        found.append(
            Text(f"smallest change of the limits that lets one in: trial {item.trial}, by {item.factor:.3g} times")
        )
        found += [Text(f"  {_relaxed(judged)}") for judged in item.judgements]
        if item.unknown:
            found.append(Text("  its accuracy is not known: it was not trained"))
    if shown.alone:
        found.append(Text("one budget alone:"))
        found += [Text(f"  {_alone(item)}") for item in shown.alone]
    elif shown.nearest:
        found.append(Text("no trial misses one budget alone"))
    return found


def _relaxed(item: Judgement) -> str:
    board = "" if item.board is None else f" on {item.board}"
    return printable(f"{item.key}{board}: {studies.value(item)}, {studies.limit(item)}, {item.state}; "
                     f"{studies.needed(item)} would do")  # fmt: skip


def _alone(item: Alone) -> str:
    tail = ", if its accuracy suffices, which is not known" if item.unknown else ""
    return f"{_relaxed(item.judgement)} (trial {item.trial}, {item.factor:.3g} times{tail})"


def _sides(sides: Sequence[Side]) -> FittingTable:
    columns = [Column("", least=8), Column("trial", right=True), Column("MACs", right=True, spare=2),
               Column("instructions", right=True), Column("latency", right=True, spare=3),
               Column("energy", right=True, spare=1), Column("flash", right=True, spare=5),
               Column("RAM", right=True, spare=4), Column("accuracy", right=True),
               Column("network", least=16, wraps=True)]  # fmt: skip
    return FittingTable(columns, map(_side, sides))


def _side(item: Side) -> Row:
    cells: dict[str, str | Text] = {
        "": item.role,
        "trial": str(item.trial),
        "MACs": "-" if item.macs is None else f"{item.macs:,}",
        "accuracy": "-" if item.accuracy is None else f"{100 * item.accuracy:.2f} %",
        "network": item.candidate.label,
    }
    names = {"instructions": "instructions", "latency": "latency", "energy": "energy", "flash": "flash", "ram": "RAM"}
    return Row(cells | {title: number(name, item.values.get(name)) for name, title in names.items()})


def number(metric: str, found: Bounded | None) -> str:
    """A value with its unit; an estimate has three digits and a tilde in front."""
    if found is None:
        return "-"
    unit = METRICS[metric].unit
    whole = found.model is None or found.value >= 1000
    text = f"{found.value:,.0f}" if whole else f"{found.value:.3g}"
    text = text if found.model is None else f"~{text}"
    return f"{text} {unit}".strip()


def _pair(pair: Pair) -> list[RenderableType]:
    shown = pair.compared
    chosen = ", ".join(f"{name} {before} to {after}" for name, (before, after) in pair.chosen.items())
    found: list[RenderableType] = [
        Text.assemble((f"{pair.before} to {pair.after}", _BOLD), printable(f" on {pair.board}: {chosen or 'the same'}"))
    ]
    columns = [Column("layer", least=20), Column(pair.before, right=True), Column(pair.after, right=True),
               Column("change", right=True), Column("%", right=True, spare=1), Column("shape", spare=2)]  # fmt: skip
    rows = [_layer(pair, item) for item in sorted(shown.layers, key=_place)]
    rows.append(_part(pair, "around the layers", shown.overhead))
    total = Part(name="total", before=sum(item.before or 0 for item in shown.layers) + shown.overhead.before,
                 after=sum(item.after or 0 for item in shown.layers) + shown.overhead.after, change=0)  # fmt: skip
    total = Part(name=total.name, before=total.before, after=total.after, change=total.after - total.before)
    rows.append(_part(pair, "total", total, _BOLD))
    rows += [_part(pair, f"{part.name}, B", part) for part in shown.memory if part.change]
    found.append(FittingTable(columns, rows))
    if shown.functions:
        moved = [f"{words.short(part.name)} {part.change:+,}" for part in shown.functions[:_MOST_FUNCTIONS]]
        found.append(Text(printable(f"functions that moved most: {', '.join(moved)}"), _DIM))
    return found


def _place(item: LayerPart) -> tuple[int, int]:
    """In the order of the network."""
    index = item.index_before if item.index_after is None else item.index_after
    return index or 0, item.index_after is None


def _layer(pair: Pair, item: LayerPart) -> Row:
    places = [str(index) for index in dict.fromkeys((item.index_before, item.index_after)) if index is not None]
    shapes = ["x".join(map(str, shape)) for shape in (item.shape_before, item.shape_after) if shape is not None]
    percent = None if not item.before or item.after is None else 100 * item.change / item.before
    return Row(
        {
            "layer": f"{' to '.join(places)} {item.op}",
            pair.before: "-" if item.before is None else f"{item.before:,}",
            pair.after: "-" if item.after is None else f"{item.after:,}",
            "change": f"{item.change:+,}",
            "%": "" if percent is None else f"{percent:+.1f}",
            "shape": " to ".join(dict.fromkeys(shapes)),
        }
    )


def _part(pair: Pair, title: str, part: Part, style: str | None = None) -> Row:
    percent = "" if not part.before else f"{100 * part.change / part.before:+.1f}"
    return Row(
        {
            "layer": title,
            pair.before: f"{part.before:,}",
            pair.after: f"{part.after:,}",
            "change": f"{part.change:+,}",
            "%": percent,
        },
        style,
    )


def _ablations(shown: Explained, around: Side) -> list[RenderableType]:
    unit = " (estimate)" if METRICS[shown.metric].source == "estimate" else ""
    found: list[RenderableType] = [
        Text.assemble(
            (f"one change alone of the {around.role}, trial {around.trial}", _BOLD),
            f", by what it does to {shown.metric}{unit}; random weights, so that accuracy is not known",
        )
    ]
    columns = [Column("change", least=22), Column(shown.metric, right=True), Column("effect", right=True)]
    others = [name for name in ("instructions", "energy", "latency", "flash", "ram") if name != shown.metric]
    spares = {"instructions": 1, "energy": 5, "latency": 4, "flash": 2, "ram": 3}
    columns += [Column(name, right=True, spare=spares[name]) for name in others]
    columns += [Column("MACs", right=True, spare=6), Column("misses", least=10)]
    own = {name: number(name, around.values.get(name)) for name in (shown.metric, *others)}
    macs = "-" if around.macs is None else f"{around.macs:,}"
    rows = [Row({"change": "as it is", "MACs": macs, **own}, _BOLD)]
    rows += [_ablation(item, (shown.metric, *others)) for item in shown.ablations]
    found.append(FittingTable(columns, rows))
    return found


def _ablation(item: Ablation, names: Sequence[str]) -> Row:
    cells: dict[str, str | Text] = {
        "change": item.words,
        "effect": "-" if item.effect is None else f"{100 * item.effect:+.1f} %",
        "MACs": "-" if item.macs is None else f"{item.macs:,}",
        "misses": _outcome(item),
    }
    return Row(cells | {name: number(name, item.values.get(name)) for name in names})


def _outcome(item: Ablation) -> Text:
    if item.reason is not None:
        return Text(printable(item.reason), "yellow")
    return Text(", ".join(item.missed), "red")
