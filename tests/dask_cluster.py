"""A Dask cluster for tests: a scheduler and workers as processes on 127.0.0.1, and functions for them to run."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parent.parent


class Local:
    """Used as a context manager. There are no nannies: a worker that is killed stays dead.

    Args:
        folder: for logs, and for each worker's own files.
        workers: how many.
        environment: variables of the processes besides ours.
    """

    def __init__(self, folder: Path, workers: int = 2, environment: dict[str, str] | None = None) -> None:
        self.folder = folder
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._number = workers

    def __enter__(self) -> Self:
        try:
            self._start("scheduler", "scheduler", "--port", "0")
            self.address = self._said("scheduler", r"Scheduler at:\s+(tcp://\S+)")
            for number in range(self._number):
                self.start_worker(f"worker-{number}")
            for number in range(self._number):
                self.wait_for(f"worker-{number}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_raised: object) -> None:
        for name in self.processes:
            self.kill(name)

    def start_worker(self, name: str, environment: dict[str, str] | None = None) -> None:
        """One more, with these variables besides the others'."""
        options = ("--nthreads", "1", "--no-nanny", "--name", name, "--local-directory", str(self.folder / name))
        self._start(name, "worker", self.address, *options, environment=environment)

    def wait_for(self, worker: str) -> None:
        """Until the scheduler knows it."""
        self._said(worker, "Registered to")

    def kill(self, name: str) -> None:
        """With SIGKILL."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.processes[name].pid, signal.SIGKILL)
        self.processes[name].wait()

    def measuring(self) -> list[str]:
        """The workers that have a point under way, by the folder that they have for it."""
        return [name for name in self.processes if [*(self.folder / name).glob("dask-scratch-space/*/harness-*")]]

    def _start(self, name: str, *arguments: str, environment: dict[str, str] | None = None) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "dask", *arguments, "--host", "127.0.0.1", "--no-dashboard"],
                env={**self._environment, **(environment or {})},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _said(self, name: str, pattern: str) -> str:
        log = self.folder / f"{name}.log"
        deadline = time.monotonic() + 120
        while (found := re.search(pattern, log.read_text())) is None:
            assert time.monotonic() < deadline and self.processes[name].poll() is None, log.read_text()
            time.sleep(0.05)
        return found[found.lastindex or 0]


def do(task: str) -> str:
    """What a task says: "die", "raise" or "sleep"; anything else is given back with the process that had it."""
    if task == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if task == "raise":
        raise ValueError("planted")
    if task == "sleep":
        time.sleep(600)
    return f"{task} by {os.getpid()}"
