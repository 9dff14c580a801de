"""The libraries that images are linked from: built once per configuration, kept in the per-user cache."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import filelock
import msgspec

from harness import cache, clang, process, sources, toolchain
from harness.errors import BuildError, MissingToolError
from harness.paths import cache_folder, data_folder
from harness.records import Record

OPTIMISATIONS = ("-Os", "-O2", "-O3", "-Ofast")
KERNEL_SETS = ("reference", "cmsis-nn")

# What firmware/CMakeLists.txt compiles everything with besides core, FPU and optimisation level, as far as it decides
# the numbers; a test holds the two together.
FIXED_FLAGS = ("-funsigned-char", "-ffp-contract=off", "-DNDEBUG")

# Called with what is being done, and how far it is (steps done, steps in all) where that is known.
Progress = Callable[[str, int | None, int | None], None]

# Folders of firmware/ that the application is built of.
APPLICATION = ("cmake", "app", "hal", "kernels", "targets")

_BUILD_LIMIT_S = 1200.0
HOST_OPTIMISATION = "-O2"


class Library(Record, frozen=True):
    """What images are linked from: the folders of both parts, and a key that stands for everything they depend on.

    ``archives`` are those of a user's TFLM, which take the place of what is in ``runtime``; empty: the packaged one.
    ``macros`` are what images must be compiled with to fit the application.
    """

    runtime: Path
    application: Path
    key: str
    arch: tuple[str, ...]
    optimisation: str
    compiler: str
    tflm: str
    cmsis_nn: str
    archives: tuple[Path, ...] = ()
    macros: tuple[str, ...] = ()


def silent(_what: str, _done: int | None, _total: int | None) -> None:
    """A progress that shows nothing."""


def for_core(
    arch: tuple[str, ...], optimisation: str, arm: toolchain.Toolchain, progress: Progress = silent
) -> Library:
    """The libraries for a core: TFLM, both kernel sets, application, target.

    Args:
        arch: GCC's flags for core and FPU (harness.cores).
        optimisation: one of OPTIMISATIONS.
        arm: the compiler.
        progress: told about each step of a build.

    Raises:
        MissingToolError, BuildError: see the message.
    """
    return _library(
        f"TFLM for {arch[0].removeprefix('-mcpu=')} {optimisation}",
        arm_arguments(arch, arm),
        arch,
        optimisation,
        arm.version,
        progress,
        lambda: toolchain.check(arm, arch),
    )


def arm_arguments(arch: tuple[str, ...], arm: toolchain.Toolchain) -> list[str]:
    """What CMake is to be told for a core."""
    arguments = [
        f"-DCMAKE_TOOLCHAIN_FILE={data_folder('firmware') / 'cmake' / 'arm-none-eabi.cmake'}",
        f"-DHARNESS_TOOLCHAIN_PREFIX={arm.gcc.removesuffix('gcc')}",
        f"-DHARNESS_ARCH={';'.join(arch if arm.clang is None else clang.arch(arch))}",
    ]
    if arm.clang is not None:  # which finds headers by these flags alone
        for name, language in (("C", "c"), ("CXX", "c++")):
            arguments.append(f"-DCMAKE_{name}_FLAGS={shlex.join(clang.flags(arm.gcc, arch, language))}")
            arguments.append(f"-DHARNESS_CLANG_{name}={clang.compiler(arm.clang, language)}")
    return arguments


def for_host(progress: Progress = silent) -> Library:
    """The application as a program of this machine, ``application``/harness-native: its outputs are the reference."""
    compiler = toolchain.host()
    return _library(
        "the host reference",
        [f"-DCMAKE_CXX_COMPILER={compiler.gxx}"],
        (),
        HOST_OPTIMISATION,
        compiler.version,
        progress,
    )


def is_built(arch: tuple[str, ...], optimisation: str, arm: toolchain.Toolchain) -> bool:
    """Whether ``for_core`` has nothing to build.

    Raises:
        MissingToolError: the sources cannot be located.
    """
    return _is_built(arch, optimisation, arm.version)


def host_is_built() -> bool:
    """Whether ``for_host`` has nothing to build. Errors are those of ``is_built``."""
    return _is_built((), HOST_OPTIMISATION, toolchain.host().version)


def _is_built(arch: tuple[str, ...], optimisation: str, compiler: str) -> bool:
    return all(folder.is_dir() for folder in _folders(sources.locate(), arch, optimisation, compiler))


def _library(
    title: str,
    arguments: list[str],
    arch: tuple[str, ...],
    optimisation: str,
    compiler: str,
    progress: Progress,
    check: Callable[[], None] = lambda: None,
) -> Library:
    """``check`` is called before anything is built, and only then: it takes half a second."""
    found = sources.locate()
    runtime, application = _folders(found, arch, optimisation, compiler)
    if not (runtime.is_dir() and application.is_dir()):
        check()
    trees = [f"-DTFLM_DIR={found.tflm}", f"-DCMSIS_NN_DIR={found.cmsis_nn}"]
    arguments = [*arguments, *trees, f"-DHARNESS_OPT={optimisation}"]

    def check_sources() -> None:
        sources.check_cmsis_nn(found.cmsis_nn)

    part(title, runtime, [*arguments, "-DHARNESS_PART=runtime"], progress, check_sources)
    part(
        f"the application of {title}",
        application,
        [*arguments, "-DHARNESS_PART=application", f"-DHARNESS_RUNTIME_DIR={runtime}"],
        progress,
        check_sources,
    )
    return Library(
        runtime=runtime,
        application=application,
        key=f"{runtime.name}-{application.name}",
        arch=arch,
        optimisation=optimisation,
        compiler=compiler,
        tflm=found.tflm_identity,
        cmsis_nn=found.cmsis_nn_identity,
    )


def _folders(found: sources.Sources, arch: tuple[str, ...], optimisation: str, compiler: str) -> tuple[Path, Path]:
    """Where runtime and application are kept, built or not."""
    common = {
        "arch": arch,
        "optimisation": optimisation,
        "compiler": clang.keyed(compiler),
        "tflm": found.tflm_identity,
        "cmsis_nn": found.cmsis_nn_identity,
    }

    def folder(*parts: str) -> Path:
        return folder_of({**common, "firmware": firmware_sha256(*parts)})

    return folder("cmake"), folder(*APPLICATION)


def folder_of(identity: dict[str, Any]) -> Path:
    """Where the part of a library is kept that this decides, built or not."""
    return cache_folder() / "libraries" / hashlib.sha256(msgspec.json.encode(identity)).hexdigest()[:24]


def part(
    title: str, folder: Path, arguments: list[str], progress: Progress, check: Callable[[], None] = lambda: None
) -> None:
    """Build one part where it is not there yet, after ``check``. A second run that wants it waits for the first.

    Args:
        title: what is built, for messages.
        folder: one of ``folder_of``, into which its products go.
        arguments: for CMake, after source and build folder.
        progress: told about each step.
        check: raises where the sources are not what they should be.

    Raises:
        BuildError, MissingToolError: it cannot be built.
    """
    if folder.is_dir():
        return
    with cache.writing():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{folder}.lock"):
            if not folder.is_dir():
                check()
                _build(title, folder, arguments, progress)


def firmware_sha256(*folders: str) -> str:
    """Of the CMake project and the named folders of firmware/."""
    root = data_folder("firmware")
    digest = hashlib.sha256((root / "CMakeLists.txt").read_bytes())
    for name in folders:
        digest.update(sources.tree_sha256(root / name).encode())
    return digest.hexdigest()


def _build(title: str, folder: Path, arguments: list[str], progress: Progress) -> None:
    """Configure and build in a temporary folder; move what was built into place as the last, atomic step."""
    progress(f"configuring {title}", None, None)
    work = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        ninja = program("ninja")
        configured = process.run(
            [
                *(program("cmake"), "-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={ninja}"),
                *("-S", data_folder("firmware"), "-B", work / "build"),
                *arguments,
            ],
            time_limit_s=_BUILD_LIMIT_S,
        )
        if configured.returncode != 0:
            raise _failure(f"configuring {title}", configured.stdout + configured.stderr)

        def on_line(line: str) -> None:
            step = re.match(r"\[(\d+)/(\d+)\]", line)
            if step:
                progress(f"building {title}", int(step[1]), int(step[2]))

        built = process.run(
            [ninja, "-C", work / "build"],
            time_limit_s=_BUILD_LIMIT_S,
            environment={"NINJA_STATUS": "[%f/%t] "},
            on_line=on_line,
        )
        if built.timed_out:
            raise BuildError(f"building {title} took longer than {_BUILD_LIMIT_S:g} s")
        if built.returncode != 0:
            raise _failure(f"building {title}", built.stdout + built.stderr)
        products = work / "products"
        products.mkdir()
        for path in (work / "build").iterdir():
            if path.suffix == ".a" or path.name == "harness-native":
                shutil.move(path, products / path.name)
        products.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _failure(what: str, output: str) -> BuildError:
    if "No space left on device" in output:
        return BuildError(f"{what} failed: the disk is full", cache.ROOM_HINT)
    lines = [line for line in output.strip().splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()] or lines[-1:]
    return BuildError(f"{what} failed" + (f": {errors[0]}" if errors else ""), detail=output.strip()[-8000:] or None)


def program(name: str) -> str:
    """cmake or ninja: beside the Python that runs (they are Python packages), else on PATH.

    Raises:
        MissingToolError: it is at neither place.
    """
    beside = Path(sys.executable).parent / name
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which(name)
    if found is None:
        raise MissingToolError(f"{name} is not installed", f"pip install {name}")
    return found
