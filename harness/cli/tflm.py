"""The options that name a TFLM which the user brings, and what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.errors import BadInputError

if TYPE_CHECKING:
    from harness.user_library.found import Brought

_Paths = Sequence[str | Path]

TflmLib = Annotated[
    list[Path] | None,
    typer.Option(
        "--tflm-lib",
        help="A TFLM of your own, built for the platform's core: libtensorflow-microlite.a; once for each archive.",
        show_default=False,
    ),
]
TflmInclude = Annotated[
    list[Path] | None,
    typer.Option(
        "--tflm-include",
        metavar="DIR[:DIR...]",
        help="Include folders of that TFLM: its root, flatbuffers, gemmlowp, ruy.",
        show_default=False,
    ),
]
TflmHostLib = Annotated[
    list[Path] | None,
    typer.Option(
        "--tflm-host-lib",
        help="The same TFLM built for this host: the reference of every layer, instead of the package tflite-micro.",
        show_default=False,
    ),
]


def brought(archives: _Paths | None, include: _Paths | None, host: _Paths | None) -> Brought | None:
    """The user's TFLM, None where none is named.

    Raises:
        BadInputError: a part of it is named without the archive.
    """
    if not archives:
        if include or host:
            raise BadInputError(
                f"{'--tflm-include' if include else '--tflm-host-lib'} is about a TFLM of your own",
                "add --tflm-lib LIBRARY.a",
            )
        return None
    from harness.user_library.found import Brought

    return Brought(
        archives=tuple(str(Path(path).absolute()) for path in archives),
        include=tuple(map(str, include or ())),
        host=tuple(str(Path(path).absolute()) for path in host or ()),
    )
