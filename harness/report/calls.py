"""The deepest stack of a run on a terminal: the functions on it, with what each holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, Group, RenderableType
from rich.text import Text

from harness.calltree.result import StackFrame, StackPath
from harness.elfprofile.names import short, without_arguments
from harness.report.tables import Column, FittingTable, Row, bar, printable
from harness.result import Result

# Frames in a row that hold less than this part of the stack each are one line, where there are as many as this.
_SMALL, _FEWEST_TOGETHER = 0.08, 3
_EXCEPTIONS = "deepest stack: not known by functions, as exceptions ran, which take stack at any time"


def lines(shown: Result, target: Console) -> RenderableType:
    """What a run with calls shows of them; the trees are in the stored result."""
    assert shown.calls is not None
    path = shown.calls.deepest
    if path is None:
        return Text(_EXCEPTIONS, "yellow")
    titles = _titles(path)
    columns = [Column("deepest stack", least=20), Column("held", right=True), Column(" ", spare=1)]
    rows = [
        Row(
            {
                "deepest stack": _title([titles[frame.function] for frame in group]),
                "held": "-" if any(frame.bytes is None for frame in group) else f"{_sum(group):,} B",
                " ": bar(_sum(group) / path.bytes, target),
            }
        )
        for group in _groups(path)
    ]
    return Group(FittingTable(columns, rows), Text(_summary(shown, path)), *_note(path))


def _groups(path: StackPath) -> Iterator[Sequence[StackFrame]]:
    """Frames that get a line: each large one, and small ones in a row together."""
    small: list[StackFrame] = []
    for frame in path.frames:
        if frame.bytes is not None and frame.bytes < _SMALL * path.bytes:
            small.append(frame)
            continue
        yield from _together(small)
        small = []
        yield [frame]
    yield from _together(small)


def _together(small: list[StackFrame]) -> Iterator[Sequence[StackFrame]]:
    if len(small) >= _FEWEST_TOGETHER:
        yield small
    else:
        yield from ([frame] for frame in small)


def _title(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} ... {names[-1]}, {len(names)} functions"


def _titles(path: StackPath) -> dict[str, str]:
    """The functions' short names; two that have the same one keep their namespaces."""
    names = {frame.function: printable(short(frame.function)) for frame in path.frames}
    taken = list(names.values())
    return {
        function: name if taken.count(name) == 1 else printable(without_arguments(function))
        for function, name in names.items()
    }


def _sum(group: Sequence[StackFrame]) -> int:
    return sum(frame.bytes or 0 for frame in group)


def _summary(shown: Result, path: StackPath) -> str:
    where = path.segment
    if where.startswith("layer "):
        where += f" ({printable(shown.layers[int(where.removeprefix('layer '))].op)})"
    return f"{path.bytes:,} B derived from the code, in {where}; {path.measured:,} B measured"


def _note(path: StackPath) -> list[Text]:
    return [] if path.note is None else [Text(printable(path.note), "dim")]
