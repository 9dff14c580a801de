"""What a project file may hold: keys for the options of the commands, whose types the commands themselves say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import msgspec

from harness import json_schema
from harness.records import Record

Command = tuple[str, ...]  # ("run",), ("baseline", "update")


class Key(Record, frozen=True):
    """A key of a command: ``name`` in the file, ``parameter`` of the command's function, ``option`` or argument.

    ``kind`` is the type of its value in the file; ``paths`` whether that is a path, or several. ``default`` is the
    command's own, None where it has none.
    """

    name: str
    parameter: str
    option: str
    kind: Any
    paths: bool
    help: str
    default: Any = None

    @property
    def several(self) -> bool:
        """Whether its value is a list."""
        return get_origin(self.kind) is list


Commands = Mapping[Command, tuple[Key, ...]]

# Keys above the tables, with what they mean there: of every command that has such an option. Those that no command has
# do not exist.
SHARED = {
    "model": "The network of commands that are given none: a .tflite file, or a name of [models].",
    "platform": "Board or machine to measure on: harness platforms lists them.",
    "kernels": "Kernel set: reference or cmsis-nn.",
    "opt": "Optimisation level: -Os, -O2, -O3 or -Ofast.",
    "fpu": "Floating point by the FPU, or in software; without, what the platform has.",
    "emulator": "qemu or renode.",
    "timeout": "Limit of each start of the emulator, in seconds.",
    "toolchain": "Compiler: the prefix, path or folder of a GCC, or a clang. $HARNESS_TOOLCHAIN comes first.",
    "sysroot": "GNU toolchain whose libraries a clang takes. $HARNESS_SYSROOT comes first.",
    "renode": "Renode's program, instead of what PATH has. $RENODE comes first.",
    "tflm_lib": "A TFLM of your own, a static library or several, instead of the packaged one.",
    "tflm_include": "The folders of its headers.",
    "tflm_host_lib": "The same TFLM, built for this host: the reference of every layer.",
    "calibration": "Estimate by this calibration: a file of harness calibrate, or a board that has one.",
    "policy": "Policy of the gate (TOML).",
    "baselines": "Folder of the baselines that the gate compares with.",
}

# Options of the same name that mean something else: a choice among what there is, or what a board was flashed with.
_OF_ITS_OWN: dict[Command, tuple[str, ...]] = {
    ("capture",): ("model", "platform", "fpu", "timeout"),
    ("history",): ("model", "platform"),
    ("optimize", "improve"): ("model", "kernels", "opt"),  # a Keras network, and how it is built before
    ("profile",): ("emulator",),
    ("scenarios",): ("platform",),
    ("validate",): ("platform",),
}

# Which variable of the environment says the same, and comes before the file. What uses these values reads the variable,
# so that also commands without such an option have them of the file.
VARIABLES = {
    "toolchain": "HARNESS_TOOLCHAIN",
    "sysroot": "HARNESS_SYSROOT",
    "renode": "RENODE",
    "results": "HARNESS_RESULTS",
}

# The names of options for which the file has another one.
RENAMED = {"baseline": "baselines"}  # the tables [baseline.update], ... have the name

# What one invocation is about, and not how a project works; and what somebody has to say each time.
NOT_KEYS = (
    "allow_semihosting",
    "dry_run",
    "force",
    "json",
    "no_project",
    "project",
    "reason",
    "remove_unused",
    "retry",
    "run",
    "schema",
    "template",
    "version",
)

RESULTS = "results"
MODELS = "models"

_RESULTS_HELP = "Folder of runs, sweeps and plots, instead of $HARNESS_RESULTS."
_MODELS_HELP = "Networks by their names: commands that take a .tflite file take a name of these, too."


def is_shared(command: Command, name: str) -> bool:
    """Whether the key above the tables is one for this command."""
    return name in SHARED and name not in _OF_ITS_OWN.get(command, ())


def shared(commands: Commands) -> dict[str, Key]:
    """The keys above the tables, each with the type that the first command has that takes it."""
    found: dict[str, Key] = {}
    for command in sorted(commands, key=lambda item: item != ("run",)):  # run's own defaults are the usual ones
        for key in commands[command]:
            if is_shared(command, key.name) and key.name not in found:
                found[key.name] = msgspec.structs.replace(key, help=SHARED[key.name])
    return {name: found[name] for name in SHARED if name in found}


def values(command: Command | None, name: str) -> tuple[str, ...]:
    """What the value of a key may be, where that is a fixed list; () where it is not. ``command`` None: above all."""
    if command is not None and not is_shared(command, name):
        return ()
    from harness import platforms
    from harness.emulators import BACKENDS
    from harness.library import KERNEL_SETS, OPTIMISATIONS

    if name == "emulator":
        return (*BACKENDS, "both") if command == ("run",) else tuple(BACKENDS)
    if name == "platform":
        return platforms.names()
    return {"kernels": KERNEL_SETS, "opt": OPTIMISATIONS}.get(name, ())


def record(commands: Commands) -> type:
    """The type of a project file: a key that is not known is an error, not a default."""
    fields: list[Any] = [_field(key) for key in shared(commands).values()]
    fields.append(_optional(RESULTS, str, _RESULTS_HELP))
    fields.append(_optional(MODELS, dict[str, str], _MODELS_HELP))
    groups: dict[str, dict[str, Any]] = {}
    for command, keys in commands.items():
        if not keys:
            continue
        table = _table(command, [_field(key) for key in keys], f"Defaults of harness {' '.join(command)}.")
        if len(command) == 1:
            fields.append(_optional(command[0], table, f"Defaults of harness {command[0]}."))
        else:
            groups.setdefault(command[0], {})[command[1]] = table
    for group, tables in groups.items():
        inner = [_optional(name, table, f"Defaults of harness {group} {name}.") for name, table in tables.items()]
        fields.append(_optional(group, _table((group,), inner, f"Defaults of harness {group}."), ""))
    return _table(("project",), fields, "A project file: defaults of the commands, and networks by their names.")


def _field(key: Key) -> tuple[str, Any, Any]:
    kind = key.kind | get_args(key.kind)[0] if key.several else key.kind  # a list of one may be its value alone
    return _optional(key.name, kind, key.help)


def _optional(name: str, kind: Any, text: str) -> tuple[str, Any, Any]:
    described = Annotated[kind, msgspec.Meta(description=text)] if text else kind
    return name, described | msgspec.UnsetType, msgspec.UNSET


def _table(command: Command, fields: list[Any], text: str) -> type:
    name = "".join(part.capitalize() for part in command)
    return msgspec.defstruct(
        name, fields, frozen=True, kw_only=True, forbid_unknown_fields=True, namespace={"__doc__": text}
    )


def schema(commands: Commands) -> dict[str, Any]:
    """The JSON schema of a project file, for editors; it lists the values that platforms, kernels, ... may have."""
    made = json_schema.of(record(commands))
    tables = made["$defs"]
    for command, name, holder in _places(commands, tables):
        known = list(values(command, name))
        if known:
            place = holder["properties"][name]
            for part in place.get("anyOf", [place]):
                part.get("items", part)["enum"] = known
    return made


def _places(commands: Commands, tables: dict[str, Any]) -> Iterator[tuple[Command | None, str, dict[str, Any]]]:
    for name in shared(commands):
        yield None, name, tables["Project"]
    for command, keys in commands.items():
        for key in keys:
            yield command, key.name, tables["".join(part.capitalize() for part in command)]


def plain(annotation: Any) -> tuple[Any, bool]:
    """The type of a parameter's value in TOML, and whether it is a path: ``list[Path] | None`` is a list of strings.

    Raises:
        TypeError: TOML has no such value.
    """
    parts = [part for part in get_args(annotation) if part is not type(None)]
    if get_origin(annotation) is Annotated:
        return plain(get_args(annotation)[0])
    if get_origin(annotation) in (list, tuple):
        kind, paths = plain(parts[0])
        return list[kind], paths  # type: ignore[valid-type]
    if len(parts) == 1:
        return plain(parts[0])
    if annotation is Path:
        return str, True
    if annotation in (str, int, float, bool):
        return annotation, False
    raise TypeError(f"{annotation}: no value of a project file")
