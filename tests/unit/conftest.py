"""What tests of sweeps share."""

from __future__ import annotations

from pathlib import Path

import pytest
import sweep_maker


@pytest.fixture
def marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, results: Path) -> Path:
    """Where workers leave a line for each run of a point."""
    folder = tmp_path / "marks"
    folder.mkdir()
    monkeypatch.setenv(sweep_maker.MARKS, str(folder))
    return folder
