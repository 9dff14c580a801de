"""Archives that a user gives: real ones of ar, and everything that is none."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import library_maker
import pytest

from harness import toolchain
from harness.errors import BadInputError
from harness.user_library import archive, objects
from harness.user_library.archive import Member


def read(path: Path) -> list[Member]:
    return list(archive.members(path, archive.read(path)))


def made_by_ar(folder: Path, *options: str) -> Path:
    for name in ("short.o", "a_name_longer_than_sixteen_characters.o"):
        (folder / name).write_bytes(library_maker.compiled(library_maker.CONV))
    path = folder / "made.a"
    ar = toolchain.arm().tool("ar")
    subprocess.run([ar, *options, path, "short.o", "a_name_longer_than_sixteen_characters.o"], cwd=folder, check=True)
    return path


def test_an_archive_of_ar_is_read_whole(tmp_path: Path) -> None:
    found = read(made_by_ar(tmp_path, "rcs"))
    assert [item.name for item in found] == ["short.o", "a_name_longer_than_sixteen_characters.o"]
    assert all(item.content == library_maker.compiled(library_maker.CONV) for item in found)


def test_names_in_front_of_the_content_are_those_of_bsd(tmp_path: Path) -> None:
    path = tmp_path / "bsd.a"
    content = b"name_of_bsd.o\0\0\0" + b"content"
    path.write_bytes(b"!<arch>\n" + library_maker._member(b"#1/16", content))
    assert read(path) == [Member(name="name_of_bsd.o", content=b"content")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"\x7fELF\1\1\1", "an ELF file"),
        (b"PK\3\4 a zip", "it begins with b'PK"),
        (b"!<thin>\n/               ", "a thin archive"),
        (b"!<arch>\nhalf a header", "damaged or cut off at byte 8"),
    ],
)
def test_what_is_no_archive_says_what_it_is(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "given.a"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match=said):
        read(path)


def test_a_thin_archive_of_ar_is_refused_with_the_command_that_makes_a_whole_one(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="thin archive") as error:
        read(made_by_ar(tmp_path, "rcsT"))
    assert "ar rcs" in (error.value.hint or "")


def test_a_folder_and_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="a folder"):
        read(tmp_path)
    with pytest.raises(BadInputError, match="cannot be read: No such file"):
        read(tmp_path / "none.a")


def test_every_cut_is_an_error_or_a_whole_archive(tmp_path: Path) -> None:
    path = made_by_ar(tmp_path, "rcs")
    whole = path.read_bytes()
    full = read(path)
    for end in range(8, len(whole), 61):
        path.write_bytes(whole[:end])
        try:
            found = read(path)
        except BadInputError as error:
            assert "cut off" in error.message
        else:
            assert found == full[: len(found)], "cut between two members"


def test_a_thousand_damaged_archives_end_in_words_or_in_objects(tmp_path: Path) -> None:
    path = made_by_ar(tmp_path, "rcs")
    whole = path.read_bytes()
    numbers = random.Random(1)
    refused = unreadable = 0
    for _ in range(1000):
        damaged = bytearray(whole)
        for _ in range(numbers.randint(1, 12)):
            damaged[numbers.randrange(8, len(damaged))] = numbers.randrange(256)
        path.write_bytes(damaged)
        try:
            found = [objects.read(item) for item in read(path)]
        except BadInputError:
            refused += 1
        else:
            unreadable += None in found
    assert refused > 50
    assert unreadable > 50
