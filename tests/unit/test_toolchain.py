"""Another compiler than the default: how it is named, what is refused, and that it is what builds and is said to."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness import cli, cores, image, library, run, toolchain
from harness.errors import BadInputError, BuildError, HarnessError, MissingToolError
from harness.library import Library
from tests.conftest import DIGITS
from tests.unit import toolchain_maker
from tests.unit.toolchain_maker import VERSION

M4 = cores.flags("cortex-m4", "fpv4-sp-d16", hard_float=True)


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No choice of another test or of the environment is seen, nor left behind."""
    monkeypatch.setenv(toolchain.VARIABLE, "")
    toolchain.arm.cache_clear()
    yield
    toolchain.arm.cache_clear()


def test_ways_to_name_it(tmp_path: Path) -> None:
    folder = toolchain_maker.make(tmp_path / "gcc" / "bin")
    for given in (f"{folder}/arm-none-eabi-", f"{folder}/arm-none-eabi-gcc", folder, folder.parent):
        found = toolchain.arm(str(given))
        assert (found.gcc, found.version, found.prefix) == (f"{folder}/arm-none-eabi-gcc", VERSION, "arm-none-eabi-")
        assert found.tool("objcopy") == f"{folder}/arm-none-eabi-objcopy"
    default = toolchain.arm()
    assert toolchain.arm("arm-none-eabi-") == toolchain.arm("arm-none-eabi-gcc") == default
    assert default.version != VERSION


def test_the_environment_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(toolchain.VARIABLE, str(toolchain_maker.make(tmp_path / "bin")))
    assert toolchain.arm().version == VERSION
    assert toolchain.arm("arm-none-eabi-").version != VERSION


def _script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: "nothing-", "there is no such program, folder or prefix"),
        (lambda folder: folder / "nowhere" / "arm-none-eabi-gcc", "there is no such program"),
        (lambda folder: folder, "no arm-none-eabi-gcc in this folder, nor in its bin/"),
        (lambda folder: "gcc", "not a GCC for bare-metal Arm: it compiles for "),
        (lambda folder: "sh", "sh is not named as a GCC is"),
        (lambda folder: _script(folder / "x-gcc", "echo clang version 19.1.7"), "this is clang under another name"),
        (lambda folder: _script(folder / "x-gcc", "exit 1"), "--version failed"),
        (lambda folder: _script(folder / "x-gcc", "echo arm-linux-gnueabihf"), "it compiles for arm-linux-gnueabihf"),
        (lambda folder: _script(folder / "x-gcc", "echo arm-none-eabi"), "x-g++, x-ar, x-ranlib"),
        (
            lambda folder: toolchain_maker.make(
                folder / "t", names=tuple(n for n in toolchain_maker.NAMES if n != "ar")
            ),
            "arm-none-eabi-ar is not beside arm-none-eabi-gcc",
        ),
    ],
)
def test_what_is_refused(tmp_path: Path, make: Callable[[Path], object], message: str) -> None:
    with pytest.raises(BadInputError) as error:
        toolchain.arm(str(make(tmp_path)))
    assert message in error.value.message and error.value.message.startswith("toolchain ")
    assert error.value.hint


# What a compiler says that lacks something, by the arguments that it was called with.
_FAILS = 'case "$*" in *{}*) echo "{}" >&2; exit 1;; esac'


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            _FAILS.format("-mcpu=cortex-m4", "Assembler messages:\nerror: unrecognized -mcpu target"),
            "99.1.0 cannot compile for cortex-m4: error: unrecognized -mcpu target",
        ),
        (_FAILS.format('"-x c /"*"-c"', "fatal error: math.h: No such file"), "has no C library (newlib)"),
        (_FAILS.format("c++", "fatal error: algorithm: No such file"), "has no C++ library (libstdc++)"),
        ('case "$*" in *-print-multi-directory*) echo .; exit 0;; esac', "has no libraries built for cortex-m4"),
        (_FAILS.format("--specs=nano.specs", "fatal error: nano.specs"), "cannot link with newlib-nano for cortex-m4"),
    ],
)
def test_what_it_lacks_is_named_before_anything_is_built(tmp_path: Path, fault: str, message: str) -> None:
    found = toolchain.arm(str(toolchain_maker.make(tmp_path / "bin", fault)))
    with pytest.raises(MissingToolError) as error:
        library.for_core(M4, "-O2", found)
    assert message in error.value.message
    assert error.value.exit_code == 3 and error.value.hint
    assert "ar" not in toolchain_maker.calls(tmp_path / "bin")


@pytest.mark.parametrize("core", [("cortex-m0", None), ("cortex-m7", "fpv5-d16"), ("cortex-m55", "auto")])
def test_the_default_can_build(core: tuple[str, str | None]) -> None:
    toolchain.check(toolchain.arm(), cores.flags(*core, hard_float=core[1] is not None))


def test_it_links_and_is_said_to(tmp_path: Path, results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The libraries are taken from the default's build, which the wrapper calls: it is the identity that differs."""
    default = run(DIGITS, "stm32l496zg")
    folder = toolchain_maker.make(tmp_path / "bin")
    other = toolchain.arm(str(folder))
    cache = tmp_path / "cache"
    found = library.sources.locate()
    known = [*library._folders(found, M4, "-O2", toolchain.arm().version)]
    host = [*library._folders(found, (), "-O2", toolchain.host().version)]
    monkeypatch.setenv("HARNESS_CACHE", str(cache))
    assert not library.is_built(M4, "-O2", other)
    wanted = [*library._folders(found, M4, "-O2", VERSION)]
    assert not {folder.name for folder in wanted} & {folder.name for folder in known}
    for source, target in zip(
        [*known, *host], [*wanted, *(cache / "libraries" / path.name for path in host)], strict=True
    ):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target)
    monkeypatch.setenv(toolchain.VARIABLE, str(folder))
    toolchain.arm.cache_clear()
    made = run(DIGITS, "stm32l496zg")
    assert made.identity.compiler == VERSION != default.identity.compiler
    assert made.run_id != default.run_id
    assert made.counts.total == default.counts.total
    assert {"g++", "c++filt"} <= set(toolchain_maker.calls(folder))


def test_the_option(tmp_path: Path, capfd: pytest.CaptureFixture[str], results: Path) -> None:
    for command in ("run", "build", "serve"):
        with pytest.raises(SystemExit) as ended:
            cli.main([command, str(DIGITS), "-p", "stm32l496zg", "--toolchain", "gcc"])
        assert ended.value.code == 2
        assert "error: toolchain gcc: not a GCC for bare-metal Arm" in capfd.readouterr().err
    with pytest.raises(HarnessError):
        toolchain.arm(str(tmp_path))


def test_a_compiler_without_instructions_that_cmsis_nn_calls_is_named() -> None:
    """GCC 8, which takes what its arm_acle.h does not have for functions."""
    built = Library(
        runtime=Path(), application=Path(), key="", arch=M4, optimisation="-O2", compiler="", tflm="", cmsis_nn=""
    )
    stderr = "ld: arm_depthwise_conv_3x3_s8.c:(.text+0x{}): undefined reference to `__sml{}'"
    error = image._failure("\n".join(stderr.format(*item) for item in ((1, "abb"), (2, "att"), (3, "abb"))), built)
    assert isinstance(error, BuildError) and error.exit_code == 3
    assert "CMSIS-NN calls __smlabb and __smlatt" in error.message and "--kernels reference" in (error.hint or "")
    other = image._failure("ld: x.c: undefined reference to `smile'", built)
    assert "undefined reference to `smile'" in other.message
