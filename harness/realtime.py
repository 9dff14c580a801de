"""Real time: does a network keep up with samples that a timer delivers, and up to which rate?

Time is executed instructions at one a cycle of the platform's clock, on every emulator. An emulated second has its own
number of instructions, so rates are scaled: ``RealTime.scale`` is the platform's clock over it. Executed instructions
are not cycles: the highest rate is that of a core without wait states and pipeline, not of the board.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from harness import image, reference, scenario, wire
from harness.errors import BadInputError, EmulationError
from harness.library import Progress, silent
from harness.records import Record
from harness.setup import DEFAULT_TIME_LIMIT_S, Options

DEFAULT_FRAMES = 20
_MOST_TICKS = 1 << 24  # of the timer, which counts 24 bits
_MOST_FRAMES = 100_000
# The ramp ends where the highest rate that is kept and the lowest that is not are this close.
_RESOLUTION = 0.002


class RealTime(Record, frozen=True):
    """How a network kept up with a rate.

    Rates are inputs a second at the platform's clock of ``clock_hz``; ``scale`` is how many times faster that clock is
    than the emulated core executes. Times are in instructions, one a cycle: ``deadline_instructions`` from one whole
    input to the next, ``worst_latency_instructions`` from an input's arrival to the end of its inference;
    ``active_instructions_per_frame`` are executed for one input, interrupts and loop included, and the core sleeps for
    ``idle_instructions_per_frame``. ``utilisation`` is active over deadline, above 1 where that is more than there is.
    ``missed`` of the inputs that were processed were late, ``dropped`` were lost because the one before had not been
    taken.
    """

    rate_hz: float
    clock_hz: int
    scale: float
    frames: int
    missed: int
    dropped: int
    utilisation: float
    deadline_instructions: int
    worst_latency_instructions: int
    active_instructions_per_frame: int
    handler_instructions_per_frame: int
    idle_instructions_per_frame: int
    interrupts_per_frame: int
    emulator: str
    machine: str

    @property
    def sustained(self) -> bool:
        """Whether every input was processed in time."""
        return self.missed == 0 and self.dropped == 0


class Ramp(Record, frozen=True):
    """The highest rate that was kept, the lowest that was not, what the first run predicts, and all runs in order."""

    highest_rate_hz: float
    lowest_missed_rate_hz: float
    predicted_rate_hz: float
    runs: tuple[RealTime, ...]


def run(
    model: str | Path,
    platform: str,
    rate_hz: float,
    *,
    frames: int = DEFAULT_FRAMES,
    interrupts_per_frame: int = 1,
    kernels: str = "reference",
    optimisation: str = "-O2",
    emulator: str = "qemu",
    time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    progress: Progress = silent,
) -> RealTime:
    """Deliver inputs at a rate, and see whether each inference is over before the next input is whole.

    Args:
        model: a .tflite file.
        platform: a name that ``harness platforms`` lists.
        rate_hz: whole inputs a second.
        frames: inputs in all.
        interrupts_per_frame: timer interrupts in which an input arrives, each with a part of it; more where the timer
            cannot count as long.
        kernels, optimisation, emulator, time_limit_s, progress: as in ``pipeline.run``.

    Raises:
        BadInputError: an argument that cannot be used.
        HarnessError: a tool is missing, a build failed, the emulator or the firmware died, an output was another one.
    """
    options = Options(kernels=kernels, optimisation=optimisation, emulator=emulator, time_limit_s=time_limit_s)
    _check(rate_hz, frames, interrupts_per_frame)
    made = scenario.make(model, platform, options, progress)
    progress(f"{rate_hz:g} inputs a second on {made.machine.name}", None, None)
    return _run(made, Fraction(rate_hz), frames, interrupts_per_frame)


def ramp(
    model: str | Path,
    platform: str,
    *,
    frames: int = DEFAULT_FRAMES,
    interrupts_per_frame: int = 1,
    kernels: str = "reference",
    optimisation: str = "-O2",
    emulator: str = "qemu",
    time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    progress: Progress = silent,
) -> Ramp:
    """Find the highest rate that a network keeps up with. Arguments and errors as in ``run``."""
    options = Options(kernels=kernels, optimisation=optimisation, emulator=emulator, time_limit_s=time_limit_s)
    _check(1.0, frames, interrupts_per_frame)
    made = scenario.make(model, platform, options, progress)
    clock = made.setup.platform.clock_hz

    def measure(rate: Fraction) -> RealTime:
        progress(f"{float(rate):g} inputs a second on {made.machine.name}", None, None)
        measured = _run(made, rate, frames, interrupts_per_frame)
        runs.append(measured)
        return measured

    runs: list[RealTime] = []
    slow = Fraction(clock, _MOST_TICKS)
    while not measure(slow).sustained:
        slow /= 4
    predicted = Fraction(clock, runs[-1].active_instructions_per_frame)
    for share in (Fraction(1, 2), Fraction(8, 10), Fraction(95, 100)):
        if predicted * share > slow and measure(predicted * share).sustained:
            slow = predicted * share
    fast = predicted * Fraction(105, 100)
    while measure(fast).sustained:
        slow, fast = fast, fast * Fraction(3, 2)
    while fast - slow > slow * Fraction(_RESOLUTION):
        middle = (slow + fast) / 2
        if measure(middle).sustained:
            slow = middle
        else:
            fast = middle
    return Ramp(
        highest_rate_hz=max(item.rate_hz for item in runs if item.sustained),
        lowest_missed_rate_hz=min(item.rate_hz for item in runs if not item.sustained),
        predicted_rate_hz=float(predicted),
        runs=tuple(runs),
    )


def _check(rate_hz: float, frames: int, interrupts: int) -> None:
    if not 0 < rate_hz < float("inf"):
        raise BadInputError(f"{rate_hz:g} inputs a second cannot be delivered", "give more than 0")
    if not 1 <= frames <= _MOST_FRAMES:
        raise BadInputError(f"{frames} inputs cannot be delivered", f"give 1 to {_MOST_FRAMES}")
    if interrupts < 1:
        raise BadInputError(f"{interrupts} interrupts cannot deliver an input", "give at least 1")


def _run(made: scenario.Scenario, rate_hz: Fraction, frames: int, interrupts: int) -> RealTime:
    clock = made.setup.platform.clock_hz
    # Ticks of the timer for each instruction: it counts the machine's clock.
    pace = Fraction(made.machine.machine.clock_hz, made.instructions_per_second)
    period = Fraction(clock) / rate_hz * pace
    interrupts = max(interrupts, -(-period // _MOST_TICKS))
    ticks = round(period / interrupts)
    if ticks < 2:
        raise BadInputError(f"{float(rate_hz):g} inputs a second leave no instruction between two interrupts")
    schedule = image.Schedule(ticks=ticks, interrupts=interrupts, frames=frames)
    # Behind the arena lie two buffers for each input.
    buffers = sum(2 * image.aligned(len(data)) for data in made.data.data)
    arena = image.aligned(made.arena.needed)
    elf = made.link(made.spec(image.APP_REALTIME, arena + buffers, schedule))
    trace, console = made.run(elf)
    if console.status != wire.STATUS_OK or console.kept is None or console.times is None:
        raise EmulationError(
            f"the firmware failed: {reference.describe_failure(console, made.setup.model)}",
            detail="\n".join(console.log) or None,
        )
    kept, times = console.kept, console.times
    if kept.wrong:
        raise EmulationError(f"{kept.wrong} of {kept.done} inferences had another output than the first one")
    deadline = Fraction(ticks * interrupts) / pace
    active = Fraction(times.total - times.asleep, kept.done) / pace
    return RealTime(
        rate_hz=float(clock / deadline),
        clock_hz=clock,
        scale=float(Fraction(clock, made.instructions_per_second)),
        frames=frames,
        missed=kept.missed,
        dropped=kept.dropped,
        utilisation=round(float(active / deadline), 6),
        deadline_instructions=round(deadline),
        worst_latency_instructions=round(times.worst / pace),
        active_instructions_per_frame=round(active),
        handler_instructions_per_frame=round(Fraction(times.handler, kept.done) / pace),
        idle_instructions_per_frame=round(Fraction(times.asleep, kept.done) / pace),
        interrupts_per_frame=interrupts,
        emulator=trace.emulator.name,
        machine=made.machine.name,
    )
