"""A browser for tests of pages: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_INSTALL = "apt-get install chromium"


def find() -> str | None:
    """The browser's program, None where there is none that starts. Ubuntu's chromium-browser only names a snap."""
    for name in PROGRAMS:
        program = shutil.which(name)
        if program is None:
            continue
        try:
            said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60, check=False)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if said.returncode == 0 and re.search(r"Chrom\w+ \d+", said.stdout):
            return program
    return None


@contextmanager
def started() -> Iterator[Any]:
    """A browser of the test's own. Where there is none, the test is skipped."""
    program = find()
    if program is None:
        pytest.skip(f"no Chromium here: {_INSTALL}")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # its sandbox needs rights that root and containers do not have; the pages are our own
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"], timeout=120_000
        )
        yield browser
        browser.close()


class Watched:
    """A page that writes down what it asks for and complains of."""

    def __init__(self, browser: Any, **settings: Any) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **settings})
        self.page = self.context.new_page()
        self.page.set_default_timeout(60_000)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))

    def open(self, file: Path, hash: str = "") -> Any:
        self.page.goto(file.as_uri() + hash)
        return self.page


def keep(page: Any, name: str) -> None:
    """Keep a picture of the whole page where $HARNESS_SCREENSHOTS names a folder."""
    folder = os.environ.get("HARNESS_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)
