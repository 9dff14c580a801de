"""Step lines: a quantity over steps, such as the arena over a network's operators, below its limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.page.svg import draw
from harness.records import Record

_HEIGHT = 200
_TOP = 34
_BOTTOM = 34


class Step(Record, frozen=True):
    """One step: ``value`` None: not known. ``tip`` says which one it is and its value; ``tag`` what a click chooses."""

    name: str
    value: float | None
    tip: str
    kind: str = ""
    tag: str | None = None


class Line(Record, frozen=True):
    """A limit across all steps, with its text."""

    value: float
    text: str


def steps(given: Sequence[Step], title: str, along: str, label: str, lines: Sequence[Line] = (),
          height: float = _HEIGHT) -> str:  # fmt: skip
    """The drawing, from 0 upwards. ``title`` is what goes up with its unit, ``along`` what the steps are."""
    root = draw.drawing("steps", height, label)
    known = [item.value for item in given if item.value is not None]
    top = max([*known, *(line.value for line in lines), 0.0]) or 1.0
    base = height - _BOTTOM

    def down(value: float) -> float:
        return base - (base - _TOP) * value / top

    ticks = [(tick, down(tick)) for tick in draw.ticks(0, top, 4)[1:]]
    draw.levels(root, base, ticks)
    _columns(root, given, down, base)
    draw.scales(root, title, along, height, ticks)
    draw.names(root, [item.name for item in given], base)
    draw.limits(root, [(line.text, down(line.value)) for line in lines])
    return draw.finish(root)


def _columns(root: draw.Element, given: Sequence[Step], down: Callable[[float], float], base: float) -> None:
    """A column a step; its top is the line."""
    width = 1 / max(len(given), 1)
    before: float | None = None
    for index, item in enumerate(given):
        if item.value is None:
            before = None
            continue
        left, right, y = draw.percent(index * width), draw.percent((index + 1) * width), down(item.value)
        group = draw.mark(root, item.tip, chooses=item.tag)
        draw.add(group, "rect", x=left, y=y, width=draw.percent(width), height=base - y, class_=f"area {item.kind}")
        draw.add(group, "line", x1=left, x2=right, y1=y, y2=y, class_="step")
        if before is not None and before != y:
            draw.add(root, "line", x1=left, x2=left, y1=before, y2=y, class_="step")
        before = y
