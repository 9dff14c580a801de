"""Firmware for scenarios: an application of firmware/app with a schedule, built, run and read; nothing is counted."""

from __future__ import annotations

from pathlib import Path

from harness import image, inputs, library, pipeline, wire
from harness.elf import Elf
from harness.emulators import BACKENDS
from harness.errors import HarnessError
from harness.inputs import Inputs
from harness.library import Library, Progress, silent
from harness.records import Platform, Record, Trace
from harness.setup import Options, Setup, prepare


class Scenario(Record, frozen=True):
    """A network that is built for a machine, with the smallest arena that it works in."""

    setup: Setup
    data: Inputs
    libraries: Library
    machine: Platform
    arena: pipeline.Arena

    @property
    def instructions_per_second(self) -> int:
        """What is executed in a second of the machine's time."""
        return BACKENDS[self.setup.options.emulator].instructions_per_second(self.machine.machine)

    def spec(self, app: str, arena_bytes: int, schedule: image.Schedule | None = None) -> image.Spec:
        """An image of the network with an application of firmware/app."""
        return image.Spec(
            model=self.setup.model,
            inputs=self.data.data,
            kernels=self.setup.options.kernels,
            machine=self.machine.machine,
            arena_bytes=arena_bytes,
            app=app,
            schedule=schedule,
        )

    def link(self, spec: image.Spec) -> Elf:
        """Build it.

        Raises:
            HarnessError: it does not fit the machine.
        """
        try:
            return image.link(spec, self.libraries, self.setup.arm)
        except image.ImageError as error:
            raise HarnessError(
                f"{self.setup.model.path.name} with {spec.app} is larger than {self.machine.name}: {error.overflow} "
                f"bytes of {error.region} are missing",
                "harness platforms lists the platforms and their sizes",
            ) from error

    def run(self, elf: Elf) -> tuple[Trace, wire.Console]:
        """Run it to its last line. Its timers go by what is executed.

        Raises:
            EmulationError: it does not come to an end, or prints what it should not.
        """
        return pipeline.emulate(self.setup, elf, self.machine.machine, counted=False)


def make(model: str | Path, platform: str, options: Options, progress: Progress = silent) -> Scenario:
    """Check model, platform and options against each other, build the libraries, size the arena.

    Raises:
        BadInputError: one of them cannot be used.
        HarnessError: as ``pipeline.run``.
    """
    setup = prepare(Path(model), platform, options)
    data = inputs.deterministic(setup.model)
    libraries = library.for_core(setup.arch, options.optimisation, setup.arm, progress)
    progress("sizing the arena", None, None)
    machine, arena = pipeline.fit(setup, libraries, data)
    return Scenario(setup=setup, data=data, libraries=libraries, machine=machine, arena=arena)
