"""What the cost model knows of each operator of a run, and its CSV: what a calibration is fitted to.

A row is an operator; the last one, without an index, is what runs around the operators ("overhead"). Columns:

==================  ====================================================================================================
model ... elf_sha256  the run: network, board, clock in Hz, build; equal in all rows of a run
cost_model          the model that made ``core_cycles``
index, op, macs     the operator; index is empty in the row of the overhead
instructions        executed
core_cycles         what the core takes for them where memory answers at once (a model)
taken               branches taken
unaligned           accesses that unaligned loads and stores take more than aligned ones
code_bytes          bytes of the executed instructions
fetched             the next five are simulated lines of the flash (``records.FlashUse``), empty where the platform's
                    interface is not known: instruction lines gone to
jump_misses         of these, read from the flash after a jump
onward_misses       of these, read from the flash as the next in a row
flash_loads         accesses of loads to the flash
load_misses         data lines read from the flash
==================  ====================================================================================================

More rows of other runs may follow in the same file.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

import msgspec

from harness.errors import BadInputError
from harness.records import FlashUse, Record


class Features(Record, frozen=True):
    """One operator's features; ``flash`` is None where the flash's interface is not known. Units as in the module."""

    instructions: int
    core_cycles: float
    taken: int
    unaligned: int
    code_bytes: int
    flash: FlashUse | None


class Row(Record, frozen=True):
    """A row of the CSV."""

    model: str
    model_sha256: str
    platform: str
    core: str
    clock_hz: int
    kernels: str
    optimisation: str
    fpu: str
    compiler: str
    tflm: str
    cmsis_nn: str
    elf_sha256: str
    cost_model: str
    index: int | None
    op: str
    macs: int
    instructions: int
    core_cycles: float
    taken: int
    unaligned: int
    code_bytes: int
    fetched: int | None
    jump_misses: int | None
    onward_misses: int | None
    flash_loads: int | None
    load_misses: int | None

    @property
    def features(self) -> Features:
        """The operator's features alone."""
        flash = (self.fetched, self.jump_misses, self.onward_misses, self.flash_loads, self.load_misses)
        known = [value for value in flash if value is not None]
        use = None
        if len(known) == len(flash):
            use = FlashUse(**dict(zip(FlashUse.__struct_fields__, known, strict=True)))
        return Features(
            instructions=self.instructions,
            core_cycles=self.core_cycles,
            taken=self.taken,
            unaligned=self.unaligned,
            code_bytes=self.code_bytes,
            flash=use,
        )


COLUMNS = Row.__struct_fields__


def to_csv(rows: Iterable[Row]) -> str:
    """The rows under a header; None is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        values = msgspec.structs.asdict(row)
        writer.writerow("" if values[name] is None else values[name] for name in COLUMNS)
    return text.getvalue()


def read_csv(path: Path) -> tuple[Row, ...]:
    """The rows of a file; columns may stand in any order.

    Raises:
        BadInputError: it cannot be read, a column is missing, or a value is none of its type; the message names it.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise BadInputError(
                    f"{path}: no column {', '.join(missing)}", "harness run --cycles --features-out writes such a file"
                )
            return tuple(_row(path, reader.line_num, values) for values in reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInputError(f"{path}: cannot be read: {error}") from error


def _row(path: Path, line: int, values: dict[str, str]) -> Row:
    given = {name: None if values[name] == "" else values[name] for name in COLUMNS}
    for name in ("fpu", "cmsis_nn", "compiler"):
        given[name] = given[name] or ""
    try:
        return msgspec.convert(given, Row, strict=False)
    except msgspec.ValidationError as error:
        raise BadInputError(f"{path}, line {line}: {error}") from error
