"""The command that puts two results side by side."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.app import Json, app, write_json
from harness.errors import EXIT_PASS, BadInputError

_WHAT = "A stored run, a file of a result or a baseline, REVISION:FILE of git, or SWEEP:POINT."


@app.command()
def compare(
    before: Annotated[str, typer.Argument(metavar="A", help=_WHAT, show_default=False)],
    after: Annotated[str, typer.Argument(metavar="B", help="The same, of what is newer.", show_default=False)],
    everything: Annotated[bool, typer.Option("--all", help="Show also what did not change.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    as_json: Json = False,
) -> int:
    """Explain the difference of two results by layer, function, instruction class and part of memory."""
    import msgspec

    from harness import compare as comparing

    if markdown and as_json:
        raise BadInputError("--markdown and --json exclude each other", "leave one of them out")
    found = comparing.compare(comparing.find(before), comparing.find(after))
    if as_json:
        write_json(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    elif markdown:
        from harness.report import compare_markdown

        write_json(compare_markdown.compared(found, everything).encode(errors="replace"))
    else:
        from harness.report import compare as report
        from harness.report.tables import console

        console().print(report.compared(found, everything))
    return EXIT_PASS
