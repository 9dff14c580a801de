"""From contexts and what was executed in them to functions, classes and stacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from harness import isa
from harness.elfprofile.names import Named
from harness.elfprofile.result import FunctionCounts
from harness.emulators import flows
from harness.emulators.flows import Flow
from harness.records import Record

if TYPE_CHECKING:
    from harness.records import IntArray

Name = Callable[[int], str]


class Tree:
    """The contexts of a run, with instructions of each class in each.

    Args:
        flow: what was executed.
        armv8: whether the core is of Armv8-M.

    Raises:
        HarnessError: some code that was executed does not decode.
    """

    def __init__(self, flow: Flow, armv8: bool) -> None:
        self._flow = flow
        classes = _class_matrix(flow, armv8)
        self._own = np.zeros((len(flow.nodes), len(isa.CLASSES)), dtype=np.int64)
        np.add.at(self._own, flow.cells[:, 0], classes[flow.cells[:, 1]] * flow.cells[:, 2:])
        self._below = self._own.copy()
        for number in range(len(flow.nodes) - 1, -1, -1):  # a context comes after the one that it was called in
            parent = flow.nodes[number].parent
            if parent is not None:
                self._below[parent] += self._below[number]

    @property
    def classes(self) -> dict[str, int]:
        """Everything, by class."""
        return _by_class(self._own.sum(axis=0))

    def functions(self, named: Callable[[int], Named]) -> tuple[FunctionCounts, ...]:
        """All that ran, the most instructions first; ``named`` gives the function at an address."""
        own: dict[int, IntArray] = {}
        below: dict[int, IntArray] = {}
        calls: dict[int, int] = {}
        for number, is_outermost in self._outermost():
            node = self._flow.nodes[number]
            zero = np.zeros(len(isa.CLASSES), dtype=np.int64)
            own[node.function] = own.get(node.function, zero) + self._own[number]
            below[node.function] = below.get(node.function, zero) + (self._below[number] if is_outermost else 0)
            calls[node.function] = calls.get(node.function, 0) + node.calls
        rows = [
            FunctionCounts(
                name=named(address).name,
                address=address,
                file=named(address).file,
                calls=calls[address],
                exclusive=int(own[address].sum()),
                inclusive=int(below[address].sum()),
                exclusive_classes=_by_class(own[address]),
                inclusive_classes=_by_class(below[address]),
            )
            for address in own
        ]
        return tuple(sorted(rows, key=lambda row: (-row.exclusive, row.address)))

    def _outermost(self) -> Iterator[tuple[int, bool]]:
        """Each context, and whether its function is in none of those around it."""
        above: list[frozenset[int]] = []
        for number, node in enumerate(self._flow.nodes):
            around = frozenset[int]() if node.parent is None else above[node.parent]
            yield number, node.function not in around
            above.append(around if node.function in around else around | {node.function})

    def stacks(self, name: Name) -> Iterator[Stack]:
        """Each context in which something was executed itself, outermost function first."""
        own = self._own.sum(axis=1)
        paths: list[tuple[str, ...]] = []
        for number, node in enumerate(self._flow.nodes):
            path = () if node.parent is None else paths[node.parent]
            mark = "[interrupt] " if node.kind == flows.INTERRUPT else ""
            paths.append((*path, mark + name(node.function)))
            if own[number]:
                yield Stack(functions=paths[-1], instructions=int(own[number]), interrupt=_root(self._flow, number))


class Stack(Record, frozen=True):
    """A stack of calls, outermost first, and the instructions of the innermost; ``interrupt``: an exception's."""

    functions: tuple[str, ...]
    instructions: int
    interrupt: bool


def _root(flow: Flow, number: int) -> bool:
    while (parent := flow.nodes[number].parent) is not None:
        number = parent
    return flow.nodes[number].kind == flows.INTERRUPT


def _by_class(counts: IntArray) -> dict[str, int]:
    return {name: int(count) for name, count in zip(isa.CLASSES, counts, strict=True)}


def _class_matrix(flow: Flow, armv8: bool) -> IntArray:
    """Instructions of each class in each part: int64, parts x classes."""
    matrix = np.zeros((len(flow.codes), len(isa.CLASSES)), dtype=np.int64)
    for row, (code, address, length) in enumerate(
        zip(flow.codes, flow.addresses.tolist(), flow.instructions.tolist(), strict=True)
    ):
        matrix[row], decoded = isa.count_classes(code, address, length, armv8)
        # What the decoder does not know; QEMU's own decoder decides what is executed.
        matrix[row, isa.CLASSES.index("other")] += length - decoded
    return matrix
