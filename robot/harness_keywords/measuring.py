"""Keywords that build and run firmware, and return what was measured."""

from __future__ import annotations

import html
from pathlib import Path

from robot.api import logger
from robot.api.deco import keyword

from harness import accuracy, pipeline, realtime, repeats
from harness.accuracy import AccuracyResult
from harness.realtime import Ramp, RealTime
from harness.repeats import Repeats
from harness.report import rates
from harness.result import Result
from harness.setup import DEFAULT_TIME_LIMIT_S
from harness_keywords.base import Keywords, progress, said_by_the_harness


class Measuring(Keywords):
    """Each calls one function of the Python API."""

    def __init__(self) -> None:
        super().__init__()
        self._once: dict[tuple[object, ...], Result] = {}

    @keyword
    @said_by_the_harness
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
        return self.keep(
            pipeline.run(
                model,
                platform,
                kernels=kernels,
                optimisation=optimisation,
                emulator=emulator,
                input_paths=() if input_file is None else (input_file,),
                time_limit_s=time_limit_s,
                progress=progress,
                command=("robot",),
            )
        )

    @keyword
    @said_by_the_harness
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
                progress=progress,
                command=("robot",),
            )
        return self.keep(self._once[key])

    @keyword
    @said_by_the_harness
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
            progress=progress,
            command=("robot",),
        )
        return tuple(self.keep(result) for result in results)

    @keyword
    @said_by_the_harness
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
            progress=progress,
        )
        self.keep(repeated.results[0])
        return repeated

    @keyword
    @said_by_the_harness
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
            progress=progress,
        )

    @keyword
    @said_by_the_harness
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
            progress=progress,
        )
        logger.info(rates.summary(result))
        return result

    @keyword
    @said_by_the_harness
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
            progress=progress,
        )
        logger.write(f"<pre>{html.escape(rates.rates(ramp.runs))}</pre>", "INFO", html=True)
        return ramp
