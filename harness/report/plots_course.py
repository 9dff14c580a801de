"""How searches got on: the value of what they would have picked, after so many trials."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from harness.report import plots_page as pages
from harness.sweep.metrics import METRICS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BODY_INCHES, _AROUND_INCHES = 3.2, 0.5
_LOGARITHMIC_FROM = 8.0


class Step(NamedTuple):
    """After ``trials`` the choice has this ``value`` of the objective; ``met``: it meets every budget."""

    trials: int
    value: float
    met: bool


class Line(NamedTuple):
    """A search. Several of one ``name`` are of several seeds, and have one ``colour`` and one ``marker``."""

    name: str
    colour: str
    marker: str
    steps: tuple[Step, ...]


def convergence(
    metric: str, lines: Sequence[Line], trials: int, title: str, facts: str, notes: Sequence[str] = ()
) -> Figure:
    """A step line for each search, from the first trial that it would have picked to the last; marks where it turns.

    To be called, and its figure saved, inside of ``plots_page.style``.
    """
    from matplotlib.lines import Line2D
    from matplotlib.ticker import FuncFormatter

    shown = pages.quantity(metric, METRICS[metric].unit)
    names = {line.name: line for line in lines}
    handles = [Line2D([], [], color=line.colour, marker=line.marker, markersize=5) for line in names.values()]
    labels = [f"{name}{_found(lines, name)}" for name in names]
    if any(not step.met for line in lines for step in line.steps):
        handles.append(Line2D([], [], linestyle="", color=pages.VERMILION, marker="x", markersize=7, markeredgewidth=2))
        labels.append("misses a budget, or may miss one")
    made = pages.page(title, facts, pages.Legend(handles, labels), [_BODY_INCHES], _AROUND_INCHES, list(notes))
    axes = made.axes[0]
    axes.grid(True)
    for line in lines:
        across = [step.trials for step in line.steps]
        up = [step.value / shown.divisor for step in line.steps]
        axes.step(across, up, where="post", color=line.colour, linewidth=1.3, alpha=0.85)
        turns = [place for place, value in enumerate(up) if place == 0 or value != up[place - 1]]
        axes.scatter([across[place] for place in turns], [up[place] for place in turns], s=22, color=line.colour,
                     marker=line.marker, zorder=3)  # fmt: skip
        missed = [step for step in line.steps if not step.met]
        axes.scatter([step.trials for step in missed], [step.value / shown.divisor for step in missed], s=42,
                     color=pages.VERMILION, marker="x", linewidths=2, zorder=4)  # fmt: skip
    axes.set_xlim(0, trials * 1.02)
    axes.set_xlabel("trials")
    axes.set_ylabel(f"{shown.label},\nof what it would pick")
    values = [step.value for line in lines for step in line.steps if step.value > 0]
    if values and max(values) > _LOGARITHMIC_FROM * min(values):
        axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _place: shown.tick(value)))
    axes.yaxis.set_minor_formatter(FuncFormatter(lambda value, _place: shown.tick(value) if _labelled(values) else ""))
    return made.figure


def _labelled(values: Sequence[float]) -> bool:
    """Whether ticks between powers of ten are needed to read the axis."""
    return math.log10(max(values) / min(values)) < 1.2


def _found(lines: Sequence[Line], name: str) -> str:
    own = [line for line in lines if line.name == name]
    found = sum(bool(line.steps) for line in own)
    return f" ({found} of {len(own)} searches found one)" if len(lines) > 1 else ""
