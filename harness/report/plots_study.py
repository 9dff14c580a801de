"""The pictures of a study: the front with its bands, parallel coordinates, how the search got on."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from harness import atomic
from harness.errors import BadInputError, MissingToolError
from harness.optimize.baselines import course
from harness.optimize.records import Pick, StudyFile, StudyResult, TrialRecord
from harness.optimize.scenario import Scenario
from harness.report import plots_course, plots_page, plots_trials
from harness.report.plots_course import Line, Step
from harness.report.plots_page import BLUE, FOLDER_HINT, FORMATS, GREEN, GREY, ORANGE
from harness.report.plots_trials import Group
from harness.sweep.tables import EXTRA_HINT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LOOKS = {"missed": (GREY, "s"), "undecided": (ORANGE, "D"), "met": (BLUE, "o")}
_WORDS = {"missed": "miss a budget", "undecided": "undecided", "met": "meet every budget"}


def write(
    folder: Path, scenario: Scenario, made: StudyFile, records: Sequence[TrialRecord], result: StudyResult
) -> tuple[Path, ...]:
    """Draw a study into a folder, as PNG and SVG; the same bytes each time.

    Raises:
        MissingToolError: matplotlib is not installed.
        BadInputError: nothing was measured.
        HarnessError: a file cannot be written.
    """
    require()
    if not any(record.measured for record in records):
        raise BadInputError(f"{result.name}: nothing was measured, so there is nothing to draw")
    files = []
    with plots_page.style():
        for name, figure in pictures(scenario, made, records, result):
            files += [atomic.write(folder / f"{name}.{format}", plots_page.save(figure, format), FOLDER_HINT)
                      for format in FORMATS]  # fmt: skip
    return tuple(files)


def require() -> None:
    """Raises MissingToolError: matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingToolError("matplotlib is not installed", EXTRA_HINT)


def pictures(
    scenario: Scenario, made: StudyFile, records: Sequence[TrialRecord], result: StudyResult
) -> list[tuple[str, Figure]]:
    """Each picture with its name; to be called, and figures saved, inside of ``plots_page.style``."""
    groups, said = _groups(records, result), facts(scenario, made.versions)
    counted = f"{len(records):,} trials, {made.sampler.upper() if made.mode == 'search' else 'enumeration'}, "
    said = f"{counted}seed {made.seed} · {said}"
    metric = plots_trials.across(scenario)
    name = plots_page.short_name(metric)
    title = f"{made.name}: what was chosen, and what came of it"
    found = [("parallel", plots_trials.parallel(scenario, groups, title, said))]
    if any(plots_trials.spot(scenario, record, metric) for record in records):
        title, notes = f"{made.name}: {name} and accuracy", _untrained(records)
        found.append(("pareto", plots_trials.pareto(scenario, groups, title, said, notes)))
    line = _line(scenario, made, records, metric)
    if line.steps:
        title = f"{made.name}: how the search got on"
        found.append(("convergence", plots_course.convergence(metric, [line], len(records), title, said)))
    return found


def facts(scenario: Scenario, versions: dict[str, str]) -> str:
    """What holds for all of a picture: boards, data, versions of the tools that decide numbers."""
    tools = [f"{name} {version}" for name, version in versions.items() if name in ("qemu", "optuna", "tensorflow")]
    compiler = versions.get("arm compiler", "")
    return " · ".join(part for part in (*scenario.file.boards, scenario.file.data, compiler, *tools) if part)


def _untrained(records: Sequence[TrialRecord]) -> list[str]:
    number = sum(record.measured and not record.trainings for record in records if record.duplicate_of is None)
    return [f"Not shown: {number:,} that were measured and not trained, as they miss a budget."] if number else []


def _groups(records: Sequence[TrialRecord], result: StudyResult) -> list[Group]:
    own = [record for record in records if record.duplicate_of is None]
    picks = () if result.pick is None else (as_record(records[result.pick.trial], result.pick),)
    groups = [
        Group(_WORDS[state], *_LOOKS[state], tuple(record for record in own if record.state == state))
        for state in ("missed", "undecided", "met")
    ]
    groups[-1] = groups[-1]._replace(picks=picks)
    return groups


def as_record(record: TrialRecord, pick: Pick) -> TrialRecord:
    """A trial as it is with the weights of its last training."""
    return msgspec.structs.replace(
        record,
        measurements=pick.measurements,
        judgements=pick.judgements,
        trainings=(pick.training,),
        objectives=pick.objectives,
        state=pick.state,
        macs=pick.macs,
    )


def _line(scenario: Scenario, made: StudyFile, records: Sequence[TrialRecord], metric: str) -> Line:
    if metric not in scenario.file.objectives:
        return Line(made.name, GREEN, "o", ())
    place = scenario.file.objectives.index(metric)
    steps = tuple(
        Step(best.trials, value, best.state == "met")
        for best in course(scenario, scenario, records)
        if (value := best.objectives[place]) is not None
    )
    return Line("the best so far, by the first objective", BLUE, "o", steps)
