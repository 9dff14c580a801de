"""Stacks of calls with weights in the formats of flame graphs: speedscope's JSON, and folded lines.

Source of speedscope's format: file-format-schema.json of its npm package (tried: 1.25.0).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from harness.report.tables import printable

_SCHEMA = "https://www.speedscope.app/file-format-schema.json"


class Frame(NamedTuple):
    """A box of the graph. ``file`` is shown beside its name where it is selected, None: nothing is."""

    name: str
    file: str | None = None


class Weighted(NamedTuple):
    """A stack, outermost frame first, and what the innermost weighs itself."""

    frames: Sequence[Frame]
    weight: int


class Profile(NamedTuple):
    """Stacks in one unit, in the order in which they are shown."""

    name: str
    stacks: Sequence[Weighted]


def speedscope(title: str, profiles: Iterable[Profile]) -> str:
    """A file of speedscope. Weights are counts: their unit is "none", the only one of the schema that fits."""
    numbers: dict[Frame, int] = {}
    made = [_profile(item, numbers) for item in profiles]
    return json.dumps(
        {
            "$schema": _SCHEMA,
            "name": printable(title),
            "exporter": "tflm-harness",
            "shared": {"frames": [_frame(item) for item in numbers]},
            "profiles": made,
        }
    )


def _profile(item: Profile, numbers: dict[Frame, int]) -> dict[str, Any]:
    return {
        "type": "sampled",
        "name": printable(item.name),
        "unit": "none",
        "startValue": 0,
        "endValue": sum(stack.weight for stack in item.stacks),
        "samples": [[numbers.setdefault(frame, len(numbers)) for frame in stack.frames] for stack in item.stacks],
        "weights": [stack.weight for stack in item.stacks],
    }


def _frame(item: Frame) -> dict[str, str]:
    name = {"name": printable(item.name)}
    return name if item.file is None else name | {"file": printable(item.file)}


def folded(stacks: Iterable[Weighted]) -> str:
    """One line a stack: frames by semicolons, outermost first, a space, the weight. What flamegraph.pl reads."""
    return "".join(f"{';'.join(_plain(frame.name) for frame in item.frames)} {item.weight}\n" for item in stacks)


def _plain(name: str) -> str:
    return printable(name).replace(";", ":")
