"""Damaged firmware: every one gives a clear error or a profile, none a traceback, and none runs on."""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cli import main
from harness.elfprofile import measure
from harness.elfprofile.measure import Request
from harness.errors import HarnessError
from tests.emulation import elf_maker
from tests.emulation.test_elf_profile import CALLS

MUTATIONS = 1000
RUNS = 30
COMMANDS = 20
INSTRUCTIONS = 20_000
_PROGRAM_HEADERS, _SECTION_HEADERS = 52, 32  # where the first begin; where the offset of the others stands
_TELLING = (0, 1, 2, 3, 4, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF)


def mutations(content: bytes) -> Iterator[bytes]:
    """Flipped bits, files cut off, and fields of the headers with values that are telling, or any."""
    chance = random.Random(20261128)
    sections = struct.unpack_from("<I", content, _SECTION_HEADERS)[0]
    for number in range(MUTATIONS):
        damaged = bytearray(content)
        kind = number % 5
        if kind == 0:
            for _ in range(chance.choice((1, 3, 40))):
                damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del damaged[chance.randrange(len(damaged)) :]
        else:
            start, words = {2: (16, 9), 3: (_PROGRAM_HEADERS, 16), 4: (sections, (len(content) - sections) // 4)}[kind]
            value = chance.choice((*_TELLING, chance.randrange(1 << 32)))
            struct.pack_into("<I", damaged, start + 4 * chance.randrange(words), value)
        yield bytes(damaged)


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("fuzz")
    paths = []
    for number, content in enumerate(mutations(elf_maker.build(folder, CALLS).read_bytes())):
        paths.append(folder / f"{number}.elf")
        paths[-1].write_bytes(content)
    return paths


def request(path: Path) -> Request:
    return Request(path=path, platform="mps2-an386", regions=("leaf",), stop_at="stop", instruction_limit=INSTRUCTIONS)


@pytest.fixture(scope="module")
def accepted(damaged: list[Path]) -> list[Path]:
    """Those that the checks let pass."""
    passed = []
    slowest = 0.0
    for path in damaged:
        started = time.process_time()
        try:
            measure.check(request(path))
            passed.append(path)
        except HarnessError as error:
            assert error.exit_code == 2, error.message
            assert "\n" not in error.message
        slowest = max(slowest, time.process_time() - started)
    assert slowest < 5.0
    return passed


def test_damaged_firmware_is_refused_or_whole(damaged: list[Path], accepted: list[Path]) -> None:
    assert len(damaged) == MUTATIONS
    assert 50 < len(accepted) < MUTATIONS - 200


def test_what_passes_the_checks_ends(accepted: list[Path]) -> None:
    for path in random.Random(1).sample(accepted, RUNS):
        try:
            profile = measure.run(request(path)).profile
        except HarnessError as error:
            assert error.exit_code in (2, 3), error.message
        else:
            assert profile.total.instructions <= INSTRUCTIONS + 1024


def test_the_command_says_so_in_words(damaged: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    codes = set()
    for path in random.Random(2).sample(damaged, COMMANDS):
        with pytest.raises(SystemExit) as ended:
            main(["profile", str(path), "-p", "mps2-an386", "--max-instructions", "20000", "--timeout", "5"])
        codes.add(ended.value.code)
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err and "fault of the harness" not in printed.err
        assert ended.value.code == 0 or "error: " in printed.err or "PARTIAL" in printed.out
    assert codes <= {0, 2, 3} and len(codes) > 1
