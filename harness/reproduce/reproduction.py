"""The reproduction of Heim et al. 2021: run, compare, write the page with its figures."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from pathlib import Path
from typing import Any

from harness.errors import EXIT_NOT_MEASURED, EXIT_PASS, EXIT_VERDICT_NO, HarnessError, MissingToolError
from harness.paths import results_folder
from harness.records import Record
from harness.reproduce import compare, emulated, measured, page, plots, sawtooth
from harness.reproduce.emulated import Emulated, RunSweep
from harness.reproduce.lines import Line, Summary, summaries

NAME = "heim2021"


class Reproduction(Record, frozen=True):
    """What was compared, and where the page is. ``missing`` measured rows have no emulated count."""

    lines: tuple[Line, ...]
    ranks: tuple[tuple[str, float | None], ...]
    points: int
    missing: int
    page: Path

    @property
    def summaries(self) -> tuple[Summary, ...]:
        """Each effect."""
        return summaries(self.lines)

    @property
    def exit_code(self) -> int:
        """3: counts are missing; else 1: an effect is not reproduced in its direction; else 0."""
        if self.missing:
            return EXIT_NOT_MEASURED
        return EXIT_VERDICT_NO if any(line.reproduced is False for line in self.lines) else EXIT_PASS


def default_folder(quick: bool) -> Path:
    """Where the page goes."""
    return results_folder() / "reproduce" / (f"{NAME}-quick" if quick else NAME)


def require() -> None:
    """Say what is missing before anything is run.

    Raises:
        MissingToolError: pandas or matplotlib is not installed.
    """
    for module in ("pandas", "matplotlib"):
        if importlib.util.find_spec(module) is None:
            raise MissingToolError(f"{module} is not installed", measured.EXTRA_HINT)


def reproduce(run_sweep: RunSweep, *, quick: bool = False, folder: Path | None = None) -> Reproduction:
    """Run what is not stored yet, compare, write README.md, lines.csv and the figures.

    Args:
        run_sweep: measures a sweep file and returns its name.
        quick: take the stated part only.
        folder: where the page goes; ``default_folder`` by default.

    Raises:
        MissingToolError: pandas, matplotlib, TensorFlow or a compiler is not installed.
        HarnessError: a sweep cannot run, or the page cannot be written.
    """
    require()
    counted = emulated.run(quick, run_sweep)
    return report(measured.load(), counted, quick=quick, folder=folder or default_folder(quick))


def report(boards: measured.Measured, counted: Emulated, *, quick: bool, folder: Path) -> Reproduction:
    """Compare, and write the page."""
    from harness.report import plots_page
    from harness.reproduce import ranks

    joined = compare.join(boards, counted)
    table = sawtooth.table_4(joined.layers)
    lines = all_lines(joined, table)
    files = {
        "README.md": page.markdown(joined, counted.points, lines, table, quick).encode(),
        "lines.csv": page.lines_csv(lines).encode(),
    }
    with plots_page.style():
        files |= {f"{name}.svg": plots_page.save(drawing, "svg") for name, drawing in plots.draw(joined).items()}
    _write(folder, files)
    whole = ranks.by_operator(joined.layers)
    return Reproduction(
        lines=lines,
        ranks=tuple((row["kernels"], row["spearman"]) for _, row in whole[whole["op"] == ranks.EVERY].iterrows()),
        points=len(counted.points),
        missing=compare.missing(joined),
        page=folder / "README.md",
    )


def all_lines(joined: compare.Joined, table_4: Any) -> tuple[Line, ...]:
    """Every comparison, in the page's order."""
    return (
        *compare.speedups(joined),
        *sawtooth.gain_lines(table_4),
        *sawtooth.modulo_lines(joined.layers),
        *compare.energy(joined),
        *compare.steps(joined),
        *compare.shares(joined),
        *(line for figure in sawtooth.FIGURES for line in sawtooth.figure_lines(joined.layers, figure)),
    )


def _write(folder: Path, files: dict[str, bytes]) -> None:
    """All files, or none: the folder's old ones are replaced when all new ones are there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder) as partial:
            for name, content in files.items():
                (Path(partial) / name).write_bytes(content)
            for name in files:
                shutil.move(Path(partial) / name, folder / name)
    except OSError as error:
        raise HarnessError(
            f"cannot write {folder}: {error.strerror or error}", "name another folder with --output"
        ) from error
