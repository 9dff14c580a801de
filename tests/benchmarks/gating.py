"""What a gate costs: wall clock of a warm one of 4 networks on 3 platforms, and of one where a single network changed.

    python tests/benchmarks/gating.py [--repeats 5]

The networks are the shipped one and three small ones of the tests. Libraries come from the user's cache; where they are
not in it, the first gate builds them. The first gate measures all 12 runs; their results become the baselines. Then
each repeat runs the gate twice: with nothing changed, and after one network became another, which is 3 runs to measure.
Each gate is a process of its own, as a user starts it; the load of the machine is printed beside the median and the
least of the times.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness import baseline, store
from harness.paths import cache_folder
from tests.unit.gate_networks import RULES, network

ROOT = Path(__file__).resolve().parents[2]
POLICY = (
    """
name = "benchmark"
[[runs]]
models = ["*.tflite"]
platforms = ["rp2040", "stm32l496zg", "stm32f767zi"]
kernels = ["cmsis-nn"]
"""
    + RULES
)


def gate(folder: Path, expected: int) -> tuple[float, float]:
    """One gate: seconds of the wall clock, and of the processors."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    ended = subprocess.run(
        [sys.executable, "-m", "harness", "gate", "--policy", folder / "policy.toml",
         "--baseline", folder / "baselines"],
        env={**os.environ, "HARNESS_RESULTS": str(folder / "results"), "HARNESS_CACHE": str(folder / "cache")},
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if ended.returncode != expected:
        sys.exit(f"the gate ended with {ended.returncode}, not {expected}:\n{ended.stdout}{ended.stderr}")
    return wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def prepare(folder: Path) -> None:
    """Networks, a policy, and a cache that holds what the user's does of libraries, and nothing else."""
    (folder / "policy.toml").write_text(POLICY)
    (folder / "baselines").mkdir()
    (folder / "cache").mkdir()
    for name in ("libraries", "qemu-plugin", "sources"):
        (cache_folder() / name).mkdir(parents=True, exist_ok=True)
        (folder / "cache" / name).symlink_to(cache_folder() / name)
    shutil.copy(ROOT / "harness" / "zoo" / "digits.tflite", folder)
    for seed, size in ((1, 16), (2, 20), (3, 24)):
        network(seed=seed, size=size).save(folder, f"network{seed}.tflite")


def say(what: str, times: list[tuple[float, float]]) -> None:
    """A line of the result."""
    wall, processors = zip(*times, strict=True)
    print(
        f"{what}: {statistics.median(wall):.2f} s, least {min(wall):.2f} s; CPU {statistics.median(processors):.2f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        say("first, 12 runs to measure, no baselines", [gate(folder, expected=3)])
        os.environ["HARNESS_RESULTS"] = str(folder / "results")
        for item in store.stored():
            assert item.result is not None, item.damage
            baseline.save(item.result, folder / "baselines")
        warm, changed = [], []
        original = (folder / "network1.tflite").read_bytes()
        for repeat in range(repeats):
            warm.append(gate(folder, expected=0))
            network(channels=12, seed=100 + repeat).save(folder, "network1.tflite")
            changed.append(gate(folder, expected=1))
            (folder / "network1.tflite").write_bytes(original)
        say("warm, nothing changed", warm)
        say("one network changed, 3 runs to measure", changed)
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
