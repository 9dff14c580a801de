"""Instructions by layer: a stacked bar a point, networks one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.report import plots_page as pages
from harness.report.plots_points import (
    NotDrawn,
    Picture,
    Swept,
    facts,
    label,
    measured,
    number_of,
    varying,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KIND = "layers"
OTHER = "other operators"
OVERHEAD = "outside of the layers"

_PANELS = 6
_BARS = 24
_BAR_INCHES = 0.27
_NUMBERED_FROM = 0.035  # of the axis: narrower segments have no room for a number
_LABEL_POINTS, _TITLE_POINTS = 175.0, 370.0
# Pale colours, which black numbers stand out from, each with a pattern of its own.
_LOOKS = (
    ("#6BAED6", ""), ("#F2B84B", "//"), ("#7FCDA8", ".."), ("#F0916B", "\\\\"), ("#D3B3DA", "xx"), ("#F5EE9E", "--"),
    ("#C4A484", "++"))  # fmt: skip
_OTHER_LOOK, _OVERHEAD_LOOK = ("#C8C8C8", "||"), ("#444444", "")


class Segment(NamedTuple):
    """A layer in a bar; ``layer`` is its index, None for what is outside of the layers."""

    layer: int | None
    op: str
    instructions: int


class Bar(NamedTuple):
    """A point: its layers in their order, whose instructions add up to the total."""

    label: str
    total: int
    segments: tuple[Segment, ...]


class Panel(NamedTuple):
    """The points of a network, those with the fewest instructions first; ``left`` of them have no bar."""

    model: str
    bars: tuple[Bar, ...]
    left: int


def pictures(swept: Swept) -> list[Picture | NotDrawn]:
    """One page with all networks for which there is room."""
    found = panels(swept.points, swept.layers)
    if not found:
        return [NotDrawn(KIND, KIND, "no measured point has layers")]
    return [Picture(KIND, KIND, draw(swept, found))]


def panels(points: Any, layers: Any) -> tuple[Panel, ...]:
    """Every network of the sweep, in the order of its points."""
    with_layers = measured(points)
    with_layers = with_layers[with_layers["point"].isin(layers["point"])]
    names = list(dict.fromkeys(with_layers["model"]))
    shown = min(len(names), _PANELS)
    most = max(2, _BARS // shown) if shown else 0
    by_point = dict(iter(layers.groupby("point", sort=False)))
    axes = varying(with_layers, ("platform", "kernels", "optimisation", "fpu", "emulator"))
    made = []
    for name in names:
        own = with_layers[with_layers["model"] == name].sort_values("instructions", kind="stable")
        bars = tuple(_bar(row, axes, by_point[row["point"]]) for _, row in own.head(most).iterrows())
        made.append(Panel(str(name), bars, len(own) - len(bars)))
    return tuple(made)


def _bar(row: Any, axes: Sequence[str], layers: Any) -> Bar:
    ordered = layers.sort_values("index")
    segments = [
        Segment(int(index), str(op), int(instructions))
        for index, op, instructions in zip(ordered["index"], ordered["op"], ordered["instructions"], strict=True)
    ]
    total = int(row["instructions"])
    outside = total - sum(segment.instructions for segment in segments)
    return Bar(label(row, axes) if axes else "", total, (*segments, Segment(None, OVERHEAD, outside)))


def draw(swept: Swept, found: tuple[Panel, ...]) -> Any:
    """The figure."""
    shown = found[:_PANELS]
    looks = _looks(shown)
    made = pages.page(
        f"{swept.plan.name}: instructions by layer",
        facts(measured(swept.points)),
        _legend(looks),
        [_BAR_INCHES * len(panel.bars) for panel in shown],
        (0.58 if len(shown) > 1 else 0.3) * len(shown) + 0.25,
        _notes(found),
    )
    for axes, panel in zip(made.axes, shown, strict=True):
        _panel(axes, panel, looks)
        if len(shown) > 1:
            axes.set_title(pages.shortened(panel.model, _TITLE_POINTS, 12), pad=3)
    made.axes[-1].set_xlabel("executed instructions of one inference")
    return made.figure


def _looks(shown: Sequence[Panel]) -> dict[str, tuple[str, str]]:
    """Colour and pattern of each operator, the most expensive first; those that have none of their own share one."""
    totals: dict[str, float] = {}
    for panel in shown:
        for bar in panel.bars:
            for segment in bar.segments:
                share = segment.instructions / bar.total if bar.total else 0.0
                totals[segment.op] = totals.get(segment.op, 0.0) + share
    totals.pop(OVERHEAD, None)
    ranked = sorted(totals, key=lambda op: (-totals[op], op))
    looks = dict(zip(ranked, _LOOKS, strict=False))
    return looks | ({OTHER: _OTHER_LOOK} if len(ranked) > len(_LOOKS) else {}) | {OVERHEAD: _OVERHEAD_LOOK}


def _panel(axes: Axes, panel: Panel, looks: dict[str, tuple[str, str]]) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    widest = max(bar.total for bar in panel.bars) or 1
    for height, bar in enumerate(panel.bars):
        left = 0
        for segment in bar.segments:
            colour, hatch = looks.get(segment.op, _OTHER_LOOK)
            axes.barh(height, segment.instructions, left=left, height=0.74, color=colour, hatch=hatch,
                      edgecolor="white", linewidth=0.6, label=segment.op)  # fmt: skip
            if segment.layer is not None and segment.instructions >= _NUMBERED_FROM * widest:
                box = {"facecolor": colour, "edgecolor": "none", "pad": 1.0}
                axes.text(left + segment.instructions / 2, height, str(segment.layer), ha="center", size=8.5,
                          va="center_baseline", bbox=box)  # fmt: skip
            left += segment.instructions
        axes.text(bar.total + widest * 0.012, height, pages.count(bar.total), va="center_baseline", size=9)
    axes.set_yticks(range(len(panel.bars)), [pages.shortened(bar.label, _LABEL_POINTS, 9.5) for bar in panel.bars])
    axes.set_ylim(len(panel.bars) - 0.45, -0.55)
    axes.set_xlim(0, widest * 1.09)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _position: pages.count(value)))
    axes.grid(True, axis="x")


def _legend(looks: dict[str, tuple[str, str]]) -> pages.Legend:
    from matplotlib.patches import Patch

    handles = [Patch(facecolor=colour, hatch=hatch, edgecolor="white") for colour, hatch in looks.values()]
    return pages.Legend(handles, tuple(looks))


def _notes(found: tuple[Panel, ...]) -> list[str]:
    shown = found[:_PANELS]
    notes = ["Numbers in the bars: the layer's index. At their ends: instructions in all."]
    if any(panel.left for panel in shown):
        bars, all_of_them = (
            sum(len(panel.bars) for panel in shown),
            sum(len(panel.bars) + panel.left for panel in shown),
        )
        which = (
            "of each network, those with the fewest instructions"
            if len(shown) > 1
            else "those with the fewest instructions"
        )
        of = f"the {number_of(all_of_them)} of these networks" if len(found) > len(shown) else number_of(all_of_them)
        notes.append(f"{bars} of {of} are shown: {which}.")
    if len(found) > len(shown):
        notes.append(f"{len(shown)} of {number_of(len(found), 'network')} are shown: the first of the sweep.")
    return notes
