"""Real firmware, estimated by a calibration: the stored run says by which, and another build is refused or carried."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness import cli, compare, run, store
from harness.calibrate import calibration, use
from harness.errors import BadInputError
from harness.report import compare as report
from harness.report import tables
from harness.result import Result
from tests.conftest import DIGITS
from tests.unit import calibration_maker

BOARD = "stm32l496zg"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result, Result]:
    """A calibration of this build, by which the core takes half as many cycles more; a run without and one with it."""
    folder = tmp_path_factory.mktemp("calibrated")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_RESULTS", str(folder / "results"))
        plain = run(DIGITS, BOARD, kernels="cmsis-nn", cycles=True)
        known = plain.identity
        build = use.build(BOARD, "cmsis-nn", "-O2", True, known.compiler, known.tflm, known.cmsis_nn)
        path = folder / "mine.json"
        calibration.write(path, calibration_maker.known(build, {"estimate": 1.5}, (0.95, 1.04)))
        return path, plain, run(DIGITS, BOARD, kernels="cmsis-nn", calibration=path)


def test_the_calibration_decides_the_estimate_and_nothing_else(made: tuple[Path, Result, Result]) -> None:
    _, plain, found = made
    assert plain.estimate is not None and found.estimate is not None
    assert found.estimate.cycles.value == pytest.approx(1.5 * plain.estimate.cycles.value, rel=1e-4)
    latency = found.estimate.latency_ms
    assert latency.low == pytest.approx(0.95 * latency.value, rel=1e-4)
    assert latency.high == pytest.approx(1.04 * latency.value, rel=1e-4)
    assert found.estimate.tier.startswith(f"calibrated on {BOARD}, {found.identity.compiler}, ")
    assert found.identity.calibration is not None and found.run_id != plain.run_id
    assert (found.counts, found.memory, found.layers) == (plain.counts, plain.memory, plain.layers)
    folder = Path(found.artifacts.elf).parent
    stored = store.load(str(folder))
    assert stored.estimate == found.estimate and stored.identity == found.identity


def test_another_build_is_refused_and_carried_where_that_is_asked(
    made: tuple[Path, Result, Result], results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, _, found = made
    arguments = ["run", str(DIGITS), "-p", BOARD, "-k", "reference", "-c", str(path)]
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert "of another build: kernels: cmsis-nn, not reference" in capsys.readouterr().err
    assert not results.exists()
    with pytest.raises(SystemExit) as ended:
        cli.main([*arguments, "--carry"])
    assert ended.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "carried to another build" in said and "carried, kernels: cmsis-nn, not reference" in said
    (stored,) = store.stored()
    assert stored.result is not None and stored.result.estimate is not None
    assert stored.result.estimate.calibration is not None and stored.result.estimate.calibration.carried
    console = tables.console()
    with console.capture() as taken:
        console.print(report.compared(compare.compare(found, stored.result)))
    assert "carried to another build" in " ".join(taken.get().split())


def test_a_calibration_of_another_cost_model_is_refused(made: tuple[Path, Result, Result], tmp_path: Path) -> None:
    known = calibration.read(made[0])
    other = msgspec.structs.replace(
        known, families=tuple(msgspec.structs.replace(family, cost_model="made/1") for family in known.families)
    )
    calibration.write(tmp_path / "other.json", other)
    with pytest.raises(BadInputError, match=r"the calibration is of made/1, the features of "):
        use.estimate(made[1], use.given(tmp_path / "other.json"))
