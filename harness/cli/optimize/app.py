"""What the commands of ``harness optimize`` share: their application, and that a scenario may stand for "run"."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

from harness.cli.app import app
from harness.cli.project import Application

DEFAULT = "run"


class ScenarioFirst(TyperGroup):
    """Takes what is no command of its own for the arguments of ``run``: "harness optimize FILE.toml --trials 20"."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As its base, with the name of the default command in front where none is given."""
        if args and args[0] not in self.commands and args[0] not in ("--help", "-h"):
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)


optimize = Application(
    cls=ScenarioFirst,
    no_args_is_help=True,
    help="From a scenario (its use, budgets, data) to the best network for it.\n\n"
    "harness optimize SCENARIO [OPTIONS] runs the search: a TOML file, or the name of a scenario that is shipped. "
    "It stands for harness optimize run SCENARIO, whose --help has the options.",
    epilog="Exit codes: 0 there is a network that meets every budget; 1 none was found; 2 bad input or usage; "
    "3 could not measure.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(optimize, name="optimize")
