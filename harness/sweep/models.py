"""The models of a sweep: the user's files, and networks of the zoo, which are made first; what is known of each."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from pathlib import Path

import msgspec

from harness import model
from harness.errors import BadInputError, HarnessError
from harness.library import Progress
from harness.records import Model, Record
from harness.sweep import accuracy
from harness.sweep.file import File
from harness.sweep.plan import Failure, ModelFacts, failure_of
from harness.zoo import make, recipe
from harness.zoo.recipe import Metadata, Recipe

_CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")


class Candidate(Record, frozen=True):
    """A value on the axis of models: its name in tables, its file, and how the zoo made it, where it did.

    ``failure`` is why it cannot run. Where that and ``facts`` are None, its network is not made yet, and ``path`` is
    None.
    """

    name: str
    path: Path | None
    recipe: Recipe | None
    facts: ModelFacts | None = None
    failure: Failure | None = None

    @property
    def unmade(self) -> bool:
        """Whether the zoo has to make it."""
        return self.facts is None and self.failure is None

    @property
    def type(self) -> str | None:
        """What the zoo was asked for, "hybrid" too; of a file that it did not make, ``ModelFacts.type``."""
        if self.recipe is not None:
            return self.recipe.type
        return None if self.facts is None else self.facts.type


def candidates(file: File) -> tuple[Candidate, ...]:
    """What a sweep file names: its models, then its networks, of which nothing is made here.

    Raises:
        MissingToolError: there are networks, and what the zoo makes them with is not installed.
    """
    return (*(_of_file(name, path) for name, path in file.models), *(_of_recipe(item) for item in file.recipes))


def _of_file(name: str, path: Path) -> Candidate:
    metadata = make.metadata_of(path)
    made_by = None if metadata is None else metadata.recipe
    return _read(Candidate(name=name, path=path, recipe=made_by), path, metadata)


def _of_recipe(wanted: Recipe) -> Candidate:
    named = Candidate(name=wanted.label, path=None, recipe=wanted)
    try:
        recipe.check(wanted)
    except HarnessError as error:
        return msgspec.structs.replace(named, failure=failure_of(error))
    found = make.find(wanted)
    return named if found is None else _read(named, found.path, found.metadata)


def _read(candidate: Candidate, path: Path, metadata: Metadata | None) -> Candidate:
    """With what the file says, or why it is refused."""
    candidate = msgspec.structs.replace(candidate, path=path)
    try:
        checked = model.load(path)
    except HarnessError as error:
        return msgspec.structs.replace(candidate, failure=failure_of(error))
    facts = ModelFacts(
        sha256=checked.sha256, type=type_of(checked), compressed_size=len(zlib.compress(checked.content, 9))
    )
    if metadata is not None:
        facts = msgspec.structs.replace(facts, weights=metadata.weights, **accuracy.of_metadata(metadata))
    return msgspec.structs.replace(candidate, facts=facts)


def type_of(checked: Model) -> str | None:
    """What a network computes in: "int8", "float32", "mixed" for both, None for neither.

    Conversions between the two do not count: an int8 network that takes and gives real numbers is one of int8.
    """
    found = {
        checked.tensors[index].type
        for operator in checked.operators
        if operator.op not in _CONVERSIONS
        for index in (*operator.inputs, *operator.outputs)
        if index >= 0
    } & {"int8", "float32"}
    return "mixed" if len(found) > 1 else next(iter(found), None)


def made(wanted: Iterable[Candidate], progress: Progress) -> tuple[Candidate, ...]:
    """The same, with every network made; one that cannot be has a failure, and the others are made nevertheless.

    Raises:
        MissingToolError: what networks are made with is not installed.
    """
    found = tuple(wanted)
    missing = [item.recipe for item in found if item.unmade and item.recipe is not None]
    if not missing:
        return found
    outcomes = dict(zip(missing, make.attempt(missing, progress), strict=True))
    return tuple(_made(item, outcomes[item.recipe]) if item.unmade and item.recipe is not None else item
                 for item in found)  # fmt: skip


def _made(candidate: Candidate, outcome: make.Made | HarnessError) -> Candidate:
    if isinstance(outcome, HarnessError):
        return msgspec.structs.replace(candidate, failure=failure_of(outcome))
    return _read(candidate, outcome.path, outcome.metadata)


def with_accuracy(
    wanted: Iterable[Candidate], data: tuple[Path, Path] | None, progress: Progress
) -> tuple[tuple[Candidate, ...], tuple[str, ...]]:
    """The same, with the accuracy of those that the zoo knows none of; random weights have none.

    Returns:
        The candidates, and a note for each that does not go together with the test set.

    Raises:
        BadInputError: the test set goes together with none of them.
    """
    found, notes, computed = [], [], 0
    first: BadInputError | None = None
    for item in wanted:
        facts = item.facts
        known = facts is None or facts.accuracy is not None or facts.weights == "random"
        if data is not None and facts is not None and item.path is not None and not known:
            try:
                fields = accuracy.of_test_set(item.path, data, progress)
            except BadInputError as error:
                first = first or error
                notes.append(f"{item.name}: no accuracy: {error.message}")
            else:
                computed += 1
                item = msgspec.structs.replace(item, facts=msgspec.structs.replace(facts, **fields))
        found.append(item)
    if first is not None and not computed:
        raise BadInputError(f"test_set: {first.message}", first.hint)
    return tuple(found), tuple(notes)
