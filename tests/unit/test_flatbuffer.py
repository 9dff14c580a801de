"""The verifying decoder: what is well-formed decodes, everything else is named with its place."""

from __future__ import annotations

import struct
import time

import flatbuffers
import pytest

from harness.flatbuffer import (
    BLOB,
    BOOL,
    FLOAT32,
    INT8,
    INT32,
    INT64,
    MAX_ELEMENTS,
    STRING,
    UINT8,
    Blob,
    MalformedError,
    Table,
    Union,
    UnionKind,
    Vector,
    decode,
)

LEAF = Table("Leaf", number=(0, INT32, 7), name=(1, STRING))
ROOT = Table(
    "Root",
    small=(0, INT8, -1),
    flag=(1, BOOL),
    numbers=(2, Vector(INT64)),
    floats=(3, Vector(FLOAT32)),
    leaves=(4, Vector(LEAF)),
    names=(5, Vector(STRING)),
    blob=(6, BLOB),
    leaf=(7, LEAF),
    choice=(9, UnionKind(8, {1: LEAF})),
)


def leaf(b: flatbuffers.Builder, number: int, name: str) -> int:
    text = b.CreateString(name)
    b.StartObject(2)
    b.PrependInt32Slot(0, number, 7)
    b.PrependUOffsetTRelativeSlot(1, text, 0)
    return b.EndObject()


def offsets(b: flatbuffers.Builder, values: list[int]) -> int:
    b.StartVector(4, len(values), 4)
    for value in reversed(values):
        b.PrependUOffsetTRelative(value)
    return b.EndVector()


def sample(choice: int = 1) -> bytes:
    b = flatbuffers.Builder(64)
    leaves = offsets(b, [leaf(b, 7, "default"), leaf(b, -3, "größer")])
    names = offsets(b, [b.CreateString("a"), b.CreateString("")])
    single, chosen = leaf(b, 1, "single"), leaf(b, 2, "chosen")
    blob = b.CreateByteVector(b"\x01\x02\x03")
    b.StartVector(8, 2, 8)
    b.PrependInt64(-(2**40))
    b.PrependInt64(5)
    numbers = b.EndVector()
    b.StartVector(4, 1, 4)
    b.PrependFloat32(0.5)
    floats = b.EndVector()
    b.StartObject(10)
    b.PrependInt8Slot(0, -5, -1)
    b.PrependBoolSlot(1, True, False)
    for slot, offset in ((2, numbers), (3, floats), (4, leaves), (5, names), (6, blob), (7, single), (9, chosen)):
        b.PrependUOffsetTRelativeSlot(slot, offset, 0)
    b.PrependUint8Slot(8, choice, 0)
    b.Finish(b.EndObject())
    return bytes(b.Output())


def test_decodes_every_kind() -> None:
    data = sample()
    decoded = decode(data, ROOT)
    blob = decoded.pop("blob")
    assert isinstance(blob, Blob)
    assert data[blob.offset : blob.offset + blob.size] == b"\x01\x02\x03"
    assert decoded == {
        "small": -5,
        "flag": True,
        "numbers": (5, -(2**40)),
        "floats": (0.5,),
        "leaves": ({"number": 7, "name": "default"}, {"number": -3, "name": "größer"}),
        "names": ("a", ""),
        "leaf": {"number": 1, "name": "single"},
        "choice": Union(1, {"number": 2, "name": "chosen"}),
    }


def test_absent_fields_have_their_defaults() -> None:
    b = flatbuffers.Builder(16)
    b.StartObject(0)
    b.Finish(b.EndObject())
    decoded = decode(bytes(b.Output()), ROOT)
    assert (decoded["small"], decoded["flag"], decoded["choice"]) == (-1, False, Union(0, None))
    assert all(decoded[name] is None for name in ("numbers", "floats", "leaves", "names", "blob", "leaf"))


def test_unknown_union_member_is_checked_but_opaque() -> None:
    assert decode(sample(choice=77), ROOT)["choice"] == Union(77, {})


def test_bytes_that_are_no_utf8_are_replaced() -> None:
    data = sample().replace("größer".encode(), b"gr\xff\xffxxer")
    assert decode(data, ROOT)["leaves"][1]["name"] == "gr\ufffd\ufffdxxer"


def test_truncation_at_every_byte_is_refused() -> None:
    data = sample()
    reached = 0
    for size in range(len(data)):
        try:
            decode(data[:size], ROOT)
        except MalformedError:
            reached += 1
    assert reached == len(data)


# --- one defect each, in a buffer written by hand --------------------------------------------------------------------

# Root offset; vtable (6 bytes: its size, the table's, field 0) at 4; table at 12 with field 0 at +4.
HEAD = struct.pack("<IHHHHiI", 12, 6, 8, 4, 0, 8, 0)
ONE = Table("One", value=(0, INT32))
TEXT = Table("Text", value=(0, STRING))
NUMBERS = Table("Numbers", value=(0, Vector(INT64)))


def with_words(**words: int) -> bytes:
    """The hand-written buffer with some of its words replaced."""
    places = {
        "root": (0, "I"),
        "vtable_size": (4, "H"),
        "table_size": (6, "H"),
        "field": (8, "H"),
        "back": (12, "i"),
        "value": (16, "I"),
    }
    data = bytearray(HEAD)
    for name, word in words.items():
        place, code = places[name]
        struct.pack_into("<" + code, data, place, word)
    return bytes(data)


def test_hand_written_buffer_is_well_formed() -> None:
    assert decode(with_words(value=9), ONE) == {"value": 9}


@pytest.mark.parametrize(
    ("schema", "words", "message"),
    [
        (ONE, {"root": 0}, "the offset at 0x0 is 0"),
        (ONE, {"root": 13}, "table at 0xd is not aligned to 4 bytes"),
        (ONE, {"root": 4096}, "truncated flatbuffer: One: table at 0x1000 ends 4080 bytes past the end of the file"),
        (ONE, {"back": 9}, "vtable at 0x3 is not aligned to 2 bytes"),
        (ONE, {"back": 4096}, "vtable lies 4084 bytes before the start of the file"),
        (ONE, {"back": -4096}, "vtable at 0x100c ends 4092 bytes past the end of the file"),
        (ONE, {"vtable_size": 2}, "vtable at 0x4 has a size of 2"),
        (ONE, {"vtable_size": 5}, "vtable at 0x4 has a size of 5"),
        (ONE, {"vtable_size": 4096}, "vtable at 0x4 ends 4080 bytes past the end of the file"),
        (ONE, {"table_size": 2}, "table at 0xc has a size of 2"),
        (ONE, {"table_size": 4096}, "table at 0xc ends 4088 bytes past the end of the file"),
        (ONE, {"field": 2}, "One.value: lies at 2 of a table of 8 bytes"),
        (ONE, {"field": 6}, "One.value: lies at 6 of a table of 8 bytes"),
        (ONE, {"field": 5, "table_size": 8}, "One.value: lies at 5 of a table of 8 bytes"),
        (TEXT, {"value": 0}, "Text.value: the offset at 0x10 is 0"),
        (TEXT, {"value": 3}, "string at 0x13 ends 3 bytes past the end of the file"),
        (TEXT, {"value": 2**32 - 1}, "past the end of the file"),
        (NUMBERS, {"value": 2**31}, "past the end of the file"),
    ],
)
def test_defect_is_named(schema: Table, words: dict[str, int], message: str) -> None:
    with pytest.raises(MalformedError) as caught:
        decode(with_words(**words), schema)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_misaligned_field_is_refused() -> None:
    data = bytearray(with_words(field=5, table_size=12)) + bytes(4)
    with pytest.raises(MalformedError, match=r"One\.value: field at 0x11 is not aligned to 4 bytes"):
        decode(bytes(data), ONE)


def test_string_without_its_zero_is_refused() -> None:
    with pytest.raises(MalformedError, match="string at 0x14 does not end with a zero byte"):
        decode(with_words(value=4) + struct.pack("<I", 3) + b"abcd", TEXT)
    assert decode(with_words(value=4) + struct.pack("<I", 3) + b"abc\0", TEXT) == {"value": "abc"}


def test_vector_of_wide_numbers_is_aligned_to_them() -> None:
    numbers = struct.pack("<q", -2)
    aligned = with_words(value=4) + struct.pack("<I", 1) + numbers
    assert decode(aligned, NUMBERS) == {"value": (-2,)}
    with pytest.raises(MalformedError, match="vector at 0x1c is not aligned to 8 bytes"):
        decode(with_words(value=8) + struct.pack("<II", 0, 1) + numbers, NUMBERS)


def test_length_that_overflows_32_bits_is_refused() -> None:
    with pytest.raises(MalformedError, match="past the end of the file"):
        decode(with_words(value=4) + struct.pack("<I", 2**32 - 1) + bytes(64), NUMBERS)


def test_union_value_without_a_type_is_refused() -> None:
    with pytest.raises(MalformedError, match=r"Root\.choice: a value without a type"):
        decode(sample(choice=0), ROOT)


def test_one_table_referred_to_a_million_times_ends_soon() -> None:
    """Tables may be shared, so a file of 260 KB could unfold into 2^32 tables."""
    inner = Table("Inner", numbers=(0, Vector(UINT8)))
    middle = Table("Middle", inner=(0, Vector(inner)))
    outer = Table("Outer", middle=(0, Vector(middle)))
    b = flatbuffers.Builder(1024)
    b.StartObject(1)
    table = b.EndObject()
    for _ in range(2):
        vector = offsets(b, [table] * 32768)
        b.StartObject(1)
        b.PrependUOffsetTRelativeSlot(0, vector, 0)
        table = b.EndObject()
    b.Finish(table)
    started = time.monotonic()
    with pytest.raises(MalformedError, match=f"unfolds into more than {MAX_ELEMENTS:,} elements"):
        decode(bytes(b.Output()), outer)
    assert time.monotonic() - started < 10


def test_offset_that_wraps_around_on_a_32_bit_machine_is_refused() -> None:
    """There 2^32 - 4 leads back to the field's own table: a cycle."""
    schema = Table("Outer", middle=(0, Table("Middle", inner=(0, ONE))))
    with pytest.raises(MalformedError, match="past the end of the file"):
        decode(with_words(value=2**32 - 4), schema)
