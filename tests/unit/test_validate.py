"""The validation: what is compared with what, what a prediction has not seen, and whether the page is up to date."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import msgspec
import pytest

from harness import cli
from harness.calibrate import public_tables
from harness.cost.features import Row, read_csv, to_csv
from harness.paths import checkout
from harness.validate import page, rows, summary, whole
from harness.validate.rows import FITTED, Validation

pytest.importorskip("scipy")
pytest.importorskip("matplotlib")

BOARD = "stm32l4r5zi"


@pytest.fixture(scope="module")
def features() -> tuple[Row, ...]:
    return read_csv(public_tables.FEATURES)


@pytest.fixture(scope="module")
def everything(features: tuple[Row, ...]) -> Validation:
    return rows.validate(features)


def of_board(features: tuple[Row, ...], factor: float = 1.0, model: str = "") -> Validation:
    """The board of two networks; ``factor`` scales the features of one of them."""
    changed = [
        msgspec.structs.replace(
            row,
            core_cycles=row.core_cycles * factor,
            instructions=round(row.instructions * factor),
            jump_misses=round((row.jump_misses or 0) * factor),
            onward_misses=round((row.onward_misses or 0) * factor),
            load_misses=round((row.load_misses or 0) * factor),
            code_bytes=round(row.code_bytes * factor),
        )
        if row.model == model
        else row
        for row in features
    ]
    return rows.validate(changed, BOARD)


def test_every_public_row_is_compared_or_said_to_be_missing(everything: Validation) -> None:
    assert len(everything.rows) + len(everything.missing) == len(public_tables.load())
    assert {row.build.platform for row in everything.rows} == {
        "stm32l496zg",
        "stm32l4r5zi",
        "stm32f469ni",
        "stm32f767zi",
    }
    # Whole inferences of LeNet and MLPerf Tiny are all there.
    assert all(row.index is not None for row in everything.missing)


def test_a_prediction_has_not_seen_its_network(features: tuple[Row, ...]) -> None:
    plain = {item.row.network: item.row for item in of_board(features).networks}
    doubled = {item.row.network: item.row for item in of_board(features, 2.0, "mlperf-ad.tflite").networks}
    ad, kws = "mlperf-ad int8", "mlperf-kws int8"
    assert plain[ad].measured == doubled[ad].measured == pytest.approx(10.052)
    assert plain[ad].without_network and plain[kws].without_network
    # By the other network alone: twice the features are twice the cycles, and half those that the other one gets.
    assert doubled[ad].without_network == pytest.approx(2 * plain[ad].without_network, rel=0.01)
    assert doubled[kws].without_network == pytest.approx(plain[kws].without_network / 2, rel=0.01)
    assert doubled[ad].uncalibrated == pytest.approx(2 * plain[ad].uncalibrated, rel=0.01)


def test_sums_are_of_what_was_fitted(everything: Validation) -> None:
    for item in everything.networks:
        layers = [
            row
            for row in everything.rows
            if (row.build, row.network) == (item.row.build, item.row.network) and row.used == FITTED
        ]
        if layers:
            assert item.row.measured == pytest.approx(sum(row.measured for row in layers))
            assert item.row.uncalibrated == pytest.approx(sum(row.uncalibrated for row in layers))
        assert item.calibrated is None or item.calibrated.low < item.calibrated.high


def test_intervals_hold_what_they_say(everything: Validation) -> None:
    for item in everything.networks:
        for interval in (item.uncalibrated, item.calibrated):
            assert interval is None or interval.holds == (interval.low <= item.row.measured <= interval.high)
    known = [item.uncalibrated for item in everything.networks if item.uncalibrated is not None]
    assert known and not all(interval.holds for interval in known)  # they can fail


def test_float32_with_cmsis_nn_is_not_predicted_by_its_fit(everything: Validation) -> None:
    found = [row for row in everything.rows if row.used == public_tables.REFERENCE_CODE]
    assert found
    assert all(row.fitted is None and row.without_network is None for row in found)


def test_a_summary_is_of_its_networks(everything: Validation) -> None:
    lines = {(line.platform, line.kernels): line for line in summary.lines(everything.networks)}
    assert len(lines) == 7
    line = lines[BOARD, "cmsis-nn"]
    ad, kws = (
        item.row.uncalibrated / item.row.measured - 1
        for item in everything.networks
        if item.row.build.platform == BOARD
    )
    assert line.uncalibrated is not None
    assert line.uncalibrated.mean == pytest.approx((abs(ad) + abs(kws)) / 2)
    assert line.uncalibrated.worst == pytest.approx(max(abs(ad), abs(kws)))
    assert summary.reached(line) is False
    good = msgspec.structs.replace(
        line, without_network=msgspec.structs.replace(line.uncalibrated, mean=0.02, worst=0.07)
    )
    assert summary.reached(good) is True
    assert summary.reached(msgspec.structs.replace(line, without_network=None)) is None


def test_the_csv_has_every_row(everything: Validation) -> None:
    table = list(csv.DictReader(io.StringIO(page.rows_csv(everything.rows))))
    assert len(table) == len(everything.rows)
    first = everything.rows[0]
    assert float(table[0]["measured_ms"]) == pytest.approx(first.measured, rel=1e-5)
    assert float(table[0]["uncalibrated_ms"]) == pytest.approx(first.uncalibrated, rel=1e-5)


def test_the_page_in_git_is_what_the_data_say(features: tuple[Row, ...]) -> None:
    root = checkout()
    if root is None:
        pytest.skip("no checkout")
    found = whole.validate(features, read_csv(public_tables.USUAL_FEATURES))
    stored = (root / "results" / "validation" / page.PAGE).read_text(encoding="utf-8")
    assert stored == page.markdown(found), "harness validate makes it anew"


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(["validate", *arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_the_command_makes_the_page(
    tmp_path: Path, features: tuple[Row, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    few = tmp_path / "f.csv"
    few.write_text(to_csv(row for row in features if row.platform == BOARD))
    assert run("--features", str(few), "-o", str(tmp_path / "page")) == 0
    said = capsys.readouterr().out
    assert "mlperf-kws int8" in said and " 182 " in said
    assert sorted(path.name for path in (tmp_path / "page").iterdir()) == [
        "README.md", "energy.csv", "errors.svg", "rows.csv",
    ]  # fmt: skip
    assert "rows of" in (tmp_path / "page" / "README.md").read_text()


def test_the_command_shows_a_board(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("-p", BOARD, "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert {row["network"] for row in shown["rows"]} == {"mlperf-ad int8", "mlperf-kws int8"}
    assert {row["network"] for row in shown["energies"]} == {"mlperf-ad int8", "mlperf-kws int8"}
    assert [item["platform"] for item in shown["builds"]] == [BOARD]
    assert run("-p", BOARD, "--layers") == 0
    assert "whole network" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--all"], "--all and --models say nothing without --emulate"),
        (["--emulate", "a.csv", "--features", "b.csv"], "two sources of the same"),
        (["-p", BOARD, "-o", "x"], "the page is of all boards"),
        (["-p", "microbit"], "no public measurements of microbit"),
        (["--features", "no.csv"], "no.csv: cannot be read"),
    ],
)
def test_a_mistake_is_told(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 2
    assert message in capsys.readouterr().err.replace("\n", " ")
