"""What the drawings share: elements that escape their text, positions along the width in per cent, round ticks."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Sequence

from harness.page import text

Element = ET.Element

_NAMES = 20  # names that find room along a drawing


def drawing(kind: str, height: float, label: str) -> Element:
    """An empty drawing of so many pixels in height. ``kind`` is its class, ``label`` what is read out."""
    return ET.Element(
        "svg",
        {"class": f"chart {kind}", "width": "100%", "height": _short(height), "role": "img",
         "aria-label": text.clean(label)},
    )  # fmt: skip


def add(parent: Element, tag: str, **attributes: str | float | None) -> Element:
    """An element below another one. Names have "_" for "-", and "class_" is the class; None leaves one out."""
    given = {
        name.rstrip("_").replace("_", "-"): item if isinstance(item, str) else _short(item)
        for name, item in attributes.items()
        if item is not None
    }
    return ET.SubElement(parent, tag, given)


def write(
    parent: Element, content: str, x: str | float, y: float, kind: str | None = None, anchor: str | None = None
) -> Element:
    """A line of text; ``anchor`` is "middle" or "end"."""
    made = add(parent, "text", x=x, y=y, class_=kind, text_anchor=anchor)
    made.text = text.name(content)
    return made


def mark(parent: Element, tip: str, chooses: str | None = None, target: str | None = None) -> Element:
    """A group that is one mark of a chart: ``tip`` is shown and read out.

    ``chooses`` is the tag that a click on it chooses; ``target`` the place on the page that it leads to.
    """
    group = add(parent, "g", class_="mark", data_choose=chooses, data_target=target)
    ET.SubElement(group, "title").text = text.clean(tip)
    return group


def percent(share: float) -> str:
    """A position along the width: 0 is the left edge, 1 the right one."""
    return f"{_short(100 * share)}%"


def finish(root: Element) -> str:
    """The markup, for a page of HTML."""
    return ET.tostring(root, encoding="unicode")


def _short(number: float) -> str:
    """At most three decimals, without trailing zeros."""
    written = f"{number:.3f}".rstrip("0").rstrip(".")
    return "0" if written in ("-0", "") else written


def levels(root: Element, base: float, ticks: Sequence[tuple[float, float]]) -> None:
    """A line at each value that goes up, (value, its place), behind what is drawn next."""
    for _, y in ticks:
        add(root, "line", x1=0, x2="100%", y1=y, y2=y, class_="grid")
    add(root, "line", x1=0, x2="100%", y1=base, y2=base, class_="base")


def scales(root: Element, title: str, along: str, height: float, ticks: Sequence[tuple[float, float]]) -> None:
    """The titles of both axes, and the values on their lines, in front of what was drawn."""
    write(root, title, 0, 12, "axis")
    write(root, along, "100%", height - 3, "axis", "end")
    for value, y in ticks:
        write(root, brief(value), 0, y - 3, "tick")


def names(root: Element, given: Sequence[str], base: float) -> None:
    """Names of steps below the axis, as many as there is room for."""
    every = -(-len(given) // _NAMES)
    for index in range(0, len(given), every or 1):
        write(root, given[index], percent((index + 0.5) / len(given)), base + 16, "tick", "middle")


def limits(root: Element, given: Sequence[tuple[str, float]]) -> None:
    """Lines across the drawing with their texts at the right: (text, place)."""
    for said, y in given:
        add(root, "line", x1=0, x2="100%", y1=y, y2=y, class_="limit")
        write(root, said, "100%", y - 4, "tick", "end")


def ticks(low: float, high: float, wanted: int = 5) -> tuple[float, ...]:
    """About ``wanted`` round values between two, in steps of 1, 2 or 5 times a power of ten."""
    if not high > low:
        return (low,)
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return tuple(index * step for index in range(first, last + 1))


def decades(low: float, high: float) -> tuple[float, ...]:
    """Round values for a logarithmic axis between two positive values: 1, and 2 and 5 where there are few decades."""
    factors: Sequence[int] = (1, 2, 5) if math.log10(high / low) < 3 else (1,)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    values = (factor * 10.0**power for power in range(first, last + 1) for factor in factors)
    return tuple(value for value in values if low * 0.999 <= value <= high * 1.001)


def brief(value: float) -> str:
    """A value at an axis: with K, M or G where it is large ("7.5M"), three digits."""
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e4, "K")):
        if abs(value) >= limit:
            return f"{value / (1e3 if letter == 'K' else limit):.3g}{letter}"
    return f"{value:.4g}"
