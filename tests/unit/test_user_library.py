"""A user's TFLM: what its archives hold, and whether it fits the platform's firmware, before anything is linked."""

from __future__ import annotations

from pathlib import Path

import library_maker
import pytest
from library_maker import CMSIS_NN, CONV_CMSIS_NN, M4_SOFT, M4F, REFERENCE, archive

from harness import cli, cores, toolchain
from harness.errors import BadInputError
from harness.user_library import fits, found
from harness.user_library.found import Brought, Contents
from tests.conftest import DIGITS, ROOT

TODAY = ROOT / "tests" / "data" / "tflm_today"


@pytest.fixture(autouse=True)
def _own_cache(private_cache: Path) -> None:
    """Summaries of archives are kept in it."""


def held(*paths: Path) -> Contents:
    return found.held(Brought(archives=tuple(map(str, paths)), include=()))


def read(path: Path, arch: tuple[str, ...] = M4F, hard_float: bool = True, kernels: str | None = None) -> None:
    brought = Brought(archives=(str(path),), include=(str(TODAY),), kernels=kernels)
    fits.read(brought, toolchain.arm(), arch, hard_float)


# --- what it holds ---------------------------------------------------------------------------------------------------


def test_kernels_are_told_by_what_the_kernels_call(tmp_path: Path) -> None:
    reference = held(archive(tmp_path / "reference.a", REFERENCE))
    assert (reference.kernel_set, reference.operators) == ("reference", ("CONV_2D", "SOFTMAX"))
    optimised = held(archive(tmp_path / "optimised.a", (*REFERENCE[:2], CONV_CMSIS_NN, CMSIS_NN)))
    assert (optimised.kernel_set, optimised.kernels) == ("cmsis-nn", {"CONV_2D": "cmsis-nn"})
    assert optimised.compilers[0].startswith("GCC: ")


def test_cmsis_nn_may_stand_in_an_archive_of_its_own(tmp_path: Path) -> None:
    path = archive(tmp_path / "tflm.a", (*REFERENCE[:2], CONV_CMSIS_NN))
    with pytest.raises(BadInputError, match="call cmsis-nn, which no archive holds: arm_convolve_wrapper_s8") as error:
        held(path)
    assert "--tflm-lib" in (error.value.hint or "")
    assert held(path, archive(tmp_path / "cmsis-nn.a", (CMSIS_NN,))).kernel_set == "cmsis-nn"


def test_another_kernel_set_than_is_said_is_an_error(tmp_path: Path) -> None:
    path = archive(tmp_path / "optimised.a", (*REFERENCE[:2], CONV_CMSIS_NN, CMSIS_NN))
    read(path, kernels="cmsis-nn")
    with pytest.raises(BadInputError, match=r"holds cmsis-nn kernels \(CONV_2D\), not reference"):
        read(path, kernels="reference")


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        ((library_maker.SOFTMAX,), "holds no TFLM: tflite::MicroInterpreter::AllocateTensors"),
        ((library_maker.INTERPRETER,), "holds no kernels"),
        ((), "it holds nothing"),
    ],
)
def test_what_is_no_tflm_is_named(tmp_path: Path, sources: tuple[str, ...], said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        held(archive(tmp_path / "other.a", sources))


def test_a_damaged_member_is_named(tmp_path: Path) -> None:
    members = {"whole.o": library_maker.compiled(library_maker.INTERPRETER)}
    members["cut.o"] = library_maker.compiled(library_maker.SOFTMAX)[:200]
    with pytest.raises(BadInputError, match=r"cut\.o is damaged or cut off"):
        held(library_maker.written(tmp_path / "tflm.a", members))


def test_objects_of_link_time_optimisation_are_named(tmp_path: Path) -> None:
    path = archive(tmp_path / "lto.a", REFERENCE, (*M4F, "-flto", "-fno-fat-lto-objects"))
    with pytest.raises(BadInputError, match="no code but -flto's"):
        held(path)


# --- whether it fits -------------------------------------------------------------------------------------------------

M3 = cores.flags("cortex-m3", None, False)
M7F = cores.flags("cortex-m7", "fpv5-d16", True)
M33F = cores.flags("cortex-m33", "fpv5-sp-d16", True)
M0 = cores.flags("cortex-m0", None, False)
SOFTFP = (*M4F[:-1], "-mfloat-abi=softfp")


@pytest.mark.parametrize(
    ("built", "arch", "hard_float", "said", "hint"),
    [
        (M4_SOFT, M4F, True, "is soft-float .* built hard-float", "-mfloat-abi=hard, or run with --no-fpu"),
        (SOFTFP, M4F, True, "is soft-float", "--no-fpu"),
        (M4F, M4_SOFT, False, "is hard-float .* built soft-float", "leave --no-fpu out"),
        (SOFTFP, M4_SOFT, False, "built for an FPU .FPv4., which the platform's firmware leaves off", "rebuild"),
        (M7F, M4F, True, "built for an FPU .FPv5., which is newer", "-mcpu=cortex-m4"),
        (M4_SOFT, M3, False, "built for Armv7E-M, the platform's core executes Armv7-M", "-mcpu=cortex-m3"),
        (M33F, M4F, True, "built for Armv8-M.main, the platform's core executes Armv7E-M", "-mcpu=cortex-m4"),
        (("-mcpu=cortex-a9", "-mfloat-abi=hard", "-mfpu=vfpv3-d16"), M4F, True, "Armv7-A or Armv7-R", "rebuild"),
        (("-mcpu=arm926ej-s", "-mfloat-abi=soft"), M3, False, "Armv5TEJ, which is no Cortex-M", "rebuild"),
        ((*M4F, "-fno-short-enums"), M4F, True, "its enumerations are 32 bits", "-fno-short-enums"),
    ],
)
def test_a_mismatch_is_explained(
    tmp_path: Path, built: tuple[str, ...], arch: tuple[str, ...], hard_float: bool, said: str, hint: str
) -> None:
    path = archive(tmp_path / "tflm.a", REFERENCE, built)
    with pytest.raises(BadInputError, match=said) as error:
        read(path, arch, hard_float)
    assert hint in (error.value.hint or "")


@pytest.mark.parametrize(("built", "arch"), [(M4F, M4F), (M0, M3), (M3, M4_SOFT), (M4F, M33F), (M33F, M33F)])
def test_code_of_the_core_or_of_a_smaller_one_fits(
    tmp_path: Path, built: tuple[str, ...], arch: tuple[str, ...]
) -> None:
    read(archive(tmp_path / "tflm.a", REFERENCE, built), arch, "hard" in arch[-1])


def test_one_member_of_another_kind_is_found(tmp_path: Path) -> None:
    members = {f"{index}.o": library_maker.compiled(text) for index, text in enumerate(REFERENCE)}
    members["soft.o"] = library_maker.compiled("int soft() { return 0; }", M4_SOFT)
    with pytest.raises(BadInputError, match=r"soft\.o: the library is soft-float"):
        read(library_maker.written(tmp_path / "tflm.a", members))


def test_a_library_for_this_host_is_refused_and_one_for_the_core_as_the_hosts(tmp_path: Path) -> None:
    path = archive(tmp_path / "host.a", REFERENCE, (), toolchain.host().gxx)
    with pytest.raises(BadInputError, match=r"is for (x86-64|64-bit Arm).*, the platform's core is an Arm Cortex-M"):
        read(path)
    fits.read_host(Brought(archives=(), include=(str(TODAY),), host=(str(path),)))
    arm = archive(tmp_path / "arm.a", REFERENCE)
    with pytest.raises(BadInputError, match="the reference runs on this host"):
        fits.read_host(Brought(archives=(), include=(str(TODAY),), host=(str(arm),)))


# --- the command -----------------------------------------------------------------------------------------------------


def refused(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", str(DIGITS), "--platform", "mps2-an386", *options])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return " ".join(said.split())


def test_the_command_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(archive(tmp_path / "tflm.a", REFERENCE))
    assert "the library's headers are needed, too" in refused(capsys, "--tflm-lib", path)
    assert "add --tflm-lib LIBRARY.a" in refused(capsys, "--tflm-include", str(TODAY))
    assert "there is no such folder" in refused(capsys, "--tflm-lib", path, "--tflm-include", f"{TODAY}:/none")


def test_operators_that_the_library_lacks_are_named_before_the_build(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(archive(tmp_path / "tflm.a", REFERENCE))
    said = refused(capsys, "--tflm-lib", path, "--tflm-include", str(TODAY))
    assert "operators 1 (DEPTHWISE_CONV_2D)" in said
    assert "are not in tflm.a" in said
    assert "tflite::Register_DEPTHWISE_CONV_2D" in said


def test_a_library_does_not_go_with_another_kernel_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(archive(tmp_path / "tflm.a", REFERENCE))
    said = refused(capsys, "--tflm-lib", path, "--tflm-include", str(TODAY), "--kernels", "cmsis-nn")
    assert "holds reference kernels, not cmsis-nn" in said
