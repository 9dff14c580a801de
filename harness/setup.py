"""What is known of a run before anything is built: model, platform and options, checked against each other."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness import cores, library, model, platforms, sources, toolchain
from harness.calibrate import use
from harness.emulators import BACKENDS
from harness.errors import BadInputError
from harness.records import Model, Platform, Record
from harness.user_library import fits as user_library
from harness.user_library.found import Brought, UserLibrary

DEFAULT_TIME_LIMIT_S = 60.0
DEFAULT_KERNELS = "reference"


class Options(Record, frozen=True):
    """The axes of a run. ``fpu`` None takes the platform's.

    ``tflm`` is one that the user brings, None for the packaged one; ``kernels`` is then what it holds.
    ``cycles`` asks for an estimate; ``calibration`` (what ``use.given`` takes, or gave) for one by that,
    ``carry`` also where it is of another build. ``calls`` asks for the tree of calls. ``time_limit_s`` and
    ``instruction_limit`` (None: none) bound each start of the emulator.
    """

    kernels: str = DEFAULT_KERNELS
    optimisation: str = "-O2"
    fpu: bool | None = None
    emulator: str = "qemu"
    time_limit_s: float = DEFAULT_TIME_LIMIT_S
    instruction_limit: int | None = None
    cycles: bool = False
    calibration: str | Path | use.Given | None = None
    carry: bool = False
    calls: bool = False
    tflm: Brought | None = None

    @property
    def estimates(self) -> bool:
        """Whether anything is to be estimated."""
        return self.cycles or self.calibration is not None


class Setup(Record, frozen=True):
    """A run that can be built."""

    model: Model
    platform: Platform
    options: Options
    arm: toolchain.Toolchain
    arch: tuple[str, ...]
    hard_float: bool
    calibration: use.Given | None = None
    tflm: UserLibrary | None = None

    @property
    def fpu(self) -> str | None:
        """The FPU that the code is built for, None where floating point is in software."""
        return self.platform.fpu if self.hard_float else None

    def on(self, emulator: str) -> Setup:
        """The same on another emulator."""
        return msgspec.structs.replace(self, options=msgspec.structs.replace(self.options, emulator=emulator))


def uses_fpu(platform: Platform, fpu: bool | None) -> bool:
    """Whether floating point is the FPU's: where the platform has one, and ``Options.fpu`` does not put it off."""
    return platform.fpu is not None and fpu is not False


def prepare(model_path: Path, platform: str, options: Options) -> Setup:
    """Check model, platform and options against each other.

    Raises:
        BadInputError: one of them cannot be used.
        MissingToolError: the compiler is not installed.
    """
    if options.tflm is None:
        _one_of("kernel set", options.kernels, library.KERNEL_SETS)
    _one_of("optimisation level", options.optimisation, library.OPTIMISATIONS)
    _one_of("emulator", options.emulator, tuple(BACKENDS))
    if not options.time_limit_s > 0:
        raise BadInputError(f"a time limit of {options.time_limit_s:g} s cannot be kept", "give more than 0")
    if options.instruction_limit is not None:
        if options.emulator == "qemu":
            raise BadInputError("QEMU has no limit of instructions", "give a limit of seconds, or run on Renode")
        if options.instruction_limit <= 0:
            raise BadInputError(f"{options.instruction_limit} instructions are no limit", "give more than 0")
    if options.carry and options.calibration is None:
        raise BadInputError("carry is about a calibration, and none is named", "add --calibration BOARD|FILE")
    if options.estimates and options.emulator != "qemu":
        raise BadInputError(
            f"cycles cannot be estimated from a run on {options.emulator}: it does not tell which code was executed",
            "run on QEMU",
        )
    if options.calls and options.emulator != "qemu":
        raise BadInputError(
            f"calls cannot be followed on {options.emulator}: it follows chosen functions only", "run on QEMU"
        )
    found = platforms.load(platform)
    if options.fpu and found.fpu is None:
        raise BadInputError(f"{found.name} ({found.core}) has no FPU", "leave --fpu out")
    hard_float = uses_fpu(found, options.fpu)
    arm, arch = toolchain.arm(), cores.flags(found.core, found.fpu, hard_float)
    brought = None if options.tflm is None else user_library.read(options.tflm, arm, arch, hard_float)
    if brought is not None:
        options = msgspec.structs.replace(options, kernels=brought.kernels)
    return Setup(
        model=model.load(model_path, model.PACKAGED if brought is None else brought.runtime),
        platform=found,
        options=options,
        arm=arm,
        arch=arch,
        hard_float=hard_float,
        calibration=_calibration(options, found, hard_float, arm, brought),
        tflm=brought,
    )


def _calibration(
    options: Options, platform: Platform, hard_float: bool, arm: toolchain.Toolchain, brought: UserLibrary | None
) -> use.Given | None:
    """The calibration that is asked for, refused here where it is of another build: before anything is built."""
    if options.calibration is None:
        return None
    known = options.calibration
    found = known if isinstance(known, use.Given) else use.given(known, options.carry)
    made_of = sources.locate()
    build = use.build(
        platform.name,
        options.kernels,
        options.optimisation,
        hard_float,
        arm.version,
        made_of.tflm_identity if brought is None else brought.identity,
        made_of.cmsis_nn_identity,
    )
    use.family(found, build)
    return found


def _one_of(what: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        near = [item for item in allowed if item.lstrip("-").lower().startswith(value.lstrip("-").lower())]
        hint = f"did you mean {near[0]}?" if len(near) == 1 and value else f"one of {', '.join(allowed)}"
        raise BadInputError(f"unknown {what} {value!r}", hint)
