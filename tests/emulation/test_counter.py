"""The counter against hand-counted assembly, on every core; blocks decode to as many instructions as they count."""

from __future__ import annotations

from pathlib import Path

import capstone
import numpy as np
import pytest
from elftools.elf.elffile import ELFFile

from harness import selftest
from harness.emulators import BACKENDS
from harness.records import Trace

QEMU = BACKENDS["qemu"]
REPEATS = 3


@pytest.fixture(scope="module", params=selftest.CORES, ids=lambda core: core.name)
def core(request: pytest.FixtureRequest) -> selftest.Core:
    return request.param


@pytest.fixture(scope="module")
def built(core: selftest.Core, tmp_path_factory: pytest.TempPathFactory) -> selftest.Built:
    return selftest.build(core, selftest.machine_of(core), tmp_path_factory.mktemp(core.name))


@pytest.fixture(scope="module")
def traces(core: selftest.Core, built: selftest.Built) -> list[Trace]:
    return [selftest.trace(QEMU, built, selftest.machine_of(core), built.elf.parent) for _ in range(REPEATS)]


def test_each_segment_counts_what_was_counted_by_hand(
    core: selftest.Core, built: selftest.Built, traces: list[Trace]
) -> None:
    for trace in traces:
        results = selftest.compare(core, built, trace)
        assert len(results) >= 22
        assert [result for result in results if not result.exact] == []


def test_repeats_are_equal_block_by_block(traces: list[Trace], built: selftest.Built) -> None:
    # Where the timer interrupts depends on the host's time.
    timed = built.segments.index("interrupt") + 1
    for trace in traces[1:]:
        for number, (segment, first) in enumerate(zip(trace.segments, traces[0].segments, strict=True)):
            if number != timed:
                assert _by_block(trace, segment.executions) == _by_block(traces[0], first.executions)


def test_blocks_decode_to_the_instructions_that_they_count(traces: list[Trace], built: selftest.Built) -> None:
    code = _Decoder(built.elf)
    trace = traces[0]
    starts = set(trace.block_addresses.tolist())
    for address, instructions in zip(trace.block_addresses.tolist(), trace.block_instructions.tolist(), strict=True):
        decoded = code.instructions(address, instructions)
        assert len(decoded) == instructions
        last = decoded[-1]
        after = last.address + last.size
        # A block ends with a branch or what QEMU treats as one; otherwise it goes on in another block that was entered.
        assert after in starts or _leaves(last) or after == built.end_address & ~1, f"{address:#x}: {last}"


def test_instructions_are_entries_times_block_lengths(traces: list[Trace]) -> None:
    for trace in traces:
        for segment in trace.segments:
            assert (segment.executions >= 0).all()
            assert segment.instructions == int(np.dot(segment.executions, trace.block_instructions))


def test_wrong_count_is_seen(core: selftest.Core, built: selftest.Built, traces: list[Trace]) -> None:
    first, second, *others = traces[0].segments
    off_by_one = type(second)(instructions=second.instructions + 1, executions=second.executions)
    changed = Trace(
        emulator=traces[0].emulator,
        block_addresses=traces[0].block_addresses,
        block_instructions=traces[0].block_instructions,
        segments=(first, off_by_one, *others),
        ended_by=traces[0].ended_by,
        uart=traces[0].uart,
    )
    wrong = [result.segment for result in selftest.compare(core, built, changed) if not result.exact]
    assert wrong == [built.segments[0]]


def test_run_covers_every_core_and_segment() -> None:
    results = selftest.run(QEMU)
    assert {result.core for result in results} == {core.name for core in selftest.CORES}
    assert all(result.exact for result in results)


def _by_block(trace: Trace, executions: np.ndarray) -> dict[tuple[int, int], int]:
    rows = zip(trace.block_addresses.tolist(), trace.block_instructions.tolist(), executions.tolist(), strict=True)
    return {(address, length): count for address, length, count in rows if count}


def _leaves(instruction: capstone.CsInsn) -> bool:
    name = instruction.mnemonic.split(".")[0]
    branches = ("b", "bl", "bx", "blx", "cb", "tb", "svc", "udf", "wfi", "le", "wls", "pop", "cps")
    return name.startswith(branches) and not name.startswith(("bic", "bf"))


class _Decoder:
    def __init__(self, elf: Path) -> None:
        with elf.open("rb") as file:
            self._regions = [(part["p_vaddr"], part.data()) for part in ELFFile(file).iter_segments("PT_LOAD")]
        self._capstone = capstone.Cs(
            capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS | capstone.CS_MODE_V8
        )

    def instructions(self, address: int, count: int) -> list[capstone.CsInsn]:
        start, data = next((start, data) for start, data in self._regions if start <= address < start + len(data))
        return list(self._capstone.disasm(data[address - start :], address, count))
