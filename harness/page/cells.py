"""Cells as markup: every text goes into it through ``Markup.format``, which escapes.

There are thousands of cells on a page, and a template for each takes seconds.
"""

from __future__ import annotations

from markupsafe import Markup

from harness.page import text
from harness.page.document import Cell, Code, Column, Link, Mark, Stack
from harness.page.values import Number, Origin

SIGNS: dict[Origin, tuple[str, str]] = {
    "measured": ("m", "counted by the emulator, or read from the firmware's file"),
    "derived": ("d", "computed exactly from what was measured and from the network's file"),
    "estimated": ("e", "what a model says, with its band"),
    "given": ("g", "a limit that somebody set, or a property of the board"),
}
MARKS = {"pass": "\u2713", "fail": "\u2717", "undecided": "?", "note": "\u2022"}

_NOTHING = Markup("")
_SEEN = 0.002  # share of its column from which a bar is seen


def entry(cell: Cell, column: Column, shows: tuple[bool, bool, bool], largest: float, long: bool) -> Markup:
    """A cell of a table.

    Args:
        cell: what it holds.
        column: what it stands in.
        shows: whether unit, origin and band are shown, for what the column's head does not say.
        largest: of the column's magnitudes, which its bars are drawn to.
        long: whether texts of the column are wrapped.
    """
    if isinstance(cell, Number):
        if cell.value is None:
            return Markup('<td class="n none" title="{}">-</td>').format(text.clean(cell.reason or ""))
        bar = _bar(cell.value, largest) if column.bar else _NOTHING
        value = _NOTHING if _says_itself(cell, *shows) else Markup(' data-v="{}"').format(exact(cell.value))
        return Markup('<td class="n"{}>{}{}</td>').format(value, bar, number(cell, *shows))
    return Markup("<td{}>{}</td>").format(_attributes(cell, column, long), inline(cell))


def _attributes(cell: Cell, column: Column, long: bool) -> Markup:
    if column.numeric:
        return Markup(' class="n"')
    if column.cut and isinstance(cell, str):
        return Markup(' class="cut"')
    return Markup(' class="w"') if long else _NOTHING


def _says_itself(shown: Number, unit: bool, origin: bool, _: bool) -> bool:
    """Whether a cell's text is a whole number and nothing else, which the page's script reads as it is."""
    alone = not origin and not (unit and shown.unit)
    return alone and shown.digits == 0 and shown.origin != "estimated" and float(shown.value or 0).is_integer()


def inline(cell: Cell) -> Markup:
    """A cell's content, also of one that stands in no table: then with unit, origin and reason."""
    if isinstance(cell, str):
        return Markup("{}").format(text.name(cell))
    if isinstance(cell, Number):
        why = Markup(' <small class="why">{}</small>').format(text.clean(cell.reason)) if cell.reason else _NOTHING
        return Markup("{}{}").format(number(cell, True, True, True), why)
    if isinstance(cell, Mark):
        return Markup('<span class="said {}">{}{}</span>').format(cell.state, sign(cell.state), text.name(cell.text))
    if isinstance(cell, Link):
        chooses = _NOTHING if cell.chooses is None else Markup(' data-choose="{}"').format(cell.chooses)
        return Markup('<a href="#{}"{}>{}</a>').format(cell.target, chooses, text.name(cell.text))
    if isinstance(cell, Code):
        title = _NOTHING if cell.title is None else Markup(' title="{}"').format(text.clean(cell.title))
        return Markup("<code{}>{}</code>").format(title, text.name(cell.text))
    return _stack(cell)


def sign(state: str) -> Markup:
    """The sign of a verdict, which a word follows."""
    return Markup('<span class="sign" aria-hidden="true">{}</span> ').format(MARKS[state])


def number(shown: Number, unit: bool, origin: bool, bounds: bool) -> Markup:
    """A number, if wanted with its unit, with where it comes from, and with the band of an estimate."""
    if shown.value is None:
        return Markup("-")
    before = Markup('<small class="o {}">{}</small> ').format(SIGNS[shown.origin][0], shown.origin)
    behind = Markup("&nbsp;<small>{}</small>").format(text.name(shown.unit))
    band = text.bounds(shown) if bounds else ""
    return Markup("{}{}{}{}").format(
        before if origin else _NOTHING,
        text.shown(shown),
        behind if unit and shown.unit else _NOTHING,
        Markup(' <small class="band">{}</small>').format(band) if band else _NOTHING,
    )


def exact(value: float) -> str:
    """The value that a table is sorted by, in full where it is a whole number."""
    return str(int(value)) if float(value).is_integer() else f"{value:.9g}"


def _bar(value: float, largest: float) -> Markup:
    """The magnitude as a share of the largest."""
    share = min(abs(value) / largest, 1.0) if largest else 0.0
    if share < _SEEN:
        return _NOTHING
    less = Markup(' class="less"') if value < 0 else _NOTHING
    width = percent(share)
    return Markup('<svg class="bar" aria-hidden="true"><rect width="{}"{}/></svg>').format(width, less)


def percent(share: float) -> str:
    """A part of the width."""
    return f"{100 * share:.2f}".rstrip("0").rstrip(".") + "%"


def _stack(cell: Stack) -> Markup:
    if not cell.parts:
        why = Markup(' <small class="why">{}</small>').format(text.clean(cell.reason)) if cell.reason else _NOTHING
        return Markup("-{}").format(why)
    at, drawn = 0.0, []
    for colour, _, share in cell.parts:
        rect = Markup('<rect class="part-{}" x="{}" width="{}" height="14"/>')
        drawn.append(rect.format(colour, percent(at), percent(share)))
        at += share
    said = ", ".join(f"{text.clean(name)} {100 * share:.0f} %" for _, name, share in cell.parts)
    return Markup('<svg class="mix" role="img" aria-label="{}">{}</svg>').format(said, Markup("").join(drawn))
