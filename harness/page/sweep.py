"""The report of a sweep: the choice, the front, what is infeasible or failed, every point, every axis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from harness.gate import words
from harness.page import metrics, text
from harness.page import sweep_charts as charts
from harness.page import sweep_tables as tables
from harness.page.document import (
    Block,
    Cell,
    Code,
    Command,
    Facts,
    Fold,
    NotMeasured,
    Page,
    Section,
    State,
    Table,
    Text,
)
from harness.page.sweep_tables import FAILED, INFEASIBLE, Points
from harness.page.values import given
from harness.sweep import pareto
from harness.sweep.metrics import ESTIMATES, METRICS
from harness.sweep.plan import Plan
from harness.sweep.tables import PointRow

_OPEN = ("not measured", "undecided", "not run")
_FOLDED_FROM = 40
_SAID = 3
_NOTES = 20


def of(name: str) -> Page:
    """The report of a stored sweep.

    Raises:
        BadInputError: there is no such sweep, or it cannot be read.
    """
    from harness.sweep import points as stored
    from harness.sweep import tables as rows

    plan = stored.read_plan(name)
    return page(plan, rows.point_rows(plan, stored.read(name)))


def page(plan: Plan, rows: Sequence[PointRow]) -> Page:
    """The report of a sweep: its plan, and what became of each point, in the plan's order."""
    points = Points(rows, pareto.choose(plan, rows, plan.objectives))
    said, state = sentence(points)
    sections = [_choice(points), _front(points), _left_out(points), _points(points), _axes(points)]
    return Page(
        title=f"Sweep {plan.name}",
        kind="sweep",
        verdict=said,
        state=state,
        sections=(*(section for section in sections if section is not None), _provenance(points)),
        not_measured=not_measured(points),
    )


# --- the verdict -----------------------------------------------------------------------------------------------------


def sentence(points: Points) -> tuple[str, State]:
    """How many points there are of which kind, and the best of each objective; what it comes to.

    "pass": there is a best point, and none that could still beat it; "undecided": some were not measured or decided.
    """
    states: Counter[str] = Counter(item.state for item in points.rows)
    parts = [words.count(len(points.rows), "point"), f"{states['ok']:,} within every limit"]
    limits = tuple(name for name in INFEASIBLE if name != "undecided")
    parts += [_counted(states, "infeasible", limits)] if any(states[name] for name in limits) else []
    parts += [f"{states['undecided']:,} undecided"] if states["undecided"] else []
    parts += [_counted(states, "without numbers", FAILED)] if any(states[name] for name in FAILED) else []
    best = [f"{tables.goal_name(goal)} {text.spoken(tables.value(found.item, goal.metric))}: {points.label(found.item)}"
            for place, goal in enumerate(points.ranking.goals)
            if (found := tables.best_of(points, place)) is not None][:_SAID]  # fmt: skip
    said = f"{', '.join(parts)}; {'; '.join(best) or 'no point can be chosen'}"
    open_ = any(states[name] for name in _OPEN)
    return said, "undecided" if open_ else "pass" if best else "fail"


def _counted(states: Counter[str], what: str, names: Iterable[str]) -> str:
    """How many points are in some states, and in which: "3 infeasible (2 over budget, 1 too large)"."""
    known = [name for name in names if states[name]]
    said = known if len(known) == 1 else [f"{states[name]:,} {name}" for name in known]
    return f"{sum(states[name] for name in known):,} {what} ({', '.join(said)})"


# --- sections --------------------------------------------------------------------------------------------------------


def _choice(points: Points) -> Section:
    best = tables.best(points)
    facts = Facts(items=tuple(_facts(points)))
    return Section(id="choice", title="Choice", blocks=(facts,) if best is None else (best, facts))


def _facts(points: Points) -> list[tuple[str, Cell]]:
    goals = points.ranking.goals
    facts: list[tuple[str, Cell]] = [
        ("objectives", ", ".join(map(tables.goal_name, goals))),
        *_budgets(points),
    ]
    facts += [(f"all points: {name}", value) for name, value in points.common if (name, value) != ("TFLM", "packaged")]
    facts += [(f"{name} is estimated", f"by {model}") for name in ESTIMATES for model in _models(points, name)]
    return facts


def _budgets(points: Points) -> list[tuple[str, Cell]]:
    budgets = points.ranking.plan.budgets
    found = [_budget(name, limit, "") for name, limit in budgets.limits().items()]
    found += [_budget(name, limit, f" on {platform}")
              for name, limits in budgets.by_platform.items() for platform, limit in limits.items()]  # fmt: skip
    return found or [("budgets", "none but each board's own memory")]


def _budget(metric: str, limit: float, where: str) -> tuple[str, Cell]:
    side = "most" if METRICS[metric].direction == "min" else "least"
    unit = metrics.unit(metric)
    value = 100 * limit if unit == "%" else limit
    digits = 0 if float(value).is_integer() else metrics.digits(value)
    return f"budget: {metrics.named(metric)}{where} at {side}", given(value, unit, digits)


def _models(points: Points, metric: str) -> list[str]:
    """What a metric is estimated by, with what that rests on."""
    estimates = (item.estimate for item in points.rows)
    found = (estimate.of(metric) for estimate in estimates if estimate is not None)
    return sorted({f"{known.model}, {known.tier}; bounds hold in {100 * known.coverage:.0f} % of cases"
                   for known in found if known is not None})  # fmt: skip


def _front(points: Points) -> Section:
    front, beaten = tables.front(points), tables.beaten(points)
    blocks: list[Block] = [*charts.charts(points)]
    if front is None:
        blocks.append(Text(text="No point is exact, on its board, within every budget and with a value of each "
                                "objective: there is no front.", state="fail"))  # fmt: skip
    else:
        blocks.append(front)
    if beaten is not None:
        blocks.append(_folded(beaten))
    lead = "A point is on the front where no feasible point is as good in every objective and better in one."
    return Section(id="front", title="Pareto front", blocks=tuple(blocks), lead=lead)


def _folded(table: Table) -> Block:
    return table if len(table.rows) < _FOLDED_FROM else Fold(summary=table.caption, blocks=(table,))


def _left_out(points: Points) -> Section | None:
    found = [table for table in (tables.infeasible(points), tables.failed(points)) if table is not None]
    if not found:
        return None
    return Section(id="left-out", title="Infeasible and failed points", blocks=tuple(map(_folded, found)),
                   lead="What took no part in the choice, and why.")  # fmt: skip


def _points(points: Points) -> Section:
    return Section(id="points", title="Points", blocks=(tables.every(points),))


def _axes(points: Points) -> Section | None:
    found = tables.axes(points)
    return None if found is None else Section(id="axes", title="Axes", blocks=(found,))


# --- what is not there, and where it came from -----------------------------------------------------------------------


def not_measured(points: Points) -> tuple[NotMeasured, ...]:
    """Metrics that points with numbers have none of, with how many and why; what a sweep does not keep."""
    found = []
    for metric in ("accuracy", *ESTIMATES):
        lacking = [item for item in points.rows if item.measured is not None and item.value(metric) is None]
        for reason, number in Counter(item.missing(metric) or "not known" for item in lacking).items():
            which = "all points" if number == len(points.rows) else words.count(number, "point")
            command = "cycles = true in the sweep file" if metric in ESTIMATES and "cycles = true" in reason else None
            found.append(NotMeasured(item=f"{metric} of {which}", reason=reason, command=command))
    run = next((item.row.run_id for item in points.rows if item.row is not None and item.row.run_id), None)
    found.append(NotMeasured(item="functions, and the arena over time", reason="they are kept with each point's run",
                             command=None if run is None else f"harness report {run}"))  # fmt: skip
    return tuple(found)


def _provenance(points: Points) -> Section:
    plan = points.ranking.plan
    known = [item.point.facts for item in points.rows if item.point.facts is not None]
    emulators = {f"{item.point.choice.emulator} {item.point.facts.emulator_version}"
                 for item in points.rows if item.point.facts is not None}  # fmt: skip
    facts: list[tuple[str, Cell]] = [
        ("sweep file", Code(text=plan.file or "-")),
        ("SHA-256 of the file", Code(text=plan.file_sha256 or "-")),
        ("compiler", " and ".join(sorted({item.compiler for item in known})) or "-"),
        ("emulator", " and ".join(sorted(emulators)) or "-"),
        ("inputs", ", ".join(plan.inputs) or "deterministic"),
        ("time limit of a start", f"{plan.time_limit_s:g} s"),
    ]
    facts += [("calibration", f"{given.file}{', carried' if given.carry else ''}") for given in plan.calibrations]
    blocks: list[Block] = [
        Command(text=f"harness sweep {plan.file}", caption="measures what is not stored yet, and writes the tables"),
        Command(text=f"harness pareto {plan.name}", caption="the choice on a terminal, also by other objectives"),
        Facts(items=tuple(facts)),
        *(Text(text=f"Note: {note}") for note in plan.notes[:_NOTES]),
    ]
    if len(plan.notes) > _NOTES:
        blocks.append(Text(text=f"Note: and {len(plan.notes) - _NOTES} more like these."))
    return Section(id="provenance", title="Provenance", blocks=tuple(blocks))
