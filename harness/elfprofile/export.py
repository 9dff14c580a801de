"""Stacks of calls in the formats of flame graphs: folded lines, and speedscope's JSON."""

from __future__ import annotations

from collections.abc import Iterable

from harness.elfprofile.tree import Stack
from harness.export import stacks as files
from harness.export.stacks import Frame, Profile, Weighted


def folded(stacks: Iterable[Stack]) -> str:
    """One line a stack: functions by semicolons, outermost first, a space, instructions. What flamegraph.pl reads."""
    return files.folded(_weighted(item) for item in stacks)


def speedscope(stacks: Iterable[Stack], title: str) -> str:
    """A file for speedscope: what threads executed, and what handlers of exceptions did, as two profiles."""
    parts: dict[bool, list[Weighted]] = {False: [], True: []}
    for item in stacks:
        parts[item.interrupt].append(_weighted(item))
    names = {False: "threads", True: "exceptions"}
    return files.speedscope(title, [Profile(names[which], rows) for which, rows in parts.items() if rows])


def _weighted(item: Stack) -> Weighted:
    return Weighted([Frame(name) for name in item.functions], item.instructions)
