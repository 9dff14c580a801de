"""UF2 files, the boot loader's CRC, and which platforms can be flashed: what needs no compiler."""

from __future__ import annotations

import struct
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import cli, flashable, image, model, platforms, uf2
from harness.errors import BadInputError
from tests.conftest import DIGITS

FAMILY = 0xE48BFF56


def unpack(content: bytes) -> tuple[int, bytes]:
    """Address and content of a UF2 file, every field of each block checked (github.com/microsoft/uf2)."""
    assert len(content) % 512 == 0 and content
    count = len(content) // 512
    start = None
    data = b""
    for index in range(count):
        block = content[512 * index : 512 * (index + 1)]
        magic0, magic1, flags, address, size, number, blocks, family = struct.unpack_from("<8I", block)
        assert (magic0, magic1, block[508:]) == (0x0A324655, 0x9E5D5157, bytes.fromhex("306fb10a"))
        assert (flags, size, number, blocks, family) == (0x2000, 256, index, count, FAMILY)
        start = address if start is None else start
        assert address == start + 256 * index
        assert block[32 + 256 : 508] == bytes(220)
        data += block[32 : 32 + 256]
    assert start is not None
    return start, data


@given(st.binary(min_size=1, max_size=2000), st.integers(0, 0xFFFFF).map(lambda page: 256 * page))
def test_uf2_comes_back(content: bytes, address: int) -> None:
    start, data = unpack(uf2.pack(content, address, FAMILY))
    assert start == address
    assert data[: len(content)] == content and not any(data[len(content) :])
    assert len(data) - len(content) < 256


@pytest.mark.parametrize(("content", "address"), [(b"", 0), (b"x", 0x10000001)])
def test_uf2_refuses_what_has_no_blocks(content: bytes, address: int) -> None:
    with pytest.raises(ValueError, match="cannot be packed"):
        uf2.pack(content, address, FAMILY)


def test_the_boot_roms_crc() -> None:
    """The check value of this CRC (named CRC-32/MPEG-2 in the catalogues), and of nothing."""
    assert flashable.boot_crc(b"123456789") == 0x0376E6E7
    assert flashable.boot_crc(b"") == 0xFFFFFFFF


def test_every_board_can_be_flashed_and_no_machine() -> None:
    for platform in platforms.all():
        if platform.kind == "board":
            flashable.check_flashable(platform)
        else:
            with pytest.raises(BadInputError, match=f"{platform.name} is a machine of the emulator"):
                flashable.check_flashable(platform)
    stranger = msgspec.structs.replace(platforms.load("stm32l496zg"), name="another")
    with pytest.raises(BadInputError, match="no board code for another"):
        flashable.check_flashable(stranger)


def test_machines_are_refused_before_anything_is_built(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["build", str(DIGITS), "-p", "mps2-an386", "--flashable", "-o", str(tmp_path / "out")])
    assert ended.value.code == 2
    assert "mps2-an386 is a machine of the emulator" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInputError, match="cannot be written to"):
        flashable.build(DIGITS, "stm32l496zg", output=tmp_path / "file" / "out")


def spec(platform: str, board: image.BoardCode | None = None) -> image.Spec:
    return image.Spec(
        model=model.load(DIGITS),
        inputs=(),
        kernels="reference",
        machine=platforms.load(platform).machine,
        arena_bytes=1024,
        app=image.APP_PROFILE,
        board=board,
    )


def test_room_in_front_of_the_vector_table_is_filled() -> None:
    assert spec("rp2040").boot == b"\xff" * 256
    assert spec("rp2040", image.BoardCode(sources=(), macros=(), boot=b"boot" * 64)).boot == b"boot" * 64
    for platform in ("stm32l496zg", "nrf52840", "mps3-an547"):
        assert spec(platform).boot == b""


def test_marks_are_counted_as_the_profile_counts_them() -> None:
    assert flashable.marks(10) == 32  # 31 segments between them
