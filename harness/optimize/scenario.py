"""The scenario file (TOML): what a network is for, what it may take, and where to look for it; checked, in SI units."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Annotated, Any

import msgspec

from harness import json_schema, platforms, toml_file
from harness.calibrate import use
from harness.calibrate.use import Given
from harness.energy.units import Battery
from harness.errors import BadInputError, HarnessError
from harness.optimize import quantities
from harness.optimize.space import Space
from harness.records import Record
from harness.sweep.metrics import METRICS
from harness.toml_file import refuse
from harness.zoo import data

SCENARIOS = Path(__file__).with_name("scenarios")
SCHEMA_HINT = "harness optimize --schema prints what a scenario may hold"
ACCURACY = "accuracy"
OBJECTIVES = (ACCURACY, "latency", "energy", "instructions", "flash", "ram", "macs")

_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
_Positive = Annotated[int, msgspec.Meta(gt=0)]
_Seed = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the tables of a scenario: a key that is not known is an error, not a default."""


class Use(_Table, frozen=True, kw_only=True):
    """How the network is used: an inference each ``period`` ("1 s"), on a ``battery`` ("225mAh@3V").

    Between inferences the board draws ``sleep_current`` ("2 uA", at the battery's voltage) or ``sleep_power`` ("6 uW");
    without either what its datasheet says.
    """

    period: str | None = None
    battery: str | None = None
    sleep_current: str | None = None
    sleep_power: str | None = None


class Budgets(_Table, frozen=True, kw_only=True):
    """What must hold of a network: the most that an inference may take, the memory left for it, the lowest accuracy.

    ``deadline`` ("20 ms"; without it the period), ``energy`` of an inference ("500 uJ") and ``life`` of the battery
    ("1 year") are held against estimates with their bounds. ``flash`` and ``ram`` ("64 KiB"; the stack is part of it)
    are by default what the smallest of the boards has, less the reserve. ``accuracy`` is a share, 0 to 1.
    """

    deadline: str | None = None
    energy: str | None = None
    life: str | None = None
    instructions: _Positive | None = None
    flash: str | None = None
    ram: str | None = None
    accuracy: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None


class Reserve(_Table, frozen=True, kw_only=True):
    """What the rest of the product takes of the board's memory: "256 KiB"."""

    flash: str = "0 B"
    ram: str = "0 B"


class Training(_Table, frozen=True, kw_only=True):
    """How networks are trained: Adam, cosine decay of the learning rate to 0 over at most ``epochs``.

    Every network is trained for a part of the epochs first; the best ``1 / halving`` of them, and those on the front of
    the objectives, ``halving`` times as long, until all epochs are reached.
    """

    epochs: _Positive = 18
    batch: _Positive = 32
    learning_rate: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 2e-3
    halving: Annotated[int, msgspec.Meta(ge=2)] = 3
    seed: _Seed = 1


class Search(_Table, frozen=True, kw_only=True):
    """How many candidates are asked for, in batches that are measured and trained together, and by which seed.

    A batch is asked for before any of it is told, so that the candidates do not depend on how many run at once.
    """

    trials: _Positive = 100
    batch: _Positive = 8
    seed: _Seed = 1


class ScenarioFile(_Table, frozen=True, kw_only=True):
    """A scenario: the use, not the network.

    ``boards`` are names that ``harness platforms`` lists; a network must meet every budget on each of them. ``data`` is
    "digits", "mnist-5k" or "wrist". ``objectives``: of the networks that meet every budget, the best in the first is
    picked; one or more of accuracy, latency, energy, instructions, flash, ram, macs. ``calibration`` has latency and
    energy estimated by calibrations, one for each board: its name where its calibration is stored, or a file relative
    to this one. No candidate of another build is possible then, unless ``carry`` is true: there is no interval then.
    """

    name: Annotated[str, msgspec.Meta(pattern=f"^{_NAME}$")]
    title: str = ""
    boards: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    data: str
    objectives: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] = (ACCURACY,)
    calibration: str | tuple[str, ...] = ()
    carry: bool = False
    use: Use = Use()
    budgets: Budgets = Budgets()
    reserve: Reserve = Reserve()
    space: Space = Space()
    training: Training = Training()
    search: Search = Search()


class Duty(Record, frozen=True):
    """An inference each ``period_s``; ``sleep_w`` None: what the board's datasheet says."""

    period_s: float
    battery: Battery | None
    sleep_w: float | None


class Budget(Record, frozen=True):
    """A limit on one metric, in the metric's unit; ``key`` is the file's ("deadline" for "latency").

    ``estimated``: it is held against an estimate with bounds, everything else against what was measured. ``at_least``:
    the limit is the lowest value, not the highest.
    """

    key: str
    metric: str
    unit: str
    limit: float
    text: str
    estimated: bool = False
    at_least: bool = False


class Scenario(Record, frozen=True):
    """A checked scenario with its budgets in their metrics' units; ``file`` is what the TOML file holds.

    ``calibrations`` are those that latency and energy are estimated by, one a board, or none.
    """

    path: str
    sha256: str
    file: ScenarioFile
    duty: Duty | None
    budgets: tuple[Budget, ...]
    calibrations: tuple[Given, ...] = ()

    @property
    def name(self) -> str:
        """The scenario's name, which its studies have, too."""
        return self.file.name

    @property
    def accuracy(self) -> float | None:
        """The lowest accuracy, 0 to 1; None: any."""
        return self.file.budgets.accuracy


def shipped() -> tuple[str, ...]:
    """The names of the scenarios that come with the harness."""
    return tuple(sorted(path.stem for path in SCENARIOS.glob("*.toml")))


def find(text: str) -> Path:
    """The file of a scenario: a path, else the shipped scenario of that name or file name.

    Raises:
        BadInputError: there is neither.
    """
    path = Path(text)
    if path.is_file():
        return path
    name = path.name.removesuffix(".toml")
    if name in shipped() and (path.suffix == ".toml" or path.name == text):
        return SCENARIOS / f"{name}.toml"
    close = difflib.get_close_matches(name, shipped(), n=1)
    hint = f"did you mean {close[0]}?" if close else f"a TOML file, or one of {', '.join(shipped())}"
    raise BadInputError(f"{text}: there is no such file, and no scenario of that name", hint)


def load(path: Path, folder: Path | None = None) -> Scenario:
    """A scenario's file, checked.

    Args:
        path: the file.
        folder: what files that it names are relative to; None: its own folder.

    Raises:
        BadInputError: it cannot be read, or a key or a value in it cannot be used; the message names file and key.
    """
    found, sha256 = toml_file.read(path, ScenarioFile, "harness optimize FILE.toml", _hint)
    _check_names(path, found)
    duty = _duty(path, found)
    scenario = Scenario(
        path=str(path),
        sha256=sha256,
        file=found,
        duty=duty,
        budgets=_budgets(path, found, duty),
        calibrations=_calibrations(path, found, folder or path.absolute().parent),
    )
    found.space.check(path, _data(path, found.data))
    return scenario


def _data(path: Path, name: str) -> data.Data:
    try:
        return data.load(name)
    except HarnessError as error:
        raise BadInputError(f"{path}: data {name}: {error.message}", error.hint, error.detail) from error


def schema() -> dict[str, Any]:
    """The JSON schema of a scenario file."""
    return json_schema.of(ScenarioFile)


def _hint(message: str) -> str:
    """What a text with a unit looks like, where a number stands in its place."""
    key = re.match(r"(?:\w+\.)*(\w+): Expected `str", message)
    kinds = {
        **dict.fromkeys(("deadline", "period"), quantities.TIME),
        **dict.fromkeys(("flash", "ram"), quantities.SIZE),
        "energy": quantities.ENERGY,
        "life": quantities.LIFE,
        "battery": quantities.BATTERY,
        "sleep_current": quantities.CURRENT,
        "sleep_power": quantities.POWER,
    }
    if key is None or key[1] not in kinds:
        return SCHEMA_HINT
    kind = kinds[key[1]]
    return f'a text with a unit: {key[1]} = "{kind.example}"; units: {kind.units}'


def _check_names(path: Path, found: ScenarioFile) -> None:
    for name in found.boards:
        try:
            platforms.load(name)
        except BadInputError as error:
            refuse(path, "boards", error.message, error.hint)
    for key, values in (("boards", found.boards), ("objectives", found.objectives)):
        if len(set(values)) < len(values):
            refuse(path, key, f"one is named twice: {', '.join(values)}")
    for name in found.objectives:
        if name not in OBJECTIVES:
            refuse(path, "objectives", f"unknown objective {name!r}", f"one of {', '.join(OBJECTIVES)}")
    if found.data not in data.names():
        close = difflib.get_close_matches(found.data, data.names(), n=1)
        refuse(path, "data", f"there is no data named {found.data!r}",
               f"did you mean {close[0]}?" if close else f"one of {', '.join(data.names())}")  # fmt: skip


def _calibrations(path: Path, found: ScenarioFile, folder: Path) -> tuple[Given, ...]:
    names = (found.calibration,) if isinstance(found.calibration, str) else found.calibration
    if found.carry and not names:
        refuse(path, "carry", "it is about a calibration, and none is named", 'calibration = "BOARD or FILE"')
    known: dict[str, Given] = {}
    for name in names:
        try:
            given = use.given(name, found.carry, folder)
        except BadInputError as error:
            refuse(path, "calibration", error.message, error.hint)
        known[given.platform] = given
    lacking = [board for board in found.boards if names and board not in known]
    if lacking or len(known) < len(names):
        refuse(path, "calibration", "name one for each board", f"none is of {', '.join(lacking)}" if lacking else None)
    return tuple(known.values())


def _duty(path: Path, found: ScenarioFile) -> Duty | None:
    use = found.use
    if use.period is None:
        for key in ("battery", "sleep_current", "sleep_power"):
            if getattr(use, key) is not None:
                refuse(path, f"use.{key}", "says nothing without a period", 'add period = "1 s"')
        return None
    with _in(path):
        battery = None if use.battery is None else quantities.battery(use.battery, "use.battery")
        volts = None if battery is None else battery.volts
        return Duty(
            period_s=quantities.seconds(use.period, "use.period"),
            battery=battery,
            sleep_w=quantities.sleep_watts(use.sleep_current, use.sleep_power, volts, "use.sleep"),
        )


class _in:
    """Puts the file in front of the message of a quantity that is none."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, BadInputError):
            raise BadInputError(f"{self._path}: {error.message}", error.hint) from error


def _budgets(path: Path, found: ScenarioFile, duty: Duty | None) -> tuple[Budget, ...]:
    given, made = found.budgets, []
    with _in(path):
        if given.deadline is not None or duty is not None:
            made.append(_deadline(given, found.use, duty))
        if given.energy is not None:
            limit = quantities.microjoules(given.energy, "budgets.energy")
            made.append(
                Budget(key="energy", metric="energy", unit="uJ", limit=limit, text=given.energy, estimated=True)
            )
        if given.life is not None:
            if duty is None or duty.battery is None:
                raise BadInputError("budgets.life: needs a period and a battery",
                                    'add to [use]: period = "1 s", battery = "225mAh@3V"')  # fmt: skip
            limit = quantities.hours(given.life, "budgets.life")
            made.append(Budget(key="life", metric="life", unit="h", limit=limit, text=given.life, estimated=True,
                               at_least=True))  # fmt: skip
        if given.instructions is not None:
            count = given.instructions
            made.append(Budget(key="instructions", metric="instructions", unit="", limit=count, text=f"{count:,}"))
        made += _memory(found)
    if given.accuracy is not None:
        made.append(Budget(key=ACCURACY, metric=ACCURACY, unit=METRICS[ACCURACY].unit, limit=given.accuracy,
                           text=f"{100 * given.accuracy:g} %", at_least=True))  # fmt: skip
    return tuple(made)


def _deadline(given: Budgets, use: Use, duty: Duty | None) -> Budget:
    """The shorter one of deadline and period."""
    limits = []
    if given.deadline is not None:
        limits.append((quantities.seconds(given.deadline, "budgets.deadline"), "deadline", given.deadline))
    if duty is not None:
        limits.append((duty.period_s, "period", use.period or ""))
    seconds, key, text = min(limits)
    return Budget(key=key, metric="latency", unit="ms", limit=1e3 * seconds, text=text, estimated=True)


def _memory(found: ScenarioFile) -> list[Budget]:
    """Of flash and RAM what is given, else what the smallest board has, less the reserve."""
    boards = [platforms.load(name) for name in found.boards]
    made = []
    for key in ("flash", "ram"):
        given: str | None = getattr(found.budgets, key)
        reserved: str = getattr(found.reserve, key)
        kept = quantities.size(reserved, f"reserve.{key}", zero=True)
        smallest = min(getattr(board, key).size_bytes for board in boards)
        if given is not None:
            limit, text = quantities.size(given, f"budgets.{key}"), given
        else:
            limit, text = smallest - kept, f"{_kib(smallest)} of the board" + (f" less {reserved}" if kept else "")
        if not 0 < limit <= smallest - kept:
            raise BadInputError(
                f"{'budgets' if given else 'reserve'}.{key}: {_kib(smallest)} less a reserve of {reserved} leave no "
                f"{given or 'room'}",
                "a smaller one, or a larger board",
            )
        made.append(Budget(key=key, metric=key, unit="B", limit=limit, text=text))
    return made


def _kib(size: int) -> str:
    return f"{size / 1024:g} KiB"
