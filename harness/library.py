"""The libraries that images are linked from: built once per configuration, kept in the per-user cache."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import filelock
import msgspec

from harness import process, sources, toolchain
from harness.errors import BuildError, HarnessError, MissingToolError
from harness.paths import cache_folder, data_folder
from harness.records import Record

OPTIMISATIONS = ("-Os", "-O2", "-O3", "-Ofast")
KERNEL_SETS = ("reference", "cmsis-nn")

# Called with what is being done, and how far it is (steps done, steps in all) where that is known.
Progress = Callable[[str, int | None, int | None], None]

_BUILD_LIMIT_S = 1200.0
# What of firmware/ goes into the libraries; templates and self-tests do not.
_SOURCE_FOLDERS = ("app", "hal", "kernels", "targets", "cmake")


class Library(Record, frozen=True):
    """A built set of libraries: its folder, its key, and what to link with."""

    folder: Path
    key: str
    arch: tuple[str, ...]
    optimisation: str
    compiler: str
    tflm: str
    cmsis_nn: str


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
    arguments = [
        f"-DCMAKE_TOOLCHAIN_FILE={data_folder('firmware') / 'cmake' / 'arm-none-eabi.cmake'}",
        f"-DHARNESS_TOOLCHAIN_PREFIX={arm.gcc.removesuffix('gcc')}",
        f"-DHARNESS_ARCH={';'.join(arch)}",
    ]
    return _library(
        f"TFLM for {arch[0].removeprefix('-mcpu=')} {optimisation}",
        arguments,
        arch,
        optimisation,
        arm.version,
        progress,
    )


def for_host(progress: Progress = silent) -> Library:
    """The application as a program of this machine, whose outputs are the reference (``folder``/harness-native)."""
    compiler = toolchain.host()
    return _library(
        "the host reference", [f"-DCMAKE_CXX_COMPILER={compiler.gxx}"], (), "-O2", compiler.version, progress
    )


def _library(
    title: str,
    arguments: list[str],
    arch: tuple[str, ...],
    optimisation: str,
    compiler: str,
    progress: Progress,
) -> Library:
    found = sources.locate()
    identity = {
        "arch": arch,
        "optimisation": optimisation,
        "compiler": compiler,
        "tflm": found.tflm_identity,
        "cmsis_nn": found.cmsis_nn_identity,
        "firmware": _firmware_sha256(),
    }
    key = hashlib.sha256(msgspec.json.encode(identity)).hexdigest()[:24]
    folder = cache_folder() / "libraries" / key
    library = Library(
        folder=folder,
        key=key,
        arch=arch,
        optimisation=optimisation,
        compiler=compiler,
        tflm=found.tflm_identity,
        cmsis_nn=found.cmsis_nn_identity,
    )
    if folder.is_dir():
        return library
    folder.parent.mkdir(parents=True, exist_ok=True)
    # A second run that wants the same library waits here for the first to build it.
    with filelock.FileLock(f"{folder}.lock"):
        if not folder.is_dir():
            sources.check_cmsis_nn(found.cmsis_nn)
            _build(title, folder, found, [*arguments, f"-DHARNESS_OPT={optimisation}"], progress)
    return library


def _firmware_sha256() -> str:
    root = data_folder("firmware")
    digest = hashlib.sha256((root / "CMakeLists.txt").read_bytes())
    for name in _SOURCE_FOLDERS:
        digest.update(sources.tree_sha256(root / name).encode())
    return digest.hexdigest()


def _build(title: str, folder: Path, found: sources.Sources, arguments: list[str], progress: Progress) -> None:
    """Configure and build in a temporary folder; move what was built into place as the last, atomic step."""
    progress(f"configuring {title}", None, None)
    work = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        ninja = _program("ninja")
        configured = process.run(
            [
                *(_program("cmake"), "-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={ninja}"),
                *("-S", data_folder("firmware"), "-B", work / "build"),
                *(f"-DTFLM_DIR={found.tflm}", f"-DCMSIS_NN_DIR={found.cmsis_nn}", *arguments),
            ],
            time_limit_s=_BUILD_LIMIT_S,
        )
        if configured.returncode != 0:
            raise BuildError(f"CMake cannot configure {title}", detail=(configured.stdout + configured.stderr).strip())

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
            raise _failure(title, built.stdout + built.stderr)
        products = work / "products"
        products.mkdir()
        for path in (work / "build").iterdir():
            if path.suffix == ".a" or path.name == "harness-native":
                shutil.move(path, products / path.name)
        products.rename(folder)
    except OSError as error:
        raise HarnessError(
            f"cannot write the library cache {folder.parent}: {error.strerror}",
            "free some space, or name another folder in HARNESS_CACHE",
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _failure(title: str, output: str) -> BuildError:
    if "No space left on device" in output:
        return BuildError(
            f"building {title} failed: the disk is full", "free some space, or name another folder in HARNESS_CACHE"
        )
    errors = [line for line in output.splitlines() if ": error: " in line or "fatal error" in line]
    return BuildError(f"building {title} failed" + (f": {errors[0]}" if errors else ""), detail=output.strip()[-8000:])


def _program(name: str) -> str:
    """cmake or ninja: beside the Python that runs (they are Python packages), else on PATH."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which(name)
    if found is None:
        raise MissingToolError(f"{name} is not installed", f"pip install {name}")
    return found
