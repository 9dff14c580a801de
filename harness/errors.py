"""The few kinds of failure, each with its exit code.

Exit codes of the command: 0 pass; 1 measured, and the verdict is no; 2 bad input or usage; 3 could not measure.
"""

from __future__ import annotations

EXIT_PASS = 0
EXIT_VERDICT_NO = 1
EXIT_BAD_INPUT = 2
EXIT_NOT_MEASURED = 3


class HarnessError(Exception):
    """Base of every error that a user sees.

    Args:
        message: what is wrong, in one line, with the offending value.
        hint: what to do about it (a command where there is one), or None.
        detail: longer output of a tool (a compiler's errors, an emulator's log), or None.
    """

    exit_code = EXIT_NOT_MEASURED

    def __init__(self, message: str, hint: str | None = None, detail: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.detail = detail


class BadInputError(HarnessError):
    """The user's file, option or value cannot be used (exit 2)."""

    exit_code = EXIT_BAD_INPUT


class NewerSchemaError(BadInputError):
    """A file is of a schema that this version does not know, so that a newer one must have written it (exit 2)."""


class DoesNotFitError(HarnessError):
    """The network provably exceeds the board's memory, so there is nothing to run (exit 1)."""

    exit_code = EXIT_VERDICT_NO


class MissingToolError(HarnessError):
    """A tool that the measurement needs is not installed; the hint is the command that installs it (exit 3)."""


class BuildError(HarnessError):
    """Compiling or linking failed; ``detail`` holds the tool's output (exit 3)."""


class EmulationError(HarnessError):
    """The emulator died, ran out of time, or the firmware stopped with a fault (exit 3)."""
