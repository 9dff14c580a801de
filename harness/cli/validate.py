"""The command that sets estimates beside public measurements of boards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.app import Json, app, relative, write_json
from harness.errors import EXIT_PASS, BadInputError

if TYPE_CHECKING:
    from harness.cost.features import Row


@app.command()
def validate(
    platform: Annotated[
        str | None, typer.Option("--platform", "-p", help="Only this board; makes no page.", show_default=False)
    ] = None,
    layers: Annotated[bool, typer.Option("--layers", help="Show every layer that was measured.")] = False,
    features: Annotated[
        Path | None,
        typer.Option("--features", help="Features of the networks' builds, not those shipped.", show_default=False),
    ] = None,
    emulate: Annotated[
        Path | None,
        typer.Option(
            "--emulate",
            metavar="FILE",
            help="Build and emulate them anew, into this CSV, and take these.",
            show_default=False,
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="With --emulate: every public network, five times as many.")
    ] = False,
    models: Annotated[
        Path | None,
        typer.Option(
            "--models",
            help="With --emulate: folder of the .tflite files that the zoo does not make.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder of the page; results/validation.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> int:
    """Show estimates beside every public measurement of boards: errors, intervals, what was fitted. Makes a page."""
    from harness.calibrate import fit, inputs, public_tables
    from harness.validate import page, whole

    if emulate is None and (everything or models is not None):
        raise BadInputError("--all and --models say nothing without --emulate", "add --emulate FILE.csv")
    if emulate is not None and features is not None:
        raise BadInputError("--features and --emulate are two sources of the same", "give one of them")
    if platform is not None and output is not None:
        raise BadInputError("the page is of all boards", "leave --platform or --output out")
    fit.require()
    if platform is not None:
        inputs.public_rows(platform)
    if emulate is not None:
        _emulate(emulate, platform, everything, models)
    known: list[Row] = inputs.features_of([emulate or features or public_tables.FEATURES])
    usual: list[Row] = []
    if emulate is None and features is None:
        usual, unseen = (
            inputs.features_of([path]) for path in (public_tables.USUAL_FEATURES, public_tables.UNSEEN_FEATURES)
        )
    else:
        known, unseen = _parted(known)
    found = whole.validate(known, usual, platform, unseen)
    made = None if platform is not None else page.write(found, output or page.folder())
    if as_json:
        write_json(whole.to_json(found))
        return EXIT_PASS
    from harness.report import validation as report
    from harness.report.tables import console

    out = console()
    for line in report.lines(found, layers):
        out.print(line)
    if made is not None:
        out.print(f"page: {relative(made)}", markup=False, soft_wrap=True)
    return EXIT_PASS


def _key(row: Row) -> tuple[str, str, str, str, bool]:
    """That of ``standin.key``."""
    return Path(row.model).stem, row.platform, row.kernels, row.optimisation, bool(row.fpu)


def _fitted() -> set[tuple[str, str, str, str, bool]]:
    """The networks' builds that fits are made to: those of the features that are shipped for it."""
    from harness.calibrate import public_tables
    from harness.cost.features import read_csv

    return {_key(row) for row in read_csv(public_tables.FEATURES)}


def _parted(rows: list[Row]) -> tuple[list[Row], list[Row]]:
    """The rows that fits are made to, and those of further widths."""
    keys = _fitted()
    fitted, unseen = [row for row in rows if _key(row) in keys], [row for row in rows if _key(row) not in keys]
    if not fitted:
        raise BadInputError(
            "there is nothing that fits are made to in these features",
            "give those of the networks in harness/calibrate/public/features.csv, too",
        )
    return fitted, unseen


def _emulate(path: Path, platform: str | None, everything: bool, models: Path | None) -> None:
    from harness.calibrate import public_tables, standin
    from harness.cli.calibrate import say
    from harness.cost.features import to_csv
    from harness.report.progress import Steps

    wanted = standin.wanted(public_tables.load(platform))
    if not everything:
        fitted = _fitted()
        wanted = [row for row in wanted if standin.key(row) in fitted]
    with Steps() as steps:
        paths = standin.files(wanted, models, steps)
    found = standin.emulate_all(wanted, paths, say)
    try:
        path.write_text(to_csv(found), encoding="utf-8")
    except OSError as error:
        raise BadInputError(f"{path}: cannot be written: {error.strerror}") from error
