"""What tests of several folders share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.emulators import renode_find
from harness.emulators.renode_find import Renode
from harness.errors import MissingToolError
from harness.paths import cache_folder

ROOT = Path(__file__).parent.parent
DIGITS = ROOT / "harness" / "zoo" / "digits.tflite"
SHARED_MODELS = ROOT.parent / "shared" / "models"

# pytest-xdist's workers are told a width that is nobody's. Output that no terminal takes has the same one everywhere.
os.environ.pop("COLUMNS", None)

# A project file above the checkout, or in the home folder, is not the tests'.
os.environ["HARNESS_PROJECT"] = os.devnull


def _terminals() -> bool:
    """Whether this system has pseudo-terminals: a chroot without /dev/pts has none."""
    try:
        ours, theirs = os.openpty()
    except OSError:
        return False
    os.close(ours)
    os.close(theirs)
    return True


needs_terminals = pytest.mark.skipif(not _terminals(), reason="no pseudo-terminals here: /dev/pts is not mounted")


@pytest.fixture
def private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, for tests that damage it; it shares the built libraries."""
    folder = tmp_path / "cache"
    folder.mkdir()
    shared = cache_folder() / "libraries"
    shared.mkdir(parents=True, exist_ok=True)
    (folder / "libraries").symlink_to(shared)
    monkeypatch.setenv("HARNESS_CACHE", str(folder))
    return folder


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stored results stay out of the checkout; the per-user cache of libraries is shared with other runs."""
    folder = tmp_path / "results"
    monkeypatch.setenv("HARNESS_RESULTS", str(folder))
    return folder


@pytest.fixture(scope="session")
def renode() -> Renode:
    """The Renode of this machine. Without one the test is skipped, or fails where $HARNESS_REQUIRE_RENODE is set."""
    try:
        return renode_find.find()
    except MissingToolError as error:
        if os.environ.get("HARNESS_REQUIRE_RENODE"):
            raise
        pytest.skip(error.message)
