"""Runs that are disturbed: two at once on a cold cache, Ctrl-C in the middle, a full disk."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import run
from harness.errors import EXIT_NOT_MEASURED
from harness.paths import cache_folder
from tests.conftest import DIGITS, ROOT

COMMAND = [sys.executable, "-m", "harness", "run", str(DIGITS), "--platform", "stm32l496zg", "--json"]


def start(cache: Path, results: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "HARNESS_CACHE": str(cache), "HARNESS_RESULTS": str(results)}
    return subprocess.Popen(
        COMMAND, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.fixture
def runtime_only(tmp_path: Path, results: Path) -> Path:
    """A cache that holds TFLM, which takes longest to build, but nothing of the application, no image, no plugin."""
    known = run(DIGITS, "stm32l496zg")
    shutil.rmtree(results)
    cache = tmp_path / "cache"
    (cache / "libraries").mkdir(parents=True)
    for folder in (cache_folder() / "libraries").iterdir():
        if (folder / "libtflm.a").is_file():
            (cache / "libraries" / folder.name).symlink_to(folder)
    assert known.verdict.passed
    return cache


def leftovers(cache: Path) -> list[str]:
    """Temporary folders and files: names with a random part after a dot, or a process' number."""
    kept = (".lock", ".elf", ".json", ".so")
    return [
        str(path)
        for kind in ("libraries", "images", "arenas", "references", "sources")
        for path in (cache / kind).glob("*")
        if "." in path.name and path.suffix not in kept
    ]


def test_two_at_once_on_one_cold_cache(runtime_only: Path, results: Path) -> None:
    both = [start(runtime_only, results) for _ in range(2)]
    ended = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], ended
    assert ended[0][0] == ended[1][0] != ""
    assert leftovers(runtime_only) == []
    assert len([path for path in (results / "runs").iterdir() if not path.name.startswith(".")]) == 1


def _running_below(folder: Path) -> list[int]:
    """Processes whose working directory is in a folder: ninja, and the compilers that it starts."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if (entry / "cwd").resolve(strict=True).is_relative_to(folder):
                    found.append(int(entry.name))
    return found


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_while_building(number: int, code: int, runtime_only: Path, results: Path) -> None:
    process = start(runtime_only, results)
    limit = time.monotonic() + 60
    while not any(b"cc1plus" in _command(pid) for pid in _running_below(runtime_only)):
        assert process.poll() is None and time.monotonic() < limit
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert out == ""
    assert "Traceback" not in err
    assert not results.exists()
    assert leftovers(runtime_only) == []
    assert _running_below(runtime_only) == []
    again = start(runtime_only, results)
    assert (again.communicate(timeout=300), again.returncode)[1] == 0


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_full_disk_while_building(small_disk: Path, runtime_only: Path, results: Path) -> None:
    shutil.copytree(runtime_only, small_disk / "cache", symlinks=True)
    process = start(small_disk / "cache", results)
    out, err = process.communicate(timeout=300)
    assert process.returncode == EXIT_NOT_MEASURED
    assert out == ""
    assert "error: " in err and "Traceback" not in err
    assert "disk is full" in err or "No space left on device" in err
    assert "HARNESS_CACHE" in err
    assert not results.exists()
    assert leftovers(small_disk / "cache") == []


def test_full_disk_while_storing(small_disk: Path, results: Path) -> None:
    run(DIGITS, "stm32l496zg")
    filler = os.open(small_disk / "filler", os.O_WRONLY | os.O_CREAT)
    with pytest.raises(OSError, match="No space left"):
        while True:
            os.write(filler, bytes(4096))
    os.close(filler)
    process = start(cache_folder(), small_disk / "results")
    out, err = process.communicate(timeout=60)
    assert process.returncode == EXIT_NOT_MEASURED
    assert out == ""
    assert "error: cannot store the run in" in err and "No space left on device" in err
    assert "HARNESS_RESULTS" in err
    assert not list((small_disk / "results").rglob("*.json"))
