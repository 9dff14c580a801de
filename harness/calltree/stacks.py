"""The stack along the calls of a run: how deep each calling context begins, and the path to the deepest place."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.calltree.frames import Code
from harness.calltree.result import StackFrame, StackPath
from harness.emulators.flows import Flow, Segment

_NO_CALL = "where it calls the next one cannot be told"


class Stacks:
    """The depths of all calling contexts.

    Args:
        flow: a run that was split into segments.
        code: what it executed.
    """

    def __init__(self, flow: Flow, code: Code) -> None:
        self._flow, self._code = flow, code
        self._held: list[int | str] = []  # by the caller of each context, where it calls it
        self._begins: list[int] = []  # what is not known counts as nothing
        for number, node in enumerate(flow.nodes):
            held = 0 if node.parent is None else self._at_call(node.parent, number)
            above = 0 if node.parent is None else self._begins[node.parent]
            self._held.append(held)
            self._begins.append(above + (held if isinstance(held, int) else 0))

    def _at_call(self, caller: int, called: int) -> int | str:
        """What a context holds of the stack where it calls another: the most, where it does so at several places.

        Calls and jumps that name the function come before those through a register, these before running into it.
        """
        depths, entries = self._code.depths(caller), self._code.entries(called)
        if isinstance(depths, str):
            return depths
        found: dict[int, int] = {}
        for part, piece in self._code.pieces(caller).items():
            ways = (piece.exit.target in entries, piece.exit.open, piece.end in entries)
            if any(ways):
                rank = ways.index(True)
                found[rank] = max(found.get(rank, 0), depths[part].at_end)
        return found[min(found)] if found else _NO_CALL

    def deepest(self, segment: Segment) -> tuple[int, int, int] | None:
        """The deepest place of a segment: bytes from the top of the stack, context, part; None where nothing ran."""
        most = None
        for node, part in segment.cells[:, :2].tolist():
            depths = self._code.depths(node)
            inside = depths[part].most if not isinstance(depths, str) else 0
            if most is None or self._begins[node] + inside > most[0]:
                most = self._begins[node] + inside, node, part
        return most

    def unknown(self, segments: Sequence[Segment]) -> dict[int, str]:
        """The functions that ran in some segments and cannot be followed, by their addresses, and why."""
        found = {}
        for node in sorted({node for segment in segments for node in segment.cells[:, 0].tolist()}):
            depths = self._code.depths(node)
            reasons = [depths, *(self._held[number] for number in self._way(node))]
            reason = next((item for item in reasons if isinstance(item, str)), None)
            if reason is not None:
                found[self._flow.nodes[node].function] = reason
        return found

    def _way(self, node: int) -> list[int]:
        """The contexts from the outermost to one of them."""
        way = [node]
        while (parent := self._flow.nodes[way[-1]].parent) is not None:
            way.append(parent)
        return way[::-1]

    def frames(self, node: int, part: int, name: Callable[[int], str]) -> tuple[StackFrame, ...]:
        """The functions on the stack in a part of a context, outermost first."""
        way = self._way(node)
        depths = self._code.depths(node)
        held = [*(self._held[number] for number in way[1:]), depths if isinstance(depths, str) else depths[part].most]
        return tuple(
            StackFrame(
                function=name(self._flow.nodes[number].function),
                bytes=item if isinstance(item, int) else None,
                reason=item if isinstance(item, str) else None,
            )
            for number, item in zip(way, held, strict=True)
        )


def path(
    stacks: Stacks, flow: Flow, sequence: tuple[str, ...], measured: int, name: Callable[[int], str]
) -> StackPath | None:
    """The deepest stack of a run up to the end of its inference.

    Args:
        stacks: the run's.
        flow: the run.
        sequence: what its segments are, as ``MarksPart.sequence``; the last one ran after the stack was measured.
        measured: the high-water mark in bytes.
        name: gives a function's name by its address.

    Returns:
        The path, None where exceptions ran: nobody knows at which instruction one came.
    """
    if flow.notes.exceptions or flow.notes.threads > 1:
        return None
    places = [(stacks.deepest(segment), title) for segment, title in zip(flow.segments, sequence[:-1], strict=False)]
    found = [(place, title) for place, title in places if place is not None]
    (size, node, part), segment = max(found, key=lambda item: item[0][0])  # of equal ones the first
    frames = stacks.frames(node, part, name)
    unknown = [f"{name(function)}: {reason}" for function, reason in stacks.unknown(flow.segments[:-1]).items()]
    note = _note(frames, size, measured, unknown)
    return StackPath(frames=frames, bytes=size, measured=measured, segment=segment, note=note)


def _note(frames: tuple[StackFrame, ...], size: int, measured: int, unknown: list[str]) -> str | None:
    open_frames = [frame for frame in frames if frame.bytes is None]
    if open_frames:
        return f"{open_frames[0].function}: {open_frames[0].reason}; the sum is without it"
    if size < measured:
        other = f"; a deeper path may lead through {unknown[0]}" if unknown else ""
        return f"{measured - size} bytes of the high-water mark are not explained{other}"
    if size > measured:
        return f"{size - measured} bytes at its bottom were never written, which the high-water mark cannot see"
    return None
