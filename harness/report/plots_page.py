"""The page that every plot of a sweep is drawn on: sizes, fonts, colours, texts that no name can break, files.

Only matplotlib's objects are used: no pyplot, no state that outlives ``style``.
"""

from __future__ import annotations

import contextlib
import functools
import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from harness.report.tables import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = ("png", "svg")
FOLDER_HINT = "name another folder with --output"

WIDTH = 8.0  # inches; at 800 pixels of a page a point is 1.4 pixels
_DPI = 200
_MARGIN = 0.15
ROOM = (WIDTH - 2 * _MARGIN) * 72  # points, for a line of text
_FONT = "DejaVu Sans"  # comes with matplotlib: the same letters everywhere
_TITLE_SIZE, _SMALL_SIZE = 13.0, 9.0
_LEGEND_SIZE, _HANDLE_POINTS = 9.5, 41.0  # of a label; beside it, its handle and the space to the next column
_TITLE_INCHES, _LINE_INCHES, _LEGEND_INCHES = 0.3, 0.175, 0.19
_MARK_INCHES, _VALUE_INCHES = 0.4, 1.45
_ELLIPSIS = "…"

# Okabe and Ito's colours, which people with any colour blindness tell apart.
BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE, YELLOW = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#F0E442")  # fmt: skip
PALETTE = (BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE, YELLOW)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GREY, DARK, LIGHT = "#767676", "#333333", "#D0D0D0"

_STYLE: dict[str, Any] = {
    "font.family": [_FONT],
    "font.size": 10.0,
    "axes.labelsize": 10.0,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": DARK,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "hatch.linewidth": 0.7,
    "legend.fontsize": _LEGEND_SIZE,
    "legend.frameon": False,
    "text.parse_math": False,  # names may hold dollars
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "svg.hashsalt": "tflm-harness",
    "svg.fonttype": "path",
    "savefig.dpi": _DPI,
}


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Everything is drawn and saved inside: with matplotlib's defaults, not the user's, and the page's own."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(cast("Any", _STYLE))
        yield


@functools.cache
def _font() -> Any:
    from matplotlib import font_manager

    return font_manager.get_font(font_manager.findfont(_FONT))


@functools.cache
def _glyphs() -> frozenset[int]:
    return frozenset(_font().get_charmap())


def text_width(text: str, size: float) -> float:
    """How wide a line is, in points (1/72 inch)."""
    font = _font()
    font.set_size(size, 72)
    font.set_text(text)
    return float(font.get_width_height()[0]) / 64


def legible(text: str) -> str:
    """One line in letters that the font has; U+FFFD for any other."""
    return "".join(letter if ord(letter) in _glyphs() else "\ufffd" for letter in printable(text))


def shortened(text: str, room: float, size: float = _SMALL_SIZE) -> str:
    """A legible line of at most ``room`` points: where it is longer, its middle is left out."""
    line = legible(text)
    if text_width(line, size) <= room:
        return line
    low, high = 0, len(line) - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if text_width(_cut(line, middle), size) <= room else (low, middle - 1)
    return _cut(line, low)


def _cut(line: str, letters: int) -> str:
    tail = letters // 2
    return line[: letters - tail] + _ELLIPSIS + (line[-tail:] if tail else "")


def wrapped(text: str, room: float, size: float = _SMALL_SIZE) -> list[str]:
    """The text in lines of at most ``room`` points."""
    lines: list[str] = []
    for word in legible(text).split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size) <= room:
            lines[-1] = longer
        else:
            lines.append(shortened(word, room, size))
    return lines


class Entry(NamedTuple):
    """A line of a key: a mark, what it stands for, values in columns at the right."""

    mark: str
    text: str
    values: tuple[str, ...]


class Legend(NamedTuple):
    """What stands between title and axes, where it hides nothing."""

    handles: Sequence[Any]
    labels: Sequence[str]

    def columns(self) -> int:
        """As many as the page has room for; labels fill a column before the next."""
        widths = [text_width(label, _LEGEND_SIZE) for label in self.labels]
        for columns in range(len(widths), 1, -1):
            least, more = divmod(len(widths), columns)  # the first columns are longer by one
            ends = [column * least + min(column, more) for column in range(columns + 1)]
            widest = [max(widths[first:last]) for first, last in itertools.pairwise(ends)]
            if sum(widest) + _HANDLE_POINTS * len(widest) <= ROOM:
                return columns
        return 1


class Page(NamedTuple):
    """A figure with its axes, one below the other."""

    figure: Figure
    axes: tuple[Axes, ...]


def page(
    title: str, facts: str, legend: Legend, heights: Sequence[float], around: float, foot: Sequence[str | Entry]
) -> Page:
    """A page: title, what holds for all of it in small letters, legend, axes, key and notes at the foot.

    Args:
        heights: of each of the axes, in inches, without its labels.
        around: inches for all of the axes' labels and titles.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    head = wrapped(facts, ROOM) if facts else []
    feet = [line for part in foot for line in ([part] if isinstance(part, Entry) else wrapped(part, ROOM))]
    columns = legend.columns()
    body = sum(heights) + around
    under_facts = _MARGIN + _TITLE_INCHES + _LINE_INCHES * len(head) + 0.04
    top = under_facts + _LEGEND_INCHES * -(-len(legend.labels) // columns) + 0.05
    bottom = 0.7 * _MARGIN + _LINE_INCHES * len(feet)
    height = top + body + bottom
    figure = Figure(figsize=(WIDTH, height))
    figure.set_layout_engine(
        ConstrainedLayoutEngine(rect=(0.01, bottom / height, 0.98, body / height), h_pad=0.05, w_pad=0.06)
    )
    axes = figure.subplots(len(heights), 1, squeeze=False, gridspec_kw={"height_ratios": list(heights)})
    _write(figure, _MARGIN, _MARGIN, shortened(title, ROOM, _TITLE_SIZE * 1.12), size=_TITLE_SIZE, weight="bold")
    for index, text in enumerate(head):
        _write(figure, _MARGIN, _MARGIN + _TITLE_INCHES + index * _LINE_INCHES, text, color=GREY)
    for index, line in enumerate(feet):
        _write_line(figure, height - bottom + index * _LINE_INCHES, line)
    if not legend.labels:
        return Page(figure, tuple(axes[:, 0]))
    made = figure.legend(
        list(legend.handles), list(legend.labels), loc="upper left", ncols=columns, borderpad=0.0, borderaxespad=0.0,
        bbox_to_anchor=(_MARGIN / WIDTH, 1 - under_facts / height), handlelength=2.2, handletextpad=0.5,
        columnspacing=1.4, labelspacing=0.35,
    )  # fmt: skip
    made.set_in_layout(False)
    return Page(figure, tuple(axes[:, 0]))


def _write_line(figure: Figure, down: float, line: str | Entry) -> None:
    if isinstance(line, str):
        _write(figure, _MARGIN, down, line)
        return
    _write(figure, _MARGIN, down, line.mark, color=BLUE, weight="bold")
    room = ROOM - 72 * (_MARK_INCHES + _VALUE_INCHES * len(line.values))
    _write(figure, _MARGIN + _MARK_INCHES, down, shortened(line.text, room))
    for column, text in enumerate(reversed(line.values)):
        shown = shortened(text, 72 * _VALUE_INCHES - 8)
        _write(figure, WIDTH - _MARGIN - _VALUE_INCHES * column, down, shown, ha="right")


def _write(figure: Figure, across: float, down: float, text: str, **options: Any) -> None:
    """Text whose upper corner is so many inches from the left and from the top."""
    width, height = figure.get_size_inches()
    given: dict[str, Any] = {"va": "top", "size": _SMALL_SIZE, "color": DARK} | options
    figure.text(across / width, 1 - down / height, text, **given)


def save(figure: Figure, format: str) -> bytes:
    """The figure as a file's content: the same bytes each time, from the same matplotlib."""
    target = io.BytesIO()
    figure.savefig(target, format=format, metadata={"Date": None} if format == "svg" else {"Software": None})
    return target.getvalue()


# --- numbers ---------------------------------------------------------------------------------------------------------


def count(value: float) -> str:
    """Three digits and k, M or G: "255k"."""
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit * 0.9995:
            return f"{_digits(value / limit)}{letter}"
    return _digits(value)


def _digits(value: float) -> str:
    if value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 999.5 else f"{value:,.0f}"


def _kib(value: float) -> str:
    kib = value / 1024
    return f"{kib:#.4g} KiB" if 1 <= kib < 1000 else f"{kib:,.0f} KiB" if kib >= 1000 else f"{kib:.3f} KiB"


class Quantity(NamedTuple):
    """How a metric is shown: its axis' label, what a value is divided by, a tick's text, a value's text with unit."""

    label: str
    divisor: float
    tick: Callable[[float], str]
    text: Callable[[float], str]


_NAMES = {
    "instructions": "executed instructions of one inference",
    "ram": "RAM with the stack",
    "macs": "MACs",
    "instructions_per_mac": "instructions per MAC",
    "accuracy": "accuracy on the test set",
    "latency": "estimated latency of one inference",
    "energy": "estimated energy of one inference",
}
_COUNTED = {"instructions_per_mac": "per MAC"}
_SHORT = {"instructions": "instructions", "ram": "RAM", "macs": "MACs", "instructions_per_mac": "instructions per MAC",
          "latency": "estimated latency", "energy": "estimated energy"}  # fmt: skip


def short_name(metric: str) -> str:
    """A metric in a title."""
    return _SHORT.get(metric, metric.replace("_", " "))


def quantity(metric: str, unit: str) -> Quantity:
    """How a metric of that unit is shown: bytes in KiB, shares in percent, anything else with k, M, G."""
    name = _NAMES.get(metric, metric.replace("_", " "))
    if unit == "B":
        return Quantity(f"{name} (KiB)", 1024, _digits, _kib)
    if unit == "%":
        return Quantity(f"{name} (%)", 0.01, _digits, lambda value: f"{100 * value:.4g} %")
    shown = unit or _COUNTED.get(metric, short_name(metric))
    return Quantity(f"{name} ({unit})" if unit else name, 1, count, lambda value: f"{count(value)} {shown}")
