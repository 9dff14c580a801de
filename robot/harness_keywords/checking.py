"""Keywords that check what was measured."""

from __future__ import annotations

from collections.abc import Callable

from robot.api import Failure, SkipExecution
from robot.api.deco import keyword

from harness import baseline, repeats
from harness.accuracy import AccuracyResult
from harness.gate import words
from harness.gate.metrics import Value
from harness.gate.verdict import Comparison
from harness.realtime import Ramp, RealTime
from harness.repeats import Repeats
from harness.result import Result
from harness_keywords.base import Keywords, amount, run_name, said_by_the_harness

_METRICS: dict[str, tuple[str, Callable[[Result], int]]] = {
    "instructions": ("instructions", lambda result: result.counts.total),
    "flash": ("B", lambda result: result.memory.flash),
    "ram": ("B", lambda result: result.memory.ram),
    "arena": ("B", lambda result: result.memory.arena),
    "stack": ("B", lambda result: result.memory.stack),
}


def _what(change: Comparison) -> str:
    """What changed: "instructions of layer 2 (CONV_2D)"."""
    if change.layer is not None:
        return f"instructions of layer {change.layer} ({change.op})"
    return "instructions of one inference" if change.metric == "instructions" else change.metric


def _amount(value: Value | None, unit: str) -> str:
    return f"{words.amount(value)} {unit}"


class Checking(Keywords):
    """They fail with the actual value, the limit and the unit."""

    @keyword
    def should_be_at_most(self, actual: int | float, limit: int | float, unit: str, what: str) -> None:
        """Fails where ``actual`` is above ``limit``.

        | Should Be At Most    ${result.memory.arena}    8192    B    arena
        """
        if not actual <= limit:  # also where it is no number
            self.fail(f"{what}: {amount(actual, unit)}, limit at most {amount(limit, unit)}")

    @keyword
    def should_be_at_least(self, actual: int | float, limit: int | float, unit: str, what: str) -> None:
        """Fails where ``actual`` is below ``limit``."""
        if not actual >= limit:
            self.fail(f"{what}: {amount(actual, unit)}, limit at least {amount(limit, unit)}")

    @keyword
    @said_by_the_harness
    def metric_should_be_at_most(self, result: Result, metric: str, limit: int | float, unit: str) -> None:
        """Fails where a metric of a run is above its limit.

        Metrics: ``instructions``, in that unit; ``flash``, ``ram`` (without the stack), ``arena`` and ``stack``, in B.
        ``latency``, in ms, skips the test: the harness has no estimate of it.
        """
        if metric == "latency":
            raise SkipExecution(f"no limit of {amount(limit, unit)} can be checked: the harness estimates no latency")
        if metric not in _METRICS:
            raise Failure(f"unknown metric {metric!r} (one of {', '.join([*_METRICS, 'latency'])})")
        known, value = _METRICS[metric]
        if unit != known:
            raise Failure(f"{metric} is measured in {known}, the limit is in {unit!r}")
        self.should_be_at_most(value(result), limit, known, f"{metric} of {run_name(result)}")

    @keyword
    def run_should_pass(self, result: Result) -> None:
        """Fails where the run's verdict is no: the network does not fit the platform, or an output is not exact."""
        self.output_should_be_exact(result)
        if not result.verdict.passed:
            self.fail(f"{run_name(result)}: {'; '.join(result.verdict.reasons)}")

    @keyword
    def output_should_be_exact(self, result: Result) -> None:
        """Fails where an output of any layer differs from the host's, naming the first layer that does."""
        difference = result.check.first_difference
        if difference is not None:
            which = "the outputs" if difference.index is None else f"layer {difference.index} ({difference.op})"
            size = "" if difference.largest is None else f", by {difference.largest:g} at most"
            self.fail(
                f"{run_name(result)}, {which}: {amount(difference.differing, 'elements')} of {difference.elements:,} "
                f"differ from the {difference.reference}{size}, limit at most 0 elements"
            )
        if not (result.check.output_exact and result.check.layers_exact):
            self.fail(f"{run_name(result)}: {'; '.join(result.verdict.reasons)}")

    @keyword
    def layers_should_agree(self, first: Result, second: Result) -> None:
        """Fails where an operator's outputs differ between two runs of one network, naming the first that does."""
        if len(first.layers) != len(second.layers):
            self.fail(f"{run_name(first)} has {len(first.layers)} layers, {run_name(second)} {len(second.layers)}")
        for mine, theirs in zip(first.layers, second.layers, strict=True):
            if mine.output_crc32 != theirs.output_crc32:
                self.fail(
                    f"the outputs of layer {mine.index} ({mine.op}) have CRC-32 {mine.output_crc32} in "
                    f"{run_name(first)} and {theirs.output_crc32} in {run_name(second)}"
                )
        if first.check.outputs != second.check.outputs:
            self.fail(f"the final outputs of {run_name(first)} and {run_name(second)} differ")

    @keyword
    @said_by_the_harness
    def should_be_no_worse_than(
        self, result: Result, reference: Result, metric: str, allowed_percent: float = 0.0
    ) -> None:
        """Fails where a metric is more than ``allowed_percent`` above that of the reference, a baseline for example.

        Metrics: ``instructions``, ``layers`` (the instructions of each), ``flash``, ``arena``, ``stack``.
        """
        changes = baseline.compare(result, reference, metric, allowed_percent)
        worse = [change for change in changes if change.state == "worse"]
        if worse:
            self.fail(
                "; ".join(
                    f"{_what(change)}: {_amount(change.value, change.unit)}, limit at most "
                    f"{_amount(change.bound, change.unit)} (baseline {words.amount(change.baseline)} and "
                    f"{allowed_percent:g} %)"
                    for change in worse
                )
            )

    @keyword
    def images_should_be_equal(self, result: AccuracyResult) -> None:
        """Fails where device and host computed different bytes for an image of a test set."""
        if not result.equal:
            first = result.different[0]
            self.fail(
                f"{amount(len(result.different), 'images')} of {result.images} differ between {result.platform} and "
                f"the host, limit at most 0 images; the first is image {first.index}: "
                f"{amount(first.elements_different, 'elements')} differ, class {first.device_class} on the device, "
                f"{first.host_class} on the host"
            )

    @keyword
    def runs_should_be_equal(self, *repeated: Repeats) -> None:
        """Fails where the stored files of any run differ by a byte from those of the very first."""
        difference = repeats.first_difference(*repeated)
        if difference is not None:
            self.fail(difference)

    @keyword
    def deadlines_should_be_met(self, result: RealTime) -> None:
        """Fails where an inference was over after its deadline, or where an input was lost."""
        if not result.sustained:
            self.fail(
                f"{result.rate_hz:,.6g} inputs a second on {result.machine}: {result.missed} of {result.frames} missed "
                f"and {result.dropped} dropped; worst latency: "
                f"{amount(result.worst_latency_instructions, 'instructions')}, limit at most "
                f"{amount(result.deadline_instructions, 'instructions')}"
            )

    @keyword
    def highest_rate_should_be_as_predicted(self, ramp: Ramp, allowed_percent: float = 2.0) -> None:
        """Fails where the highest rate that was kept is not what the clock over the instructions for an input says."""
        deviation = 100 * abs(ramp.highest_rate_hz / ramp.predicted_rate_hz - 1)
        if deviation > allowed_percent:
            self.fail(
                f"highest rate {ramp.highest_rate_hz:,.6g} inputs a second, predicted {ramp.predicted_rate_hz:,.6g}: "
                f"deviation {amount(deviation, '%')}, limit at most {amount(allowed_percent, '%')}"
            )

    @keyword
    def duty_cycle_should_add_up(self, result: RealTime, allowed_percent: float = 1.0) -> None:
        """Fails where active and idle instructions for an input are not the time from one input to the next.

        The last inference comes after the last input, so that each input's share of it is added to that time.
        """
        active, asleep = result.active_instructions_per_frame, result.idle_instructions_per_frame
        expected = result.deadline_instructions + active / result.frames
        deviation = 100 * abs((active + asleep) / expected - 1)
        if deviation > allowed_percent or asleep == 0:
            self.fail(
                f"active {amount(active, 'instructions')} and asleep {amount(asleep, 'instructions')} of "
                f"{amount(round(expected), 'instructions')} for an input: deviation {amount(deviation, '%')}, "
                f"limit at most {amount(allowed_percent, '%')}"
            )
