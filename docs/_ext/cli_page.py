"""Makes docs/reference/cli.md of the commands, by Typer's own generator: ``make docs-cli``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import typer

PAGE = Path(__file__).resolve().parents[1] / "reference" / "cli.md"
HEAD = """\
# Commands

Made of the commands' own help; `harness COMMAND --help` prints the same. [Exit codes](exit-codes.md) have a page of
their own. Options may be kept in [a project file](../how-to/project-file.md). `harness --install-completion` sets up
the shell's completion.
"""


def page() -> str:
    """The page: Typer's Markdown below a head of ours, its one heading of first rank taken down to the second."""
    command = [sys.executable, "-m", "typer", "harness.cli", "utils", "docs", "--name", "harness"]
    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = [line.rstrip() for line in made.strip().splitlines()]
    lines[0] = "#" + lines[0]
    return f"<!-- made by typer {typer.__version__} -->\n\n{HEAD}\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    if sys.argv[1:] == ["-"]:
        sys.stdout.write(page())
    else:
        PAGE.write_text(page(), encoding="utf-8")
