"""The application, compiled against a user's headers and made ready to be linked with the archive."""

from __future__ import annotations

import tempfile
from pathlib import Path

from harness import clang, library, toolchain
from harness.library import Library, Progress, silent
from harness.user_library import headers
from harness.user_library.found import UserLibrary

# What the vintages' own makefiles compile with.
_STANDARDS = {headers.JULY_2020: "11", headers.TRANSITION: "17", headers.TODAY: "17"}
# Room for the resolver's wrapper of a registration, which is larger in later releases: as in firmware/CMakeLists.txt.
_WRAPPERS = "HARNESS_WRAPPER_POINTERS=16"
# What firmware says of itself on its first line, in one word; that of the packaged TFLM is in firmware/CMakeLists.txt.
_WORDS = {headers.JULY_2020: "2020-07-api", headers.TRANSITION: "2020-to-2022-api", headers.TODAY: "todays-api"}


def for_core(
    found: UserLibrary, arch: tuple[str, ...], optimisation: str, arm: toolchain.Toolchain, progress: Progress = silent
) -> Library:
    """What images are linked from: the application, and the user's archives in place of the packaged TFLM.

    Args:
        found: the library, read for this core.
        arch: GCC's flags for core and FPU.
        optimisation: of the application; the library keeps what it was built with.
        arm: the compiler.
        progress: told about each step of a build.

    Raises:
        MissingToolError, BuildError: see the message.
    """
    core = arch[0].removeprefix("-mcpu=")
    return _library(
        f"the application for {found.name}, {core} {optimisation}",
        found,
        arch,
        optimisation,
        arm.version,
        library.arm_arguments(arch, arm),
        progress,
        arm,
    )


def for_host(found: UserLibrary, progress: Progress = silent) -> Library:
    """The application as a program of this machine, linked with the user's archives for it.

    Args:
        found: the library of ``Brought.host``, read for this machine.
        progress: told about each step of a build.

    Raises:
        MissingToolError, BuildError: see the message.
    """
    compiler = toolchain.host()
    arguments = [f"-DCMAKE_CXX_COMPILER={compiler.gxx}", f"-DHARNESS_LIBRARY={_list(found.archives)}"]
    title = f"the host reference with {found.name}"
    return _library(title, found, (), library.HOST_OPTIMISATION, compiler.version, arguments, progress, None)


def _library(
    title: str,
    found: UserLibrary,
    arch: tuple[str, ...],
    optimisation: str,
    compiler: str,
    arguments: list[str],
    progress: Progress,
    arm: toolchain.Toolchain | None,
) -> Library:
    table = _table(found)
    settings = [
        "-DHARNESS_PART=application",
        f"-DHARNESS_OPT={optimisation}",
        f"-DHARNESS_STANDARD={_STANDARDS[found.headers.api]}",
        f"-DHARNESS_DEFINES={'TF_LITE_STATIC_MEMORY' if found.contents.static_memory else ''}",
        f"-DHARNESS_VINTAGE={_WORDS[found.headers.api]}",
        f"-DHARNESS_KERNELS={found.kernels}",
    ]
    identity = {
        "arch": arch,
        "settings": settings,
        "compiler": clang.keyed(compiler),
        "headers": found.headers.sha256,
        "table": table,
        "archive": found.sha256 if arm is None else None,  # the host's application is linked with it
        "firmware": library.firmware_sha256(*library.APPLICATION),
    }
    folder = library.folder_of(identity)
    with tempfile.TemporaryDirectory(prefix="harness-") as work:
        if table:
            (Path(work) / "library_ops.h").write_text(table)
        library.part(
            title,
            folder,
            [
                *arguments,
                *settings,
                f"-DHARNESS_LIBRARY_INCLUDES={_list(found.headers.folders)}",
                f"-DHARNESS_LIBRARY_OPS={work if table else ''}",
            ],
            progress,
            lambda: None if arm is None else toolchain.check(arm, arch),
        )
    return Library(
        runtime=folder,
        application=folder,
        key=f"{folder.name}-{found.sha256[:24]}",
        arch=arch,
        optimisation=optimisation,
        compiler=compiler,
        tflm=found.identity,
        cmsis_nn=f"in {found.name}" if "cmsis-nn" in found.kernels else "none",
        archives=found.archives,
        macros=(_WRAPPERS,) if table else (),
    )


def _table(found: UserLibrary) -> str:
    """The operators that the application may add: empty for July 2020, which has a table in firmware/kernels."""
    if not found.headers.adds:
        return ""
    entries = (f"HARNESS_LIBRARY_OP({name}, {found.headers.adds[name]})\n" for name in sorted(found.operators))
    return "// Builtins of the user's library, and the methods of its resolver that add them.\n" + "".join(entries)


def _list(paths: tuple[Path, ...]) -> str:
    return ";".join(map(str, paths))
