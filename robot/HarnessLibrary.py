"""Keywords over the Python API of tflm-harness: one keyword, one call."""

from __future__ import annotations

import functools
import html
import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from rich.console import Console
from robot.api import Failure, SkipExecution, logger
from robot.api.deco import keyword, library
from robot.libraries.BuiltIn import BuiltIn

from harness import accuracy, bad_frames, baseline, faults, pipeline, platforms, realtime, repeats
from harness.accuracy import AccuracyResult
from harness.emulators import renode_find
from harness.errors import HarnessError, MissingToolError
from harness.realtime import Ramp, RealTime
from harness.repeats import Repeats
from harness.report import rates, tables
from harness.result import Result
from harness.setup import DEFAULT_TIME_LIMIT_S

_TABLE_WIDTH = 120
_METRICS: dict[str, tuple[str, Callable[[Result], int]]] = {
    "instructions": ("instructions", lambda result: result.counts.total),
    "flash": ("B", lambda result: result.memory.flash),
    "ram": ("B", lambda result: result.memory.ram),
    "arena": ("B", lambda result: result.memory.arena),
    "stack": ("B", lambda result: result.memory.stack),
}

P = ParamSpec("P")
T = TypeVar("T")


def _said_by_the_harness(call: Callable[P, T]) -> Callable[P, T]:
    """Around each keyword: an error of the harness fails the test with its message and hint, its detail in the log."""

    @functools.wraps(call)
    def wrapped(*arguments: P.args, **options: P.kwargs) -> T:
        try:
            return call(*arguments, **options)
        except HarnessError as error:
            if error.detail:
                logger.write(f"<pre>{html.escape(error.detail)}</pre>", "INFO", html=True)
            raise Failure(f"{error.message} ({error.hint})" if error.hint else error.message) from error

    return wrapped


@library(scope="SUITE", version="1.0", auto_keywords=False)
class HarnessLibrary:
    """Measures networks on emulated microcontrollers, and checks what was measured.

    = Measuring =

    `Run Model`, `Run Model On Both Emulators`, `Repeat Model`, `Measure Accuracy`, `Run In Real Time` and
    `Ramp Up The Rate` build firmware, run it and return a record of the Python API as it is, so that
    ``${result.counts.total}``, ``${result.layers[0].instructions}`` or ``${result.memory.arena}`` are its numbers.

    Options of all of them: ``kernels`` is ``reference`` or ``cmsis-nn``, ``optimisation`` ``-Os``, ``-O2``, ``-O3`` or
    ``-Ofast``, ``emulator`` ``qemu`` or ``renode``, ``time_limit_s`` the limit of each start of the emulator in
    seconds of the host.

    = Checking =

    Keywords that begin with ``Should`` or contain it fail with the actual value, the limit and the unit. With the
    failure the log gets the table of the layers of each run that the test made, and links to what the firmware and the
    emulator printed, which are copied beside ``log.html``.
    """

    def __init__(self) -> None:
        self._once: dict[tuple[object, ...], Result] = {}
        # The runs of each test, those of the suite's setup under None.
        self._runs: dict[str | None, list[Result]] = {}

    # --- measuring ---

    @keyword
    @_said_by_the_harness
    def run_model(
        self,
        model: Path,
        platform: str,
        kernels: str = "reference",
        optimisation: str = "-O2",
        emulator: str = "qemu",
        input_file: Path | None = None,
        time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    ) -> Result:
        """Builds a network into firmware, runs one inference, checks it, and returns the stored result.

        ``input_file`` is an .npy file; without one the input is the harness's own, which is the same each time.

        | ${result} =    Run Model    kws.tflite    stm32l496zg    kernels=cmsis-nn
        | Log    ${result.counts.total} instructions
        """
        return self._keep(
            pipeline.run(
                model,
                platform,
                kernels=kernels,
                optimisation=optimisation,
                emulator=emulator,
                input_paths=() if input_file is None else (input_file,),
                time_limit_s=time_limit_s,
                progress=_progress,
                command=("robot",),
            )
        )

    @keyword
    @_said_by_the_harness
    def run_model_once(
        self,
        model: Path,
        platform: str,
        kernels: str = "reference",
        optimisation: str = "-O2",
        emulator: str = "qemu",
        time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    ) -> Result:
        """As `Run Model`, but the second time in a suite it returns what the first one measured."""
        key = (model.absolute(), platform, kernels, optimisation, emulator)
        if key not in self._once:
            self._once[key] = pipeline.run(
                model,
                platform,
                kernels=kernels,
                optimisation=optimisation,
                emulator=emulator,
                time_limit_s=time_limit_s,
                progress=_progress,
                command=("robot",),
            )
        return self._keep(self._once[key])

    @keyword
    @_said_by_the_harness
    def run_model_on_both_emulators(
        self,
        model: Path,
        platform: str,
        kernels: str = "reference",
        optimisation: str = "-O2",
        time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    ) -> tuple[Result, ...]:
        """Runs one firmware on QEMU and on Renode; fails where a segment's count differs. Returns both results."""
        results = pipeline.run_on_both(
            model,
            platform,
            kernels=kernels,
            optimisation=optimisation,
            time_limit_s=time_limit_s,
            progress=_progress,
            command=("robot",),
        )
        return tuple(self._keep(result) for result in results)

    @keyword
    @_said_by_the_harness
    def repeat_model(
        self,
        model: Path,
        platform: str,
        times: int = 3,
        cold: bool = False,
        kernels: str = "reference",
        optimisation: str = "-O2",
        emulator: str = "qemu",
        time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    ) -> Repeats:
        """Runs the same ``times`` times; ``cold``: each time from a cache that holds nothing but the libraries."""
        repeated = repeats.repeat(
            model,
            platform,
            times=times,
            cold=cold,
            kernels=kernels,
            optimisation=optimisation,
            emulator=emulator,
            time_limit_s=time_limit_s,
            progress=_progress,
        )
        self._keep(repeated.results[0])
        return repeated

    @keyword
    @_said_by_the_harness
    def measure_accuracy(
        self,
        model: Path,
        images: Path,
        labels: Path,
        platform: str,
        limit: int | None = None,
        kernels: str = "reference",
        optimisation: str = "-O2",
        emulator: str = "qemu",
        time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    ) -> AccuracyResult:
        """Sends a test set over the UART to the emulated device and to the same application on the host.

        ``images`` and ``labels`` are .npy files, ``limit`` takes the first so many.
        """
        return accuracy.measure(
            model,
            images,
            labels,
            platform,
            kernels=kernels,
            optimisation=optimisation,
            emulator=emulator,
            limit=limit,
            time_limit_s=time_limit_s,
            progress=_progress,
        )

    @keyword
    @_said_by_the_harness
    def send_bad_frame(
        self,
        kind: str,
        model: Path,
        platform: str,
        kernels: str = "reference",
        optimisation: str = "-O2",
        emulator: str = "qemu",
        time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    ) -> str:
        """Sends firmware that serves a frame that is none, between two inferences, and returns what it answers.

        ``kind`` is ``wrong CRC``, ``too short``, ``too long``, ``unknown type`` or ``bad argument``. Fails where no
        error frame comes, or where the second inference gives other outputs than the first.
        """
        return bad_frames.send(
            kind,
            model,
            platform,
            kernels=kernels,
            optimisation=optimisation,
            emulator=emulator,
            time_limit_s=time_limit_s,
            progress=_progress,
        )

    @keyword
    @_said_by_the_harness
    def run_in_real_time(
        self,
        model: Path,
        platform: str,
        rate_hz: float,
        frames: int = realtime.DEFAULT_FRAMES,
        interrupts_per_frame: int = 1,
        kernels: str = "reference",
        optimisation: str = "-O2",
        emulator: str = "qemu",
        time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    ) -> RealTime:
        """Delivers ``frames`` inputs at ``rate_hz`` inputs a second, each in so many interrupts of a timer.

        Between inferences the core sleeps (WFI). Time is executed instructions at one a cycle of the platform's clock.
        """
        result = realtime.run(
            model,
            platform,
            rate_hz,
            frames=frames,
            interrupts_per_frame=interrupts_per_frame,
            kernels=kernels,
            optimisation=optimisation,
            emulator=emulator,
            time_limit_s=time_limit_s,
            progress=_progress,
        )
        logger.info(rates.summary(result))
        return result

    @keyword
    @_said_by_the_harness
    def ramp_up_the_rate(
        self,
        model: Path,
        platform: str,
        frames: int = realtime.DEFAULT_FRAMES,
        interrupts_per_frame: int = 1,
        kernels: str = "reference",
        optimisation: str = "-O2",
        emulator: str = "qemu",
        time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    ) -> Ramp:
        """Finds the highest rate that a network keeps up with; the log gets a line of each rate that was tried."""
        ramp = realtime.ramp(
            model,
            platform,
            frames=frames,
            interrupts_per_frame=interrupts_per_frame,
            kernels=kernels,
            optimisation=optimisation,
            emulator=emulator,
            time_limit_s=time_limit_s,
            progress=_progress,
        )
        logger.write(f"<pre>{html.escape(rates.rates(ramp.runs))}</pre>", "INFO", html=True)
        return ramp

    @keyword
    @_said_by_the_harness
    def damage_the_model(
        self,
        model: Path,
        platform: str,
        kernels: str = "reference",
        optimisation: str = "-O2",
        emulator: str = "qemu",
        time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    ) -> str:
        """Flips a bit of the network in the firmware's flash, and runs it. Returns how the harness names the cause."""
        return faults.corrupted_model(
            model,
            platform,
            kernels=kernels,
            optimisation=optimisation,
            emulator=emulator,
            time_limit_s=time_limit_s,
        )

    @keyword
    @_said_by_the_harness
    def shrink_the_arena(
        self,
        model: Path,
        platform: str,
        kernels: str = "reference",
        optimisation: str = "-O2",
        emulator: str = "qemu",
        time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    ) -> str:
        """Runs firmware whose arena is one step too small. Returns how the harness names the cause."""
        return faults.small_arena(
            model,
            platform,
            kernels=kernels,
            optimisation=optimisation,
            emulator=emulator,
            time_limit_s=time_limit_s,
        )

    @keyword
    @_said_by_the_harness
    def overflow_the_stack(
        self,
        model: Path,
        platform: str,
        kernels: str = "reference",
        optimisation: str = "-O2",
        emulator: str = "qemu",
        time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    ) -> str:
        """Runs firmware that recurses until its stack is full. Returns how the harness names the cause."""
        return faults.stack_overflow(
            model,
            platform,
            kernels=kernels,
            optimisation=optimisation,
            emulator=emulator,
            time_limit_s=time_limit_s,
        )

    @keyword
    @_said_by_the_harness
    def hang_under_the_watchdog(
        self,
        model: Path,
        platform: str,
        kernels: str = "reference",
        optimisation: str = "-O2",
        emulator: str = "qemu",
        time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    ) -> str:
        """Runs firmware that loops for ever under a watchdog. Returns how the harness names the cause."""
        return faults.hang(
            model,
            platform,
            kernels=kernels,
            optimisation=optimisation,
            emulator=emulator,
            time_limit_s=time_limit_s,
        )

    # --- choosing ---

    @keyword
    @_said_by_the_harness
    def platform_of_core(self, core: str, default: str, asked_for: str = "") -> str:
        """The platform to test a core on: the one that was asked for, where it has that core, otherwise the default.

        Skips the test where a platform with another core was asked for.
        """
        if not asked_for:
            return default
        found = platforms.load(asked_for)
        if found.core != core:
            raise SkipExecution(f"{found.name}, which was asked for, has a {found.core}, this is for a {core}")
        return found.name

    @keyword
    @_said_by_the_harness
    def skip_unless_renode_is_found(self) -> None:
        """Skips the test where there is no Renode, or fails it where $HARNESS_REQUIRE_RENODE is set."""
        try:
            found = renode_find.find()
        except MissingToolError as error:
            if os.environ.get("HARNESS_REQUIRE_RENODE"):
                raise
            raise SkipExecution(f"{error.message} ({error.hint})") from error
        logger.info(f"Renode {found.version} ({found.origin})")

    @keyword
    @_said_by_the_harness
    def find_baseline(self, result: Result, folder: Path) -> Result:
        """The stored result to compare this one with; skips the test where there is none that is comparable."""
        found = baseline.find(result, folder)
        if found is None:
            raise SkipExecution(f"no baseline {baseline.name(result)} in {folder} (Store Baseline makes one)")
        reason = baseline.incomparable(result, found)
        if reason is not None:
            raise SkipExecution(f"baseline {baseline.name(result)}: {reason}")
        return found

    @keyword
    @_said_by_the_harness
    def store_baseline(self, result: Result, folder: Path) -> Path:
        """Makes this result the baseline of runs like it, and returns the file. No suite of the harness does that."""
        return baseline.save(result, folder)

    # --- checking ---

    @keyword
    def should_be_at_most(self, actual: int | float, limit: int | float, unit: str, what: str) -> None:
        """Fails where ``actual`` is above ``limit``.

        | Should Be At Most    ${result.memory.arena}    8192    B    arena
        """
        if actual > limit:
            self._fail(f"{what}: {_amount(actual, unit)}, limit at most {_amount(limit, unit)}")

    @keyword
    def should_be_at_least(self, actual: int | float, limit: int | float, unit: str, what: str) -> None:
        """Fails where ``actual`` is below ``limit``."""
        if not actual >= limit:
            self._fail(f"{what}: {_amount(actual, unit)}, limit at least {_amount(limit, unit)}")

    @keyword
    @_said_by_the_harness
    def metric_should_be_at_most(self, result: Result, metric: str, limit: int | float, unit: str) -> None:
        """Fails where a metric of a run is above its limit.

        Metrics: ``instructions``, in that unit; ``flash``, ``ram`` (without the stack), ``arena`` and ``stack``, in B.
        ``latency``, in ms, skips the test: the harness has no estimate of it.
        """
        if metric == "latency":
            raise SkipExecution(f"no limit of {_amount(limit, unit)} can be checked: the harness estimates no latency")
        if metric not in _METRICS:
            raise Failure(f"unknown metric {metric!r} (one of {', '.join([*_METRICS, 'latency'])})")
        known, value = _METRICS[metric]
        if unit != known:
            raise Failure(f"{metric} is measured in {known}, the limit is in {unit!r}")
        self.should_be_at_most(value(result), limit, known, f"{metric} of {_run(result)}")

    @keyword
    def run_should_pass(self, result: Result) -> None:
        """Fails where the run's verdict is no: the network does not fit the platform, or an output is not exact."""
        self.output_should_be_exact(result)
        if not result.verdict.passed:
            self._fail(f"{_run(result)}: {'; '.join(result.verdict.reasons)}")

    @keyword
    def output_should_be_exact(self, result: Result) -> None:
        """Fails where an output of any layer differs from the host's, naming the first layer that does."""
        difference = result.check.first_difference
        if difference is not None:
            which = "the outputs" if difference.index is None else f"layer {difference.index} ({difference.op})"
            size = "" if difference.largest is None else f", by {difference.largest:g} at most"
            self._fail(
                f"{_run(result)}, {which}: {_amount(difference.differing, 'elements')} of {difference.elements:,} "
                f"differ from the {difference.reference}{size}, limit at most 0 elements"
            )
        if not (result.check.output_exact and result.check.layers_exact):
            self._fail(f"{_run(result)}: {'; '.join(result.verdict.reasons)}")

    @keyword
    def layers_should_agree(self, first: Result, second: Result) -> None:
        """Fails where an operator's outputs differ between two runs of one network, naming the first that does."""
        if len(first.layers) != len(second.layers):
            self._fail(f"{_run(first)} has {len(first.layers)} layers, {_run(second)} {len(second.layers)}")
        for mine, theirs in zip(first.layers, second.layers, strict=True):
            if mine.output_crc32 != theirs.output_crc32:
                self._fail(
                    f"the outputs of layer {mine.index} ({mine.op}) have CRC-32 {mine.output_crc32} in {_run(first)} "
                    f"and {theirs.output_crc32} in {_run(second)}"
                )
        if first.check.outputs != second.check.outputs:
            self._fail(f"the final outputs of {_run(first)} and {_run(second)} differ")

    @keyword
    @_said_by_the_harness
    def should_be_no_worse_than(
        self, result: Result, reference: Result, metric: str, allowed_percent: float = 0.0
    ) -> None:
        """Fails where a metric is more than ``allowed_percent`` above that of the reference, a baseline for example.

        Metrics: ``instructions``, ``layers`` (the instructions of each), ``flash``, ``arena``, ``stack``.
        """
        changes = baseline.compare(result, reference, metric, allowed_percent)
        worse = [change for change in changes if change.worse]
        if worse:
            self._fail(
                "; ".join(
                    f"{change.what}: {_amount(change.actual, change.unit)}, limit at most "
                    f"{_amount(change.limit, change.unit)} (baseline {change.baseline:,} and {allowed_percent:g} %)"
                    for change in worse
                )
            )

    @keyword
    def images_should_be_equal(self, result: AccuracyResult) -> None:
        """Fails where device and host computed different bytes for an image of a test set."""
        if not result.equal:
            first = result.different[0]
            self._fail(
                f"{_amount(len(result.different), 'images')} of {result.images} differ between {result.platform} and "
                f"the host, limit at most 0 images; the first is image {first.index}: "
                f"{_amount(first.elements_different, 'elements')} differ, class {first.device_class} on the device, "
                f"{first.host_class} on the host"
            )

    @keyword
    def runs_should_be_equal(self, *repeated: Repeats) -> None:
        """Fails where the stored files of any run differ by a byte from those of the very first."""
        difference = repeats.first_difference(*repeated)
        if difference is not None:
            self._fail(difference)

    @keyword
    def deadlines_should_be_met(self, result: RealTime) -> None:
        """Fails where an inference was over after its deadline, or where an input was lost."""
        if not result.sustained:
            self._fail(
                f"{result.rate_hz:,.6g} inputs a second on {result.machine}: {result.missed} of {result.frames} missed "
                f"and {result.dropped} dropped; worst latency: "
                f"{_amount(result.worst_latency_instructions, 'instructions')}, limit at most "
                f"{_amount(result.deadline_instructions, 'instructions')}"
            )

    @keyword
    def highest_rate_should_be_as_predicted(self, ramp: Ramp, allowed_percent: float = 2.0) -> None:
        """Fails where the highest rate that was kept is not what the clock over the instructions for an input says."""
        deviation = 100 * abs(ramp.highest_rate_hz / ramp.predicted_rate_hz - 1)
        if deviation > allowed_percent:
            self._fail(
                f"highest rate {ramp.highest_rate_hz:,.6g} inputs a second, predicted {ramp.predicted_rate_hz:,.6g}: "
                f"deviation {_amount(deviation, '%')}, limit at most {_amount(allowed_percent, '%')}"
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
            self._fail(
                f"active {_amount(active, 'instructions')} and asleep {_amount(asleep, 'instructions')} of "
                f"{_amount(round(expected), 'instructions')} for an input: deviation {_amount(deviation, '%')}, "
                f"limit at most {_amount(allowed_percent, '%')}"
            )

    # --- for failures ---

    def _keep(self, result: Result) -> Result:
        self._runs.setdefault(_test(), []).append(result)
        logger.info(f"{result.run_id}: {result.counts.total:,} instructions")
        return result

    def _fail(self, message: str) -> None:
        attached = set()
        for result in self._runs.get(_test()) or self._runs.get(None, []):
            if result.run_id not in attached:
                attached.add(result.run_id)
                _attach(result)
        raise Failure(message)


def _test() -> str | None:
    """The name of the test that runs, None in the setup of a suite."""
    name: Any = BuiltIn().get_variable_value("${TEST NAME}")
    return None if name is None else str(name)


def _attach(result: Result) -> None:
    """Log a run's table, and links to its logs, which are copied beside Robot's log."""
    text = io.StringIO()
    console = Console(file=text, width=_TABLE_WIDTH, highlight=False, emoji=False)
    console.print(tables.result(result, console))
    logger.write(f"<pre>{html.escape(text.getvalue())}</pre>", "INFO", html=True)
    target = Path("attachments") / result.run_id
    folder = Path(str(BuiltIn().get_variable_value("${OUTPUT DIR}"))) / target
    folder.mkdir(parents=True, exist_ok=True)
    links = []
    for kept in (result.artifacts.uart_log, result.artifacts.emulator_log, result.artifacts.layers_csv):
        if kept is not None:
            shutil.copyfile(kept, folder / Path(kept).name)
            link = target / Path(kept).name
            links.append(f'<a href="{html.escape(link.as_posix())}">{html.escape(link.name)}</a>')
    logger.write(f"{html.escape(result.run_id)}: {', '.join(links)}", "INFO", html=True)


def _run(result: Result) -> str:
    return f"{result.model.file} on {result.platform} ({result.kernels}, {result.optimisation})"


def _amount(value: int | float, unit: str) -> str:
    return f"{value:,} {unit}" if isinstance(value, int) else f"{value:,.6g} {unit}"


def _progress(what: str, _done: int | None, _total: int | None) -> None:
    """Builds take half a minute: say on the terminal that one began."""
    global _building
    if what.startswith("building") and what != _building:
        _building = what
        logger.console(f"{what} ...")


_building: str | None = None
