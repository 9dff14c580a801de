"""The options --calibration and --carry, which the commands that estimate share."""

from __future__ import annotations

from typing import Annotated

import typer

Calibration = Annotated[
    str | None,
    typer.Option(
        "--calibration",
        "-c",
        metavar="BOARD|FILE",
        help="Estimate by a calibration: a file of harness calibrate, or a board whose calibration is stored.",
        show_default=False,
    ),
]
Carry = Annotated[
    bool,
    typer.Option(
        "--carry",
        help="Use the calibration for another compiler, library, kernel set or flags, too; every output says so.",
        show_default=False,
    ),
]
