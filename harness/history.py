"""A metric over the baselines that git has kept: each change of a baseline's file is a point.

Along the first parents: where branches are merged, it is the merge that changed the baseline. A file that was renamed
inside of the folder is followed.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import msgspec

from harness import baseline, git, json_schema
from harness.baseline import Baseline
from harness.errors import BadInputError, NewerSchemaError
from harness.gate import comparability, metrics
from harness.gate.metrics import Value
from harness.gate.verdict import Band, band
from harness.records import Record
from harness.result import Result
from harness.sweep.metrics import Direction

SCHEMA = "tflm-harness/history/1"

# Where results of an older schema have the totals. "ram" is without the stack there, as it is today.
_TOTALS = {
    "instructions": ("counts.total",),
    "instructions_per_mac": ("counts.instructions_per_mac",),
    "macs": ("counts.macs",),
    "flash": ("memory.flash",),
    "ram": ("memory.ram", "memory.stack"),
    "arena": ("memory.arena",),
    "stack": ("memory.stack",),
    "code": ("memory.code",),
    "model_size": ("memory.model",),
}
_HEADER = "\x01"
_LOG = ("log", "--first-parent", "--diff-merges=first-parent", "-M90%", "--raw", "--no-abbrev", "-z",
        f"--format={_HEADER}%H%x02%cI%x02%s", "--", ".")  # fmt: skip


class Entry(Record, frozen=True):
    """A baseline as it was stored at a commit, or removed; ``commit`` and ``date`` are None where it is not committed.

    ``reason`` is the baseline's own, None of one without; ``subject`` is the commit's first line. ``value`` is None
    where there is none, as ``notes`` say. The change is that from the entry before that has a value; ``notes`` say also
    what else differs from that one, so that its numbers are not comparable. ``band`` is that of a value that is
    estimated, None of what is measured.
    """

    commit: str | None
    date: str | None
    subject: str
    reason: str | None
    run_id: str | None
    value: Value | None
    change: int | float | None
    change_percent: float | None
    notes: tuple[str, ...]
    band: Band | None = None


class Series(Record, frozen=True):
    """The entries of one baseline, the oldest first; ``file`` is its name today, or when it was removed."""

    file: str
    entries: tuple[Entry, ...]


class History(Record, frozen=True):
    """A metric over the baselines; ``notes`` are what is to be known of all of it."""

    schema: str
    metric: str
    unit: str
    direction: Direction
    series: tuple[Series, ...]
    notes: tuple[str, ...]


def schema() -> dict[str, Any]:
    """The JSON schema of a history."""
    return json_schema.of(History)


def history(
    metric: str, folder: Path, model: str | None = None, platform: str | None = None, since: str | None = None
) -> History:
    """A metric over the baselines in git.

    Args:
        metric: a number a run, of ``harness.gate.metrics``.
        folder: the baselines' folder, inside of a repository.
        model: only of networks whose file name, with or without its ending, matches this pattern.
        platform: only of platforms that match this pattern.
        since: a date, 2026-01-31: only entries from that day on. Their change is that from the entry before, still.

    Raises:
        BadInputError: there is no such metric, folder, repository, date, or nothing is left (2).
        MissingToolError: git is not installed (3).
        HarnessError: git fails (3).
    """
    known = [item.name for item in baseline.totals()]
    if metric not in known:
        raise BadInputError(f"baselines hold no number {metric!r} a run", f"one of {', '.join(known)}")
    found = metrics.get(metric)
    first = None if since is None else _day(since)
    if not folder.is_dir():
        raise BadInputError(f"{folder}: there is no such folder of baselines", "name it with --baseline")
    changes = _Changes(folder)
    wanted = [(file, states) for file, states in changes.of_files() if _is(states, model, platform)]
    if not wanted:
        what = "baseline" if model is None and platform is None else "baseline of such a model and platform"
        raise BadInputError(f"{folder}: there is no {what}, and git knows of none", "harness baseline list shows them")
    series = [
        Series(file=file, entries=entries)
        for file, states in wanted
        if (entries := tuple(_since(_entries(states, metric), first)))
    ]
    if not series:
        raise BadInputError(f"{folder}: no baseline changed since {since}", "give an earlier date, or none")
    return History(
        schema=SCHEMA,
        metric=metric,
        unit=found.unit,
        direction=found.direction,
        series=tuple(sorted(series, key=lambda item: item.file)),
        notes=(*changes.notes, *_estimated(metric, series)),
    )


def _estimated(metric: str, series: Iterable[Series]) -> list[str]:
    """What estimates are by and rest on."""
    bands = (entry.band for item in series for entry in item.entries)
    return list(dict.fromkeys(f"{metric} is estimated by {found.model}, {found.tier}" for found in bands if found))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise BadInputError(f"{text!r} is no date", "write it as 2026-01-31") from error


def _since(entries: Iterable[Entry], first: date | None) -> Iterator[Entry]:
    for entry in entries:
        if first is None or entry.date is None or datetime.fromisoformat(entry.date).date() >= first:
            yield entry


# --- what git knows --------------------------------------------------------------------------------------------------


class _Commit(NamedTuple):
    sha: str | None
    date: str | None
    subject: str


class _Content(NamedTuple):
    """A baseline's file as it was: read, or only its totals; or why there is neither."""

    read: Baseline | None = None
    totals: dict[str, Value] | None = None
    note: str | None = None


class _State(NamedTuple):
    """What a commit made of a file; ``content`` is None where it was removed."""

    commit: _Commit
    content: _Content | None


class _Former(NamedTuple):
    """What a file was called before it was renamed, and the hash of its content then."""

    path: str
    blob: str


class _Change(NamedTuple):
    """A line of git's log: what became of a file in the folder, and the content's hash."""

    commit: _Commit
    status: str
    blob: str
    path: str
    former: _Former | None


class _Changes:
    """Every change of the baselines' files in a folder, and those that are not committed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        shallow = git.run(folder, "rev-parse", "--is-shallow-repository").strip() == "true"
        self._inside = PurePosixPath(git.run(folder, "rev-parse", "--show-prefix").rstrip("\n"))
        commit, _ = git.state(folder)
        self._log = [] if commit is None else list(self._parse(git.run(folder, *_LOG)))
        self._contents: dict[str, _Content] = {}
        note = "the clone is shallow, and what came before is not in it: git fetch --unshallow brings it"
        self.notes = (note,) if shallow else ()

    def _parse(self, text: str) -> Iterator[_Change]:
        """The log, the newest first."""
        tokens = iter(text.split("\0"))
        commit = _Commit(None, None, "")
        for token in tokens:
            line = token.lstrip("\n")
            if line.startswith(_HEADER):
                sha, when, subject = line.removeprefix(_HEADER).split("\x02", 2)
                commit = _Commit(sha, when, subject)
            elif line.startswith(":"):
                _, _, former_blob, blob, status = line.split(" ")
                paths = [next(tokens) for _ in range(2 if status[0] in "RC" else 1)]
                if self._is_baseline(paths[-1]):
                    renamed = status[0] == "R" and self._is_baseline(paths[0])
                    former = _Former(PurePosixPath(paths[0]).name, former_blob) if renamed else None
                    yield _Change(commit, status[0], blob, PurePosixPath(paths[-1]).name, former)

    def _is_baseline(self, path: str) -> bool:
        given = PurePosixPath(path)
        return given.suffix == ".json" and given.parent == self._inside

    def of_files(self) -> Iterator[tuple[str, list[_State]]]:
        """Each file with its states, the oldest first."""
        found: dict[str, list[_State]] = {}
        names: dict[str, str] = {}  # what a file is called further on in time
        for name, state in self._not_committed():
            found.setdefault(name, []).append(state)
        for change in self._log:
            name = names.pop(change.path, change.path) if change.status in "AR" else names.get(change.path, change.path)
            content = None if change.status == "D" else self._content(change.blob)
            found.setdefault(name, []).append(_State(change.commit, content))
            if change.former is None or content is None:
                continue
            if _run_of(content) == _run_of(self._content(change.former.blob)):
                names[change.former.path] = name
            else:  # the files are alike, but of different runs
                found.setdefault(change.former.path, []).append(_State(change.commit, None))
        for name, states in found.items():
            yield name, states[::-1]

    def _content(self, blob: str) -> _Content:
        if blob not in self._contents:
            self._contents[blob] = read(git.run(self._folder, "cat-file", "blob", blob).encode())
        return self._contents[blob]

    def _not_committed(self) -> Iterator[tuple[str, _State]]:
        status = ("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", ".")
        for token in git.run(self._folder, *status).split("\0"):
            path = token[3:]
            if not token or not self._is_baseline(path):
                continue
            try:
                content = read((self._folder / PurePosixPath(path).name).read_bytes())
            except FileNotFoundError:
                content = None
            except OSError as error:
                content = _Content(note=f"cannot be read: {error.strerror}")
            yield PurePosixPath(path).name, _State(_Commit(None, None, "not committed"), content)


# --- what was in the files -------------------------------------------------------------------------------------------


def read(content: bytes) -> _Content:
    """A baseline of this version, or the totals of an older one, or why there are none."""
    try:
        return _Content(read=baseline.decode(content, "it"))
    except NewerSchemaError:
        return _Content(note=f"of a newer schema, {_schema(content)!r}: update the harness")
    except BadInputError:
        totals = _older(content)
        return _Content(totals=totals, note=f"of the older schema {_schema(content)!r}: only its totals can be read")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Content(note="damaged: it cannot be read")


def _run_of(content: _Content) -> tuple[str, ...] | None:
    """What a user chose for the run, but for the network's name; None where that cannot be read."""
    if content.read is None:
        return None
    result = content.read.result
    return result.platform, result.kernels, result.optimisation, "" if result.fpu is None else "fpu"


def _schema(content: bytes) -> str:
    found: dict[str, Any] = msgspec.json.decode(content)
    inner = found.get("result")
    schema = inner.get("schema", found["schema"]) if isinstance(inner, dict) else found["schema"]
    return str(schema)


def _older(content: bytes) -> dict[str, Value]:
    """The totals that are where this version expects them."""
    outer = msgspec.json.decode(content)
    inner = outer.get("result", outer)
    found: dict[str, Value] = {}
    for metric, paths in _TOTALS.items():
        amounts = [amount for path in paths if (amount := _number(inner, path)) is not None]
        if len(amounts) == len(paths):
            found[metric] = sum(amounts)
    return found


def _number(inner: Any, path: str) -> int | float | None:
    for key in path.split("."):
        inner = inner.get(key) if isinstance(inner, dict) else None
    return inner if isinstance(inner, int | float) and not isinstance(inner, bool) else None


def _is(states: list[_State], model: str | None, platform: str | None) -> bool:
    """Whether the newest content that can be read is of these; without a filter, also where none can be read."""
    if model is None and platform is None:
        return True
    result = next((found for state in reversed(states) if (found := _result(state)) is not None), None)
    if result is None:
        return False
    names = (result.model.file, Path(result.model.file).stem)
    return (model is None or any(fnmatch.fnmatchcase(name, model) for name in names)) and (
        platform is None or fnmatch.fnmatchcase(result.platform, platform)
    )


def _result(state: _State) -> Result | None:
    return None if state.content is None or state.content.read is None else state.content.read.result


def _entries(states: list[_State], metric: str) -> Iterator[Entry]:
    before: Value | None = None
    former: Result | None = None
    for state in states:
        result, value = _result(state), _value(state, metric)
        by = None if before is None or value is None else baseline.change(before, value)
        said = None if state.content is None or state.content.read is None else state.content.read.provenance
        yield Entry(
            commit=state.commit.sha,
            date=state.commit.date,
            subject=state.commit.subject,
            reason=None if said is None else said.reason,
            run_id=None if result is None else result.run_id,
            value=value,
            change=by,
            change_percent=100 * by / before if by is not None and before else None,
            notes=tuple(_notes(state, result, former, value, metric)),
            band=None if result is None else band(metrics.quantity(result, metric)),
        )
        before = before if value is None else value
        former = former if result is None else result


def _value(state: _State, metric: str) -> Value | None:
    result = _result(state)
    if result is not None:
        return metrics.value(result, metric)
    return None if state.content is None else (state.content.totals or {}).get(metric)


def _notes(
    state: _State, result: Result | None, former: Result | None, value: Value | None, metric: str
) -> Iterator[str]:
    if state.content is None:
        yield "removed"
    elif state.content.note is not None:
        yield state.content.note
    elif value is None:
        yield f"holds no {metric}"
    if result is not None and former is not None:
        for item in comparability.differences(result, former):
            if metric in item.metrics or item.what == "model":
                yield f"another {item.what}"
