"""The page of the validation: Markdown and a CSV of every row. The same numbers give the same bytes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.calibrate.heldout import Summary
from harness.errors import BadInputError
from harness.paths import results_folder
from harness.validate import energy, summary
from harness.validate.builds import Builds
from harness.validate.energy import Energy
from harness.validate.rows import FITTED, Interval, Network, Validated, Validation, board_order, error
from harness.validate.summary import Share
from harness.validate.whole import Whole

NOTHING = "-"
PAGE, ROWS, ENERGIES, PICTURE = "README.md", "rows.csv", "energy.csv", "errors.svg"

_INTRODUCTION = """\
Estimated latency and energy beside every public measurement that this project ships. Nothing here is set by hand:
`harness validate` makes the page from the tables in `harness/reproduce/heim2021`, `harness/calibrate/public` and
`harness/energy`.

**The measured firmware is not at hand.** What was emulated are builds of the same networks ("stand-in builds") that are
as near to it as its compiler and libraries are known: GCC 8.3.1 of the release that is taken for the boards', with
sources of TensorFlow Lite Micro and CMSIS-NN of those months (`harness/calibrate/public/README.md` has the versions).
What is left of differences between the builds is part of the errors below. What another compiler and library do to
them is measured, too: see "Other builds"."""

_COLUMNS = """\
* **uncalibrated**: the cost model as it is. Its interval is that of 90 % which follows from measurements of all
  *other* architectures.
* **network left out**: a calibration of the same board and build family (kernel set, compiler, library, flags)
  that has not seen the network; the choice of its coefficients included.
* **architecture left out**: one that has seen no network of that kind, neither: widths of one sweep are much
  alike.
* **interval**: that of 90 % of the calibration, made from errors of other architectures where there are four,
  else of other networks. "-": two others are too few for one.
* Errors are estimated / measured - 1, of a network's layers that were fitted, or of its whole inference."""

_LEFT_OUT = """\
Rows that took no part in fits are estimated all the same, and [rows.csv](rows.csv) says why: SOFTMAX, whose work
depends on weights that are not known; float32 with CMSIS-NN, which has no kernels for it and so no calibration
(the summary leaves these out, they would be counted twice); layers that the board's CMSIS-NN cut short; layers
that took no measurable time; two networks with the times of another one, which must have run instead; whole
inferences whose layers are fitted; widths that are kept to test calibrations."""


def folder() -> Path:
    """Where the page is kept."""
    return results_folder() / "validation"


def write(found: Whole, target: Path) -> Path:
    """Write the page, its CSV and its picture, and return the page.

    Raises:
        BadInputError: the folder cannot be written.
    """
    from harness.report import plots_page, plots_validation

    with plots_page.style():
        picture = plots_page.save(plots_validation.figure(found.times), "svg")
    page = target / PAGE
    try:
        target.mkdir(parents=True, exist_ok=True)
        page.write_text(markdown(found), encoding="utf-8")
        (target / ROWS).write_text(rows_csv(found.times.rows), encoding="utf-8")
        (target / ENERGIES).write_text(energy.to_csv(found.energies), encoding="utf-8")
        (target / PICTURE).write_bytes(picture)
    except OSError as failed:
        raise BadInputError(f"{target}: cannot be written: {failed.strerror}", "name another --output") from failed
    return page


def markdown(found: Whole) -> str:
    """The page."""
    times = found.times
    parts = [
        "# Estimates against measurements",
        _INTRODUCTION,
        _made(times),
        "## Errors by board and kernels",
        _summary(times),
        f"![Errors of each network]({PICTURE})",
        *_unseen(times.unseen),
        "## Goals",
        _goals(times, found.energies),
        "## What is compared",
        _COLUMNS,
        _LEFT_OUT,
        _missing(times),
        *_builds(found.builds),
        *_energies(found.energies),
        *_boards(times.networks),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _made(found: Validation) -> str:
    builds = len({(row.build, row.network) for row in found.rows})
    return (
        f"Model {found.cost_model}; emulated builds: {', '.join(found.compilers)}. {len(found.rows):,} measured rows of"
        f" {builds} builds of networks. Every row is in [{ROWS}]({ROWS})."
    )


def percent(value: float | None, signed: bool = True) -> str:
    """A relative error with a digit."""
    if value is None:
        return NOTHING
    rounded = round(100 * value, 1) or 0.0
    return f"{rounded:+.1f} %" if signed else f"{rounded:.1f} %"


def mean_worst(value: Summary | None) -> str:
    """Mean and worst absolute error."""
    return NOTHING if value is None else f"{100 * value.mean:.1f} / {100 * value.worst:.1f} %"


def share(value: Share) -> str:
    """How many intervals held, of how many."""
    return f"{value.inside} of {value.networks}" if value.networks else NOTHING


def _summary(found: Validation) -> str:
    header = (
        "board", "core", "kernels", "networks", "uncalibrated: mean / worst", "interval held",
        "network left out: mean / worst", "architecture left out: mean / worst", "interval held",
    )  # fmt: skip
    rows = [
        (
            line.platform, line.core, line.kernels, str(line.networks), mean_worst(line.uncalibrated),
            share(line.uncalibrated_held), mean_worst(line.without_network), mean_worst(line.without_architecture),
            share(line.calibrated_held),
        )
        for line in summary.lines(found.networks)
    ]  # fmt: skip
    return table(header, rows)


def _goals(found: Validation, energies: Sequence[Energy]) -> str:
    rows = []
    for line in summary.lines(found.networks):
        mean, worst = summary.GOALS.get(line.core, (None, None))
        goal = NOTHING if mean is None else f"{100 * mean:.0f} / {100 * (worst or 0):.0f} %"
        answer = summary.reached(line)
        word = "cannot be told: one network a build" if answer is None else "reached" if answer else "missed"
        rows.append((line.platform, line.kernels, goal, mean_worst(line.without_network), word))
    for metered in energy.lines(energies):
        aim = energy.GOALS.get(metered.core)
        met = energy.reached(metered)
        word = "cannot be told" if met is None else "reached" if met else "missed"
        rows.append(
            (
                metered.platform,
                "energy",
                NOTHING if aim is None else f"{100 * aim:.0f} %",
                mean_worst(metered.calibrated),
                word,
            )
        )
    held = [line.calibrated_held for line in summary.lines(found.networks)]
    inside, of = sum(item.inside for item in held), sum(item.networks for item in held)
    model = [line.uncalibrated_held for line in summary.lines(found.networks)]
    model_inside, model_of = sum(item.inside for item in model), sum(item.networks for item in model)
    text = (
        f"Intervals of {100 * summary.COVERAGE_GOAL:.0f} %: those of calibrations held {inside} of {of}"
        f" ({_part(inside, of)}), those of the uncalibrated model {model_inside} of {model_of}"
        f" ({_part(model_inside, model_of)})."
        f" Uncalibrated, a Cortex-M4 board is to be within {100 * summary.UNCALIBRATED_GOAL:.0f} % on average; see"
        " above for each board and kernel set."
    )
    header = ("board", "kernels", "goal: mean / worst", "network left out: mean / worst", "")
    return f"{table(header, rows)}\n\n{text}"


def _part(inside: int, of: int) -> str:
    return f"{100 * inside / of:.0f} %" if of else NOTHING


def _missing(found: Validation) -> str:
    if not found.missing:
        return ""
    networks = len({(row.network, row.build) for row in found.missing})
    kinds = sorted({row.architecture for row in found.missing})
    return (
        f"**Not compared**: {len(found.missing)} rows of {networks} builds of networks ({', '.join(kinds)}) have no"
        " features here. `harness validate --emulate FILE --all` makes those of all."
    )


WORST = 5
_UNSEEN = """\
The calibrations of this project are fitted to a few widths of each sweep. The networks here are the other widths, in
the same builds: no fit has seen one of them, and no interval was made from them. They are not in the tables above and
below. *Calibration* is the one that `harness calibrate public` stores, with its own interval: it knows neighbours of
these networks. *Architecture left out* knows no width of the sweep."""


def _unseen(found: Sequence[Network]) -> Iterable[str]:
    if not found:
        return
    yield "## Widths that no calibration has seen"
    yield _UNSEEN
    header = (
        "board", "kernels", "sweep", "networks", "uncalibrated: mean / worst", "interval held",
        "calibration: mean / worst", "interval held", "architecture left out: mean / worst", "interval held",
    )  # fmt: skip
    kinds = [
        (
            kind.platform, kind.kernels, kind.architecture or "all", str(kind.networks),
            mean_worst(kind.uncalibrated), share(kind.uncalibrated_held), mean_worst(kind.stored),
            share(kind.stored_held), mean_worst(kind.without_architecture), share(kind.calibrated_held),
        )
        for kind in summary.kinds(found)
    ]  # fmt: skip
    yield table(header, kinds)
    yield f"The {WORST} of each kernel set that the calibration is furthest off; the rest is in [{ROWS}]({ROWS}):"
    yield table(
        ("board", "kernels", "network", "measured ms", "uncalibrated ms", "error", "calibration ms", "error",
         "interval ms", "held", "architecture left out ms", "error"),
        [_furthest(item) for item in summary.worst(found, WORST)],
    )  # fmt: skip


def _furthest(item: Network) -> tuple[str, ...]:
    row = item.row
    cells = [row.build.platform, row.build.kernels, row.network, number(row.measured)]
    cells += [number(row.uncalibrated), percent(error(row.uncalibrated, row.measured))]
    cells += [number(row.fitted), percent(error(row.fitted, row.measured)), *_interval(item.stored)]
    return *cells, number(row.without_architecture), percent(error(row.without_architecture, row.measured))


_OTHER_BUILDS = """\
The networks counted here were emulated twice: in the build that is nearest to the board's, on which everything else on
this page rests, and in this project's usual build (Debian's GCC, TFLM of July 2020, CMSIS-NN 4.0.0). The measured
firmware is neither. *Instructions* is how many the usual build executes for one of the nearest: geometric mean, least
to most. *Carried* is a calibration to the nearest build, without the network, applied to the usual one: the error of
carrying a calibration to another compiler and library."""


def _builds(found: Sequence[Builds]) -> Iterable[str]:
    if not found:
        return
    yield "## Other builds"
    yield _OTHER_BUILDS
    header = (
        "board", "kernels", "networks", "instructions", "uncalibrated: nearest", "uncalibrated: usual",
        "network left out: nearest", "network left out: usual", "carried",
    )  # fmt: skip
    yield table(
        header,
        [
            (
                item.platform, item.kernels, str(item.networks),
                "{:.2f} ({:.2f} to {:.2f})".format(*item.ratio),
                mean_worst(item.nearest), mean_worst(item.usual), mean_worst(item.nearest_calibrated),
                mean_worst(item.usual_calibrated), mean_worst(item.carried),
            )
            for item in found
        ],
    )  # fmt: skip


_METERED = """\
Energy is time times power. The power of a row is predicted by the board's *other* rows: by another network of the same
build where one was measured (STM32L4R5ZI), else by the board's other builds. *Power alone* takes the measured time;
*uncalibrated* the estimated one; *network left out* that of a calibration that has not seen the network. So no number
that is predicted took part in its prediction. Errors of layers are of those of 0.1 ms or more, of shorter ones the
meter says little, and without SOFTMAX. Every row is in [energy.csv](energy.csv)."""


def _energies(found: Sequence[Energy]) -> Iterable[str]:
    if not found:
        return
    yield "## Energy"
    yield _METERED
    header = (
        "board", "inferences", "power alone: mean / worst", "uncalibrated: mean / worst", "interval held",
        "network left out: mean / worst", "interval held", "layers", "power alone", "uncalibrated", "network left out",
    )  # fmt: skip
    yield table(
        header,
        [
            (
                line.platform, str(line.inferences), mean_worst(line.by_power), mean_worst(line.uncalibrated),
                share(line.uncalibrated_held), mean_worst(line.calibrated), share(line.calibrated_held),
                str(line.layers), mean_worst(line.layers_by_power), mean_worst(line.layers_uncalibrated),
                mean_worst(line.layers_calibrated),
            )
            for line in energy.lines(found)
        ],
    )  # fmt: skip
    yield table(
        ("board", "kernels", "network", "measured uJ", "power alone uJ", "error", "uncalibrated uJ", "error",
         "interval uJ", "held", "network left out uJ", "error", "interval uJ", "held", "power from"),
        [_metered(item) for item in found if item.index is None],
    )  # fmt: skip


def _metered(item: Energy) -> tuple[str, ...]:
    return (
        item.platform,
        item.kernels,
        item.network,
        number(item.measured),
        number(item.by_power),
        percent(error(item.by_power, item.measured)),
        number(item.uncalibrated),
        percent(error(item.uncalibrated, item.measured)),
        *_interval(item.uncalibrated_interval),
        number(item.calibrated),
        percent(error(item.calibrated, item.measured)),
        *_interval(item.calibrated_interval),
        item.power_from,
    )


def _boards(networks: Sequence[Network]) -> Iterable[str]:
    for board in board_order(networks):
        own = [item for item in networks if item.row.build.platform == board]
        yield f"## {board}"
        yield f"Source: {'; '.join(sorted({item.row.source for item in own}))}."
        yield table(
            ("kernels", "flags", "network", "measured ms", "uncalibrated ms", "error", "interval ms", "held",
             "network left out ms", "error", "architecture left out ms", "error", "interval ms", "held", "in the fit"),
            [_network(item) for item in own],
        )  # fmt: skip


def _network(item: Network) -> tuple[str, ...]:
    row = item.row
    build = row.build
    return (
        build.kernels,
        build.optimisation + ("" if build.fpu else " no FPU"),
        row.network,
        number(row.measured),
        number(row.uncalibrated),
        percent(error(row.uncalibrated, row.measured)),
        *_interval(item.uncalibrated),
        number(row.without_network),
        percent(error(row.without_network, row.measured)),
        number(row.without_architecture),
        percent(error(row.without_architecture, row.measured)),
        *_interval(item.calibrated),
        "yes" if row.used == FITTED else f"no: {row.used}",
    )


def _interval(interval: Interval | None) -> tuple[str, str]:
    if interval is None:
        return NOTHING, NOTHING
    return f"{number(interval.low)} to {number(interval.high)}", "yes" if interval.holds else "**no**"


def number(value: float | None) -> str:
    """Milliseconds with three digits at least."""
    if value is None:
        return NOTHING
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


_CSV_COLUMNS = (
    "platform", "kernels", "optimisation", "fpu", "compiler", "library", "network", "index", "op", "measured_ms",
    "uncalibrated_ms", "fitted_ms", "without_network_ms", "without_architecture_ms", "in_fit", "source",
)  # fmt: skip


def rows_csv(rows: Iterable[Validated]) -> str:
    """Every row; a cell that is missing is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_CSV_COLUMNS)
    for row in rows:
        build = row.build
        times = (row.measured, row.uncalibrated, row.fitted, row.without_network, row.without_architecture)
        writer.writerow(
            (
                build.platform, build.kernels, build.optimisation, "yes" if build.fpu else "no", build.compiler,
                build.library, row.network, "" if row.index is None else row.index, row.op or "",
                *("" if value is None else f"{value:.6g}" for value in times),
                "yes" if row.used == FITTED else row.used, row.source,
            )
        )  # fmt: skip
    return text.getvalue()
