"""How deep the stack pointer is below a function's entry, at each piece of it that was executed.

Firmware is linked without debug information, so that nothing says it but the code: each piece is followed from the
function's entry over the branches between the pieces. Code that a table or a register leads to is taken to have the
stack of where those jumps leave from, if that is one and the same.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from harness import isa
from harness.calltree.stack_code import Exit, Stack, Unknown, Word, leaving
from harness.emulators.flows import Flow
from harness.records import Record

_DIFFERS = "the stack differs by the way on which the code is reached"
_NO_WAY = "how its code is reached cannot be followed"


class Piece(Record, frozen=True):
    """A stretch of straight-line code: its first address and the one behind it, its instructions as capstone writes
    them (address, size, mnemonic, operands), None where one does not decode; where it goes on."""

    start: int
    end: int
    instructions: tuple[tuple[int, int, str, str], ...] | None
    exit: Exit


class Depths(Record, frozen=True):
    """Bytes below the function's entry: at the end of a piece, in front of what it calls or jumps to, and the most in
    it."""

    at_end: int
    most: int


class Code:
    """What a run executed in each calling context, decoded when asked for.

    Args:
        flow: the run.
        armv8: whether its core is of Armv8-M.
        word: gives the 32 bits at an address of the firmware, None where it has none.
    """

    def __init__(self, flow: Flow, armv8: bool, word: Word) -> None:
        self._flow, self._armv8, self._word = flow, armv8, word
        self._pieces: dict[int, Piece] = {}
        self._depths: dict[int, dict[int, Depths] | str] = {}
        self._parts: list[list[int]] = [[] for _ in flow.nodes]
        for node, part in flow.cells[:, :2].tolist():
            self._parts[node].append(part)

    def piece(self, number: int) -> Piece:
        """A part of the run by its number."""
        if number not in self._pieces:
            self._pieces[number] = self._decoded(number)
        return self._pieces[number]

    def _decoded(self, number: int) -> Piece:
        flow = self._flow
        start, count, code = int(flow.addresses[number]), int(flow.instructions[number]), flow.codes[number]
        listed = tuple(isa.disassembler(self._armv8).disasm_lite(code, start, count))
        if len(listed) != count:
            return Piece(start=start, end=start + len(code), instructions=None, exit=Exit())
        return Piece(start=start, end=start + len(code), instructions=listed, exit=leaving(*listed[-1]))

    def pieces(self, node: int) -> dict[int, Piece]:
        """What was executed in a calling context, by the parts' numbers."""
        return {number: self.piece(number) for number in self._parts[node]}

    def depths(self, node: int) -> dict[int, Depths] | str:
        """The depths of what was executed in a calling context, by the parts' numbers; or why they are not known."""
        if node not in self._depths:
            pieces = self.pieces(node)
            try:
                self._depths[node] = follow(self.entries(node), pieces, self._word) if pieces else {}
            except Unknown as error:
                self._depths[node] = str(error)
        return self._depths[node]

    def entries(self, node: int) -> set[int]:
        """Where the function of a context was entered: where it begins, or in its middle, by a jump of the caller."""
        function, caller = self._flow.nodes[node].function, self._flow.nodes[node].parent
        starts = {piece.start for piece in self.pieces(node).values()}
        if function in starts or caller is None:
            return {function}
        return starts & {piece.exit.target for piece in self.pieces(caller).values()}


def follow(entries: Collection[int], pieces: Mapping[int, Piece], word: Word) -> dict[int, Depths]:
    """The depths of pieces of a function by their numbers; ``entries`` are the addresses at which it is entered.

    Raises:
        Unknown: they cannot be followed.
    """
    return _Follower(entries, pieces, word).run()


class _Follower:
    """Goes from piece to piece."""

    def __init__(self, entries: Collection[int], pieces: Mapping[int, Piece], word: Word) -> None:
        self._entries, self._pieces, self._word = entries, pieces, word
        self._starts: dict[int, list[int]] = {}
        for number, piece in pieces.items():
            self._starts.setdefault(piece.start, []).append(number)
        self._entered: dict[int, int] = {}
        self._found: dict[int, Depths] = {}
        self._open: list[Stack] = []
        self._left: list[Stack] = []
        self._waiting: list[tuple[int, Stack]] = []

    def run(self) -> dict[int, Depths]:
        for entry in self._entries:
            self._reach(entry, Stack())
        while True:
            while self._waiting:
                self._step(*self._waiting.pop())
            left = sorted(self._pieces.keys() - self._found.keys(), key=lambda number: self._pieces[number].start)
            if not left:
                return self._found
            ways = self._open or self._left
            if len({stack.depth for stack in ways}) != 1:
                raise Unknown(_NO_WAY)
            self._waiting.append((left[0], ways[0]))

    def _reach(self, address: int, stack: Stack) -> bool:
        """Go on at an address; false: it is none of the function's pieces."""
        numbers = self._starts.get(address, [])
        self._waiting += [(number, stack) for number in numbers]
        return bool(numbers)

    def _step(self, number: int, before: Stack) -> None:
        if self._entered.setdefault(number, before.depth) != before.depth:
            raise Unknown(_DIFFERS)
        if number in self._found:
            return
        piece = self._pieces[number]
        if piece.instructions is None:
            raise Unknown("some of its code does not decode")
        stack, most = Stack(before.depth, before.known), before.depth
        for address, _, mnemonic, operands in piece.instructions:
            stack.execute(address, mnemonic, operands, self._word)
            most = max(most, stack.depth)
        self._found[number] = Depths(at_end=stack.depth, most=most)
        self._go_on(piece, stack)

    def _go_on(self, piece: Piece, stack: Stack) -> None:
        """Reach what follows. Where that is not told, a table's place may follow; or what another function jumps to,
        of those that it jumps to itself. Armv6-M has no far branch but BL: into the function's middle it is one."""
        way = piece.exit
        if way.is_call:
            stack.called()
        stays = way.target is not None and not (way.is_call and way.target in self._entries)
        jumped = stays and way.target is not None and self._reach(way.target, stack)
        behind = way.behind and self._reach(piece.end, stack)
        if (way.open or way.is_call) and not behind and not jumped:
            self._open.append(stack)
        elif way.target is not None and not jumped and not behind:
            self._left.append(stack)
