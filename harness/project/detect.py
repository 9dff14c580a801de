"""What a folder holds that a project file names: networks, a policy, baselines, results."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from harness.records import Record

MOST_MODELS = 40
_DEEPEST = 6  # folders below the one that is looked into
_MOST_FOLDERS = 5000
_NOT_IN = {"node_modules", "__pycache__", "build", "dist", "site-packages", "venv"}
_LIBRARY = re.compile(r"lib.*(?:tensorflow|tflm|tflite).*\.a")
_NAME = re.compile(r"[^A-Za-z0-9_-]+")


class Found(Record, frozen=True):
    """Paths relative to the folder; ``models`` by names, ``more_models`` how many there are beyond them.

    ``library`` is a static library that is named as TFLM's are.

    None, or an empty tuple, where there is nothing of the kind.
    """

    models: dict[str, str]
    more_models: int
    policy: str | None
    baselines: str | None
    results: str | None
    library: str | None


def detect(folder: Path) -> Found:
    """Look through a folder and those below it, but hidden ones and those that tools fill."""
    models: list[str] = []
    policies: list[str] = []
    baselines: list[str] = []
    libraries: list[str] = []
    for path in _files(folder):
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".tflite":
            models.append(name)
        elif path.suffix == ".toml" and _is_policy(path):
            policies.append(name)
        elif path.suffix == ".json" and path.parent.name == "baselines":
            baselines.append(path.parent.relative_to(folder).as_posix())
        elif _LIBRARY.fullmatch(path.name):
            libraries.append(name)
    return Found(
        models=_named(models[:MOST_MODELS]),
        more_models=max(len(models) - MOST_MODELS, 0),
        policy=min(policies, key=_usual, default=None),
        baselines=min(baselines, key=_usual, default=None),
        results="results" if (folder / "results").is_dir() else None,
        library=min(libraries, key=_usual, default=None),
    )


def _files(folder: Path) -> Iterator[Path]:
    """Regular files, the nearest and then the first by name; a folder that cannot be read has none."""
    level = [folder]
    seen = 0
    for _ in range(_DEEPEST + 1):
        below: list[Path] = []
        for here in level:
            seen += 1
            if seen > _MOST_FOLDERS:
                return
            try:
                entries = sorted(os.scandir(here), key=lambda entry: entry.name)
            except OSError:
                continue
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if not entry.name.startswith(".") and entry.name not in _NOT_IN:
                        below.append(Path(entry.path))
                elif entry.is_file():
                    yield Path(entry.path)
        level = below


def _is_policy(path: Path) -> bool:
    from harness.gate.policy import Policy

    try:
        msgspec.toml.decode(path.read_bytes(), type=Policy)
    except (msgspec.MsgspecError, OSError, UnicodeDecodeError):
        return False
    return True


def _usual(name: str) -> tuple[bool, int, str]:
    """The order of what could be meant: where the harness' own defaults are, then the shortest path."""
    return not name.startswith("results/"), len(name), name


def _named(paths: list[str]) -> dict[str, str]:
    """A name for each file: that of the file, with its folder where two have the same."""
    found: dict[str, str] = {}
    for path in paths:
        parts = Path(path).with_suffix("").parts
        for count in range(1, len(parts) + 1):
            name = _NAME.sub("_", "-".join(parts[-count:])).strip("_-") or "model"
            if name not in found:
                break
        else:
            name = next(f"{name}-{number}" for number in range(2, len(paths) + 2) if f"{name}-{number}" not in found)
        found[name] = path
    return found
