"""Bars of what is used, what is free and the limit."""

from __future__ import annotations

from collections.abc import Sequence

from harness.page.svg import draw
from harness.records import Record

_ROW = 50
_THICK = 16
_TEXT = 15


class Part(Record, frozen=True):
    """A piece of a bar: ``kind`` is its class ("part-0" to "part-9"), ``tip`` its name with its value."""

    value: float
    tip: str
    kind: str = "part-0"


class Bar(Record, frozen=True):
    """A bar. ``parts`` stand one after the other; ``limit`` None: there is none, and the bar fills the width.

    ``text`` stands above the bar at the right: the numbers. A bar without parts is not there, and ``text`` says why.
    """

    name: str
    parts: tuple[Part, ...]
    limit: float | None
    text: str


def bars(given: Sequence[Bar], label: str) -> str:
    """One bar below the other, each on its own scale, which ends at its limit, or at what is used if that is more."""
    root = draw.drawing("bars", _ROW * len(given), label)
    for number, bar in enumerate(given):
        top = number * _ROW
        draw.write(root, bar.name, 0, top + _TEXT, "name")
        draw.write(root, bar.text, "100%", top + _TEXT, "value", "end")
        if bar.parts:
            _draw(root, bar, top + _TEXT + 7)
    return draw.finish(root)


def _draw(root: draw.Element, bar: Bar, top: float) -> None:
    used = sum(part.value for part in bar.parts)
    whole = max(used, bar.limit or 0)
    if whole <= 0:
        return
    if bar.limit is not None:
        draw.add(root, "rect", x=0, y=top, width=draw.percent(bar.limit / whole), height=_THICK, class_="free")
    at = 0.0
    for part in bar.parts:
        group = draw.mark(root, part.tip)
        width = draw.percent(part.value / whole)
        draw.add(group, "rect", x=draw.percent(at / whole), y=top, width=width, height=_THICK, class_=part.kind)
        at += part.value
    if bar.limit is not None and used > bar.limit:
        x = draw.percent(bar.limit / whole)
        over = draw.mark(root, f"over the limit by {used - bar.limit:,.0f}")
        width = draw.percent((used - bar.limit) / whole)
        draw.add(over, "rect", x=x, y=top, width=width, height=_THICK, class_="over")
    if bar.limit is not None:
        x = draw.percent(bar.limit / whole)
        draw.add(root, "line", x1=x, x2=x, y1=top - 3, y2=top + _THICK + 3, class_="limit")
