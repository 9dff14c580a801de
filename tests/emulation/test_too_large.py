"""Networks that are larger than boards and machines: the verdict where it is certain, else an error."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness import pipeline, platforms, run
from harness.errors import EXIT_NOT_MEASURED, EXIT_VERDICT_NO, DoesNotFitError, HarnessError
from harness.records import Platform
from tests.unit.model_writer import M, Op, T

MIB = 1024 * 1024


def dense(inputs: int, units: int) -> bytes:
    """One float32 layer of inputs x units weights: 4 bytes a weight."""
    return M(
        tensors=[
            T((1, inputs), "float32", name="in"),
            T((units, inputs), "float32", data=bytes(4 * units * inputs), name="weights"),
            T((1, units), "float32", name="out"),
        ],
        operators=[Op("FULLY_CONNECTED", [0, 1, -1], [2], {})],
        inputs=[0],
        outputs=[2],
    ).bytes()


def saved(folder: Path, content: bytes) -> Path:
    path = folder / "large.tflite"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("platform", ["stm32l496zg", "mps2-an386"])
def test_weights_beyond_every_flash(platform: str, tmp_path: Path, results: Path) -> None:
    path = saved(tmp_path, dense(1100, 1000))
    budget = "1024 KiB" if platform == "stm32l496zg" else "4096 KiB"
    with pytest.raises(
        DoesNotFitError, match=rf"large.tflite does not fit {platform}: needs at least 43\d\d KiB of {budget} flash"
    ) as caught:
        run(path, platform)
    assert caught.value.exit_code == EXIT_VERDICT_NO
    assert not results.exists()


def test_activations_beyond_every_ram(tmp_path: Path, results: Path) -> None:
    path = saved(tmp_path, dense(1_200_000, 1))
    with pytest.raises(
        DoesNotFitError, match=r"does not fit rp2040: needs at least \d+ KiB of 264 KiB RAM|of 2048 KiB flash"
    ):
        run(path, "rp2040")
    assert not results.exists()


def test_a_board_larger_than_its_stand_in(tmp_path: Path, results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No shipped board is; one with 8 MiB of flash could hold what the machine cannot."""
    real = platforms.load

    def with_more_flash(name: str, folder: Path | None = None) -> Platform:
        found = real(name, folder)
        if name != "stm32l496zg":
            return found
        return msgspec.structs.replace(found, flash=msgspec.structs.replace(found.flash, size_bytes=8 * MIB))

    monkeypatch.setattr(platforms, "load", with_more_flash)
    monkeypatch.setattr(pipeline.platforms, "load", with_more_flash)
    path = saved(tmp_path, dense(1100, 1000))
    with pytest.raises(HarnessError, match="larger than mps2-an386, which stands in for stm32l496zg") as caught:
        run(path, "stm32l496zg")
    assert caught.value.exit_code == EXIT_NOT_MEASURED


def test_a_machine_that_is_too_small_hands_on_to_the_next(tmp_path: Path, results: Path) -> None:
    result = run(saved(tmp_path, dense(600, 200)), "microbit")
    assert result.machine.name == "mps2-an385"
    assert result.machine.stands_in
    assert result.verdict.reasons[0].startswith("does not fit microbit: needs 5")
    assert result.check.output_exact
