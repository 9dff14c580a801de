"""What a reader of a profile has to know: where it could not be followed for certain, and what it does not tell."""

from __future__ import annotations

from collections.abc import Iterator

from harness.elfprofile.image import Image
from harness.emulators.flows import Flow
from harness.records import Machine

SEMIHOSTING = "semihosting was on: the firmware could read and write this machine's files and start its programs"


def of(image: Image, machine: Machine, flow: Flow, ended_by: str, place: str) -> tuple[str, ...]:
    """Sentences without a full stop, the most important first; ``place`` says where the run ended."""
    return (*_ends(flow, ended_by, place), *_doubts(flow), *_facts(image, machine, flow))


def _ends(flow: Flow, ended_by: str, place: str) -> Iterator[str]:
    if ended_by == "time limit":
        yield f"partial: the time limit ended the run in {place}; give --stop-at, --stop-on or --max-instructions"
    if ended_by == "stop text" and flow.nodes:
        yield (
            "the run was ended some milliseconds after the text, so that totals differ from run to run;"
            " calls that ended before do not: --stop-at ends at an instruction"
        )


def _doubts(flow: Flow) -> Iterator[str]:
    notes = flow.notes
    if notes.interrupted_inside:
        yield (
            f"not exact: {notes.interrupted_inside:,} blocks of code were left in their middle, by a fault for example,"
            f" and counted in full; the last at {notes.inside_at:#x}"
        )
    if notes.unexplained:
        yield (
            f"{notes.unexplained:,} times the code went on where nothing led, the last time from"
            f" {notes.unexplained_from:#x} to {notes.unexplained_to:#x}: counted for the function that was open"
        )
    if notes.guessed_switches:
        yield (
            f"{notes.guessed_switches:,} of {notes.switches:,} switches of threads were guessed: several threads waited"
            " at the same place, and no push or pop told which went on"
        )
    if notes.learnt_handlers:
        yield (
            f"{notes.learnt_handlers:,} handlers of exceptions are not in the vector table at reset: the firmware moved"
            " it, or fills it as it runs; they were told by how they were entered"
        )
    if notes.odd_returns:
        yield f"{notes.odd_returns:,} returns went to where nothing was called from"
    if notes.unwound:
        yield f"{notes.unwound:,} calls ended without their own return (longjmp, or changed return addresses)"
    if notes.folded:
        yield "the tree of calls grew too large: recursive calls are folded into one in stacks of calls"


def _facts(image: Image, machine: Machine, flow: Flow) -> Iterator[str]:
    notes = flow.notes
    if not flow.nodes:
        yield (
            "Renode follows the chosen functions only: there are no other functions, classes or stacks of calls, and a"
            " jump from one of them to another function (a tail call) is not told"
        )
    if notes.exceptions:
        timers = "the host's clock, so their number differs from run to run" if flow.nodes else "what is executed"
        yield (
            f"{notes.exceptions:,} exceptions took {notes.in_exceptions:,} instructions, which count for their handlers"
            f" and for no function that they interrupted; timers go by {timers}"
        )
    if notes.threads > 1:
        yield f"{notes.threads:,} threads, {notes.switches:,} switches: each thread has a stack of calls of its own"
    if flow.nodes and not any(symbol.is_function for symbol in image.symbols):
        yield (
            "the firmware is stripped: functions are those that were called, named by address; code that is only jumped"
            " to belongs to the function that jumps"
        )
    if "TAG_CPU_ARCH" not in image.attributes:
        yield f"the firmware does not say what it was built for: whether it is for {machine.core} was not checked"
