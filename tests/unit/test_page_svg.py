"""Drawings of reports: in proportion, as wide as their place, the same every time."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from harness.page import svg
from harness.page.svg import draw


def widths(drawing: str, kind: str) -> list[float]:
    """The widths of a drawing's rectangles of a class, in per cent."""
    root = ET.fromstring(drawing)
    found = [item.get("width", "") for item in root.iter("rect") if kind in (item.get("class") or "").split()]
    return [float(width.rstrip("%")) for width in found]


def test_bars_are_in_proportion_to_their_limit() -> None:
    parts = (svg.Part(value=30, tip="a"), svg.Part(value=10, tip="b", kind="part-1"))
    drawing = svg.bars([svg.Bar(name="flash", parts=parts, limit=80, text="40 of 80")], "flash")
    assert widths(drawing, "part-0") == [37.5]
    assert widths(drawing, "part-1") == [12.5]
    assert widths(drawing, "over") == []


def test_what_is_over_the_limit_is_marked() -> None:
    bar = svg.Bar(name="flash", parts=(svg.Part(value=100, tip="a"),), limit=80, text="too much")
    drawing = svg.bars([bar], "flash")
    assert widths(drawing, "over") == [20]
    assert "over the limit by 20" in drawing


def test_bars_without_parts_are_empty() -> None:
    drawing = svg.bars([svg.Bar(name="flash", parts=(), limit=80, text="not known")], "flash")
    assert "<rect" not in drawing and "not known" in drawing


def test_an_icicle_lies_below_its_whole() -> None:
    child = svg.Node(name="b", value=25, tip="b", kind="level-1", tag="layer-0")
    drawing = svg.icicle(svg.Node(name="a", value=100, tip="a", kind="level-0", children=(child, child)), "calls")
    assert widths(drawing, "level-0") == [100]
    assert widths(drawing, "level-1") == [25, 25]
    assert re.findall(r'<rect x="([\d.]+)%"', drawing) == ["0", "0", "25"]
    assert drawing.count('data-choose="layer-0"') == 2


def test_steps_leave_out_what_is_not_known() -> None:
    given = [svg.Step(name=str(at), value=value, tip=f"{value} B") for at, value in enumerate((10, None, 20))]
    drawing = svg.steps(given, "bytes", "operator", "arena", [svg.Line(value=40, text="limit")])
    heights = [float(height) for height in re.findall(r'height="([\d.]+)" class="area', drawing)]
    assert len(heights) == 2 and heights[1] == pytest.approx(2 * heights[0])


@pytest.mark.parametrize("log", [False, True])
def test_points_stand_in_order_on_both_axes(log: bool) -> None:
    points = [svg.Point(x=10.0**at, y=10.0**at, tip=str(at)) for at in range(4)]
    drawing = svg.scatter(points, svg.Axis(title="x", log=log), svg.Axis(title="y", log=log), "points")
    places = [(float(x), float(y)) for x, y in re.findall(r'<svg x="([\d.]+)%" y="([\d.]+)"', drawing)]
    assert len(places) == 4
    assert places == sorted(places, key=lambda place: place[0])
    assert places == sorted(places, key=lambda place: -place[1])


@pytest.mark.parametrize(
    ("low", "high", "values"),
    [(0, 10, (0, 2, 4, 6, 8, 10)), (0, 1, (0, 0.2, 0.4, 0.6, 0.8, 1)), (-3, 3, (-2, 0, 2)), (5, 5, (5,))],
)
def test_ticks_are_round(low: float, high: float, values: tuple[float, ...]) -> None:
    assert draw.ticks(low, high) == pytest.approx(values)


def test_decades() -> None:
    assert draw.decades(1, 100) == (1, 2, 5, 10, 20, 50, 100)
    assert draw.decades(1, 10**5) == (1, 10, 100, 1000, 10000, 100000)


@pytest.mark.parametrize(
    ("value", "said"), [(0, "0"), (1536, "1536"), (65536, "65.5K"), (7.75e6, "7.75M"), (2e9, "2G")]
)
def test_brief_values(value: float, said: str) -> None:
    assert draw.brief(value) == said


def test_no_points_no_scale() -> None:
    assert "no points" in svg.scatter([], svg.Axis(title="x"), svg.Axis(title="y"), "points")
