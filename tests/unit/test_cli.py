"""The command's mistakes: each has one clear line, a hint, the right exit code, and leaves nothing behind."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from harness import cache, cli, run, toolchain
from tests.conftest import DIGITS


class Outcome:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def harness(capfd: pytest.CaptureFixture[str], results: Path) -> object:
    def call(*arguments: object) -> Outcome:
        with pytest.raises(SystemExit) as ended:
            cli.main([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Outcome(int(ended.value.code or 0), captured.out, captured.err)

    return call


def refuse(outcome: Outcome, code: int, *fragments: str) -> None:
    assert outcome.code == code, outcome.err
    assert "Traceback" not in outcome.err
    errors = [line for line in outcome.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    for fragment in fragments:
        assert fragment in outcome.err
    assert outcome.out == ""


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        (["--platform", "stm32l496"], ["unknown platform", "stm32l496zg"]),
        (
            ["--platform", "stm32l496zg", "--kernels", "cmsis"],
            ["unknown kernel set 'cmsis'", "did you mean cmsis-nn?"],
        ),
        (["--platform", "stm32l496zg", "--opt", "-O9"], ["unknown optimisation level '-O9'", "-Os"]),
        (["--platform", "stm32l496zg", "--emulator", "bochs"], ["unknown emulator 'bochs'", "qemu"]),
        (["--platform", "rp2040", "--fpu"], ["rp2040 (cortex-m0plus) has no FPU"]),
        (["--platform", "stm32l496zg", "--timeout", "0"], ["a time limit of 0 s"]),
        (["--platform", "stm32l496zg", "--input", "nowhere.npy"], ["nowhere.npy: there is no such file"]),
    ],
)
def test_wrong_options(harness: object, results: Path, arguments: list[str], fragments: list[str]) -> None:
    refuse(harness("run", DIGITS, *arguments), 2, "hint: " if "nowhere" not in str(arguments) else "", *fragments)  # type: ignore[operator]
    assert not results.exists()


@pytest.mark.parametrize(
    "arguments", [["run"], ["run", "x.tflite"], ["run", "x", "-p", "rp2040", "--nonsense"], ["runn"]]
)
def test_wrong_usage_is_exit_2(harness: object, arguments: list[str]) -> None:
    outcome = harness(*arguments)  # type: ignore[operator]
    assert outcome.code == 2
    assert "Usage: " in outcome.err or "Usage: " in outcome.out
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    ("name", "content", "fragment"),
    [
        ("missing.tflite", None, "missing.tflite"),
        ("text.tflite", b"this is not a network", "text.tflite"),
        ("empty.tflite", b"", "empty.tflite"),
        ("cut.tflite", "cut", "cut.tflite"),
    ],
)
def test_unusable_models(
    harness: object, tmp_path: Path, results: Path, name: str, content: bytes | str | None, fragment: str
) -> None:
    path = tmp_path / name
    if content == "cut":
        path.write_bytes(DIGITS.read_bytes()[:5000])
    elif isinstance(content, bytes):
        path.write_bytes(content)
    refuse(harness("run", path, "--platform", "stm32l496zg"), 2, fragment)  # type: ignore[operator]
    assert not results.exists()


def test_wrong_input_type_says_how_to_quantise(harness: object, tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.zeros((1, 8, 8, 1), np.float32))
    refuse(harness("run", DIGITS, "-p", "rp2040", "-i", path), 2, "type float32", "hint: quantise it: round(x / ")  # type: ignore[operator]


@pytest.fixture
def warm(results: Path) -> None:
    """Everything that the digits network needs is built, so that only the missing tool can fail."""
    run(DIGITS, "stm32l496zg")
    shutil.rmtree(results)


@pytest.fixture
def bare_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH that holds nothing; tools are put there by name."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    toolchain.arm.cache_clear()
    toolchain.host.cache_clear()
    yield folder  # type: ignore[misc]
    toolchain.arm.cache_clear()
    toolchain.host.cache_clear()


def keep(folder: Path, *names: str) -> None:
    for name in names:
        found = shutil.which(name, path="/usr/local/bin:/usr/bin:/bin")
        assert found is not None, name
        (folder / name).symlink_to(found)


def test_missing_arm_compiler(harness: object, bare_path: Path) -> None:
    refuse(
        harness("run", DIGITS, "-p", "rp2040"),
        3,
        "arm-none-eabi-gcc is not installed",
        "apt-get install gcc-arm-none-eabi",  # type: ignore[operator]
    )


def test_missing_host_compiler(harness: object, warm: None, bare_path: Path) -> None:
    keep(bare_path, "arm-none-eabi-gcc")
    refuse(
        harness("run", DIGITS, "-p", "stm32l496zg"),
        3,
        "a host C++ compiler (g++) is not installed",
        "apt-get install g++",
    )  # type: ignore[operator]


def test_missing_qemu(
    harness: object, warm: None, bare_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = cache.path  # the arena's size is measured anew, for which the emulator is needed
    monkeypatch.setattr(cache, "path", lambda kind, key: (tmp_path / key) if kind == "arenas" else known(kind, key))
    keep(bare_path, "arm-none-eabi-gcc", "arm-none-eabi-g++", "g++", "as", "ld")
    refuse(
        harness("run", DIGITS, "-p", "stm32l496zg"),
        3,
        "qemu-system-arm is not installed",
        "apt-get install qemu-system-arm",
    )  # type: ignore[operator]


def test_missing_cargo(harness: object, bare_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CARGO_HOME", str(tmp_path / "cargo"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    keep(bare_path, "arm-none-eabi-gcc")
    refuse(harness("run", DIGITS, "-p", "stm32l496zg"), 3, "cargo is not installed", "apt-get install cargo-web")  # type: ignore[operator]


def test_json_is_alone_on_standard_output(harness: object) -> None:
    outcome = harness("run", DIGITS, "-p", "stm32l496zg", "-k", "cmsis-nn", "--json")  # type: ignore[operator]
    assert outcome.code == 0
    printed = json.loads(outcome.out)
    assert printed["schema"] == "tflm-harness/run/2"
    assert (printed["platform"], printed["emulator"], printed["kernels"]) == ("stm32l496zg", "qemu", "cmsis-nn")
    assert printed["counts"]["total"] == printed["counts"]["overhead"] + sum(
        layer["instructions"] for layer in printed["layers"]
    )
    assert {"index", "op", "instructions", "macs", "classes", "output_crc32"} <= set(printed["layers"][0])
    assert {"flash", "ram", "arena", "stack"} <= set(printed["memory"])
    assert printed["check"]["output_exact"] is True
    assert printed["check"]["layers_exact"] is True
    assert printed["check"]["first_difference"] is None
    assert Path(printed["artifacts"]["elf"]).is_absolute() and Path(printed["artifacts"]["elf"]).is_file()
    assert Path(printed["artifacts"]["uart_log"]).is_absolute()
    assert printed["marks"]["symbol"] == "harness_mark"
    shown = harness("show", printed["run_id"], "--json")  # type: ignore[operator]
    assert json.loads(shown.out) == printed
    listed = harness("list", "--json")  # type: ignore[operator]
    assert [item["run_id"] for item in json.loads(listed.out)] == [printed["run_id"]]
    again = harness("run", DIGITS, "-p", "stm32l496zg", "-k", "cmsis-nn", "--json")  # type: ignore[operator]
    assert again.out == outcome.out


def test_list_and_show_without_runs(harness: object) -> None:
    assert "no runs in" in harness("list").out  # type: ignore[operator]
    refuse(harness("show", "nothing"), 2, "no stored run 'nothing'", "harness list shows them")  # type: ignore[operator]


def test_platforms_lists_all_fifteen(harness: object) -> None:
    outcome = harness("platforms")  # type: ignore[operator]
    assert outcome.code == 0
    assert len(outcome.out.strip().splitlines()) == 16


def test_doctor_finds_everything_that_the_tests_need(harness: object) -> None:
    outcome = harness("doctor", "--json")  # type: ignore[operator]
    findings = {item["name"]: item for item in json.loads(outcome.out)}
    assert outcome.code == 0, findings
    assert findings["counter self-test"]["found"].endswith("exact on 6 cores")


def test_doctor_names_what_is_missing(harness: object, bare_path: Path) -> None:
    outcome = harness("doctor")  # type: ignore[operator]
    assert outcome.code == 3
    assert "arm-none-eabi-gcc is not installed" in outcome.out
    assert "apt-get install qemu-system-arm" in outcome.out


def test_a_fault_of_the_harness_is_exit_3(harness: object, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr("harness.store.stored", broken)
    outcome = harness("list")  # type: ignore[operator]
    assert outcome.code == 3
    assert "planted" in outcome.err and "this is a fault of the harness" in outcome.err


def test_version(harness: object) -> None:
    outcome = harness("--version")  # type: ignore[operator]
    assert outcome.code == 0
    assert outcome.out.startswith("tflm-harness ")
