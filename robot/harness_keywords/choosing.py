"""Keywords that choose what to measure and to compare with."""

from __future__ import annotations

import os
from pathlib import Path

from robot.api import SkipExecution, logger
from robot.api.deco import keyword

from harness import baseline, platforms
from harness.emulators import renode_find
from harness.errors import MissingToolError
from harness.result import Result
from harness_keywords.base import Keywords, said_by_the_harness


class Choosing(Keywords):
    """They skip a test where there is nothing to choose."""

    @keyword
    @said_by_the_harness
    def platform_of_core(self, core: str, default: str, asked_for: str = "") -> str:
        """The platform to test a core on: the one that was asked for, where it has that core, otherwise the default.

        Skips the test where a platform with another core was asked for.
        """
        if not asked_for:
            return default
        found = platforms.load(asked_for)
        if found.core != core:
            raise SkipExecution(f"{found.name}, which was asked for, has a {found.core}, this is for a {core}")
        return found.name

    @keyword
    @said_by_the_harness
    def skip_unless_renode_is_found(self) -> None:
        """Skips the test where there is no Renode, or fails it where $HARNESS_REQUIRE_RENODE is set."""
        try:
            found = renode_find.find()
        except MissingToolError as error:
            if os.environ.get("HARNESS_REQUIRE_RENODE"):
                raise
            raise SkipExecution(f"{error.message} ({error.hint})") from error
        logger.info(f"Renode {found.version} ({found.origin})")

    @keyword
    @said_by_the_harness
    def find_baseline(self, result: Result, folder: Path) -> Result:
        """The stored result to compare this one with; skips the test where there is none that is comparable."""
        found = baseline.find(result, folder)
        if found is None:
            raise SkipExecution(f"no baseline {baseline.name(result)} in {folder} (Store Baseline makes one)")
        reason = baseline.incomparable(result, found)
        if reason is not None:
            raise SkipExecution(f"baseline {baseline.name(result)}: {reason}")
        return found

    @keyword
    @said_by_the_harness
    def store_baseline(self, result: Result, folder: Path, reason: str | None = None) -> Path:
        """Makes this result the baseline of runs like it, and returns the file. No suite of the harness does that.

        The reason is stored with it.
        """
        return baseline.save(result, folder, reason)
