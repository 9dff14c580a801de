"""QEMU and Renode execute the same number of instructions in every segment of the same firmware."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import pipeline
from harness.emulators.renode_find import Renode
from harness.library import KERNEL_SETS
from tests.conftest import DIGITS, SHARED_MODELS

pytestmark = pytest.mark.renode

# A board or machine of each core whose model both emulators have; Renode 1.16.1 lacks integer Helium.
PLATFORMS = ("microbit", "mps2-an385", "mps2-an386", "mps2-an500", "mps2-an505")
MODELS = (DIGITS, SHARED_MODELS / "kws_ref_model.tflite", SHARED_MODELS / "ad01_int8.tflite")


@pytest.mark.parametrize("kernels", KERNEL_SETS)
@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.stem)
def test_every_segment_is_equal(renode: Renode, results: Path, model: Path, platform: str, kernels: str) -> None:
    if not model.is_file():
        pytest.skip(f"{model.name} is not part of the project")
    first, second = pipeline.run_on_both(model, platform, kernels=kernels)
    assert first.marks == second.marks
    assert len(first.marks.segments) == 3 + 3 * len(first.layers)
    assert first.identity.elf_sha256 == second.identity.elf_sha256
    assert (
        first.check.layers_exact and first.check.output_exact
    )  # that kws is too large for a micro:bit is another matter
    assert second.check == first.check
    assert (first.identity.emulator, second.identity.emulator) == ("qemu", "renode")
    assert renode.version == second.identity.emulator_version
    assert first.run_id != second.run_id
    assert second.functions is None and second.counts.classes is None
    assert Path(second.artifacts.emulator_log or "").is_file()


@pytest.mark.parametrize("platform", ["stm32l496zg", "stm32f469ni", "stm32f767zi", "stm32u575", "nrf52840", "rp2040"])
def test_a_board_of_each_family_runs_on_its_own_map(renode: Renode, results: Path, platform: str) -> None:
    run = pipeline.run(DIGITS, platform, kernels="cmsis-nn", emulator="renode")
    assert run.verdict.passed, run.verdict.reasons
    assert (run.machine.name, run.machine.stands_in) == (platform, False)
    assert any("no clock tree" in note for note in run.machine.notes)
    # only addresses and alignment differ from the map that stands in on QEMU
    stand_in = pipeline.run(DIGITS, platform, kernels="cmsis-nn")
    assert stand_in.machine.stands_in
    assert run.counts.total == pytest.approx(stand_in.counts.total, rel=0.005)
