"""A verdict of the gate as files in a folder: for people, for CI systems, for other programs."""

from __future__ import annotations

from pathlib import Path

from harness import atomic
from harness.errors import HarnessError
from harness.gate.verdict import Verdict
from harness.report.gate_junit import junit
from harness.report.gate_markdown import comment, summary

VERDICT, SUMMARY, COMMENT, JUNIT = "verdict.json", "summary.md", "comment.md", "junit.xml"
_HINT = "name another folder"


def clear(folder: Path) -> None:
    """Make the folder, and remove an earlier verdict: where there is none in the end, no other is taken for it.

    Raises:
        HarnessError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (VERDICT, SUMMARY, COMMENT, JUNIT):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise HarnessError(f"cannot write {folder}: {error.strerror or error}", _HINT) from error


def write(shown: Verdict, folder: Path) -> tuple[Path, ...]:
    """Write every form of the verdict, each as one atomic step; returns the files.

    Raises:
        HarnessError: the folder cannot be written.
    """
    contents = {
        VERDICT: shown.to_json(),
        SUMMARY: summary(shown).encode(errors="replace"),
        COMMENT: comment(shown).encode(errors="replace"),
        JUNIT: junit(shown),
    }
    return tuple(atomic.write(folder / name, content, _HINT) for name, content in contents.items())
