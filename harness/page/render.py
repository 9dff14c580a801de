"""A report as one file of HTML, complete in itself: style, script and data inside, nothing loaded, by policy.

The page's Content-Security-Policy allows the one style and the one script by their hashes and nothing else, so that
whatever a name in a report may look like, a browser neither runs nor loads anything of it. All text goes through
Jinja's escaping; drawings are escaped by xml.etree.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from importlib.metadata import version
from json import dumps as encode
from pathlib import Path
from typing import Any

import jinja2
import msgspec
from markupsafe import Markup

from harness.page import cells, view
from harness.page.document import Code, Column, NotMeasured, Page, Row, Section, Table

PROVENANCE = "provenance"  # the section that what was not measured stands before
_TEMPLATES = Path(__file__).parent / "templates"
# What ends a script element, written so that JSON has the same meaning; what is not ASCII is escaped anyhow.
_JSON_ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "<>&"}


def html(page: Page) -> str:
    """The report as a file of HTML.

    Raises:
        ValueError: the document does not fit together: cells without columns, two places of one name.
    """
    sections = _sections(page)
    _check(sections)
    style, script = _source("page.css"), _source("page.js")
    return (
        _environment()
        .get_template("page.html")
        .render(
            page=page,
            sections=sections,
            contents=[(section.id, section.title) for section in sections],
            policy=_policy(style, script),
            style=Markup(style),  # the project's own two files: everything else is escaped
            script=Markup(script),
            data=Markup(json(page.data)),
            version=version("tflm-harness"),
            signs=cells.SIGNS,
        )
    )


def json(data: object) -> str:
    """JSON that can stand in an element of HTML: what could end the element or a line is escaped."""
    written = encode(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return written.translate(_JSON_ESCAPES)


@functools.cache
def _source(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(view.FILTERS)
    environment.globals.update(inline=cells.inline, sign=cells.sign)
    return environment


def _sections(page: Page) -> tuple[Section, ...]:
    """The page's sections; what was not measured stands before where the numbers come from, or at the end."""
    if not page.not_measured:
        return page.sections
    before = tuple(section for section in page.sections if section.id != PROVENANCE)
    return (*before, _not_measured(page.not_measured), *(item for item in page.sections if item.id == PROVENANCE))


def _not_measured(items: tuple[NotMeasured, ...]) -> Section:
    columns = (
        Column(key="item", title="not measured"),
        Column(key="reason", title="reason"),
        Column(key="command", title="what brings it"),
    )
    rows = tuple(
        Row(cells=(item.item, item.reason, "-" if item.command is None else Code(text=item.command))) for item in items
    )
    table = Table(id="not-measured-items", caption="What is not in this report, and why", columns=columns, rows=rows)
    return Section(id="not-measured", title="Not measured", blocks=(table,))


def _check(sections: tuple[Section, ...]) -> None:
    """Places have names of their own, and links lead to some of them."""
    places: set[str] = set()
    for place in (place for section in sections for place in _places(section)):
        if place in places:
            raise ValueError(f"two places of the report are called {place!r}")
        places.add(place)


def _places(item: Any) -> list[str]:
    """The ids of a document's sections, blocks and rows, in order."""
    found = []
    if isinstance(item, msgspec.Struct):
        own = getattr(item, "id", None)
        found += [own] if own else []
        for field in ("blocks", "rows"):
            for child in getattr(item, field, ()):
                found += _places(child)
    return found
