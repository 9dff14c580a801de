"""Reads static libraries (ar): the members' names and bytes. Written for files that are anything but a library, too."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from harness.errors import BadInputError
from harness.records import Record

MAGIC = b"!<arch>\n"
_THIN = b"!<thin>\n"
_HEADER = 60
_END = b"`\n"
_HINT = "give the path of a static library, such as libtensorflow-microlite.a"
# Larger than any build of TFLM with debug information.
_MAX_BYTES = 1 << 30


class Member(Record, frozen=True):
    """A file in an archive."""

    name: str
    content: bytes


def read(path: Path) -> bytes:
    """The bytes of a file that is to be an archive.

    Raises:
        BadInputError: it cannot be read, or is no archive; the message says what it is instead.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            what = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise BadInputError(f"{path}: {what}, not a static library", _HINT)
        if status.st_size > _MAX_BYTES:
            size = status.st_size >> 20
            raise BadInputError(f"{path}: {size} MiB, archives of at most {_MAX_BYTES >> 20} MiB are read")
        content = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadInputError(f"{path}: cannot be read: {reason}", _HINT) from error
    if content.startswith(_THIN):
        raise BadInputError(
            f"{path}: a thin archive, which names object files instead of holding them",
            "make a whole one: ar rcs LIBRARY.a OBJECTS (without T or --thin)",
        )
    if not content.startswith(MAGIC):
        raise BadInputError(f"{path}: not a static library: {_what(content)}", _HINT)
    return content


def _what(content: bytes) -> str:
    if not content:
        return "the file is empty"
    if content.startswith(b"\x7fELF"):
        return "an ELF file"
    return f"it begins with {content[:8]!r}"


def members(path: Path, content: bytes) -> Iterator[Member]:
    """The members of an archive in their order, without the tables of symbols and of long names.

    Raises:
        BadInputError: it ends in the middle of a member, or a header is damaged.
    """
    names = b""
    at = len(MAGIC)
    while at < len(content):
        header = content[at : at + _HEADER]
        if len(header) < _HEADER or header[58:60] != _END or not header[48:58].strip().isdigit():
            raise BadInputError(f"{path}: damaged or cut off at byte {at} of {len(content)}", "build or copy it again")
        size = int(header[48:58])
        begin, at = at + _HEADER, at + _HEADER + size + size % 2
        if begin + size > len(content):
            raise BadInputError(
                f"{path}: cut off: a member ends at byte {begin + size}, the file at {len(content)}",
                "build or copy it again",
            )
        name, data = header[:16].rstrip(), content[begin : begin + size]
        if name == b"//":
            names = data
        elif name not in (b"/", b"/SYM64/", b"__.SYMDEF", b"__.SYMDEF SORTED"):
            name, data = _named(name, data, names)
            if not name.startswith(b"__.SYMDEF"):
                yield Member(name=name.decode("utf-8", "replace"), content=data)


def _named(name: bytes, data: bytes, names: bytes) -> tuple[bytes, bytes]:
    """The name by GNU's table of long names, or in BSD's way in front of the content, and the content."""
    if name.startswith(b"#1/") and name[3:].isdigit():
        length = int(name[3:])
        return data[:length].rstrip(b"\0"), data[length:]
    if name.startswith(b"/") and name[1:].isdigit():
        return names[int(name[1:]) :].split(b"\n", 1)[0].rstrip(b"/"), data
    return name.rstrip(b"/"), data
