"""Scenarios as lines: one a suite, and a closing one."""

from __future__ import annotations

from rich.text import Text

from harness.report.tables import printable
from harness.scenarios import Outcome, Outcomes

_NAME_WIDTH = 16


def line(outcome: Outcome) -> Text:
    """A suite that has ended: its verdict, numbers of tests, seconds; the first failure below it."""
    text = _verdict(outcome.passed, outcome.failed)
    text.append(f"  {printable(outcome.name).ljust(_NAME_WIDTH)} {_counts(outcome)}, {outcome.seconds:.1f} s")
    if outcome.failure is not None:
        # what Robot put on several lines stays readable on several
        for part in outcome.failure.splitlines():
            text.append(f"\n      {printable(part)}")
    return text


def closing(outcomes: Outcomes, seconds: float) -> Text:
    """All suites together."""
    text = _verdict(outcomes.passed, outcomes.failed)
    return text.append(f"  {len(outcomes.suites)} scenarios: {_counts(outcomes)}, {seconds:.1f} s")


def _verdict(passed: int, failed: int) -> Text:
    if failed:
        return Text("FAIL", style="bold red")
    return Text("PASS", style="bold green") if passed else Text("SKIP", style="bold yellow")


def _counts(outcome: Outcome | Outcomes) -> str:
    return f"{outcome.passed} passed, {outcome.failed} failed, {outcome.skipped} skipped"
