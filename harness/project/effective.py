"""What is in force, and from where: for the table of ``harness config``."""

from __future__ import annotations

import os
from typing import Any

from harness.paths import results_folder
from harness.project import defaults, keys
from harness.project.file import Project
from harness.project.keys import Command, Commands, Key
from harness.records import Record


class Value(Record, frozen=True):
    """A value in force. ``command`` is None for a key of all commands.

    ``origin``: "file", "environment" or "default"; ``line`` is that of the file, ``variable`` that of the environment.
    ``value`` is None where nothing is set and the command has no default of its own.
    """

    key: str
    command: str | None
    value: Any
    origin: str
    line: int | None = None
    variable: str | None = None


class Network(Record, frozen=True):
    """A network that the file names, the path as seen from the current folder, and whether the file is there."""

    name: str
    path: str
    there: bool
    line: int | None


class Effective(Record, frozen=True):
    """The project file, what named it, and every value. ``path`` and ``origin`` are None where there is no file.

    ``command`` is the one whose keys these are, None for those of all commands.
    """

    path: str | None
    origin: str | None
    command: str | None
    values: tuple[Value, ...]
    models: tuple[Network, ...]


def everything(project: Project | None, commands: Commands) -> Effective:
    """The keys of all commands, and what the tables of the file say."""
    values = [_shared(project, name, key) for name, key in keys.shared(commands).items()]
    values.append(_results(project))
    if project is not None:
        for command, table in project.commands.items():
            known = [key for key in commands[command] if key.name in table]
            values += [_of_command(project, command, key) for key in known]
    return _effective(project, None, values)


def of_command(project: Project | None, command: Command, known: tuple[Key, ...]) -> Effective:
    """Every key of one command, as the command has it where the command line does not say it."""
    return _effective(project, command, [*(_of_command(project, command, key) for key in known), _results(project)])


def _effective(project: Project | None, command: Command | None, values: list[Value]) -> Effective:
    models = () if project is None else tuple(_network(project, name) for name in project.models)
    return Effective(
        path=None if project is None else str(project.path),
        origin=None if project is None else project.place.origin,
        command=None if command is None else " ".join(command),
        values=tuple(values),
        models=models,
    )


def _network(project: Project, name: str) -> Network:
    path = project.at(project.models[name])
    return Network(
        name=name, path=defaults.seen(path), there=path.is_file(), line=project.line(keys.MODELS, name)
    )  # fmt: skip


def _shared(project: Project | None, name: str, key: Key) -> Value:
    found = _of_environment(name, None)
    if found is None and project is not None and name in project.shared:
        value = defaults.value(project, key, project.shared[name])
        found = Value(key=name, command=None, value=value, origin="file", line=project.line(name))
    return found or Value(key=name, command=None, value=key.default, origin="default")


def _of_command(project: Project | None, command: Command, key: Key) -> Value:
    name = " ".join(command)
    found = _of_environment(key.name, name)
    if found is None and project is not None:
        given = defaults.of_command(project, command, (key,))
        if given:
            line = project.line(*given[0].place)
            found = Value(key=key.name, command=name, value=given[0].value, origin="file", line=line)
    return found or Value(key=key.name, command=name, value=key.default, origin="default")


def _of_environment(name: str, command: str | None) -> Value | None:
    variable = keys.VARIABLES.get(name)
    value = os.environ.get(variable) if variable else None
    if not value:
        return None
    return Value(key=name, command=command, value=value, origin="environment", variable=variable)


def _results(project: Project | None) -> Value:
    found = _of_environment(keys.RESULTS, None)
    if found is None and project is not None and project.results is not None:
        folder = defaults.seen(project.at(project.results))
        found = Value(key=keys.RESULTS, command=None, value=folder, origin="file", line=project.line(keys.RESULTS))
    return found or Value(key=keys.RESULTS, command=None, value=defaults.seen(results_folder()), origin="default")
