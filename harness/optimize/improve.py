"""Improves a user's network for a scenario, step by step: every step that is left is tried, what pays most is taken.

Where no single step pays, two at once are tried.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness import atomic
from harness.errors import EXIT_PASS, EXIT_VERDICT_NO, BadInputError
from harness.library import KERNEL_SETS, OPTIMISATIONS, Progress, silent
from harness.optimize import finals, judge
from harness.optimize.records import Judgement, TestAccuracy
from harness.optimize.scenario import ACCURACY, Scenario
from harness.optimize.space import Type
from harness.optimize.variants import Bench, Standing, Variant
from harness.paths import results_folder
from harness.records import Record
from harness.sweep.run import usable_cores
from harness.zoo import data, evaluate, versions
from harness.zoo.versions import Asked, Change, Made

SCHEMA = "tflm-harness/improvement/1"
MOST_STEPS = 12

# What a budget weighs of which nothing is known, as the network does not run: more than any that is missed.
_UNKNOWN = 100.0
_WORTH = 1e-9
_HINT = "name another folder by --output"
_CHANGES: dict[Change, str] = {
    "up": f"channels up to multiples of {versions.MULTIPLE}",
    "down": f"channels down to multiples of {versions.MULTIPLE}, fine-tuned",
    "prune": f"prune {100 * versions.PRUNED_SHARE:.0f} % of the channels, fine-tuned",
    "narrow": f"narrow by {100 * versions.NARROWED_SHARE:.0f} %, trained on",
}


class Start(Record, frozen=True):
    """How the network is built before the first step."""

    type: Type = "float32"
    kernels: str = "reference"
    optimisation: str = "-Os"


class Tried(Record, frozen=True):
    """A step that was tried, and what it would have brought.

    ``gain`` is by how much it lowers the ``gap``, ``lost`` the share of the validation part that it loses (0: none),
    ``worth`` the gain for each image of it that is lost, one more being counted. None where there is no such version:
    ``reason`` says why. ``reason`` also says why a step with a gain could not be taken.
    """

    step: str
    after: Standing | None
    summary: str
    gain: float | None
    lost: float | None
    worth: float | None
    reason: str | None


class Round(Record, frozen=True):
    """All steps that were left, tried, the most worth first. ``taken`` is the first; None: it brings nothing."""

    before: Standing
    tried: tuple[Tried, ...]
    taken: Tried | None


class Improved(Record, frozen=True):
    """What became of a network. ``missed`` are the budgets that it still misses or may miss; ``reasons`` why it ended.

    ``test`` is the accuracy on the test part, used once, at the end.
    """

    schema: str
    model: str
    model_sha256: str
    scenario: str
    start: Standing
    rounds: tuple[Round, ...]
    final: Standing
    missed: tuple[Judgement, ...]
    test: TestAccuracy
    reasons: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """0: the scenario is met."""
        return EXIT_VERDICT_NO if self.reasons else EXIT_PASS


# Told of each round.
OnRound = Callable[[Round], None]


class _State(Record, frozen=True):
    """Where the improvement is: the .keras file and the .tflite file of it, and what is known of that."""

    content: bytes
    tflite: bytes
    standing: Standing


def improve(
    path: Path,
    scenario: Scenario,
    start: Start | None = None,
    *,
    folder: Path | None = None,
    jobs: int | None = None,
    memo_folder: Path | None = None,
    progress: Progress = silent,
    on_round: OnRound | None = None,
    command: tuple[str, ...] = (),
) -> Improved:
    """Improve a Keras network until a scenario is met, or nothing helps any more.

    The steps are those that the scenario's space allows: its types, kernel sets and levels; and changes of the network:
    channels to multiples of 4, pruning with fine-tuning, narrowing with training.

    Args:
        path: the file of the network, from ``model.save``; it stays as it is.
        scenario: from ``scenario.load``.
        start: how it is built now.
        folder: where network.keras, network.tflite and improve.json go; None: ``default_folder``.
        jobs, memo_folder, progress, command: as in ``run.run``.
        on_round: told of each round.

    Raises:
        BadInputError: the file is no Keras network, or none for the scenario's data, or TFLM does not run it; or the
            scenario cannot be judged.
        MissingToolError: TensorFlow, a compiler or the emulator is not installed.
        HarnessError: nothing can be measured.
    """
    judge.check(scenario)
    content = read(path)
    start = start or Start()
    with Bench(scenario, jobs or usable_cores(), memo_folder, progress, command) as bench:
        state = _first(bench, path, content, start)
        first, rounds = state.standing, list[Round]()
        while state.standing.state != "met" and len(rounds) < MOST_STEPS:
            done, state = _round(bench, state)
            rounds.append(done)
            if on_round is not None:
                on_round(done)
            if done.taken is None:
                break
    final = state.standing
    missed = tuple(item for item in final.judgements if item.state != "met")
    result = Improved(
        schema=SCHEMA,
        model=path.name,
        model_sha256=hashlib.sha256(content).hexdigest(),
        scenario=scenario.name,
        start=first,
        rounds=tuple(rounds),
        final=final,
        missed=missed,
        test=_tested(scenario, state.tflite),
        reasons=_reasons(missed, rounds),
    )
    target = folder or default_folder(path, scenario)
    atomic.write(target / "network.keras", state.content, _HINT)
    atomic.write(target / "network.tflite", state.tflite, _HINT)
    atomic.write(target / "improve.json", msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n", _HINT)
    return result


def default_folder(path: Path, scenario: Scenario) -> Path:
    """Where an improved network goes that no folder is named for."""
    return results_folder() / "improved" / f"{path.stem}-{scenario.name}"


def read(path: Path) -> bytes:
    """The file of a Keras network.

    Raises:
        BadInputError: it cannot be read, or is none.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read: {error.strerror}",
                            "harness optimize improve model.keras --scenario FILE.toml") from error  # fmt: skip
    try:
        versions.suffix(content)
    except BadInputError as error:
        raise BadInputError(f"{path}: {error.message}", error.hint) from error
    return content


def _first(bench: Bench, path: Path, content: bytes, start: Start) -> _State:
    """The network as it is given.

    Raises:
        BadInputError: there is no such version; or it is too large for the board, so that nothing can be measured.
    """
    found = bench.made([bench.asked(content, "none", start.type)])
    made = next(iter(found.values()))
    if isinstance(made, BadInputError):
        raise BadInputError(f"{path}: {made.message}", made.hint, made.detail) from made
    variant = Variant(label=path.stem, sha256=made.built.sha256, type=start.type, kernels=start.kernels,
                      optimisation=start.optimisation)  # fmt: skip
    return _State(content=content, tflite=made.built.content, standing=bench.standings([(variant, made)])[0])


class _Step(Record, frozen=True):
    """A step to try: which of the network's change, type, kernels and level becomes what."""

    words: str
    to: tuple[tuple[str, str], ...]

    def asked(self, bench: Bench, state: _State) -> Asked:
        """The version of the network that it needs."""
        found: dict[str, Any] = {"change": "none", "type": state.standing.variant.type, **dict(self.to)}
        return bench.asked(state.content, found["change"], found["type"])

    def variant(self, now: Variant, sha256: str) -> Variant:
        """How that version is built."""
        built = {name: value for name, value in self.to if name != "change"}
        return msgspec.structs.replace(now, sha256=sha256, **built)


def _steps(scenario: Scenario, now: Variant) -> list[_Step]:
    """Every single step that is left from there."""
    space, found = scenario.file.space, list[_Step]()
    if now.type == "float32" and "int8" in space.types:
        found.append(_Step(words="quantise to int8", to=(("type", "int8"),)))
    for kernels in KERNEL_SETS:
        if kernels in space.kernels and kernels != now.kernels:
            found.append(_Step(words=f"kernels {now.kernels} to {kernels}", to=(("kernels", kernels),)))
    for level in OPTIMISATIONS:
        if level in space.optimisation and level != now.optimisation:
            found.append(_Step(words=f"level {now.optimisation} to {level}", to=(("optimisation", level),)))
    found += [_Step(words=words, to=(("change", change),)) for change, words in _CHANGES.items()]
    return found


def _pairs(steps: Sequence[_Step]) -> list[_Step]:
    """Two steps at once that are about different things: int8 may pay with the kernels that are made for it alone."""
    return [
        _Step(words=f"{one.words}, and {other.words}", to=(*one.to, *other.to))
        for one, other in itertools.combinations(steps, 2)
        if not {name for name, _ in one.to} & {name for name, _ in other.to}
    ]


def _round(bench: Bench, state: _State) -> tuple[Round, _State]:
    """Every single step tried; where none of them may be taken, every pair of them, too."""
    steps = _steps(bench.scenario, state.standing.variant)
    found = _tried(bench, state, steps)
    if all(item.reason is not None for item, _ in found):
        found += _tried(bench, state, _pairs(steps))
    found.sort(key=lambda item: (item[0].reason is not None, -(item[0].worth or 0.0)))
    best, after = found[0]
    done = Round(
        before=state.standing,
        tried=tuple(item for item, _ in found),
        taken=best if best.reason is None else None,
    )
    return done, state if done.taken is None or after is None else after


def _tried(bench: Bench, state: _State, steps: Sequence[_Step]) -> list[tuple[Tried, _State | None]]:
    """What each step would bring, and where it would lead; None: nowhere."""
    asked = [step.asked(bench, state) for step in steps]
    made_of = bench.made(asked)
    now = state.standing
    wanted: list[tuple[Variant, Made]] = []
    for step, item in zip(steps, asked, strict=True):
        made = made_of[item]
        if not isinstance(made, BadInputError):
            wanted.append((step.variant(now.variant, made.built.sha256), made))
    standings = iter(bench.standings(wanted))
    found: list[tuple[Tried, _State | None]] = []
    for step, item in zip(steps, asked, strict=True):
        made = made_of[item]
        if isinstance(made, BadInputError):
            found.append((_impossible(step, made), None))
            continue
        after = next(standings)
        content = state.content if item.change == "none" else made.content
        found.append(
            (
                tried(step.words, now, after, made.summary),
                _State(content=content, tflite=made.built.content, standing=after),
            )
        )
    return found


def _impossible(step: _Step, error: BadInputError) -> Tried:
    return Tried(step=step.words, after=None, summary="", gain=None, lost=None, worth=None, reason=error.message)


def tried(words: str, before: Standing, after: Standing, summary: str = "") -> Tried:
    """What a step would bring, and whether it may be taken."""
    gain = gap(before.judgements) - gap(after.judgements)
    lost = max(0.0, before.accuracy.fraction - after.accuracy.fraction)
    reason = None
    if _accurate(before) and not _accurate(after):
        reason = "would be less accurate than the lowest accuracy"
    elif gain <= _WORTH:
        reason = "brings nothing toward the missed budgets"
    images = after.accuracy.images
    return Tried(step=words, after=after, summary=summary, gain=gain, lost=lost, worth=gain / (lost * images + 1),
                 reason=reason)  # fmt: skip


def _accurate(standing: Standing) -> bool:
    return all(item.state == "met" for item in standing.judgements if item.metric == ACCURACY)


def gap(found: Sequence[Judgement]) -> float:
    """How far all budgets are from being met: the sum of the logarithms of needed / given limits of the missed ones.

    Halving what is twice its limit counts as much for each budget. By the bound that decides, as states are.
    """
    return sum(_excess(item) for item in found if item.state != "met")


def _excess(item: Judgement) -> float:
    if item.value is None:
        return _UNKNOWN
    ratio = 1 / max(1 - item.violation, 1e-9) if item.at_least else 1 + item.violation
    return max(0.0, math.log(ratio))


def _tested(scenario: Scenario, content: bytes) -> TestAccuracy:
    found = data.load(scenario.file.data)
    host = evaluate.accuracy(content, found.test_inputs, found.test_labels)
    return finals.tested_accuracy(host.correct, host.images, scenario.accuracy)


def _reasons(missed: Sequence[Judgement], rounds: Sequence[Round]) -> tuple[str, ...]:
    if not missed:
        return ()
    names = ", ".join(dict.fromkeys(f"{item.key} {item.state}" for item in missed))
    why = (
        "no step that is left brings more" if rounds and rounds[-1].taken is None else f"{MOST_STEPS} steps were taken"
    )
    return (f"{names}; {why}",)
