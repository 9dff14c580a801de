"""A git repository for tests: commits by a made-up person at given times, whatever the user's own settings are."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


class Repository:
    """A new repository in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str, day: int = 1) -> str:
        """What a command prints; ``day`` of January 2026 is its date."""
        date = f"2026-01-{day:02}T12:00:00+00:00"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | {
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_DATE": date,
            "GIT_COMMITTER_DATE": date,
        }
        settings = ("-c", "user.name=Someone", "-c", "user.email=someone@example.org", "-c", "commit.gpgsign=false")
        ended = subprocess.run(
            ["git", *settings, *arguments], cwd=self.folder, env=environment, check=True, capture_output=True, text=True
        )
        return ended.stdout.strip()

    def commit(self, subject: str, day: int = 1) -> str:
        """Commit everything; returns the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", subject, day=day)
        return self.git("rev-parse", "HEAD")
