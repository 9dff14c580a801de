"""A study from its scenario to its pick: ask in batches, evaluate, tell, store; then the finals."""

from __future__ import annotations

import contextlib
import datetime
import importlib.metadata
import math
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness import toolchain
from harness.emulators import plugin
from harness.errors import EXIT_PASS, EXIT_VERDICT_NO, BadInputError, HarnessError
from harness.library import Progress, silent
from harness.optimize import conclude, evaluate, judge, memo, space, study
from harness.optimize.engine import Engine, Enumeration, Search
from harness.optimize.evaluate import Evaluator
from harness.optimize.memo import Memo
from harness.optimize.records import STUDY_SCHEMA, Judgement, Mode, Sampler, StudyFile, StudyResult, TrialRecord
from harness.optimize.scenario import Scenario, ScenarioFile
from harness.optimize.space import Value
from harness.optimize.study import Study
from harness.optimize.work import Crew
from harness.records import Record
from harness.sweep.run import usable_cores
from harness.zoo import data

# The smallest error and the smallest factor that constraints tell apart.
_LEAST_ERROR = 1e-3
_LEAST_FACTOR = 1e-3

# Told of each batch that has ended: its trials, and all so far.
OnBatch = Callable[[Sequence[TrialRecord], Sequence[TrialRecord]], None]


class Outcome(Record, frozen=True):
    """A study that was run: where it is, what it is of, its trials, and what they came to."""

    folder: Path
    file: StudyFile
    scenario: Scenario
    records: tuple[TrialRecord, ...]
    result: StudyResult

    @property
    def exit_code(self) -> int:
        """0: there is a pick; 1: there is none, or the test part says that it is not accurate enough."""
        return EXIT_VERDICT_NO if self.result.reasons else EXIT_PASS


def run(
    scenario: Scenario,
    folder: Path | None = None,
    *,
    trials: int | None = None,
    seconds: float | None = None,
    jobs: int | None = None,
    scheduler: str | None = None,
    sampler: Sampler = "tpe",
    seed: int | None = None,
    mode: Mode | None = None,
    finals: bool = True,
    memo_folder: Path | None = None,
    crew: Crew | None = None,
    progress: Progress = silent,
    on_batch: OnBatch | None = None,
    command: tuple[str, ...] = (),
) -> Outcome:
    """Search for the best network of a scenario; a study that was killed goes on.

    Args:
        scenario: from ``scenario.load``.
        folder: the study's; None: ``results/studies/NAME``.
        trials: how many candidates are asked for in all; None: what the scenario says.
        seconds: after that much time no further batch is begun.
        jobs: how many networks are made, measured or trained at once; None: as many as there are cores, or workers.
        scheduler: the address of a Dask scheduler; None: processes of this machine.
        sampler: "tpe", or "random" as a baseline.
        seed: of the search, instead of the scenario's.
        mode: "search" or "enumeration"; None: the space is gone through where it has no more candidates than trials.
        finals: whether the best are trained to the end, measured again and tested.
        memo_folder: where measurements and trainings are kept, and looked for; None: the per-user cache.
        crew: workers that are there already, and stay; None: those of this search alone.
        progress: told what is being done.
        on_batch: told of each batch.
        command: what stored runs record as the command that asked for them.

    Raises:
        BadInputError: the scenario cannot be judged, or the folder holds another study, or another process uses it.
        MissingToolError: Optuna, TensorFlow, a compiler or the emulator is not installed.
        HarnessError: nothing can be measured or trained, or the study cannot be stored.
    """
    notes = judge.check(scenario)
    known = Memo(memo_folder)
    kept = Study(folder or study.studies_folder() / scenario.name)
    with kept.locked():
        total = trials or scenario.file.search.trials
        made = _begun(kept, scenario, sampler, scenario.file.search.seed if seed is None else seed, total, mode)
        engine = _engine(kept, scenario, made)
        if isinstance(engine, Enumeration):
            total = min(total, engine.size)
        with contextlib.ExitStack() as stack:
            workers = crew or stack.enter_context(
                Crew(jobs or (None if scheduler else usable_cores()), scheduler, progress)
            )
            evaluator = Evaluator(
                scenario,
                workers,
                known,
                study=made.id,
                training_seed=made.training_seed,
                progress=progress,
                command=command,
            )
            records = _searched(kept, made, engine, evaluator, total, _deadline(seconds), on_batch)
            result = conclude.conclude(kept, made, scenario, evaluator, records, notes, finals, progress)
        kept.conclude(result)
    return Outcome(folder=kept.folder, file=made, scenario=scenario, records=records, result=result)


def _deadline(seconds: float | None) -> float | None:
    return None if seconds is None else time.monotonic() + seconds


def _searched(
    kept: Study,
    made: StudyFile,
    engine: Engine,
    evaluator: Evaluator,
    total: int,
    deadline: float | None,
    on_batch: OnBatch | None,
) -> tuple[TrialRecord, ...]:
    """All trials: those that are stored, then batch by batch until there are enough, or the time is over."""
    records = list(kept.trials())
    shape, classes = shape_of(evaluator.scenario)
    for record in records:
        if engine.ask(record.number) != record.params:
            raise HarnessError(
                f"{kept.folder}: {study.JOURNAL} and {study.TRIALS} disagree on trial {record.number}",
                "remove the folder, or give another --out",
            )
    for record in records:  # where a study was killed between storing a batch and telling of it
        _tell(engine, evaluator.scenario, record)
    while len(records) < total and (deadline is None or time.monotonic() < deadline):
        start = len(records)
        end = min(total, (start // made.batch + 1) * made.batch)
        asked = [(number, engine.ask(number)) for number in range(start, end)]
        batch = evaluator.batch(
            [(number, params, space.candidate(params, shape, classes)) for number, params in asked], records
        )
        kept.add(batch)
        records += batch
        for record in batch:
            _tell(engine, evaluator.scenario, record)
        if on_batch is not None:
            on_batch(batch, records)
    return tuple(records)


def _tell(engine: Engine, scenario: Scenario, record: TrialRecord) -> None:
    engine.tell(record.number, evaluate.costs(scenario, record.objectives), constraints(record))


def constraints(record: TrialRecord) -> dict[str, float]:
    """A trial's constraints by name, met where they are 0 or less: each budget on each board.

    Each is the binary logarithm of the factor by which the bound that decides is beyond the limit, so that the search
    can hold one against another: half of a battery's life counts as twice the energy does. Of accuracy it is the
    factor between the errors: where 95 % are wanted, 90 % is a factor of two, as a tenth of the limit would be lost
    beside a latency that is ten times too long. The accuracy of a network that was not trained is no constraint:
    another budget is missed then.
    """
    if record.failure is not None:
        return {"made": judge.UNRUNNABLE}
    found: dict[str, float] = {}
    for item in record.judgements:
        if item.value is not None or item.metric != "accuracy":
            found[item.key if item.board is None else f"{item.key} on {item.board}"] = _octaves(item)
    return found


def _octaves(item: Judgement) -> float:
    if item.value is None:
        return item.violation
    if item.metric == "accuracy":
        factor = (1 - item.value) / max(1 - item.limit, _LEAST_ERROR)
    else:
        factor = 1 / max(1 - item.violation, _LEAST_FACTOR) if item.at_least else 1 + item.violation
    found = min(math.log2(max(factor, _LEAST_FACTOR)), judge.UNRUNNABLE)
    # what rounds to nothing is still on its side of the limit
    return found if (found > 0) == (item.violation > 0) else item.violation


def shape_of(scenario: Scenario) -> tuple[tuple[int, ...], int]:
    """The shape of an input without the batch, and the number of classes."""
    found = data.load(scenario.file.data)
    return tuple(found.train_inputs.shape[1:]), len(found.classes)


def _engine(kept: Study, scenario: Scenario, made: StudyFile) -> Engine:
    if made.mode == "enumeration":
        choices = space.enumerated(made.axes, *shape_of(scenario), most=made.space)
        assert choices is not None, "the study's own space was gone through before"
        return Enumeration(choices)
    return Search(kept.journal, made.axes, len(scenario.file.objectives), made.sampler, made.seed)


def _begun(kept: Study, scenario: Scenario, sampler: Sampler, seed: int, trials: int, mode: Mode | None) -> StudyFile:
    """The study that the folder holds, or a new one."""
    wanted = _new(scenario, sampler, seed, trials, mode)
    known = kept.read()
    if known is None:
        kept.begin(wanted, scenario)
        return wanted
    for key, mine, theirs in (
        ("sampler", wanted.sampler, known.sampler),
        ("seed", wanted.seed, known.seed),
        *_differences(_comparable(wanted.scenario), _comparable(_complete(known.scenario))),
        *_differences(wanted.versions, known.versions),
    ):
        if mine != theirs:
            raise BadInputError(
                f"{kept.folder} holds a study with {key} = {_text(theirs)}, not {_text(mine)}",
                "give another --out, or another name in the scenario",
            )
    return known


def _new(scenario: Scenario, sampler: Sampler, seed: int, trials: int, mode: Mode | None) -> StudyFile:
    shape, classes = shape_of(scenario)
    axes = scenario.file.space.axes(shape)
    through = space.enumerated(axes, shape, classes, most=trials)
    return StudyFile(
        schema=STUDY_SCHEMA,
        id=uuid.uuid4().hex,
        name=scenario.name,
        scenario=msgspec.to_builtins(scenario.file),
        scenario_sha256=scenario.sha256,
        scenario_path=scenario.path,
        mode=mode or ("search" if through is None else "enumeration"),
        sampler=sampler,
        seed=seed,
        training_seed=scenario.file.training.seed,
        batch=scenario.file.search.batch,
        space=space.combinations(axes),
        axes=axes,
        versions=_versions(),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )


def _versions() -> dict[str, str]:
    found = {
        **memo.versions(),
        "tflm-harness": importlib.metadata.version("tflm-harness"),
        "arm compiler": toolchain.arm().version,
        "qemu": plugin.version(plugin.find_qemu()),
    }
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # it is said where it is needed
        found["optuna"] = importlib.metadata.version("optuna")
    return found


def _comparable(scenario: dict[str, Any]) -> dict[str, Any]:
    """Without what may change between two runs of a study: how many trials there are, and words."""
    flat: dict[str, Any] = {}
    for key, value in scenario.items():
        if isinstance(value, Mapping):
            flat |= {f"{key}.{name}": item for name, item in value.items()}
        else:
            flat[key] = value
    return {key: value for key, value in flat.items() if key not in ("search.trials", "title")}


def _complete(stored: dict[str, Any]) -> dict[str, Any]:
    """A stored scenario with the keys that were added since, at their defaults."""
    found: dict[str, Any] = msgspec.to_builtins(msgspec.convert(stored, ScenarioFile))
    return found


def _differences(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    return [(key, _plain(mine.get(key)), _plain(theirs.get(key))) for key in sorted({*mine, *theirs})]


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _text(value: Value | Any) -> str:
    return "nothing" if value is None else str(value)
