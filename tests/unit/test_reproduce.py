"""The comparison of measured and emulated, on tables that were computed by hand."""

from __future__ import annotations

from typing import Any

import msgspec
import pandas
import pytest
from reproduce_frames import proportional

from harness.errors import EXIT_NOT_MEASURED, EXIT_PASS, EXIT_VERDICT_NO
from harness.reproduce import compare, measured, ranks, reproduction, sawtooth
from harness.reproduce.emulated import Emulated, named
from harness.reproduce.lines import Line, median, summary


def _line(measured: float, emulated: float | None, judged: bool = True) -> Line:
    return Line(figure="fig. 2", effect="FPU", case="L4", unit="ratio", measured=measured, emulated=emulated,
                judged=judged)  # fmt: skip


@pytest.mark.parametrize(
    ("measured", "emulated", "verdict"),
    [
        (3.0, 1.1, "yes"),
        (3.0, 0.9, "opposite"),
        (3.0, 1.005, "measured only"),
        (3.0, 0.995, "measured only"),
        (0.5, 0.9, "yes"),
        (0.5, 1.3, "opposite"),
        (1.01, 1.04, "none in both"),
        (1.01, 1.06, "emulated only"),
        (0.99, 0.94, "emulated only"),
        (3.0, None, None),
    ],
)
def test_an_effect_is_reproduced_where_it_has_the_measured_direction(
    measured: float, emulated: float | None, verdict: str | None
) -> None:
    line = _line(measured, emulated)
    assert line.verdict == verdict
    assert line.reproduced is (None if verdict is None else verdict in ("yes", "none in both"))
    assert _line(measured, emulated, judged=False).reproduced is None


def test_deviations_are_relative_for_ratios_and_differences_for_shares() -> None:
    assert _line(2.0, 3.0).deviation == pytest.approx(0.5)
    share = Line(figure="fig. 2", effect="layer share", case="L4", unit="share", measured=0.4, emulated=0.3)
    assert share.deviation == pytest.approx(-0.1)
    assert _line(2.0, None).deviation is None


def test_a_summary_has_geometric_means_and_leaves_out_what_was_not_emulated() -> None:
    lines = [_line(2.0, 4.0), _line(8.0, 4.0), _line(4.0, None), _line(1.0, 1.0), _line(9.0, 9.0, judged=False)]
    found = summary("FPU", lines)
    assert found is not None
    assert (found.lines, found.compared, found.effective, found.reproduced) == (4, 2, 3, 3)
    assert found.measured == pytest.approx(64 ** (1 / 3))
    assert found.emulated == pytest.approx(4.0)
    assert (found.measured_range, found.emulated_range) == ((2.0, 8.0), (4.0, 4.0))
    assert found.deviation == pytest.approx(0.75)
    assert found.part == pytest.approx(1.0)
    half = summary("FPU", [_line(4.0, 2.0), _line(1.01, 1.05)])
    assert half is not None
    assert half.part == pytest.approx(0.5)
    assert summary("nothing", [_line(2.0, 2.0)]) is None
    assert median([1.0, 2.0, 4.0]) == 2.0


def test_rank_correlation_by_hand() -> None:
    # Ranks 1 2 3 4 5 and 2 1 4 3 5: 1 - 6 x (1 + 1 + 1 + 1 + 0) / (5 x 24) = 0.8
    assert ranks.spearman(pandas.Series([1, 2, 3, 4, 5]), pandas.Series([20, 10, 400, 300, 5000])) == pytest.approx(0.8)
    # Equal values share the mean of their ranks: 1 2.5 2.5 4 against 1 2 3 4 is 4.5 / sqrt(4.5 x 5).
    assert ranks.spearman(pandas.Series([1, 2, 2, 3]), pandas.Series([1, 2, 3, 4])) == pytest.approx(4.5 / 22.5**0.5)
    assert ranks.spearman(pandas.Series([3, 2, 1]), pandas.Series([1, 2, 3])) == pytest.approx(-1)


def test_rank_correlation_leaves_out_missing_values_and_needs_three_that_vary() -> None:
    some = pandas.Series([1, None, 2, 3], dtype="Int64")
    assert ranks.spearman(some, pandas.Series([1.0, 100.0, 2.0, 3.0])) == pytest.approx(1)
    assert ranks.spearman(pandas.Series([1, 2]), pandas.Series([1, 2])) is None
    assert ranks.spearman(pandas.Series([1, 1, 1]), pandas.Series([1, 2, 3])) is None


def _layers() -> Any:
    """Widths 4 to 7 of the dense sweep: 100 ns and 5 instructions per MAC, more for the odd and for 6; twice as much
    with reference kernels."""
    rows = [
        {
            "network": "heim-dense", "width": width, "kernel": None, "kernels": kernels, "index": index,
            "op": "FULLY_CONNECTED", "latency_us": factor * cost / 1000 * 450 * width,
            "instructions": factor * instructions * 450 * width,
        }
        for kernels, factor in (("reference", 2), ("cmsis-nn", 1))
        for width, cost, instructions in ((4, 100, 5), (5, 130, 6), (6, 110, 5), (7, 150, 8))
        for index in (3, 5)
    ]  # fmt: skip
    return pandas.DataFrame(rows).astype({"kernel": "Int64", "width": "Int64", "instructions": "Int64"})


def test_table_4_by_hand() -> None:
    table = sawtooth.table_4(_layers())
    assert set(table["layer"]) == {"dense"}
    found = {(row.kernels, row.subset): row for row in table.itertuples()}
    assert found["cmsis-nn", "all"].layers == 8
    assert found["cmsis-nn", "all"].ns_per_mac == pytest.approx((100 + 130 + 110 + 150) / 4)
    assert found["cmsis-nn", "odd"].ns_per_mac == pytest.approx(140)
    assert found["cmsis-nn", "even"].ns_per_mac == pytest.approx(105)
    assert found["cmsis-nn", "multiple of 4"].instructions_per_mac == pytest.approx(5)
    assert found["cmsis-nn", "multiple of 4"].gain_measured == pytest.approx(245 / 100)
    assert found["cmsis-nn", "odd"].gain_emulated == pytest.approx(12 / 7)
    assert found["reference", "all"].gain_measured == pytest.approx(1)


def test_multiples_of_4_by_hand() -> None:
    lines = {(line.effect, line.case): line for line in sawtooth.modulo_lines(_layers())}
    odd = lines["odd widths over multiples of 4", "dense cmsis-nn"]
    assert (odd.measured, odd.emulated, odd.reproduced) == (pytest.approx(1.4), pytest.approx(1.4), True)
    even = lines["even widths over multiples of 4", "dense cmsis-nn"]
    assert (even.measured, even.emulated, even.reproduced) == (pytest.approx(1.1), pytest.approx(1.0), False)


def test_a_missing_count_stays_missing_in_table_4() -> None:
    layers = _layers()
    layers.loc[layers["width"] == 5, "instructions"] = pandas.NA
    found = {(row.kernels, row.subset): row for row in sawtooth.table_4(layers).itertuples()}
    assert pandas.isna(found["cmsis-nn", "odd"].instructions_per_mac)
    assert found["cmsis-nn", "even"].instructions_per_mac == pytest.approx(5)
    assert all(line.emulated is None for line in sawtooth.modulo_lines(layers) if "odd" in line.effect)


def test_networks_are_named_by_their_parameters() -> None:
    frame = pandas.DataFrame(
        {
            "network": ["heim-dense", "heim-conv", "lenet", None],
            "parameters": ["units=441", "filters=101,kernel=3", "width=0.5", None],
            "fpu": ["fpv4-sp-d16", "none", None, "none"],
        }
    )
    found = named(frame)
    assert found["width"].tolist()[:2] == [441, 101]
    assert found["width"].isna().tolist() == [False, False, True, True]
    assert found["kernel"].isna().tolist() == [True, False, True, True]
    assert found["fpu"].tolist()[:2] == ["yes", "no"]


def _joined(counted: Emulated) -> tuple[compare.Joined, tuple[Line, ...]]:
    joined = compare.join(measured.load(), counted)
    return joined, reproduction.all_lines(joined, sawtooth.table_4(joined.layers))


def test_counts_in_proportion_to_latencies_reproduce_everything() -> None:
    joined, lines = _joined(proportional())
    assert compare.missing(joined) == 0
    assert max(abs(line.deviation) for line in lines if line.figure != "fig. 3") < 1e-9  # type: ignore[arg-type]
    assert all(line.reproduced for line in lines if line.judged)
    assert joined.lenet_layers.groupby(["platform", "type", "kernels"])["share_emulated"].sum().round(9).eq(1).all()
    every = ranks.by_operator(joined.layers)
    assert every["spearman"].dropna().round(9).eq(1).all()
    assert every["median"].round(9).eq(64).all()


def test_each_effect_has_a_line_for_each_of_its_cases() -> None:
    _, lines = _joined(proportional())
    found = {effect: [line for line in lines if line.effect == effect] for effect in {line.effect for line in lines}}
    assert [len(found[name]) for name in ("CMSIS-NN", "FPU", "-Ofast over -Os")] == [24, 24, 24]
    (line,) = (line for line in found["FPU"] if line.case == "F4 float32 reference -Os")
    assert line.measured == pytest.approx(227.6039 / 94.3144)
    (line,) = (line for line in found["CMSIS-NN"] if line.case == "L4 int8 FPU -Ofast")
    assert line.measured == pytest.approx(120.6695 / 36.3913)
    assert len(found["layer share"]) == 120
    assert sum(line.figure == "fig. 9" for line in lines) == 31


def test_rows_whose_length_the_board_cut_short_take_no_part_in_ranks() -> None:
    joined, _ = _joined(proportional())
    assert joined.layers["wrapped"].sum() == 28
    every = ranks.by_operator(joined.layers)
    counted = every[every["op"] == ranks.EVERY].set_index("kernels")["layers"]
    assert counted["cmsis-nn"] + counted["reference"] == len(joined.layers) - 28


def test_a_part_of_the_points_compares_a_part_of_the_measurements() -> None:
    counted = proportional()
    points = counted.points
    kept = points[(points["platform"] == "stm32l496zg") & (points["network"].isin(["lenet", "heim-dense"]))]
    joined, lines = _joined(Emulated(points=kept, layers=counted.layers))
    assert set(joined.layers["network"]) == {"heim-dense"}
    assert {line.case.split()[0] for line in lines if line.figure == "fig. 2"} == {"L4"}
    assert compare.missing(joined) == 0


def test_a_point_without_counts_leaves_its_lines_without_them() -> None:
    counted = proportional()
    points, layers = counted
    lost = (points["platform"] == "stm32f469ni") & (points["kernels"] == "cmsis-nn") & (points["type"] == "int8")
    points.loc[lost, "instructions"] = pandas.NA
    layers = layers[~((layers["platform"] == "stm32f469ni") & (layers["kernels"] == "cmsis-nn"))]
    joined, lines = _joined(Emulated(points=points, layers=layers))
    assert compare.missing(joined) == 4 + 9 + 11
    mine = [line for line in lines if line.effect == "CMSIS-NN" and line.case.startswith("F4 int8")]
    assert [line.emulated for line in mine] == [None] * 4
    assert [line.reproduced for line in mine] == [None] * 4


def test_exit_codes_say_missing_counts_before_wrong_directions(tmp_path: Any) -> None:
    made = reproduction.Reproduction(lines=(_line(2.0, 3.0),), ranks=(), points=1, missing=0, page=tmp_path)
    assert made.exit_code == EXIT_PASS
    wrong = (_line(2.0, 3.0), _line(2.0, 0.5))
    assert msgspec.structs.replace(made, lines=wrong).exit_code == EXIT_VERDICT_NO
    assert msgspec.structs.replace(made, lines=wrong, missing=2).exit_code == EXIT_NOT_MEASURED
