"""From comparisons and failures to one verdict: exit code, order, and the line that names the cause."""

from __future__ import annotations

import math
import re
from collections.abc import Container, Iterable
from pathlib import Path

import msgspec

from harness import baseline, labels
from harness.errors import EXIT_BAD_INPUT, EXIT_NOT_MEASURED, EXIT_PASS, EXIT_VERDICT_NO, HarnessError
from harness.gate import policy, words
from harness.gate.judge import Judged, judge
from harness.gate.policy import File
from harness.gate.verdict import NOT_JUDGED, SCHEMA, Comparison, FailurePart, PolicyPart, RunPart, State, Verdict
from harness.result import Result

_ORDER: tuple[State, ...] = (
    "worse",
    "undecided",
    "blocked",
    "missing",
    "better",
    "warned",
    "suppressed",
    "ignored",
    "ok",
)


def decide(
    given: File, runs: Iterable[Judged], failures: Iterable[FailurePart] = (), notes: Iterable[str] = ()
) -> Verdict:
    """The verdict on runs and on what could not be run.

    Exit code: 3 where something was not measured, not compared or not decided; else 1 where something is worse than
    allowed, not exact, or too large; else 0.
    """
    judged, failed = tuple(runs), tuple(failures)
    comparisons = _sorted(judge(judged, given.policy.all_rules))
    parts = tuple(_run(item) for item in judged)
    code = _exit_code(comparisons, failed)
    return Verdict(
        schema=SCHEMA,
        exit_code=code,
        headline=_headline(given, code, parts, comparisons, failed),
        policy=PolicyPart(name=given.policy.name, sha256=given.sha256),
        runs=parts,
        comparisons=comparisons,
        failures=failed,
        notes=(*notes, *_estimated(comparisons), *_advice(comparisons, judged)),
    )


def _estimated(comparisons: tuple[Comparison, ...]) -> list[str]:
    """What estimates among the comparisons rest on, and how they are judged."""
    known = [item for item in comparisons if item.band is not None]
    found = [
        f"{item.metric} is estimated by {item.band.model}, {item.band.tier}" for item in known if item.band is not None
    ]
    if any(item.against == "limit" for item in known):
        found.append("limits of estimates are judged by their bounds: undecided is no pass")
    if any(item.against == "baseline" for item in known):
        found.append("changes of estimates are of their values: the model's error is common to both")
    return list(dict.fromkeys(found))


def _advice(comparisons: tuple[Comparison, ...], runs: tuple[Judged, ...]) -> list[str]:
    """What to do where baselines are not there, or are of something else."""
    if any(item.baseline is None for item in runs):
        return [f"{baseline.UPDATE} makes baselines of what has none"]
    if any(item.state == "blocked" for item in comparisons):
        return [f"where the difference is intended, {baseline.UPDATE} makes new baselines"]
    return []


def _sorted(comparisons: Iterable[Comparison]) -> tuple[Comparison, ...]:
    """The worst first: by state, then by how far beyond the allowance; what is wrong comes before what is more."""

    def key(item: Comparison) -> tuple[int, float]:
        if item.state == "worse":
            return 0, -(math.inf if item.excess is None else item.excess)
        return _ORDER.index(item.state), 0.0

    return tuple(sorted(comparisons, key=key))


def _run(judged: Judged) -> RunPart:
    result = judged.result
    return RunPart(
        **labels.subject(result),
        run_id=result.run_id,
        baseline=None if judged.baseline is None else judged.baseline_file,
        baseline_run_id=None if judged.baseline is None else judged.baseline.run_id,
    )


def _exit_code(comparisons: tuple[Comparison, ...], failures: tuple[FailurePart, ...]) -> int:
    states = {item.state for item in comparisons}
    if states & {"undecided", "blocked", "missing"} or not all(item.too_large for item in failures):
        return EXIT_NOT_MEASURED
    return EXIT_VERDICT_NO if failures or "worse" in states else EXIT_PASS


def _headline(
    given: File,
    code: int,
    runs: tuple[RunPart, ...],
    comparisons: tuple[Comparison, ...],
    failures: tuple[FailurePart, ...],
) -> str:
    worse = [words.sentence(item, runs[item.run]) for item in comparisons if item.state == "worse"]
    worse = [f"{item.what}: {item.message}" for item in failures if item.too_large] + worse
    if code == EXIT_PASS:
        return _passing(given, runs, comparisons)
    if code == EXIT_VERDICT_NO:
        return _and_more(worse, "worse")
    stopped = [f"{item.what}: {item.message}" for item in failures if not item.too_large]
    outcomes: dict[State, str] = {"undecided": "undecided", "blocked": "not compared", "missing": "missing"}
    for group in words.groups(item for item in comparisons if item.state in outcomes):
        outcome = outcomes[group.state]
        stopped.append(f"{group.reason}: {group.metrics} of {_of(group, runs)} {outcome}")
    return _and_more(stopped, "like this") + (f"; and worse: {_and_more(worse, 'worse')}" if worse else "")


def _of(group: words.Group, runs: tuple[RunPart, ...]) -> str:
    first, *others = group.runs
    return runs[first].label if not others else f"{len(others) + 1} runs"


def _and_more(items: list[str], what: str) -> str:
    first, *others = items
    return f"{first} (and {len(others)} more {what})" if others else first


def _passing(given: File, runs: tuple[RunPart, ...], comparisons: tuple[Comparison, ...]) -> str:
    left_out = sum(item.state in NOT_JUDGED for item in comparisons)
    better = [item for item in comparisons if item.state == "better"]
    judged = words.count(len(comparisons) - left_out, "comparison")
    text = f"{given.policy.name}: {words.count(len(runs), 'run')}, {judged}, none worse than allowed"
    if left_out:
        text += f", {left_out} left out"
    if better:
        best = max(better, key=lambda item: abs(item.change_percent or 0))
        text += f"; {len(better)} better, {words.sentence(best, runs[best.run])}: {baseline.UPDATE}"
    return text


def unused(folder: Path, used: Container[str]) -> tuple[FailurePart, ...]:
    """Baselines in the folder that are not among the used names: a network, or a row of the policy, may be gone."""
    return tuple(
        FailurePart(
            what=f"baseline {path.name}",
            message="no run of the policy has it: is its network gone?",
            hint=f'remove {path.name}, add its run to the policy, or set unused_baselines = "ignore"',
        )
        for path in sorted(folder.glob("*.json"))
        if path.name not in used
    )


def judged(result: Result, folder: Path, accuracy: float | None = None, reason: str | None = None) -> Judged:
    """A result with its baseline.

    Raises:
        BadInputError: the baseline cannot be read, or is of another schema.
    """
    found = baseline.find(result, folder)
    made = Judged(result=result, baseline=found, baseline_file=baseline.name(result), accuracy=accuracy)
    return made if reason is None else msgspec.structs.replace(made, accuracy_reason=reason)


def failed(path: Path, error: HarnessError) -> Verdict:
    """The verdict where an error ended the gate before there was one, so that every output says why.

    A policy that cannot be read has the name that its file has: by custom, that is the same.
    """
    code = error.exit_code if error.exit_code == EXIT_BAD_INPUT else EXIT_NOT_MEASURED
    try:
        given = policy.load(path)
        part = PolicyPart(name=given.policy.name, sha256=given.sha256)
    except HarnessError:
        part = PolicyPart(name=re.sub(r"[^A-Za-z0-9_.-]", "_", path.stem)[:64], sha256="")
    return Verdict(
        schema=SCHEMA,
        exit_code=code,
        headline=error.message,
        policy=part,
        runs=(),
        comparisons=(),
        failures=(FailurePart(what="gate", message=error.message, hint=error.hint),),
        notes=(),
    )
