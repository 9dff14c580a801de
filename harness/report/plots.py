"""The plots of a stored sweep as files: Pareto fronts, layers, the speed-up of CMSIS-NN, instructions per MAC."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from harness import atomic
from harness.errors import BadInputError, MissingToolError
from harness.paths import results_folder
from harness.records import Record
from harness.report import plots_channels, plots_layers, plots_page, plots_pareto, plots_speedup
from harness.report.plots_page import FOLDER_HINT, FORMATS
from harness.report.plots_points import NotDrawn, Picture, Swept
from harness.sweep import points, tables

_DRAWN: dict[str, Callable[[Swept], list[Picture | NotDrawn]]] = {
    module.KIND: module.pictures for module in (plots_pareto, plots_layers, plots_speedup, plots_channels)
}
KINDS = tuple(_DRAWN)


class Drawn(Record, frozen=True):
    """A plot that was written, in each format."""

    kind: str
    name: str
    files: tuple[Path, ...]


class Left(Record, frozen=True):
    """A plot that was not drawn, and why."""

    kind: str
    name: str
    reason: str


class Plots(Record, frozen=True):
    """What was drawn of a sweep, and what was not."""

    sweep: str
    drawn: tuple[Drawn, ...]
    left: tuple[Left, ...]


def default_folder(name: str) -> Path:
    """Where the plots of the sweep of that name go."""
    return results_folder() / "plots" / name


def read(name: str) -> Swept:
    """A stored sweep, also one that is under way.

    Raises:
        BadInputError: there is no such sweep.
        MissingToolError: pandas is not installed.
    """
    plan = points.read_plan(name)
    rows = tables.point_rows(plan, points.read(name))
    frames = tables.results(name)
    return Swept(plan, rows, frames.points, frames.layers)


def pictures(swept: Swept, kind: str) -> list[Picture | NotDrawn]:
    """The plots of a kind, not yet files; to be called, and its figures used, inside of ``plots_page.style``."""
    return _DRAWN[kind](swept)


def plot(name: str, kinds: Sequence[str] = (), formats: Sequence[str] = (), folder: Path | None = None) -> Plots:
    """Draw a stored sweep.

    Args:
        kinds: of ``KINDS``; all by default.
        formats: both by default.
        folder: where the files go; ``default_folder`` by default.

    Raises:
        BadInputError: there is no such sweep or kind, or nothing in the sweep can be drawn.
        MissingToolError: pandas or matplotlib is not installed.
        HarnessError: a file cannot be written.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise BadInputError(f"unknown kind of plot {kind!r}", f"one of {', '.join(KINDS)}")
    for format in formats:
        if format not in FORMATS:
            raise BadInputError(f"unknown format {format!r}", f"one of {', '.join(FORMATS)}")
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingToolError("matplotlib is not installed", tables.EXTRA_HINT)
    swept = read(name)
    if swept.points["instructions"].isna().all():
        raise BadInputError(f"no point of the sweep {name!r} is measured", "harness sweep FILE runs it")
    target = default_folder(name) if folder is None else folder
    drawn, left = [], []
    with plots_page.style():
        for kind in dict.fromkeys(kinds or KINDS):
            for made in pictures(swept, kind):
                if isinstance(made, NotDrawn):
                    left.append(Left(kind=made.kind, name=made.name, reason=made.reason))
                else:
                    drawn.append(
                        Drawn(kind=kind, name=made.name, files=_save(made, dict.fromkeys(formats or FORMATS), target))
                    )
    if not drawn:
        reasons = "; ".join(f"{item.name}: {item.reason}" for item in left)
        raise BadInputError(f"nothing of the sweep {name!r} can be drawn: {reasons}")
    return Plots(sweep=name, drawn=tuple(drawn), left=tuple(left))


def _save(picture: Picture, formats: Iterable[str], folder: Path) -> tuple[Path, ...]:
    return tuple(
        atomic.write(folder / f"{picture.name}.{format}", plots_page.save(picture.figure, format), FOLDER_HINT)
        for format in formats
    )
