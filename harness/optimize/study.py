"""A study on disk: its scenario, study.json, the journal, a line for each trial, the result, the picks' files.

::

    scenario.toml   the file as it was
    study.json      seeds, axes, versions (records.StudyFile)
    journal.log     Optuna's journal; none where the space is gone through
    trials.jsonl    a line for each trial that has ended, in order (records.TrialRecord)
    result.json     what the search came to (records.StudyResult)
    models/         the picks' .tflite files
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import filelock
import msgspec

from harness import atomic, toml_file
from harness.errors import BadInputError, HarnessError
from harness.optimize.records import STUDY_SCHEMA, StudyFile, StudyResult, TrialRecord
from harness.optimize.scenario import Scenario, load
from harness.paths import results_folder

T = TypeVar("T")

SCENARIO, STUDY, JOURNAL, TRIALS, RESULT = "scenario.toml", "study.json", "journal.log", "trials.jsonl", "result.json"
MODELS = "models"
_HINT = "free some space, or name another folder by --out"


def studies_folder() -> Path:
    """Where studies are kept that no --out names another folder for."""
    return results_folder() / "studies"


def names() -> tuple[str, ...]:
    """The studies that are stored there, sorted."""
    return tuple(sorted(path.parent.name for path in studies_folder().glob(f"*/{STUDY}")))


def find(text: str) -> Path:
    """The folder of a study: a folder that holds one, or a name below ``studies_folder``.

    Raises:
        BadInputError: there is none.
    """
    for folder in (Path(text), studies_folder() / text):
        if (folder / STUDY).is_file():
            return folder
    known = names()
    raise BadInputError(
        f"{text}: no study of that name, and no folder of one",
        f"there is {', '.join(known)}" if known else "harness optimize SCENARIO makes one",
    )


class Study:
    """The folder of a study.

    Args:
        folder: it need not be there yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def journal(self) -> Path:
        """The file of Optuna's journal."""
        return self.folder / JOURNAL

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others from working on the study, as long as the block lasts or this process lives.

        Raises:
            BadInputError: another process does.
            HarnessError: the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(self.folder / ".lock")
            lock.acquire(timeout=0)
        except filelock.Timeout as error:
            raise BadInputError(
                f"another process works on the study in {self.folder}", "wait for it, or give another --out"
            ) from error
        except OSError as error:
            raise HarnessError(f"cannot write {self.folder}: {error.strerror or error}", _HINT) from error
        try:
            yield
        finally:
            lock.release()

    def read(self) -> StudyFile | None:
        """What the study is of; None: there is none yet.

        Raises:
            BadInputError: the file is damaged, or of another version.
        """
        try:
            found = self._decode(STUDY, StudyFile)
        except FileNotFoundError:
            return None
        if found.schema != STUDY_SCHEMA:
            raise BadInputError(f"{self.folder / STUDY} is of schema {found.schema}, not {STUDY_SCHEMA}")
        return found

    def begin(self, made: StudyFile, scenario: Scenario) -> None:
        """Write a new study's files."""
        self.write(SCENARIO, Path(scenario.path).read_bytes())
        self.write(STUDY, _indented(made))

    def scenario(self) -> Scenario:
        """The scenario as it was when the study began.

        Raises:
            BadInputError: it cannot be used any more.
        """
        made = self.read()
        return load(self.folder / SCENARIO, None if made is None else Path(made.scenario_path).absolute().parent)

    def trials(self) -> tuple[TrialRecord, ...]:
        """The trials that have ended, in order; a line that was cut off is none.

        Raises:
            BadInputError: the file is damaged.
        """
        path = self.folder / TRIALS
        try:
            lines = path.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return ()
        whole = [line for line in lines if line.endswith(b"\n")]
        try:
            return tuple(msgspec.json.decode(line, type=TrialRecord) for line in whole)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise BadInputError(f"{path} is damaged: {toml_file.readable(str(error))}", _OTHER) from error

    def add(self, records: Sequence[TrialRecord]) -> None:
        """Add trials, all of a batch as one write; a line that was cut off goes.

        Raises:
            HarnessError: it cannot be written.
        """
        path = self.folder / TRIALS
        try:
            with path.open("a+b") as file:
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
                file.write(b"".join(msgspec.json.encode(record) + b"\n" for record in records))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise HarnessError(f"cannot write {path}: {error.strerror or error}", _HINT) from error

    def result(self) -> StudyResult | None:
        """What the search came to; None: it has not ended yet.

        Raises:
            BadInputError: the file is damaged.
        """
        try:
            return self._decode(RESULT, StudyResult)
        except FileNotFoundError:
            return None

    def conclude(self, result: StudyResult) -> None:
        """Write what the search came to."""
        self.write(RESULT, _indented(result))

    def write(self, name: str, content: bytes) -> Path:
        """Write a file of the study as one step.

        Raises:
            HarnessError: it cannot be written.
        """
        return atomic.write(self.folder / name, content, _HINT)

    def _decode(self, name: str, kind: type[T]) -> T:
        path = self.folder / name
        try:
            return msgspec.json.decode(path.read_bytes(), type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise BadInputError(f"{path} is damaged: {toml_file.readable(str(error))}", _OTHER) from error
        except (PermissionError, NotADirectoryError, IsADirectoryError) as error:
            raise BadInputError(f"{path}: cannot be read: {error.strerror}") from error


_OTHER = "remove the folder, or give another --out"


def _indented(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"
