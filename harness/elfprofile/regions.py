"""Regions: the functions whose calls are counted one by one, and what was counted for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.elfprofile.names import Functions, Named
from harness.elfprofile.result import Call, Region, Spread, Uncertain
from harness.emulators import flows
from harness.emulators.flows import Flow, RegionCounts
from harness.errors import BadInputError

if TYPE_CHECKING:
    from harness.records import IntArray

_MOST_REGIONS = 4096


def choose(functions: Functions, texts: Sequence[str], presets: Sequence[str]) -> tuple[tuple[str, Named], ...]:
    """Names of regions and their functions, in the order in which they were asked for.

    Args:
        functions: those of the firmware.
        texts: "NAME=FUNCTION", or "FUNCTION", which is then its own name.
        presets: of ``names.PRESETS``.

    Raises:
        BadInputError: a function is not there or is several, or a name is given twice.
    """
    chosen: list[tuple[str, Named]] = []
    for text in texts:
        name, wanted = _split(text)
        chosen.append((name, functions.find(wanted)))
    for preset in presets:
        taken = {item.address for _, item in chosen}
        chosen += [(name, item) for name, item in functions.preset(preset) if item.address not in taken]
    names: dict[str, Named] = {}
    places: dict[int, str] = {}
    for name, item in chosen:
        if name in names:
            raise BadInputError(f"two regions are named {name!r}", "give each a name of its own: NAME=FUNCTION")
        if item.address in places:
            raise BadInputError(
                f"the regions {places[item.address]!r} and {name!r} are the same function {item.name}",
                "name each function once",
            )
        names[name], places[item.address] = item, name
    if len(chosen) > _MOST_REGIONS:
        raise BadInputError(f"{len(chosen)} regions are too many", f"at most {_MOST_REGIONS}")
    return tuple(chosen)


def _split(text: str) -> tuple[str, str]:
    """Only the first "=" divides, and not that of a C++ operator."""
    name, sign, wanted = text.partition("=")
    if not sign or "operator" in name:
        return text, text
    if not name or not wanted:
        raise BadInputError(f"--region {text!r} names nothing", "NAME=FUNCTION, as in conv=arm_convolve_s8")
    return name, wanted


def results(flow: Flow, chosen: Sequence[tuple[str, Named]]) -> tuple[Region, ...]:
    """What was counted for the chosen regions."""
    return tuple(
        _result(name, item, flow.regions[number] if number < len(flow.regions) else None)
        for number, (name, item) in enumerate(chosen)
    )


def _result(name: str, item: Named, counts: RegionCounts | None) -> Region:
    assert counts is not None, "the plugin writes every region"
    listed = sorted(counts.listed.tolist())
    return Region(
        name=name,
        function=item.name,
        address=item.address,
        calls=counts.calls,
        nested=counts.nested,
        interrupted=counts.interrupted,
        unfinished=counts.open,
        total=counts.own,
        interrupts=counts.interrupts,
        spread=_spread(counts.values),
        spread_with_interrupts=_spread(counts.values_with_interrupts) if counts.interrupted else None,
        rounded=counts.rounded,
        uncertain=tuple(_uncertain(counts)),
        first_calls=tuple(
            Call(at=at, instructions=own, interrupts=interrupts, nested=bool(flags & flows.NESTED))
            for at, own, interrupts, flags in listed
        ),
    )


def _spread(values: IntArray) -> Spread | None:
    """Of rows of a value and how often it occurred, sorted; the median is the lower one of two."""
    if not len(values):
        return None
    times = values[:, 1].cumsum()
    middle = int(times.searchsorted((int(times[-1]) + 1) // 2))
    return Spread(min=int(values[0, 0]), median=int(values[middle, 0]), max=int(values[-1, 0]))


def _uncertain(counts: RegionCounts) -> list[Uncertain]:
    reasons = (
        (counts.jumped_out, "left by a jump to another function (a tail call), whose instructions are in the count"),
        (counts.unwound, "ended without a return of its own (longjmp, or changed return addresses)"),
        (counts.open, "had not returned when the run ended: not counted"),
    )
    return [Uncertain(calls=calls, why=why) for calls, why in reasons if calls]
