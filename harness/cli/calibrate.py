"""The commands that fit the cost model to a board's measurements, and estimate by such a fit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.app import Json, app, relative, write_json
from harness.errors import EXIT_PASS, BadInputError

if TYPE_CHECKING:
    from harness.calibrate.measurements import Measurement


_COLUMNS = (
    "Columns of the CSV: network (the file's name, as in its features); architecture (what is left out together; may be"
    " empty); kernels; optimisation; fpu (yes or no); elf_sha256 (of the measured firmware, where the features are its"
    " own), or compiler and library as they call themselves in the features; index of the operator, or empty for the"
    " whole network; op; cycles, or latency_ms at the board's clock; source."
)


@app.command(epilog=_COLUMNS)
def calibrate(
    measurements: Annotated[
        list[str] | None,
        typer.Argument(
            help="CSV files: filled-in templates, captures; or public, the project's own tables.", show_default=False
        ),
    ] = None,
    platform: Annotated[
        str | None, typer.Option("--platform", "-p", help="The board that was measured.", show_default=False)
    ] = None,
    features: Annotated[
        list[Path] | None,
        typer.Option("--features", help="A CSV of harness run --features-out.", show_default=False),
    ] = None,
    models: Annotated[
        Path | None,
        typer.Option(
            "--models", help="Folder of .tflite files to build where features are not given.", show_default=False
        ),
    ] = None,
    compiler: Annotated[
        str | None, typer.Option("--compiler", help="Of captures: what built the firmware.", show_default=False)
    ] = None,
    library: Annotated[
        str | None, typer.Option("--library", help="Of captures: runtime and kernels.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file; results/calibration/PLATFORM.json.", show_default=False),
    ] = None,
    template: Annotated[bool, typer.Option("--template", help="Print a CSV to fill in, and end.")] = False,
    as_json: Json = False,
) -> int:
    """Fit the cost model to cycles that a board took, and say how far it is off on networks left out."""
    from harness.calibrate import calibration, fit, inputs
    from harness.calibrate import measurements as rows

    if template:
        typer.echo(rows.template(), nl=False)
        return EXIT_PASS
    if not measurements or platform is None:
        raise BadInputError(
            "measurements and --platform are needed", "harness calibrate --template prints a CSV to fill in"
        )
    fit.require()
    given = inputs.gather(
        measurements, platform, feature_files=features or (), models=models, compiler=compiler, library=library,
        on_network=say,
    )  # fmt: skip
    path = output or calibration.path_of(platform)
    made = calibration.calibrate(given.pairs, given.data_sha256, given.other)
    content = calibration.merged(path, platform, made)
    calibration.write(path, content)
    picture = _draw(content, path)
    if as_json:
        write_json(path.read_bytes())
        return EXIT_PASS
    from harness.report import calibration as report
    from harness.report.tables import console

    out = console()
    for line in report.lines(made, given.missing):
        out.print(line)
    out.print(f"stored in {relative(path)}, drawn in {relative(picture)}", markup=False, soft_wrap=True)
    return EXIT_PASS


def say(row: Measurement, number: int, count: int) -> None:
    """Tell on standard error which network is emulated."""
    from harness.report.tables import console

    text = f"{number + 1} of {count}: building and emulating {row.model}, {row.build.label}"
    console(stderr=True).print(text, markup=False, soft_wrap=True)


def _draw(content: object, path: Path) -> Path:
    from harness.calibrate.calibration import Calibration
    from harness.report import plots_calibration

    assert isinstance(content, Calibration)
    picture = path.with_suffix(".svg")
    plots_calibration.draw(content, picture)
    return picture


@app.command()
def estimate(
    features: Annotated[Path, typer.Argument(help="A CSV of harness run --features-out.", show_default=False)],
    calibration: Annotated[
        Path, typer.Option("--calibration", "-c", help="A file of harness calibrate.", show_default=False)
    ],
    carry: Annotated[
        bool, typer.Option("--carry", help="Use it for another compiler, library or flags; the estimate says so.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Estimate runs' cycles by a calibration: of the same compiler and library, unless it is carried."""
    import msgspec

    from harness.calibrate import calibration as stored
    from harness.calibrate import carry as carried
    from harness.calibrate.match import runs_of
    from harness.cost.features import read_csv

    known = stored.read(calibration)
    runs = runs_of(read_csv(features))
    if not runs:
        raise BadInputError(f"{features}: no rows", "harness run --cycles --features-out writes such a file")
    found = [carried.estimate(run, known, carry) for run in runs]
    if as_json:
        write_json(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
        return EXIT_PASS
    from harness.report import calibration as report
    from harness.report.tables import console

    out = console()
    for item in found:
        for line in report.calibrated(item):
            out.print(line)
    return EXIT_PASS
