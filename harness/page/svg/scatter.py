"""Scatters: points on two axes, each linear or logarithmic, with lines through some of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

from harness.page.svg import draw
from harness.records import Record

_HEIGHT = 320
_TOP = 22
_BOTTOM = 34
_RADIUS = 4.5
_MARGIN = 0.04  # of the axis, beyond the outermost points

Shape = Literal["circle", "ring", "square", "diamond", "cross", "triangle"]


class Axis(Record, frozen=True):
    """An axis: what it shows with its unit, whether it is logarithmic (all values positive), values it must include."""

    title: str
    log: bool = False
    include: tuple[float, ...] = ()


class Point(Record, frozen=True):
    """A mark. ``kind`` is its class ("part-0", "front", "failed"), told apart by ``shape`` too.

    ``low`` and ``high`` are the bounds of y, drawn as a thin line. ``chooses`` and ``target``: what a click leads to.
    """

    x: float
    y: float
    tip: str
    kind: str = "part-0"
    shape: Shape = "circle"
    low: float | None = None
    high: float | None = None
    chooses: str | None = None
    target: str | None = None


class Polyline(Record, frozen=True):
    """A line through places of both axes: a front, the diagonal, a limit. ``kind`` is its class."""

    points: tuple[tuple[float, float], ...]
    kind: str = "line"
    stepped: bool = False


class _Scale:
    """Values of an axis as shares of it."""

    def __init__(self, axis: Axis, values: Sequence[float]) -> None:
        low, high = min(values), max(values)
        self._log = axis.log and low > 0
        low, high = self._of(low), self._of(high)
        spare = (high - low) * _MARGIN or abs(high) * 0.1 or 1.0
        self._low, self._high = low - spare, high + spare
        ends = (10**self._low, 10**self._high) if self._log else (self._low, self._high)
        self.ticks = draw.decades(*ends) if self._log else draw.ticks(*ends)

    def _of(self, value: float) -> float:
        return math.log10(value) if self._log else value

    def __call__(self, value: float) -> float:
        return (self._of(value) - self._low) / (self._high - self._low)


def scatter(points: Sequence[Point], x: Axis, y: Axis, label: str, lines: Sequence[Polyline] = (),
            height: float = _HEIGHT) -> str:  # fmt: skip
    """The drawing; y grows upwards. Values of y stand on their lines, so that no room is lost at the left."""
    root = draw.drawing("scatter", height, label)
    if not points:
        draw.write(root, "no points", "50%", height / 2, "tick", "middle")
        return draw.finish(root)
    along = _Scale(x, [*(item.x for item in points), *x.include, *(at for line in lines for at, _ in line.points)])
    bounds = [end for item in points for end in (item.y, item.low, item.high) if end is not None]
    up = _Scale(y, [*bounds, *y.include, *(at for line in lines for _, at in line.points)])

    def across(value: float) -> str:
        return draw.percent(along(value))

    def down(value: float) -> float:
        return _TOP + (height - _TOP - _BOTTOM) * (1 - up(value))

    _grid(root, x, y, along, up, height)
    for line in lines:
        _line(root, line, across, down)
    for item in points:
        _point(root, item, across(item.x), down(item.y), down)
    return draw.finish(root)


def _grid(root: draw.Element, x: Axis, y: Axis, along: _Scale, up: _Scale, height: float) -> None:
    base = height - _BOTTOM
    draw.write(root, y.title, 0, 12, "axis")
    draw.write(root, x.title, "100%", height - 3, "axis", "end")
    for tick in up.ticks:
        at = _TOP + (base - _TOP) * (1 - up(tick))
        draw.add(root, "line", x1=0, x2="100%", y1=at, y2=at, class_="grid")
        draw.write(root, draw.brief(tick), 0, at - 3, "tick")
    draw.add(root, "line", x1=0, x2="100%", y1=base, y2=base, class_="base")
    for tick in along.ticks:
        share = along(tick)
        draw.add(root, "line", x1=draw.percent(share), x2=draw.percent(share), y1=base, y2=base + 4, class_="base")
        anchor = "end" if share > 0.97 else None if share < 0.03 else "middle"
        draw.write(root, draw.brief(tick), draw.percent(share), base + 16, "tick", anchor)


def _line(root: draw.Element, line: Polyline, across: Callable[[float], str], down: Callable[[float], float]) -> None:
    for (x1, y1), (x2, y2) in zip(line.points, line.points[1:], strict=False):
        if line.stepped:
            draw.add(root, "line", x1=across(x1), x2=across(x2), y1=down(y1), y2=down(y1), class_=line.kind)
            draw.add(root, "line", x1=across(x2), x2=across(x2), y1=down(y1), y2=down(y2), class_=line.kind)
        else:
            draw.add(root, "line", x1=across(x1), x2=across(x2), y1=down(y1), y2=down(y2), class_=line.kind)


def _point(root: draw.Element, item: Point, x: str, y: float, down: Callable[[float], float]) -> None:
    group = draw.mark(root, item.tip, item.chooses, item.target)
    if item.low is not None or item.high is not None:
        low, high = (item.y if end is None else end for end in (item.low, item.high))
        draw.add(group, "line", x1=x, x2=x, y1=down(high), y2=down(low), class_="band")
    # a drawing of no size at the point, so that its shape is in pixels around it
    place = draw.add(group, "svg", x=x, y=y, class_="at")
    _shape(place, item)


_OUTLINES = {
    "square": "-4,-4 4,-4 4,4 -4,4",
    "diamond": "0,-5.7 5.7,0 0,5.7 -5.7,0",
    "triangle": "0,-5.2 5,4 -5,4",
}


def _shape(place: draw.Element, item: Point) -> None:
    if item.shape in ("circle", "ring"):
        kind = item.kind if item.shape == "circle" else f"ring {item.kind}"
        draw.add(place, "circle", r=_RADIUS, class_=kind)
    elif item.shape == "cross":
        draw.add(place, "path", d="M-4-4L4 4M-4 4L4-4", class_=f"cross {item.kind}")
    else:
        draw.add(place, "polygon", points=_OUTLINES[item.shape], class_=item.kind)
    draw.add(place, "circle", r=12, class_="reach")  # a target of 24 pixels for the pointer
