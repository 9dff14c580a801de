"""Drawings of the report, made as SVG in Python: bars, icicles, scatters, step lines and plans of memory.

All of them are as wide as the place that they get: what lies along the width is in per cent, so that text keeps its
size on a narrow screen. Colours come from classes, so that both themes work. The same data give the same text.
"""

from harness.page.svg.bars import Bar, Part, bars
from harness.page.svg.icicle import Node, icicle
from harness.page.svg.plan import Piece, plan
from harness.page.svg.scatter import Axis, Point, Polyline, scatter
from harness.page.svg.steps import Line, Step, steps

__all__ = [
    "Axis",
    "Bar",
    "Line",
    "Node",
    "Part",
    "Piece",
    "Point",
    "Polyline",
    "Step",
    "bars",
    "icicle",
    "plan",
    "scatter",
    "steps",
]
