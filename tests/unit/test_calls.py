"""Calls told by entries, returns and exceptions alone, each event as Renode says it."""

from __future__ import annotations

import pytest

from harness.emulators.calls import Follower
from harness.emulators.flows import RegionCounts
from harness.errors import EmulationError

F, G = 0x100, 0x200
# Where they are called from, with the Thumb bit, and the stack there.
HERE, THERE, TOP = 0x501, 0x601, 0x2000_8000
BY_MAIN_STACK, BY_PROCESS_STACK, TO_HANDLER = 0xFFFF_FFF9, 0xFFFF_FFFD, 0xFFFF_FFF1
BY_PROCESS_STACK_WITH_FLOATS = 0xFFFF_FFED


def each(counts: RegionCounts) -> list[tuple[int, int]]:
    """Of each call as it ended: own instructions, those of exceptions."""
    return [(own, interrupts) for _, own, interrupts, _ in counts.listed.tolist()]


def test_a_call_ends_where_it_was_called_from_with_the_same_stack() -> None:
    follower = Follower([F])
    follower.entered(F, 10, TOP, HERE)
    follower.returned(HERE & ~1, 12, TOP - 8)  # the same code in another call, deeper
    follower.returned(THERE & ~1, 14, TOP)
    follower.returned(HERE & ~1, 17, TOP)
    follower.returned(HERE & ~1, 20, TOP)  # code goes on there once more
    (counts,) = follower.regions()
    assert (counts.calls, counts.open, each(counts)) == (1, 0, [(7, 0)])
    assert counts.listed.tolist() == [[10, 7, 0, 0]]


def test_a_loop_that_begins_where_its_function_does_is_one_call() -> None:
    follower = Follower([F])
    for executed in (10, 12, 14):
        follower.entered(F, executed, TOP, HERE)
    follower.returned(HERE & ~1, 17, TOP)
    assert each(follower.regions()[0]) == [(7, 0)]


def test_recursion_is_in_the_total_once() -> None:
    follower = Follower([F])
    follower.entered(F, 0, TOP, HERE)
    follower.entered(F, 4, TOP - 8, THERE)
    follower.returned(THERE & ~1, 9, TOP - 8)
    follower.returned(HERE & ~1, 11, TOP)
    (counts,) = follower.regions()
    assert (counts.calls, counts.nested, counts.own, counts.outermost) == (2, 1, 11, 1)
    assert counts.values.tolist() == [[5, 1], [11, 1]]


def test_a_jump_to_another_function_ends_with_it() -> None:
    follower = Follower([F, G])
    follower.entered(F, 0, TOP, HERE)
    follower.entered(G, 3, TOP, HERE)
    follower.returned(HERE & ~1, 8, TOP)
    first, second = follower.regions()
    assert (each(first), first.jumped_out, first.jumped_in) == ([(8, 0)], 1, 0)
    assert (each(second), second.jumped_out, second.jumped_in) == ([(5, 0)], 0, 1)


def test_a_jump_back_goes_on_with_the_first_call() -> None:
    follower = Follower([F, G])
    follower.entered(F, 0, TOP, HERE)
    follower.entered(G, 3, TOP, HERE)
    follower.entered(F, 4, TOP, HERE)
    follower.returned(HERE & ~1, 8, TOP)
    assert [each(counts) for counts in follower.regions()] == [[(8, 0)], [(1, 0)]]


def test_calls_whose_stack_is_gone_have_ended_somehow() -> None:
    follower = Follower([F, G])
    follower.entered(F, 0, TOP, HERE)
    follower.entered(G, 3, TOP - 16, THERE)
    follower.returned(HERE & ~1, 9, TOP)
    first, second = follower.regions()
    assert (each(first), first.unwound) == ([(9, 0)], 0)
    assert (each(second), second.unwound) == ([(6, 0)], 1)
    assert follower.notes(9).unwound == 1


def test_calls_that_have_not_ended_are_only_open() -> None:
    follower = Follower([F])
    follower.entered(F, 0, TOP, HERE)
    (counts,) = follower.regions()
    assert (counts.calls, counts.open, len(counts.listed), len(counts.values)) == (0, 1, 0, 0)


def test_exceptions_count_for_no_call_that_they_interrupt() -> None:
    follower = Follower([F, G])
    follower.entered(F, 10, TOP, HERE)
    follower.taken(15, TOP - 12)
    follower.entered(G, 15, TOP - 48, BY_MAIN_STACK)  # the handler is a region itself
    follower.taken(18, TOP - 52)
    follower.left(20, TO_HANDLER, TOP - 84, 0)
    follower.left(23, BY_MAIN_STACK, TOP - 48, 0)  # a word was left out, to align the stack
    follower.returned(HERE & ~1, 25, TOP)
    first, second = follower.regions()
    assert (each(first), first.interrupted) == ([(7, 8)], 1)
    assert each(second) == [(6, 2)]
    assert (first.values_with_interrupts.tolist(), first.interrupts) == ([[15, 1]], 8)
    notes = follower.notes(30)
    assert (notes.executed, notes.exceptions, notes.in_exceptions, notes.switches) == (30, 2, 8, 0)


@pytest.mark.parametrize(("how", "saved"), [(BY_PROCESS_STACK, 0x20), (BY_PROCESS_STACK_WITH_FLOATS, 0x68)])
def test_each_thread_has_calls_of_its_own(how: int, saved: int) -> None:
    """The same function from the same place in both; the second thread starts by the first switch."""
    one, other, handler = 0x2000_1000, 0x2000_2000, 0x2000_8000
    follower = Follower([F])
    follower.entered(F, 0, one, HERE)
    follower.taken(5, one - 8)
    follower.left(10, how, handler, other - saved)
    follower.entered(F, 12, other, HERE)
    follower.taken(20, other - 4)
    follower.left(25, how, handler, one - 8 - saved)
    follower.returned(HERE & ~1, 26, one)
    follower.taken(30, one)
    follower.left(35, how, handler, other - 4 - saved)
    follower.returned(HERE & ~1, 37, other)
    (counts,) = follower.regions()
    assert each(counts) == [(6, 5), (10, 5)]
    notes = follower.notes(40)
    assert (notes.threads, notes.switches, notes.exceptions, notes.in_exceptions) == (2, 3, 3, 15)


def test_a_return_from_no_exception_is_noted() -> None:
    follower = Follower([])
    follower.left(3, BY_MAIN_STACK, TOP, 0)
    assert follower.notes(5).odd_returns == 1


def test_a_handler_that_has_not_returned_counts_as_one() -> None:
    follower = Follower([])
    follower.taken(3, TOP)
    assert follower.notes(10).in_exceptions == 7


def test_a_reset_is_refused() -> None:
    follower = Follower([F])
    follower.entered(F, 10, TOP, HERE)
    with pytest.raises(EmulationError, match="the firmware reset the machine"):
        follower.entered(F, 2, TOP, HERE)


def test_only_the_first_calls_are_listed_but_all_are_counted() -> None:
    follower = Follower([F])
    for number in range(70_000):
        follower.entered(F, 2 * number, TOP, HERE)
        follower.returned(HERE & ~1, 2 * number + 1, TOP)
    (counts,) = follower.regions()
    assert (counts.calls, len(counts.listed), counts.values.tolist()) == (70_000, 65_536, [[1, 70_000]])
