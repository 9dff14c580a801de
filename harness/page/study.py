"""The report of a search for a network: the pick, its budgets, the front, every trial, how the search got on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from harness.errors import BadInputError
from harness.gate import words
from harness.optimize import choose
from harness.optimize import explain as explaining
from harness.optimize.records import Judgement, Pick, StudyFile, StudyResult, TrialRecord
from harness.optimize.scenario import Scenario
from harness.page import study_charts as charts
from harness.page import study_picks as picks
from harness.page import study_tables as tables
from harness.page import text
from harness.page.document import Block, Cell, Code, Command, Facts, NotMeasured, Page, Section, State, Text
from harness.page.values import derived, given
from harness.report import optimize as terminal

_KIB = 1024


class Stored(NamedTuple):
    """A study: what it is of, its trials in order, and what it came to; None where the search has not ended."""

    scenario: Scenario
    made: StudyFile
    records: Sequence[TrialRecord]
    result: StudyResult | None


def of(name: str) -> Page:
    """The report of a stored study, by its folder or its name.

    Raises:
        BadInputError: there is no such study, or it cannot be read.
    """
    from harness.optimize.study import Study, find

    kept = Study(find(name))
    made = kept.read()
    if made is None:
        raise BadInputError(f"{kept.folder}: no study is there", "harness optimize SCENARIO makes one")
    return page(Stored(kept.scenario(), made, kept.trials(), kept.result()), str(kept.folder))


def page(shown: Stored, folder: str | None = None) -> Page:
    """The report of a study.

    Args:
        shown: the study.
        folder: what its commands name it by; None: its name.
    """
    said, state = sentence(shown)
    sections = [_pick(shown), _misses(shown), _front(shown), _course(shown), _ends(shown), _trials(shown),
                _provenance(shown, folder or shown.made.name)]  # fmt: skip
    return Page(
        title=f"Study {shown.made.name}",
        kind="study",
        verdict=said,
        state=state,
        sections=tuple(section for section in sections if section is not None),
        not_measured=not_measured(shown, folder or shown.made.name),
    )


# --- the verdict -----------------------------------------------------------------------------------------------------


def sentence(shown: Stored) -> tuple[str, State]:
    """The pick with what binds it, or why there is none, and what is undecided; what it comes to."""
    result, counts = shown.result, tables.counted(shown.records)
    open_ = f"; {words.count(counts['undecided'], 'trial')} undecided" if counts["undecided"] else ""
    if result is None:
        met = len(choose.met(shown.records))
        return (f"The search has not come to its end: {words.count(len(shown.records), 'trial')} stored, {met:,} meet "
                f"every budget{open_}"), "undecided"  # fmt: skip
    if result.pick is None:
        why = "; ".join(result.reasons) or "no finals were asked for"
        near = f"; nearest is trial {result.nearest[0].trial}: {_would_do(result)}" if result.nearest else ""
        undecided = counts["undecided"] or not result.reasons
        return f"No pick: {why}{near}{open_}", "undecided" if undecided and not result.proved else "fail"
    pick = result.pick
    binding = explaining.binding(pick.judgements)
    bound = "" if binding is None else f"; {_binds(binding)}"
    said = f"Trial {pick.trial} of {len(shown.records):,} is the pick: {pick.candidate.label}{bound}; {_accuracy(pick)}"
    if result.reasons:
        return f"{said}; not good enough: {'; '.join(result.reasons)}{open_}", "fail"
    return f"{said}{open_}", "pass"


def _would_do(result: StudyResult) -> str:
    item = result.nearest[0]
    limits = [f"{judged.key} of {terminal.needed(judged)} in place of {terminal.limit(judged)}"
              for judged in item.judgements]  # fmt: skip
    return f"{' and '.join(limits)} would let it in" + (", if it is accurate enough" if item.unknown else "")


def _binds(item: Judgement) -> str:
    slack = tables.slack(item)
    least = slack.value if slack.low is None else slack.low
    left = "" if least is None else f", {least:.0f} % left"
    return f"{item.key} is binding ({text.spoken(tables.judged(item))}, limit {terminal.limit(item)}{left})"


def _accuracy(pick: Pick) -> str:
    validation = pick.training.accuracy
    said = f"{100 * validation.fraction:.2f} % accurate on the validation part"
    if pick.test is None:
        return said
    test = pick.test
    return f"{said}, {100 * test.correct / test.images:.2f} % on the test part"


# --- sections --------------------------------------------------------------------------------------------------------


def _picks(result: StudyResult | None) -> list[tuple[str, Pick]]:
    if result is None:
        return []
    named = (("pick", result.pick), ("runner-up", result.runner_up))
    return [(role, pick) for role, pick in named if pick is not None]


def _pick(shown: Stored) -> Section | None:
    result = shown.result
    if result is None or (result.pick is None and not result.refused):
        return None
    blocks: list[Block] = []
    if result.pick is not None:
        pick = result.pick
        blocks += [tables.budgets(pick.judgements, "study-budgets", "The budgets of the pick"), picks.accuracies(pick)]
        beside = picks.sides(shown.scenario, shown.records, _picks(result))
        blocks += [] if beside is None else [beside]
        blocks.append(Facts(items=_facts(pick)))
        blocks += [Text(text=_sentence(terminal.change(change))) for change in pick.changes]
    refused = picks.refused(result.refused, shown.records)
    blocks += [] if refused is None else [refused]
    blocks += [Text(text=_sentence(note)) for note in result.notes]
    lead = "Budgets are held against the bounds of estimates, and against what was measured with trained weights."
    return Section(id="pick", title="Pick", blocks=tuple(blocks), lead=lead)


def _sentence(line: str) -> str:
    return f"{line[:1].upper()}{line[1:]}."


def _facts(pick: Pick) -> tuple[tuple[str, Cell], ...]:
    return (
        ("network", pick.candidate.label),
        ("file", pick.model),
        ("SHA-256 of the file", picks.model(pick)),
        ("MACs", derived(pick.macs, "")),
        ("epochs", given(pick.training.epochs, "")),
    )


def _misses(shown: Stored) -> Section | None:
    result = shown.result
    if result is None or result.pick is not None:
        return None
    found = [tables.nearest(shown.records, result.nearest), tables.alone(shown.records)]
    blocks: list[Block] = [table for table in found if table is not None]
    if result.proved:
        how = "Proved: the space was gone through, and each of its candidates misses a budget."
    else:
        how = f"{words.count(len(shown.records), 'trial')} of {shown.made.space:,} combinations prove nothing."
    blocks.insert(0, Text(text=how, state="fail" if result.proved else "undecided"))
    if result.pick is None and _picks(result) == []:
        blocks += [Text(text=_sentence(note)) for note in result.notes if not result.refused]
    return Section(id="misses", title="What is missing", blocks=tuple(blocks))


def _front(shown: Stored) -> Section:
    scenario, result = shown.scenario, shown.result
    if result is None:
        chosen = tuple(record.number for record in choose.front(scenario, choose.met(shown.records)))
    else:
        chosen = result.front
    pick = None if result is None or result.pick is None else result.pick.trial
    drawn = charts.front(scenario, shown.records, chosen, pick)
    blocks: list[Block] = [] if drawn is None else [drawn]
    if chosen:
        records = [shown.records[number] for number in chosen]
        blocks.append(tables.trials(scenario, records, "study-front", "On the front", places=False))
    else:
        blocks.append(Text(text="No trained trial meets every budget: there is no front.", state="note"))
    lead = f"Of the trials that meet every budget, those that no other beats in {', '.join(scenario.file.objectives)}."
    return Section(id="front", title="Pareto front", blocks=tuple(blocks), lead=lead)


def _course(shown: Stored) -> Section | None:
    found = charts.convergence(shown.scenario, shown.records)
    if found is None:
        return None
    return Section(id="course", title="How the search got on", blocks=found)


def _ends(shown: Stored) -> Section | None:
    if not shown.records:
        return None
    return Section(id="ends", title="How trials ended", blocks=(charts.ends(shown.records), tables.ends(shown.records)))


def _trials(shown: Stored) -> Section:
    table = tables.trials(shown.scenario, shown.records, "study-trials", "Every trial", places=True)
    lead = "Measured with random weights; what trained ones change is said of the pick."
    return Section(id="trials", title="Trials", blocks=(table,), lead=lead)


# --- what is not there, and where it came from -----------------------------------------------------------------------


def not_measured(shown: Stored, folder: str) -> tuple[NotMeasured, ...]:
    """What a study does not store, and what this one lacks."""
    found = []
    if shown.result is None:
        found.append(NotMeasured(item="the pick", reason="the search has not come to its end",
                                 command=f"harness optimize {shown.made.scenario_path}"))  # fmt: skip
    else:
        found.append(NotMeasured(item="what single changes of the pick would do, and layers beside the runner-up's",
                                 reason="an explanation measures them, and is not stored",
                                 command=f"harness optimize explain {folder}"))  # fmt: skip
    untrained = sum(record.measured and not record.trainings and record.duplicate_of is None
                    for record in shown.records)  # fmt: skip
    if untrained:
        found.append(NotMeasured(item=f"accuracy of {words.count(untrained, 'trial')}",
                                 reason="they miss a budget that needs no training, and were not trained"))  # fmt: skip
    lacking = {item.row.estimate.without_energy for record in shown.records for item in record.measurements
               if item.row.estimate is not None and item.row.estimate.without_energy}  # fmt: skip
    found += [NotMeasured(item="energy", reason=reason) for reason in sorted(lacking)]
    return tuple(found)


def _provenance(shown: Stored, folder: str) -> Section:
    made, scenario = shown.made, shown.scenario
    how = "all of them" if made.mode == "enumeration" else f"{made.sampler.upper()}, {made.batch} at a time"
    facts: list[tuple[str, Cell]] = [
        ("scenario", Code(text=made.scenario_path)),
        ("SHA-256 of the scenario", Code(text=made.scenario_sha256)),
        ("study", Code(text=made.id)),
        ("begun", made.created),
        ("boards", ", ".join(scenario.file.boards)),
        ("data", scenario.file.data),
        ("objectives", ", ".join(scenario.file.objectives)),
        ("combinations", f"{made.space:,}, {how}"),
        ("seeds", f"{made.seed} of the search, {made.training_seed} of trainings"),
        *((name, version) for name, version in made.versions.items()),
        *(("calibration", item.file) for item in scenario.calibrations),
    ]
    commands = (
        Command(text=f"harness optimize replay {folder}", caption="does the study again from its seeds, and compares"),
        Command(text=f"harness optimize show {folder} --all", caption="the same on a terminal"),
    )
    blocks: list[Block] = [*commands, Facts(items=tuple(facts)), tables.space(made.axes)]
    if shown.result is not None:
        blocks.append(Text(text=_sentence(str(terminal.work(made, shown.result)))))
    models = {f"{quantity.model}, {quantity.tier}" for record in shown.records for item in record.measurements
              if item.row.estimate is not None for quantity in (item.row.estimate.latency_ms,
                                                               item.row.estimate.energy_uj)
              if quantity is not None}  # fmt: skip
    blocks += [Text(text=f"Estimated by {model}.") for model in sorted(models)]
    return Section(id="provenance", title="Provenance", blocks=tuple(blocks))
