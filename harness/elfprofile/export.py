"""Stacks of calls in the formats of flame graphs: folded lines, and speedscope's JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from harness import atomic
from harness.elfprofile.tree import Stack
from harness.errors import BadInputError

_SPEEDSCOPE = "https://www.speedscope.app/file-format-schema.json"


def folded(stacks: Iterable[Stack]) -> str:
    """One line a stack: functions by semicolons, outermost first, a space, instructions. What flamegraph.pl reads."""
    lines = (f"{';'.join(_plain(name) for name in item.functions)} {item.instructions}\n" for item in stacks)
    return "".join(lines)


def _plain(name: str) -> str:
    return name.replace(";", ":")


def speedscope(stacks: Iterable[Stack], title: str) -> str:
    """A file for speedscope: what threads executed, and what handlers of exceptions did, as two profiles."""
    numbers: dict[str, int] = {}
    parts: dict[bool, list[tuple[list[int], int]]] = {False: [], True: []}
    for item in stacks:
        stack = [numbers.setdefault(name, len(numbers)) for name in item.functions]
        parts[item.interrupt].append((stack, item.instructions))
    names = {False: "threads", True: "exceptions"}
    profiles = [
        {
            "type": "sampled",
            "name": names[which],
            "unit": "none",
            "startValue": 0,
            "endValue": sum(weight for _, weight in rows),
            "samples": [stack for stack, _ in rows],
            "weights": [weight for _, weight in rows],
        }
        for which, rows in parts.items()
        if rows
    ]
    shared = {"frames": [{"name": name} for name in numbers]}
    return json.dumps(
        {"$schema": _SPEEDSCOPE, "name": title, "exporter": "tflm-harness", "shared": shared, "profiles": profiles}
    )


def write(path: Path, text: str) -> None:
    """Write one of them.

    Raises:
        BadInputError: it cannot be written.
    """
    try:
        atomic.write(path, text.encode())
    except OSError as error:
        raise BadInputError(f"{path}: cannot be written ({error.strerror})") from error
