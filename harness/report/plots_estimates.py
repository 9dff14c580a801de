"""What a plot says of estimates among its metrics: the models that they are by, and where the truth may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.report.plots_page import Quantity
from harness.report.plots_points import Swept, number_of
from harness.sweep.metrics import ESTIMATES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from harness.report.plots_pareto import Plane


def rests_on(swept: Swept, plane: Plane) -> list[str]:
    """For each metric that is estimated: by which models, and what these rest on."""
    drawn = swept.points.iloc[[spot.row for spot in plane.spots]]
    found = []
    for name in _estimated(plane):
        pairs = zip(drawn[f"{name}_model"], drawn[f"{name}_tier"], strict=True)
        models = sorted({f"{model}, {tier}" for model, tier in pairs})
        found.append(f"{name} estimated by {' and by '.join(models)}")
    return found


def bars(axes: Axes, swept: Swept, plane: Plane, shown: list[Quantity]) -> None:
    """From the lower to the upper bound of each estimate; where nothing bounds it above, the lower half; else none."""
    for across, name in ((True, plane.x), (False, plane.y)):
        if name not in ESTIMATES:
            continue
        for spot in plane.spots:
            found = swept.rows[spot.row].estimate
            known = None if found is None else found.of(name)
            if known is None or known.low is None:
                continue
            x, y = spot.x / shown[0].divisor, spot.y / shown[1].divisor
            divisor = shown[0 if across else 1].divisor
            low, high = known.low / divisor, (known.value if known.high is None else known.high) / divisor
            axes.plot(
                (low, high) if across else (x, x),
                (y, y) if across else (low, high),
                color=spot.status.colour,
                linewidth=0.9,
                alpha=0.45,
                zorder=2,
                label="bounds",
            )


def notes(swept: Swept, plane: Plane) -> list[str]:
    """What the bars mean."""
    rows = [swept.rows[spot.row].estimate for spot in plane.spots]
    known = [quantity for row in rows if row for name in _estimated(plane) if (quantity := row.of(name)) is not None]
    if not known:
        return []
    share = " or ".join(f"{100 * coverage:.0f} %" for coverage in sorted({quantity.coverage for quantity in known}))
    lines = [f"Bars of estimates: between their ends the truth is to lie in {share} of cases."]
    bounded = [quantity for quantity in known if quantity.low is not None]
    if open_ended := sum(quantity.high is None for quantity in bounded):
        lines.append(f"{open_ended} of {number_of(len(bounded), 'bar')} end at the estimate: nothing bounds it above.")
    if len(bounded) < len(known):
        lines.append(f"{len(known) - len(bounded)} of {number_of(len(known), 'estimate')} have no bounds, and no bar.")
    return lines


def _estimated(plane: Plane) -> list[str]:
    return [name for name in (plane.x, plane.y) if name in ESTIMATES]
