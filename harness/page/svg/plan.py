"""Plans: what lies where in a memory while which step runs."""

from __future__ import annotations

from collections.abc import Sequence

from harness.page.svg import draw
from harness.page.svg.steps import Line
from harness.records import Record

_HEIGHT = 240
_TOP = 34
_BOTTOM = 34


class Piece(Record, frozen=True):
    """A piece of memory from ``low`` to ``high`` that is taken from step ``first`` to step ``last``, both included."""

    low: float
    high: float
    first: int
    last: int
    tip: str
    kind: str = "part-0"
    tag: str | None = None


def plan(pieces: Sequence[Piece], count: int, title: str, along: str, label: str, lines: Sequence[Line] = ()) -> str:
    """The drawing: ``count`` steps from left to right, addresses from the bottom up.

    ``title`` is what goes up with its unit, ``along`` what the steps are.
    """
    root = draw.drawing("plan", _HEIGHT, label)
    top = max([*(piece.high for piece in pieces), *(line.value for line in lines), 0.0]) or 1.0
    base = _HEIGHT - _BOTTOM

    def down(value: float) -> float:
        return base - (base - _TOP) * value / top

    ticks = [(tick, down(tick)) for tick in draw.ticks(0, top, 4)[1:]]
    draw.levels(root, base, ticks)
    for piece in pieces:
        left, width = piece.first / count, (piece.last - piece.first + 1) / count
        group = draw.mark(root, piece.tip, chooses=piece.tag)
        y, height = down(piece.high), max(down(piece.low) - down(piece.high), 0.5)
        draw.add(group, "rect", x=draw.percent(left), y=y, width=draw.percent(width), height=height, class_=piece.kind)
    draw.scales(root, title, along, _HEIGHT, ticks)
    draw.names(root, [str(index) for index in range(count)], base)
    draw.limits(root, [(line.text, down(line.value)) for line in lines])
    return draw.finish(root)
