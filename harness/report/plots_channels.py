"""Instructions per MAC against channels: what the kernels lose where channels are no multiple of four."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.report import plots_page as pages
from harness.report.plots_points import NotDrawn, Picture, Swept, facts, label, measured, number_of, varying

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KIND = "channels"

_OPERATORS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_FIXED = ("platform", "optimisation", "fpu", "emulator")
_OPTIMISED = ("type", "weights", "seed", "sparsity", "channel_pruning", "multiple_of")
_PARAMETERS = ("channels", "inputs", "filters", "units")  # of networks of the zoo, counted in channels
_LEAST = 3
_LINES = 6
_PANEL_INCHES = 2.4
_LEGEND_COLUMNS, _LEGEND_POINTS, _HANDLE_POINTS = 3, 500.0, 48.0
_LOGARITHMIC_FROM, _LOGARITHMIC_UP_FROM = 30.0, 6.0  # times, across and up
_STROKES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (1, 2)), (0, (6, 2, 1, 2)))


class Series(NamedTuple):
    """The layers of an operator under one kernel set: channels of the output, and instructions per MAC.

    ``line``: they are of networks that differ in their channels alone, so that they can be joined.
    """

    label: str
    channels: tuple[int, ...]
    per_mac: tuple[float, ...]
    line: bool


class Panel(NamedTuple):
    """An operator, or a network with the parameter that is varied; ``shown`` of its ``variants`` have series."""

    title: str
    across: str
    series: tuple[Series, ...]
    shown: int
    variants: int


def pictures(swept: Swept) -> list[Picture | NotDrawn]:
    """One page, where a network or an operator has enough numbers of channels."""
    found = panels(swept.points, swept.layers)
    if not found:
        reason = f"no network is there with {_LEAST} numbers of channels, and no operator of {', '.join(_OPERATORS)}"
        return [NotDrawn(KIND, KIND, reason)]
    return [Picture(KIND, KIND, draw(swept, found))]


def panels(points: Any, layers: Any) -> tuple[Panel, ...]:
    """Networks of the zoo whose channels are varied; then, of all other networks, the layers of each operator."""
    usable = layers[layers["instructions_per_mac"].notna() & (layers["macs"] > 0)]
    varied, covered = _of_networks(measured(points), usable)
    return (*varied, *_of_operators(usable[~usable["model"].isin(covered)]))


def _of_networks(points: Any, layers: Any) -> tuple[list[Panel], set[str]]:
    """A panel a network and parameter, of all its layers that multiply; and the models that are in them."""
    sums = layers.groupby("point")[["instructions", "macs"]].sum().rename(columns=lambda name: f"of_{name}")
    whole = points.merge(sums, left_on="point", right_index=True)
    whole["per_mac"] = whole["of_instructions"].astype(float) / whole["of_macs"].astype(float)
    made, covered = [], set()
    for network, rows in whole.groupby("network", sort=False):
        values = _parameters(rows)
        for name in _PARAMETERS:
            if name not in values or values[name].nunique() < _LEAST:
                continue
            others = {f"parameter {other}": f"{other}=" + values[other] for other in values if other != name}
            own = rows.assign(across=values[name].astype("int64"), **others)
            axes = (*_OPTIMISED, *others, *_FIXED)
            panel = _panel_of(f"{network} by {name}: layers with MACs", f"{name} of {network}", own, axes)
            if panel is not None:
                made.append(panel)
                covered |= set(rows["model"])
    return made, covered


def _parameters(rows: Any) -> Any:
    """A column a parameter, its values as text, from "channels=8,kernel=3"."""
    import pandas

    given = [dict(part.split("=", 1) for part in str(text).split(",") if "=" in part) for text in rows["parameters"]]
    return pandas.DataFrame(given, index=rows.index)


def _of_operators(layers: Any) -> list[Panel]:
    """A panel an operator, its layers by the last dimension of their output."""
    made = []
    for op in _OPERATORS:
        own = layers[layers["op"] == op]
        own = own.assign(
            across=own["output_shape"].str.rsplit("x", n=1).str[-1].astype("int64"),
            per_mac=own["instructions_per_mac"],
        )
        made.append(_panel_of(op, "channels of the layer's output", own, ("type", *_FIXED)))
    return [panel for panel in made if panel is not None]


def _panel_of(title: str, across: str, rows: Any, axes: Sequence[str]) -> Panel | None:
    """Series of the kernel sets, for as many variants as there are lines for; None where there are no series.

    A variant has the same values of all ``axes``. Those with too few numbers of channels are others' by-products.
    """
    rows = rows.assign(**{axis: rows[axis].astype("string").fillna("") for axis in axes})
    rows = rows[rows.groupby(list(axes))["across"].transform("nunique") >= _LEAST]
    if rows.empty:
        return None
    variants = rows[list(axes)].drop_duplicates()
    named = ("kernels", *varying(variants, axes))
    series: list[Series] = []
    shown = 0
    for _, variant in rows.groupby(list(axes), sort=False):
        more = [_series(own, named) for _, own in variant.groupby("kernels", sort=False)]
        joined = all(one.line for one in (*series, *more))
        if series and (not joined or len(series) + len(more) > _LINES):  # of markers alone, one variant is enough
            break
        series += more
        shown += 1
    return Panel(title, across, tuple(series), shown, len(variants))


def _series(rows: Any, named: Sequence[str]) -> Series:
    ordered = rows.sort_values("across", kind="stable")
    return Series(
        label(rows.iloc[0], named),
        tuple(int(value) for value in ordered["across"]),
        tuple(float(value) for value in ordered["per_mac"]),
        bool(ordered["across"].is_unique and ordered["model"].is_unique),
    )


def draw(swept: Swept, found: Sequence[Panel]) -> Any:
    """The figure."""
    made = pages.page(
        f"{swept.plan.name}: instructions per MAC against channels",
        facts(measured(swept.points), (*_FIXED, "kernels")),
        pages.Legend((), ()),
        [_PANEL_INCHES] * len(found),
        sum(0.85 + 0.19 * _legend_rows(panel) for panel in found),
        _notes(found),
    )
    for axes, panel in zip(made.axes, found, strict=True):
        _panel(axes, panel)
    return made.figure


def _panel(axes: Axes, panel: Panel) -> None:
    """Filled markers at multiples of four, hollow ones elsewhere."""
    _scales(axes, panel)
    for index, series in enumerate(panel.series):
        colour, marker, stroke = pages.PALETTE[index], pages.MARKERS[index], _STROKES[index]
        if series.line:
            axes.plot(series.channels, series.per_mac, color=colour, linestyle=stroke, linewidth=1.4,
                      zorder=3, label=series.label)  # fmt: skip
        for multiple in (False, True):
            spots = [
                (channel, value)
                for channel, value in zip(series.channels, series.per_mac, strict=True)
                if (channel % 4 == 0) == multiple
            ]
            if spots:
                across, up = zip(*spots, strict=True)
                axes.scatter(across, up, s=34, marker=marker, edgecolors=colour, linewidths=1.3, zorder=4,
                             facecolors=colour if multiple else "white", label=_spots(series, multiple))  # fmt: skip
    _legend(axes, panel)
    axes.set_ylabel("instructions per MAC")
    axes.set_xlabel(panel.across)


def _spots(series: Series, multiple: bool) -> str:
    return f"{series.label}, {'multiples' if multiple else 'no multiples'} of 4"


def _scales(axes: Axes, panel: Panel) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, MultipleLocator, NullLocator

    across = [channel for series in panel.series for channel in series.channels]
    up = [value for series in panel.series for value in series.per_mac]
    axes.grid(True, axis="y")
    if max(across) <= 64:
        axes.xaxis.set_major_locator(MultipleLocator(4))
        for four in range(4, max(across) + 1, 4):
            axes.axvline(four, color=pages.LIGHT, linewidth=1.0, zorder=1, label="multiple of 4")
    elif max(across) / min(across) >= _LOGARITHMIC_FROM:
        axes.set_xscale("log", base=2)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _position: f"{value:g}"))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=9, steps=[1, 2, 4, 8, 10], integer=True))
    if max(up) / min(up) >= _LOGARITHMIC_UP_FROM:
        axes.set_yscale("log")
        subs = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0) if max(up) / min(up) < 2 * _LOGARITHMIC_FROM else (1.0, 2.0, 5.0)
        axes.yaxis.set_major_locator(LogLocator(subs=subs, numticks=20))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _position: f"{value:g}"))
    else:
        axes.set_ylim(0, max(up) * 1.08)


def _legend(axes: Axes, panel: Panel) -> None:
    """Between the title and the axes; no panel has the lines of another."""
    from matplotlib.lines import Line2D

    handles = []
    for index, series in enumerate(panel.series):
        stroke: Any = _STROKES[index] if series.line else ""
        handles.append(Line2D([], [], color=pages.PALETTE[index], marker=pages.MARKERS[index], linestyle=stroke))
    rows = _legend_rows(panel)
    columns = -(-len(panel.series) // rows)
    room = _LEGEND_POINTS / columns - _HANDLE_POINTS
    labels = [pages.shortened(series.label, room, 9.5) for series in panel.series]
    axes.legend(handles, labels, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=columns,
                borderpad=0.0, borderaxespad=0.4, handlelength=2.6, columnspacing=1.6, labelspacing=0.35)  # fmt: skip
    axes.set_title(panel.title, pad=8 + 13.7 * rows)


def _legend_rows(panel: Panel) -> int:
    return -(-len(panel.series) // _LEGEND_COLUMNS)


def _notes(found: Sequence[Panel]) -> list[str]:
    notes = ["Filled markers: multiples of 4; hollow ones: other numbers."]
    if any(not series.line for panel in found for series in panel.series):
        notes.append("Markers without a line: layers that differ in more than their channels.")
    notes += [
        f"{panel.title}: {panel.shown} of {number_of(panel.variants, 'variant')} of network, platform and flags "
        f"{'is' if panel.shown == 1 else 'are'} shown, the first."
        for panel in found
        if panel.shown < panel.variants
    ]
    return notes
