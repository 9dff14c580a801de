"""What tests of several folders share."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DIGITS = ROOT / "harness" / "zoo" / "digits.tflite"
SHARED_MODELS = ROOT.parent / "shared" / "models"


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stored results stay out of the checkout; the per-user cache of libraries is shared with other runs."""
    folder = tmp_path / "results"
    monkeypatch.setenv("HARNESS_RESULTS", str(folder))
    return folder
