"""What the headers of a user's TFLM define, read from what the compiler's preprocessor makes of them.

Nothing is decided by a version that somebody typed: which release's interface it is, which flatbuffers it needs, which
operators its resolver can add.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from harness import process, toolchain
from harness.errors import BadInputError, BuildError
from harness.records import Record

JULY_2020, TRANSITION, TODAY = "the API of July 2020", "the API of 2020 to 2022", "today's API"

_LIMIT_S = 120.0
_PROBE = """\
#include "tensorflow/lite/c/common.h"
#include "tensorflow/lite/core/api/error_reporter.h"
#include "tensorflow/lite/core/api/flatbuffer_conversions.h"
#include "tensorflow/lite/micro/compatibility.h"
#include "tensorflow/lite/micro/debug_log.h"
#include "tensorflow/lite/micro/memory_helpers.h"
#include "tensorflow/lite/micro/micro_allocator.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"
#if __has_include("tensorflow/lite/micro/kernels/kernel_util.h")
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
harness_api modern
#endif
#if __has_include("tensorflow/lite/micro/micro_profiler_interface.h")
harness_api today
#endif
#ifdef FLATBUFFERS_VERSION_MAJOR
harness_flatbuffers FLATBUFFERS_VERSION_MAJOR.FLATBUFFERS_VERSION_MINOR.FLATBUFFERS_VERSION_REVISION
#endif
"""
# Folders that hold what TFLM includes, by the first part of the header's path.
_WHERE = {
    "tensorflow": "the folder that holds tensorflow/, the root of TFLM's sources",
    "signal": "the folder that holds signal/, the root of TFLM's sources",
    "flatbuffers": "the folder include/ of flatbuffers, of the version that TFLM names",
    "fixedpoint": "the root of gemmlowp",
    "internal": "the root of gemmlowp",
    "ruy": "the root of ruy",
}
_ADD = re.compile(
    r"TfLiteStatus\s+(Add\w+)\s*\([^{}]*\)\s*\{\s*return\s+AddBuiltin\s*\(\s*(?:\w+::)*BuiltinOperator_(\w+)"
)
_VERSIONS = re.compile(
    r"static_assert\s*\(\s*(\d+)\s*==\s*(\d+)\s*&&\s*(\d+)\s*==\s*(\d+)\s*&&\s*(\d+)\s*==\s*(\d+)\s*,\s*"
    r'"Non-compatible flatbuffers version included"'
)


class Headers(Record, frozen=True):
    """What include folders hold.

    ``api`` is JULY_2020, TRANSITION or TODAY. ``flatbuffers`` is the version of its headers ("25.9.23"), None where
    they do not say. ``sha256`` is of all headers that the application sees, by path and content. ``adds`` maps builtins
    to the resolver's methods that add them; empty for JULY_2020, whose resolver has none. ``source`` is what git says
    of the checkout that the headers lie in, None outside of one.
    """

    folders: tuple[Path, ...]
    api: str
    flatbuffers: str | None
    sha256: str
    adds: dict[str, str]
    source: str | None


def folders(given: Sequence[str | Path]) -> tuple[Path, ...]:
    """Include folders as options give them, several in one separated by colons, absolute and each once.

    Raises:
        BadInputError: one of them is no folder, or there is none.
    """
    names = [name for item in given for name in str(item).split(os.pathsep) if name]
    if not names:
        raise BadInputError(
            "the library's headers are needed, too",
            "--tflm-include DIR[:DIR...]: the roots of TFLM, of flatbuffers' headers, of gemmlowp and ruy",
        )
    for name in names:
        if not Path(name).is_dir():
            raise BadInputError(f"include folder {name}: there is no such folder", "--tflm-include DIR[:DIR...]")
    return tuple(dict.fromkeys(Path(name).resolve() for name in names))


def read(include: tuple[Path, ...], compiler: str, arch: tuple[str, ...]) -> Headers:
    """Run the preprocessor over what the application includes.

    Raises:
        BadInputError: a header is missing, or flatbuffers are of another version than TFLM's schema asks for.
        BuildError: the preprocessor fails otherwise.
    """
    with tempfile.TemporaryDirectory(prefix="harness-") as name:
        probe, depends = Path(name) / "probe.cc", Path(name) / "probe.d"
        probe.write_text(_PROBE)
        found = process.run(
            [compiler, *arch, "-std=c++17", "-DTF_LITE_STATIC_MEMORY", "-E", "-P", "-MD", "-MF", depends,
             *(f"-I{folder}" for folder in include), probe],
            time_limit_s=_LIMIT_S,
        )  # fmt: skip
        if found.returncode != 0:
            raise _failure(found.stderr, include)
        used = _used(depends.read_text(), include)
    text = found.stdout
    _check_flatbuffers(text, include)
    modern = "harness_api modern" in text
    version = re.search(r"harness_flatbuffers (\d+)\s*\.\s*(\d+)\s*\.\s*(\d+)", text)
    return Headers(
        folders=include,
        api=(TODAY if "harness_api today" in text else TRANSITION) if modern else JULY_2020,
        flatbuffers=".".join(version.groups()) if version else None,
        sha256=_sha256(used, include),
        adds={builtin: method for method, builtin in _ADD.findall(text)} if modern else {},
        source=_source(used),
    )


def _failure(stderr: str, include: tuple[Path, ...]) -> BadInputError | BuildError:
    missing = re.search(r"^([^:\n]+):\d+:\d+: fatal error: ([^:\n]+): No such file or directory", stderr, re.MULTILINE)
    if missing is None:
        errors = [line for line in stderr.splitlines() if "error" in line]
        return BuildError("TFLM's headers cannot be read" + (f": {errors[0]}" if errors else ""), detail=stderr.strip())
    by, header = Path(missing[1]), missing[2]
    asked = "" if by.name == "probe.cc" else f", which {_relative(by, include)} includes,"
    return BadInputError(
        f"{header}{asked} is in none of the include folders: {', '.join(map(str, include))}",
        f"--tflm-include also with {_WHERE.get(header.split('/')[0], 'the folder that holds it')}",
    )


def _check_flatbuffers(text: str, include: tuple[Path, ...]) -> None:
    asserted = _VERSIONS.search(text)
    if asserted is None:
        return
    has = ".".join(asserted[index] for index in (1, 3, 5))
    wants = ".".join(asserted[index] for index in (2, 4, 6))
    if has != wants:
        folder = next((item for item in include if (item / "flatbuffers" / "base.h").is_file()), include[0])
        raise BadInputError(
            f"TFLM's schema is of flatbuffers {wants}, but {folder} holds flatbuffers {has}",
            f"--tflm-include with the folder include/ of flatbuffers {wants}",
        )


def _used(depends: str, include: tuple[Path, ...]) -> tuple[Path, ...]:
    """The headers below the include folders, of a rule for make."""
    names = re.split(r"(?<!\\)\s+", depends.split(":", 1)[1].replace("\\\n", " ").strip())
    paths = (Path(name.replace("\\ ", " ")) for name in names if name)
    return tuple(path for path in paths if any(path.is_relative_to(folder) for folder in include))


def _relative(path: Path, include: tuple[Path, ...]) -> Path:
    """As it is included. Folders may lie in each other: the innermost counts."""
    parts = [path.relative_to(folder) for folder in include if path.is_relative_to(folder)]
    return min(parts, key=lambda part: len(part.parts), default=path)


def _sha256(used: tuple[Path, ...], include: tuple[Path, ...]) -> str:
    digest = hashlib.sha256()
    for name, path in sorted((_relative(path, include).as_posix(), path) for path in used):
        content = path.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _source(used: tuple[Path, ...]) -> str | None:
    """``git describe`` of the checkout that tracks the interpreter's header, with the date of its commit."""
    header = next((path for path in used if path.name == "micro_interpreter.h"), None)
    if header is None:
        return None
    said: list[str] = []
    for arguments in (
        ["ls-files", "--error-unmatch", header.name],
        ["describe", "--always", "--dirty", "--tags"],
        ["log", "-1", "--format=%cs"],
    ):
        try:
            found = process.run(["git", "-C", str(header.parent), *arguments], time_limit_s=30)
        except OSError:
            return None
        if found.returncode != 0:
            return None
        said.append(found.stdout.strip())
    return f"git {said[1]}, {said[2]}"


def compiler(arm: toolchain.Toolchain) -> str:
    """The program that reads headers for a core."""
    return arm.tool("g++")
