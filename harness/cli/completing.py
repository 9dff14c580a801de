"""What a shell completes beside commands and options: names of boards, kernel sets, stored results, networks.

The shell waits for it at every key, so that stored results are found by the names of their files, and modules are
imported for what is asked alone. Where nothing fits, the shell completes the names of files.
"""

from __future__ import annotations

import functools
import importlib
import os
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from harness.errors import HarnessError

Names = Callable[[Any], Iterable[str]]


def prepare(command: Any, names: tuple[str, ...]) -> None:
    """Let the parameters of a command complete their values.

    Args:
        command: this invocation's own, as Typer made it.
        names: those by which it is called, without the program's.
    """
    for parameter in command.params:
        known = OF_COMMANDS.get((names, parameter.name), EVERYWHERE.get(parameter.name))
        if known is not None:
            parameter.shell_complete = functools.partial(_complete, known, _item(parameter))


def _complete(known: Names, item: Callable[[str], Any], ctx: Any, incomplete: str) -> list[Any]:
    """A mistake in what is looked at is told by the command that is being typed, not in the middle of its line."""
    try:
        return [item(name) for name in known(ctx) if name.startswith(incomplete)]
    except (HarnessError, OSError, ValueError):
        return []


def _item(parameter: Any) -> Callable[[str], Any]:
    """What Click wants a completion to be. Newer versions of Typer carry Click inside, older ones depend on it."""
    base = next(base for base in type(parameter).__mro__ if base.__name__ == "Parameter")
    module = importlib.import_module(f"{base.__module__.rpartition('.')[0]}.shell_completion")
    found: Callable[[str], Any] = module.CompletionItem
    return found


# --- what there is ---------------------------------------------------------------------------------------------------


def _platforms(_ctx: Any) -> Iterable[str]:
    from harness import platforms

    return platforms.names()


def _kernels(_ctx: Any) -> Iterable[str]:
    from harness.library import KERNEL_SETS

    return KERNEL_SETS


def _optimisations(_ctx: Any) -> Iterable[str]:
    from harness.library import OPTIMISATIONS

    return OPTIMISATIONS


def _emulators(_ctx: Any) -> Iterable[str]:
    from harness.emulators import BACKENDS

    return BACKENDS


def _emulators_of_run(ctx: Any) -> Iterable[str]:
    return (*_emulators(ctx), "both")


def _calibrations(ctx: Any) -> Iterable[str]:
    from harness.paths import data_folder

    folders = (_results(ctx), data_folder("results"))
    return sorted({path.stem for folder in folders for path in folder.glob("calibration/*.json")})


def _suites(_ctx: Any) -> Iterable[str]:
    from harness.scenarios import known

    return known()


def _scenarios(_ctx: Any) -> Iterable[str]:
    folder = Path(__file__).parents[1] / "optimize" / "scenarios"
    return sorted(path.stem for path in folder.glob("*.toml"))


def _networks(_ctx: Any) -> Iterable[str]:
    from harness.zoo.networks import NETWORKS

    return NETWORKS


def _commands(ctx: Any) -> Iterable[str]:
    """Of one with a group above it, the group's name: the next word completes the rest."""
    return sorted(ctx.find_root().command.commands)


# --- what the project has, and what is stored ------------------------------------------------------------------------


def _project(ctx: Any) -> tuple[Path, dict[str, Any]]:
    """The folder and the unchecked content of the project file; without one the current folder and nothing."""
    from harness.project import find

    said = ctx.find_root().params
    place = find.choose(said.get("project"), bool(said.get("no_project")))
    if place is None:
        return Path.cwd(), {}
    return place.path.parent, tomllib.loads(place.path.read_text(encoding="utf-8"))


def _models(ctx: Any) -> Iterable[str]:
    models = _project(ctx)[1].get("models")
    return sorted(models) if isinstance(models, dict) else ()


def _results(ctx: Any) -> Path:
    """The environment comes before the file, as for every command."""
    from harness.paths import results_folder

    folder, content = _project(ctx)
    given = content.get("results")
    return results_folder() if os.environ.get("HARNESS_RESULTS") or not isinstance(given, str) else folder / given


def _stored(*patterns: str) -> Names:
    """The folders below results/ that hold a file by one of these patterns."""

    def found(ctx: Any) -> Iterable[str]:
        root = _results(ctx)
        return sorted({path.parent.name for pattern in patterns for path in root.glob(pattern)})

    return found


RUNS, SWEEPS, STUDIES = "runs/*/manifest.json", "sweeps/*/plan.json", "studies/*/study.json"


def _runs_or_models(ctx: Any) -> Iterable[str]:
    return (*_models(ctx), *_stored(RUNS)(ctx))


# --- which parameters take it ----------------------------------------------------------------------------------------

EVERYWHERE: dict[str, Names] = {
    "platform": _platforms,
    "kernels": _kernels,
    "opt": _optimisations,
    "emulator": _emulators,
    "calibration": _calibrations,
    "model": _models,
    "scenario": _scenarios,
}

OF_COMMANDS: dict[tuple[tuple[str, ...], str], Names] = {
    (("run",), "emulator"): _emulators_of_run,
    (("show",), "run"): _stored(RUNS),
    (("compare",), "before"): _stored(RUNS),
    (("compare",), "after"): _stored(RUNS),
    (("energy",), "target"): _runs_or_models,
    (("export",), "target"): _stored(RUNS, SWEEPS),
    (("report",), "what"): _stored(RUNS, SWEEPS, STUDIES),
    (("report",), "compare"): _stored(RUNS),
    (("plot",), "name"): _stored(SWEEPS),
    (("pareto",), "name"): _stored(SWEEPS),
    (("optimize", "show"), "name"): _stored(STUDIES),
    (("optimize", "explain"), "name"): _stored(STUDIES),
    (("optimize", "replay"), "name"): _stored(STUDIES),
    (("scenarios",), "names"): _suites,
    (("zoo", "build"), "specs"): _networks,
    (("config",), "command"): _commands,
}
