"""Cycles that a core waits for its flash, by first principles from the interface and the accesses that missed.

An access brings ``read_bytes`` after the wait states, over a bus of 64 bits, a cycle each. A load waits for all of it;
where the interface reads code ahead, that is under way half of the time, and the load waits for it, too. Code that is
jumped to waits for the wait states: the cycle is its own. Code that runs on from one access to the next is fetched a
word a cycle ahead of its execution, so that it waits for what execution does not hide: of the wait states and the words
of an access; or, where the interface reads ahead, of the wait states and one cycle.
"""

from __future__ import annotations

from harness.cost.features import Features
from harness.records import FlashInterface

_WORD = 4
_BUS = 8
_READING_AHEAD = 1.5  # of an access, with what it waits for


def stalls(features: Features, interface: FlashInterface) -> float:
    """Cycles of waiting. ``features.flash`` must have been simulated for that interface."""
    use = features.flash
    if use is None or not features.code_bytes:
        return 0.0
    wait = interface.wait_states
    executing = interface.read_bytes * features.core_cycles / features.code_bytes
    fetching = 1 if interface.prefetch else interface.read_bytes / _WORD
    onward = max(0.0, wait + fetching - executing)
    load = (wait + interface.read_bytes / _BUS) * (_READING_AHEAD if interface.prefetch else 1.0)
    return use.jump_misses * wait + use.onward_misses * onward + use.load_misses * load
