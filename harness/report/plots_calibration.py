"""A picture of a calibration: the error of each layer by the fit, and of each network by fits without it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.calibrate.calibration import Calibration, Family
from harness.errors import BadInputError
from harness.report import plots_page
from harness.report.plots_page import BLUE, GREY, LIGHT, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEAST_ROWS = 5
_HEIGHT = 2.9  # inches of a panel


def draw(shown: Calibration, path: Path) -> None:
    """Write an SVG with a panel for each build family of five rows or more; of smaller ones where there are no others.

    Raises:
        BadInputError: the file cannot be written.
    """
    with plots_page.style():
        content = plots_page.save(figure(shown), "svg")
    try:
        path.write_bytes(content)
    except OSError as error:
        raise BadInputError(f"{path}: cannot be written: {error.strerror}", "name another --output") from error


def figure(shown: Calibration) -> Figure:
    """The picture; call inside ``plots_page.style``."""
    from matplotlib.figure import Figure

    large = [family for family in shown.families if family.rows >= LEAST_ROWS]
    families = large or list(shown.families)
    drawn = Figure(figsize=(plots_page.WIDTH, _HEIGHT * len(families) + 0.4), layout="constrained")
    panels = drawn.subplots(len(families), 1, squeeze=False)[:, 0]
    for axes, family in zip(panels, families, strict=True):
        _panel(axes, family)
    handles, labels = panels[0].get_legend_handles_labels()
    for axes in panels[1:]:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            if label not in labels:
                handles.append(handle)
                labels.append(label)
    drawn.legend(handles, labels, loc="outside lower center", ncols=3)
    return drawn


def _panel(axes: Axes, family: Family) -> None:
    layers = [
        (residual.measured, residual.error)
        for residual in family.residuals
        if not residual.unfit and residual.error is not None
    ]
    axes.axhline(0, color=GREY, linewidth=0.8)
    if family.bounds is not None:  # measured / predicted is within the bounds: predicted / measured - 1 in these
        low, high = 100 * (1 / family.bounds.high - 1), 100 * (1 / family.bounds.low - 1)
        axes.axhspan(low, high, color=LIGHT, alpha=0.5, linewidth=0, label="interval of 90 % for networks")
    axes.scatter(
        [measured for measured, _ in layers], [100 * error for _, error in layers],
        s=10, color=BLUE, alpha=0.6, linewidths=0, label="a layer, by the fit",
    )  # fmt: skip
    known = [(item.measured, item.error) for item in family.left_out if item.error is not None]
    if known:
        axes.scatter(
            [measured for measured, _ in known], [100 * error for _, error in known],
            s=34, marker="x", color=VERMILION, linewidths=1.4, label="a network, by a fit without it",
        )  # fmt: skip
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: plots_page.count(value))
    axes.set_title(plots_page.legible(family.build.label))
    axes.set_xlabel("measured cycles")
    axes.set_ylabel("estimated too much, %")
    axes.grid(axis="y")
