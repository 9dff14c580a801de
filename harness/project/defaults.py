"""What a project file gives to one command: its defaults, with paths as they are seen from the current folder."""

from __future__ import annotations

import difflib
import os
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from harness.errors import BadInputError
from harness.project import keys
from harness.project.file import Project
from harness.project.keys import Command, Key
from harness.records import Record


class Given(Record, frozen=True):
    """A default that the file gives: ``written`` as it stands there under ``place``, ``value`` for the command.

    ``place`` is the key with its tables: ("run", "cycles").
    """

    key: Key
    place: tuple[str, ...]
    written: Any
    value: Any


def of_command(project: Project, command: Command, known: tuple[Key, ...]) -> tuple[Given, ...]:
    """The defaults of a command, those of its own table before those above the tables."""
    own = project.commands.get(command, {})
    found = []
    for key in known:
        if key.name in own:
            place, written = (*command, key.name), own[key.name]
        elif keys.is_shared(command, key.name) and key.name in project.shared:
            place, written = (key.name,), project.shared[key.name]
        else:
            continue
        found.append(Given(key=key, place=place, written=written, value=value(project, key, written)))
    return tuple(found)


def value(project: Project, key: Key, written: Any) -> Any:
    """What a command takes for a value of the file: paths as they are seen from the current folder."""
    return _seen(project, key, [written] if key.several and not isinstance(written, list) else written)


def variables(project: Project, command: Command, said: Container[str] = ()) -> dict[str, str]:
    """The variables of the environment that the file stands for, but those that are set: they come first.

    ``said`` are the keys that the command line says. A sysroot goes with the file's compiler, and not with another one.
    """
    own = project.commands.get(command, {})
    own_compiler = "toolchain" in own or "toolchain" in project.shared
    another = own_compiler and ("toolchain" in said or bool(os.environ.get(keys.VARIABLES["toolchain"])))
    found = {}
    for name, variable in keys.VARIABLES.items():
        written = project.results if name == keys.RESULTS else own.get(name, project.shared.get(name))
        if written is None or os.environ.get(variable) or name in said or (name == "sysroot" and another):
            continue
        is_folder = name == keys.RESULTS
        found[variable] = str(project.at(written)) if is_folder else _path_or_name(project, written, absolute=True)
    return found


def _seen(project: Project, key: Key, value: Any) -> Any:
    if isinstance(value, list):
        return [_seen(project, key, item) for item in value]
    if key.name == "model":
        return value if value in project.models else seen(project.at(value))
    if key.name == "data":  # IMAGES.npy,LABELS.npy
        return ",".join(seen(project.at(part)) for part in value.split(","))
    if key.name == "tflm_include":
        return ":".join(seen(project.at(part)) for part in value.split(":") if part)
    if key.name in ("toolchain", "sysroot", "calibration", "renode"):
        return _path_or_name(project, value)
    return seen(project.at(value)) if key.paths else value


def _path_or_name(project: Project, value: str, absolute: bool = False) -> str:
    """A value that is a path or a name of something: a path has a folder, or is one of a file that is there."""
    if "/" not in value and not value.startswith("~") and not project.at(value).exists():
        return value
    end = "/" if value.endswith("/") else ""
    path = Path(os.path.normpath(project.at(value)))
    return f"{path if absolute else seen(path)}{end}"


def seen(path: Path) -> str:
    """A path as it is named from the current folder, where it lies below it."""
    try:
        here = os.path.relpath(path)
    except FileNotFoundError:  # the current folder is gone
        return str(path)
    return os.path.normpath(path) if here.startswith("..") else here


def model(project: Project, given: str, here: Path | None = None) -> str:
    """The path of the network that a command was asked for: a name of the file's, or a path.

    Args:
        project: the file.
        given: the name, or the path.
        here: the folder that a path is relative to, where that is not the current one.

    Raises:
        BadInputError: it is both, it is neither, or the file that it names is not there.
    """
    wanted = project.models.get(given)
    name = seen(project.path)
    file = (here or Path()) / given
    if wanted is None:
        if project.models and Path(given).name == given and not Path(given).suffix and not file.exists():
            near = difflib.get_close_matches(given, project.models, 1)
            hint = f"did you mean {near[0]}?" if near else f"it names {_some(project.models)}"
            raise BadInputError(f"{given}: there is no such file, and {name} names no such model", hint)
        return given
    path = project.at(wanted)
    if file.exists() and not (path.exists() and file.samefile(path)):
        raise BadInputError(
            f"{given} is a model of {name} and a file of {'the current folder' if here is None else here}",
            f"{file.absolute()} is the file, {path} the model",
        )
    if not path.exists():
        line = project.line(keys.MODELS, given)
        raise BadInputError(
            f"{name}{'' if line is None else f':{line}'}: {keys.MODELS}.{given}: there is no file {wanted!r}",
            f"paths in it are relative to {project.folder}",
        )
    return seen(path)


def _some(models: Mapping[str, str]) -> str:
    names = list(models)
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
