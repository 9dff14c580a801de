"""Features, waiting for the flash, bounds and estimates: numbers worked out by hand."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest
import result_maker

from harness import platforms
from harness.cost import estimate, evidence, features, flash, table
from harness.cost.blocks import Blocks
from harness.cost.evidence import Measured
from harness.cost.features import Features
from harness.elf import Elf
from harness.errors import BadInputError
from harness.records import EmulatorInfo, FlashInterface, FlashUse, Lines, Segment, Trace
from harness.result import EstimatePart

USE = FlashUse(fetched=100, jump_misses=10, onward_misses=20, loads=50, load_misses=5)
FEATURES = Features(instructions=800, core_cycles=1000.0, taken=90, unaligned=3, code_bytes=2000, flash=USE)
L4 = FlashInterface(
    wait_states=4, read_bytes=8, prefetch=False,
    instructions=Lines(line_bytes=32, lines=32, ways=32), data=Lines(line_bytes=32, lines=8, ways=8),
)  # fmt: skip
F4 = FlashInterface(
    wait_states=5, read_bytes=16, prefetch=True,
    instructions=Lines(line_bytes=16, lines=64, ways=64), data=Lines(line_bytes=16, lines=8, ways=8),
)  # fmt: skip


def test_without_prefetch_the_next_access_begins_when_its_first_word_is_fetched() -> None:
    # Jumps wait for the wait states. 8 bytes are fetched and the next access done in 2 + 4 cycles, of which executing
    # them takes 4; at 8 cycles nothing is waited for. Loads wait for 4 + 1.
    assert flash.stalls(FEATURES, L4) == 10 * 4 + 20 * 2 + 5 * 5
    slow = msgspec.structs.replace(FEATURES, core_cycles=2000.0)
    assert flash.stalls(slow, L4) == 10 * 4 + 5 * 5


def test_prefetch_hides_what_the_code_takes() -> None:
    # 16 bytes take 8 cycles, more than the 6 of an access: only jumps wait. At 2 cycles, 4 remain of each next line.
    # Loads wait for 5 + 2, and half as long for what is read ahead.
    assert flash.stalls(FEATURES, F4) == 10 * 5 + 5 * 10.5
    fast = msgspec.structs.replace(FEATURES, core_cycles=250.0)
    assert flash.stalls(fast, F4) == 10 * 5 + 20 * 4 + 5 * 10.5


def test_nothing_is_waited_for_where_nothing_was_simulated() -> None:
    assert flash.stalls(msgspec.structs.replace(FEATURES, flash=None), L4) == 0


class Code(Elf):
    """``subs r0, #1; bne``, which branches to itself at 0x100, without a file."""

    def __init__(self) -> None:
        pass

    def code(self, address: int, size: int) -> bytes:
        assert address == 0x100
        return bytes.fromhex("0138fdd1")[:size]


def segment(entries: int, taken: int, unaligned: int, use: FlashUse | None) -> Segment:
    return Segment(
        instructions=2 * entries,
        executions=np.array([entries], dtype=np.int64),
        taken=np.array([taken], dtype=np.int64),
        unaligned=unaligned,
        flash=use,
    )


@pytest.mark.parametrize(
    ("core", "cycles"),
    [
        ("cortex-m4", 2 * 100 + 90 + 3),
        ("cortex-m0plus", 2 * 100 + 90),
        # A pair each round and the rarer way, 10 times, wrongly predicted.
        ("cortex-m7", 100 + 10 * 6),
    ],
)
def test_features_are_sums_over_segments(core: str, cycles: float) -> None:
    segments = (segment(60, 54, 1, USE), segment(40, 36, 2, USE))
    trace = Trace(
        emulator=EmulatorInfo(name="qemu", version="0", machine="none", counter=None),
        block_addresses=np.array([0x100], dtype=np.int64),
        block_instructions=np.array([2], dtype=np.int64),
        segments=segments,
        ended_by="end mark",
        uart="",
    )
    found = Blocks(trace, Code(), core).features(segments)
    assert found.core_cycles == cycles
    assert (found.instructions, found.taken, found.unaligned, found.code_bytes) == (200, 90, 3, 400)
    assert found.flash == FlashUse(fetched=200, jump_misses=20, onward_misses=40, loads=100, load_misses=10)
    assert Blocks(trace, Code(), core).features((segment(1, 0, 0, None),)).flash is None


def made(platform: str = "stm32l496zg") -> EstimatePart:
    return estimate.estimate([FEATURES, FEATURES], FEATURES, platforms.load(platform), "cmsis-nn")


def test_estimate_adds_up() -> None:
    part = made()
    each = round(1000 + flash.stalls(FEATURES, L4))
    assert [layer.cycles for layer in part.layers] == [each, each]
    assert part.cycles.value == 3 * each == sum(layer.cycles for layer in part.layers) + part.overhead.cycles
    assert part.latency_ms.value == pytest.approx(3 * each / 80e3, abs=1e-6)
    assert (part.model, part.tier, part.clock_hz) == (estimate.MODEL, "uncalibrated", 80_000_000)
    known = evidence.find("cortex-m4", "cmsis-nn", "")
    assert part.cycles.low == pytest.approx(3 * each * known.low)
    assert part.cycles.high == pytest.approx(3 * each * known.high)
    assert part.notes == ()


def test_what_is_not_known_is_said() -> None:
    nordic, machine, rough = made("nrf52840"), made("mps2-an386"), made("mps3-an547")
    assert nordic.cycles.high is None
    assert nordic.latency_ms.high is None
    assert any("the board is slower" in note for note in nordic.notes)
    assert machine.cycles.high is not None
    assert any("memory answers at once" in note for note in machine.notes)
    assert any("rough" in note for note in rough.notes)


# --- bounds ----------------------------------------------------------------------------------------------------------


def measured(family: str, ratio: float, core: str = "cortex-m4", kernels: str = "reference") -> Measured:
    return Measured(
        platform="board", core=core, family=family, network=family, type="int8", kernels=kernels, optimisation="-O2",
        fpu=True, measured_ms=100 * ratio, estimated_ms=100.0, compiler="gcc", same_compiler=False,
        source="made up",
    )  # fmt: skip


def test_bounds_are_a_prediction_interval() -> None:
    rows = [measured(name, math.exp(error)) for name, error in zip("abcd", (-0.1, 0.1, 0.3, 0.5), strict=True)]
    found = evidence.bounds(rows, "cortex-m4", "reference")
    # Mean 0.2, standard deviation sqrt(0.2 / 3), t of 3 degrees of freedom 2.353, a new value of four: sqrt(1 + 1/4).
    reach = 2.353 * math.sqrt(0.2 / 3) * math.sqrt(1.25)
    assert math.log(found.low) == pytest.approx(0.2 - reach)
    assert math.log(found.high) == pytest.approx(0.2 + reach)
    assert found.basis.startswith("4 groups of public measurements of cortex-m4 boards")


def test_rows_of_one_case_weigh_like_one() -> None:
    rows = [measured(name, math.exp(error)) for name, error in zip("abcd", (-0.1, 0.1, 0.3, 0.5), strict=True)]
    often = evidence.bounds([*rows, *(measured("d", math.exp(0.5)) for _ in range(20))], "cortex-m4", "reference")
    once = evidence.bounds(rows, "cortex-m4", "reference")
    assert (often.low, often.high) == (pytest.approx(once.low), pytest.approx(once.high))


def test_a_core_with_few_cases_takes_those_of_all() -> None:
    rows = [measured(name, 1 + index / 10) for index, name in enumerate("abcd")]
    rows += [measured("a", 2.0, core="cortex-m7"), measured("e", 9.0, kernels="cmsis-nn")]
    found = evidence.bounds(rows, "cortex-m7", "reference")
    assert found.basis.startswith("4 groups of public measurements of Cortex-M boards")
    assert "few of them with a cortex-m7" in found.basis
    assert "none of them with a cortex-m33" in evidence.bounds(rows, "cortex-m33", "reference").basis


def test_shipped_evidence_bounds_every_core_and_kernel_set() -> None:
    assert {row.platform for row in evidence.rows()} >= {"stm32l496zg", "stm32f469ni", "stm32f767zi", "stm32l4r5zi"}
    for core in ("cortex-m0", "cortex-m4", "cortex-m7", "cortex-m55"):
        for kernels in ("reference", "cmsis-nn"):
            found = evidence.find(core, kernels, "another gcc")
            assert 0.2 < found.low < found.high < 8


def test_the_boards_compiler_is_bounded_by_its_own_builds() -> None:
    (compiler,) = {row.compiler for row in evidence.rows() if row.same_compiler}
    for kernels in ("reference", "cmsis-nn"):
        own, other = (evidence.find("cortex-m4", kernels, name) for name in (compiler, "another gcc"))
        assert own.high / own.low < other.high / other.low
        assert "their compiler" in own.basis and "other compilers" in other.basis


# --- the CSV ---------------------------------------------------------------------------------------------------------


def test_csv_goes_round(tmp_path: Path) -> None:
    rows = table.of(result_maker.result(estimate=made(), fpu=None))
    path = tmp_path / "features.csv"
    path.write_text(features.to_csv(rows))
    assert features.read_csv(path) == rows
    assert [row.index for row in rows] == [0, 1, None]
    assert [row.op for row in rows] == ["CONV_2D", "SOFTMAX", "overhead"]
    assert rows[0].features == FEATURES


def test_csv_without_an_interface_has_empty_cells(tmp_path: Path) -> None:
    bare = msgspec.structs.replace(FEATURES, flash=None)
    part = estimate.estimate([bare, bare], bare, platforms.load("mps2-an386"), "reference")
    path = tmp_path / "features.csv"
    path.write_text(features.to_csv(table.of(result_maker.result(estimate=part))))
    assert path.read_text().splitlines()[1].endswith(",,,,,")
    assert features.read_csv(path)[0].features.flash is None


def test_a_result_without_an_estimate_has_no_features() -> None:
    with pytest.raises(BadInputError, match="has no estimate"):
        table.of(result_maker.result())


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda text: text.replace("core_cycles,", "cycles,", 1), "no column core_cycles"),
        (lambda text: text.replace("1000.0", "many", 1), "line 2: "),
        (lambda text: "", "no column model"),
    ],
)
def test_csv_that_cannot_be_read(tmp_path: Path, change: object, expected: str) -> None:
    path = tmp_path / "features.csv"
    text = features.to_csv(table.of(result_maker.result(estimate=made())))
    path.write_text(change(text))  # type: ignore[operator]
    with pytest.raises(BadInputError) as caught:
        features.read_csv(path)
    assert expected in caught.value.message
    assert str(path) in caught.value.message
