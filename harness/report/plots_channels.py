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
_LOGARITHMIC_FROM, _LOGARITHMIC_UP_FROM = 30.0, 6.0  # times, across and up
_STROKES = ("-", "--", "-.", ":", (0, (1, 2)), (0, (6, 2, 1, 2)))


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
    if "network" not in points:
        return [], set()
    sums = layers.groupby("point")[["instructions", "macs"]].sum().rename(columns=lambda name: f"of_{name}")
    whole = points.merge(sums, left_on="point", right_index=True)
    whole["per_mac"] = whole["of_instructions"].astype(float) / whole["of_macs"].astype(float)
    made, covered = [], set()
    for network, rows in whole.groupby("network", sort=False):
        values = _parameters(rows)
        for name in _PARAMETERS:
            if name not in values or values[name].nunique() < _LEAST:
                continue
            others = values.drop(columns=name).astype(str).apply(lambda column: f"{column.name}=" + column)
            own = rows.assign(channels=values[name].astype("int64"), **dict(others.items()))
            axes = (*(axis for axis in _OPTIMISED if axis in own), *others.columns, *_FIXED)
            made.append(_panel_of(f"{network}, layers with MACs", f"{name} of {network}", own, axes))
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
            channels=own["output_shape"].str.rsplit("x", n=1).str[-1].astype("int64"),
            per_mac=own["instructions_per_mac"],
        )
        if own["channels"].nunique() >= _LEAST:
            axes = (*(axis for axis in ("type",) if axis in own), *_FIXED)
            made.append(_panel_of(op, "channels of the layer's output", own, axes))
    return made


def _panel_of(title: str, across: str, rows: Any, axes: Sequence[str]) -> Panel:
    """Series of the kernel sets for as many variants, of the values of ``axes``, as there are lines for."""
    rows = rows.assign(**{axis: rows[axis].astype("string").fillna("") for axis in axes})
    variants = rows[list(axes)].drop_duplicates()
    shown = variants.head(max(1, _LINES // rows["kernels"].nunique()))
    named = ("kernels", *varying(variants, axes)) if "fpu" in axes else ("kernels",)
    groups = rows.merge(shown, on=list(axes)).groupby([*axes, "kernels"], sort=False)
    return Panel(title, across, tuple(_series(own, named) for _, own in groups), len(shown), len(variants))


def _series(rows: Any, named: Sequence[str]) -> Series:
    ordered = rows.sort_values("channels", kind="stable")
    return Series(
        label(rows.iloc[0], named),
        tuple(int(value) for value in ordered["channels"]),
        tuple(float(value) for value in ordered["per_mac"]),
        bool(ordered["channels"].is_unique and ordered["model"].is_unique),
    )


def draw(swept: Swept, found: Sequence[Panel]) -> Any:
    """The figure."""
    labels = list(dict.fromkeys(series.label for panel in found for series in panel.series))
    made = pages.page(
        f"{swept.plan.name}: instructions per MAC against channels",
        facts(measured(swept.points), (*_FIXED, "kernels")),
        _legend(labels, any(series.line for panel in found for series in panel.series)),
        [_PANEL_INCHES] * len(found),
        0.75 * len(found),
        _notes(found),
    )
    for axes, panel in zip(made.axes, found, strict=True):
        _panel(axes, panel, labels)
    return made.figure


def _panel(axes: Axes, panel: Panel, labels: Sequence[str]) -> None:
    """Filled markers at multiples of four, hollow ones elsewhere."""
    _scales(axes, panel)
    for series in panel.series:
        colour, marker, stroke = _look(labels.index(series.label))
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
    axes.set_title(panel.title, pad=5)
    axes.set_ylabel("instructions per MAC")
    axes.set_xlabel(panel.across)


def _spots(series: Series, multiple: bool) -> str:
    return f"{series.label}, {'multiples' if multiple else 'no multiples'} of 4"


def _look(index: int) -> tuple[str, str, Any]:
    """Colour, marker and stroke of a label; no two of the first 42 are the same."""
    return (
        pages.PALETTE[index % len(pages.PALETTE)],
        pages.MARKERS[index % len(pages.MARKERS)],
        _STROKES[(index + index // len(pages.PALETTE)) % len(_STROKES)],
    )


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
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=20))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _position: f"{value:g}"))
    else:
        axes.set_ylim(0, max(up) * 1.08)


def _legend(labels: Sequence[str], lines: bool) -> pages.Legend:
    from matplotlib.lines import Line2D

    handles = []
    for index in range(len(labels)):
        colour, marker, stroke = _look(index)
        handles.append(Line2D([], [], color=colour, marker=marker, markersize=6.5, linestyle=stroke if lines else ""))
    return pages.Legend(handles, labels)


def _notes(found: Sequence[Panel]) -> list[str]:
    notes = ["Filled markers: multiples of 4; hollow ones: other numbers."]
    if any(not series.line for panel in found for series in panel.series):
        notes.append("Markers without a line: layers that differ in more than their channels.")
    notes += [
        f"{panel.title}: {panel.shown} of {number_of(panel.variants, 'variant')} of network, platform and flags are "
        "shown, the first."
        for panel in found
        if panel.shown < panel.variants
    ]
    return notes
