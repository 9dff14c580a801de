"""What a report consists of, before it is HTML: sections with tables, charts and texts.

Whoever shows a run, a comparison, a sweep or a study builds these; harness.page.render alone makes HTML of them. All
text here is plain: names of tensors, functions and files go in as they are, and are escaped there.
"""

from __future__ import annotations

from typing import Literal

from harness.page.values import Number
from harness.records import Record

State = Literal["pass", "fail", "undecided", "note"]


class Mark(Record, frozen=True):
    """A verdict on one thing: shown as a sign with a word, never by colour alone."""

    state: State
    text: str


class Link(Record, frozen=True):
    """Text that leads to a place on the same page: ``target`` is the id of a section, a table or a row there.

    ``chooses`` is a tag: following the link also leaves, in every table that has rows with tags of that kind ("layer-3"
    is of the kind "layer"), those alone that have this one. Needs the page's script; the place is reached without it.
    """

    text: str
    target: str
    chooses: str | None = None


class Code(Record, frozen=True):
    """A hash, a command, an address: shown in a font of one width, with ``title`` as what the whole of it is."""

    text: str
    title: str | None = None


class Stack(Record, frozen=True):
    """Parts of a whole as one small bar in a cell: ``parts`` are (index of the colour, name, share from 0 to 1).

    The numbers themselves stand in a table. ``reason`` says why there are no parts.
    """

    parts: tuple[tuple[int, str, float], ...]
    reason: str | None = None


Cell = str | Number | Mark | Link | Code | Stack


class Column(Record, frozen=True):
    """A column: ``key`` is unique in its table, ``help`` says in a sentence what it is (its tooltip).

    ``numeric``: its cells are numbers, set to the right and sorted as such. ``bar``: the share of the column's largest
    number is drawn behind each. ``adds``: its numbers add up, so that the sum of chosen rows can be shown.
    ``cut``: its texts are cut to the room that there is, and are the script's tooltips; another table has them.
    """

    key: str
    title: str
    help: str = ""
    numeric: bool = False
    bar: bool = False
    adds: bool = False
    cut: bool = False


class Row(Record, frozen=True):
    """A row, with a cell for each column. ``id`` makes it a place that links and the URL's hash lead to.

    ``tags`` are what the row is chosen by ("layer-3"); ``kind``: "total" and "other" stay at the end however the table
    is sorted, and are never filtered away.
    """

    cells: tuple[Cell, ...]
    id: str | None = None
    tags: tuple[str, ...] = ()
    kind: Literal["item", "other", "total"] = "item"
    state: State | None = None


class Table(Record, frozen=True):
    """A table: ``id`` is unique on the page. ``sorted_by`` is the column (and "-" in front: from large to small) that
    the rows are sorted by as given; None: in an order of their own. ``filter``: its rows can be filtered by text.
    ``legend``: (class of a colour, its meaning), where cells have bars of parts.
    """

    id: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    sorted_by: str | None = None
    filter: bool = False
    note: str = ""
    legend: tuple[tuple[str, str], ...] = ()


class Chart(Record, frozen=True):
    """A drawing: ``svg`` is what harness.page.svg made, the only markup in a document. ``table`` is the id of the table
    with the same numbers, ``summary`` the text for those who do not see it. ``legend``: (class of a mark, its meaning).
    """

    id: str
    title: str
    svg: str
    summary: str
    table: str
    note: str = ""
    legend: tuple[tuple[str, str], ...] = ()


class Text(Record, frozen=True):
    """A paragraph; ``state`` where it is a verdict."""

    text: str
    state: State | None = None


class Command(Record, frozen=True):
    """A command to copy, and what it does."""

    text: str
    caption: str = ""


class Facts(Record, frozen=True):
    """Names with their values, in pairs."""

    items: tuple[tuple[str, Cell], ...]


class Fold(Record, frozen=True):
    """Blocks behind a summary that opens them; printed open."""

    summary: str
    blocks: tuple[Block, ...]
    id: str | None = None


Block = Table | Chart | Text | Command | Facts | Fold


class Section(Record, frozen=True):
    """A part of the report with a heading. ``id`` is its place on the page, and its name in the table of contents."""

    id: str
    title: str
    blocks: tuple[Block, ...]
    lead: str = ""


class NotMeasured(Record, frozen=True):
    """Something that the reader may look for and that is not there: why, and the command that would bring it."""

    item: str
    reason: str
    command: str | None = None


class Page(Record, frozen=True):
    """A report. ``verdict`` is one sentence, ``state`` what it comes to; sections stand in the order of reading.

    ``data`` goes into the page as JSON for its script: plain values only.
    """

    title: str
    kind: Literal["run", "comparison", "sweep", "study", "calibration"]
    verdict: str
    state: State
    sections: tuple[Section, ...]
    not_measured: tuple[NotMeasured, ...] = ()
    data: dict[str, object] = {}  # noqa: RUF012  (msgspec copies an empty default)
