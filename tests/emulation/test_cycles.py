"""Estimates of real firmware: what was counted stays as it was, parts add up, and the page says what is estimated."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import cli, platforms, run, store
from harness.cost import features, flash, table
from harness.report import tables
from harness.result import Result
from tests.conftest import DIGITS


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Result]:
    """The same run with and without an estimate, stored beside each other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_RESULTS", str(tmp_path_factory.mktemp("results")))
        plain = run(DIGITS, "stm32l496zg", kernels="cmsis-nn")
        estimated = run(DIGITS, "stm32l496zg", kernels="cmsis-nn", cycles=True)
        assert len(store.stored()) == 2
        return plain, estimated


def test_what_is_measured_is_the_same(pair: tuple[Result, Result]) -> None:
    plain, estimated = pair
    assert plain.estimate is None
    assert plain.identity.cost_model is None
    assert plain.run_id != estimated.run_id
    assert plain.counts == estimated.counts
    assert plain.layers == estimated.layers
    assert plain.marks == estimated.marks
    assert plain.memory == estimated.memory


def test_estimate_is_made_of_the_counts(pair: tuple[Result, Result]) -> None:
    estimate, counted = pair[1].estimate, pair[1]
    assert estimate is not None
    assert [part.features.instructions for part in estimate.layers] == [layer.instructions for layer in counted.layers]
    assert estimate.overhead.features.instructions == counted.counts.overhead
    assert estimate.cycles.value == sum(part.cycles for part in (*estimate.layers, estimate.overhead))
    interface = platforms.load("stm32l496zg").flash_interface
    assert interface is not None
    for part, layer in zip(estimate.layers, counted.layers, strict=True):
        assert part.cycles == round(part.features.core_cycles + flash.stalls(part.features, interface))
        # On an M4 an instruction takes a cycle at least, but a folded IT, and no layer here comes near 3.
        assert 1 < part.cycles / layer.instructions < 3
        use = part.features.flash
        assert use is not None and use.jump_misses + use.onward_misses <= use.fetched and use.load_misses <= use.loads
        assert 0 < part.features.taken <= layer.classes["branch"] + layer.classes["load"]  # type: ignore[index]
        assert 2 * layer.instructions <= part.features.code_bytes <= 4 * layer.instructions
    assert estimate.cycles.low < estimate.cycles.high  # type: ignore[operator]


def test_estimates_are_set_apart(pair: tuple[Result, Result], capsys: pytest.CaptureFixture[str]) -> None:
    plain, estimated = pair
    for result in pair:
        console = tables.console()
        console.print(tables.result(result, console))
    first, second = capsys.readouterr().out.split(plain.run_id)
    assert "estimated" not in first and "about" not in first
    assert "estimated, not measured by first-principles/2, uncalibrated: about" in second
    assert "in 90 % of cases" in second
    part = estimated.estimate.layers[0]  # type: ignore[union-attr]
    assert f"{part.cycles:,}" in second


def test_features_are_written(results: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "features.csv"
    with pytest.raises(SystemExit) as ended:
        arguments = ["--platform", "mps2-an500", "--cycles", "--features-out", str(path)]
        cli.main(["run", str(DIGITS), *arguments])
    assert ended.value.code == 0
    printed = capfd.readouterr().out
    assert f"features in {path}" in printed.replace("\n", "")
    rows = features.read_csv(path)
    stored = store.stored()[0].result
    assert stored is not None and table.of(stored) == rows
    assert all(row.fetched is None for row in rows), "nothing is known of this machine's memory"


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (["--features-out", "f.csv"], "hint: add --cycles"),
        (["--cycles", "--emulator", "renode"], "cycles cannot be estimated from a run on renode"),
        (["--cycles", "--emulator", "both"], "cycles are estimated from one run"),
        (["--cycles", "--features-out", "/nowhere/f.csv"], "/nowhere/f.csv: cannot be written"),
    ],
)
def test_mistakes(results: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], fragment: str) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", str(DIGITS), "--platform", "stm32l496zg", *arguments])
    assert ended.value.code == 2
    assert fragment in capfd.readouterr().err
