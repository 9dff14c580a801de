"""A picture of the validation: the errors of each board's networks, with and without a calibration."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.report import plots_page
from harness.report.plots_page import BLUE, GREY, ORANGE, VERMILION
from harness.validate.rows import Network, Validation, error
from harness.validate.summary import counted, lines

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ROW_INCHES = 0.75
_KINDS: tuple[tuple[str, str, str, float, Callable[[Network], float | None]], ...] = (
    ("uncalibrated", GREY, "o", -0.22, lambda item: item.row.uncalibrated),
    ("calibrated, network left out", BLUE, "s", 0.0, lambda item: item.row.without_network),
    ("calibrated, architecture left out", ORANGE, "^", 0.22, lambda item: item.row.without_architecture),
)


def figure(shown: Validation) -> Figure:
    """A row for each board and kernel set, a mark for each network; call inside ``plots_page.style``."""
    from matplotlib.figure import Figure

    groups = lines(shown.networks)
    drawn = Figure(figsize=(plots_page.WIDTH, _ROW_INCHES * len(groups) + 1.2), layout="constrained")
    axes = drawn.subplots()
    for name, colour, marker, offset, of in _KINDS:
        points = [
            (100 * found, place + offset)
            for place, group in enumerate(groups)
            for item in counted(shown.networks)
            if (item.row.build.platform, item.row.build.kernels) == (group.platform, group.kernels)
            and (found := error(of(item), item.row.measured)) is not None
        ]
        axes.scatter(
            [across for across, _ in points], [down for _, down in points],
            s=16, color=colour, marker=marker, alpha=0.7, linewidths=0, label=name,
        )  # fmt: skip
    axes.axvline(0, color=VERMILION, linewidth=0.8)
    axes.set_yticks(range(len(groups)), [f"{group.platform}\n{group.kernels}" for group in groups])
    axes.invert_yaxis()
    axes.set_xlabel("estimated too much, %")
    axes.grid(axis="x")
    drawn.legend(loc="outside lower center", ncols=len(_KINDS))
    return drawn
