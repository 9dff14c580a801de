"""Icicles: a whole at the top, below each part its parts, as wide as their share."""

from __future__ import annotations

from harness.page.svg import draw
from harness.records import Record

_ROW = 26
_NARROWEST = 0.02  # share of the width that a label needs at the least


class Node(Record, frozen=True):
    """A part and its parts. ``value`` may exceed the sum of the children: the rest is its own, and stays empty below.

    ``tip`` is the name with the value; ``kind`` its class; ``tag`` what a click on it chooses ("layer-3").
    """

    name: str
    value: float
    tip: str
    kind: str = "part-0"
    tag: str | None = None
    children: tuple[Node, ...] = ()


def icicle(root: Node, label: str) -> str:
    """The drawing. All of it lies in an inner drawing (class "zoom") that the page's script widens to one part."""
    outer = draw.drawing("icicle", _ROW * depth(root), label)
    inner = draw.add(outer, "svg", class_="zoom", x=0, y=0, width="100%", height="100%")
    if root.value > 0:
        _draw(inner, root, 0.0, 1.0, 0)
    return draw.finish(outer)


def depth(node: Node) -> int:
    """Levels of a tree, itself included."""
    return 1 + max((depth(child) for child in node.children), default=0)


def _draw(parent: draw.Element, node: Node, left: float, width: float, level: int) -> None:
    group = draw.mark(parent, node.tip, chooses=node.tag)
    top = level * _ROW
    draw.add(group, "rect", x=draw.percent(left), y=top, width=draw.percent(width), height=_ROW - 2, class_=node.kind)
    if width >= _NARROWEST:
        # an inner drawing cuts off what is longer than its rectangle
        clip = draw.add(group, "svg", x=draw.percent(left), y=top, width=draw.percent(width), height=_ROW - 2)
        draw.write(clip, node.name, 5, 16)
    at = left
    for child in node.children:
        share = child.value / node.value if node.value else 0.0
        _draw(parent, child, at, width * share, level + 1)
        at += width * share
