"""Reads the part of Renode's platform description language that platforms/**/*.repl use, and refuses everything else.

In a file: comment lines (``// ...``), ``using "file"``, and entries, each a head and indented attributes:

    name: Model @ sysbus 0x1000          a new device at an address
    name: Model @ sysbus <0x1000, +0x40> the same, for a model that has no size of its own
    name: Model @ sysbus                 a device without an address: the core
    name:                                more attributes for a device that is there already
        key: value                       a number, true, false, "text", or the name of another device
        Signal -> name@number            a connection
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

Value = int | bool | str

_PLACE = r"(?:(?P<at>0x[0-9A-F]+)|<(?P<start>0x[0-9A-F]+), \+(?P<size>0x[0-9A-F]+)>)"
_HEAD = re.compile(rf"(?P<name>\w+):(?: (?P<model>\w+\.\w+) @ sysbus(?: {_PLACE})?)?")
_ATTRIBUTE = re.compile(r"    (?P<key>\w+): (?P<value>.+)")
_CONNECTION = re.compile(r"    (?P<signal>\w+) -> (?P<to>\w+)@(?P<number>\d+)")
_USING = re.compile(r'using "(?P<path>[^"]+)"')


class ReplError(Exception):
    """A line that is not of the part of the language that is known, or that contradicts the others."""


class Device(msgspec.Struct):
    """A device with the attributes of all its entries; ``size`` is that of a ranged registration."""

    model: str
    address: int | None
    size: int | None
    attributes: dict[str, Value] = {}
    connections: dict[str, tuple[str, int]] = {}


class Repl(msgspec.Struct):
    """A description: its devices by name, the paths that ``using`` lines name as written, and the files read."""

    devices: dict[str, Device] = {}
    using: list[str] = []
    files: list[Path] = []


def read(path: Path) -> Repl:
    """Read a description and those that it uses.

    Raises:
        ReplError: a line is refused; the message names file and line.
    """
    repl = Repl()
    _read(path, repl)
    return repl


def _read(path: Path, repl: Repl) -> None:
    repl.files.append(path)
    device: Device | None = None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line or line.startswith("//"):
            continue
        place = f"{path}:{number}: {line!r}"
        if match := _USING.fullmatch(line):
            if repl.devices:
                raise ReplError(f"{place}: using after a device")
            repl.using.append(match["path"])
            _read((path.parent / match["path"]).resolve(), repl)
        elif match := _HEAD.fullmatch(line):
            device = _device(match, repl, place)
        elif device is None:
            raise ReplError(f"{place}: an attribute without a device")
        elif match := _CONNECTION.fullmatch(line):
            device.connections[match["signal"]] = (match["to"], int(match["number"]))
        elif match := _ATTRIBUTE.fullmatch(line):
            device.attributes[match["key"]] = _value(match["value"], place)
        else:
            raise ReplError(f"{place}: not known")


def _device(match: re.Match[str], repl: Repl, place: str) -> Device:
    name, model, at = match["name"], match["model"], match["at"] or match["start"]
    if model is None:
        if name not in repl.devices:
            raise ReplError(f"{place}: attributes for a device that is not there")
        return repl.devices[name]
    if name in repl.devices:
        raise ReplError(f"{place}: a second device of that name")
    size = match["size"]
    repl.devices[name] = Device(
        model=model,
        address=None if at is None else int(at, 16),
        size=None if size is None else int(size, 16),
    )
    return repl.devices[name]


def _value(text: str, place: str) -> Value:
    if re.fullmatch(r"0x[0-9A-F]+|\d+", text):
        return int(text, 0)
    if text in ("true", "false"):
        return text == "true"
    if match := re.fullmatch(r'"([^"\\]*)"', text):
        return match[1]
    if re.fullmatch(r"[a-z]\w*", text):
        return text
    raise ReplError(f"{place}: not a known kind of value")
