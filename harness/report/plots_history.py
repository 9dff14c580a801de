"""A metric over the baselines in git as a plot: a panel a baseline, a point each time that it was stored.

The commits stand side by side in their order, equally far apart. Each panel has its own scale.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harness import atomic
from harness.errors import BadInputError, MissingToolError
from harness.gate import words
from harness.history import Entry, History, Series
from harness.paths import results_folder
from harness.report import plots_page as pages
from harness.report.plots_page import FOLDER_HINT, FORMATS, Quantity
from harness.sweep.tables import EXTRA_HINT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PANELS = 8
_PANEL_INCHES = 0.95
_AXIS_POINTS = 90  # for the labels at the left, and between the two titles
_PLOT_POINTS = 460  # how wide a panel is at the least
_LABEL_POINTS = 46  # how wide a change is
_MOST_TICKS = 6


class _Place(NamedTuple):
    """A commit's place on the axis; without a commit, the last one."""

    date: str
    commit: str


def default_folder() -> Path:
    """Where the plots go."""
    return results_folder() / "plots" / "history"


def plot(shown: History, formats: Sequence[str] = (), folder: Path | None = None) -> tuple[Path, ...]:
    """Draw a history, some baselines a page; returns the files.

    Args:
        formats: "png", "svg"; both by default.
        folder: where the files go; ``default_folder`` by default.

    Raises:
        BadInputError: an unknown format, or no entry has a value.
        MissingToolError: matplotlib is not installed.
        HarnessError: a file cannot be written.
    """
    for format in formats:
        if format not in FORMATS:
            raise BadInputError(f"unknown format {format!r}", f"one of {', '.join(FORMATS)}")
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingToolError("matplotlib is not installed", EXTRA_HINT)
    drawn = [item for item in shown.series if any(entry.value is not None for entry in item.entries)]
    if not drawn:
        raise BadInputError(f"no baseline in git holds a number of {shown.metric} that can be read")
    written = []
    with pages.style():
        for first in range(0, len(drawn), _PANELS):
            figure = page(shown, drawn[first : first + _PANELS])
            number = "" if len(drawn) <= _PANELS else f"-{first // _PANELS + 1}"
            for format in dict.fromkeys(formats or FORMATS):
                path = (folder or default_folder()) / f"{shown.metric}{number}.{format}"
                written.append(atomic.write(path, pages.save(figure, format), FOLDER_HINT))
    return tuple(written)


def page(shown: History, series: Sequence[Series]) -> Any:
    """The figure of some baselines; to be called inside of ``plots_page.style``."""
    quantity = pages.quantity(shown.metric, shown.unit if shown.unit in ("B", "ms", "uJ") else "")
    places = _places(series)
    made = pages.page(
        f"{pages.short_name(shown.metric)} of the baselines in git",
        quantity.label,
        pages.Legend((), ()),
        [_PANEL_INCHES] * len(series),
        0.42 * len(series) + 0.35,
        _foot(shown, series),
    )
    for axes, item in zip(made.axes, series, strict=True):
        _panel(axes, item, places, quantity)
        ends = _ends(item.entries, quantity)
        room = pages.ROOM - _AXIS_POINTS - pages.text_width(ends, 9.5)
        axes.set_title(pages.shortened(item.file.removesuffix(".json"), room, 12), pad=4)
        axes.set_title(ends, loc="right", pad=4, fontsize=9, fontweight="normal")
        axes.tick_params(axis="x", labelbottom=axes is made.axes[-1])
    _settle(made)
    return made.figure


def _settle(made: pages.Page) -> None:
    """Lay the page out, and round where its axes are.

    The last digits of the layout's solver are others each time, and names in SVG are hashes of them.
    """
    made.figure.draw_without_rendering()
    made.figure.set_layout_engine("none")
    for axes in made.axes:
        left, bottom, width, height = (round(float(edge), 6) for edge in axes.get_position().bounds)
        axes.set_position((left, bottom, width, height))


def _foot(shown: History, series: Sequence[Series]) -> list[str]:
    notes = ["Each point is a commit that stored the baseline. Each panel has its own scale; none begins at 0."]
    if any(entry.notes and entry.value is not None for item in series for entry in item.entries):
        notes.append("Hollow: not comparable with the point before, or read from an older schema; the table says why.")
    if any(entry.commit is None for item in series for entry in item.entries):
        notes.append("The last place is what is not committed.")
    return [*notes, *shown.notes]


def _places(series: Sequence[Series]) -> dict[_Place, int]:
    """The commits, in the order of their dates; what is not committed comes last."""
    found = {_place(entry) for item in series for entry in item.entries}
    return {place: index for index, place in enumerate(sorted(found, key=lambda place: (not place.commit, place)))}


def _place(entry: Entry) -> _Place:
    return _Place(entry.date or "", entry.commit or "")


def _panel(axes: Axes, item: Series, places: dict[_Place, int], quantity: Quantity) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    across, values, hollow = [], [], []
    for entry in item.entries:
        across.append(places[_place(entry)])
        values.append(float("nan") if entry.value is None else entry.value / quantity.divisor)
        hollow.append(bool(entry.notes))
    axes.plot(across, values, color=pages.BLUE, linewidth=1.4, drawstyle="steps-post")
    for x, y, empty in zip(across, values, hollow, strict=True):
        axes.plot([x], [y], "o", markersize=6, color=pages.BLUE, markerfacecolor="white" if empty else pages.BLUE)
    _label(axes, item.entries, across, values, _LABEL_POINTS / _PLOT_POINTS * max(len(places), 2))
    _scale(axes, [value for value in values if value == value])
    axes.set_xlim(-0.4, max(len(places) - 1, 1) + 0.4)
    shown = _ticks(places)
    axes.set_xticks(list(shown.values()), [f"{place.date[:10] or 'not'}\n{place.commit[:8] or 'committed'}"
                                           for place in shown])  # fmt: skip
    axes.yaxis.set_major_locator(MaxNLocator(nbins=3, steps=[1, 2, 2.5, 5, 10], integer=False))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _position: _tick(value)))
    axes.grid(True, axis="y")


def _tick(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:,.6g}"


def _ticks(places: dict[_Place, int]) -> dict[_Place, int]:
    """As many as there is room for, the last one among them."""
    step = -(-len(places) // _MOST_TICKS)
    return {place: index for place, index in places.items() if (len(places) - 1 - index) % step == 0}


def _scale(axes: Axes, values: Sequence[float]) -> None:
    """Room above for the labels, and no scale so fine that a step of nothing looks like one."""
    low, high = min(values), max(values)
    room = max(high - low, 0.005 * abs(high), 1e-9)
    axes.set_ylim(low - 0.4 * room, high + 0.4 * room)


def _label(axes: Axes, entries: Sequence[Entry], across: Sequence[int], values: Sequence[float], room: float) -> None:
    """Changes in per cent, the largest first, as long as none stands in another one's place; ``room`` is in places."""
    taken: list[int] = []
    for index in sorted(range(len(entries)), key=lambda index: -abs(entries[index].change_percent or 0)):
        percent, x = entries[index].change_percent, across[index]
        if not percent or any(abs(x - other) < room for other in taken):
            continue
        taken.append(x)
        axes.annotate(
            words.percent(percent),
            (x, values[index]),
            (0, 5 if percent > 0 else -5),
            textcoords="offset points",
            ha="center",
            va="bottom" if percent > 0 else "top",
            size=9,
            color=pages.DARK,
        )


def _ends(entries: Sequence[Entry], quantity: Quantity) -> str:
    """The first and the last value, and by how much they differ."""
    values = [entry.value for entry in entries if entry.value is not None]
    first, last = values[0], values[-1]
    if first == last:
        return quantity.text(last)
    change = f" ({words.percent(100 * (last - first) / first)})" if first else ""
    return f"{quantity.text(first).split()[0]} to {quantity.text(last)}{change}"
