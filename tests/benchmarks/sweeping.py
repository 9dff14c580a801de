"""What a sweep costs: wall clock with one job and with two, the parallel efficiency, and the same sweep once more.

    python tests/benchmarks/sweeping.py [--repeats 1] [--channels 26] [--jobs 2]

The sweep is of single convolutions of 1, 2, 3, ... channels, on a Cortex-M3 and an M4, with both kernel sets: 104
points. Networks and libraries are made before anything is timed. Every timed sweep begins with a cache that holds
libraries alone, so that each point links its firmware, sizes its arena, computes its reference and runs; the repetition
finds every point stored. The efficiency is T(1 job) / (jobs x T(jobs)), from sums over all repeats, whose order
alternates. The goals are 60 s with two jobs on two cores, an efficiency of 0.9, and 5 s for the repetition, on a
machine that does nothing else; the load that others put on it meanwhile is printed.

CPU time is that of all processes of a sweep together, in user and system mode.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness.paths import cache_folder
from harness.zoo import make
from harness.zoo.networks import spec
from harness.zoo.recipe import Recipe

FILE = """
name = "benchmark"
[axes]
models = ["*.tflite"]
platforms = ["mps2-an385", "stm32l496zg"]
kernels = ["reference", "cmsis-nn"]
"""
KEPT = ("libraries", "qemu-plugin", "sources")


class Cost(NamedTuple):
    """Seconds of the wall clock and of the processors."""

    wall: float
    cpu: float

    def __add__(self, other: object) -> Cost:
        assert isinstance(other, Cost)
        return Cost(self.wall + other.wall, self.cpu + other.cpu)


def run(file: Path, folder: Path, jobs: int) -> Cost:
    """One sweep as a user starts it, with the cache and the results in ``folder``."""
    environment = {**os.environ, "HARNESS_CACHE": str(folder / "cache"), "HARNESS_RESULTS": str(folder / "results")}
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    ended = subprocess.run(
        [sys.executable, "-m", "harness", "sweep", file, "--jobs", str(jobs)],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if ended.returncode != 0:
        raise SystemExit(f"the sweep ended with exit code {ended.returncode}\n{ended.stdout}{ended.stderr}")
    return Cost(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def fresh(folder: Path) -> Path:
    """A folder with a cache that holds libraries alone."""
    cache = folder / "cache"
    cache.mkdir(parents=True)
    for name in KEPT:
        (cache / name).symlink_to(cache_folder() / name)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--channels", type=int, default=26, help="up to how many")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    total = {1: Cost(0.0, 0.0), options.jobs: Cost(0.0, 0.0)}
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        file = root / "benchmark.toml"
        file.write_text(FILE)
        builds = root / "builds.toml"
        builds.write_text(FILE.replace("*.tflite", "conv-int8.tflite"))
        channels = (16, *(number for number in range(1, options.channels + 1) if number != 16))
        recipes = [Recipe(spec=spec("conv", {"channels": number})) for number in channels]
        for made in make.many(recipes):
            shutil.copy(made.path, root)  # that of 16 channels, which are the default, as conv-int8.tflite
        for kept in KEPT:
            (cache_folder() / kept).mkdir(parents=True, exist_ok=True)
        run(builds, fresh(root / "builds"), options.jobs)
        for repeat in range(options.repeats):
            for jobs in (1, options.jobs) if repeat % 2 == 0 else (options.jobs, 1):
                folder = fresh(root / f"{repeat}-{jobs}")
                cost = run(file, folder, jobs)
                total[jobs] += cost
                again = run(file, folder, jobs)
                print(
                    f"{4 * len(recipes)} points, --jobs {jobs}: {cost.wall:.1f} s wall, {cost.cpu:.1f} s CPU; "
                    f"again: {again.wall:.1f} s wall, {again.cpu:.1f} s CPU; load {os.getloadavg()[0]:.1f}",
                    flush=True,
                )
    efficiency = total[1].wall / (options.jobs * total[options.jobs].wall)
    ratio = total[options.jobs].cpu / total[1].cpu
    print(f"efficiency {efficiency:.2f}; CPU time with {options.jobs} jobs over that with one: {ratio:.2f}")


if __name__ == "__main__":
    main()
