"""UF2, the file format of boot loaders that show up as a USB drive (the RP2040's among them)."""

from __future__ import annotations

import struct

# Of the format's specification (microsoft/uf2), and its list of families.
MAGIC_START = (0x0A324655, 0x9E5D5157)
MAGIC_END = 0x0AB16F30
FLAG_FAMILY = 0x00002000
FAMILY_RP2040 = 0xE48BFF56
BLOCK_BYTES = 512
PAYLOAD_BYTES = 256

_HEADER = struct.Struct("<8I")
_DATA_BYTES = 476


def pack(content: bytes, address: int, family: int) -> bytes:
    """The file that writes ``content`` to flash from ``address`` on: a block for every 256 bytes, the last padded.

    Raises:
        ValueError: the address is not a multiple of 256, or there is nothing to write.
    """
    if address % PAYLOAD_BYTES or not content:
        raise ValueError(f"{len(content)} bytes at {address:#x} cannot be packed")
    count = -(-len(content) // PAYLOAD_BYTES)
    blocks = []
    for index in range(count):
        start = index * PAYLOAD_BYTES
        payload = content[start : start + PAYLOAD_BYTES]
        header = _HEADER.pack(*MAGIC_START, FLAG_FAMILY, address + start, PAYLOAD_BYTES, index, count, family)
        blocks.append(header + payload.ljust(_DATA_BYTES, b"\0") + struct.pack("<I", MAGIC_END))
    return b"".join(blocks)
