"""The drawing of a comparison: by how much each layer's instructions changed, in the order of the network."""

from __future__ import annotations

from harness.compare import Compared, LayerPart
from harness.page.comparison_tables import number_of
from harness.page.document import Chart
from harness.page.svg import Axis, Point, Polyline, scatter


def layers(shown: Compared) -> tuple[Chart, ...]:
    """A mark for each layer above the line of no change where it grew; none where nothing moved."""
    moved = [item for item in shown.layers if item.change]
    if not moved:
        return ()
    placed = sorted(shown.layers, key=_place)
    points = [_point(index, item) for index, item in enumerate(placed)]
    line = Polyline(points=((-0.5, 0.0), (len(placed) - 0.5, 0.0)), kind="base")
    grown = sum(item.change > 0 for item in moved)
    worst = max(moved, key=lambda item: abs(item.change))
    summary = (
        f"{grown} of {len(placed)} layers execute more instructions, {len(moved) - grown} fewer; the largest change is "
        f"{worst.change:+,} in layer {number_of(worst)} {worst.op}."
    )
    svg = scatter(points, Axis(title="layer, in the order of the network"),
                  Axis(title="change, instructions", include=(0.0,)), summary, (line,), height=240)  # fmt: skip
    legend = (("triangle part-2", "more instructions in B"), ("ring part-0", "no more"))
    return (Chart(id="compare-chart", title="Change of each layer", svg=svg, summary=summary, table="compare-layers",
                  legend=legend),)  # fmt: skip


def _place(item: LayerPart) -> tuple[int, bool]:
    index = item.index_before if item.index_after is None else item.index_after
    return index or 0, item.index_after is None


def _point(place: int, item: LayerPart) -> Point:
    grown = item.change > 0
    return Point(
        x=place,
        y=item.change,
        tip=f"layer {number_of(item)} {item.op}: {item.change:+,} instructions",
        kind="part-2" if grown else "part-0",
        shape="triangle" if grown else "ring",
        chooses=None if item.index_after is None else f"layer-{item.index_after}",
    )
