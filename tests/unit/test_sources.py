"""Where TFLM and CMSIS-NN come from: the right cargo, a crate that is fetched once, files that are the right ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness import sources
from harness.errors import HarnessError, MissingToolError


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home, a cache and a PATH of the test's own, without any cargo."""
    path = tmp_path / "bin"
    path.mkdir()
    for name in ("sh", "mkdir", "touch", "cat"):
        found = shutil.which(name)
        assert found is not None
        (path / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(path))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CARGO_HOME", raising=False)
    return path


def cargo(folder: Path, version: str, body: str = "exit 1") -> Path:
    """A cargo of some version that does ``body`` when it is asked for anything else."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "cargo"
    program.write_text(f'#!/bin/sh\nif [ "$1" = --version ]; then echo "{version}"; exit 0; fi\n{body}\n')
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    "version", ["cargo 1.70.0", "cargo 1.85.1 (Debian)", "cargo 1.96.0-nightly (abcdef 2026-01-01)", "cargo 2.0.0"]
)
def test_a_cargo_that_is_new_enough(bare: Path, version: str) -> None:
    program = cargo(bare, version)
    assert sources.find_cargo() == str(program)


@pytest.mark.parametrize("version", ["cargo 1.69.9", "cargo 0.66.0 (d65d197ad 2022-11-15)", "cargo 0.99.0"])
def test_a_cargo_that_is_too_old_is_named_with_its_version(bare: Path, version: str) -> None:
    cargo(bare, version)
    with pytest.raises(MissingToolError) as caught:
        sources.find_cargo()
    assert caught.value.message == f"no usable cargo ({version}): 1.70 or newer is needed"
    assert caught.value.hint == "apt-get install cargo-web (Debian 12) or cargo (Debian 13, Ubuntu 24.04)"


def test_no_cargo_at_all() -> None:
    with pytest.raises(MissingToolError, match="cargo is not installed") as caught:
        sources.find_cargo()
    assert "apt-get install" in (caught.value.hint or "")


def test_a_newer_cargo_of_the_users_is_preferred_to_an_old_one_of_the_system(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cargo(bare, "cargo 0.66.0")
    rustup = cargo(tmp_path / "home" / ".cargo" / "bin", "cargo 1.80.0")
    assert sources.find_cargo() == str(rustup)
    monkeypatch.setenv("CARGO_HOME", str(tmp_path / "elsewhere"))
    elsewhere = cargo(tmp_path / "elsewhere" / "bin", "cargo 1.90.0")
    assert sources.find_cargo() == str(elsewhere)
    on_path = cargo(bare, "cargo 1.75.0")
    assert sources.find_cargo() == str(on_path)


@pytest.fixture
def registry(bare: Path, tmp_path: Path) -> Path:
    """A cargo that unpacks an empty crate on fetch and says where; what it is asked goes into calls.txt."""
    crate = tmp_path / "registry" / "tfmicro-0.1.0"
    described = {"packages": [{"name": "bindgen", "manifest_path": "/elsewhere/Cargo.toml"},
                              {"name": "tfmicro", "manifest_path": f"{crate}/Cargo.toml"}]}  # fmt: skip
    cargo(
        bare,
        "cargo 1.85.0",
        f"""echo "$@" >> "{tmp_path}/calls.txt"
        case "$1" in
        fetch) mkdir -p "{crate}"; touch "{crate}/.cargo-ok";;
        metadata) cat "{tmp_path}/metadata.json";;
        esac""",
    )
    (tmp_path / "metadata.json").write_text(json.dumps(described))
    return crate


def calls(tmp_path: Path) -> list[str]:
    return [line.split()[0] for line in (tmp_path / "calls.txt").read_text().splitlines()]


def test_the_crate_is_fetched_by_its_lock_file_and_remembered(registry: Path, tmp_path: Path) -> None:
    first = sources.locate()
    assert first.tflm == registry / "submodules" / "tensorflow"
    assert first.tflm_identity.startswith(
        "TFLM July 2020 (tfmicro 0.1.0, sha256 b2da8beabd85d11badfc2d603a31c9fb468702"
    )
    assert calls(tmp_path) == ["fetch", "metadata"]
    assert all("--locked" in line for line in (tmp_path / "calls.txt").read_text().splitlines())
    assert sources.locate() == first
    assert calls(tmp_path) == ["fetch", "metadata"]


def test_a_crate_that_vanished_is_fetched_anew(registry: Path, tmp_path: Path) -> None:
    sources.locate()
    shutil.rmtree(registry)
    assert sources.locate().tflm == registry / "submodules" / "tensorflow"
    assert (registry / ".cargo-ok").is_file()
    assert calls(tmp_path) == ["fetch", "metadata"] * 2


@pytest.mark.parametrize("content", [b"", b"{", b"17", b"null", b"\xff", b'"\xff"', b'"/nowhere"'])
def test_a_damaged_note_of_where_the_crate_is_is_replaced(registry: Path, tmp_path: Path, content: bytes) -> None:
    sources.locate()
    (note,) = (tmp_path / "cache" / "sources").iterdir()
    right = note.read_bytes()
    note.write_bytes(content)
    assert sources.locate().tflm == registry / "submodules" / "tensorflow"
    assert note.read_bytes() == right


@pytest.mark.parametrize(
    ("command", "message"), [("fetch", "cargo cannot fetch"), ("metadata", "cargo cannot describe")]
)
def test_a_failing_cargo_is_an_error_with_its_output(
    registry: Path, bare: Path, tmp_path: Path, command: str, message: str
) -> None:
    cargo(bare, "cargo 1.85.0", f'if [ "$1" = {command} ]; then echo "error: no network" >&2; exit 101; fi')
    with pytest.raises(HarnessError, match=f"{message} tfmicro") as caught:
        sources.locate()
    assert caught.value.detail == "error: no network"
    assert not (tmp_path / "cache" / "sources").exists()


def test_nothing_of_cargo_is_needed_once_the_crate_is_there(registry: Path, bare: Path) -> None:
    first = sources.locate()
    (bare / "cargo").unlink()
    assert sources.locate() == first


@pytest.fixture
def vendored(tmp_path: Path) -> Path:
    copy = tmp_path / "vendor"
    shutil.copytree(sources.cmsis_nn_folder(), copy)
    return copy


def test_the_installed_cmsis_nn_is_what_was_tried(vendored: Path) -> None:
    sources.check_cmsis_nn(vendored)
    # Python writes beside its own files what it compiles.
    (vendored / "__pycache__").mkdir(exist_ok=True)
    (vendored / "__pycache__" / "more.pyc").write_bytes(b"x")
    sources.check_cmsis_nn(vendored)


@pytest.mark.parametrize("change", ["one byte", "renamed", "removed", "added", "swapped"])
def test_any_other_cmsis_nn_is_refused(vendored: Path, change: str) -> None:
    one, other = sorted(vendored.rglob("*.c"))[:2]
    if change == "one byte":
        content = one.read_bytes()
        one.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif change == "renamed":
        one.rename(one.with_suffix(".cc"))
    elif change == "removed":
        one.unlink()
    elif change == "added":
        one.with_name("more.h").touch()
    else:
        first, second = one.read_bytes(), other.read_bytes()
        one.write_bytes(second)
        other.write_bytes(first)
    with pytest.raises(
        HarnessError, match=r"these are not the files of bakenn 1\.0\.0 \(sha256 [0-9a-f]{64}\)"
    ) as caught:
        sources.check_cmsis_nn(vendored)
    assert caught.value.hint == "pip install --force-reinstall bakenn==1.0.0"
