"""Files that are written as a whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import atomic
from harness.errors import HarnessError


def test_what_is_written_takes_the_place_of_what_was(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "file.json"
    for content in (b"before", b"after"):
        assert atomic.write(target, content) == target
        assert target.read_bytes() == content
    assert [path.name for path in target.parent.iterdir()] == ["file.json"]


def test_what_cannot_be_written_leaves_what_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> int:
        path.open("wb").write(content[:1])
        raise OSError(28, "No space left on device")

    atomic.write(tmp_path / "file.json", b"before")
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(HarnessError, match=r"cannot write .*file\.json: No space left on device") as raised:
        atomic.write(tmp_path / "file.json", b"after", "free some")
    assert raised.value.hint == "free some"
    monkeypatch.undo()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file.json": b"before"}


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HarnessError, match="cannot write"):
        atomic.write(tmp_path / "file" / "below", b"")
