"""Follows calls of chosen functions by what Renode's hooks say: entries, returns, exceptions; see renode_flow.

A call is told by its return address and the stack pointer at its entry: it has returned where code goes on at the one
with the other. Each thread and each exception is an activation with calls of its own; what is executed counts for the
activation that runs and for no other. It gives what the plugin flow.c does, but of chosen functions only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.emulators import flows
from harness.emulators.flows import JUMPED_IN, JUMPED_OUT, NESTED, UNWOUND, Notes, RegionCounts
from harness.errors import EmulationError

if TYPE_CHECKING:
    from harness.records import IntArray

_MOST_LISTED = 65536
# Return addresses from here on are those that end an exception, and say how.
_EXCEPTION_RETURNS = 0xF0000000
_PROCESS_STACK, _BASIC_FRAME = 1 << 2, 1 << 4
_FRAME_BYTES, _FLOAT_FRAME_BYTES = 0x20, 0x68


class _Frame:
    """An open call: of a region, with the clock of its activation at its entry."""

    def __init__(self, region: int, link: int, stack: int, at: int, activation: _Activation) -> None:
        self.region, self.link, self.stack, self.at = region, link, stack, at
        self.own, self.interrupts = activation.own, activation.interrupts
        self.flags = NESTED if any(frame.region == region for frame in activation.frames) else 0


class _Activation:
    """A thread, or an exception with what it interrupted: executed in it, in exceptions that interrupted it, and the
    stack pointer where it was interrupted."""

    def __init__(self, below: _Activation | None = None) -> None:
        self.below = below
        self.own = self.interrupts = self.stack = 0
        self.frames: list[_Frame] = []


class _Calls:
    """What the calls of one region took."""

    def __init__(self) -> None:
        self.calls = self.outermost = self.own = self.interrupts = 0
        self.listed: list[tuple[int, int, int, int]] = []
        self.values: dict[int, int] = {}
        self.values_with_interrupts: dict[int, int] = {}
        self.flagged = dict.fromkeys((NESTED, JUMPED_IN, JUMPED_OUT, UNWOUND, flows.INTERRUPTED), 0)

    def add(self, at: int, own: int, interrupts: int, flags: int) -> None:
        flags |= flows.INTERRUPTED if interrupts else 0
        self.calls += 1
        if not flags & NESTED:
            self.outermost += 1
            self.own += own
            self.interrupts += interrupts
        for flag in self.flagged:
            self.flagged[flag] += bool(flags & flag)
        if len(self.listed) < _MOST_LISTED:
            self.listed.append((at, own, interrupts, flags))
        self.values[own] = self.values.get(own, 0) + 1
        total = own + interrupts
        self.values_with_interrupts[total] = self.values_with_interrupts.get(total, 0) + 1

    def counts(self, still_open: int) -> RegionCounts:
        return RegionCounts(
            calls=self.calls,
            outermost=self.outermost,
            own=self.own,
            interrupts=self.interrupts,
            open=still_open,
            nested=self.flagged[NESTED],
            jumped_in=self.flagged[JUMPED_IN],
            jumped_out=self.flagged[JUMPED_OUT],
            unwound=self.flagged[UNWOUND],
            interrupted=self.flagged[flows.INTERRUPTED],
            listed=_array(self.listed, 4),
            values=_array(sorted(self.values.items()), 2),
            values_with_interrupts=_array(sorted(self.values_with_interrupts.items()), 2),
            rounded=False,
        )


class Follower:
    """Takes what happened, in order; ``executed`` is always what was executed in all before it.

    ``regions``: the addresses of the functions, without the Thumb bit; counts come in their order.
    """

    def __init__(self, regions: Sequence[int]) -> None:
        self._numbers = {address: number for number, address in enumerate(regions)}
        self._calls = [_Calls() for _ in regions]
        self._current = _Activation()
        self._waiting: list[_Activation] = []
        self._executed = self._in_exceptions = self._exceptions = self._switches = self._odd = self._deepest = 0
        self._threads = 1

    def entered(self, address: int, executed: int, stack: int, link: int) -> None:
        """The code is at the first instruction of a region; ``link`` is its return address.

        A jump from where the region itself was called, directly or over others, goes on with that call.
        """
        self._pass(executed)
        self._unwind(stack)
        region, frames = self._numbers[address], self._current.frames
        chain = len(frames)
        while chain and (frames[chain - 1].link, frames[chain - 1].stack) == (link, stack):
            chain -= 1
            if frames[chain].region == region:
                while len(frames) > chain + 1:
                    self._close(0)
                return
        frame = _Frame(region, link, stack, executed, self._current)
        if chain < len(frames):
            frames[-1].flags |= JUMPED_OUT
            frame.flags |= JUMPED_IN
        frames.append(frame)
        self._deepest = max(self._deepest, len(frames))

    def returned(self, address: int, executed: int, stack: int) -> None:
        """The code is where a region was called from, which it may be for other reasons, too."""
        self._pass(executed)
        self._unwind(stack)
        frames = self._current.frames
        while frames and frames[-1].stack == stack and frames[-1].link & ~1 == address:
            self._close(0)

    def taken(self, executed: int, stack: int) -> None:
        """An exception interrupts what runs; ``stack`` is the pointer before anything was saved for it."""
        self._pass(executed)
        self._current.stack = stack
        self._waiting.append(self._current)
        self._current = _Activation(self._current)
        self._exceptions += 1

    def left(self, executed: int, how: int, main_stack: int, process_stack: int) -> None:
        """An exception returns; ``how`` is what it returns by, the stacks still hold what was saved."""
        self._pass(executed)
        ended, below = self._current, self._current.below
        if below is None:
            self._odd += 1
            return
        while ended.frames:
            self._close(0 if ended.frames[-1].link >= _EXCEPTION_RETURNS else UNWOUND)
        self._in_exceptions += ended.own
        below.interrupts += ended.own + ended.interrupts
        saved = process_stack if how & _PROCESS_STACK else main_stack
        self._current = self._resumed(saved + (_FRAME_BYTES if how & _BASIC_FRAME else _FLOAT_FRAME_BYTES), below)

    def _resumed(self, stack: int, below: _Activation) -> _Activation:
        """What goes on with that stack pointer, or with the next word: a pointer is aligned before it is saved."""
        for candidate in (below, *reversed(self._waiting)):
            if candidate in self._waiting and candidate.stack - stack in (0, 4):
                self._waiting.remove(candidate)
                self._switches += candidate is not below
                return candidate
        self._threads += 1
        self._switches += 1
        return _Activation()

    def regions(self) -> tuple[RegionCounts, ...]:
        """What was counted; calls that have not ended are only said to be open."""
        frames = [frame for activation in (self._current, *self._waiting) for frame in activation.frames]
        opened = [sum(frame.region == number for frame in frames) for number in range(len(self._calls))]
        return tuple(calls.counts(still_open) for calls, still_open in zip(self._calls, opened, strict=True))

    def notes(self, executed: int) -> Notes:
        """Counters as flow.c gives them, after the run's last instruction; what it cannot tell apart is 0 here."""
        self._pass(executed)
        running = sum(item.own for item in (self._current, *self._waiting) if item.below is not None)
        return Notes(
            executed=executed,
            in_exceptions=self._in_exceptions + running,
            repeated=0,
            exceptions=self._exceptions,
            switches=self._switches,
            threads=self._threads,
            guessed_switches=0,
            learnt_handlers=0,
            unwound=sum(calls.flagged[UNWOUND] for calls in self._calls),
            odd_returns=self._odd,
            unexplained=0,
            unexplained_from=0,
            unexplained_to=0,
            interrupted_inside=0,
            inside_at=0,
            deepest=self._deepest,
            folded=0,
        )

    def _pass(self, executed: int) -> None:
        if executed < self._executed:
            raise EmulationError(
                "the firmware reset the machine, where Renode's count begins anew",
                "end the run before that (--stop-at, --max-instructions), or profile it on QEMU",
            )
        self._current.own += executed - self._executed
        self._executed = executed

    def _unwind(self, stack: int) -> None:
        """End the calls whose stack is gone."""
        while self._current.frames and self._current.frames[-1].stack < stack:
            self._close(UNWOUND)

    def _close(self, flags: int) -> None:
        frame, activation = self._current.frames.pop(), self._current
        own, interrupts = activation.own - frame.own, activation.interrupts - frame.interrupts
        self._calls[frame.region].add(frame.at, own, interrupts, frame.flags | flags)


def _array(rows: Sequence[tuple[int, ...]], width: int) -> IntArray:
    import numpy as np

    return np.array(rows, dtype=np.int64).reshape(-1, width)
