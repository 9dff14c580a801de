"""Makes results the new baselines: what would change is found first, and written only when all of it is good."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec

from harness import baseline
from harness.errors import EXIT_NOT_MEASURED, EXIT_PASS, EXIT_VERDICT_NO, BadInputError, HarnessError, NewerSchemaError
from harness.gate import comparability, run
from harness.gate.verdict import FailurePart
from harness.library import Progress, silent
from harness.records import Record
from harness.result import Result
from harness.sweep.run import OnPoint

# "new": there was none. "changed": other numbers. "renewed": the same numbers of something else, another compiler for
# example, or of a file without provenance. "unchanged": stays as it is. "refused": not exact, or too large. "removed":
# no run of the policy has it.
State = Literal["new", "changed", "renewed", "unchanged", "refused", "removed"]


_LONGEST = 60


class Item(Record, frozen=True):
    """A baseline's file and what becomes of it.

    ``result`` is None where it is removed, ``former`` where there is none that can be read: ``notes`` say why. They
    also say what else than the numbers differs, and why a result is refused.
    """

    state: State
    file: str
    result: Result | None
    former: Result | None
    changes: tuple[baseline.Change, ...]
    notes: tuple[str, ...]


class Update(Record, frozen=True):
    """What becomes of a folder of baselines. Nothing is written yet.

    ``failures`` are runs without a result; ``unused`` are baselines that no run has, and that stay.
    """

    items: tuple[Item, ...]
    failures: tuple[FailurePart, ...] = ()
    unused: tuple[str, ...] = ()

    def of(self, *states: State) -> tuple[Item, ...]:
        """The items in these states."""
        return tuple(item for item in self.items if item.state in states)

    @property
    def exit_code(self) -> int:
        """3 where a run was not measured, else 1 where one is no baseline, else 0: only then it may be written."""
        if not all(item.too_large for item in self.failures):
            return EXIT_NOT_MEASURED
        return EXIT_VERDICT_NO if self.failures or self.of("refused") else EXIT_PASS


def from_policy(
    path: Path,
    folder: Path,
    *,
    remove_unused: bool = False,
    jobs: int | None = None,
    progress: Progress = silent,
    on_point: OnPoint | None = None,
    command: tuple[str, ...] = (),
) -> Update:
    """What becomes of the baselines where what a policy lists is measured; what is known already is not measured again.

    Args:
        remove_unused: baselines that no run of the policy has are removed.

    Raises:
        BadInputError: the policy, a value in it, or the folder cannot be used (2).
        HarnessError: a tool is missing, a library does not build, results cannot be stored (3).
    """
    given = run.load(path)
    found = run.measured(given, jobs=jobs, progress=progress, on_point=on_point, command=command)
    planned = plan([result for _, result in found.results], folder)
    there = baseline.files(folder) if folder.is_dir() else ()
    unused = [file for file in there if file.name not in found.baselines]
    if remove_unused:
        removed = tuple(_removed(file) for file in unused)
        return Update(items=(*planned, *removed), failures=found.failures)
    return Update(items=planned, failures=found.failures, unused=tuple(file.name for file in unused))


def from_runs(runs: Iterable[str], folder: Path) -> Update:
    """What becomes of the baselines where stored runs, or results in files, take their place.

    Raises:
        BadInputError: one of them cannot be read, or two would have the same baseline.
    """
    results = [baseline.given(item) for item in runs]
    seen: dict[str, Result] = {}
    for result in results:
        other = seen.setdefault(baseline.name(result), result)
        if other.run_id != result.run_id:
            raise BadInputError(
                f"{other.run_id} and {result.run_id} would both be the baseline {baseline.name(result)}",
                "give one of them",
            )
    return Update(items=plan(seen.values(), folder))


def plan(results: Iterable[Result], folder: Path) -> tuple[Item, ...]:
    """What becomes of the baselines of these results; of one run on several emulators the one with more detail counts.

    Raises:
        BadInputError: two networks have the same name, or a baseline is of a newer schema.
    """
    given = tuple(results)
    run.require_names(given)
    chosen: dict[str, Result] = {}
    for result in given:
        other = chosen.setdefault(baseline.name(result), result)
        if other.functions is None and result.functions is not None:
            chosen[baseline.name(result)] = result
    return tuple(_item(result, folder) for result in chosen.values())


def _item(result: Result, folder: Path) -> Item:
    name = baseline.name(result)
    former, stored, notes = _former(folder / name)
    changes = () if former is None else baseline.changes(former, result)
    state: State
    if not result.verdict.passed:
        state, notes = "refused", result.verdict.reasons
    elif former is None:
        state = "changed" if notes else "new"
    elif _numbers(former) != _numbers(result):
        state, notes = "changed", _differences(former, result)
    elif stored and _bare(former) == _bare(result):
        state = "unchanged"
    else:
        state, notes = "renewed", (*notes, *_differences(former, result))
    return Item(state=state, file=name, result=result, former=former, changes=changes, notes=notes)


def _differences(former: Result, result: Result) -> tuple[str, ...]:
    found = comparability.differences(result, former)
    return tuple(f"{item.what}: {_short(item.theirs)} -> {_short(item.mine)}" for item in found)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _former(path: Path) -> tuple[Result | None, bool, tuple[str, ...]]:
    """The baseline that is there, whether it has provenance, and what is to be said of it."""
    try:
        found = baseline.read(path)
    except FileNotFoundError:
        return None, False, ()
    except NewerSchemaError:  # what a newer version stored is not replaced by an older one
        raise
    except BadInputError as error:
        return None, False, (f"the former one cannot be read: {error.message.removeprefix(f'{path}: ')}",)
    return found.result, found.provenance is not None, () if found.provenance else ("had no provenance",)


def _numbers(result: Result) -> object:
    """What is counted, measured and computed."""
    return result.counts, result.layers, result.functions, result.memory, result.check


def _bare(result: Result) -> Result:
    """The result without what does not decide it: the harness' own version, where its files are."""
    identity = msgspec.structs.replace(result.identity, git_commit=None, git_dirty=None, harness_version="")
    artifacts = msgspec.structs.replace(
        result.artifacts, elf="", uart_log="", layers_csv="", functions_csv=None, emulator_log=None
    )
    return msgspec.structs.replace(result, identity=identity, artifacts=artifacts)


def _removed(path: Path) -> Item:
    former, _, notes = _former(path)
    return Item(
        state="removed",
        file=path.name,
        result=None,
        former=former,
        changes=(),
        notes=() if former is not None else notes,
    )


def write(update: Update, folder: Path, reason: str, command: tuple[str, ...]) -> tuple[Path, ...]:
    """Write what is new, changed or renewed, remove what is to be removed; returns the files.

    Raises:
        BadInputError: there is no reason, or something in the update keeps it from being written.
        HarnessError: a file cannot be written.
    """
    require_reason(reason)
    if update.exit_code != EXIT_PASS:
        raise BadInputError("no baseline is written: not every run is one")
    said = [
        (item.result, baseline.provenance(item.result, item.former, folder, reason, command))
        for item in update.of("new", "changed", "renewed")
        if item.result is not None
    ]
    written = [baseline.write(result, folder, provenance) for result, provenance in said]
    for item in update.of("removed"):
        try:
            (folder / item.file).unlink()
        except OSError as error:
            raise HarnessError(f"cannot remove {folder / item.file}: {error.strerror}") from error
        written.append(folder / item.file)
    return tuple(written)


def require_reason(reason: str | None) -> str:
    """The reason without spaces around it.

    Raises:
        BadInputError: there is none.
    """
    if reason is None or not reason.strip():
        raise BadInputError(
            "a baseline needs a reason", 'say why the numbers change: --reason "CMSIS-NN 5: depthwise is 8 % faster"'
        )
    return reason.strip()
