"""What was made, measured and trained before, by everything that decides it; so that no study does it twice."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from harness import cache
from harness.optimize.records import Measurement, TrainingRecord
from harness.paths import cache_folder
from harness.records import Record
from harness.zoo import make
from harness.zoo.candidates import Built, Trained, Wanted
from harness.zoo.training import Training

T = TypeVar("T")

# The modules that decide the bytes of a network's file.
_SOURCES = (
    *("candidates", "channels", "convert", "data", "evaluate", "families", "magnitude", "optimise", "resize"),
    *("training", "weights"),
)


class _File(Record, frozen=True):
    """What is kept beside a .tflite file."""

    sha256: str
    macs: int


class Memo:
    """A folder with networks, measurements and trainings; by default in the per-user cache, shared by all studies."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or cache_folder() / "optimize"

    def network(self, wanted: Wanted) -> tuple[Path, Built] | None:
        """The file with random weights, where it was made before."""
        return self._read("networks", network_key(wanted))

    def keep_network(self, wanted: Wanted, built: Built) -> Path:
        """Keep such a file, and return where."""
        return self._write("networks", network_key(wanted), built)

    def measurement(self, board: str, identity: str) -> Measurement | None:
        """That of an identity, where it was measured before."""
        found = cache.read(self._path("measurements", identity), Measurement)
        return found if found is not None and found.board == board else None

    def keep_measurement(self, found: Measurement) -> None:
        """Keep what was measured."""
        cache.write(self._path("measurements", found.identity), msgspec.json.encode(found))

    def training(self, key: str) -> TrainingRecord | None:
        """What a training came to, where it was done before and its file is whole."""
        found = cache.read(self._path("trainings", key), TrainingRecord)
        return found if found is not None and self._read("trained", key) is not None else None

    def keep_training(self, key: str, done: Trained, study: str) -> TrainingRecord:
        """Keep a trained network."""
        self._write("trained", key, done.built)
        record = TrainingRecord(
            epochs=done.epochs,
            accuracy=done.validation,
            sha256=done.built.sha256,
            key=key,
            seconds=done.seconds,
            study=study,
        )
        cache.write(self._path("trainings", key), msgspec.json.encode(record))
        return record

    def trained(self, key: str) -> tuple[Path, Built] | None:
        """The file of a training."""
        return self._read("trained", key)

    def _path(self, kind: str, key: str) -> Path:
        return self.folder / kind / f"{key}.json"

    def _read(self, kind: str, key: str) -> tuple[Path, Built] | None:
        path = self._path(kind, key)
        known, file = cache.read(path, _File), path.with_suffix(".tflite")
        try:
            content = file.read_bytes()
        except OSError:
            return None
        if known is None or hashlib.sha256(content).hexdigest() != known.sha256:
            return None
        return file, Built(content=content, sha256=known.sha256, macs=known.macs)

    def _write(self, kind: str, key: str, built: Built) -> Path:
        path = self._path(kind, key)
        file = path.with_suffix(".tflite")
        cache.write(file, built.content)
        cache.write(path, msgspec.json.encode(_File(sha256=built.sha256, macs=built.macs)))
        return file


def network_key(wanted: Wanted) -> str:
    """What stands for everything that decides the bytes of a file with random weights."""
    return _key({"wanted": wanted, **_versions()})


def training_key(wanted: Wanted, dataset: str, settings: Training) -> str:
    """The same of a trained one."""
    return _key({"wanted": wanted, "data": dataset, "settings": settings, **_versions()})


@functools.cache
def _versions() -> dict[str, Any]:
    """Raises MissingToolError: TensorFlow is not installed."""
    folder = Path(make.__file__).parent
    digest = hashlib.sha256()
    for name in _SOURCES:
        digest.update((folder / f"{name}.py").read_bytes() + b"\0")
    return {"tools": make.tools(), "sources": digest.hexdigest()}


def versions() -> dict[str, str]:
    """The versions of what makes and trains networks.

    Raises:
        MissingToolError: TensorFlow is not installed.
    """
    tools: dict[str, str] = _versions()["tools"]
    return tools


def _key(parts: dict[str, Any]) -> str:
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()[:32]
