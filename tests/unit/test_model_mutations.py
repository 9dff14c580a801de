"""Damaged files: only a Model or a BadInputError with one line may come out, soon."""

from __future__ import annotations

import random
import struct
import time
from pathlib import Path

import pytest
from test_model import SHARED, chain, lenet

from harness import model, records
from harness.errors import BadInputError

MUTATIONS = 3000
# Far above what a load takes, so that only a hang or a blow-up exceeds it.
LIMIT_S = 5.0


def outcome(data: bytes, path: Path) -> bool:
    """Whether the bytes load; anything but a Model or a BadInputError is raised."""
    # A new file each time: some file systems flush one that is truncated and written again.
    path.unlink(missing_ok=True)
    path.write_bytes(data)
    started = time.monotonic()
    try:
        loaded = model.load(path)
    except BadInputError as error:
        assert "\n" not in error.message
        assert error.message.startswith(str(path))
        result = False
    else:
        assert isinstance(loaded, records.Model)
        result = True
    assert time.monotonic() - started < LIMIT_S
    return result


def test_truncation_at_every_byte(tmp_path: Path) -> None:
    data = chain().bytes()
    accepted = [size for size in range(len(data)) if outcome(data[:size], tmp_path / "m.tflite")]
    assert not accepted
    assert outcome(data, tmp_path / "m.tflite")


def seeds() -> list[bytes]:
    shared = SHARED / "hello_world_int8.tflite"
    return [chain().bytes(), lenet().bytes(), *([shared.read_bytes()] if shared.is_file() else [])]


def mutate(data: bytes, generator: random.Random) -> bytes:
    """One to four flips of a bit, replacements of a word by an awkward one, splices, or exchanged words."""
    changed = bytearray(data)
    for _ in range(generator.choice((1, 1, 1, 2, 4))):
        kind = generator.randrange(4)
        at = generator.randrange(len(changed) - 8)
        word = at & ~3
        if kind == 0:
            changed[at] ^= 1 << generator.randrange(8)
        elif kind == 1:
            near = generator.choice((0, 1, 2, 4, 8, -1, -4, 0x7FFFFFFF, 0x80000000, 0xFFFF, len(changed)))
            struct.pack_into("<I", changed, word, (near + generator.choice((0, 0, word))) & 0xFFFFFFFF)
        elif kind == 2:
            start, size = generator.randrange(len(changed)), generator.randrange(1, 64)
            changed[at : at + size] = changed[start : start + size]
        else:
            other = generator.randrange(len(changed) - 8) & ~3
            changed[word : word + 4], changed[other : other + 4] = changed[other : other + 4], changed[word : word + 4]
        if len(changed) < 64:
            return bytes(changed)
    return bytes(changed)


@pytest.mark.parametrize("index", range(3))
def test_random_mutations(index: int, tmp_path: Path) -> None:
    sources = seeds()
    if index >= len(sources):
        pytest.skip(f"no file {SHARED / 'hello_world_int8.tflite'}")
    generator = random.Random(20200701 + index)
    accepted = sum(outcome(mutate(sources[index], generator), tmp_path / "m.tflite") for _ in range(MUTATIONS))
    # Weights, names and padding may change; the rest must not.
    assert 0 < accepted < MUTATIONS


def test_every_byte_of_a_small_model_with_every_bit_set(tmp_path: Path) -> None:
    data = chain().bytes()
    for at in range(len(data)):
        outcome(data[:at] + b"\xff" + data[at + 1 :], tmp_path / "m.tflite")
