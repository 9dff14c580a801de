"""clang as the compiler: how it is named, what of a GNU toolchain it takes, and what is refused."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import clang, cli, cores, library, toolchain
from harness.errors import BadInputError, MissingToolError
from tests.conftest import DIGITS
from tests.unit import toolchain_maker

M4 = cores.flags("cortex-m4", "fpv4-sp-d16", hard_float=True)
M55 = cores.flags("cortex-m55", "auto", hard_float=True)

needs_clang = pytest.mark.skipif(shutil.which("clang") is None, reason="clang is not installed (apt-get install clang)")


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No choice of another test or of the environment is seen, nor left behind."""
    for name in (toolchain.VARIABLE, toolchain.SYSROOT):
        monkeypatch.setenv(name, "")
    toolchain.arm.cache_clear()
    yield
    toolchain.arm.cache_clear()


@pytest.mark.parametrize(
    ("given", "named"),
    [("clang", True), ("clang-19", True), ("/opt/bin/clang", True), ("arm-none-eabi-", False), ("/opt/clang-", False),
     ("arm-none-eabi-gcc", False), ("clang++", False), ("/opt/clang/bin/arm-none-eabi-gcc", False)],
)  # fmt: skip
def test_names(given: str, named: bool) -> None:
    assert clang.is_named(given) == named


def _program(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_what_is_no_clang_for_arm_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "clang"
    with pytest.raises(BadInputError, match="there is no such program"):
        toolchain.arm(str(path))
    with pytest.raises(BadInputError, match="is no clang"):
        toolchain.arm(_program(path, "echo gcc 12"))
    toolchain.arm.cache_clear()
    only_this = 'case "$*" in *version*) echo "clang version 19";; *) echo "error: no such target" >&2; exit 1;; esac'
    with pytest.raises(BadInputError, match="it cannot compile for Arm: error: no such target"):
        toolchain.arm(_program(path, only_this))
    toolchain.arm.cache_clear()
    with pytest.raises(BadInputError, match=r"clang\+\+ is not beside it"):
        toolchain.arm(_program(path, 'echo "clang version 19"'))


def test_a_clang_that_is_not_installed_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingToolError, match="clang-99 is not installed") as caught:
        toolchain.arm("clang-99")
    assert "apt-get install clang" in (caught.value.hint or "")


def test_a_sysroot_is_the_folder_of_a_gnu_toolchain(tmp_path: Path) -> None:
    folder = toolchain_maker.make(tmp_path / "gnu" / "bin")
    (tmp_path / "gnu" / "arm-none-eabi").mkdir()
    for given in (folder, folder.parent, folder.parent / "arm-none-eabi"):
        assert clang.gcc_of(str(given)) == f"{folder}/arm-none-eabi-gcc"
    with pytest.raises(BadInputError, match="there is no such folder"):
        clang.gcc_of(str(tmp_path / "nowhere"))
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    with pytest.raises(BadInputError, match="no arm-none-eabi-gcc in it, in its bin/ or beside it"):
        clang.gcc_of(str(tmp_path / "a" / "b" / "c"))


def test_a_sysroot_is_nothing_for_gcc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(toolchain.SYSROOT, str(tmp_path))
    for given in (None, "arm-none-eabi-"):
        with pytest.raises(BadInputError, match="a sysroot is about clang"):
            toolchain.arm(given)


@needs_clang
def test_the_identity_names_clang_and_whose_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gnu = toolchain.arm()
    found = toolchain.arm("clang")
    assert found.clang == shutil.which("clang") and found.gcc == gnu.gcc
    assert "clang version" in found.version and found.version.endswith(f", with libraries of {gnu.version}")
    folder = toolchain_maker.make(tmp_path / "bin")
    monkeypatch.setenv(toolchain.SYSROOT, str(folder))
    toolchain.arm.cache_clear()
    other = toolchain.arm("clang")
    assert other.version.endswith(f", with libraries of {toolchain_maker.VERSION}")
    assert other.gcc == f"{folder}/arm-none-eabi-gcc"
    assert library.arm_arguments(M4, found) != library.arm_arguments(M4, gnu)


@needs_clang
@pytest.mark.parametrize(
    "core",
    [
        ("cortex-m0", None),
        ("cortex-m3", None),
        ("cortex-m4", "fpv4-sp-d16"),
        ("cortex-m7", "fpv5-d16"),
        ("cortex-m33", "fpv5-sp-d16"),
        ("cortex-m55", "auto"),
    ],
)
def test_it_can_build_for(core: tuple[str, str | None]) -> None:
    toolchain.check(toolchain.arm("clang"), cores.flags(*core, hard_float=core[1] is not None))


@needs_clang
def test_headers_are_newlibs_and_clangs_own() -> None:
    gnu = toolchain.arm()
    flags = clang.flags(gnu.gcc, M4, "c++")
    folders = [flag for before, flag in itertools.pairwise(flags) if before == "-isystem"]
    assert any("c++" in folder for folder in folders)
    assert not any("/lib/gcc/" in folder for folder in folders)
    assert "-nostdinc++" in flags and "-nostdinc++" not in clang.flags(gnu.gcc, M4, "c")
    assert clang.arch(M55) == (*(flag for flag in M55 if flag != "-mfpu=auto"), "-munaligned-access")
    assert clang.arch(cores.flags("cortex-m0", None, hard_float=False))[-1] == "-mfloat-abi=soft"


@needs_clang
def test_a_core_that_means_something_else_is_refused(tmp_path: Path) -> None:
    """Here by a GCC that says to have no DSP instructions."""
    without = 'case "$*" in *-dM*) echo "#define __ARM_ARCH 7"; exit 0;; esac'
    folder = toolchain_maker.make(tmp_path / "bin", without)
    program = shutil.which("clang")
    assert program is not None
    with pytest.raises(
        MissingToolError, match=r"means something else than GCC by .*__ARM_FEATURE_DSP is 1, not not set"
    ):
        clang.check(program, f"{folder}/arm-none-eabi-gcc", M4)


def test_mistakes_end_with_2(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for arguments in (["--sysroot", str(tmp_path)], ["--toolchain", str(tmp_path / "clang")]):
        with pytest.raises(SystemExit) as ended:
            cli.main(["run", str(DIGITS), "-p", "stm32l496zg", *arguments])
        assert ended.value.code == 2, arguments
        assert "error: " in capfd.readouterr().err
