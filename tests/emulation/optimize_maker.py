"""What tests of searches on the emulator share: a small scenario on scikit-learn's digits, and a place of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.paths import cache_folder

# Dense networks; {budgets} and {space} are more lines of these tables.
DENSE = """
name = "small"
boards = ["stm32l496zg"]
data = "digits"
objectives = ["instructions", "accuracy"]
[budgets]
{budgets}
[space]
families = ["dense"]
channels = [6, 9]
depth = [1]
growth = [1.0]
{space}
[training]
epochs = 3
[search]
trials = 2
batch = 2
"""


@contextmanager
def own_place(folder: Path) -> Iterator[pytest.MonkeyPatch]:
    """A cache and results in that folder; built libraries are those of the user's cache. Gives what undoes more."""
    libraries = cache_folder() / "libraries"
    libraries.mkdir(parents=True, exist_ok=True)
    (folder / "cache").mkdir()
    (folder / "cache" / "libraries").symlink_to(libraries)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(folder / "cache"))
        patch.setenv("HARNESS_RESULTS", str(folder / "results"))
        yield patch
