"""Static libraries for tests: objects of a few lines, compiled for a core, put together by ar or by hand."""

from __future__ import annotations

import functools
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from harness import cores, sources, toolchain

M4F = cores.flags("cortex-m4", "fpv4-sp-d16", True)
M4_SOFT = cores.flags("cortex-m4", "fpv4-sp-d16", False)

# What every TFLM defines, as far as is looked for, and two kernels: one of their own, one that calls CMSIS-NN.
INTERPRETER = (
    "namespace tflite { struct MicroInterpreter { int AllocateTensors(); }; "
    "int MicroInterpreter::AllocateTensors() { return 0; } }"
)
SOFTMAX = "namespace tflite { int Register_SOFTMAX() { return 1; } }"
CONV = "namespace tflite { int Register_CONV_2D() { return 2; } }"
CONV_CMSIS_NN = (
    'extern "C" int arm_convolve_wrapper_s8(void); '
    "namespace tflite { int Register_CONV_2D() { return arm_convolve_wrapper_s8(); } }"
)
# A TFLM of July 2020, as far as the harness looks, with the kernels of the network that the project ships.
DIGITS_OPERATORS = (
    "AVERAGE_POOL_2D",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "FULLY_CONNECTED",
    "MAX_POOL_2D",
    "RESHAPE",
    "SOFTMAX",
)
JULY_2020 = (
    INTERPRETER,
    *(
        f"namespace tflite {{ namespace ops {{ namespace micro {{ int Register_{op}() {{ return 1; }} }} }} }}"
        for op in DIGITS_OPERATORS
    ),
)
CMSIS_NN = 'extern "C" int arm_convolve_wrapper_s8(void) { return 3; }'
REFERENCE = (INTERPRETER, SOFTMAX, CONV)


@functools.cache
def compiled(source: str, arch: tuple[str, ...] = M4F, gxx: str | None = None) -> bytes:
    """An object file of C++ source."""
    compiler = gxx or toolchain.arm().tool("g++")
    with tempfile.NamedTemporaryFile(suffix=".o") as made:
        command = [compiler, *arch, "-x", "c++", "-O1", "-c", "-", "-o", made.name]
        subprocess.run(command, input=source.encode(), check=True)
        return Path(made.name).read_bytes()


def packaged_include() -> tuple[str, ...]:
    """The include folders of the packaged TFLM."""
    root = sources.locate().tflm
    downloads = root / "tensorflow/lite/micro/tools/make/downloads"
    folders = (root, downloads / "flatbuffers/include", downloads / "gemmlowp", downloads / "ruy")
    return tuple(map(str, folders))


def archive(path: Path, texts: Sequence[str], arch: tuple[str, ...] = M4F, gxx: str | None = None) -> Path:
    """A library of one object a source, with names that are too long for ar's header."""
    return written(path, {f"a_name_of_object_{index}.o": compiled(text, arch, gxx) for index, text in enumerate(texts)})


def written(path: Path, members: dict[str, bytes]) -> Path:
    """An archive as GNU's ar writes it, without a table of symbols."""
    names = "".join(f"{name}/\n" for name in members).encode()
    parts = [b"!<arch>\n", _member(b"//", names)]
    at = 0
    for name, content in members.items():
        parts.append(_member(f"/{at}".encode(), content))
        at += len(name) + 2
    path.write_bytes(b"".join(parts))
    return path


def _member(name: bytes, content: bytes) -> bytes:
    header = b"%-16s%-12d%-6d%-6d%-8o%-10d`\n" % (name, 0, 0, 0, 0o644, len(content))
    return header + content + b"\n" * (len(content) % 2)
