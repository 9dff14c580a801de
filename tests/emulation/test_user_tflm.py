"""Firmware with a TFLM that the user brings: the packaged one as their archive, and an interface of today's shape.

No current TFLM is at hand here. That the application compiles against today's interface is checked with headers of that
shape (tests/data/tflm_today); that such a library runs takes a real one.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness import compare, cores, image, library, pipeline, process, reference, sources, toolchain
from harness.errors import BadInputError
from harness.inputs import Inputs
from harness.records import Model
from harness.report import tables
from harness.result import Result
from harness.user_library import build, fits
from harness.user_library.found import Brought
from tests.conftest import DIGITS, ROOT

M4F = cores.flags("cortex-m4", "fpv4-sp-d16", True)
TODAY = ROOT / "tests" / "data" / "tflm_today"


@pytest.fixture(scope="module")
def packaged() -> Brought:
    """The packaged TFLM as a user's library: its archive and its include folders."""
    built = library.for_core(M4F, "-O2", toolchain.arm())
    root = sources.locate().tflm
    downloads = root / "tensorflow/lite/micro/tools/make/downloads"
    folders = (root, downloads / "flatbuffers/include", downloads / "gemmlowp", downloads / "ruy")
    return Brought(archives=(str(built.runtime / "libtflm.a"),), include=(":".join(map(str, folders)),))


@pytest.fixture(scope="module")
def both(packaged: Brought, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Result]:
    """A run with the packaged TFLM, and with it as a user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_RESULTS", str(tmp_path_factory.mktemp("results")))
        return (
            pipeline.run(DIGITS, "mps2-an386"),
            pipeline.run(DIGITS, "mps2-an386", tflm=packaged),
        )


def test_the_packaged_tflm_as_a_users_library_counts_the_same(both: tuple[Result, Result]) -> None:
    normal, own = both
    assert own.verdict.passed
    assert own.counts.total == normal.counts.total
    assert own.counts.overhead == normal.counts.overhead
    assert [layer.instructions for layer in own.layers] == [layer.instructions for layer in normal.layers]
    assert [layer.functions for layer in own.layers] == [layer.functions for layer in normal.layers]
    assert [layer.output_crc32 for layer in own.layers] == [layer.output_crc32 for layer in normal.layers]
    assert (own.memory.arena, own.memory.stack) == (normal.memory.arena, normal.memory.stack)


def test_the_result_says_which_library_and_which_reference(both: tuple[Result, Result], packaged: Brought) -> None:
    normal, own = both
    assert normal.library is None
    assert normal.check.reference is None
    assert own.library is not None
    assert own.library.name == "libtflm.a"
    assert own.library.api == "the API of July 2020"
    assert own.kernels == "reference"
    assert own.check.reference is not None
    assert own.check.reference.name == "tflite-micro"
    assert own.library.sha256 in own.identity.tflm
    assert own.library.headers_sha256 in own.identity.tflm
    assert own.run_id != normal.run_id


def test_comparing_both_names_the_library_and_no_operator(both: tuple[Result, Result]) -> None:
    found = compare.compare(*both)
    assert [item.what for item in found.differs] == ["TFLM"]
    assert found.operators == ()
    assert found.outputs_equal


def test_a_build_for_this_host_is_the_reference_of_every_layer(packaged: Brought, results: Path) -> None:
    host = library.for_host()
    brought = msgspec.structs.replace(packaged, host=(str(host.runtime / "libtflm.a"),))
    own = pipeline.run(DIGITS, "mps2-an386", tflm=brought)
    assert own.verdict.passed
    assert own.check.reference is not None
    assert own.check.reference.name == "host library"
    assert own.identity.host_compiler == host.compiler


@pytest.mark.parametrize(("step", "passed"), [(1, True), (5, False)])
def test_a_difference_of_rounding_is_one_between_releases(
    packaged: Brought, private_cache: Path, results: Path, monkeypatch: pytest.MonkeyPatch, step: int, passed: bool
) -> None:
    """As if tflite-micro rounded the last layer otherwise: first one step off, then more than rounding explains."""
    real = reference.tflite_micro_tensors

    def another(model: Model, inputs: Inputs) -> tuple[tuple[bytes, ...], ...]:
        layers = real(model, inputs)
        changed = bytearray(layers[-1][0])
        changed[0] = (changed[0] + step) % 256
        return (*layers[:-1], (bytes(changed),))

    monkeypatch.setattr(reference, "tflite_micro_tensors", another)
    own = pipeline.run(DIGITS, "mps2-an386", tflm=packaged)
    assert own.verdict.passed is passed
    assert own.check.reference is not None
    assert own.check.reference.rounding is passed
    assert not own.check.output_exact
    first = own.check.first_difference
    assert first is not None
    assert (first.index, first.op, first.differing, first.reference) == (9, "SOFTMAX", 1, "tflite-micro")
    assert [layer.output_exact for layer in own.layers] == [True] * 9 + [False]
    console = tables.console()
    with console.capture() as shown:
        console.print(tables.result(own, console), width=200)
    words = " ".join(shown.get().split())
    assert "layer 9 (SOFTMAX) differs from tflite-micro in 1 of 10 elements" in words
    assert ("a difference between releases" in words) is passed


def test_the_application_compiles_against_todays_interface(tmp_path: Path) -> None:
    """It is all there in the headers; the archive, which holds none of it, is then said to lack it."""
    archive = tmp_path / "tflm.a"
    source = tmp_path / "tflm.cc"
    source.write_text(
        "namespace tflite { struct MicroInterpreter { int AllocateTensors(); };"
        "int MicroInterpreter::AllocateTensors() { return 1; }"
        "int Register_CONV_2D() { return 1; } int Register_SOFTMAX() { return 1; } }"
    )
    arm = toolchain.arm()
    _call(arm.tool("g++"), *M4F, "-c", source, "-o", tmp_path / "tflm.o")
    _call(arm.tool("ar"), "rcs", archive, tmp_path / "tflm.o")
    found = fits.read(Brought(archives=(str(archive),), include=(str(TODAY),)), arm, M4F, True)
    assert found.operators == {"CONV_2D", "SOFTMAX"}
    built = build.for_core(found, M4F, "-O2", arm)
    names = {path.name for path in built.application.iterdir()}
    assert {"libapp.a", "libkernels-reference.a", "libtarget.a"} <= names
    table = _call(arm.tool("nm"), "-C", built.application / "libkernels-reference.a")
    assert "harness_op_CONV_2D" in table
    assert "harness_op_LEAKY_RELU" not in table, "the archive has no such kernel"
    lacking = _call(arm.tool("nm"), "-uC", built.application / "libapp.a")
    wanted = [line.split("U ")[1] for line in lacking.splitlines() if "U tflite::M" in line]
    error = image._failure("\n".join(f"undefined reference to `{name}'" for name in wanted), built)
    assert isinstance(error, BadInputError)
    assert "lacks tflite::MicroInterpreter::" in error.message


def _call(*command: str | Path) -> str:
    finished = process.run(command, time_limit_s=60)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout
