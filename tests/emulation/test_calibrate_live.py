"""A network without features is built and emulated; features of the measured firmware are known by its ELF file."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import cli, run
from harness.calibrate import calibration, inputs, measurements
from harness.calibrate.match import OWN, STAND_IN
from harness.cost import features, table
from harness.result import EstimatePart, Result
from tests.conftest import DIGITS

pytest.importorskip("scipy")
pytest.importorskip("matplotlib")

BOARD = "stm32l496zg"


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """The network that the project ships, with an estimate."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_RESULTS", str(tmp_path_factory.mktemp("results")))
        return run(DIGITS, BOARD, kernels="cmsis-nn", cycles=True)


def _estimate(counted: Result) -> EstimatePart:
    assert counted.estimate is not None
    return counted.estimate


def _measured(path: Path, counted: Result, elf_sha256: str) -> Path:
    """A board that takes twice the estimate for the whole network."""
    built = ("", "") if elf_sha256 else ("gcc 8", "an older TFLM")
    cells = (DIGITS.stem, "", "cmsis-nn", "-O2", "yes", elf_sha256, *built, "", "", 2 * _estimate(counted).cycles.value)
    path.write_text("\n".join([",".join(measurements.COLUMNS), ",".join(map(str, (*cells, "", "bench")))]) + "\n")
    return path


@pytest.mark.usefixtures("results")
def test_a_stand_in_is_built_and_emulated(tmp_path: Path, counted: Result, capsys: pytest.CaptureFixture[str]) -> None:
    stored = tmp_path / "c.json"
    measured = _measured(tmp_path / "m.csv", counted, "")
    with pytest.raises(SystemExit) as ended:
        cli.main(["calibrate", str(measured), "-p", BOARD, "--models", str(DIGITS.parent), "-o", str(stored)])
    assert ended.value.code == 0
    told = capsys.readouterr()
    assert f"building and emulating {DIGITS.stem}" in told.err
    assert "there is nothing to tell its error by" in told.out
    (family,) = calibration.read(stored).families
    assert family.features_from == STAND_IN
    by = f"features of a {STAND_IN} by {counted.identity.compiler}"
    assert family.tier == f"calibrated on {BOARD}, gcc 8, an older TFLM; {by}"
    assert family.features_compiler == counted.identity.compiler
    assert family.coefficients["estimate"] == pytest.approx(2, rel=1e-4)
    assert family.bounds is None


def test_features_of_the_measured_binary_are_known_by_its_elf(tmp_path: Path, counted: Result) -> None:
    known = tmp_path / "f.csv"
    known.write_text(features.to_csv(table.of(counted)))
    measured = _measured(tmp_path / "m.csv", counted, counted.identity.elf_sha256)
    given = inputs.gather([str(measured)], BOARD, feature_files=[known])
    (family,) = calibration.calibrate(given.pairs, given.data_sha256)
    assert family.features_from == OWN
    assert family.build.compiler == counted.identity.compiler
    assert family.tier.startswith(f"calibrated on {BOARD}, {counted.identity.compiler}, ")
    assert "stand-in" not in family.tier
