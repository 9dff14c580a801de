"""The same run again and again, with everything cached or with nothing but the libraries: equal to the byte, or not."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness import cache, pipeline, store
from harness.errors import BadInputError
from harness.library import Progress, silent
from harness.paths import cache_folder
from harness.records import Record
from harness.result import Result
from harness.setup import DEFAULT_TIME_LIMIT_S

# What a cold cache shares: libraries take half a minute a core to build, and are named by all that they depend on.
_SHARED = ("libraries", "sources", "qemu-plugin")


class Repeats(Record, frozen=True):
    """Runs of the same. ``files`` has, for each run, the SHA-256 of each of its stored files but the emulator's own
    log, which holds times of the host."""

    cold: bool
    results: tuple[Result, ...]
    files: tuple[dict[str, str], ...]


def repeat(
    model_path: str | Path,
    platform: str,
    *,
    times: int = 3,
    cold: bool = False,
    kernels: str = "reference",
    optimisation: str = "-O2",
    fpu: bool | None = None,
    emulator: str = "qemu",
    time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    progress: Progress = silent,
) -> Repeats:
    """Run ``times`` times.

    Args:
        model_path, platform, kernels, optimisation, fpu, emulator, time_limit_s, progress: as in ``pipeline.run``.
        times: how often, at least 1.
        cold: start each run from a cache that has nothing but the libraries: the firmware is linked, its arena sized
            and the reference computed anew.

    Raises:
        BadInputError, DoesNotFitError, HarnessError: as ``pipeline.run``; a BadInputError also for ``times``.
    """
    if times < 1:
        raise BadInputError(f"a run cannot be repeated {times} times", "give at least 1")
    results, files = [], []
    for _ in range(times):
        with _cold_cache() if cold else contextlib.nullcontext():
            result = pipeline.run(
                model_path,
                platform,
                kernels=kernels,
                optimisation=optimisation,
                fpu=fpu,
                emulator=emulator,
                time_limit_s=time_limit_s,
                progress=progress,
            )
        results.append(result)
        files.append(_files(Path(result.artifacts.elf).parent))
    return Repeats(cold=cold, results=tuple(results), files=tuple(files))


def first_difference(*repeats: Repeats) -> str | None:
    """What differs first between the very first run and any other, None where all files are equal."""
    runs = [
        (f"{'cold' if item.cold else 'warm'} run {number}", files)
        for item in repeats
        for number, files in enumerate(item.files, 1)
    ]
    (first, expected), *others = runs
    for which, found in others:
        for name in sorted(expected.keys() | found.keys()):
            if expected.get(name) != found.get(name):
                return f"{name} of {which} differs from that of {first}"
    return None


@contextlib.contextmanager
def _cold_cache() -> Iterator[None]:
    shared, before = cache_folder(), os.environ.get("HARNESS_CACHE")
    with tempfile.TemporaryDirectory(prefix="harness-cold-") as folder:
        for name in _SHARED:
            with cache.writing():
                (shared / name).mkdir(parents=True, exist_ok=True)
            (Path(folder) / name).symlink_to(shared / name)
        os.environ["HARNESS_CACHE"] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ["HARNESS_CACHE"]
            else:
                os.environ["HARNESS_CACHE"] = before


def _files(folder: Path) -> dict[str, str]:
    return {name: digest for name, digest in store.files(folder).items() if name != store.EMULATOR_LOG}
