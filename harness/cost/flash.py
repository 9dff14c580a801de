"""Cycles that a core waits for its flash, by first principles from the interface and the lines that were missed.

A line that is missed is read in accesses of ``read_bytes``, each of them of wait states + 1 cycles. A load waits for
the whole line. Instructions wait for the access that brings them, of which one cycle is their own; what a prefetch
reads ahead takes no more than what the code before it does not hide.
"""

from __future__ import annotations

from harness.cost.features import Features
from harness.records import FlashInterface


def stalls(features: Features, interface: FlashInterface) -> float:
    """Cycles of waiting. ``features.flash`` must have been simulated for that interface."""
    use = features.flash
    if use is None or not features.code_bytes:
        return 0.0
    wait, code = interface.wait_states, interface.instructions
    data = interface.data or code
    hidden = interface.read_bytes * features.core_cycles / features.code_bytes
    onward = max(0.0, wait + 1 - hidden) if interface.prefetch else float(wait)
    fetches = code.line_bytes // interface.read_bytes
    reads = data.line_bytes // interface.read_bytes
    return (
        use.jump_misses * (wait + (fetches - 1) * onward)
        + use.onward_misses * fetches * onward
        + use.load_misses * reads * (wait + 1)
    )
