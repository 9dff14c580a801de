"""Starts a run's firmware once more, under the plugin that follows calls, and makes its trees and its deepest stack.

The plugin divides the run at the same mark function as the counter does, so that each segment is counted twice; the
second start is to give the same counts to the instruction. It takes 1.1 to 1.7 times the processor time of the first
(keyword spotting: 0.13 s and 0.11 s; with the reference kernels 0.36 s and 0.22 s), the trees take 0.2 s.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness import cores, profile
from harness.calltree import stacks, tree
from harness.calltree.frames import Code
from harness.calltree.result import CallsPart, LayerCalls
from harness.calltree.stack_code import Word
from harness.calltree.stacks import Stacks
from harness.elf import Elf
from harness.elfprofile import measure as elf_profile
from harness.emulators import flows, qemu_flow
from harness.emulators.flows import Flow, Segment
from harness.emulators.qemu_flow import FlowJob, FlowRun
from harness.errors import EmulationError
from harness.image import END_SYMBOL, MARK_SYMBOL
from harness.records import Platform, Record, Trace
from harness.result import MemoryPart

# A tree holds the contexts with at least this part of its instructions, and no more of them than this; of networks with
# many layers fewer, so that a result stays small.
_LEAST_SHARE = 0.002
_MOST_NODES, _FEWEST_NODES, _NODES_IN_ALL = 40, 8, 3000


class Followed(Record, frozen=True, eq=False):
    """A second start: what it brought, the firmware, whether its core is of Armv8-M, the toolchain's c++filt."""

    ran: FlowRun
    elf: Elf
    armv8: bool
    cxxfilt: str

    def part(self, trace: Trace, sequence: tuple[str, ...], memory: MemoryPart) -> CallsPart:
        """What a result stores of it.

        Args:
            trace: the first start.
            sequence: what the segments are, as ``MarksPart.sequence``.
            memory: with the stack's high-water mark.

        Raises:
            EmulationError: the two starts counted differently.
        """
        flow = self.ran.flow
        _compare(flow, trace, sequence)
        names = _Names(self.elf, flow, self.cxxfilt)
        trees = _Trees(flow, names, Stacks(flow, Code(flow, self.armv8, _words(self.elf))), sequence)
        return CallsPart(
            layers=tuple(trees.of(index, f"layer {index}") for index in range(trees.layers)),
            overhead=trees.of(None, "between"),
            deepest=stacks.path(trees.stacks, flow, sequence, memory.stack, names.name),
            functions=names.used,
            counter=self.ran.emulator.counter or "",
        )


class _Trees:
    """The trees of segments by their titles."""

    def __init__(self, flow: Flow, names: _Names, known: Stacks, sequence: tuple[str, ...]) -> None:
        self._flow, self._names, self.stacks = flow, names, known
        self._segments: dict[str, list[Segment]] = {}
        for title, segment in zip(sequence, flow.segments, strict=True):
            self._segments.setdefault(title, []).append(segment)
        self.layers = sum(title.startswith("layer ") for title in sequence)
        self._most = max(_FEWEST_NODES, min(_MOST_NODES, _NODES_IN_ALL // max(self.layers, 1)))

    def of(self, index: int | None, title: str) -> LayerCalls:
        """The tree of all segments of a title, as the layer of that index.

        Raises:
            EmulationError: it does not close.
        """
        segments = self._segments[title]
        found = tree.nodes(self._flow, tree.Counts(self._flow, segments), self._most, _LEAST_SHARE, self._names.number)
        total = sum(_instructions(self._flow, segment) for segment in segments)
        if sum(node.exclusive for node in found) != total or (found and found[0].inclusive != total):
            raise EmulationError(f"the tree of calls does not close with its {total:,} instructions")
        return LayerCalls(index=index, nodes=found, stack=self._deepest(segments))

    def _deepest(self, segments: Sequence[Segment]) -> int | None:
        places = [place for segment in segments if (place := self.stacks.deepest(segment)) is not None]
        return None if not places or self.stacks.unknown(segments) else max(places)[0]


def follow(elf: Elf, machine: Platform, core: str, cxxfilt: str, time_limit_s: float) -> Followed:
    """Run firmware to its end under the plugin, divided at the marks.

    Args:
        elf: the profiling firmware.
        machine: the machine that it is linked for.
        core: the core that it is built for.
        cxxfilt: the toolchain's c++filt.
        time_limit_s: wall-clock limit in seconds.

    Raises:
        EmulationError: it does not come to its end.
    """
    checked = elf_profile.check(
        elf_profile.Request(path=elf.path, platform=machine.name, stop_at=END_SYMBOL, time_limit_s=time_limit_s)
    )
    mark = elf.symbols[MARK_SYMBOL]
    functions = tuple(
        msgspec.structs.replace(item, flags=item.flags | flows.SPLIT) if item.start == mark else item
        for item in checked.table
    )
    with tempfile.TemporaryDirectory(prefix="harness-calls-") as folder:
        ran = qemu_flow.run(
            FlowJob(
                elf=elf.path,
                machine=machine.machine,
                functions=functions,
                work=Path(folder),
                time_limit_s=time_limit_s,
            )
        )
    if ran.ended_by != "stop function":
        raise EmulationError(
            f"the firmware did not come to its end while calls were followed ({ran.ended_by})",
            "a longer --timeout" if ran.ended_by == "time limit" else None,
            detail=ran.uart[-4000:] or None,
        )
    armv8 = cores.get(core).architecture.startswith("ARMv8")
    return Followed(ran=ran, elf=elf, armv8=armv8, cxxfilt=cxxfilt)


def _compare(flow: Flow, trace: Trace, sequence: tuple[str, ...]) -> None:
    mine = [_instructions(flow, segment) for segment in flow.segments]
    theirs = [segment.instructions for segment in trace.segments]
    if len(mine) != len(theirs):
        raise EmulationError(f"{len(mine)} segments were followed, {len(theirs)} counted")
    for title, followed, counted in zip(sequence, mine, theirs, strict=True):
        # The counter goes on to the machine's end, the other stops before the function that ends the run.
        if followed != counted and title != "end":
            raise EmulationError(f"{title}: {followed:,} instructions were followed, {counted:,} counted")


def _instructions(flow: Flow, segment: Segment) -> int:
    return int(segment.cells[:, 2] @ flow.instructions[segment.cells[:, 1]])


def _words(elf: Elf) -> Word:
    def word(address: int) -> int | None:
        code = elf.code(address, 4)
        return int.from_bytes(code, "little") if len(code) == 4 else None

    return word


class _Names:
    """Readable names of functions by their addresses, and numbers of those that are used."""

    def __init__(self, elf: Elf, flow: Flow, cxxfilt: str) -> None:
        self._mangled = {node.function: elf.function_at(node.function) for node in flow.nodes}
        self._readable = profile.demangle(sorted(set(self._mangled.values())), cxxfilt)
        self._numbers: dict[str, int] = {}

    def name(self, address: int) -> str:
        return self._readable[self._mangled[address]]

    def number(self, address: int) -> int:
        return self._numbers.setdefault(self.name(address), len(self._numbers))

    @property
    def used(self) -> tuple[str, ...]:
        return tuple(self._numbers)
