"""Measured rows of boards, and the CSV that users fill in: one row is a layer, or a whole network.

===============  =======================================================================================================
network          name of the network's file, as in the column ``model`` of its features; ".tflite" may be left out
architecture     what it has in common with other networks, which are left out together with it; empty: its own
kernels          reference or cmsis-nn
optimisation     -Os, -O2, -O3 or -Ofast
fpu              yes, or no for a soft-float build
elf_sha256       of the measured firmware, where it is the one whose features are given; then the next two may be empty
compiler         what built it, with its version
library          the runtime, and CMSIS-NN where it is used, with their versions
index            of the operator, from 0; empty: the row is of the whole network
op               its operator, as "CONV_2D"; may be empty
cycles           measured for one inference, without what measuring takes; or
latency_ms       the same in milliseconds, at the platform's clock
source           where the number is from
===============  =======================================================================================================
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable
from pathlib import Path

from harness.calibrate.samples import Build
from harness.errors import BadInputError
from harness.records import Platform, Record

COLUMNS = (
    "network",
    "architecture",
    "kernels",
    "optimisation",
    "fpu",
    "elf_sha256",
    "compiler",
    "library",
    "index",
    "op",
    "cycles",
    "latency_ms",
    "source",
)
_TEMPLATE_HINT = "harness calibrate --template prints a CSV to fill in"
_KERNELS = ("reference", "cmsis-nn")
_OPTIMISATIONS = ("-Os", "-O2", "-O3", "-Ofast")
_FPU = {"yes": True, "no": False}
_EXAMPLES = (
    ("kws", "ds-cnn", "reference", "-O2", "yes", "", "arm-none-eabi-gcc 12.2.1", "TFLM July 2020", 0, "CONV_2D",
     1234567, "", "DWT, average of 10 inferences"),
    ("ad", "autoencoder", "reference", "-O2", "yes", "", "arm-none-eabi-gcc 12.2.1", "TFLM July 2020", "", "", "",
     12.34, "oscilloscope, GPIO"),
)  # fmt: skip


class Measurement(Record, frozen=True):
    """One measured row.

    ``network`` names what is left out together, ``model`` the file whose features it is matched with, without its
    extension. ``build.compiler`` and ``build.library`` are empty where ``elf_sha256`` has to say them. ``unfit`` says
    why it takes no part in fits; empty: it does.
    """

    network: str
    architecture: str
    model: str
    build: Build
    elf_sha256: str
    index: int | None
    op: str
    cycles: float
    source: str
    unfit: str = ""


def template() -> str:
    """The CSV to fill in, with two rows as examples."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_EXAMPLES)
    return text.getvalue()


def rows_of(path: Path) -> tuple[tuple[str, ...], list[tuple[int, dict[str, str]]]]:
    """The columns of a CSV, and its rows with their line numbers; cells are stripped, missing ones empty.

    Raises:
        BadInputError: it cannot be read.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            names = tuple(name.strip() for name in reader.fieldnames or ())
            reader.fieldnames = list(names)
            found = [
                (reader.line_num, {name: (row.get(name) or "").strip() for name in names})
                for row in reader
                if any((row.get(name) or "").strip() for name in names)
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadInputError(f"{path}: cannot be read: {reason}", _TEMPLATE_HINT) from error
    return names, found


def read(path: Path, platform: Platform) -> tuple[Measurement, ...]:
    """The rows of a filled-in template, measured on ``platform``.

    Raises:
        BadInputError: it cannot be read, a column is missing, or a cell cannot be used; the message names its line.
    """
    names, rows = rows_of(path)
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise BadInputError(f"{path}: no column {', '.join(missing)}", _TEMPLATE_HINT)
    if not rows:
        raise BadInputError(f"{path}: no rows", _TEMPLATE_HINT)
    found = tuple(_measurement(path, line, cells, platform) for line, cells in rows)
    _check_unique(path, found)
    return found


def _measurement(path: Path, line: int, cells: dict[str, str], platform: Platform) -> Measurement:
    def refuse(what: str) -> BadInputError:
        return BadInputError(f"{path}, line {line}: {what}", _TEMPLATE_HINT)

    for name, allowed in (("kernels", _KERNELS), ("optimisation", _OPTIMISATIONS), ("fpu", tuple(_FPU))):
        if cells[name] not in allowed:
            raise refuse(f"{name} is {cells[name]!r}, not one of {', '.join(allowed)}")
    if not cells["network"]:
        raise refuse("network is empty")
    if not cells["elf_sha256"] and not (cells["compiler"] and cells["library"]):
        raise refuse("what built the firmware is not said: compiler and library, or elf_sha256")
    if cells["index"] and not cells["index"].isdecimal():
        raise refuse(f"index is {cells['index']!r}, not a whole number from 0")
    if bool(cells["cycles"]) == bool(cells["latency_ms"]):
        raise refuse("give cycles or latency_ms, one of them")
    value = _number(cells["cycles"] or cells["latency_ms"])
    if value is None:
        raise refuse(f"{cells['cycles'] or cells['latency_ms']!r} is no positive number")
    network = cells["network"].removesuffix(".tflite")
    build = Build(
        platform=platform.name,
        kernels=cells["kernels"],
        optimisation=cells["optimisation"],
        fpu=_FPU[cells["fpu"]],
        compiler=cells["compiler"],
        library=cells["library"],
    )
    return Measurement(
        network=network,
        architecture=cells["architecture"] or network,
        model=network,
        build=build,
        elf_sha256=cells["elf_sha256"],
        index=int(cells["index"]) if cells["index"] else None,
        op=cells["op"],
        cycles=value if cells["cycles"] else value * 1e-3 * platform.clock_hz,
        source=cells["source"],
    )


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None


def _check_unique(path: Path, rows: Iterable[Measurement]) -> None:
    seen = set()
    for row in rows:
        key = (row.network, row.build, row.elf_sha256, row.index)
        if key in seen:
            which = "the whole network" if row.index is None else f"index {row.index}"
            raise BadInputError(f"{path}: {row.network}, {row.build.label}: {which} has two rows", "give their mean")
        seen.add(key)
