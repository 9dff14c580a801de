"""Sizes, symbols, functions and code of an ELF file that is assembled and linked here."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.elf import Elf
from harness.errors import BadInputError

PREFIX = "arm-none-eabi-"
pytestmark = pytest.mark.skipif(shutil.which(f"{PREFIX}gcc") is None, reason=f"{PREFIX}gcc is not installed")

SOURCE = """
.syntax unified
.thumb
.section .text, "ax"
.word 0x11111111
.global first
.type first, %function
first:
  push {r4, lr}
  pop {r4, pc}
.type second, %function
second:
  nop
.section .model, "a"
.global image_model
.type image_model, %object
image_model:
  .fill 21, 1, 0x5a
.section .empty, "a"
.section .data, "aw"
counter: .word 7
.section .bss, "aw", %nobits
  .space 48
.section .comment
  .asciz "not loaded"
"""
SCRIPT = """
SECTIONS {
  .text 0x8000 : { *(.text) }
  .model 0x9000 : { *(.model) }
  .empty 0x9800 : { *(.empty) }
  .data 0x20000000 : { *(.data) }
  .bss 0x20000100 : { *(.bss) }
  odd_place = 0x20000001;
}
"""


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("elf")
    (folder / "code.s").write_text(SOURCE)
    (folder / "link.ld").write_text(SCRIPT)
    subprocess.run(
        [f"{PREFIX}gcc", "-mcpu=cortex-m3", "-nostdlib", "-Wl,-T,link.ld,-e,first", "code.s", "-o", "code.elf"],
        cwd=folder,
        check=True,
    )
    return folder / "code.elf"


def test_sections_that_are_loaded_and_where_they_take_room(linked: Path) -> None:
    found = {item.name: (item.address, item.size_bytes, item.in_flash, item.writable) for item in Elf(linked).sections}
    assert found == {
        ".text": (0x8000, 10, True, False),
        ".model": (0x9000, 21, True, False),
        ".data": (0x20000000, 4, True, True),
        ".bss": (0x20000100, 48, False, True),
    }


def test_sizes_of_absent_sections_count_nothing(linked: Path) -> None:
    elf = Elf(linked)
    assert elf.size_bytes((".text", ".model", ".nowhere")) == 31
    assert elf.size_bytes(()) == 0


def test_functions_lose_their_thumb_bit_and_data_do_not(linked: Path) -> None:
    symbols = Elf(linked).symbols
    assert (symbols["first"], symbols["second"]) == (0x8004, 0x8008)
    assert (symbols["image_model"], symbols["odd_place"]) == (0x9000, 0x20000001)


@pytest.mark.parametrize(
    ("address", "name"),
    [(0x8000, "?"), (0x8003, "?"), (0x8004, "first"), (0x8007, "first"), (0x8008, "second"), (0x8100, "second")],
)
def test_the_function_at_an_address(linked: Path, address: int, name: str) -> None:
    assert Elf(linked).function_at(address) == name


@pytest.mark.parametrize(
    ("address", "size", "expected"),
    [
        (0x8004, 4, "10b510bd"),
        (0x8006, 2, "10bd"),
        (0x8008, 400, "00bf"),  # the section ends
        (0x800A, 2, ""),
        (0x7FFE, 4, ""),
        (0x9000, 4, ""),  # data are no code
        (0x20000100, 4, ""),
    ],
)
def test_code_from_an_address_on(linked: Path, address: int, size: int, expected: str) -> None:
    assert Elf(linked).code(address, size).hex() == expected


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"TFL3" * 100, b"\x7fELF" + bytes(60)])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.elf").write_bytes(content)
    with pytest.raises(BadInputError, match=r"x\.elf: not an ELF file"):
        Elf(tmp_path / "x.elf")


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_damaged_file_is_refused_or_read(linked: Path, data: st.DataObject) -> None:
    content = bytearray(linked.read_bytes())
    del content[data.draw(st.integers(0, len(content))) :]
    if content:
        for _ in range(data.draw(st.integers(0, 3))):
            content[data.draw(st.integers(0, min(len(content), 256) - 1))] = data.draw(st.integers(0, 255))
    damaged = linked.with_suffix(".damaged")
    damaged.write_bytes(content)
    try:
        elf = Elf(damaged)
    except BadInputError:
        return
    assert all(section.size_bytes for section in elf.sections)
    elf.function_at(0x8004)
