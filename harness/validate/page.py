"""The page of the validation: Markdown and a CSV of every row. The same numbers give the same bytes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.calibrate.heldout import Summary
from harness.errors import BadInputError
from harness.paths import results_folder
from harness.validate import summary
from harness.validate.rows import FITTED, Interval, Network, Validated, Validation, board_order, error
from harness.validate.summary import Share

NOTHING = "-"
PAGE, ROWS, PICTURE = "README.md", "rows.csv", "errors.svg"

_INTRODUCTION = """\
Estimated latency beside every public measurement that this project ships. Nothing here is set by hand: `harness
validate` makes the page from the tables in `harness/reproduce/heim2021` and `harness/calibrate/public`.

**The measured firmware is not at hand.** What was emulated is this project's own build of the same networks
("stand-in build"): other versions of the compiler, of TensorFlow Lite Micro and of CMSIS-NN than the boards ran.
Errors below are therefore of the cost model *and* of these differences together; GCC 12.2 executes up to twice the
instructions of GCC 8 in the reference kernels' inner loops, and CMSIS-NN 4.0.0 has other loops than that of early
2020. A calibration to features of the measured binary has the first part alone; no public data allow to show it."""

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
that took no measurable time; whole inferences whose layers are fitted."""


def folder() -> Path:
    """Where the page is kept."""
    return results_folder() / "validation"


def write(found: Validation, target: Path) -> Path:
    """Write the page, its CSV and its picture, and return the page.

    Raises:
        BadInputError: the folder cannot be written.
    """
    from harness.report import plots_page, plots_validation

    with plots_page.style():
        picture = plots_page.save(plots_validation.figure(found), "svg")
    page = target / PAGE
    try:
        target.mkdir(parents=True, exist_ok=True)
        page.write_text(markdown(found), encoding="utf-8")
        (target / ROWS).write_text(rows_csv(found.rows), encoding="utf-8")
        (target / PICTURE).write_bytes(picture)
    except OSError as failed:
        raise BadInputError(f"{target}: cannot be written: {failed.strerror}", "name another --output") from failed
    return page


def markdown(found: Validation) -> str:
    """The page."""
    parts = [
        "# Estimates against measurements",
        _INTRODUCTION,
        _made(found),
        "## Errors by board and kernels",
        _summary(found),
        f"![Errors of each network]({PICTURE})",
        "## Goals",
        _goals(found),
        "## What is compared",
        _COLUMNS,
        _LEFT_OUT,
        _missing(found),
        *_boards(found.networks),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _made(found: Validation) -> str:
    return (
        f"Model {found.cost_model}; emulated builds: {', '.join(found.compilers)}. {len(found.rows)} measured rows of"
        f" {len(found.networks)} builds of networks. Every row is in [{ROWS}]({ROWS})."
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


def _goals(found: Validation) -> str:
    rows = []
    for line in summary.lines(found.networks):
        mean, worst = summary.GOALS.get(line.core, (None, None))
        goal = NOTHING if mean is None else f"{100 * mean:.0f} / {100 * (worst or 0):.0f} %"
        answer = summary.reached(line)
        word = "cannot be told: one network a build" if answer is None else "reached" if answer else "missed"
        rows.append((line.platform, line.kernels, goal, mean_worst(line.without_network), word))
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
        f"**Not compared**: {len(found.missing)} rows of {networks} builds of networks ({', '.join(kinds)}), further"
        " widths of the same sweeps, were not emulated. `harness validate --emulate FILE --all` does it."
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
