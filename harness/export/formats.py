"""The formats: what each is for, and what makes it."""

from __future__ import annotations

from collections.abc import Callable

from harness.errors import BadInputError
from harness.export import chrome, markdown, model_explorer, netron, picture, speedscope, sweep, tables_csv
from harness.export.made import Made, Run
from harness.records import Record
from harness.sweep.tables import PointRow

OfSweep = Callable[[str, tuple[PointRow, ...]], Made]


class Format(Record, frozen=True):
    """A format. ``suffix`` is that of its files; ``of_sweep`` None: there is none of a sweep."""

    name: str
    reader: str
    suffix: str
    of_run: Callable[[Run], Made]
    of_sweep: OfSweep | None = None


_ALL = (
    Format(name="speedscope", reader="speedscope: flame graphs", suffix="json", of_run=speedscope.make),
    Format(name="folded", reader="flamegraph.pl: folded stacks", suffix="txt", of_run=speedscope.make_folded),
    Format(name="model-explorer", reader="Model Explorer: node data", suffix="json", of_run=model_explorer.make),
    Format(name="netron", reader="Netron in a browser: an attachment", suffix="json", of_run=netron.make),
    Format(name="chrome", reader="chrome://tracing, Perfetto: calibrated time", suffix="json", of_run=chrome.make),
    Format(
        name="csv", reader="spreadsheets", suffix="csv", of_run=tables_csv.make, of_sweep=sweep.make_csv
    ),
    Format(
        name="markdown", reader="issues, chats", suffix="md", of_run=markdown.make, of_sweep=sweep.make_markdown
    ),
    Format(name="svg", reader="a picture", suffix="svg", of_run=picture.make_svg),
    Format(name="png", reader="a picture", suffix="png", of_run=picture.make_png),
)  # fmt: skip
FORMATS = {item.name: item for item in _ALL}
_ALSO = {"chrome-trace": "chrome", "perfetto": "chrome", "flamegraph": "folded", "md": "markdown",
         "model_explorer": "model-explorer"}  # fmt: skip


def get(name: str) -> Format:
    """A format by its name, in any case.

    Raises:
        BadInputError: there is none of that name; the hint lists those that there are.
    """
    lower = name.lower()
    found = FORMATS.get(_ALSO.get(lower, lower))
    if found is None:
        raise BadInputError(f"unknown format {name!r}", listed())
    return found


def listed() -> str:
    """All names, for a hint."""
    return f"one of {', '.join(FORMATS)}"
