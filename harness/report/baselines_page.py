"""The page of a search beside its baselines, with its pictures and its numbers as files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from harness import atomic
from harness.optimize import baselines, rivals
from harness.optimize.baselines import Compared, Comparison, Point, Searched, Verdict
from harness.optimize.engine import STARTUP
from harness.optimize.records import Judgement, Pick
from harness.optimize.rivals import METHODS
from harness.optimize.scenario import ACCURACY, Scenario
from harness.paths import results_folder
from harness.report import optimize as words
from harness.report import plots_baselines, plots_page
from harness.report.plots_baselines import NAMES
from harness.sweep.metrics import METRICS

_HINT = "give another folder by --output"
_COLUMNS = ("method", "seed", "trial", "duplicate_of", "family", "channels", "depth", "kernel", "stride", "pool",
            "growth", "head", "pruning", "type", "kernels", "optimisation", "macs", "instructions", "flash", "ram",
            "latency_ms_estimated", "latency_ms_low", "latency_ms_high", "energy_uj_estimated", "energy_uj_low",
            "energy_uj_high", "epochs", "validation_accuracy", "state")  # fmt: skip
_ARCHITECTURE = ("family", "channels", "depth", "kernel", "stride", "pool", "growth", "head")
_ALT = {"pareto": "cost and accuracy of every trained candidate", "parallel": "what each search tried",
        "convergence": "what each search would have picked after so many trials"}  # fmt: skip


def folder(name: str) -> Path:
    """Where the page of a scenario goes that no folder is named for."""
    return results_folder() / "optimize" / name


def write(shown: Compared, target: Path, command: str) -> Path:
    """Write README.md, the pictures, comparison.json and trials.csv; returns the page.

    Args:
        shown: from ``baselines.compare``.
        target: the folder.
        command: what made it, as the page says it.

    Raises:
        MissingToolError: matplotlib is not installed.
        HarnessError: a file cannot be written.
    """
    with plots_page.style():
        made = plots_baselines.pictures(shown)
        for name, figure in made:
            atomic.write(target / f"{name}.svg", plots_page.save(figure, "svg"), _HINT)
    content = msgspec.json.format(msgspec.json.encode(shown.comparison), indent=1) + b"\n"
    atomic.write(target / "comparison.json", content, _HINT)
    atomic.write(target / "trials.csv", table(shown.points).encode(), _HINT)
    return atomic.write(target / "README.md", page(shown, command, [name for name, _ in made]).encode(), _HINT)


def page(shown: Compared, command: str, pictures: Sequence[str]) -> str:
    """The page as Markdown."""
    scenario, comparison = shown.scenario, shown.comparison
    parts = [
        f"# {scenario.name}: the search beside its baselines",
        _about(shown, command),
        "## What came out",
        "\n".join(f"- {line}" for line in findings(scenario, comparison)),
        "## Picks",
        _picks(scenario, comparison),
        _legend(scenario),
        "## Budgets of the picks",
        _budgets(comparison),
        "## Searches",
        _searches(comparison),
        *(f"![{_ALT[name]}]({name}.svg)" for name in pictures),
    ]
    return "\n\n".join(parts) + "\n"


def _about(shown: Compared, command: str) -> str:
    scenario, comparison = shown.scenario, shown.comparison
    budgets = ", ".join(f"{item.key} {'≥' if item.at_least else '≤'} {item.text}" for item in scenario.budgets)
    versions = ", ".join(f"{name} {version}" for name, version in shown.versions.items())
    usual = rivals.macs_file(scenario.file).space
    names = NAMES["tpe"], NAMES["random"], NAMES["macs"]
    build = f"{usual.types[0]}, {usual.kernels[0]}, {usual.optimisation[0]}"
    return (
        f"{scenario.file.title or scenario.name}, on {', '.join(scenario.file.boards)}, with {scenario.file.data}. "
        f"Budgets: {budgets}. Objectives: {', '.join(scenario.file.objectives)}.\n\n"
        f"Three searches of {comparison.trials:,} trials each, with the seeds "
        f"{', '.join(map(str, comparison.seeds))}:\n\n"
        f"- **{names[0]}**: every candidate is built and measured with random weights, what meets the budgets is "
        "trained; multivariate TPE chooses the next ones.\n"
        f"- **{names[1]}**: the same with random draws. Its first {min(STARTUP, comparison.trials)} trials are the "
        "search's own, which begins with random draws by the same seed.\n"
        f"- **{names[2]}**: TPE for the fewest multiply-accumulates at the lowest accuracy, built in the usual way "
        f"({build}), which makes its space smaller. It knows no instructions, latency, energy or sizes; only what does "
        "not run on the board at all is left out. Its pick is measured afterwards.\n\n"
        "Networks are trained with one seed. A pick is trained with all epochs and measured with its weights; the "
        "test part is used once for each. Latency and energy are estimates with bounds, uncalibrated; instructions "
        "and sizes are measured.\n\n"
        f"Made by `{command}`. {versions}."
    )


def findings(scenario: Scenario, comparison: Comparison) -> list[str]:
    """What the comparison came to, as sentences."""
    lines = [_of_search(comparison), _of_macs(scenario, comparison), _of_random(scenario, comparison)]
    found = comparison.pairs
    if found.pairs:
        lines.append(
            f"Of {found.pairs:,} pairs of measured networks that are built alike and differ in MACs, the one with "
            f"fewer MACs executes more instructions in {found.against:,} ({100 * found.against / found.pairs:.1f} %)."
        )
    return lines


def _of_search(comparison: Comparison) -> str:
    found = comparison.of("tpe")
    picks = [item for item in found if item.pick is not None]
    text = f"The search found a network that meets every budget in {len(picks)} of {len(found)} searches"
    none = ", ".join(str(item.seed) for item in found if item.pick is None)
    return f"{text}." if not none else f"{text}; with seed {none} there is nothing to compare with."


def _of_macs(scenario: Scenario, comparison: Comparison) -> str:
    found = baselines.verdicts(scenario, comparison, "macs")
    total = len(comparison.of("macs"))
    if not found:
        return f"The search on MACs alone found no network that is accurate enough, in {total} of {total} searches."
    times = {"deadline", "period"}
    late = sum(bool(times & set(item.missed)) for item in found)
    may = sum(bool(times & set(item.undecided)) for item in found)
    any_budget = sum(bool(item.missed or item.undecided) for item in found)
    compared = [item for item in found if item.instructions is not None]
    more = sum((item.instructions or 0) > 0 for item in compared)
    loses = sum(item.loses for item in found)
    text = (
        f"The search on MACs alone has a pick in {len(found)} of {total} searches: it misses the deadline in {late}, "
        f"may miss it by the band of the estimate in {may}, misses or may miss any budget in {any_budget}; it executes "
        f"more instructions than the search's pick in {more} of {len(compared)}; in {loses} it does one of these or is "
        "behind in the scenario's objectives"
    )
    return _with(text, _changes(scenario, found))


def _of_random(scenario: Scenario, comparison: Comparison) -> str:
    found = baselines.verdicts(scenario, comparison, "random")
    total = len(comparison.of("random"))
    if not found:
        return f"Random search found no network that meets every budget, in {total} of {total} searches."
    behind = sum(bool(item.behind) for item in found)
    level = sum(item.change == 0 for item in found)
    text = (
        f"Random search has a pick in {len(found)} of {total} searches: it is behind the search's in {behind}, level "
        f"in {level}"
    )
    return _with(text, _changes(scenario, found))


def _with(text: str, more: str) -> str:
    return f"{text}: {more}." if more else f"{text}."


def _changes(scenario: Scenario, found: Sequence[Verdict]) -> str:
    """What picks have more or less than the search's by the same seed: the cost, and the accuracy if it is wanted."""
    known = [item for item in found if item.change is not None]
    parts = []
    if known:
        changes = ", ".join(f"{100 * (item.change or 0):+.1f} % (seed {item.seed})" for item in known)
        parts.append(f"{baselines.cost(scenario)} against the search's pick {changes}")
    wanted = [item for item in found if item.accuracy is not None]
    if wanted and ACCURACY in scenario.file.objectives:
        points = ", ".join(f"{100 * (item.accuracy or 0):+.1f} (seed {item.seed})" for item in wanted)
        parts.append(f"accuracy on the validation part, in percentage points, {points}")
    return "; ".join(parts)


def _picks(scenario: Scenario, comparison: Comparison) -> str:
    head = ["search", "seed", "network", "MACs", "instructions", "latency, ms", "energy, uJ", "flash, B", "RAM, B",
            "validation", "test", "budgets"]  # fmt: skip
    rows = [_pick(item) for method in METHODS for item in comparison.of(method)]
    return _markdown(head, rows, left=(0, 2, 11))


def _pick(item: Searched) -> list[str]:
    head = [NAMES[item.method], str(item.seed)]
    if item.pick is None:
        return [*head, "none found", *["-"] * 8, "-"]
    pick = item.pick
    row = pick.measurements[0].row
    counts = row.measured
    assert counts is not None, "what was picked was measured"
    latency = energy = "-"
    if row.estimate is not None:
        latency = _band(row.estimate.latency_ms.value, row.estimate.latency_ms.low, row.estimate.latency_ms.high)
        found = row.estimate.energy_uj
        energy = "-" if found is None else _band(found.value, found.low, found.high)
    return [*head, pick.candidate.label, f"{pick.macs:,}", f"{counts.instructions:,}", latency, energy,
            f"{counts.flash:,}", f"{counts.ram:,}", _percent(pick.training.accuracy.fraction), _tested(pick),
            _state(pick)]  # fmt: skip


def _band(value: float, low: float | None, high: float | None) -> str:
    return f"{value:.3g} ({'?' if low is None else f'{low:.3g}'} to {'?' if high is None else f'{high:.3g}'})"


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _tested(pick: Pick) -> str:
    test = pick.test
    if test is None:
        return "-"
    return f"{_percent(test.correct / test.images)} ({100 * test.low:.1f} to {100 * test.high:.1f})"


def _state(pick: Pick) -> str:
    missing = [f"{item.key} {item.state}" for item in pick.judgements if item.state != "met"]
    return ", ".join(missing) or "met"


def _legend(scenario: Scenario) -> str:
    text = "In brackets: the band of an estimate; of the test accuracy the 95 % interval."
    if len(scenario.file.boards) > 1:
        text += f" Numbers are those of {scenario.file.boards[0]}."
    return text


def _budgets(comparison: Comparison) -> str:
    head = ["search", "seed", "budget", "value", "limit", "used", "state"]
    rows = []
    for method in METHODS:
        for item in comparison.of(method):
            judged = () if item.pick is None else item.pick.judgements
            rows += [[NAMES[method], str(item.seed), *_judged(found)] for found in judged]
    return _markdown(head, rows, left=(0, 2, 6))


def _judged(found: Judgement) -> list[str]:
    board = "" if found.board is None else f" on {found.board}"
    return [f"{found.key}{board}", words.value(found), words.limit(found), words.used(found), found.state]


def _searches(comparison: Comparison) -> str:
    head = ["search", "seed", "trials", "meet every budget", "measured here", "known before", "trainings here",
            "known before", "duplicates", "CPU s of training"]  # fmt: skip
    rows = []
    for method in METHODS:
        for item in comparison.of(method):
            work = item.work
            numbers = (item.trials, item.met, work.measured, work.measured_before, work.trained, work.trained_before,
                       work.duplicates, round(work.cpu_s))  # fmt: skip
            rows.append([NAMES[method], str(item.seed), *(f"{number:,}" for number in numbers)])
    note = ("\n\nKnown before: by another of these searches, or by one that was run earlier on the same machine; of a "
            "candidate that is not told apart from an earlier one (a duplicate) nothing is measured.")  # fmt: skip
    return _markdown(head, rows, left=(0,)) + note


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]], left: Sequence[int]) -> str:
    sides = ["---" if at in left else "--:" for at in range(len(head))]
    lines = ["| " + " | ".join(head) + " |", "|" + "|".join(sides) + "|"]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def table(points: Sequence[Point]) -> str:
    """Every trial of every search as CSV; what there is no value of is empty."""
    target = io.StringIO()
    writer = csv.DictWriter(target, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    for point in points:
        writer.writerow(_row(point))
    return target.getvalue()


def _row(point: Point) -> dict[str, object]:
    record = point.record
    chosen = record.candidate
    row: dict[str, object] = {"method": point.method, "seed": point.seed, "trial": point.trial, "state": record.state,
                              "duplicate_of": record.duplicate_of, "macs": record.macs, "epochs": record.epochs,
                              "pruning": chosen.pruning, "type": chosen.type, "kernels": chosen.kernels,
                              "optimisation": chosen.optimisation, "validation_accuracy": record.accuracy}  # fmt: skip
    row |= {name: getattr(chosen.architecture, name) for name in _ARCHITECTURE}
    found = record.measurements[0].row if record.measurements else None
    if found is not None and found.measured is not None:
        row |= {name: getattr(found.measured, name) for name in ("instructions", "flash", "ram")}
    if found is not None and found.estimate is not None:
        for name, unit in (("latency", "ms"), ("energy", "uj")):
            estimate = found.estimate.of(name)
            if estimate is not None:
                row |= {f"{name}_{unit}_estimated": estimate.value, f"{name}_{unit}_low": estimate.low,
                        f"{name}_{unit}_high": estimate.high}  # fmt: skip
    return row


def lines(shown: Compared) -> list[str]:
    """What a terminal says: the findings, and a line for each pick."""
    scenario, comparison = shown.scenario, shown.comparison
    name = baselines.cost(scenario) or ACCURACY
    found = [
        f"{scenario.name}: {comparison.trials:,} trials a search, seeds {', '.join(map(str, comparison.seeds))}",
        "",
    ]
    for method in METHODS:
        for item in comparison.of(method):
            found.append(f"{NAMES[method]:14} seed {item.seed}: {_short(scenario, item, name)}")
    return [*found, "", *findings(scenario, comparison)]


def _short(scenario: Scenario, item: Searched, name: str) -> str:
    if item.pick is None:
        return "found none"
    value = item.pick.objectives[scenario.file.objectives.index(name)]
    text = "-" if value is None else f"{name} {METRICS[name].text(value)}"
    return f"{text}, test {_tested(item.pick)}, {_state(item.pick)}"
