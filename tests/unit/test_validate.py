"""The validation: what is compared with what, what a prediction has not seen, and whether the page is up to date."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import msgspec
import pytest

from harness import cli
from harness.calibrate import calibration, public_tables
from harness.calibrate.samples import Build
from harness.cost.features import Row, read_csv, to_csv
from harness.paths import checkout
from harness.validate import page, rows, summary, whole
from harness.validate.rows import FITTED, UNSEEN, Validation

pytest.importorskip("scipy")
pytest.importorskip("matplotlib")

BOARD = "stm32l4r5zi"


@pytest.fixture(scope="module")
def features() -> tuple[Row, ...]:
    return read_csv(public_tables.FEATURES)


@pytest.fixture(scope="module")
def unseen() -> tuple[Row, ...]:
    return read_csv(public_tables.UNSEEN_FEATURES)


@pytest.fixture(scope="module")
def everything(features: tuple[Row, ...], unseen: tuple[Row, ...]) -> Validation:
    return rows.validate(features, unseen=unseen)


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


def test_every_public_row_is_compared(everything: Validation) -> None:
    assert len(everything.rows) == len(public_tables.load())
    assert not everything.missing
    assert {row.build.platform for row in everything.rows} == {
        "stm32l496zg",
        "stm32l4r5zi",
        "stm32f469ni",
        "stm32f767zi",
    }


def test_what_has_no_features_is_said_to_be_missing(features: tuple[Row, ...]) -> None:
    found = of_board(tuple(row for row in features if row.model != "mlperf-ad.tflite"))
    assert [row.network for row in found.missing] == ["mlperf-ad int8"]
    assert [row.network for row in found.rows] == ["mlperf-kws int8"]


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


def of_sweeps(found: tuple[Row, ...]) -> list[Row]:
    return [row for row in found if row.kernels == "cmsis-nn" and row.model.startswith("heim-d")]


def test_a_width_that_is_not_fitted_changes_no_fit(features: tuple[Row, ...], unseen: tuple[Row, ...]) -> None:
    own, further = of_sweeps(features), of_sweeps(unseen)
    plain, doubled = rows.validate(own), rows.validate(own, unseen=further)
    assert doubled.networks == plain.networks
    assert len(doubled.missing) == len(plain.missing) - sum(len(networks) for networks in layers_of(doubled))
    # A network with twice the features: its own predictions are twice as long, and no other's change.
    name = further[0].model
    changed = [
        msgspec.structs.replace(
            row,
            core_cycles=row.core_cycles * 2,
            instructions=row.instructions * 2,
            taken=row.taken * 2,
            code_bytes=row.code_bytes * 2,
            jump_misses=(row.jump_misses or 0) * 2,
            onward_misses=(row.onward_misses or 0) * 2,
            load_misses=(row.load_misses or 0) * 2,
        )
        if row.model == name
        else row
        for row in further
    ]
    after = rows.validate(own, unseen=changed)
    assert after.networks == doubled.networks
    differing = [(one, two) for one, two in zip(doubled.unseen, after.unseen, strict=True) if one != two]
    assert len(differing) == 1
    one, two = (item.row for item in differing[0])
    assert one.fitted and one.without_architecture
    assert two.measured == one.measured
    assert two.uncalibrated == pytest.approx(2 * one.uncalibrated, rel=1e-3)
    assert two.fitted == pytest.approx(2 * one.fitted, rel=1e-3)
    assert two.without_architecture == pytest.approx(2 * one.without_architecture, rel=1e-3)


def layers_of(found: Validation) -> list[list[rows.Validated]]:
    return [[row for row in found.rows if row.network == item.row.network] for item in found.unseen]


def test_further_widths_are_apart_from_what_is_fitted(everything: Validation) -> None:
    fitted = {(item.row.build, item.row.network) for item in everything.networks}
    assert everything.unseen and not fitted & {(item.row.build, item.row.network) for item in everything.unseen}
    for item in everything.unseen:
        assert item.row.used == UNSEEN
        assert item.row.fitted == item.row.without_network != item.row.without_architecture
        assert item.stored and item.row.fitted and item.stored.low < item.stored.high
        assert item.stored.holds == (item.stored.low <= item.row.measured <= item.stored.high)
    assert all(item.stored is None for item in everything.networks)
    assert not all(item.stored.holds for item in everything.unseen if item.stored)  # they can fail


def test_further_widths_are_predicted_by_the_calibration_that_is_stored(everything: Validation) -> None:
    root = checkout()
    if root is None:
        pytest.skip("no checkout")
    known = calibration.read(root / "results" / "calibration" / "stm32l496zg.json")
    families = {family.build: family for family in known.families}
    for item in everything.unseen:
        bounds = families[item.row.build].bounds
        assert bounds and item.stored and item.row.fitted
        assert item.stored.low == pytest.approx(item.row.fitted * bounds.low, rel=1e-4)
        assert item.stored.high == pytest.approx(item.row.fitted * bounds.high, rel=1e-4)


def test_kinds_are_of_the_further_widths(everything: Validation) -> None:
    found = summary.kinds(everything.unseen)
    for kernels in ("cmsis-nn", "reference"):
        own = [kind for kind in found if kind.kernels == kernels]
        parts, whole_set = own[:-1], own[-1]
        assert whole_set.architecture is None and whole_set.stored
        assert whole_set.networks == sum(kind.networks for kind in parts)
        assert whole_set.stored_held.inside == sum(kind.stored_held.inside for kind in parts)
        assert whole_set.stored.worst == max(kind.stored.worst for kind in parts if kind.stored)
        furthest = [item for item in summary.worst(everything.unseen, 3) if item.row.build.kernels == kernels]
        assert len(furthest) == 3
        errors = [abs(rows.error(item.row.fitted, item.row.measured) or 0) for item in furthest]
        assert errors == sorted(errors, reverse=True) and errors[0] == whole_set.stored.worst


def test_sums_are_of_what_was_fitted(everything: Validation) -> None:
    layers_by: dict[tuple[Build, str], list[rows.Validated]] = {}
    for row in everything.rows:
        if row.used in (FITTED, UNSEEN):
            layers_by.setdefault((row.build, row.network), []).append(row)
    for item in (*everything.networks, *everything.unseen):
        layers = layers_by.get((item.row.build, item.row.network))
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


def test_the_page_in_git_is_what_the_data_say(features: tuple[Row, ...], unseen: tuple[Row, ...]) -> None:
    root = checkout()
    if root is None:
        pytest.skip("no checkout")
    found = whole.validate(features, read_csv(public_tables.USUAL_FEATURES), unseen=unseen)
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


def test_the_command_keeps_further_widths_out_of_fits(
    tmp_path: Path, features: tuple[Row, ...], unseen: tuple[Row, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    both = tmp_path / "f.csv"
    both.write_text(to_csv([*of_sweeps(features), *of_sweeps(unseen)]))
    assert run("--features", str(both), "-o", str(tmp_path / "page")) == 0
    assert "further widths" in capsys.readouterr().out
    shown = (tmp_path / "page" / "README.md").read_text()
    assert "## Widths that no calibration has seen" in shown and "**Not compared**" in shown
    both.write_text(to_csv(of_sweeps(unseen)))
    assert run("--features", str(both), "-o", str(tmp_path / "page")) == 2
    assert "nothing that fits are made to" in capsys.readouterr().err.replace("\n", " ")


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
