"""Verifies and decodes a flatbuffer in one pass, driven by a schema. Knows nothing of TensorFlow Lite.

The C++ accessors trust every offset of the file. So each one is checked here before anything else reads the file:
bounds of tables, vtables, vectors, strings and unions, the terminating zero of strings, and alignment (Armv6-M faults
on an unaligned access). Long data (weights) stays where it is: a ``Blob`` gives its place in the file.

Scalars decode to int, float or bool, strings to str, vectors to tuples, tables to dicts with one key a schema field
(an absent field has its default: None for whatever is stored by offset), unions to ``Union`` pairs.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

# A table of the file may be referred to more than once, so a small file could unfold into an endless one.
MAX_ELEMENTS = 1_000_000

Decoded = dict[str, Any]


class MalformedError(Exception):
    """The bytes are no valid flatbuffer of the schema; the message says what is wrong and where."""


class Scalar(NamedTuple):
    """A number stored in place: its ``struct`` code and its size in bytes (which is also its alignment)."""

    code: str
    size: int


BOOL, INT8, UINT8 = Scalar("?", 1), Scalar("b", 1), Scalar("B", 1)
INT32, UINT32, FLOAT32 = Scalar("i", 4), Scalar("I", 4), Scalar("f", 4)
INT64, UINT64 = Scalar("q", 8), Scalar("Q", 8)


class StringKind(NamedTuple):
    """UTF-8 text; bytes that are no UTF-8 become U+FFFD."""


class BlobKind(NamedTuple):
    """A vector of bytes that is left in the file; decodes to ``Blob``."""


STRING, BLOB = StringKind(), BlobKind()


class Table:
    """A table of the schema: ``Table("Tensor", shape=(0, Vector(INT32)), type=(1, INT8, 0))``.

    Each field is (slot, kind) or (slot, kind, default). Scalars without a default have 0.
    """

    def __init__(self, name: str, /, **fields: Any) -> None:
        self.name = name
        self.fields: tuple[tuple[str, int, Kind, Any], ...] = tuple(
            (key, slot, kind, default[0] if default else (_zero(kind) if isinstance(kind, Scalar) else None))
            for key, (slot, kind, *default) in fields.items()
        )


class Vector(NamedTuple):
    """A vector of scalars, strings or tables."""

    element: Scalar | StringKind | Table


class UnionKind(NamedTuple):
    """A union: the type is the byte in slot ``type_slot``; types that ``members`` lacks are checked as empty tables."""

    type_slot: int
    members: dict[int, Table]


Kind = Scalar | StringKind | BlobKind | Table | Vector | UnionKind


class Blob(NamedTuple):
    """Bytes of the file: the offset of the first one, and how many."""

    offset: int
    size: int


class Union(NamedTuple):
    """A decoded union: the type's number (0: none) and the table, None where there is none."""

    type: int
    value: Decoded | None


_OPAQUE = Table("unknown table")


def decode(data: bytes, root: Table) -> Decoded:
    """Check the whole of ``data`` that ``root`` reaches, and decode it.

    Raises:
        MalformedError: something lies outside the file, is misaligned, contradicts itself, or unfolds without end.
    """
    decoder = _Decoder(data)
    return decoder.table(decoder.indirect(0, root.name), root, root.name)


class _Decoder:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)
        self.budget = MAX_ELEMENTS

    def scalar(self, kind: Scalar, at: int, where: str) -> Any:
        self.check(at, kind.size, kind.size, where, "field")
        return struct.unpack_from("<" + kind.code, self.data, at)[0]

    def check(self, at: int, size: int, alignment: int, where: str, what: str) -> None:
        """The range ``at`` .. ``at + size`` must lie in the file and be aligned."""
        if at < 0:
            raise MalformedError(f"corrupt flatbuffer: {where}: {what} lies {-at} bytes before the start of the file")
        if at + size > self.size:
            excess = at + size - self.size
            raise MalformedError(
                f"truncated flatbuffer: {where}: {what} at 0x{at:x} ends {excess} bytes past the end of the file"
            )
        if at % alignment:
            raise MalformedError(f"corrupt flatbuffer: {where}: {what} at 0x{at:x} is not aligned to {alignment} bytes")

    def spend(self, elements: int, where: str) -> None:
        self.budget -= elements
        if self.budget < 0:
            raise MalformedError(f"corrupt flatbuffer: {where}: unfolds into more than {MAX_ELEMENTS:,} elements")

    def indirect(self, at: int, where: str) -> int:
        """Follow the 32-bit offset stored at ``at``."""
        offset: int = self.scalar(UINT32, at, where)
        if offset == 0:
            raise MalformedError(f"corrupt flatbuffer: {where}: the offset at 0x{at:x} is 0")
        return at + offset

    def table(self, at: int, schema: Table, where: str) -> Decoded:
        self.spend(1 + len(schema.fields), where)
        self.check(at, 4, 4, where, "table")
        (back,) = struct.unpack_from("<i", self.data, at)
        vtable = at - back
        self.check(vtable, 4, 2, where, "vtable")
        vtable_size, table_size = struct.unpack_from("<HH", self.data, vtable)
        if vtable_size < 4 or vtable_size % 2:
            raise MalformedError(f"corrupt flatbuffer: {where}: vtable at 0x{vtable:x} has a size of {vtable_size}")
        self.check(vtable, vtable_size, 2, where, "vtable")
        if table_size < 4:
            raise MalformedError(f"corrupt flatbuffer: {where}: table at 0x{at:x} has a size of {table_size}")
        self.check(at, table_size, 4, where, "table")
        slots = struct.unpack_from(f"<{vtable_size // 2 - 2}H", self.data, vtable + 4)

        def place(slot: int, size: int, name: str) -> int | None:
            """Where the field in ``slot`` is, or None where the table lacks it."""
            offset: int = slots[slot] if slot < len(slots) else 0
            if offset == 0:
                return None
            if offset < 4 or offset + size > table_size:
                raise MalformedError(
                    f"corrupt flatbuffer: {where}.{name}: lies at {offset} of a table of {table_size} bytes"
                )
            return at + offset

        result: Decoded = {}
        for name, slot, kind, default in schema.fields:
            if isinstance(kind, Scalar):
                field = place(slot, kind.size, name)
                result[name] = default if field is None else self.scalar(kind, field, f"{where}.{name}")
            elif isinstance(kind, UnionKind):
                tag = place(kind.type_slot, 1, name)
                member = 0 if tag is None else self.data[tag]
                result[name] = self.union(place(slot, 4, name), member, kind, f"{where}.{name}")
            else:
                field = place(slot, 4, name)
                result[name] = default if field is None else self.reference(field, kind, f"{where}.{name}")
        return result

    def union(self, field: int | None, member: int, kind: UnionKind, where: str) -> Union:
        if field is None:
            return Union(member, None)
        if member == 0:
            raise MalformedError(f"corrupt flatbuffer: {where}: a value without a type")
        return Union(member, self.table(self.indirect(field, where), kind.members.get(member, _OPAQUE), where))

    def reference(self, field: int, kind: StringKind | BlobKind | Table | Vector, where: str) -> Any:
        """Decode what the offset at ``field`` refers to."""
        at = self.indirect(field, where)
        if isinstance(kind, Table):
            return self.table(at, kind, where)
        if isinstance(kind, StringKind):
            return self.string(at, where)
        if isinstance(kind, BlobKind):
            return Blob(at + 4, self.length(at, 1, where, "vector"))
        return self.vector(at, kind.element, where)

    def length(self, at: int, element_size: int, where: str, what: str) -> int:
        """The number of elements of the vector at ``at``, all of them inside the file."""
        self.check(at, 4, 4, where, what)
        count: int = struct.unpack_from("<I", self.data, at)[0]
        self.check(at, 4 + count * element_size, 4, where, what)
        return count

    def string(self, at: int, where: str) -> str:
        size = self.length(at, 1, where, "string")
        self.spend(1 + size // 4, where)
        self.check(at, 4 + size + 1, 4, where, "string")
        if self.data[at + 4 + size]:
            raise MalformedError(f"corrupt flatbuffer: {where}: string at 0x{at:x} does not end with a zero byte")
        return self.data[at + 4 : at + 4 + size].decode("utf-8", errors="replace")

    def vector(self, at: int, element: Scalar | StringKind | Table, where: str) -> tuple[Any, ...]:
        size = element.size if isinstance(element, Scalar) else 4
        count = self.length(at, size, where, "vector")
        self.spend(count, where)
        first = at + 4
        if isinstance(element, Scalar):
            if count:
                self.check(first, count * size, size, where, "vector")
            return struct.unpack_from(f"<{count}{element.code}", self.data, first)
        items = range(count)
        if isinstance(element, StringKind):
            return tuple(self.string(self.indirect(first + 4 * i, where), f"{where}[{i}]") for i in items)
        return tuple(self.table(self.indirect(first + 4 * i, where), element, f"{where}[{i}]") for i in items)


def _zero(kind: Scalar) -> int | float | bool:
    return {"?": False, "f": 0.0}.get(kind.code, 0)
