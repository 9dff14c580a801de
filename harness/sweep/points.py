"""The points of a sweep on disk: plan.json, written by each run, and points.jsonl, a line a point, only added to."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import filelock
import msgspec

from harness.errors import BadInputError, HarnessError
from harness.paths import results_folder
from harness.records import Record
from harness.sweep.plan import PLAN_SCHEMA, ROW_SCHEMA, Plan, Row

_PLAN = "plan.json"
_POINTS = "points.jsonl"


class _Schema(Record, frozen=True):
    schema: str


def folder(name: str) -> Path:
    """Where a sweep of that name is kept."""
    return results_folder() / "sweeps" / name


def names() -> tuple[str, ...]:
    """The sweeps that are stored, sorted."""
    return tuple(sorted(path.parent.name for path in (results_folder() / "sweeps").glob(f"*/{_PLAN}")))


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Keep others from running the sweep of that name, as long as the block lasts or this process lives.

    Raises:
        BadInputError: another process runs it.
        HarnessError: its folder cannot be written.
    """
    with _writing(name):
        folder(name).mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder(name) / ".lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout as error:
            raise BadInputError(
                f"another process runs the sweep {name!r} in {folder(name)}",
                "wait for it, or give this one another name",
            ) from error
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _writing(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise HarnessError(
            f"cannot write {folder(name)}: {error.strerror or error}",
            "free some space, or name another folder in HARNESS_RESULTS",
        ) from error


def write_plan(plan: Plan) -> None:
    """Store what the sweep consists of now, as one atomic step.

    Raises:
        HarnessError: it cannot be written.
    """
    write(plan.name, _PLAN, msgspec.json.format(msgspec.json.encode(plan), indent=1) + b"\n")


def write(name: str, file: str, content: bytes) -> Path:
    """A file in a sweep's folder, as one atomic step; returns its path.

    Raises:
        HarnessError: it cannot be written.
    """
    target = folder(name) / file
    with _writing(name):
        partial = target.with_name(f".{file}.part")
        partial.write_bytes(content)
        partial.replace(target)
    return target


def read_plan(name: str) -> Plan:
    """The plan of a stored sweep.

    Raises:
        BadInputError: there is none of that name, or it was stored by another version.
    """
    path = folder(name) / _PLAN
    try:
        content = path.read_bytes()
    except OSError as error:
        known = names()
        hint = f"stored are {', '.join(known)}" if known else "harness sweep FILE makes one"
        raise BadInputError(f"no stored sweep {name!r} in {path.parent.parent}", hint) from error
    try:
        schema = msgspec.json.decode(content, type=_Schema).schema
        if schema != PLAN_SCHEMA:
            raise BadInputError(
                f"{path}: stored with schema {schema!r}, this version reads {PLAN_SCHEMA!r}",
                "run the sweep again: points that are still valid are not measured anew",
            )
        return msgspec.json.decode(content, type=Plan)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path}: {error}", "run the sweep again") from error


def read(name: str) -> dict[str, Row]:
    """Every stored point by its identity; of two lines for one point, the later holds.

    A last line without an end is what a killed process was writing, and counts as not there.

    Raises:
        BadInputError: a line cannot be read, or was stored by another version.
    """
    path = folder(name) / _POINTS
    try:
        *lines, _torn = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return {}
    rows = (_row(path, number, line) for number, line in enumerate(lines, 1))
    return {row.identity: row for row in rows}


def _row(path: Path, number: int, line: bytes) -> Row:
    try:
        schema = msgspec.json.decode(line, type=_Schema).schema
        if schema != ROW_SCHEMA:
            raise BadInputError(
                f"{path}:{number}: stored with schema {schema!r}, this version reads {ROW_SCHEMA!r}",
                "update the harness, or move the file away: its points are run again",
            )
        return msgspec.json.decode(line, type=Row)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path}:{number}: {error}", "remove that line: its point is run again") from error


class Log:
    """Adds lines to points.jsonl; a context manager. A row that ``add`` returned from is on the disk.

    Raises:
        HarnessError: it cannot be written.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        with _writing(name):
            path = folder(name) / _POINTS
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            content = path.read_bytes()
            os.ftruncate(self._file, content.rfind(b"\n") + 1)  # a torn last line must not become the start of a row

    def add(self, row: Row) -> None:
        """Store a row."""
        with _writing(self._name):
            rest = memoryview(msgspec.json.encode(row) + b"\n")
            while rest:
                rest = rest[os.write(self._file, rest) :]
            os.fsync(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        os.close(self._file)
