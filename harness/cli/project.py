"""Commands that take their defaults from the project file, all in one way.

The file's values become the default map that Click has for such files, so that the command line and variables of the
environment come first, and ``--help`` shows what is in force.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import os
import re
import sys
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import typer
import typer.core

from harness.cli import completing
from harness.errors import HarnessError
from harness.project import defaults, find, idle, keys
from harness.project import file as files
from harness.project.defaults import Given
from harness.project.file import Project
from harness.project.keys import Commands, Key
from harness.records import Record

# Commands that say what there is, or make the file; they need none, and work where it is broken.
_WITHOUT = frozenset({("init",), ("platforms",), ("schema",), ("sources",)})

# The command that tells the file's values from those of the environment.
_SHOWS = frozenset({("config",)})

# Parameters that take a network, but have another name than "model"; and those of that name that do not.
_MODEL_OF: dict[keys.Command, str] = {("energy",): "target"}
_OTHER_MODELS = frozenset({("history",), ("optimize", "improve")})  # patterns, and networks of Keras


class InForce(Record, frozen=True):
    """What the file gives to the command that runs: ``given`` is what the command line did not say."""

    project: Project
    command: keys.Command
    given: tuple[Given, ...]
    recorded: tuple[str, ...]


_ADDED = "added_by_the_project_file"  # a mark on options whose opposite the command itself has not

_now: InForce | None = None


def in_force() -> InForce | None:
    """What the file gives to the command that runs, None where there is no file."""
    return _now


def command_line() -> tuple[str, ...]:
    """The command as a stored run records it: what the project file gave is written out, so that it is not needed."""
    return ("harness", *sys.argv[1:]) if _now is None else _now.recorded


class Application(typer.Typer):
    """A Typer application whose commands take their defaults from the project file."""

    def command(
        self, name: str | None = None, *, cls: type[typer.core.TyperCommand] | None = None, **settings: Any
    ) -> Callable[[Any], Any]:
        """As Typer's."""
        return super().command(name, cls=cls or Command, **settings)


class Command(typer.core.TyperCommand):
    """A command whose options have defaults of the project file."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse, with what the file gives in place of what is not given."""
        global _now
        _now = None
        command = _path(ctx)
        if ctx.resilient_parsing:
            completing.prepare(self, command)
        project = None if ctx.resilient_parsing or command in _WITHOUT else _project(ctx, args)
        if project is None:
            with _naming_the_file(None):
                return super().parse_args(ctx, args)
        known = commands(ctx.find_root().command)
        given = defaults.of_command(project, command, known[command])
        _prepare(self, ctx, project, given)
        _now = InForce(project=project, command=command, given=given, recorded=())
        with _naming_the_file(project):
            rest = super().parse_args(ctx, args)
        named = _name_models(ctx, project, command)
        left = tuple(item for item in given if _is_of_file(ctx, item.key.parameter))
        found = InForce(project=project, command=command, given=_leave_out(self, ctx, command, left), recorded=())
        _now = msgspec.structs.replace(found, recorded=_recorded(self, ctx, found, named))
        return rest

    def invoke(self, ctx: Any) -> Any:
        """Run, in an environment with what the file gives and no option is for."""
        found = _now
        if found is None or found.command in _SHOWS:
            return super().invoke(ctx)
        with environment(defaults.variables(found.project, found.command, _said(self, ctx))):
            return super().invoke(ctx)


# --- which file ------------------------------------------------------------------------------------------------------


def _path(ctx: Any) -> keys.Command:
    """The names by which a command is called, without the program's."""
    found: list[str] = []
    while ctx.parent is not None:
        found.insert(0, ctx.info_name)
        ctx = ctx.parent
    return tuple(found)


def place(ctx: Any) -> find.Place | None:
    """The project file that the options of the program, the environment and the current folder name.

    Raises:
        BadInputError: as ``find.choose``.
    """
    said = ctx.find_root().params
    return find.choose(said.get("project"), bool(said.get("no_project")))


def _project(ctx: Any, args: list[str]) -> Project | None:
    try:
        found = place(ctx)
        return None if found is None else files.load(found, commands(ctx.find_root().command))
    except HarnessError as error:
        if not set(args) & {"-h", "--help"}:
            raise
        sys.stderr.write(f"error: {error.message}\nso that these are the harness' own defaults\n\n")
        return None


# --- what the commands can be given ----------------------------------------------------------------------------------


def commands(group: Any) -> Commands:
    """The keys of every command of an application (as Typer makes Click's of it), by the command's names."""
    return {names: () if names in _WITHOUT else _keys(command) for names, command in walk(group)}


def walk(group: Any, above: keys.Command = ()) -> Iterator[tuple[keys.Command, Any]]:
    """Every command below a group, with its names."""
    for name, item in group.commands.items():
        if hasattr(item, "commands"):
            yield from walk(item, (*above, name))
        else:
            yield (*above, name), item


def _keys(command: Any) -> tuple[Key, ...]:
    types = _types(inspect.unwrap(command.callback))
    found = (_key(parameter, types) for parameter in command.params if parameter.name in types)
    return tuple(key for key in found if key is not None)


@functools.cache
def _types(function: Callable[..., Any]) -> dict[str, Any]:
    return typing.get_type_hints(function)


def _key(parameter: Any, types: dict[str, Any]) -> Key | None:
    """The key for an option, or for an argument that is a file; None for what the file has no say in."""
    kind, paths = keys.plain(types[parameter.name])
    if parameter.param_type_name == "argument":
        name = option = parameter.name
        if not paths:
            return None
    else:
        option = max(parameter.opts, key=len)
        name = option.removeprefix("--").replace("-", "_")
        name = keys.RENAMED.get(name, name)
    if name in keys.NOT_KEYS:
        return None
    default = None if callable(parameter.default) or parameter.default is ... else parameter.default
    return Key(
        name=name,
        parameter=parameter.name,
        option=option,
        kind=kind,
        paths=paths,
        help=parameter.help or "",
        default=str(default) if isinstance(default, Path) else default,
    )


# --- before and after a command line is parsed -----------------------------------------------------------------------


def _prepare(command: Any, ctx: Any, project: Project, given: tuple[Given, ...]) -> None:
    """Put the defaults of the file where Click and the help look for them. The command is this invocation's own."""
    own = {item.key.parameter: item for item in given if item.key.name not in keys.VARIABLES}
    ctx.default_map = {name: item.value for name, item in own.items()}
    for parameter in command.params:
        item = own.get(parameter.name)
        if item is None:
            continue
        parameter.required = False
        shown = item.value if isinstance(item.value, list) else [item.value]
        text = " ".join(str(value).lower() if isinstance(value, bool) else str(value) for value in shown)
        parameter.show_default = f"{text}, {find.NAME}"
        if item.key.kind is bool and not parameter.secondary_opts:  # what is on in the file can be put off
            parameter.secondary_opts = [item.key.option.replace("--", "--no-", 1)]
            setattr(parameter, _ADDED, True)


def _is_of_file(ctx: Any, name: str) -> bool:
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "DEFAULT_MAP"


def _name_models(ctx: Any, project: Project, command: keys.Command) -> bool:
    """Put the path in place of the name of a network; whether there was one."""
    name = _MODEL_OF.get(command, "model")
    value = ctx.params.get(name)
    if value is None or command in _OTHER_MODELS:
        return False
    given = str(value)
    if name != "model" and given not in project.models:  # a stored run, for example
        return False
    ctx.params[name] = type(value)(defaults.model(project, given))
    return given in project.models


def _leave_out(command: Any, ctx: Any, names: keys.Command, given: tuple[Given, ...]) -> tuple[Given, ...]:
    """The defaults that say something here; the parameters of the others are as if the file had none."""
    out = idle.names(names, ctx.params)
    own = {parameter.name: parameter for parameter in command.params}
    for item in given:
        if item.key.name in out:
            parameter = own[item.key.parameter]
            ctx.params[item.key.parameter] = parameter.process_value(ctx, parameter.default)
    return tuple(item for item in given if item.key.name not in out)


def _recorded(command: Any, ctx: Any, found: InForce, names_a_model: bool) -> tuple[str, ...]:
    """The command line with everything that the file gave, by which the harness does the same without it."""
    of_file = {item.key.parameter for item in found.given}
    words: list[str] = []
    positional: list[str] = []
    for parameter in command.params:
        value = ctx.params.get(parameter.name)
        if value is None or not (parameter.name in of_file or _is_said(ctx, parameter.name)):
            continue
        listed = list(value) if isinstance(value, list | tuple) else [value]
        if parameter.param_type_name == "argument":
            positional += [str(item) for item in listed]
        else:
            words += [word for item in listed for word in _option(parameter, item)]
    variables = _variables(command, ctx, found)
    if not of_file and not variables and not names_a_model:
        return ("harness", *sys.argv[1:])
    if any(item.startswith("-") for item in positional):
        positional.insert(0, "--")
    environment = ("env", *(f"{name}={value}" for name, value in variables.items())) if variables else ()
    return (*environment, "harness", "--no-project", *found.command, *words, *positional)


def _option(parameter: Any, value: Any) -> list[str]:
    name = max(parameter.opts, key=len)
    if isinstance(value, bool):
        off = max(parameter.secondary_opts, key=len, default=None)
        return [name] if value else [off] if off and not hasattr(parameter, _ADDED) else []
    return [name, str(value)]


def _variables(command: Any, ctx: Any, found: InForce) -> dict[str, str]:
    """What the file gives by the environment, as far as numbers depend on it."""
    left = {keys.VARIABLES[keys.RESULTS]}
    if ctx.params.get("emulator") == "qemu":
        left.add(keys.VARIABLES["renode"])
    of_file = defaults.variables(found.project, found.command, _said(command, ctx))
    return {name: value for name, value in of_file.items() if name not in left}


def _said(command: Any, ctx: Any) -> frozenset[str]:
    """The keys with a variable of their own that the command line says."""
    return frozenset(
        parameter.name
        for parameter in command.params
        if parameter.name in keys.VARIABLES and _is_said(ctx, parameter.name)
    )


def _is_said(ctx: Any, name: str) -> bool:
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


@contextlib.contextmanager
def environment(variables: dict[str, str]) -> Iterator[None]:
    """With these variables set; afterwards the environment is as it was."""
    before = {name: os.environ.get(name) for name in keys.VARIABLES.values()}
    os.environ.update(variables)
    _forget_toolchain()
    try:
        yield
    finally:
        for name in variables:
            value = before[name]
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        _forget_toolchain()


def _forget_toolchain() -> None:
    """Which compiler $HARNESS_TOOLCHAIN names is kept from its first use on."""
    used = sys.modules.get("harness.toolchain")
    if used is not None:
        used.arm.cache_clear()


# --- errors ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _naming_the_file(project: Project | None) -> Iterator[None]:
    """Say of what is missing on the command line that the project file may have it."""
    try:
        yield
    except Exception as error:
        parameter = getattr(error, "param", None)
        if type(error).__name__ == "MissingParameter" and parameter is not None and parameter.name in keys.SHARED:
            file = f"{find.NAME} ({find.INIT_HINT})" if project is None else defaults.seen(project.path)
            error.message = f'Give it, or write {parameter.name} = "..." into {file}.'  # type: ignore[attr-defined]
        raise


def given_by_file(text: str) -> str | None:
    """What the file gave to the command that failed and its error names, in a line; None where it gave nothing such."""
    if _now is None:
        return None
    words = set(re.split(r"[^\w./+-]+", text))
    said = []
    for item in _now.given:
        values = item.value if isinstance(item.value, list) else [item.value]
        if words & {
            item.key.name,
            item.key.option,
            *(str(value) for value in values),
            *(f"{value}:" for value in values),
        }:
            line = _now.project.line(*item.place)
            said.append(f"{item.key.name} = {toml(item.written)}" + ("" if line is None else f" (line {line})"))
    return f"{defaults.seen(_now.project.path)} has {', '.join(said)}" if said else None


def toml(value: Any) -> str:
    """A value of the file as TOML has it."""
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return json.dumps(value, ensure_ascii=False)
