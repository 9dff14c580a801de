"""Read and check a project file, with errors that name the file, the key, and the one that may have been meant."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from harness import toml_file
from harness.project import keys, lines
from harness.project.find import INIT_HINT, Place
from harness.project.keys import Command, Commands
from harness.records import Record
from harness.toml_file import refuse

SCHEMA_HINT = "harness schema --project prints what a project file may hold"

_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")

# What sweep files, policies and common usage call the same.
_ALSO_CALLED = {
    "board": "platform",
    "compiler": "toolchain",
    "include": "tflm_include",
    "inputs": "input",
    "kernel": "kernels",
    "lib": "tflm_lib",
    "library": "tflm_lib",
    "optimisation": "opt",
    "optimization": "opt",
    "output": "results",
    "policies": "policy",
    "target": "platform",
    "time_limit": "timeout",
    "time_limit_s": "timeout",
}


class Project(Record, frozen=True):
    """A checked project file, as it is written: relative paths are relative to ``folder``.

    ``shared`` are the keys above the tables, ``commands`` those of each command's table, ``models`` files by name.
    """

    place: Place
    text: str
    shared: dict[str, Any]
    commands: dict[Command, dict[str, Any]]
    models: dict[str, str]
    results: str | None

    @property
    def path(self) -> Path:
        """The file."""
        return self.place.path

    @property
    def folder(self) -> Path:
        """What relative paths in it are relative to."""
        return self.place.path.parent

    def line(self, *key: str) -> int | None:
        """The line where a key stands, from 1."""
        return lines.of_key(self.text, key)

    def at(self, value: str) -> Path:
        """The absolute path of one in the file."""
        return self.folder / Path(value).expanduser()


def load(place: Place, commands: Commands) -> Project:
    """Read and check a project file.

    Raises:
        BadInputError: it cannot be read, or something in it cannot be used; the message names file and key.
    """
    kind: Any = keys.record(commands)
    found: Any
    found, _ = toml_file.read(place.path, kind, INIT_HINT, lambda message: _hint(place.path, message, commands))
    given = {name: value for name in found.__struct_fields__ if (value := getattr(found, name)) is not msgspec.UNSET}
    text = place.path.read_text(encoding="utf-8")
    shared = {name: given[name] for name in keys.shared(commands) if name in given}
    models = given.get(keys.MODELS, {})
    project = Project(
        place=place,
        text=text,
        shared=shared,
        commands=dict(_of_commands(found, commands)),
        models=models,
        results=given.get(keys.RESULTS),
    )
    _check(project)
    return project


def _of_commands(found: Any, commands: Commands) -> Iterator[tuple[Command, dict[str, Any]]]:
    for command, known in commands.items():
        table = found
        for part in command if known else ():
            table = getattr(table, part, msgspec.UNSET)
        if known and table is not msgspec.UNSET:
            values = {key.name: getattr(table, key.name) for key in known}
            yield command, {name: value for name, value in values.items() if value is not msgspec.UNSET}


def _check(project: Project) -> None:
    """What the types cannot say."""
    tables: list[tuple[Command | None, dict[str, Any]]] = [(None, project.shared), *project.commands.items()]
    for command, table in tables:
        for name, value in table.items():
            known = keys.values(command, name)
            for item in value if isinstance(value, list) else [value]:
                if known and item not in known:
                    _refuse_value(project, ".".join((*(command or ()), name)), item, known)
    for name, path in project.models.items():
        key = f"{keys.MODELS}.{name}"
        if not _MODEL_NAME.fullmatch(name) or name.endswith(".tflite"):
            refuse(project.path, key, f"{name!r} is no name for a network", "letters, digits, '_', '-' and '.': kws")
        if not path:
            refuse(project.path, key, "names no file", f"a path of a .tflite file, relative to {project.folder}")


def _refuse_value(project: Project, key: str, value: Any, known: tuple[str, ...]) -> None:
    near = difflib.get_close_matches(str(value), known, 1)
    if key == "emulator" and value == "both":
        refuse(project.path, key, "only harness run has two emulators", 'write emulator = "both" below [run]')
    more = "" if len(known) > 8 else f"one of {', '.join(known)}"
    refuse(project.path, key, f"unknown value {value!r}", f"did you mean {near[0]}?" if near else more or
           "harness platforms lists them")  # fmt: skip


def _hint(path: Path, message: str, commands: Commands) -> str:
    """What to do about an error that is ``toml_file.readable``: the line, and the key that may have been meant."""
    unknown = re.fullmatch(r"(?:([\w.]+): )?the table contains unknown key `(.*)`", message)
    if unknown is None:
        wrong = re.match(r"([\w.]+): Expected", message)
        if wrong and wrong[1] in keys.RENAMED:
            return f"the option --{wrong[1]} has the key {keys.RENAMED[wrong[1]]}"
        if message.startswith(f"{keys.MODELS}[...]"):
            return f'{_wrong_model(path)}write {keys.MODELS} as kws = "nets/kws.tflite"; {SCHEMA_HINT}'
        return SCHEMA_HINT
    table = tuple(unknown[1].split(".")) if unknown[1] else ()
    near = nearest(table, unknown[2], commands)
    line = lines.of_key(path.read_text(encoding="utf-8"), (*table, unknown[2]))
    where = "" if line is None else f"line {line}: "
    return f"{where}{near}; {SCHEMA_HINT}" if near else f"{where}{SCHEMA_HINT}"


def _wrong_model(path: Path) -> str:
    """The line of the first model that is no path, for the hint of an error that does not name it."""
    text = path.read_text(encoding="utf-8")
    models = tomllib.loads(text)[keys.MODELS]
    name = next(name for name, value in models.items() if not isinstance(value, str))
    return f"line {lines.of_key(text, (keys.MODELS, name))}: {name}: "


def nearest(table: Command, name: str, commands: Commands) -> str | None:
    """What may have been meant by a key that there is not, in words; None where nothing is near."""
    here = [key.name for key in commands.get(table, ())]
    above = [*keys.shared(commands), keys.RESULTS, keys.MODELS]
    if not table:
        here = [*above, *dict.fromkeys(command[0] for command, known in commands.items() if known)]
    elif not here:  # a group of commands
        here = [command[1] for command in commands if command[:1] == table and len(command) > 1]
    plain = name.replace("-", "_")
    for wanted in (plain, keys.RENAMED.get(plain), _ALSO_CALLED.get(plain)):
        if wanted in here:
            return f"did you mean {wanted}?"
    elsewhere = [".".join(command) for command, known in commands.items() if plain in {key.name for key in known}]
    if table and plain in above:
        return f"{plain} stands above the tables"
    if elsewhere and not table:
        return f"{plain} is a key of {', '.join(f'[{item}]' for item in elsewhere[:3])}"
    near = difflib.get_close_matches(plain, here, 1)
    return f"did you mean {near[0]}?" if near else None
