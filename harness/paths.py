"""Where the project's data files and the per-user folders are."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

_PACKAGE = Path(__file__).resolve().parent


def data_folder(name: str) -> Path:
    """The folder ``platforms``, ``firmware``, ``robot`` or ``results`` of an installed package, or of a checkout."""
    packaged = _PACKAGE / "data" / name
    return packaged if packaged.is_dir() else _PACKAGE.parent / name


def checkout() -> Path | None:
    """The root of the source checkout that the package runs from, or None for an installed package.

    An installed package has its data inside. What lies beside it is not asked: ``pip install --target`` puts it into
    other projects' folders, and these have a pyproject.toml, too.
    """
    root = _PACKAGE.parent
    return root if (root / "pyproject.toml").is_file() and not (_PACKAGE / "data").is_dir() else None


def cache_folder() -> Path:
    """The per-user cache of built libraries and references; ``HARNESS_CACHE`` overrides it."""
    override = os.environ.get("HARNESS_CACHE")
    return Path(override).absolute() if override else Path(platformdirs.user_cache_path("tflm-harness"))


def results_folder() -> Path:
    """Where results are stored: ``HARNESS_RESULTS``, else results/ of the checkout, else of the current folder."""
    override = os.environ.get("HARNESS_RESULTS")
    if override:
        return Path(override).absolute()
    return (checkout() or Path.cwd()) / "results"
