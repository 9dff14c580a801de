"""The Cortex-M cores that platforms name: what each can do, and the GCC flags that build for it."""

from __future__ import annotations

from harness.errors import BadInputError
from harness.records import Record


class Core(Record, frozen=True):
    """One core.

    ``thumb`` is 1 for ARMv6-M (16-bit instructions and BL only) and 2 for the rest. ``fpus`` are GCC's -mfpu names that
    the core may be built with. ``runs_on`` are the cores that execute its code unchanged, itself first. ``qemu_cpu`` is
    QEMU's name of the model, None where QEMU has none.
    """

    name: str
    architecture: str
    thumb: int
    dsp: bool
    mve: bool
    fpus: tuple[str, ...]
    runs_on: tuple[str, ...]
    qemu_cpu: str | None


# ARMv6-M is a subset of ARMv7-M, so an M3 executes M0 code; it does not trap what an M0 cannot do.
# For the M55, "auto" lets GCC take FPU and Helium from -mcpu: no -mfpu name includes Helium.
_CORES = (
    Core(
        name="cortex-m0",
        architecture="ARMv6-M",
        thumb=1,
        dsp=False,
        mve=False,
        fpus=(),
        runs_on=("cortex-m0", "cortex-m0plus", "cortex-m3"),
        qemu_cpu="cortex-m0",
    ),
    Core(
        name="cortex-m0plus",
        architecture="ARMv6-M",
        thumb=1,
        dsp=False,
        mve=False,
        fpus=(),
        runs_on=("cortex-m0plus", "cortex-m0", "cortex-m3"),
        qemu_cpu=None,
    ),
    Core(
        name="cortex-m3",
        architecture="ARMv7-M",
        thumb=2,
        dsp=False,
        mve=False,
        fpus=(),
        runs_on=("cortex-m3",),
        qemu_cpu="cortex-m3",
    ),
    Core(
        name="cortex-m4",
        architecture="ARMv7E-M",
        thumb=2,
        dsp=True,
        mve=False,
        fpus=("fpv4-sp-d16",),
        runs_on=("cortex-m4",),
        qemu_cpu="cortex-m4",
    ),
    Core(
        name="cortex-m7",
        architecture="ARMv7E-M",
        thumb=2,
        dsp=True,
        mve=False,
        fpus=("fpv5-sp-d16", "fpv5-d16"),
        runs_on=("cortex-m7",),
        qemu_cpu="cortex-m7",
    ),
    Core(
        name="cortex-m33",
        architecture="ARMv8-M.main",
        thumb=2,
        dsp=True,
        mve=False,
        fpus=("fpv5-sp-d16",),
        runs_on=("cortex-m33",),
        qemu_cpu="cortex-m33",
    ),
    Core(
        name="cortex-m55",
        architecture="ARMv8.1-M.main",
        thumb=2,
        dsp=True,
        mve=True,
        fpus=("auto",),
        runs_on=("cortex-m55",),
        qemu_cpu="cortex-m55",
    ),
)
CORES = {core.name: core for core in _CORES}

_FPU_EXECUTES = {
    "fpv4-sp-d16": ("fpv4-sp-d16",),
    "fpv5-sp-d16": ("fpv5-sp-d16", "fpv4-sp-d16"),
    "fpv5-d16": ("fpv5-d16", "fpv5-sp-d16", "fpv4-sp-d16"),
    "auto": ("auto",),
}

_DOUBLE_PRECISION = ("fpv5-d16", "auto")


def get(core: str) -> Core:
    """The core of that name.

    Raises:
        BadInputError: there is no such core.
    """
    if core not in CORES:
        raise BadInputError(f"unknown core {core!r}", hint=f"one of {', '.join(CORES)}")
    return CORES[core]


def check_fpu(core: str, fpu: str | None) -> None:
    """Refuse an FPU that the core is not made with (None, no FPU, fits every core).

    Raises:
        BadInputError: unknown core, or an FPU that does not belong to it.
    """
    allowed = get(core).fpus
    if fpu is not None and fpu not in allowed:
        choice = f"one of {', '.join(allowed)}, or none" if allowed else "this core has no FPU"
        raise BadInputError(f"{core} has no FPU {fpu!r}", hint=choice)


def fpu_executes(fpu: str | None, code: str | None) -> bool:
    """Whether a core with FPU ``fpu`` executes code built for FPU ``code`` (both -mfpu names or None)."""
    return code is None or (fpu is not None and code in _FPU_EXECUTES[fpu])


def has_double_precision(fpu: str | None) -> bool:
    """Whether an FPU (a -mfpu name, None for none) computes in double precision; it decides newlib's expf."""
    return fpu in _DOUBLE_PRECISION


def flags(core: str, fpu: str | None, hard_float: bool) -> tuple[str, ...]:
    """GCC's flags for code generation: instruction set, FPU and float ABI.

    Args:
        core: a name in ``CORES``.
        fpu: the -mfpu name, or None for a core without one.
        hard_float: False builds floating point in software although there is an FPU. On a core with Helium the
            integer vectors stay: the switch is about floating point only.

    Raises:
        BadInputError: unknown core, an FPU that does not belong to it, or hard float without an FPU.
    """
    check_fpu(core, fpu)
    if hard_float:
        if fpu is None:
            raise BadInputError(f"{core} without an FPU cannot use hard float", hint="build with the FPU off")
        return (f"-mcpu={core}", "-mthumb", f"-mfpu={fpu}", "-mfloat-abi=hard")
    if get(core).mve and fpu is not None:
        # -mfloat-abi=soft would take Helium away, because its registers are those of the FPU.
        return (f"-mcpu={core}+nofp", "-mthumb", "-mfloat-abi=hard")
    return (f"-mcpu={core}", "-mthumb", "-mfloat-abi=soft")
