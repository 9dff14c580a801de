"""What a run's report lacks, with the reason and the command that brings it."""

from __future__ import annotations

from harness.page.document import NotMeasured
from harness.page.run_functions import NO_FUNCTIONS
from harness.page.run_layers import NO_CLASSES
from harness.page.run_origin import again
from harness.result import Result
from harness.store import Manifest


def items(result: Result, manifest: Manifest | None) -> tuple[NotMeasured, ...]:
    """Each thing that a reader may look for, and that is not there."""
    found = [*_counted(result), *_time(result)]
    if result.check.tflite_micro_exact is None and result.check.reference is None:
        reason = result.check.tflite_micro_reason or "it was not asked"
        found.append(NotMeasured(item="the outputs of tflite-micro, as a second opinion", reason=reason))
    found.append(
        NotMeasured(
            item="accuracy on a data set",
            reason="a run is one inference of one input",
            command=f"harness accuracy {result.model.file} --data x.npy,y.npy --platform {result.platform}",
        )
    )
    return tuple(found)


def _counted(result: Result) -> list[NotMeasured]:
    found = []
    if result.counts.classes is None:
        found.append(NotMeasured(item="instruction classes", reason=NO_CLASSES, command=again(result, emulator="qemu")))
    if result.functions is None:
        found.append(NotMeasured(item="functions", reason=NO_FUNCTIONS, command=again(result, emulator="qemu")))
    if result.arena is None:
        reason = "the run was stored by a version of the harness that did not record it"
        found.append(NotMeasured(item="the arena over time", reason=reason, command=again(result)))
    if result.calls is None:
        command = again(result, emulator="qemu", calls=True)
        for item in ("the tree of calls of each layer", "the functions on the deepest stack"):
            found.append(NotMeasured(item=item, reason="calls were not followed", command=command))
    elif result.calls.deepest is None:
        reason = "exceptions ran, which take stack at any time"
        found.append(NotMeasured(item="the functions on the deepest stack", reason=reason))
    return found


def _time(result: Result) -> list[NotMeasured]:
    found = []
    if result.estimate is None:
        found.append(
            NotMeasured(
                item="cycles and latency",
                reason="executed instructions are no time: emulators have no pipeline, no caches, no wait states. An "
                "estimate was not asked for",
                command=again(result, cycles=True),
            )
        )
        found.append(
            NotMeasured(
                item="energy",
                reason="it is estimated from cycles, never measured here",
                command=f"harness energy {result.run_id}",
            )
        )
    return found
