"""Results on disk: results/runs/<run id>/ with result.json, tables, console log, ELF and, written last, a manifest."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import filelock
import msgspec

from harness import isa
from harness.errors import BadInputError, HarnessError, NewerSchemaError
from harness.paths import results_folder
from harness.records import Record
from harness.result import SCHEMA, Artifacts, Function, Result

_OLDER_SCHEMAS = ("tflm-harness/run/1",)
_RESULT = "result.json"
_MANIFEST = "manifest.json"
FUNCTIONS_CSV = "functions.csv"
EMULATOR_LOG = "emulator.log"
_FORMULA = re.compile("(^|;)(?= *[=+\\-@\uff1d\uff0b\uff0d\uff20])")  # the last four are the same signs in full width
ARTIFACTS = Artifacts(
    elf="firmware.elf", uart_log="uart.log", layers_csv="layers.csv", functions_csv=FUNCTIONS_CSV, emulator_log=None
)


class Manifest(Record, frozen=True):
    """What a run's folder holds: SHA-256 of each file. Its presence says that the run is complete."""

    schema: str
    run_id: str
    created: str
    command: tuple[str, ...]
    files: dict[str, str]


class Stored(Record, frozen=True):
    """A run as a list shows it: its folder's name, when it was stored, and its result, or why that cannot be read."""

    run_id: str
    created: str | None
    result: Result | None
    damage: str | None


def runs_folder() -> Path:
    """Where runs are kept."""
    return results_folder() / "runs"


def save(result: Result, elf: Path, uart: str, command: tuple[str, ...], log: str | None = None) -> Result:
    """Store a run under its id, replacing an earlier one of the same id; returns it with absolute artifact paths.

    ``log`` is the emulator's own, which ``result.artifacts`` names where there is one.

    Raises:
        HarnessError: the folder cannot be written. Nothing half-written is left.
    """

    def fill(work: Path) -> None:
        shutil.copyfile(elf, work / ARTIFACTS.elf)
        (work / ARTIFACTS.uart_log).write_text(uart, encoding="utf-8")
        (work / ARTIFACTS.layers_csv).write_text(layers_csv(result), encoding="utf-8")
        if result.functions is not None:
            (work / FUNCTIONS_CSV).write_text(functions_csv(result.functions), encoding="utf-8")
        if log is not None:
            (work / EMULATOR_LOG).write_text(log, encoding="utf-8")
        (work / _RESULT).write_bytes(result.to_json())

    return _absolute(result, _store(result.run_id, fill, command))


def contents(run_id: str) -> dict[str, bytes]:
    """The files of a stored run by their names, to be given to ``adopt`` on another machine.

    Raises:
        BadInputError: there is no such run.
    """
    folder = _find(run_id)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != _MANIFEST}


def adopt(run_id: str, contents: Mapping[str, bytes], command: tuple[str, ...]) -> Result:
    """Store a run that was measured on another machine, as ``save`` does; returns it with absolute artifact paths.

    Raises:
        BadInputError: it is not that run, or was stored by another version.
        HarnessError: the folder cannot be written. Nothing half-written is left.
    """
    try:
        result = decode(contents[_RESULT], run_id)
    except (KeyError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInputError(f"{run_id}: no readable {_RESULT}: {error}") from error
    foreign = [name for name in contents if Path(name).name != name or name == _MANIFEST]
    if result.run_id != run_id or Path(run_id).name != run_id or foreign:
        raise BadInputError(f"{run_id}: not that run: {', '.join(foreign) or result.run_id}")

    def fill(work: Path) -> None:
        for name, content in contents.items():
            (work / name).write_bytes(content)

    return _absolute(result, _store(run_id, fill, command))


def _store(run_id: str, fill: Callable[[Path], None], command: tuple[str, ...]) -> Path:
    """A run's folder, moved into place with all that ``fill`` writes and a manifest of it."""
    folder = runs_folder() / run_id
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
        try:
            fill(work)
            manifest = Manifest(
                schema=SCHEMA,
                run_id=run_id,
                created=datetime.now(UTC).isoformat(timespec="seconds"),
                command=command,
                files=files(work),
            )
            partial = work / f"{_MANIFEST}.part"
            partial.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")
            partial.replace(work / _MANIFEST)
            work.chmod(0o755)
            _move_into_place(work, folder, manifest)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise HarnessError(
            f"cannot store the run in {folder.parent}: {error.strerror or error}",
            "free some space, or name another folder in HARNESS_RESULTS",
        ) from error
    return folder


def _move_into_place(work: Path, folder: Path, manifest: Manifest) -> None:
    """Where the same files are stored already, only the manifest is new, so that readers find the run at any time."""
    with filelock.FileLock(f"{folder.parent / '.lock'}"):
        if _is_complete(folder) and files(folder) == manifest.files:
            (work / _MANIFEST).replace(folder / _MANIFEST)
            return
        old = folder.parent / f".old-{folder.name}-{os.getpid()}"
        if folder.exists():
            folder.rename(old)
        try:
            work.rename(folder)
        except BaseException:
            if old.exists():
                old.rename(folder)
            raise
        shutil.rmtree(old, ignore_errors=True)


def files(folder: Path) -> dict[str, str]:
    """SHA-256 of what a run's folder holds."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.name != _MANIFEST
    }


def load(run: str) -> Result:
    """A stored run by its id, a part of it that no other run has, or the path of its folder.

    Raises:
        BadInputError: there is no such run, or it was stored by a newer version.
    """
    return _read(_find(run))


def manifest(result: Result) -> Manifest | None:
    """The manifest of a loaded run's folder, None where it lies in none: a baseline, a file of a result."""
    path = Path(result.artifacts.elf).parent / _MANIFEST
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    return found if found.run_id == result.run_id else None


def _read(folder: Path) -> Result:
    try:
        result = decode((folder / _RESULT).read_bytes(), folder.name)
    except FileNotFoundError as error:
        raise BadInputError(f"{folder}: no complete run ({Path(error.filename).name} is missing)") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInputError(f"{folder / _RESULT}: {error}") from error
    return _absolute(result, folder)


def decode(content: bytes, name: str) -> Result:
    """A result as JSON; ``name`` says in an error which one.

    Raises:
        BadInputError: it is of another schema.
        msgspec.DecodeError, UnicodeDecodeError: it is no result.
    """
    schema = msgspec.json.decode(content, type=_Schema).schema
    if schema != SCHEMA:
        message = f"{name}: stored with schema {schema!r}, this version reads {SCHEMA!r}"
        if schema in _OLDER_SCHEMAS:
            raise BadInputError(message, "measure it again")
        raise NewerSchemaError(message, "update the harness")
    return msgspec.json.decode(content, type=Result)


class _Schema(msgspec.Struct):
    schema: str


def _find(run: str) -> Path:
    given = Path(run)
    if _is_complete(given):
        return given
    matches = [folder for folder in _folders() if folder.name == run] or [
        folder for folder in _folders() if run in folder.name
    ]
    if not matches:
        raise BadInputError(f"no stored run {run!r} in {runs_folder()}", "harness list shows them")
    if len(matches) > 1:
        raise BadInputError(f"{run!r} is ambiguous: {len(matches)} runs match", "for example " + matches[0].name)
    return matches[0]


def _folders() -> Iterator[Path]:
    if runs_folder().is_dir():
        for folder in sorted(runs_folder().iterdir()):
            if not folder.name.startswith(".") and _is_complete(folder):
                yield folder


def _is_complete(folder: Path) -> bool:
    try:
        return (folder / _MANIFEST).is_file()
    except OSError:  # what the user gave is too long for a path
        return False


def stored() -> tuple[Stored, ...]:
    """The complete runs, the newest first; those that cannot be read come last, with the reason."""
    found = [_stored(folder) for folder in _folders()]
    return tuple(sorted(found, key=lambda item: (item.damage is None, item.created or "", item.run_id), reverse=True))


def _stored(folder: Path) -> Stored:
    created = None
    try:
        created = msgspec.json.decode((folder / _MANIFEST).read_bytes(), type=Manifest).created
        return Stored(run_id=folder.name, created=created, result=_read(folder), damage=None)
    except BadInputError as error:
        damage = error.message
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        damage = f"{folder.name}: {_MANIFEST}: {error}"
    return Stored(run_id=folder.name, created=created, result=None, damage=damage)


def _absolute(result: Result, folder: Path) -> Result:
    root, stored = folder.resolve(), result.artifacts
    return msgspec.structs.replace(
        result,
        artifacts=Artifacts(
            elf=str(root / stored.elf),
            uart_log=str(root / stored.uart_log),
            layers_csv=str(root / stored.layers_csv),
            functions_csv=None if stored.functions_csv is None else str(root / stored.functions_csv),
            emulator_log=None if stored.emulator_log is None else str(root / stored.emulator_log),
        ),
    )


def layers_csv(result: Result) -> str:
    """One row per operator."""
    rows = [
        [
            layer.index, safe_cell(layer.op), safe_cell(layer.name), "x".join(map(str, layer.output_shape)),
            layer.instructions, f"{layer.share:.6f}", layer.macs, _cell(layer.instructions_per_mac),
            *("" if layer.classes is None else layer.classes[name] for name in isa.CLASSES),
            layer.output_crc32, layer.output_exact,
        ]
        for layer in result.layers
    ]  # fmt: skip
    header = ["index", "op", "name", "output_shape", "instructions", "share", "macs", "instructions_per_mac",
              *isa.CLASSES, "output_crc32", "output_exact"]  # fmt: skip
    return csv_text(header, rows)


def functions_csv(functions: tuple[Function, ...]) -> str:
    """One row per function that ran during the inference, the largest first."""
    return csv_text(
        ["function", "instructions", "share"],
        [[safe_cell(item.name), item.instructions, f"{item.share:.6f}"] for item in functions],
    )


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table as CSV; names in it are to have gone through ``safe_cell``."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def _cell(value: object) -> object:
    return "" if value is None else value


def safe_cell(text: str) -> str:
    """Text from a model or an ELF file for a table: one line, and nothing that a spreadsheet takes for a formula.

    A semicolon begins a cell too where the spreadsheet's language has commas in numbers, whatever is quoted.
    """
    line = "".join(character if character.isprintable() else "\ufffd" for character in text)
    return _FORMULA.sub("\\1'", line)
