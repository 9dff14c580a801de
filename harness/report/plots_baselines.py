"""The pictures of a search beside its baselines: fronts with bands, parallel coordinates, how each got on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness.optimize.baselines import Compared, Searched
from harness.optimize.records import TrialRecord
from harness.optimize.rivals import METHODS, Method
from harness.report import plots_course, plots_page, plots_study, plots_trials
from harness.report.plots_course import Line, Step
from harness.report.plots_page import BLUE, GREY, ORANGE
from harness.report.plots_trials import Group

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES: dict[Method, str] = {"tpe": "search (TPE)", "random": "random search", "macs": "MACs alone"}
_LOOKS: dict[Method, tuple[str, str]] = {"random": (GREY, "s"), "macs": (ORANGE, "^"), "tpe": (BLUE, "o")}
PICTURES = ("pareto", "parallel", "convergence")


def pictures(shown: Compared) -> list[tuple[str, Figure]]:
    """Each picture with its name; to be called, and figures saved, inside of ``plots_page.style``."""
    scenario, comparison = shown.scenario, shown.comparison
    plots_study.require()
    groups = [_group(shown, method) for method in _LOOKS]
    said = (f"{comparison.trials:,} trials a search, seeds {', '.join(map(str, comparison.seeds))} · "
            + plots_study.facts(scenario, shown.versions))  # fmt: skip
    metric = plots_trials.across(scenario)
    name = plots_page.short_name(metric)
    titles = {
        "pareto": f"{scenario.name}: {name} and accuracy, by search",
        "parallel": f"{scenario.name}: what each search tried",
        "convergence": f"{scenario.name}: {name} of the pick, by trials",
    }
    notes = {
        "pareto": ["Stars: what each search picked, with its trained weights."],
        "convergence": ["Of MACs alone: what it would pick, as measured; it does not know this value itself."],
    }
    found = [
        ("pareto", plots_trials.pareto(scenario, groups, titles["pareto"], said, notes["pareto"])),
        ("parallel", plots_trials.parallel(scenario, groups, titles["parallel"], said)),
    ]
    lines = [_line(shown, item, metric) for method in METHODS for item in comparison.of(method)]
    if any(line.steps for line in lines):
        drawn = plots_course.convergence(
            metric, lines, comparison.trials, titles["convergence"], said, notes["convergence"]
        )
        found.append(("convergence", drawn))
    return found


def _group(shown: Compared, method: Method) -> Group:
    records = [point.record for point in shown.points if point.method == method and point.record.duplicate_of is None]
    picks = [_picked(shown, item) for item in shown.comparison.of(method) if item.pick is not None]
    return Group(NAMES[method], *_LOOKS[method], tuple(_once(records)), tuple(_once(picks)))


def _picked(shown: Compared, item: Searched) -> TrialRecord:
    assert item.pick is not None, "there is one"
    record = next(
        point.record
        for point in shown.points
        if (point.method, point.seed, point.trial) == (item.method, item.seed, item.pick.trial)
    )
    return plots_study.as_record(record, item.pick)


def _once(records: Iterable[TrialRecord]) -> list[TrialRecord]:
    """Each candidate once: of several, the one that was trained longest."""
    found: dict[str, TrialRecord] = {}
    for record in records:
        known = found.get(record.candidate.key)
        if known is None or (record.epochs or 0) > (known.epochs or 0):
            found[record.candidate.key] = record
    return list(found.values())


def _line(shown: Compared, item: Searched, metric: str) -> Line:
    colour, marker = _LOOKS[item.method]
    objectives = shown.scenario.file.objectives
    steps: tuple[Step, ...] = ()
    if metric in objectives:
        place = objectives.index(metric)
        steps = tuple(
            Step(best.trials, value, best.state == "met")
            for best in item.course
            if (value := best.objectives[place]) is not None
        )
    return Line(NAMES[item.method], colour, marker, steps)
